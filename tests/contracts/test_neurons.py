"""What every neuron must do, whatever it is made of.

A new neuron is one more entry of NEURONS, which answer a step with a code, or of SPIKING_NEURONS, which keep
a membrane from step to step and answer with spikes.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from analog_models.neuron import MixedSignalNeuronParameters
from analog_models.spiking import SpikingNeuronParameters
from neuromix.config import ChipConfig, CoreConfig, MeshConfig
from neuromix.mapping import MappedNetwork, map_network
from neuromix.network.network import Population
from neuromix.network.quantize import QuantizedNetwork, QuantizedProjection
from neuromix.reference import array_banks, array_models, digital_models, draw_arrays
from rtl_gen.boundary.analog_array import AnalogArrayParameters
from rtl_gen.formats import EventFormat
from rtl_gen.neuron.engine import EngineParameters
from rtl_gen.neuron.event_engine import EventEngineParameters
from rtl_gen.neuron.lif import LifParameters
from rtl_gen.neuron.parallel_engine import ParallelEngineParameters
from rtl_gen.neuron.parallel_mac import ParallelMacParameters
from rtl_gen.neuron.serial_mac import SerialMacParameters

GAIN, SHIFT, CODE_MAX = 200, 19, 255
N_NEURONS, N_INPUTS = 8, 64

Evaluate = Callable[..., np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Neuron:
    """``evaluate(weights[post, pre], inputs[step, pre], seed, first_step) -> codes[step, post]``."""

    evaluate: Evaluate
    rest_max: float = 0
    """Largest code that offset and noise explain without drive [LSB]."""
    error_max: float = 0
    """Largest mean distance from the integer rule [LSB]."""
    random: bool = False
    """Whether the seed matters."""


def integer_rule(weights: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    acc = inputs.astype(np.int64) @ weights.T.astype(np.int64)
    return np.clip((acc * GAIN + (1 << SHIFT - 1)) >> SHIFT, 0, CODE_MAX)


def mac(parameters: ParallelMacParameters | SerialMacParameters) -> Neuron:
    return Neuron(
        evaluate=lambda weights, inputs, seed=0, first_step=0: parameters.simulate(
            weights, inputs, GAIN, SHIFT
        )
    )


def engine(kind: type[EngineParameters], **options: int) -> Neuron:
    event_format = EventFormat(x_width=1, y_width=2, axon_width=6, payload_width=8)
    sizes = {"n_axons": N_INPUTS, "n_bias_axons": 0, "n_neurons": N_NEURONS}
    parameters = kind(event_format=event_format, **sizes, **options)
    return Neuron(
        evaluate=lambda weights, inputs, seed=0, first_step=0: parameters.simulate(
            inputs, weights, GAIN, SHIFT
        )
    )


def mapped_layer(weights: np.ndarray) -> MappedNetwork:
    """Return a network of one layer on one core."""
    n_neurons, n_inputs = weights.shape
    layer = QuantizedProjection(
        source="input",
        target="output",
        weight_codes=weights.astype(np.int8),
        bias_codes=np.zeros(n_neurons, dtype=np.int32),
        gain=GAIN,
        shift=SHIFT,
        scale=1.0,
        n_saturated=0,
        max_error=0.0,
    )
    network = QuantizedNetwork(
        name="layer",
        populations=(Population("input", n_inputs), Population("output", n_neurons)),
        projections=(layer,),
        weight_max=127,
        activation_max=CODE_MAX,
    )
    core = CoreConfig(axons=n_inputs, neurons=n_neurons, fan_out=1)
    return map_network(network, ChipConfig(mesh=MeshConfig(width=1, height=1), core=core))


def golden_digital() -> Neuron:
    def evaluate(weights: np.ndarray, inputs: np.ndarray, seed: int = 0, first_step: int = 0) -> np.ndarray:
        (model,) = digital_models(mapped_layer(weights)).values()
        return model(inputs, first_step)

    return Neuron(evaluate=evaluate)


def with_flaws_of(parameters: MixedSignalNeuronParameters, evaluate: Evaluate) -> Neuron:
    derived = parameters.derived(CODE_MAX)
    ladder_noise = np.sqrt(parameters.ladder_noise_variance(N_INPUTS)) * GAIN / 2**SHIFT
    rest_sigma = np.linalg.norm(
        [
            ladder_noise,
            *(derived[f"{name}_sigma_lsb"] for name in ("offset", "noise", "flicker")),
            *(derived[f"converter_{name}_sigma_lsb"] for name in ("offset", "noise")),
        ]
    )
    flawed = rest_sigma > 0
    return Neuron(
        evaluate=evaluate,
        rest_max=np.ceil(5 * rest_sigma),  # five deviations: one code in a million is larger
        error_max=0.02 * CODE_MAX if flawed else 0,
        random=derived["noise_sigma_lsb"] > 0,
    )


def golden_mixed_signal(parameters: MixedSignalNeuronParameters) -> Neuron:
    def evaluate(weights: np.ndarray, inputs: np.ndarray, seed: int = 0, first_step: int = 0) -> np.ndarray:
        mapped = mapped_layer(weights)
        banks = array_banks(mapped, draw_arrays(mapped, parameters, seed))
        (model,) = array_models(mapped, banks).values()
        return model(inputs, first_step)

    return with_flaws_of(parameters, evaluate)


def mixed_signal(parameters: MixedSignalNeuronParameters) -> Neuron:
    def evaluate(weights: np.ndarray, inputs: np.ndarray, seed: int = 0, first_step: int = 0) -> np.ndarray:
        draw = parameters.draw(*weights.shape, np.random.default_rng(1))
        bank = parameters.bank(
            draw, weights=weights, gain=GAIN, shift=SHIFT, code_max=CODE_MAX, noise_seed=seed
        )
        return bank.evaluate(inputs, first_step).codes

    return with_flaws_of(parameters, evaluate)


NEURONS = {
    "parallel-mac": mac(ParallelMacParameters(n_inputs=N_INPUTS)),
    "serial-mac": mac(SerialMacParameters(n_inputs=N_INPUTS, n_contexts=N_NEURONS)),
    "parallel-engine": engine(ParallelEngineParameters),
    "event-engine": engine(EventEngineParameters, lanes=2),
    "analog-array-engine": engine(AnalogArrayParameters),
    "golden-digital": golden_digital(),
    "golden-mixed-signal-ideal": golden_mixed_signal(MixedSignalNeuronParameters.ideal()),
    "golden-mixed-signal-default": golden_mixed_signal(MixedSignalNeuronParameters()),
    "mixed-signal-ideal": mixed_signal(MixedSignalNeuronParameters.ideal()),
    "mixed-signal-default": mixed_signal(MixedSignalNeuronParameters()),
    "mixed-signal-segmented": mixed_signal(MixedSignalNeuronParameters(topology="segmented")),
    "mixed-signal-m2m-ramp": mixed_signal(MixedSignalNeuronParameters(topology="m2m", adc_kind="ramp")),
    "mixed-signal-c2c": mixed_signal(MixedSignalNeuronParameters(topology="c2c")),
}


@pytest.fixture(params=list(NEURONS.values()), ids=list(NEURONS))
def neuron(request: pytest.FixtureRequest) -> Neuron:
    chosen: Neuron = request.param
    return chosen


def random_array(n_steps: int = 50) -> tuple[np.ndarray, np.ndarray]:
    """Return weights and inputs that no neuron may write to."""
    rng = np.random.default_rng(3)
    weights = rng.integers(-127, 128, (N_NEURONS, N_INPUTS))
    inputs = rng.integers(0, 256, (n_steps, N_INPUTS), dtype=np.uint8)
    for array in (weights, inputs):
        array.flags.writeable = False
    return weights, inputs


def test_silent_without_drive(neuron: Neuron) -> None:
    weights, _ = random_array()
    codes = neuron.evaluate(weights, np.zeros((100, N_INPUTS), dtype=np.uint8))
    assert codes.max() <= neuron.rest_max


def test_negative_drive_gives_no_code(neuron: Neuron) -> None:
    codes = neuron.evaluate(
        np.full((N_NEURONS, N_INPUTS), -127), np.full((100, N_INPUTS), 255, dtype=np.uint8)
    )
    assert not codes.any()


def test_code_grows_with_drive_until_it_saturates(neuron: Neuron) -> None:
    drive = np.repeat(np.arange(0, 256, 16, dtype=np.uint8), N_INPUTS).reshape(-1, N_INPUTS)
    mean = neuron.evaluate(np.full((N_NEURONS, N_INPUTS), 127), drive).mean(axis=1)
    rising = mean < CODE_MAX
    assert rising.sum() > 3, "the drive saturates the neuron at once, so it proves nothing"
    assert (np.diff(mean[rising]) > 0).all()
    assert (mean[~rising] == CODE_MAX).all()
    assert not rising[-1]


def test_codes_stay_in_their_range(neuron: Neuron) -> None:
    weights, inputs = random_array(500)
    weights = np.concatenate([np.full((1, N_INPUTS), 127), np.full((1, N_INPUTS), -127), weights[2:]])
    codes = neuron.evaluate(weights, inputs)
    assert (codes[:, 0] == CODE_MAX).all()
    assert (codes[:, 1] == 0).all()
    assert codes.min() == 0
    assert codes.max() == CODE_MAX
    assert np.issubdtype(codes.dtype, np.integer)


def test_same_seed_gives_same_codes(neuron: Neuron) -> None:
    weights, inputs = random_array()
    np.testing.assert_array_equal(
        neuron.evaluate(weights, inputs, seed=4), neuron.evaluate(weights, inputs, seed=4)
    )


def test_another_seed_matters_only_to_a_random_neuron(neuron: Neuron) -> None:
    weights, inputs = random_array()
    first, other = (neuron.evaluate(weights, inputs, seed=seed) for seed in (4, 5))
    assert (first != other).any() == neuron.random


def test_a_batch_equals_its_rows(neuron: Neuron) -> None:
    weights, inputs = random_array()
    batch = neuron.evaluate(weights, inputs)
    assert batch.any(), "the drive never fires a neuron, so it proves nothing"
    rows = [neuron.evaluate(weights, inputs[step : step + 1], first_step=step)[0] for step in range(50)]
    np.testing.assert_array_equal(batch, rows)


def test_close_to_the_integer_rule(neuron: Neuron) -> None:
    weights, inputs = random_array(500)
    error = neuron.evaluate(weights, inputs) - integer_rule(weights, inputs)
    assert np.abs(error).mean() <= neuron.error_max


# Spiking neurons

THRESHOLD = 2000

Run = Callable[..., np.ndarray]


@dataclass(frozen=True, kw_only=True)
class SpikingNeuron:
    """``run(weights[post, pre], counts[step, pre], seed, batch) -> spikes[step, post]``, from rest.

    ``batch`` is how many steps are taken at a time.
    """

    run: Run
    random: bool = False
    """Whether the seed matters."""


def spiking(parameters: SpikingNeuronParameters, *, random: bool) -> SpikingNeuron:
    def run(weights: np.ndarray, counts: np.ndarray, seed: int = 0, batch: int = 1000) -> np.ndarray:
        draw = parameters.draw(*weights.shape, np.random.default_rng(1))
        bank = parameters.bank(draw, weights=weights, threshold=THRESHOLD, step_time=20e-6, noise_seed=seed)
        state = bank.rest()
        spikes = []
        for start in range(0, len(counts), batch):
            part = bank.run(counts[start : start + batch], state)
            spikes.append(part.spikes)
            state = part.state
        return np.concatenate(spikes)

    return SpikingNeuron(run=run, random=random)


def digital_spiking(parameters: LifParameters) -> SpikingNeuron:
    def run(weights: np.ndarray, counts: np.ndarray, seed: int = 0, batch: int = 1000) -> np.ndarray:
        drive = counts.astype(np.int64) @ weights.T
        state = parameters.rest(len(weights))
        spikes = []
        for start in range(0, len(drive), batch):
            part, state = parameters.simulate(drive[start : start + batch], THRESHOLD, state)
            spikes.append(part)
        return np.concatenate(spikes)

    return SpikingNeuron(run=run)


SPIKING_NEURONS = {
    "spiking-ideal": spiking(SpikingNeuronParameters.ideal(), random=False),
    "spiking-ideal-clocked": spiking(SpikingNeuronParameters.ideal(clocked=True), random=False),
    "digital-spiking": digital_spiking(LifParameters(leak_shift=4, refractory_steps=1)),
    "digital-spiking-to-zero": digital_spiking(LifParameters(membrane_width=14, reset="zero")),
    "spiking-default": spiking(SpikingNeuronParameters(), random=True),
    "spiking-default-clocked": spiking(SpikingNeuronParameters(clocked=True), random=True),
}


@pytest.fixture(params=list(SPIKING_NEURONS.values()), ids=list(SPIKING_NEURONS))
def spiking_neuron(request: pytest.FixtureRequest) -> SpikingNeuron:
    chosen: SpikingNeuron = request.param
    return chosen


def random_spikes(n_steps: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Return weights and event counts that no neuron may write to; most neurons are driven to fire."""
    rng = np.random.default_rng(3)
    weights = rng.integers(-90, 128, (N_NEURONS, N_INPUTS))
    counts = (rng.random((n_steps, N_INPUTS)) < 0.5).astype(np.uint8)
    for array in (weights, counts):
        array.flags.writeable = False
    return weights, counts


