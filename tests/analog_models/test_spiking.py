import dataclasses
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import ndtr

from analog_models.comparator import ramp_delay
from analog_models.corner import CORNERS
from analog_models.spiking import (
    SPIKING_ITEMS,
    SpikingNeuronBank,
    SpikingNeuronDraw,
    SpikingNeuronParameters,
    SpikingRun,
)

IDEAL = SpikingNeuronParameters.ideal()
DEFAULT = SpikingNeuronParameters()
PLAIN: dict[str, Any] = {"leak_conductance": 0, "refractory_time": 0}  # integrate and fire, nothing else
PAGE = Path(__file__).parents[2] / "docs" / "spiking.md"
SETTINGS: dict[str, Any] = {"threshold": 1000, "step_time": 10e-6, "noise_seed": 5}


def make_bank(
    parameters: SpikingNeuronParameters, weights: np.ndarray, *, chip: int = 1, **settings: Any
) -> SpikingNeuronBank:
    draw = parameters.draw(*weights.shape, np.random.default_rng(chip))
    return parameters.bank(draw, weights=weights, **(SETTINGS | settings))


def driven(
    parameters: SpikingNeuronParameters, current: float, n_steps: int, n_neurons: int = 1, **settings: Any
) -> SpikingRun:
    """Return the run of neurons at a constant current [A]."""
    bank = make_bank(parameters, np.zeros((n_neurons, 1), dtype=int), **settings)
    return bank.run_currents(np.full((n_steps, n_neurons), current))


def random_array(n_steps: int = 300, n_axons: int = 40, n_neurons: int = 7) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(2)
    weights = rng.integers(-100, 128, (n_neurons, n_axons))
    return weights, rng.integers(0, 4, (n_steps, n_axons), dtype=np.uint8)


def seconds(expected: float, rel: float = 1e-6) -> Any:
    """Compare times; pytest's default absolute tolerance of 1e-12 is a whole picosecond."""
    return pytest.approx(expected, rel=rel, abs=0)


def spike_times(run: SpikingRun, current: float, parameters: SpikingNeuronParameters) -> np.ndarray:
    """Return when neurons without leak, refractory time and droop let go of reset, ``[spike, post]`` [s].

    What the membrane has gained since tells, if no step holds two spikes and reset leaves it at reset.
    """
    assert run.spikes.max() == 1
    slope = current / parameters.membrane_capacitance
    since = (run.membrane_voltage - parameters.reset_voltage) / slope
    ends = SETTINGS["step_time"] * np.arange(1, len(run.spikes) + 1)[:, np.newaxis]
    n_spikes = run.spikes.sum(axis=0).min()
    assert n_spikes > 10
    return np.array(
        [(ends - since)[run.spikes[:, post] == 1, post][:n_spikes] for post in range(run.spikes.shape[1])]
    ).T


# The ideal limit


