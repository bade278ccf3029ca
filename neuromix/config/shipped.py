"""Experiments that are shipped with the product."""

import difflib
from pathlib import Path

from .problems import ExperimentError, Place, Problem

__all__ = ["find_experiment", "shipped_experiments"]

_FOLDER = Path(__file__).parent.parent / "experiments"


def shipped_experiments() -> dict[str, Path]:
    """Return the files of all shipped experiments by name, in alphabetical order."""
    return {path.stem: path for path in sorted(_FOLDER.glob("*.yaml"))}


def find_experiment(name_or_path: str) -> Path:
    """Return the file of a shipped experiment, or ``name_or_path`` itself if it is a path.

    Raises ExperimentError, which names what is shipped, if it is neither.
    """
    shipped = shipped_experiments()
    if name_or_path in shipped:
        return shipped[name_or_path]
    path = Path(name_or_path)
    if path.suffix in (".yaml", ".yml") or path.exists():
        return path
    close = difflib.get_close_matches(name_or_path, shipped, n=1)
    hint = f"; did you mean {close[0]}?" if close else ""
    message = (
        f"must be a shipped experiment ({', '.join(shipped)}) or a .yaml file, got {name_or_path!r}{hint}"
    )
    raise ExperimentError([Problem(Place("experiment"), "", message)])
