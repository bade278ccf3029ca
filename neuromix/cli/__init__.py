"""Command line: one module per command, thin; results on stdout, talk on stderr."""

from .app import app, main

__all__ = ["app", "main"]