def test_spiking_neuron_is_silent_without_drive(spiking_neuron: SpikingNeuron) -> None:
    weights, counts = random_spikes()
    assert not spiking_neuron.run(weights, np.zeros_like(counts)).any()


def test_spiking_neuron_is_silent_while_inhibited(spiking_neuron: SpikingNeuron) -> None:
    _, counts = random_spikes()
    assert not spiking_neuron.run(np.full((N_NEURONS, N_INPUTS), -127), counts).any()


def test_rate_grows_with_drive(spiking_neuron: SpikingNeuron) -> None:
    weights = np.full((N_NEURONS, N_INPUTS), 20)
    rates = []
    for active in range(0, N_INPUTS + 1, 16):
        counts = np.zeros((300, N_INPUTS), dtype=np.uint8)
        counts[:, :active] = 1
        rates.append(spiking_neuron.run(weights, counts).mean())
    assert rates[0] == 0
    assert rates[2] > 0, "hardly any drive fires the neuron, so it proves little"
    assert (np.diff(rates[1:]) > 0).all()


def test_same_seed_gives_same_spikes(spiking_neuron: SpikingNeuron) -> None:
    weights, counts = random_spikes()
    spikes = spiking_neuron.run(weights, counts, seed=4)
    assert spikes.any()
    np.testing.assert_array_equal(spikes, spiking_neuron.run(weights, counts, seed=4))


def test_another_seed_matters_only_to_a_random_spiking_neuron(spiking_neuron: SpikingNeuron) -> None:
    weights, counts = random_spikes(1500)
    first, other = (spiking_neuron.run(weights, counts, seed=seed) for seed in (4, 5))
    assert (first != other).any() == spiking_neuron.random


@pytest.mark.parametrize("batch", [1, 7])
def test_a_batch_of_spikes_equals_its_parts(spiking_neuron: SpikingNeuron, batch: int) -> None:
    weights, counts = random_spikes()
    whole = spiking_neuron.run(weights, counts)
    assert (whole.sum(axis=0) > 0).sum() > N_NEURONS / 2, "too few neurons fire, so it proves little"
    np.testing.assert_array_equal(spiking_neuron.run(weights, counts, batch=batch), whole)
