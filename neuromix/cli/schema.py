"""`neuromix schema`: what may be written in an experiment file, for editors."""

from ..config import json_schema
from .console import print_json

__all__ = ["print_schema"]


def print_schema() -> None:
    """Print the JSON schema of experiment files, by which editors check and complete them."""
    print_json(json_schema())