def integer_neurons(drive: np.ndarray, threshold: int, floor: int, *, to_zero: bool) -> np.ndarray:
    """Return spikes ``[step, post]`` of integrate-and-fire neurons in integers."""
    membrane = np.zeros(drive.shape[1], dtype=np.int64)
    spikes = np.zeros(drive.shape, dtype=np.int64)
    for step, row in enumerate(drive):
        membrane = np.maximum(membrane + row, floor)
        spikes[step] = np.maximum(membrane // threshold, 0)
        membrane -= spikes[step] * threshold
        if to_zero:
            membrane[spikes[step] > 0] = 0
    return np.minimum(spikes, 1) if to_zero else spikes


@pytest.mark.parametrize("clocked", [False, True])
@pytest.mark.parametrize("threshold", [70, 1000, 4000, 100_000])
def test_ideal_neuron_is_an_integer_neuron(threshold: int, clocked: bool) -> None:
    weights, counts = random_array()
    parameters = SpikingNeuronParameters.ideal(clocked=clocked, **PLAIN)
    spikes = make_bank(parameters, weights, threshold=threshold).run(counts).spikes
    drive = counts.astype(np.int64) @ weights.T
    # the membrane rests at 0.2 V and swings by 0.4 V: ground is half a threshold below
    expected = integer_neurons(drive, threshold, -threshold // 2, to_zero=clocked)
    assert (expected.sum(axis=0) > 0).sum() > 5
    assert (drive < 0).any()
    np.testing.assert_array_equal(spikes, expected)


def test_ideal_neuron_fires_at_exactly_the_threshold() -> None:
    for clocked in (False, True):
        parameters = SpikingNeuronParameters.ideal(clocked=clocked, **PLAIN)
        bank = make_bank(parameters, np.array([[10], [9], [7]]), threshold=70)
        spikes = bank.run(np.ones((7 * 9 * 10, 1), dtype=int)).spikes
        assert np.flatnonzero(spikes[:, 0])[:3].tolist() == [6, 13, 20]
        assert np.flatnonzero(spikes[:, 2])[:3].tolist() == [9, 19, 29]
        if not clocked:  # to the last spike, and no excess is lost
            assert spikes.sum(axis=0).tolist() == [90, 81, 63]


def test_override_of_the_ideal_brings_back_one_flaw() -> None:
    noisy = SpikingNeuronParameters.ideal(reset_noise_factor=1)
    assert (noisy.sigma_unit, noisy.offset_sigma, noisy.injection, noisy.comparator_delay(1e4)) == (
        0,
        0,
        0,
        0,
    )
    assert noisy.reset_sigma == DEFAULT.reset_sigma


# Rate against current


@pytest.mark.parametrize("refractory_time", [0, 1e-6, 37.5e-6])
@pytest.mark.parametrize("conductance", [0, 1e-9, 20e-9])
def test_rate_follows_the_analytic_curve(conductance: float, refractory_time: float) -> None:
    parameters = SpikingNeuronParameters.ideal(leak_conductance=conductance, refractory_time=refractory_time)
    duration = 5e-3
    for current in np.geomspace(0.2e-9, 60e-9, 12):
        if conductance:
            tau, end = 100e-15 / conductance, current / conductance
            rise = tau * math.log(end / (end - 0.4)) if end > 0.4 else math.inf
        else:
            rise = 100e-15 * 0.4 / current
        period = rise + refractory_time
        assert parameters.rate(current) == pytest.approx(1 / period)
        spikes = driven(parameters, current, 500).spikes.sum()
        # the first rise is not preceded by a refractory time; a spike may fall on the last moment
        assert spikes == math.floor((duration + refractory_time) / period + 1e-9), current


def test_rate_is_zero_up_to_the_rheobase() -> None:
    assert DEFAULT.rate(DEFAULT.rheobase) == 0
    assert DEFAULT.rate(DEFAULT.rheobase * 1.001) > 0
    assert driven(DEFAULT, DEFAULT.rheobase * 0.9, 1000).spikes.sum() == 0


def test_flawed_neuron_keeps_its_analytic_rate_on_average() -> None:
    parameters = dataclasses.replace(DEFAULT, mismatch_factor=0, offset_factor=0)
    for current in (1e-9, 3e-9):
        run = driven(parameters, current, 1000, n_neurons=50)
        rates = run.spikes.sum(axis=0) / 10e-3
        # a count is off by less than one spike, 100 Hz; jitter of 0.4 mV in 400 adds up to less than that
        assert np.abs(rates - parameters.rate(current)).max() < 150
        assert len(np.unique(run.membrane_voltage[-1])) == 50, "there was no noise"


def test_refractory_time_bounds_the_rate() -> None:
    parameters = SpikingNeuronParameters.ideal(refractory_time=35e-6)  # three and a half steps
    spikes = driven(parameters, 1e-3, 700, threshold=10).spikes[:, 0]
    assert spikes.sum() == 200
    gaps = np.diff(np.flatnonzero(spikes))
    assert sorted(set(gaps.tolist())) == [3, 4]


def test_a_step_may_hold_many_spikes() -> None:
    parameters = SpikingNeuronParameters.ideal(refractory_time=1e-7)
    spikes = driven(parameters, 1e-6, 100).spikes
    assert spikes.min() > 50
    assert spikes.sum() == pytest.approx(1e-3 * parameters.rate(1e-6), abs=1)


def test_spikes_do_not_depend_on_how_time_is_cut() -> None:
    weights, _ = random_array(n_neurons=20)
    currents = np.random.default_rng(8).uniform(-0.5e-9, 4e-9, (300, 20))
    coarse = make_bank(DEFAULT, weights).run_currents(currents).spikes
    fine = make_bank(DEFAULT, weights, step_time=2.5e-6).run_currents(np.repeat(currents, 4, axis=0)).spikes
    assert coarse.sum() > 500
    np.testing.assert_array_equal(fine.reshape(300, 4, 20).sum(axis=1), coarse)


def brute_force(
    p: SpikingNeuronParameters, currents: np.ndarray, n_parts: int
) -> tuple[list[int], list[float]]:
    """Return spikes and membrane [V] after each step of 10 us, by adding up charges in small parts of it."""
    part = 10e-6 / n_parts
    membrane, output, held = p.reset_voltage - p.injection, -1.0, 0.0
    spikes, voltages, total = [], [], 0
    for current in currents:
        for _ in range(n_parts):
            if held > 0:
                held -= part
                continue
            leak = p.leak_conductance * (membrane - p.reset_voltage)
            membrane += (current - p.droop_current - leak) * part / p.membrane_capacitance
            membrane = min(max(membrane, 0.0), p.supply)
            if output < 0 and membrane >= p.threshold_voltage:
                output = 0.0  # the comparator's pair starts to charge its output
            if output >= 0:
                drive = p.comparator_transconductance * (membrane - p.threshold_voltage)
                output += min(drive, p.comparator_current) * part
                if output >= p.comparator_load * p.supply / 2:
                    total += 1
                    membrane, output, held = p.reset_voltage - p.injection, -1.0, p.refractory_time
        spikes.append(total)
        voltages.append(membrane)
    return spikes, voltages


@pytest.mark.parametrize("refractory_time", [1e-6, 23e-6])
def test_events_in_closed_form_are_those_of_brute_force(refractory_time: float) -> None:
    parameters = dataclasses.replace(
        DEFAULT,
        mismatch_factor=0,
        offset_factor=0,
        reset_noise_factor=0,
        comparator_noise=0,
        refractory_time=refractory_time,
    )
    currents = np.random.default_rng(3).uniform(-2e-9, 12e-9, 60)
    run = make_bank(parameters, np.zeros((1, 1), int)).run_currents(currents[:, np.newaxis])
    spikes, voltages = brute_force(parameters, currents, 2000)
    assert spikes[-1] > 15
    assert run.spikes[:, 0].cumsum().tolist() == spikes
    # brute force sees crossing and end of reset of each spike late by up to a part, at up to 12 nA / 100 fF
    late = 2 * spikes[-1] * 10e-6 / 2000
    assert np.abs(run.membrane_voltage[:, 0] - voltages).max() < late * 12e-9 / 100e-15
    assert run.membrane_voltage.max() > 0.55


# The flaws, one by one


def test_reset_leaves_the_noise_of_its_capacitor() -> None:
    parameters = SpikingNeuronParameters.ideal(
        reset_noise_factor=1, membrane_capacitance=41e-15, temperature=300, refractory_time=15e-6
    )
    run = driven(parameters, 1e-6, 50, n_neurons=200)
    held = run.membrane_voltage[run.spikes > 0]  # a spike's refractory time outlasts its step
    assert len(held) >= 5000
    expected = math.sqrt(1.380649e-23 * 300 / 41e-15)
    assert expected == pytest.approx(0.316e-3, rel=0.01)
    # standard errors: deviation sigma / sqrt(2 n), mean sigma / sqrt(n); five of them allowed
    assert abs(held.std() - expected) < 5 * expected / math.sqrt(2 * len(held))
    assert abs(held.mean() - 0.2) < 5 * expected / math.sqrt(len(held))


def test_each_reset_is_new_noise() -> None:
    parameters = SpikingNeuronParameters.ideal(reset_noise_factor=1, refractory_time=15e-6)
    run = driven(parameters, 1e-6, 200, n_neurons=10)
    held = run.membrane_voltage[run.spikes > 0]
    assert len(np.unique(held)) == len(held)


def test_charge_injection_lengthens_the_period_by_its_rise() -> None:
    slope = 2e-9 / 100e-15
    flawed = SpikingNeuronParameters.ideal(injection_factor=1, **PLAIN)
    assert 1 / flawed.rate(2e-9) == seconds((0.4 + 0.868e-3) / slope)
    spikes = driven(flawed, 2e-9, 10_000).spikes.sum()
    assert spikes == math.floor(0.1 / ((0.4 + flawed.injection) / slope))
    assert spikes < 4_990  # 5,000 without


def test_comparator_delay_adds_to_the_period() -> None:
    loaded = SpikingNeuronParameters.ideal(comparator_load=2e-15, leak_conductance=0)
    delay = ramp_delay(
        2e4,
        transconductance=loaded.comparator_transconductance,
        tail_current=20e-9,
        output_charge=1e-15,
    )
    assert 0.5e-6 < delay < 1e-6
    period = 0.4 / 2e4 + delay + 1e-6
    assert 1 / loaded.rate(2e-9) == seconds(period)
    assert driven(loaded, 2e-9, 10_000).spikes.sum() == math.floor((0.1 + 1e-6) / period)


def test_delay_may_span_steps() -> None:
    slow = SpikingNeuronParameters.ideal(comparator_load=1e-12, leak_conductance=0)
    assert slow.comparator_delay(2e4) > 25e-6
    run = driven(slow, 2e-9, 10_000)
    assert run.spikes.sum() == math.floor((0.1 + 1e-6) * slow.rate(2e-9))
    assert run.membrane_voltage.max() == 1.0, "meanwhile the membrane rises, up to the supply"


def test_membrane_goes_on_rising_while_the_comparator_is_slow() -> None:
    slow = SpikingNeuronParameters.ideal(comparator_load=2e-13, leak_conductance=0)
    run = driven(slow, 1e-9, 6)
    assert 7e-6 < slow.comparator_delay(1e4) < 10e-6
    np.testing.assert_allclose(run.membrane_voltage[:4, 0], [0.3, 0.4, 0.5, 0.6], rtol=1e-6)
    late = driven(slow, 1.05e-9, 6)
    assert late.membrane_voltage[3, 0] == pytest.approx(0.62), "0.02 V after the threshold"


def test_offset_of_the_draw_shifts_the_threshold() -> None:
    parameters = SpikingNeuronParameters.ideal(offset_factor=10, leak_conductance=0)
    draw = parameters.draw(10, 1, np.random.default_rng(1))
    bank = parameters.bank(draw, weights=np.zeros((10, 1), int), **SETTINGS)
    spikes = bank.run_currents(np.full((4000, 10), 2e-9)).spikes.sum(axis=0)
    expected = np.floor((0.04 + 1e-6) / ((0.4 + draw.offset) / 2e4 + 1e-6))
    assert np.ptp(expected) > 100
    np.testing.assert_array_equal(spikes, expected)


def test_comparator_noise_becomes_jitter() -> None:
    parameters = SpikingNeuronParameters.ideal(comparator_noise=2e-3, **PLAIN)
    run = driven(parameters, 1.7e-9, 400, n_neurons=60)
    intervals = np.diff(spike_times(run, 1.7e-9, parameters), axis=0)
    expected = 2e-3 / 1.7e4  # sigma over slope
    assert intervals.size > 5000
    # standard errors: deviation sigma / sqrt(2 n), mean sigma / sqrt(n); five of them allowed
    assert abs(intervals.std() - expected) < 5 * expected / math.sqrt(2 * intervals.size)
    assert abs(intervals.mean() - 0.4 / 1.7e4) < 5 * expected / math.sqrt(intervals.size)


@pytest.mark.parametrize("overdrive", [-1.5, -0.5, 0.0, 1.0])
def test_clocked_comparator_decides_with_the_odds_of_its_noise(overdrive: float) -> None:
    parameters = SpikingNeuronParameters.ideal(clocked=True, comparator_noise=2e-3, **PLAIN)
    level = 0.4 + overdrive * 2e-3
    currents = np.tile([[level * 100e-15 / 10e-6], [-1e-6]], (200, 20))  # up to the level, down to ground
    currents[1::2] = -(0.4 + 10e-3) * 100e-15 / 10e-6
    draw = dataclasses.replace(parameters, reset_voltage=0.0, threshold_voltage=0.4)
    spikes = make_bank(draw, np.zeros((20, 1), int)).run_currents(currents).spikes
    odds = float(ndtr(overdrive))
    trials = spikes[0::2].size
    assert not spikes[1::2].any()
    assert abs(spikes[0::2].mean() - odds) < 5 * math.sqrt(odds * (1 - odds) / trials)


def test_slow_latch_holds_the_next_step_up() -> None:
    slow = SpikingNeuronParameters.ideal(clocked=True, comparator_load=0.8e-12, **PLAIN)
    run = driven(slow, 4.4e-9, 2)  # 0.44 V in a step, 0.04 V more than the threshold
    delay = slow.latch_delay(0.04)
    assert 5e-6 < delay < 10e-6
    assert run.spikes[:, 0].tolist() == [0, 1]
    assert run.membrane_voltage[1, 0] == pytest.approx(0.2 + 4.4e4 * (10e-6 - delay))


def test_leak_ends_at_reset_and_droop_below_it() -> None:
    for parameters, rest in ((IDEAL, 0.2), (SpikingNeuronParameters.ideal(droop_factor=1), 0.18)):
        bank = make_bank(parameters, np.zeros((1, 1), int))
        charged = bank.run_currents(np.full((1, 1), 3e-9))
        assert charged.membrane_voltage[0, 0] > 0.45
        empty = bank.run_currents(np.zeros((300, 1)), charged.state)
        assert not empty.spikes.any()
        assert empty.membrane_voltage[-1, 0] == pytest.approx(rest, abs=1e-6)
        tau_later = empty.membrane_voltage[9, 0] - rest  # ten steps: one time constant
        assert tau_later == pytest.approx((charged.membrane_voltage[0, 0] - rest) / math.e, rel=1e-6)


def test_no_current_pulls_the_membrane_below_ground() -> None:
    bank = make_bank(DEFAULT, np.zeros((5, 1), int))
    run = bank.run_currents(np.full((10, 5), -1e-6))
    np.testing.assert_allclose(run.membrane_voltage, 0, atol=1e-7)


def test_long_silence_gives_no_spikes() -> None:
    weights, _ = random_array(n_neurons=50)
    run = make_bank(DEFAULT, weights).run(np.zeros((10_000, 40), dtype=np.uint8))
    assert not run.spikes.any()


def test_drawn_deviations_have_the_stated_spread() -> None:
    draw = DEFAULT.draw(4000, 2, np.random.default_rng(1))
    for sample, expected in (
        (draw.offset, DEFAULT.offset_sigma),
        (draw.capacitance_error, DEFAULT.capacitance_sigma),
        (draw.leak_error, DEFAULT.leak_sigma),
        (draw.bit_error[..., 0], DEFAULT.sigma_unit),
        (draw.bit_error[..., 6], DEFAULT.sigma_unit / 8),
    ):
        # standard errors: deviation sigma / sqrt(2 n), mean sigma / sqrt(n); five of them allowed
        assert abs(sample.std() - expected) < 5 * expected / math.sqrt(2 * sample.size)
        assert abs(sample.mean()) < 5 * expected / math.sqrt(sample.size)


def test_capacitance_and_leak_of_the_draw_set_slope_and_time_constant() -> None:
    draw = dataclasses.replace(
        IDEAL.draw(2, 1, np.random.default_rng(1)), capacitance_error=[0, 0.1], leak_error=[0, -0.5]
    )
    bank = IDEAL.bank(draw, weights=np.zeros((2, 1), int), **SETTINGS)
    level = bank.run_currents(np.full((1, 2), 2e-9)).membrane_voltage[0] - 0.2
    for post, (capacitance, conductance) in enumerate(((100e-15, 1e-9), (110e-15, 0.5e-9))):
        expected = 2e-9 / conductance * -math.expm1(-10e-6 * conductance / capacitance)
        assert level[post] == pytest.approx(expected, rel=1e-6)


def test_mismatched_drive_is_the_one_of_its_cells() -> None:
    weights, counts = random_array()
    draw = DEFAULT.draw(7, 40, np.random.default_rng(1))
    bits = np.abs(weights)[..., np.newaxis] >> np.arange(7) & 1
    effective = np.sign(weights) * (bits * 2.0 ** np.arange(7) * (1 + draw.bit_error)).sum(axis=2)
    drive = DEFAULT.bank(draw, weights=weights, **SETTINGS).run(counts).drive
    np.testing.assert_allclose(drive, counts @ effective.T, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("topology", ["full_binary", "segmented", "m2m"])
def test_every_structure_of_a_cell_gives_current(topology: str) -> None:
    weights, counts = random_array()
    ideal = SpikingNeuronParameters.ideal(topology=topology)
    np.testing.assert_array_equal(make_bank(ideal, weights).run(counts).drive, counts @ weights.T.astype(int))
    flawed = dataclasses.replace(DEFAULT, topology=topology)
    found = make_bank(flawed, np.full((200, 5), 127)).run(np.eye(5, dtype=np.uint8)).drive
    expected = math.sqrt(flawed.cell.weight_variance(flawed.sigma_units)[127])
    # the deviation of 1000 samples is good to 1 / sqrt(2000); five of them, and 3 % for a sigma_u of 9 %
    assert abs(found.std() - expected) < expected * (5 / math.sqrt(2 * found.size) + 0.03)


def test_cell_that_gives_charge_is_refused() -> None:
    with pytest.raises(ValueError, match=r"topology must be one of full_binary, segmented, m2m, got 'c2c'$"):
        SpikingNeuronParameters(topology="c2c")


def test_divider_takes_what_it_drains_too() -> None:
    counts = np.array([[3]])
    for topology, drawn in (("full_binary", 5), ("segmented", 16), ("m2m", 128)):
        bank = make_bank(SpikingNeuronParameters.ideal(topology=topology), np.array([[5]]))
        assert bank.energy(bank.run(counts), counts)["mdac_bias"] == joules(40e-18 * 3 * drawn)


def test_hot_switch_droops_more_and_every_corner_fires() -> None:
    hot = {name: corner.design(DEFAULT) for name, corner in CORNERS.items()}
    assert hot["tt"].droop_current == pytest.approx(20e-12, rel=1e-6, abs=0)
    assert hot["ff_hot"].droop_current > 10 * hot["tt"].droop_current
    assert hot["ff_hot"].reset_sigma > hot["tt"].reset_sigma
    for name, design in hot.items():
        assert driven(design, 3 * design.rheobase, 100).spikes.any(), name


def test_defaults_are_what_their_description_says() -> None:
    derived = DEFAULT.derived()
    assert derived["swing_v"] == pytest.approx(0.4)
    assert derived["leak_time_constant_s"] == seconds(100e-6)
    assert derived["reset_sigma_v"] == pytest.approx(0.2e-3, rel=0.02)
    assert derived["offset_sigma_v"] == pytest.approx(2e-3, rel=0.15)
    assert derived["rheobase_a"] == pytest.approx(0.42e-9, rel=1e-6, abs=0)
    assert DEFAULT.rate(1e-9) == pytest.approx(20e3, rel=0.1)
    assert DEFAULT.comparator_delay(1e4) == pytest.approx(0.9e-6, rel=0.02, abs=0)
    bent = math.tanh(0.4 / (range_ := DEFAULT.leak_current / 1e-9)) * range_ / 0.4
    assert bent == pytest.approx(0.97, abs=0.005)
    # mirrors of 1 um^2 in weak inversion have 9 % of spread, the pair another
    assert derived["sigma_unit"] == pytest.approx(0.09, rel=0.02)
    assert DEFAULT.droop_current == pytest.approx(20e-12, rel=1e-6, abs=0)  # 0.2 um at LP's 0.1 nA/um


def test_comparator_noise_is_its_shot_noise_over_its_delay() -> None:
    delay = DEFAULT.comparator_delay(1e4)
    # pair and mirror carry half the tail current each: S = 4 q I_tail, one-sided; charge after the delay
    charge = math.sqrt(4 * 1.602e-19 * DEFAULT.comparator_current * delay / 2)
    sigma = charge / (DEFAULT.comparator_transconductance * delay)  # over what a volt at the input moves
    assert sigma == pytest.approx(DEFAULT.comparator_noise, rel=0.05)


# The same bits in every batch


@pytest.mark.parametrize("clocked", [False, True])
def test_a_batch_equals_its_rows_bit_for_bit(clocked: bool) -> None:
    weights, counts = random_array(200)
    bank = make_bank(dataclasses.replace(DEFAULT, clocked=clocked), weights)
    batch = bank.run(counts)
    assert batch.spikes.sum() > 100
    state = bank.rest()
    for step in range(len(counts)):
        row = bank.run(counts[step : step + 1], state)
        state = row.state
        np.testing.assert_array_equal(row.spikes[0], batch.spikes[step])
        np.testing.assert_array_equal(row.membrane_voltage[0], batch.membrane_voltage[step])


def test_a_neuron_does_not_see_how_its_neighbours_fire() -> None:
    bank = make_bank(DEFAULT, np.zeros((9, 1), int))
    quiet, loud = (np.full((300, 9), current) for current in (0.0, 20e-9))
    for currents in (quiet, loud):
        currents[:, 4] = 1.3e-9
    one, other = (bank.run_currents(currents) for currents in (quiet, loud))
    assert one.spikes[:, 4].any()
    np.testing.assert_array_equal(one.spikes[:, 4], other.spikes[:, 4])
    np.testing.assert_array_equal(one.membrane_voltage[:, 4], other.membrane_voltage[:, 4])


def test_no_steps_give_no_spikes() -> None:
    weights, counts = random_array()
    run = make_bank(DEFAULT, weights).run(counts[:0])
    assert run.spikes.shape == (0, 7)
    assert run.state.n_steps == 0


def test_same_seed_gives_same_spikes_and_another_does_not() -> None:
    weights, counts = random_array()
    first, again, other = (make_bank(DEFAULT, weights, noise_seed=seed).run(counts) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first.membrane_voltage, again.membrane_voltage)
    assert (first.membrane_voltage != other.membrane_voltage).any()


def test_read_only_arguments_are_accepted_and_nothing_is_written() -> None:
    weights, counts = random_array(50)
    currents = np.full((50, 7), 2e-9)
    bank = make_bank(DEFAULT, weights)
    state = bank.run(counts[:20]).state
    arrays = [weights, counts, currents]
    arrays += [value for value in vars(state).values() if isinstance(value, np.ndarray)]
    before = [array.copy() for array in arrays]
    for array in arrays:
        array.flags.writeable = False
    run = make_bank(DEFAULT, weights).run(counts, state)
    bank.run_currents(currents, state)
    bank.energy(run, counts)
    assert run.spikes.any()
    for array, copy in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_draw_takes_as_much_randomness_whatever_the_parameters() -> None:
    after = []
    for parameters in (IDEAL, DEFAULT):
        rng = np.random.default_rng(1)
        parameters.draw(3, 4, rng)
        after.append(rng.random())
    assert after[0] == after[1]


def test_ideal_draw_has_no_deviations_and_no_draw_can_be_written() -> None:
    draw = IDEAL.draw(3, 4, np.random.default_rng(1))
    assert not any(getattr(draw, field.name).any() for field in dataclasses.fields(draw))
    with pytest.raises(ValueError, match="read-only"):
        draw.offset[0] = 0


# Energy


def joules(expected: Any, rel: float = 1e-9) -> Any:
    """Compare energies; pytest's default absolute tolerance of 1e-12 is a whole picojoule."""
    return pytest.approx(expected, rel=rel, abs=0)


def test_items_match_a_hand_computation() -> None:
    parameters = SpikingNeuronParameters.ideal(comparator_load=2e-15)
    bank = make_bank(parameters, np.array([[100], [-20]]))
    counts = np.array([[2], [0], [11]])
    run = bank.run(counts)
    assert run.spikes.sum(axis=0).tolist() == [1, 0]
    found = bank.energy(run, counts)
    charge = 100e-15 * 0.4 / 1000  # 40 aC per LSB
    gate_voltage = found["mdac_gate"] / (1.0 * 2 * 127 * 11.75e-15 * 13)
    assert 0.05 < gate_voltage < 0.42  # weak inversion: below the threshold voltage
    assert found == joules(
        {
            "mdac_gate": found["mdac_gate"],
            "mdac_bias": 1.0 * charge * 13 * (100 + 20),  # 62.4 fJ
            "membrane": 1.0 * charge * 13 * 100,  # 52 fJ: only what raises the membrane
            "leak": 1.0 * 1e-9 * (16 * 2 * 1.53 * 0.025852) * 2 * 30e-6,
            "comparator": 1.0 * 20e-9 * 2 * 30e-6,  # 1.2 pJ
            "spike": 2e-15 * 1.0**2,  # 2 fJ
            "reset": (0.2e-6 * 60e-9 * 11.75e-3 + 2 * 0.2e-6 * 0.3e-9) * 1.0**2,  # 0.26 fJ
        },
        rel=1e-5,
    )


def test_every_item_is_described() -> None:
    weights, counts = random_array(20)
    bank = make_bank(DEFAULT, weights)
    run = bank.run(counts)
    for energy in (bank.energy(run, counts), bank.energy(run)):
        assert energy.keys() == SPIKING_ITEMS.keys()
    assert all(item > 0 for item in bank.energy(run, counts).values())


def test_membrane_takes_its_charge_once_per_spike() -> None:
    bank = make_bank(SpikingNeuronParameters.ideal(**PLAIN), np.zeros((1, 1), int))
    run = bank.run_currents(np.full((4000, 1), 1e-9))
    assert run.spikes.sum() == 1000
    assert bank.energy(run)["membrane"] == joules(1000 * 100e-15 * 1.0 * 0.4)


def test_energy_of_a_batch_is_the_sum_of_its_steps() -> None:
    weights, counts = random_array(30)
    bank = make_bank(DEFAULT, weights)
    run = bank.run(counts)
    rows, state = [], bank.rest()
    for step in range(30):
        row = bank.run(counts[step : step + 1], state)
        state = row.state
        rows.append(bank.energy(row, counts[step : step + 1]))
    for item, total in bank.energy(run, counts).items():
        assert total == joules(sum(row[item] for row in rows)), item


def test_silent_neuron_takes_only_its_bias() -> None:
    weights, counts = random_array(30)
    bank = make_bank(DEFAULT, weights)
    found = bank.energy(bank.run(np.zeros_like(counts)), np.zeros_like(counts))
    assert {item for item, total in found.items() if total} == {"leak", "comparator"}


def test_clocked_comparator_takes_energy_per_decision() -> None:
    weights, counts = random_array(30)
    bank = make_bank(dataclasses.replace(DEFAULT, clocked=True), weights)
    assert bank.energy(bank.run(counts), counts)["comparator"] == joules(30 * 7 * 2e-15)


# Bad arguments


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"weights": np.full((7, 40), 128)}, r"weights must be -127 to 127, got 128 to 128"),
        ({"weights": np.ones((40, 7), int)}, r"weights must have shape \(7, 40\), got \(40, 7\)"),
        ({"threshold": 0}, r"threshold must be a whole number from 1 to 2147483647, got 0"),
        ({"threshold": 1.5}, r"threshold must be a whole number from 1 to 2147483647, got 1.5"),
        ({"step_time": 0}, r"step_time must be above 0 s and finite, got 0"),
        ({"step_time": math.nan}, r"step_time must be above 0 s and finite, got nan"),
        ({"noise_seed": -1}, r"noise_seed must be a whole number from 0 to \d+, got -1"),
    ],
)
def test_bank_refuses_what_the_array_cannot_hold(settings: dict[str, Any], message: str) -> None:
    weights, _ = random_array()
    draw = DEFAULT.draw(7, 40, np.random.default_rng(1))
    with pytest.raises(ValueError, match=f"^spiking bank: {message}$"):
        DEFAULT.bank(draw, **({"weights": weights} | SETTINGS | settings))


