"""Many chips at once: exact where nothing is random, and as the golden model has it where something is."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from analog_models.mdac import TOPOLOGIES
from analog_models.mismatch import LOGNORMAL_SIGMA
from analog_models.neuron import MixedSignalNeuronParameters
from neuromix.config import find_experiment, load_experiment
from neuromix.experiment import Experiment, prepare
from neuromix.montecarlo import MonteCarlo, simulate_chips, simulate_chips_exactly
from neuromix.montecarlo.plan import Tiles, draw_layer, make_plan
from neuromix.montecarlo.simulate import _Inputs, _Noise
from neuromix.network.quantize import QuantizedNetwork
from neuromix.reference import simulate_mapped

MakeNetwork = Callable[..., QuantizedNetwork]
Neuron = MixedSignalNeuronParameters


def random_codes(n_inputs: int, n_images: int = 300) -> np.ndarray:
    rng = np.random.default_rng(8)
    codes = rng.integers(0, 256, (n_images, n_inputs)) * rng.integers(0, 2, (n_images, n_inputs))
    codes[:, 2] = 0
    codes.flags.writeable = False
    return codes.astype(np.uint8)


def agreeing(network: QuantizedNetwork, neuron: Neuron, codes: np.ndarray, chips: range) -> np.ndarray:
    """Return in how many images each chip gives the class of the integer network."""
    classes = network.classify(codes)
    assert len(np.unique(classes)) > 1, "the images are all alike: they prove little"
    return simulate_chips(network, neuron, codes, classes, chips=chips, seed=1)


@pytest.mark.parametrize("sizes", [(9, 7), (9, 11, 7), (9, 11, 8, 7)])
def test_chips_without_flaws_give_the_classes_of_the_integer_network(
    make_network: MakeNetwork, sizes: tuple[int, ...]
) -> None:
    codes = random_codes(9)
    counts = agreeing(make_network(3, sizes), Neuron.ideal(), codes, range(3))
    assert counts.tolist() == [300, 300, 300]


def test_half_a_code_without_flaws_goes_up_as_in_the_integer_network(make_network: MakeNetwork) -> None:
    network = make_network(3, (2, 2))
    halving = replace(
        network.projections[0], weight_codes=[[0, 0], [1, 0]], bias_codes=[0, 0], gain=1 << 15, shift=16
    )
    network = replace(network, projections=(halving,))
    codes = np.array([[1, 0]], np.uint8)
    assert network.forward(codes).tolist() == [[0, 1]]
    assert simulate_chips(network, Neuron.ideal(), codes, np.ones(1, int), chips=range(1), seed=1) == 1


def test_convolutions_without_flaws_give_the_classes_of_the_integer_network(
    convolutional: QuantizedNetwork, digits: Experiment
) -> None:
    assert agreeing(convolutional, Neuron.ideal(), digits.codes, range(1)).tolist() == [360]


@pytest.mark.parametrize("maps", [1, 5])
def test_tiles_multiply_as_each_window_by_itself(maps: int) -> None:
    rng = np.random.default_rng(6)
    rows = np.append(rng.standard_normal((40, 8)), np.ones((1, 8)), axis=0)
    windows = np.arange(0, 36, 3)[:, np.newaxis] + [4, 0, 1, 3]  # of 4 rows; each shares two with the next
    seen = np.append(windows, np.full((12, 1), 40), axis=1)
    weights = rng.standard_normal((12 * maps, 5))
    expected = np.einsum("wmr,wri->wmi", weights.reshape(12, maps, 5), rows[seen]).reshape(-1, 8)
    tiles = Tiles.choose(seen, maps)
    assert 1 <= len(tiles.rows) < 12, "each window is a tile: nothing is shared"
    found = tiles.spread(weights) @ rows[tiles.rows]
    np.testing.assert_allclose(found.reshape(-1, 8), expected, atol=1e-12)


@pytest.mark.parametrize("which", ["dense", "convolutional"])
def test_chips_made_alike_see_the_noise_of_chips_that_hardly_differ(
    digits: Experiment, convolutional: QuantizedNetwork, which: str
) -> None:
    """Their first layers are computed once. One level in 10^4 is so near a half that rounding decides."""
    network = digits.quantized if which == "dense" else convolutional
    noisy = Neuron.ideal(noise_factor=4, node_capacitance=1e-15)  # 4 mV, 5 LSB
    classes = network.classify(digits.codes)
    alike, hardly = (
        simulate_chips(network, neuron, digits.codes, classes, chips=range(21), seed=1)
        for neuron in (noisy, replace(noisy, mismatch_factor=1e-6))
    )
    assert len(set(alike)) > 3, "noise that does nothing proves nothing"
    assert np.abs(alike - hardly).max() <= 1


def test_inputs_that_few_images_light_or_only_later_ones_count_there(make_network: MakeNetwork) -> None:
    codes = np.tile(random_codes(9), (8, 1))
    codes[:, 3] *= np.arange(len(codes)) > 1050
    codes[:, 4] = np.where(np.arange(len(codes)) % 201 == 7, 255, 0)
    lit = np.count_nonzero(codes[:1000], axis=0)
    assert lit[3] == 0 < codes[1000:, 3].max(), "all blocks are lit alike"
    assert 0 < lit[4] <= 5 < lit[5], "no input is lit by few images"
    counts = agreeing(make_network(3, (9, 11, 7)), Neuron.ideal(), codes, range(1))
    assert counts.tolist() == [2400]


@pytest.mark.parametrize("neuron", [Neuron(), Neuron.ideal(noise_factor=1)], ids=["mirrors", "ideal mirrors"])
def test_inputs_lit_by_many_or_few_or_no_images_are_multiplied_alike(
    make_network: MakeNetwork, neuron: Neuron
) -> None:
    codes = random_codes(9, 1000).copy()
    codes[:, 4] = np.arange(1000) % 300 == 7
    codes[:, 5] *= np.arange(1000) == 40
    codes[40, 5] = 255
    lit = np.count_nonzero(codes, axis=0)
    assert (lit[2], lit[4], lit[5]) == (0, 4, 1), "inputs are not lit as they should be"
    assert lit[6] > 5, "no input is lit by many images"
    plan = make_plan(make_network(3, (9, 7)), neuron, codes, 1)
    weights = np.random.default_rng(4).standard_normal((10, 7), np.float32)
    brought = codes.T if plan.inputs is None else plan.inputs[codes.T]
    out = np.empty((7, 1000), np.float32)
    _Inputs(plan, codes).multiply(weights, out)
    np.testing.assert_allclose(out, weights.T @ np.vstack([brought, np.ones(1000)]), atol=1e-3)


def test_an_input_that_one_image_lights_changes_no_other_image(make_network: MakeNetwork) -> None:
    """Nearly none: sums of more terms may round differently, and one level in 10^4 is that near a half."""
    network, dark = make_network(3, (9, 11, 7)), random_codes(9)
    lit = dark.copy()
    lit[-1] = 255
    classes = network.classify(dark)
    classes[-1] = -1
    neuron = Neuron(flicker_factor=0, mismatch_factor=3)

    def count(codes: np.ndarray) -> np.ndarray:
        return simulate_chips(network, neuron, codes, classes, chips=range(20), seed=1)

    assert len(set(count(dark))) > 3, "chips that are all alike prove nothing"
    assert np.abs(count(lit) - count(dark)).max() <= 1


def test_float32_changes_no_class_beyond_rounding_ties(digits: Experiment) -> None:
    """Noise of 1e-5 LSB turns float32 on. One level in 10^4 is that near a half, and few of these decide."""
    counts = agreeing(digits.quantized, Neuron.ideal(noise_factor=1e-9), digits.codes, range(3))
    assert (counts >= 358).all(), counts


@pytest.mark.parametrize("which", ["dense", "convolutional"])
def test_chip_is_the_same_whatever_the_batch(
    digits: Experiment, convolutional: QuantizedNetwork, which: str
) -> None:
    network = digits.quantized if which == "dense" else convolutional
    neuron = Neuron(mismatch_factor=3)
    classes = network.classify(digits.codes)

    def count(chips: range) -> list[int]:
        counts = simulate_chips(network, neuron, digits.codes, classes, chips=chips, seed=1)
        return counts.tolist()

    every = count(range(24))
    assert len(set(every)) > 3, "chips that are all alike prove nothing"
    assert count(range(3, 8)) == every[3:8]
    assert count(range(22, 23)) == every[22:23]
    assert count(range(20, 24)) == every[20:24]
    assert count(range(0)) == []


def test_the_seed_decides(digits: Experiment) -> None:
    def count(seed: int) -> list[int]:
        return simulate_chips(
            digits.quantized,
            Neuron(mismatch_factor=3),
            digits.codes,
            digits.labels,
            chips=range(10),
            seed=seed,
        ).tolist()

    assert count(1) == count(1) != count(2)


CASES = {
    "as designed": Neuron(),
    "mismatch": Neuron.ideal(mismatch_factor=2),
    "lognormal mismatch": Neuron.ideal(mismatch_factor=5),
    "noise": Neuron.ideal(noise_factor=100),
    "offset": Neuron.ideal(offset_factor=8),
    "droop": Neuron.ideal(droop_factor=300),
    "converter": Neuron.ideal(adc_factor=5),
    "ladder": Neuron(topology="m2m"),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_fast_chips_are_as_accurate_and_as_different_as_those_of_the_golden_model(
    digits: Experiment, case: str
) -> None:
    """Five standard errors, sigma/sqrt(2n) for a deviation, and for that a quarter of an image more."""
    n_fast, n_exact = 400, 80
    neuron = CASES[case]
    fast = simulate_chips(digits.quantized, neuron, digits.codes, digits.labels, chips=range(n_fast), seed=1)
    exact = simulate_chips_exactly(digits.mapped, neuron, digits.codes, digits.labels, chips=range(n_exact))
    assert exact.std() > 0.3, "these chips are all alike: they prove little"
    error = np.hypot(fast.std() / np.sqrt(n_fast), exact.std() / np.sqrt(n_exact))
    assert abs(fast.mean() - exact.mean()) < 5 * error
    spread_error = exact.std() * np.sqrt(0.5 / n_fast + 0.5 / n_exact)
    assert abs(fast.std() - exact.std()) < 5 * spread_error + 0.25


def test_exact_chips_are_those_of_the_golden_model(digits: Experiment) -> None:
    neuron = Neuron(mismatch_factor=3)
    counts = simulate_chips_exactly(digits.mapped, neuron, digits.codes, digits.labels, chips=range(4, 6))
    path = find_experiment("quickstart")
    for seed, count in zip((4, 5), counts, strict=True):
        overrides = {"seed": seed, "back_ends.mixed_signal.neuron.mismatch_factor": 3}
        golden = prepare(load_experiment(path, overrides))
        run = simulate_mapped(golden.mapped, golden.codes, golden.back_ends["mixed_signal"].models)
        assert np.count_nonzero(run.predictions == golden.labels) == count


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_column_errors_have_the_variance_of_the_formula(digits: Experiment, topology: str) -> None:
    """Over 400 chips and 32 neurons: the tolerance of the mean variance is 5 sqrt(2/12,800) = 6 %."""
    neuron = Neuron.ideal(mismatch_factor=1, gain_sigma=0, topology=topology)
    plan = make_plan(digits.quantized, neuron, digits.codes, 3)
    layer, projection = plan.layers[0], digits.quantized.projections[0]
    inputs = np.append(digits.codes[5], 1).astype(np.float64)
    sums = np.array([draw_layer(plan, 0, chip).weights @ inputs for chip in range(400)])
    variance = neuron.cell.weight_variance(neuron.sigma_units)
    weights = variance[np.abs(projection.weight_codes.astype(int))]
    bias = variance[np.abs(layer.cells[:, layer.fan_in :]).astype(int)].sum(axis=1)
    squares = digits.codes[5].astype(float) ** 2
    expected = (weights @ squares + 255.0**2 * bias) * layer.scale**2
    assert bias.any(), "without biases their mismatch is not tested"
    assert np.mean(sums.var(axis=0, ddof=1) / expected) == pytest.approx(1, abs=5 * np.sqrt(2 / sums.size))


def test_large_mismatch_is_lognormal(digits: Experiment) -> None:
    """The mean of a bit of deviation s is exp(s^2/2), which no Gaussian of mean 1 has: 10 % at 0.44."""
    neuron = Neuron.ideal(mismatch_factor=5, gain_sigma=0)
    assert neuron.sigma_unit > 2 * LOGNORMAL_SIGMA
    plan = make_plan(digits.quantized, neuron, digits.codes, 3)
    layer = plan.layers[0]
    ones = np.abs(layer.cells[:, : layer.fan_in]) == 1
    drawn = np.concatenate(
        [np.abs(draw_layer(plan, 0, chip).weights[:, :-1][ones]) / layer.scale for chip in range(200)]
    )
    error = drawn.std() / np.sqrt(drawn.size)
    assert drawn.size > 1000
    assert drawn.mean() == pytest.approx(np.exp(neuron.sigma_unit**2 / 2), abs=5 * error)
    assert drawn.mean() - 1 > 5 * error, "as good as Gaussian"


def test_a_chip_reads_no_noise_twice(digits: Experiment) -> None:
    plan = make_plan(digits.quantized, Neuron(), digits.codes, 3)
    noise = _Noise(plan, 0)
    noise.draw(block=0)
    shape = (plan.layers[0].n_post, plan.n_images)
    first, second = noise.at((0, 0), shape)[0], noise.at((12345, 0), shape)[0]
    assert first is not None
    assert second is not None
    assert not np.array_equal(first, second)
    assert len(np.unique(first)) > 0.99 * first.size
    np.testing.assert_array_equal(np.sort(first, axis=None), np.sort(second, axis=None))
    assert first.std() == pytest.approx(plan.layers[0].noise * plan.node_lsb, rel=5 / np.sqrt(2 * first.size))


def test_compression_is_that_of_the_pair(digits: Experiment) -> None:
    plan = make_plan(digits.quantized, Neuron(), digits.codes, 3)
    assert plan.compression
    a, b, c = plan.compression
    level = np.linspace(-plan.margin, plan.top, 5000)
    pair = plan.linear_range * np.tanh(level / plan.linear_range)
    node = a * level
    np.testing.assert_allclose(node + b / (node + c / node), pair, atol=1e-4)
    assert abs(pair - level).max() > 5, "this pair is as good as linear"
    assert make_plan(digits.quantized, Neuron(degeneration=1), digits.codes, 3).compression is None


@pytest.mark.parametrize(
    ("parameter", "values"), [("noise_factor", (0, 10, 100)), ("mismatch_factor", (0, 3, 6, 10))]
)
def test_more_noise_or_mismatch_gives_no_better_yield(
    digits: Experiment, parameter: str, values: tuple[float, ...]
) -> None:
    yields, means = [], []
    for value in values:
        neuron = Neuron.ideal(**{parameter: value})
        counts = simulate_chips(
            digits.quantized, neuron, digits.codes, digits.labels, chips=range(200), seed=1
        )
        found = MonteCarlo(correct=counts, n_images=360)
        yields.append(found.yield_at(0.975)[0])
        means.append(found.mean)
    assert yields[0] == 1 > yields[-1]
    assert yields == sorted(yields, reverse=True)
    assert means[0] > means[-1]


@pytest.mark.parametrize(
    ("codes", "labels", "chips", "message"),
    [
        (
            np.zeros((4, 8), np.uint8),
            np.zeros(4, int),
            range(1),
            r"codes must be \[image, 9\], got \[4, 8\]$",
        ),
        (np.zeros((4, 9), np.uint8), np.zeros(3, int), range(1), r"labels must be \[4\], got \[3\]$"),
        (np.zeros((4, 9), np.uint8), np.zeros(4, int), range(-1, 1), r"numbered from 0, got -1$"),
        (np.full((4, 9), 16, np.uint8), np.zeros(4, int), range(1), r"codes must be 0 to 15, got 16$"),
    ],
)
def test_what_does_not_fit_the_network_is_refused(
    make_network: MakeNetwork, codes: np.ndarray, labels: np.ndarray, chips: range, message: str
) -> None:
    network = make_network(3, (9, 7), payload_bits=4)
    with pytest.raises(ValueError, match=f"^monte carlo: .*{message}"):
        simulate_chips(network, Neuron(), codes, labels, chips=chips, seed=1)


def test_result_says_mean_worst_and_yield() -> None:
    found = MonteCarlo(correct=np.array([90, 95, 100, 95]), n_images=100)
    assert (found.mean, found.worst) == (0.95, 0.9)
    assert found.deviation == pytest.approx(np.sqrt(50 / 3) / 100)
    share, low, high = found.yield_at(0.95)
    assert share == 0.75
    assert (low, high) == pytest.approx((0.3006, 0.9544), abs=1e-4)  # Wilson: (p + z^2/2n -+ ...)/(1 + z^2/n)
    with pytest.raises(ValueError, match=r"^monte carlo: chips must be at least 1, got 0$"):
        MonteCarlo(correct=np.zeros(0, np.int64), n_images=1)
