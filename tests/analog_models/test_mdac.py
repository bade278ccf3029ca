import numpy as np
import pytest

from analog_models.mdac import GRID_BITS, bit_sigma, effective_weights, sum_products

GRID = 2.0**GRID_BITS


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
    bit_error = bit_sigma(sigma_unit) * rng.standard_normal((n, 1, 7))
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