def test_array_whose_noise_fills_its_swing_is_refused() -> None:
    noisy = SpikingNeuronParameters.ideal(comparator_noise=50e-3)
    message = (
        r"^spiking bank: the swing must be larger than offset and 8.3 deviations of noise, "
        r"got 0.4 V, which is 0.015 V too little$"
    )
    with pytest.raises(ValueError, match=message):
        make_bank(noisy, np.zeros((1, 1), int))


def test_sums_too_large_to_be_exact_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"sum of weight magnitudes must be below 134744072 LSB, got 135890000 LSB$"
    ):
        make_bank(IDEAL, np.full((1, 1_070_000), 127))


def test_more_pulses_than_fit_a_step_are_refused() -> None:
    bank = make_bank(IDEAL, np.ones((1, 1), int), step_time=1e-6)
    assert bank.pulse_time == seconds(40e-9)
    bank.run(np.full((1, 1), 25))
    message = r"event_counts must be at most 25, so that pulses of 4e-08 s fit a step of 1e-06 s, got 26$"
    with pytest.raises(ValueError, match=message):
        bank.run(np.full((1, 1), 26))


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        (np.zeros((1, 39), np.uint8), r"event_counts must have shape \(1, 40\), got \(1, 39\)"),
        (np.zeros(40, np.uint8), r"event_counts must have shape \(40, 40\), got \(40,\)"),
        (np.full((1, 40), -1), r"event_counts must be 0 to 255, got -1 to -1"),
        (np.zeros((1, 40)), r"event_counts must be integers, got float64"),
    ],
)
def test_run_refuses_what_is_no_count(counts: np.ndarray, message: str) -> None:
    weights, _ = random_array()
    with pytest.raises(ValueError, match=f"^spiking bank: {message}$"):
        make_bank(DEFAULT, weights).run(counts)


