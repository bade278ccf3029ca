"""One manufactured array of mixed-signal neurons: its deviations from the design."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .adc import BITS
from .array import ArrayDraw
from .mdac import MAGNITUDE_BITS

__all__ = ["MixedSignalNeuronDraw"]

_RAMP_STEPS = (1 << BITS) - 1
_DRAW_ARRAYS = ("bit_error", "gain_error", "offset", "leak", "adc_offset", "adc_bit_error", "adc_step_error")


def _none() -> NDArray[np.float64]:
    return np.zeros(0)


@dataclass(frozen=True, kw_only=True, eq=False)
class MixedSignalNeuronDraw(ArrayDraw):
    """What came out of the fab: one array's deviations from the design. The arrays are read-only copies.

    Parameters
    ----------
    bit_error :
        ``[post, pre, bit]``, relative error of each bit's current, 7 bits.
    gain_error :
        ``[post]``, relative error of each neuron's current-to-voltage gain.
    offset :
        ``[post]``, input offset of each activation pair [V].
    leak :
        ``[post]``, difference of the leakages of the two switches that hold a node, over their nominal one.
    adc_offset :
        ``[post]``, offset of each converter [V].
    adc_bit_error :
        ``[post, bit]``, relative errors of the bits of each neuron's SAR converter, 8 bits.
    adc_step_error :
        ``[step]``, relative errors of the steps of the array's staircase, 255 steps.

    What is left out is as designed.
    """

    _ARRAYS = _DRAW_ARRAYS
    _OF = "a mixed-signal array"

    bit_error: NDArray[np.float64]
    gain_error: NDArray[np.float64]
    offset: NDArray[np.float64]
    leak: NDArray[np.float64] = field(default_factory=_none)
    adc_offset: NDArray[np.float64] = field(default_factory=_none)
    adc_bit_error: NDArray[np.float64] = field(default_factory=_none)
    adc_step_error: NDArray[np.float64] = field(default_factory=_none)

    def __post_init__(self) -> None:
        shape = np.shape(self.bit_error)
        if len(shape) != 3 or shape[2] != MAGNITUDE_BITS:
            raise ValueError(
                f"mixed-signal draw: bit_error must be [post, pre, {MAGNITUDE_BITS}], got shape {shape}"
            )
        shapes: dict[str, tuple[int, ...]] = dict.fromkeys(_DRAW_ARRAYS, shape[:1])
        shapes |= {
            "bit_error": shape,
            "adc_bit_error": (shape[0], BITS),
            "adc_step_error": (_RAMP_STEPS,),
        }
        for name, expected in shapes.items():
            array = np.array(getattr(self, name), dtype=np.float64)
            if not array.size and name not in ("bit_error", "gain_error", "offset"):
                array = np.zeros(expected)
            if array.shape != expected:
                raise ValueError(f"mixed-signal draw: {name} must have shape {expected}, got {array.shape}")
            array.flags.writeable = False
            object.__setattr__(self, name, array)
