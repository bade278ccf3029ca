import numpy as np
import pytest

from analog_models.linearity import differential_nonlinearity, integral_nonlinearity
from analog_models.mdac import (
    GRID_BITS,
    TOPOLOGIES,
    WEIGHT_MAX,
    Topology,
    cell_levels,
    effective_weights,
    sum_products,
)
from analog_models.mismatch import draw_relative_error
from analog_models.process import GENERIC_65

GRID = 2.0**GRID_BITS


@pytest.fixture(params=TOPOLOGIES.values(), ids=TOPOLOGIES)
def cell(request: pytest.FixtureRequest) -> Topology:
    chosen: Topology = request.param
    return chosen


def test_ideal_cells_multiply_by_their_code() -> None:
    codes = np.arange(-127, 128)[:, np.newaxis]
    np.testing.assert_array_equal(effective_weights(codes, np.zeros((255, 1, 7))), codes * GRID)


@pytest.mark.parametrize("sign", [-1, 1])
def test_only_bits_that_are_on_bring_their_error(sign: int) -> None:
    bit_error = np.zeros((1, 1, 7))
    bit_error[0, 0, 2] = 0.5  # bit 2 weighs 4 and brings 2 too much
    codes = np.array([[0b1000100]]), np.array([[0b1000000]])
    with_bit, without_bit = (effective_weights(sign * code, bit_error)[0, 0] / GRID for code in codes)
    assert (with_bit, without_bit) == (sign * 70, sign * 64)


def test_full_code_spreads_as_the_root_of_its_units() -> None:
    n, sigma_unit = 20_000, 0.09
    rng = np.random.default_rng(1)
    bit_error = TOPOLOGIES["full_binary"].draw_bit_error(sigma_unit, (n, 1), rng)
    spread = (effective_weights(np.full((n, 1), 127), bit_error) / GRID).std()
    expected = sigma_unit * np.sqrt(127)
    assert abs(spread - expected) < 5 * expected / np.sqrt(2 * n)  # standard error of a sample deviation


def test_sums_are_exact_in_any_order() -> None:
    rng = np.random.default_rng(1)
    n_axons = 4096
    bit_error = 0.2 * rng.standard_normal((3, n_axons, 7))
    weights = effective_weights(rng.integers(-127, 128, (3, n_axons)), bit_error)
    inputs = rng.integers(0, 256, (3000, n_axons), dtype=np.uint8)
    order = rng.permutation(n_axons)
    sums = sum_products(inputs, weights)
    np.testing.assert_array_equal(sums, sum_products(inputs[:, order], weights[:, order]))
    exact = [[sum(int(x) * int(w) for x, w in zip(inputs[-1], row, strict=True)) for row in weights]]
    np.testing.assert_array_equal(sums[-1:], np.array(exact, dtype=np.float64))


# Structures of a cell


def test_cells_have_as_many_units_as_their_structure_says(cell: Topology) -> None:
    devices = {  # what each independent device is made of
        "full_binary": 1 + 2 + 4 + 8 + 16 + 32 + 64,
        "segmented": 7 + 1 + 16,
        "m2m": 1 + 7 * 2 + 6 * 1 + 2,
        "c2c": 7 * 1 + 6 * 2 + 1,
    }
    assert sum(cell.devices) == cell.n_units == devices[cell.name]


def test_ideal_cell_of_every_structure_is_linear(cell: Topology) -> None:
    bit_error = cell.draw_bit_error(0.0, (3,), np.random.default_rng(1))
    np.testing.assert_array_equal(bit_error, np.zeros((3, 7)))
    assert not differential_nonlinearity(cell_levels(bit_error)).any()
    assert not integral_nonlinearity(cell_levels(bit_error)).any()


def test_full_binary_draws_one_deviate_per_bit_as_it_always_did() -> None:
    found = TOPOLOGIES["full_binary"].draw_bit_error(0.09, (3, 4), np.random.default_rng(1))
    sigma = 0.09 / np.sqrt(2.0 ** np.arange(7))
    expected = draw_relative_error(sigma, (3, 4, 7), np.random.default_rng(1))
    np.testing.assert_array_equal(found, expected)


def test_draw_takes_as_much_randomness_whatever_the_deviation(cell: Topology) -> None:
    quiet, loud = np.random.default_rng(1), np.random.default_rng(1)
    cell.draw_bit_error(0.0, (5, 2), quiet)
    cell.draw_bit_error(0.4, (5, 2), loud)
    assert quiet.random() == loud.random()


def test_variance_of_a_full_binary_weight_is_its_magnitude() -> None:
    np.testing.assert_allclose(TOPOLOGIES["full_binary"].weight_variance(0.3), 0.09 * np.arange(128))


def test_variance_of_a_segmented_weight_matches_a_hand_computation() -> None:
    found = TOPOLOGIES["segmented"].weight_variance(1.0)
    high, low = np.divmod(np.arange(128), 16)
    # a mirror of 16 LSB per high unit; the feed scales all low bits; a divider of 16 shares what it gets
    np.testing.assert_allclose(found, 256 * high + low**2 + low - low**2 / 16)