@pytest.mark.parametrize("currents", [np.zeros((3, 6)), np.zeros(7), np.full((1, 7), np.nan)])
def test_run_refuses_what_is_no_current(currents: np.ndarray) -> None:
    weights, _ = random_array()
    with pytest.raises(
        ValueError, match=r"^spiking bank: currents must be finite, \[step, 7\], got shape \("
    ):
        make_bank(DEFAULT, weights).run_currents(currents)


def test_state_of_another_array_is_refused() -> None:
    state = driven(IDEAL, 1e-9, 3, n_neurons=2).state
    with pytest.raises(ValueError, match=r"^spiking bank: a state must have 1 neurons, got 2$"):
        make_bank(IDEAL, np.zeros((1, 1), int)).run_currents(np.zeros((1, 1)), state)


def test_energy_of_another_arrays_run_is_refused() -> None:
    run = driven(IDEAL, 1e-9, 3, n_neurons=2)
    with pytest.raises(ValueError, match=r"^spiking bank: a run must be \[step, 1\], got shape \(3, 2\)$"):
        make_bank(IDEAL, np.zeros((1, 1), int)).energy(run)


def test_threshold_outside_reset_and_supply_is_refused() -> None:
    for threshold in (0.2, 1.1):
        with pytest.raises(
            ValueError,
            match=rf"^spiking neuron: threshold_voltage must be above reset_voltage, 0.2 V, and at most the "
            rf"supply, 1 V, got {threshold} V$",
        ):
            SpikingNeuronParameters(threshold_voltage=threshold)
    with pytest.raises(ValueError, match=r"^spiking neuron: leak_conductance must be 0 to 0.001 S, got -1$"):
        SpikingNeuronParameters(leak_conductance=-1)


