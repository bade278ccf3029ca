"""Small random networks, and chips that they fit, for the tests of this folder."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import pytest

from neuromix.config import ChipConfig, CoreConfig, MeshConfig
from neuromix.network.network import Population
from neuromix.network.quantize import QuantizedNetwork, QuantizedProjection, gain_and_shift


def random_network(
    seed: int, sizes: Sequence[int], *, weight_bits: int = 8, payload_bits: int = 8, bias_axons: int = 2
) -> QuantizedNetwork:
    """Return a network of random codes whose largest bias needs exactly ``bias_axons`` bias axons."""
    rng = np.random.default_rng(seed)
    weight_max = (1 << (weight_bits - 1)) - 1
    names = ["input", *(f"hidden{index + 1}" for index in range(len(sizes) - 2)), "output"]
    projections = []
    for (source, pre), (target, post) in pairwise(zip(names, sizes, strict=True)):
        bias_codes = rng.integers(-bias_axons * weight_max, bias_axons * weight_max, post, endpoint=True)
        if bias_axons and target == "output":
            bias_codes[-1] = -bias_axons * weight_max
        gain, shift = gain_and_shift(2 / (weight_max * (np.sqrt(pre) + bias_axons)))  # codes of all sizes
        projections.append(
            QuantizedProjection(
                source=source,
                target=target,
                weight_codes=rng.integers(-weight_max, weight_max, (post, pre), endpoint=True).astype(
                    np.int8
                ),
                bias_codes=bias_codes.astype(np.int32),
                gain=gain,
                shift=shift,
                scale=1.0,
                n_saturated=0,
                max_error=0.0,
            )
        )
    return QuantizedNetwork(
        name="random",
        populations=tuple(map(Population, names, sizes)),
        projections=tuple(projections),
        weight_max=weight_max,
        activation_max=(1 << max(1, payload_bits)) - 1,
    )


@pytest.fixture(scope="session")
def make_network() -> Callable[..., QuantizedNetwork]:
    return random_network


@pytest.fixture(scope="session")
def make_chip() -> Callable[..., ChipConfig]:
    """``make_chip(axons=, neurons=, fan_out=, mesh=(width, height), payload_bits=8)``."""

    def chip(
        *, axons: int, neurons: int, fan_out: int = 8, mesh: tuple[int, int] = (4, 4), payload_bits: int = 8
    ) -> ChipConfig:
        return ChipConfig(
            mesh=MeshConfig(width=mesh[0], height=mesh[1]),
            core=CoreConfig(axons=axons, neurons=neurons, fan_out=fan_out),
            payload_bits=payload_bits,
        )

    return chip