def test_units_of_a_divider_carry_what_comes_into_it(cell: Topology) -> None:
    totals = np.array(cell.unit_lsbs) * cell.devices  # of parallel units
    match cell.name:
        case "full_binary":
            assert totals.tolist() == [1, 2, 4, 8, 16, 32, 64]
        case "segmented":
            divider, feed, high = totals[:5], totals[5], totals[6:]
            assert divider.sum() == feed == 16
            assert high.tolist() == [16, 32, 64]
        case "m2m":  # two units of a leg, and of the termination, are in series
            feed, legs, between, end = np.split(np.array(cell.unit_lsbs), [1, 8, 14])
            assert feed == legs.sum() + end
            assert [int(inner) for inner in between] == [
                int(legs[: bit + 1].sum() + end[0]) for bit in range(6)
            ]
        case "c2c":
            assert set(cell.unit_lsbs) == {1}


def test_larger_currents_match_better_by_their_gm_over_i() -> None:
    # n U_T = 1.53 * 25.85 mV: 25.3 /V in weak inversion, times 2 / (1 + sqrt(5)) at an IC of 1
    found = TOPOLOGIES["m2m"].gm_over_ids(GENERIC_65, 1 / 128, 300)
    weakest = 2 / (1 + np.sqrt(1 + 4 / 128))
    assert found[0] == pytest.approx(25.3 * 2 / (1 + np.sqrt(5)), rel=1e-3)
    assert found.max() == found[-1] == pytest.approx(25.3 * weakest, rel=1e-3)
    assert found.min() == found[0]


def test_each_device_has_its_own_deviation(cell: Topology) -> None:
    n = len(cell.devices)
    parts = [cell.weight_variance(0.1 * (np.arange(n) == device)) for device in range(n)]
    np.testing.assert_allclose(sum(parts), cell.weight_variance(0.1), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(cell.weight_variance(np.full(n, 0.1)), cell.weight_variance(0.1), rtol=1e-15)


def test_top_bit_of_a_ladder_matches_a_hand_computation() -> None:
    # The top node halves: its leg's share moves by a quarter of (leg - rest). A leg is two units in series,
    # 1/2; the rest is a unit (half of its resistance) and half of the next leg, and so on: sum 4^-k / ...
    found = TOPOLOGIES["m2m"].weight_variance(1.0)[64]
    leg = 1 / 2
    rest = leg  # of the termination
    for _ in range(6):
        rest = (1 + (leg + rest) / 4) / 4  # series of equals halves errors; so does parallel of equals
    assert found == pytest.approx(64**2 * (1 + (leg + rest) / 4))


@pytest.mark.parametrize("magnitude", [1, 8, 15, 16, 63, 64, 127])
def test_drawn_weights_have_the_variance_of_the_structure(cell: Topology, magnitude: int) -> None:
    n, sigma_unit = 20_000, 0.01
    bit_error = cell.draw_bit_error(sigma_unit, (n,), np.random.default_rng(magnitude))
    spread = cell_levels(bit_error)[:, magnitude].std()
    expected = np.sqrt(cell.weight_variance(sigma_unit)[magnitude])
    # five standard errors of a deviation; what is left out is of the order of sigma_unit, 1 %
    assert abs(spread - expected) < expected * (5 / np.sqrt(2 * n) + sigma_unit)


@pytest.mark.parametrize("name", ["m2m", "c2c"])
def test_what_enters_a_ladder_leaves_it(name: str) -> None:
    cell = TOPOLOGIES[name]
    error = draw_relative_error(0.1, (50, len(cell.devices)), np.random.default_rng(1))
    outputs = (1 + cell.bits(error)) * 2.0 ** (np.arange(7) - 7)  # shares of the input
    terminated = 1 - outputs.sum(axis=-1) / (1 + error[:, 0] if name == "m2m" else 1)
    # the end takes what no leg takes: its share is that of a further leg with the end's error
    feed, leg, between, end = np.split(
        np.insert(error, 0, 0, axis=1) if name == "c2c" else error, [1, 8, 14], 1
    )
    assert feed.shape[1] == end.shape[1] == 1
    assert between.shape[1] == 6
    expected = outputs[:, 0] / (1 + feed[:, 0]) * (1 + end[:, 0]) / (1 + leg[:, 0])
    np.testing.assert_allclose(terminated, expected, rtol=1e-9)


@pytest.mark.parametrize("name", ["segmented", "m2m"])
def test_a_cell_takes_at_least_what_it_gives(name: str) -> None:
    drawn = TOPOLOGIES[name].drawn
    assert (drawn >= np.arange(WEIGHT_MAX + 1)).all()
    assert drawn[0] == 0


def test_error_of_the_feed_is_in_every_low_bit() -> None:
    error = np.zeros(9)
    error[5] = 0.1
    np.testing.assert_allclose(TOPOLOGIES["segmented"].bits(error), [0.1] * 4 + [0] * 3, atol=1e-15)


def test_error_of_a_ladder_node_is_in_every_lower_bit() -> None:
    error = np.zeros(14)
    error[5] = 0.1  # leg of bit 5
    found = TOPOLOGIES["c2c"].bits(error)
    assert found[5] > 0.04
    assert found[4] < -0.03
    np.testing.assert_allclose(found[:5], found[4])
