"""Multiplying DAC: a cell per synapse whose outputs meet on a wire, in one of four structures.

A cell multiplies its axon's input by the magnitude of its weight; a switch steers the result to the positive
or the negative wire, so a cell's error is the same for either sign. Input DACs are taken to be linear.

One cell of 7 magnitude bits, in unit devices (of which so many gates hang on the axon's line):

``full_binary``, 127 (127)
    Bit k switches ``2^k`` mirrors of one LSB each.
``segmented``, 24 (8)
    7 mirrors of 16 LSB, switched in groups of 1, 2 and 4, are the three high bits. One more such mirror feeds
    a divider of 16 units, of which 1, 2, 4 and 8 are the low bits and one is drained: the feed's error is
    common to the low bits. Decoding the high bits to a thermometer would improve the DNL between codes; the
    spread at each code stays as it is here.
``m2m``, 23 (1)
    One mirror of 128 LSB feeds a ladder of transistors, which divide currents as resistors do (Bult and
    Geelen, JSSC 1992): seven legs of two in series, six between them, two in the termination. Each node
    halves the current; its error is in every lower bit.
``c2c``, 20 (0)
    The same ladder of capacitors with a voltage at its input: legs of C, 2C between them, C at the end. It
    takes no static current, and its mismatch is that of capacitors.

With 8 magnitude bits the same structures have 511, 48 and 26 transistors: 255 mirrors and their diode of 256
units; 16 mirrors, their diode of 16 and a divider of 16; a feed and a ladder of 25. Here the diode is not in
the cell: a line has one for all its cells.

A unit's relative deviation is that of its own current at full-scale input: mirrors of 16 and 128 LSB, and the
upper legs of a ladder, run at a larger inversion coefficient than a unit of 1 LSB and match better.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .device import transconductance_efficiency
from .mismatch import current_sigma, draw_relative_error
from .process import Process

__all__ = [
    "GRID_BITS",
    "INPUT_GRID_BITS",
    "INPUT_LEVELS",
    "LOW_BITS",
    "MAGNITUDE_BITS",
    "TOPOLOGIES",
    "WEIGHT_MAX",
    "Topology",
    "cell_levels",
    "effective_inputs",
    "effective_weights",
    "sum_products",
]

LOW_BITS = 4
"""Bits of the segmented cell that its divider makes, from 2^LOW_BITS units."""

MAGNITUDE_BITS = 7
"""Bits of a weight's magnitude; the eighth bit is the sign."""

WEIGHT_MAX = (1 << MAGNITUDE_BITS) - 1
"""Largest magnitude of a weight code [LSB]."""

INPUT_LEVELS = 256
"""Input codes are 0 to ``INPUT_LEVELS - 1``."""

GRID_BITS = 18
"""Effective weights are whole multiples of ``2^-GRID_BITS`` LSB, far below any mismatch."""

INPUT_GRID_BITS = 6
"""Effective inputs are whole multiples of ``2^-INPUT_GRID_BITS`` LSB, far below half an LSB."""

_STEPS_PER_PRODUCT = 2048  # bounds the memory of the converted inputs; the sums do not depend on it

_MAGNITUDES = np.arange(WEIGHT_MAX + 1)
_BITS = _MAGNITUDES[:, np.newaxis] >> np.arange(MAGNITUDE_BITS) & 1  # [magnitude, bit]

Array = NDArray[Any]  # of floats, or of complex numbers to differentiate


