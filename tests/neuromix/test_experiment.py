"""An experiment made ready: images, codes, chips, and what depends on the seed."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from neuromix.config import load_experiment
from neuromix.experiment import Experiment, prepare
from neuromix.network.network import Network
from neuromix.reference import simulate_mapped


def prepared(path: Path, overrides: Mapping[str, object] | None = None) -> Experiment:
    return prepare(load_experiment(path, overrides or {}))


def events(experiment: Experiment, name: str) -> np.ndarray:
    return simulate_mapped(experiment.mapped, experiment.codes, experiment.back_ends[name].models).events


def test_images_are_the_first_of_the_test_set(tiny: Path) -> None:
    some, every = prepared(tiny, {"images": 2}), prepared(tiny, {"images": "all"})
    assert (some.labels.tolist(), every.labels.tolist()) == ([0, 3], [0, 3, 2, 2, 1, 2])
    assert np.array_equal(some.images, every.images[:2])
    assert some.codes.dtype == np.uint8
    assert some.codes.max() > 200
    assert np.array_equal(some.codes, np.rint(255 * some.images))


def test_codes_are_as_wide_as_payloads(tiny: Path) -> None:
    experiment = prepared(tiny, {"chip.payload_bits": 4})
    assert experiment.codes.max() == 14
    assert experiment.quantized.activation_max == experiment.mapped.event_format.payload_max == 15


def test_weights_are_as_wide_as_asked_for(tiny: Path) -> None:
    experiment = prepared(tiny, {"weight_bits": 4})
    largest = max(np.abs(projection.weight_codes).max() for projection in experiment.quantized.projections)
    assert largest == experiment.quantized.weight_max == 7


def test_only_mixed_signal_chips_have_arrays(tiny: Path) -> None:
    experiment = prepared(tiny)
    assert list(experiment.back_ends) == ["parallel", "serial", "mixed_signal"]
    cores = {core.position for core in experiment.mapped.cores}
    for name, back_end in experiment.back_ends.items():
        assert set(back_end.models) == cores
        assert set(back_end.banks) == (cores if name == "mixed_signal" else set())
        assert (back_end.arrays is None) == (name != "mixed_signal")


def test_lines_of_the_arrays_settle_for_the_cycles_of_the_file(tiny: Path) -> None:
    arrays = prepared(tiny, {"chip.clock": "50 MHz"}).back_ends["mixed_signal"].arrays
    assert arrays is not None
    assert arrays.evaluation_time == pytest.approx(4 / 50e6)
    slow, fast = (prepared(tiny, {"chip.clock": clock}) for clock in ("100 MHz", "400 MHz"))
    assert not np.array_equal(events(slow, "mixed_signal"), events(fast, "mixed_signal"))
    assert np.array_equal(events(slow, "parallel"), events(fast, "parallel"))


def test_back_end_that_is_not_named_is_left_out(quick: Path) -> None:
    assert list(prepared(quick).back_ends) == ["serial"]


def test_seed_changes_the_analog_arrays_and_nothing_digital(tiny: Path) -> None:
    first, again, other = prepared(tiny), prepared(tiny, {"seed": 1}), prepared(tiny, {"seed": 2})
    for name in first.back_ends:
        assert np.array_equal(events(first, name), events(again, name))
        same = np.array_equal(events(first, name), events(other, name))
        assert same == (name != "mixed_signal")


def test_images_must_be_there(tiny: Path) -> None:
    with pytest.raises(ValueError, match=r"^images: must be at most 6, the test images of tiny, got 7$"):
        prepared(tiny, {"images": 7})


def test_network_must_have_an_output_per_class(tiny: Path, tmp_path: Path) -> None:
    network = Network.load(tiny.with_name("tiny.npz"))
    last = network.projections[-1]
    smaller = Network(
        name="three",
        populations=(*network.populations[:-1], type(network.populations[-1])("output", 3)),
        projections=(
            *network.projections[:-1],
            type(last)(source=last.source, target=last.target, weights=last.weights[:3], bias=last.bias[:3]),
        ),
    )
    smaller.save(tmp_path / "three.npz")
    with pytest.raises(ValueError, match=r"three\.npz: outputs must be 4 for tiny, got 3$"):
        prepared(tiny, {"network": str(tmp_path / "three.npz")})


def test_cifar10_is_data_of_an_experiment(tiny: Path, made_cifar10: Path, cifar10_network: Path) -> None:
    experiment = prepared(
        tiny,
        {
            "data": {"kind": "cifar10", "path": str(made_cifar10)},
            "network": str(cifar10_network),
            "chip.core.axons": 3085,  # 13 of them carry the bias
            "chip.core.neurons": 10,
        },
    )
    assert experiment.images.shape[1] == 3072
    assert experiment.data_source.startswith("CIFAR-10")
