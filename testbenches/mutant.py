"""Deliberate faults: a bench that cannot see them proves nothing."""

from pathlib import Path
from types import ModuleType

__all__ = ["mutant"]


def mutant(module: ModuleType, old: str, new: str) -> ModuleType:
    """Return a copy of ``module`` in whose source ``new`` stands for ``old``, which must occur just once."""
    path = Path(str(module.__file__))
    source = path.read_text()
    if source.count(old) != 1:
        raise ValueError(f"{path.name}: {old!r} must occur once, got {source.count(old)} times")
    faulty = ModuleType(module.__name__)
    faulty.__package__ = module.__package__
    exec(compile(source.replace(old, new), path, "exec"), faulty.__dict__)
    return faulty
