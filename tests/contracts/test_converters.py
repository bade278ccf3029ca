"""What every converter promises: ideal elements are linear; monotonic if and only if no step goes down."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from numpy.typing import NDArray

from analog_models import adc
from analog_models.linearity import differential_nonlinearity, integral_nonlinearity
from analog_models.mdac import MAGNITUDE_BITS, TOPOLOGIES, Topology, effective_weights

N_CODES = 1 << MAGNITUDE_BITS


def dac_levels(bit_error: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the output of one MDAC cell for every magnitude code, in units of an ideal unit."""
    codes = np.arange(N_CODES)[np.newaxis]
    errors = np.broadcast_to(bit_error, (1, N_CODES, MAGNITUDE_BITS))
    levels = effective_weights(codes, errors)[0]
    return np.asarray(levels, dtype=np.float64) / levels[1]


def convert_as(kind: str, level: NDArray[np.float64], code_max: int) -> NDArray[np.int64]:
    """Convert with elements without errors."""
    column = level[:, np.newaxis]
    if kind == "sar":
        return adc.convert_sar(column, np.zeros((1, adc.BITS)), code_max)[:, 0]
    if kind == "ramp":
        return adc.convert_ramp(column, np.zeros(255), code_max)[:, 0]
    return adc.convert(level, code_max)


def adc_transitions(code_max: int, kind: str = "ideal") -> NDArray[np.float64]:
    """Return the inputs [LSB] at which the code of the ADC changes, found by a fine ramp."""
    ramp = np.arange(-1, code_max + 1, 1 / 64)
    codes = convert_as(kind, ramp, code_max)
    assert codes.min() == 0
    assert codes.max() == code_max
    return ramp[1:][np.diff(codes) > 0]


@pytest.mark.parametrize(
    "levels",
    [
        lambda: dac_levels(np.zeros(MAGNITUDE_BITS)),
        lambda: adc_transitions(255),
        *(partial(adc_transitions, 255, kind) for kind in adc.KINDS),
    ],
)
def test_ideal_converter_has_no_nonlinearity(levels: Callable[[], NDArray[np.float64]]) -> None:
    found = levels()
    assert np.abs(differential_nonlinearity(found)).max() == 0
    assert np.abs(integral_nonlinearity(found)).max() == 0


@pytest.mark.parametrize("cell", TOPOLOGIES.values(), ids=TOPOLOGIES)
def test_mdac_is_monotonic_if_and_only_if_every_dnl_is_above_minus_one(cell: Topology) -> None:
    rng = np.random.default_rng(3)
    monotonic = []
    for sigma in np.repeat([0.01, 0.05, 0.2], 30):
        levels = dac_levels(cell.draw_bit_error(float(sigma), (1, 1), rng))
        monotonic.append(bool(np.all(np.diff(levels) > 0)))
        assert monotonic[-1] == bool(np.all(differential_nonlinearity(levels) > -1))
    assert any(monotonic), "every draw was too bad, so nothing was shown of good ones"
    assert not all(monotonic), "every draw was good, so nothing was shown of bad ones"


def test_mdac_is_worst_at_its_major_code_when_the_top_bit_is_wrong() -> None:
    bit_error = np.zeros(MAGNITUDE_BITS)
    bit_error[-1] = 0.1
    worst = int(np.abs(differential_nonlinearity(dac_levels(bit_error))).argmax())
    assert worst == N_CODES // 2 - 1
