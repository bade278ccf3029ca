import numpy as np
import pytest

from analog_models.mismatch import current_sigma, draw_relative_error, pair_offset_sigma
from analog_models.process import GENERIC_65

WEAK_INVERSION = 25.28  # gm/I of the process's diode at 300 K [1/V]
N = 40_000
STANDARD_ERRORS = 5  # of a sample deviation sigma / sqrt(2 n), of a sample mean sigma / sqrt(n)


@pytest.mark.parametrize(("area", "sigma"), [(0.04e-12, 0.45), (1e-12, 0.089)])
def test_current_sigma_matches_the_hand_computed_figures(area: float, sigma: float) -> None:
    assert current_sigma(GENERIC_65, area, WEAK_INVERSION) == pytest.approx(sigma, rel=0.02)


def test_quadruple_area_halves_the_spread() -> None:
    small, large = (current_sigma(GENERIC_65, area, WEAK_INVERSION) for area in (1e-12, 4e-12))
    assert large == pytest.approx(small / 2)


def test_pair_offset_is_the_threshold_spread_in_weak_inversion() -> None:
    assert pair_offset_sigma(GENERIC_65, 1e-12, WEAK_INVERSION) == pytest.approx(3.5e-3, rel=0.01)


def test_small_errors_are_gaussian() -> None:
    error = draw_relative_error(0.1, (N,), np.random.default_rng(1))
    assert abs(error.std() - 0.1) < STANDARD_ERRORS * 0.1 / np.sqrt(2 * N)
    assert abs(error.mean()) < STANDARD_ERRORS * 0.1 / np.sqrt(N)


def test_large_errors_are_lognormal() -> None:
    error = draw_relative_error(0.45, (N,), np.random.default_rng(1))
    logarithm = np.log1p(error)
    assert error.min() > -1
    assert abs(logarithm.std() - 0.45) < STANDARD_ERRORS * 0.45 / np.sqrt(2 * N)
    assert abs(logarithm.mean()) < STANDARD_ERRORS * 0.45 / np.sqrt(N)


def test_current_never_flows_backwards() -> None:
    class FarBelow(np.random.Generator):
        def standard_normal(self, *args: object, **kwargs: object) -> np.ndarray:  # type: ignore[override]
            return np.array([-6.0])

    assert draw_relative_error(0.2, (1,), FarBelow(np.random.PCG64(1))) == -1


def test_draws_share_deviates_when_sigma_changes() -> None:
    small, large = (draw_relative_error(sigma, (9,), np.random.default_rng(3)) for sigma in (0.05, 0.1))
    np.testing.assert_allclose(large, 2 * small)
