"""Draws on disk."""

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["load_arrays", "save_arrays"]


def save_arrays(path: Path, arrays: dict[str, NDArray[np.float64]]) -> None:
    """Write ``arrays`` to an ``.npz`` file; the same arrays always give the same bytes."""
    with Path(path).open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def load_arrays(path: Path, names: Sequence[str], what: str) -> dict[str, NDArray[np.float64]]:
    """Return the arrays of these names of ``path``, which should be a saved draw of ``what``.

    Raises ValueError when it is something else.
    """
    try:
        with Path(path).open("rb") as file, np.load(file) as arrays:
            return {name: arrays[name] for name in names}
    except (KeyError, ValueError, EOFError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path}: must be a saved draw of {what}, got {error}") from error