@dataclass(frozen=True, kw_only=True, eq=False)
class Topology:
    """The structure of a cell: how the errors of its devices become errors of its bits.

    Parameters
    ----------
    n_units :
        Unit devices in a cell.
    gate_units :
        Unit gates that a cell hangs on its axon's line.
    gate_lsbs :
        Current of the mirror behind each of these gates [LSB].
    devices :
        ``[device]``, units that each independent device is made of: m units average their errors.
    unit_lsbs :
        ``[device]``, current of each of these units at full-scale input [LSB]; 1 for capacitors.
    bits :
        ``bits(error[..., device])``, relative error of each bit ``[..., bit]``.
    drawn :
        ``[magnitude]``, current that a cell takes from the supply at full input [LSB]: also what a divider
        drains.
    """

    name: str
    n_units: int
    gate_units: int
    gate_lsbs: int
    devices: tuple[int, ...]
    unit_lsbs: tuple[int, ...]
    bits: Callable[[Array], Array]
    drawn: NDArray[np.int64]

    @property
    def is_charge(self) -> bool:
        """Whether a cell is made of capacitors and gives charge, not current."""
        return self.gate_units == 0

    def gm_over_ids(self, process: Process, unit_ic: float, temperature: float) -> NDArray[np.float64]:
        """Return gm/I of a unit of each device [1/V], ``[device]``; 1 LSB is ``unit_ic``."""
        return np.array(
            [transconductance_efficiency(process, lsbs * unit_ic, temperature) for lsbs in self.unit_lsbs]
        )

    def current_sigmas(
        self, process: Process, area: float, unit_ic: float, temperature: float
    ) -> NDArray[np.float64]:
        """Return the relative deviation of the current of a unit of each device, ``[device]``.

        Each at its own current, and of ``area`` [m^2].
        """
        efficiencies = self.gm_over_ids(process, unit_ic, temperature)
        return np.array([current_sigma(process, area, efficiency) for efficiency in efficiencies])

    def draw_bit_error(
        self, sigma_units: ArrayLike, shape: tuple[int, ...], rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """Draw the relative error of each bit, ``[*shape, bit]``, from units of deviation ``sigma_units``.

        That is one number for all units, or ``[device]``. Advances ``rng`` by the same amount whatever it is.
        """
        sigma = np.asarray(sigma_units) / np.sqrt(self.devices)
        error = draw_relative_error(sigma, (*shape, len(self.devices)), rng)
        return np.maximum(self.bits(error), -1.0)

    def bit_slopes(self) -> NDArray[np.float64]:
        """Return how the relative error of each device moves that of each bit, to first order,
        ``[device, bit]``. The derivatives are complex steps, exact to rounding."""
        step = 1e-20
        slopes: NDArray[np.float64] = self.bits(1j * step * np.eye(len(self.devices))).imag / step
        return slopes

    def weight_variance(self, sigma_units: ArrayLike) -> NDArray[np.float64]:
        """Return the variance of the effective weight [LSB^2] for each magnitude, ``[magnitude]``.

        To first order in ``sigma_units``, one number for all units or ``[device]``.
        """
        weight_slopes = (
            _BITS * 2.0 ** np.arange(MAGNITUDE_BITS)
        ) @ self.bit_slopes().T  # [magnitude, device]
        variance: NDArray[np.float64] = weight_slopes**2 @ (np.square(sigma_units) / self.devices)
        return variance


def _independent_bits(error: Array) -> Array:
    return error


def _segmented_bits(error: Array) -> Array:
    """Devices: low bits of the divider, its drained unit, its feed, high bits."""
    divider, feed, high = np.split(1 + error, [LOW_BITS + 1, LOW_BITS + 2], axis=-1)
    shares = np.array([*(1 << np.arange(LOW_BITS)), 1]) / (1 << LOW_BITS)
    low = feed * divider[..., :LOW_BITS] / (divider @ shares)[..., np.newaxis]
    return np.concatenate([low, high], axis=-1) - 1


def _ladder_bits(error: Array) -> Array:
    """Devices: feed, legs from bit 0 up, what lies between legs from bit 0 up, termination.

    Conductances of a current ladder, or capacitances of a voltage ladder: the same divider by duality.
    """
    feed, leg, between, end = np.split(
        1 + error, [1, 1 + MAGNITUDE_BITS, 2 * MAGNITUDE_BITS], axis=-1
    )  # in units of a leg; what lies between weighs two
    beyond = end[..., 0]  # what a node sees towards the lower bits
    share, onward = [], []  # of a node's current: into its leg, to the lower bits
    for bit in range(MAGNITUDE_BITS):
        total = leg[..., bit] + beyond
        share.append(leg[..., bit] / total)
        onward.append(beyond / total)
        if bit + 1 < MAGNITUDE_BITS:
            series = 2 * between[..., bit]
            beyond = series * total / (series + total)
    arriving = feed[..., 0] * 2.0**MAGNITUDE_BITS
    found = []
    for bit in reversed(range(MAGNITUDE_BITS)):
        found.append(arriving * share[bit] / 2.0**bit)
        arriving = arriving * onward[bit]
    return np.stack(found[::-1], axis=-1) - 1


def _capacitor_bits(error: Array) -> Array:
    """Devices as in the transistors' ladder, but without a feed."""
    return _ladder_bits(np.concatenate([np.zeros_like(error[..., :1]), error], axis=-1))


_HIGH = _MAGNITUDES >> LOW_BITS << LOW_BITS
_FEEDS_DIVIDER = (_MAGNITUDES != _HIGH).astype(np.int64)

TOPOLOGIES = MappingProxyType(
    {
        topology.name: topology
        for topology in (
            Topology(
                name="full_binary",
                n_units=127,
                gate_units=127,
                gate_lsbs=1,
                devices=(1, 2, 4, 8, 16, 32, 64),
                unit_lsbs=(1,) * MAGNITUDE_BITS,
                bits=_independent_bits,
                drawn=_MAGNITUDES,
            ),
            Topology(
                name="segmented",
                n_units=24,
                gate_units=8,
                gate_lsbs=16,
                devices=(1, 2, 4, 8, 1, 1, 1, 2, 4),
                unit_lsbs=(*[1] * (LOW_BITS + 1), *[1 << LOW_BITS] * 4),
                bits=_segmented_bits,
                drawn=_HIGH + (_FEEDS_DIVIDER << LOW_BITS),
            ),
            Topology(
                name="m2m",
                n_units=23,
                gate_units=1,
                gate_lsbs=128,
                devices=(1, *[2] * MAGNITUDE_BITS, *[1] * (MAGNITUDE_BITS - 1), 2),
                unit_lsbs=(128, 1, 2, 4, 8, 16, 32, 64, 2, 4, 8, 16, 32, 64, 1),
                bits=_ladder_bits,
                drawn=np.where(_MAGNITUDES > 0, 1 << MAGNITUDE_BITS, 0),
            ),
            Topology(
                name="c2c",
                n_units=20,
                gate_units=0,
                gate_lsbs=0,
                devices=(*[1] * MAGNITUDE_BITS, *[2] * (MAGNITUDE_BITS - 1), 1),
                unit_lsbs=(1,) * 2 * MAGNITUDE_BITS,
                bits=_capacitor_bits,
                drawn=np.zeros_like(_MAGNITUDES),
            ),
        )
    }
)
"""Structures of a cell by name."""


def effective_weights(weights: NDArray[np.integer], bit_error: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what ``weights[post, pre]`` multiply by, in grid units: ``sign * sum_k b_k 2^k (1 + e_k)``.

    ``bit_error[post, pre, bit]`` is relative. The result is whole numbers in float64, ``[post, pre]``.
    """
    magnitude = np.abs(weights.astype(np.int64))
    current: NDArray[np.float64] = np.zeros(weights.shape)
    for bit in range(MAGNITUDE_BITS):
        current += (magnitude >> bit & 1) * 2.0**bit * (1 + bit_error[..., bit])
    signed: NDArray[np.float64] = np.sign(weights) * current
    return np.rint(signed * 2.0**GRID_BITS)


def cell_levels(bit_error: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a cell's output for every magnitude [LSB], ``[..., magnitude]``, of ``bit_error[..., bit]``."""
    levels: NDArray[np.float64] = ((1 + bit_error) * 2.0 ** np.arange(MAGNITUDE_BITS)) @ _BITS.T
    return levels


def effective_inputs(fraction: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what each input code is when ``fraction[code]`` of it arrives, in grid units, ``[code]``."""
    return np.rint(np.arange(INPUT_LEVELS) * fraction * 2.0**INPUT_GRID_BITS)


def sum_products(
    input_codes: NDArray[np.integer],
    weights: NDArray[np.float64],
    inputs: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Return the summed currents ``[step, post]`` of ``input_codes[step, pre]``, in units of the grids.

    Code c counts as ``inputs[c]``, or as itself. ``inputs`` and ``weights`` are whole numbers whose largest
    possible sum of products is below 2^53. Every partial sum then is exact in float64, so neither the order
    in which BLAS adds nor the batch can change a bit of the result.
    """
    sums = np.empty((len(input_codes), len(weights)))
    for start in range(0, len(input_codes), _STEPS_PER_PRODUCT):
        steps = slice(start, start + _STEPS_PER_PRODUCT)
        codes = input_codes[steps]
        chosen = codes.astype(np.float64) if inputs is None else inputs[codes]
        np.matmul(chosen, weights.T, out=sums[steps])
    return sums
