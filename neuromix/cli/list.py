"""`neuromix list`: the experiments that are shipped."""

from ..config import load_experiment, shipped_experiments
from .console import print_json
from .options import Json

__all__ = ["list_experiments"]


def list_experiments(as_json: Json = False) -> None:
    """List the shipped experiments: name and title, and with --json all that tells them apart."""
    experiments = {name: load_experiment(path) for name, path in shipped_experiments().items()}
    if as_json:
        print_json(
            [
                {
                    "name": name,
                    "title": config.title,
                    "file": str(shipped_experiments()[name]),
                    "network": config.network.stem,
                    "data": config.data.kind,
                    "back_ends": config.back_ends.names,
                }
                for name, config in experiments.items()
            ]
        )
        return
    width = max(map(len, experiments), default=0)
    for name, config in experiments.items():
        print(f"{name:{width}}  {config.title}")
