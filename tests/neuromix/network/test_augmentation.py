"""Distortion of training images."""

import numpy as np
import pytest

from neuromix.network.augmentation import Augmentation, distort


def images(n: int = 3) -> np.ndarray:
    drawn = np.random.default_rng(0).random((n, 12, 10)).astype(np.float32)
    drawn.flags.writeable = False
    return drawn


def test_no_distortion_returns_the_images() -> None:
    distorted = distort(images(), Augmentation(), np.random.default_rng(1))
    assert distorted.dtype == np.float32
    np.testing.assert_allclose(distorted, images(), atol=1e-5)


def test_same_seed_distorts_the_same_and_another_differently() -> None:
    strength = Augmentation(rotation=0.2, scale=0.1, shear=0.1, shift=1, elastic=1)
    first, again, other = (distort(images(), strength, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.1
    assert first.min() >= 0
    assert first.max() <= 1


@pytest.mark.parametrize("name", ["rotation", "scale", "shear", "shift", "elastic"])
def test_every_kind_of_distortion_moves_pixels(name: str) -> None:
    distorted = distort(images(), Augmentation(**{name: 0.3}), np.random.default_rng(1))
    assert np.abs(distorted - images()).max() > 0.05


def test_shift_has_the_chosen_deviation() -> None:
    """5 standard errors of a sample deviation, sigma / sqrt(2 n) each; a wide ramp reads the shift out."""
    n, sigma = 2000, 0.7
    ramp = np.broadcast_to(np.arange(21, dtype=np.float32), (n, 21, 21))
    middle = distort(ramp, Augmentation(shift=sigma), np.random.default_rng(3))[:, 10, 10] - 10
    assert abs(middle.std() - sigma) < 5 * sigma / np.sqrt(2 * n)


def test_elastic_field_has_the_chosen_deviation_everywhere() -> None:
    """5 standard errors of a sample deviation at each of two pixels: a corner side and the middle."""
    n, sigma = 2000, 0.6
    ramp = np.broadcast_to(np.arange(21, dtype=np.float32), (n, 21, 21))
    distorted = distort(ramp, Augmentation(elastic=sigma), np.random.default_rng(3))
    for column in (6, 10):
        assert abs(distorted[:, 10, column].std() - sigma) < 5 * sigma / np.sqrt(2 * n)


@pytest.mark.parametrize("name", ["rotation", "scale", "shear", "shift", "elastic"])
def test_strength_must_not_be_negative(name: str) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be at least 0, got -1$"):
        Augmentation(**{name: -1})


def test_pitch_must_be_positive() -> None:
    with pytest.raises(ValueError, match=r"^elastic_pitch must be more than 0, got 0$"):
        Augmentation(elastic_pitch=0)
