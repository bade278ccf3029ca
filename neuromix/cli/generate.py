"""`neuromix generate`: the Verilog of an experiment's chips, and what goes with it."""

from ..flow import run_experiment
from .console import print_json, progress_report
from .options import DEFAULT_BUILD, BuildFolder, DataFolder, Experiment, Json, read_experiment

__all__ = ["generate"]


def generate(
    experiment: Experiment,
    data: DataFolder = None,
    build: BuildFolder = DEFAULT_BUILD,
    as_json: Json = False,
) -> None:
    """Write Verilog, file list, manifest, register map and memory images of every back end's chip."""
    config = read_experiment(experiment, data=data)
    with progress_report() as progress:
        outcome = run_experiment(config, build, command="", progress=progress, until="rtl")
    if as_json:
        print_json(
            {
                name: {
                    "folder": str(bundle.folder),
                    "files": bundle.files,
                    "black_boxes": bundle.black_boxes,
                    "source_sha256": bundle.source_sha256,
                }
                for name, bundle in outcome.bundles.items()
            }
        )
        return
    for bundle in outcome.bundles.values():
        print(bundle.folder)
