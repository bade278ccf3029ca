"""Small random distortions of images, so that a network learns more shapes than it is shown."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Augmentation", "distort"]


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """How strongly images are distorted; each figure is one standard deviation of a normal draw.

    A rotation, a logarithmic scale per axis, a shear and a shift make the affine part. The elastic part
    moves every pixel by a smooth random field (Simard, Steinkraus and Platt, ICDAR 2003), here random
    vectors on a coarse grid blurred to pixels.
    """

    rotation: float = 0.0
    """[rad]"""
    scale: float = 0.0
    shear: float = 0.0
    shift: float = 0.0
    """[pixel]"""
    elastic: float = 0.0
    """[pixel]"""
    elastic_pitch: float = 4.0
    """Distance of the grid points of the elastic field, and the radius of its blur [pixel]."""

    def __post_init__(self) -> None:
        for name in ("rotation", "scale", "shear", "shift", "elastic"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be at least 0, got {getattr(self, name)}")
        if self.elastic_pitch <= 0:
            raise ValueError(f"elastic_pitch must be more than 0, got {self.elastic_pitch}")


def distort(
    images: NDArray[np.float32], strength: Augmentation, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Return a distorted copy of each of ``images`` [n, height, width]; what lies outside an image is 0."""
    n, height, width = images.shape
    y, x = np.meshgrid(
        np.arange(height) - (height - 1) / 2, np.arange(width) - (width - 1) / 2, indexing="ij"
    )
    grid = np.stack([y, x]).reshape(2, -1).astype(np.float32)
    shift = rng.normal(0, strength.shift, (n, 2, 1)).astype(np.float32)
    source = _affine(n, strength, rng) @ grid + shift + _elastic(n, height, width, strength, rng)
    centre = np.array([(height - 1) / 2, (width - 1) / 2], np.float32)
    return _sample(images, source + centre[:, None]).reshape(images.shape)


def _affine(n: int, strength: Augmentation, rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw matrices [n, 2, 2] that map a (y, x) of the result to one of the source."""
    angle = rng.normal(0, strength.rotation, n)
    shear = rng.normal(0, strength.shear, n)
    scale_y, scale_x = np.exp(rng.normal(0, strength.scale, (2, n)))
    cos, sin = np.cos(angle), np.sin(angle)
    rotation = np.array([[cos, -sin], [sin, cos]]).transpose(2, 0, 1)
    stretch = np.array([[scale_y, np.zeros(n)], [shear, scale_x]]).transpose(2, 0, 1)
    return np.asarray(rotation @ stretch, np.float32)


def _elastic(
    n: int, height: int, width: int, strength: Augmentation, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Draw displacement fields [n, 2, height * width] with standard deviation ``strength.elastic``."""
    blur_y = _blur(height, strength.elastic_pitch)
    blur_x = _blur(width, strength.elastic_pitch)
    coarse = rng.standard_normal((n, 2, blur_y.shape[1], blur_x.shape[1]), dtype=np.float32)
    fine = (blur_y @ coarse @ blur_x.T).reshape(n, 2, -1)
    return np.asarray(strength.elastic * fine, np.float32)


def _blur(size: int, pitch: float) -> NDArray[np.float32]:
    """Return a Gaussian blur [pixel, grid point]; its rows have unit norm, so unit noise stays so."""
    points = np.arange(-2 * pitch, size + 2 * pitch, pitch)
    kernel = np.exp(-0.5 * ((np.arange(size)[:, None] - points) / pitch) ** 2)
    return np.asarray(kernel / np.linalg.norm(kernel, axis=1, keepdims=True), np.float32)


def _sample(images: NDArray[np.float32], at: NDArray[np.float32]) -> NDArray[np.float32]:
    """Interpolate ``images`` linearly at positions ``at`` [n, (y, x), point]; 0 outside."""
    n, height, width = images.shape
    padded = np.pad(images, ((0, 0), (1, 2), (1, 2)))
    y = np.clip(at[:, 0] + 1, 0, height + 1)
    x = np.clip(at[:, 1] + 1, 0, width + 1)
    down, row = np.modf(y)
    right, column = np.modf(x)
    stride = width + 3
    corner = np.arange(n)[:, None] * (height + 3) * stride + (row * stride + column).astype(np.int64)
    flat = padded.reshape(-1)
    top = flat[corner] * (1 - right) + flat[corner + 1] * right
    bottom = flat[corner + stride] * (1 - right) + flat[corner + stride + 1] * right
    sampled: NDArray[np.float32] = top * (1 - down) + bottom * down
    return sampled
