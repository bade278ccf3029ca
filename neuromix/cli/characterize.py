"""`neuromix characterize`: the analog cell in ngspice, and the numpy model beside it."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from analog_models.neuron import MixedSignalNeuronParameters
from analog_models.views.spice import BUILT_IN_CARD, Card

from ..characterize.fit import Residual
from ..characterize.points import Condition, Plan
from ..characterize.run import Characterization
from ..characterize.run import characterize as run_characterization
from .console import print_json, progress_report
from .options import DEFAULT_BUILD, BuildFolder, Json, Seed, read_experiment

__all__ = ["characterize"]

LABELS = {
    "device": "unit transistor's V_GS [mV]",
    "transfer": "DC transfer, node [% of full scale]",
    "activation": "DC transfer, node and pair [% of full scale]",
    "settling": "settling time [%]",
    "noise": "integrated noise power [%]",
    "mismatch": "mismatch sigma [%]",
    "energy": "energy, slowest code settled [%]",
    "energy_fast": "energy, this code settled [%]",
}
"""What the rows of the table are, in the order in which they are shown."""


def _texts(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _numbers(text: str) -> list[float]:
    try:
        return [float(word) for word in _texts(text)]
    except ValueError:
        raise typer.BadParameter(f"must be numbers separated by commas, got {text!r}") from None


def _list(parse: Callable[[str], list[object]]) -> Callable[[str], list[object]]:
    def checked(text: str) -> list[object]:
        if not (values := parse(text)):
            raise typer.BadParameter(f"must be at least one, got {text!r}")
        return values

    return checked
