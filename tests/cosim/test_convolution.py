"""A convolutional network on a chip sends the events of the golden model, whichever neurons compute it."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cosim.events import event_of
from cosim.simulator import SimulatorName
from neuromix.config import load_experiment, shipped_experiments
from neuromix.flow import run_experiment
from rtl_gen.signatures import LoadTarget
from testbenches.chip_bench import Played, chip_case, convolutional_network

Play = Callable[..., Played]

MNIST = Path(os.environ.get("NEUROMIX_MNIST", Path(__file__).parents[2] / "../shared/data/mnist"))


@pytest.mark.parametrize("back_end", ["serial_4_lanes", "mixed_signal"])
def test_convolution_and_pooling_send_the_events_of_the_golden_model(
    back_end: str, simulator_name: SimulatorName, play: Play
) -> None:
    case = chip_case(back_end, convolutional_network())
    populations = [core.population for core in case.mapped.cores]
    assert {name: populations.count(name) for name in populations} == {"conv": 4, "pool": 2, "output": 1}
    assert max(map(len, case.mapped.input_routes)) == 4
    assert (case.arrays is not None) == (back_end == "mixed_signal")

    images = case.mapped.memory_images(case.chip)
    kernels = [image.rows for image in images if image.target == LoadTarget.SYNAPSES]
    assert [kernels.count(rows) for rows in kernels] == [4, 4, 4, 4, 2, 2, 1], "loaded at once where alike"

    played = play(case, simulator_name)
    assert len(case.codes) == 20
    assert played.comparison.equal, played.comparison.located
    np.testing.assert_array_equal(played.result.sent, played.reference.events)
    senders = {(event.source_x, event.source_y) for event in map(event_of, played.reference.events)}
    assert senders == {(0, 0), *(core.position for core in case.mapped.cores)}
    assert len(np.unique(played.reference.outputs)) > 20, "the outputs hardly differ, so they prove nothing"


@pytest.mark.slow
@pytest.mark.mnist
def test_the_shipped_convolutional_network_agrees_on_20_images(
    simulator_name: SimulatorName, test_folder: Path
) -> None:
    if not MNIST.is_dir():
        pytest.skip(f"no MNIST files in {MNIST}; NEUROMIX_MNIST names another folder")
    overrides = {"images": 20, "data.path": str(MNIST.absolute())}
    outcome = run_experiment(
        load_experiment(shipped_experiments()["mnist-cnn"], overrides),
        test_folder,
        command="",
        progress=lambda *arguments: None,
        until="cosim",
        simulators=[simulator_name],
    )
    (run,) = outcome.runs
    assert run.comparison.equal, run.comparison.located
    assert len(run.predictions) == 20
