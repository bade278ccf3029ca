"""The calibration plan: what it leaves of errors that are known, and what the host does for it."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from analog_models.draw import MixedSignalNeuronDraw
from analog_models.neuron import MixedSignalNeuronParameters
from cosim.job import AnalogArrays
from neuromix.calibration import (
    REFERENCE_WEIGHT,
    find_trims,
    plan_calibration,
    read_trims,
    trim_words,
)
from neuromix.config import ChipConfig
from neuromix.mapping import MappedNetwork, map_network
from neuromix.network.quantize import QuantizedNetwork
from neuromix.reference import array_banks, draw_arrays
from rtl_gen.boundary.analog_array import AnalogArrayParameters
from rtl_gen.host.loader import AccessKind
from rtl_gen.host.registers import HostAddress

IDEAL = MixedSignalNeuronParameters.ideal()


@pytest.fixture
def mapped(
    make_network: Callable[..., QuantizedNetwork], make_chip: Callable[..., ChipConfig]
) -> MappedNetwork:
    return map_network(make_network(3, (9, 11, 7)), make_chip(axons=14, neurons=4))


def arrays_with(
    mapped: MappedNetwork, parameters: MixedSignalNeuronParameters, gain_error: np.ndarray, offset: np.ndarray
) -> AnalogArrays:
    """Return arrays whose cells are perfect and whose neurons have these errors, the same in every core."""
    draw = MixedSignalNeuronDraw(
        bit_error=np.zeros((mapped.n_neurons, mapped.n_axons, 7)), gain_error=gain_error, offset=offset
    )
    places = [core.position for core in mapped.cores]
    return AnalogArrays(
        parameters=parameters, draws=dict.fromkeys(places, draw), noise_seeds=dict.fromkeys(places, 5)
    )


@pytest.mark.parametrize("degeneration", [math.inf, 8.0, 1.5])
@pytest.mark.parametrize("offset_trim_step", [50e-6, 300e-6, 2e-3])
def test_a_chip_without_errors_gets_no_trims(
    mapped: MappedNetwork, degeneration: float, offset_trim_step: float
) -> None:
    parameters = replace(IDEAL, degeneration=degeneration, offset_trim_step=offset_trim_step)
    trims = find_trims(mapped, draw_arrays(mapped, parameters, 1), plan_calibration(mapped, parameters))
    for codes in trims.values():
        assert not codes[:, 1].any()
        assert (np.abs(codes[:, 0]) <= 1).all(), "half an LSB need not be a whole number of trim steps"


@pytest.mark.parametrize("degeneration", [math.inf, 8.0, 1.5])
def test_what_remains_without_noise_is_a_trim_step(mapped: MappedNetwork, degeneration: float) -> None:
    """Half a step from the search; for the offset as much again from rounding half an LSB to whole steps."""
    parameters = replace(IDEAL, degeneration=degeneration)
    gain_error, offset = np.array([-0.09, -0.03, 0.0004, 0.1]), np.array([5e-3, -4e-3, 20e-6, -1e-3])
    arrays = arrays_with(mapped, parameters, gain_error, offset)
    trims = find_trims(mapped, arrays, plan_calibration(mapped, parameters, repeats_log2=0))
    for place, bank in array_banks(mapped, arrays, trims).items():
        assert np.ptp(trims[place], axis=0).min() > 100, "the errors must need trims"
        remaining = np.abs(bank.offset) * parameters.lsb()
        assert (remaining <= 1.001 * parameters.offset_trim_step).all()
        # An offset of a step, 0.06 LSB, is 0.03 % of the level at which gains are compared.
        limit = 0.5 * parameters.gain_trim_step * 1.1 + parameters.offset_trim_step / 0.1
        assert (np.abs(bank.gain_error) <= limit).all()


def test_cells_leave_the_gain_error_that_their_mismatch_says(mapped: MappedNetwork) -> None:
    """Cells alone: the mean over n axons of cells of weight w has a deviation of sqrt(var_w / n) / w.

    The gain trim takes the row's error for one of the neuron, so the neuron keeps it with the other sign.
    16 neurons of 20 chips give the deviation within 5 / sqrt(2 * 320) = 20 %. The search adds a uniform error
    of a trim step, 0.03 % against 0.2 %.
    """
    parameters = replace(IDEAL, mismatch_factor=1.0, gain_sigma=0.0)
    plan = plan_calibration(mapped, parameters, repeats_log2=0)
    remaining = []
    for seed in range(20):
        arrays = draw_arrays(mapped, parameters, seed)
        banks = array_banks(mapped, arrays, find_trims(mapped, arrays, plan))
        remaining += [bank.gain_error for bank in banks.values()]
    variance = parameters.cell.weight_variance(parameters.sigma_units)[REFERENCE_WEIGHT]
    row = math.sqrt(variance / mapped.n_axons) / REFERENCE_WEIGHT
    search = parameters.gain_trim_step / math.sqrt(12)
    errors = np.concatenate(remaining)
    assert errors.size >= 320
    assert np.std(errors) == pytest.approx(math.hypot(row, search), rel=0.2)


def test_loading_of_the_node_is_taken_out_of_the_gain(mapped: MappedNetwork) -> None:
    """0.038/V of a mirror of 1 um, at 0.15 V: 0.6 % less current."""
    parameters = replace(IDEAL, conductance_factor=1.0)
    trims = find_trims(mapped, draw_arrays(mapped, parameters, 1), plan_calibration(mapped, parameters))
    loading = parameters.output_conductance * 190.5 * parameters.lsb()
    for codes in trims.values():
        np.testing.assert_allclose(codes[:, 1] * parameters.gain_trim_step, loading, atol=2**-10)


def test_threshold_is_where_the_pair_still_gives_way(mapped: MappedNetwork) -> None:
    assert plan_calibration(mapped, IDEAL).gain.threshold == 191
    narrow = replace(IDEAL, degeneration=1.0)
    plan = plan_calibration(mapped, narrow)
    assert plan.gain.threshold == round(0.75 * narrow.linear_range / narrow.lsb()) < 100


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"offset_trim_step": 0.0}, "offset_trim_step must be at least 3.05e-06 V, 1/256 LSB, got 0 V"),
        ({"offset_trim_step": 3e-6}, "offset_trim_step must be at least 3.05e-06 V, 1/256 LSB, got 3e-06 V"),
        ({"gain_trim_step": 0.0}, "gain_trim_step must be above 0, got 0"),
    ],
)
def test_designs_that_cannot_be_trimmed_are_refused(
    mapped: MappedNetwork, change: dict[str, float], message: str
) -> None:
    with pytest.raises(ValueError, match=f"^calibration: {message}$"):
        plan_calibration(mapped, replace(IDEAL, **change))


def test_host_loads_searches_twice_and_reads_every_trim(mapped: MappedNetwork) -> None:
    engine = AnalogArrayParameters(
        event_format=mapped.event_format,
        n_axons=mapped.n_axons,
        n_bias_axons=mapped.n_bias_axons,
        n_neurons=mapped.n_neurons,
        calibrated=True,
    )
    accesses = list(plan_calibration(mapped, IDEAL).accesses(mapped, mapped.chip(engine)))
    reads = [access for access in accesses if access.kind == AccessKind.READ]
    assert len(reads) == len(mapped.cores) * mapped.n_neurons
    assert {access.address for access in reads} == {HostAddress.TRIMS}
    kinds = [access.kind for access in accesses]
    assert kinds.count(AccessKind.WAIT) == 2
    first, second = (index for index, kind in enumerate(kinds) if kind == AccessKind.WAIT)
    for begin, end, weight in ((0, first, 0), (first, second, REFERENCE_WEIGHT)):
        words = {access.value for access in accesses[begin:end] if access.address == HostAddress.LOAD_DATA}
        assert int.from_bytes(bytes([weight] * 4), "little") in words


def test_trims_survive_the_way_over_the_registers(mapped: MappedNetwork) -> None:
    rng = np.random.default_rng(3)
    trims = {core.position: rng.integers(-128, 128, (mapped.n_neurons, 2)) for core in mapped.cores}
    words = trim_words(trims)
    found = read_trims(mapped, np.concatenate([words[core.position] for core in mapped.cores]))
    for place, codes in trims.items():
        assert (words[place] >= 0).all()
        np.testing.assert_array_equal(found[place], codes)
