"""Widths, number formats and the layout of events and flits."""

from dataclasses import dataclass

from amaranth.hdl import Const, ShapeLike, Value, unsigned
from amaranth.lib import data

__all__ = ["GAIN_WIDTH", "SHIFT_WIDTH", "EventFormat", "MacFormat", "bits_for_count"]

GAIN_WIDTH = 16
"""Width of the requantisation multiplier, unsigned [bits]."""

SHIFT_WIDTH = 6
"""Width of the requantisation right shift, unsigned [bits]."""


def bits_for_count(count: int) -> int:
    """Return how many bits tell ``count`` things apart; at least 1, so that every index has a wire."""
    if count < 1:
        raise ValueError(f"count must be at least 1, got {count}")
    return max(1, (count - 1).bit_length())


@dataclass(frozen=True, kw_only=True)
class EventFormat:
    """Widths of an event: which core, which axon, how much.

    A payload width of 0 is a binary spike; 1 to 8 bits carry an activation code. An event without its
    destination is what a core sees; with it, it is a flit, what the fabric moves.
    """

    x_width: int
    y_width: int
    axon_width: int
    payload_width: int

    def __post_init__(self) -> None:
        for name, low, high in (
            ("x_width", 1, 8),
            ("y_width", 1, 8),
            ("axon_width", 1, 16),
            ("payload_width", 0, 8),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"{name} must be {low} to {high} bits, got {value}")

    @property
    def payload_max(self) -> int:
        """Largest activation code of an event; a binary spike counts as 1 [LSB]."""
        return (1 << max(1, self.payload_width)) - 1

    @property
    def activation_width(self) -> int:
        """Width of an activation code inside a core; a binary spike needs one bit [bits]."""
        return max(1, self.payload_width)

    @property
    def event(self) -> data.StructLayout:
        """What a core sees: payload in the low bits (absent for binary spikes), then the axon."""
        return data.StructLayout(self._payload | {"axon": unsigned(self.axon_width)})

    @property
    def flit(self) -> data.StructLayout:
        """What the fabric moves, from the low bits up: payload (absent for binary spikes), axon, y, x."""
        return data.StructLayout(
            self._payload
            | {
                "axon": unsigned(self.axon_width),
                "y": unsigned(self.y_width),
                "x": unsigned(self.x_width),
            }
        )

    @property
    def _payload(self) -> dict[str, ShapeLike]:
        return {"payload": unsigned(self.payload_width)} if self.payload_width else {}

    def activation(self, event: data.View) -> Value:
        """Return the activation code that ``event`` (or a flit) carries: its payload, or 1 for a spike."""
        return Value.cast(event.payload) if self.payload_width else Const(1, 1)

    def pack_flit(self, *, x: int, y: int, axon: int, payload: int) -> int:
        """Return the bits of a flit; a binary spike has no place for ``payload``."""
        address = (x << self.y_width | y) << self.axon_width | axon
        return address << self.payload_width | (payload if self.payload_width else 0)

    @property
    def flit_width(self) -> int:
        """Width of a flit [bits]."""
        return self.payload_width + self.axon_width + self.y_width + self.x_width


@dataclass(frozen=True, kw_only=True)
class MacFormat:
    """Number format of one neuron's sum of products.

    Weights are two's complement but symmetric, ``[-weight_max, weight_max]``, so that the same codes fit a
    sign-magnitude current DAC. Activations are unsigned.
    """

    n_inputs: int
    weight_width: int = 8
    activation_width: int = 8

    def __post_init__(self) -> None:
        for name, low, high in (("n_inputs", 1, 1 << 16), ("weight_width", 2, 8), ("activation_width", 1, 8)):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"{name} must be {low} to {high}, got {value}")

    @property
    def weight_max(self) -> int:
        """Largest magnitude of a weight code [LSB]."""
        return (1 << (self.weight_width - 1)) - 1

    @property
    def activation_max(self) -> int:
        """Largest activation code [LSB]."""
        return (1 << self.activation_width) - 1

    @property
    def accumulator_max(self) -> int:
        """Largest magnitude that a sum of products can take [LSB]."""
        return self.n_inputs * self.weight_max * self.activation_max

    @property
    def accumulator_width(self) -> int:
        """Width of a signed accumulator that no input can overflow: the width of the largest sum [bits]."""
        return self.accumulator_max.bit_length() + 1
