"""The digital spiking neuron: twin against plain arithmetic, hardware against twin, and the analog rival."""

from collections.abc import Callable

import numpy as np
import pytest

from analog_models.spiking import SpikingNeuronParameters
from rtl_gen.neuron import lif
from rtl_gen.neuron.lif import LifParameters
from testbenches.mutant import mutant

MARKS = (pytest.mark.cosim, pytest.mark.icarus)
BENCH = "testbenches.neuron.lif_bench"
SOMAS: dict[str, dict[str, object]] = {
    "subtracting": {"membrane_width": 12, "threshold": 700},
    "leaky": {
        "membrane_width": 10,
        "threshold": 200,
        "leak_shift": 3,
        "reset": "zero",
        "refractory_steps": 3,
    },
    "one_refractory_step": {"membrane_width": 9, "threshold": 128, "leak_shift": 1, "refractory_steps": 1},
    "highest_threshold": {"membrane_width": 8, "threshold": 127, "leak_shift": 7, "reset": "zero"},
    "narrowest": {"membrane_width": 2, "threshold": 1, "refractory_steps": 2},
}
FAULTS = {
    "fires_one_late": ("saturated >= self.threshold", "saturated > self.threshold"),
    "no_upper_saturation": ("Mux(total > high, high,", "Mux(total > high, total,"),
    "no_lower_saturation": ("Mux(total < low, low, total)", "total"),
    "leak_rounds_up": ("(membrane >> parameters.leak_shift)", "((membrane + 7) >> parameters.leak_shift)"),
    "refractory_one_long": ("Mux(crossed, parameters.refractory_steps, 0)", "Mux(crossed, 3, 0) | 1"),
    "spike_without_step": ("self.spike.eq(self.step & ready & crossed)", "self.spike.eq(ready & crossed)"),
    "reset_forgotten": ("Mux(crossed, after_spike, saturated)", "saturated"),
}
FAULT_SOMA = {"leak_rounds_up": "leaky", "refractory_one_long": "leaky"}


def soma(threshold: int, **arguments: object) -> lif.LifSoma:
    return LifParameters(**arguments).create()


def test_soma_equals_its_twin_in_every_simulator(bench: Callable[..., None]) -> None:
    bench(soma(**SOMAS["leaky"]), BENCH, SOMAS["leaky"])


@pytest.mark.parametrize("simulator_name", [pytest.param("icarus", marks=MARKS)], indirect=True)
@pytest.mark.parametrize("name", [name for name in SOMAS if name != "leaky"])
def test_soma_equals_its_twin_in_other_sizes(name: str, bench: Callable[..., None]) -> None:
    bench(soma(**SOMAS[name]), BENCH, SOMAS[name])


@pytest.mark.parametrize("fault", FAULTS)
def test_bench_sees_a_fault(
    fault: str, failing_bench: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lif, "LifSoma", mutant(lif, *FAULTS[fault]).LifSoma)
    arguments = SOMAS[FAULT_SOMA.get(fault, "subtracting")]
    failing_bench(soma(**arguments), BENCH, arguments)


def plain(
    drive: list[int], threshold: int, width: int, leak_shift: int, to_zero: bool, refractory: int
) -> list[bool]:
    """Return the spikes of one neuron, in words rather than in arrays."""
    membrane, wait, spikes = 0, 0, []
    for value in drive:
        if wait:
            wait -= 1
            spikes.append(False)
            continue
        if leak_shift:
            membrane -= membrane // 2**leak_shift
        membrane = min(max(membrane + value, -(2 ** (width - 1))), 2 ** (width - 1) - 1)
        spikes.append(membrane >= threshold)
        if spikes[-1]:
            membrane = 0 if to_zero else membrane - threshold
            wait = refractory
    return spikes


@pytest.mark.parametrize("refractory", [0, 1, 5])
@pytest.mark.parametrize("reset", ["zero", "subtract"])
@pytest.mark.parametrize("leak_shift", [0, 1, 4])
def test_twin_is_plain_arithmetic(leak_shift: int, reset: lif.LifReset, refractory: int) -> None:
    parameters = LifParameters(
        membrane_width=10, leak_shift=leak_shift, reset=reset, refractory_steps=refractory
    )
    drive = np.random.default_rng(1).integers(-400, 512, (500, 3))
    drive.flags.writeable = False
    spikes, _ = parameters.simulate(drive, 300)
    assert (spikes.sum(axis=0) > 20).all()
    for post in range(3):
        expected = plain(drive[:, post].tolist(), 300, 10, leak_shift, reset == "zero", refractory)
        assert spikes[:, post].tolist() == expected


def test_twin_goes_on_where_it_stopped() -> None:
    parameters = LifParameters(leak_shift=4, refractory_steps=2)
    drive = np.random.default_rng(1).integers(-100, 200, (300, 5))
    whole, _ = parameters.simulate(drive, 400)
    first, state = parameters.simulate(drive[:101], 400)
    rest, _ = parameters.simulate(drive[101:], 400, state)
    assert whole.any()
    np.testing.assert_array_equal(np.concatenate([first, rest]), whole)


@pytest.mark.parametrize(("reset", "refractory"), [("zero", 0), ("zero", 3), ("subtract", 0)])
def test_ideal_membrane_fires_as_the_digital_neuron(reset: lif.LifReset, refractory: int) -> None:
    step_time, threshold = 10e-6, 1024
    digital = LifParameters(membrane_width=12, reset=reset, refractory_steps=refractory)
    analog = SpikingNeuronParameters.ideal(
        clocked=reset == "zero",
        leak_conductance=0,
        refractory_time=refractory * step_time,
        reset_voltage=0.4,  # ground is two thresholds below, where a 12-bit membrane saturates
    )
    rng = np.random.default_rng(2)
    weights = rng.integers(-127, 128, (6, 20))
    counts = rng.integers(0, 3, (500, 20))
    drive = np.minimum(counts @ weights.T, threshold)  # a digital neuron fires once in a step
    bank = analog.bank(
        analog.draw(6, 20, rng), weights=weights, threshold=threshold, step_time=step_time, noise_seed=1
    )
    charge = analog.membrane_capacitance * analog.swing / threshold
    spikes = bank.run_currents(drive * charge / step_time).spikes
    expected, _ = digital.simulate(drive, threshold)
    assert expected.sum() > 200
    np.testing.assert_array_equal(spikes, expected)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"membrane_width": 1}, r"^membrane_width must be 2 to 32, got 1$"),
        ({"membrane_width": 8, "leak_shift": 8}, r"^leak_shift must be 0 to 7, got 8$"),
        ({"refractory_steps": -1}, r"^refractory_steps must be 0 to 65535, got -1$"),
        ({"reset": "half"}, r"^reset must be one of zero, subtract, got half$"),
    ],
)
def test_impossible_sizes_are_refused(sizes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LifParameters(**sizes)


@pytest.mark.parametrize(
    ("level", "threshold", "message"),
    [
        (0, 0, r"^threshold must be 1 to 127, got 0$"),
        (0, 128, r"^threshold must be 1 to 127, got 128$"),
        (128, 5, r"^drive must be -128 to 127, got 128 to 128$"),
    ],
)
def test_what_no_register_holds_is_refused(level: int, threshold: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LifParameters(membrane_width=8).simulate(np.array([[level]]), threshold)
