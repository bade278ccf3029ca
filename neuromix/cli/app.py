"""The command `neuromix`: its subcommands, and what the outside learns of a failure."""

import os
import warnings
from typing import Any

import typer
from typer.core import TyperGroup

from cosim.simulator import SimulationError, SimulatorNotFoundError

from ..characterize.ngspice import NgspiceError, NgspiceNotFoundError
from ..energy.netlist import YosysNotFoundError
from . import (
    calibrate,
    characterize,
    cosim,
    energy,
    generate,
    hardware_yield,
    montecarlo,
    report,
    reproduce,
    run,
    schema,
)
from . import list as list_
from .console import talk
from .verdict import FAILED

__all__ = ["app", "main"]

BAD_INPUT = 2
INTERRUPTED = 130
DEBUG = "NEUROMIX_DEBUG"


_REPORTED = (
    ValueError,
    OSError,
    SimulatorNotFoundError,
    YosysNotFoundError,
    NgspiceNotFoundError,
    NgspiceError,
    SimulationError,
)
"""Failures whose message is all that the user needs."""


class _Reporting(TyperGroup):
    """Turns failures into one message and an exit code.

    0 is success, 1 an internal failure or a co-simulation that differs from the golden model, 2 something
    that the user can mend, 130 Ctrl-C. By the rule of this project a ValueError says what must be mended;
    should one not, the environment variable NEUROMIX_DEBUG shows where it came from.
    """

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise
        except _REPORTED as error:
            if DEBUG in os.environ:
                raise
            talk(_message(error))
            raise typer.Exit(FAILED if isinstance(error, SimulationError) else BAD_INPUT) from error
        except KeyboardInterrupt as error:
            warnings.simplefilter("ignore")  # half-made hardware would say that it was never used
            talk("interrupted; finished steps are kept, and the next run goes on from there")
            raise typer.Exit(INTERRUPTED) from error


def _message(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror.lower()}"
    return str(error)


app = typer.Typer(
    cls=_Reporting,
    help="Neuromorphic chips from one experiment file: Verilog, co-simulation, energy, report.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("run")(run.run)
app.command("generate")(generate.generate)
app.command("cosim")(cosim.cosim)
app.command("calibrate")(calibrate.calibrate)
app.command("energy")(energy.energy)
app.command("characterize")(characterize.characterize)
app.command("montecarlo")(montecarlo.montecarlo)
app.command("yield")(hardware_yield.hardware_yield)
app.command("report")(report.report)
app.command("reproduce")(reproduce.reproduce)
app.command("schema")(schema.print_schema)
app.command("list")(list_.list_experiments)


def main() -> None:
    """Run the command line."""
    app()