@pytest.mark.parametrize(("shape", "name"), [((0, 4), "n_neurons"), ((4, 0), "n_axons")])
def test_empty_arrays_are_refused(shape: tuple[int, int], name: str) -> None:
    with pytest.raises(ValueError, match=f"^spiking draw: {name} must be at least 1, got 0$"):
        DEFAULT.draw(*shape, np.random.default_rng(1))


def test_draw_of_the_wrong_shape_is_refused() -> None:
    arrays = {
        "bit_error": np.zeros((3, 4, 7)),
        "capacitance_error": np.zeros(3),
        "leak_error": np.zeros(3),
        "offset": np.zeros(3),
    }
    for changes, message in (
        ({"bit_error": np.zeros((3, 4, 8))}, r"bit_error must be \[post, pre, 7\], got shape \(3, 4, 8\)"),
        ({"leak_error": np.zeros(2)}, r"leak_error must have shape \(3,\), got \(2,\)"),
        ({"capacitance_error": np.full(3, -1)}, r"capacitance_error must be above -1, got -1"),
    ):
        with pytest.raises(ValueError, match=f"^spiking draw: {message}$"):
            SpikingNeuronDraw(**arrays | changes)


# The page in docs


def test_example_of_the_page_prints_what_the_page_says(capsys: pytest.CaptureFixture[str]) -> None:
    code, printed = re.findall(r"^```(?:python)?\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    exec(code, {})
    assert capsys.readouterr().out == printed


def test_page_lists_every_parameter_as_it_is_declared() -> None:
    text = PAGE.read_text()
    for field in dataclasses.fields(SpikingNeuronParameters):
        if "unit" in field.metadata:
            value = f"{field.default:g} {field.metadata['unit']}".rstrip()
            what, source = field.metadata["description"], field.metadata["source"]
            assert f"| `{field.name}` | {value} | {what} | {source} |" in text
