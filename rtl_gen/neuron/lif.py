"""The digital spiking neuron: leaky integrate-and-fire in integers, the rival of a membrane capacitor."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from amaranth.hdl import Const, Module, Mux, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from numpy.typing import NDArray

__all__ = ["LifParameters", "LifReset", "LifSoma", "LifState"]

LifReset = Literal["zero", "subtract"]
"""Where a spike leaves the membrane: at 0, or at what exceeds the threshold."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LifState:
    """Neurons between two steps, ``[post]``: membrane [LSB], and steps for which they still ignore drive."""

    membrane: NDArray[np.int64]
    refractory: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class LifParameters:
    """A leaky integrate-and-fire neuron.

    Parameters
    ----------
    membrane_width :
        Width of the signed membrane, which saturates at both ends; 2 to 32 [bits].
    leak_shift :
        A step takes ``membrane / 2^leak_shift``, rounded down, from the membrane first; 0: no leak, at most
        ``membrane_width - 1``. A membrane from 0 to ``2^leak_shift - 1`` stays as it is.
    reset :
        Where a spike leaves the membrane.
    refractory_steps :
        For how many steps after a spike the drive is ignored and nothing leaks; 0 to 65535.
    """

    membrane_width: int = 16
    leak_shift: int = 0
    reset: LifReset = "subtract"
    refractory_steps: int = 0

    def __post_init__(self) -> None:
        for name, low, high in (
            ("membrane_width", 2, 32),
            ("leak_shift", 0, self.membrane_width - 1),
            ("refractory_steps", 0, (1 << 16) - 1),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"{name} must be {low} to {high}, got {value}")
        if self.reset not in get_args(LifReset):
            raise ValueError(f"reset must be one of {', '.join(get_args(LifReset))}, got {self.reset}")

    @property
    def membrane_max(self) -> int:
        """Largest membrane, and largest threshold [LSB]."""
        return (1 << (self.membrane_width - 1)) - 1

    def rest(self, n_neurons: int) -> LifState:
        """Return the state after reset."""
        zeros = np.zeros(n_neurons, dtype=np.int64)
        return LifState(membrane=zeros, refractory=zeros)

    def simulate(
        self, drive: NDArray[np.integer], threshold: int, state: LifState | None = None
    ) -> tuple[NDArray[np.bool_], LifState]:
        """Return spikes ``[step, post]`` for ``drive[step, post]``, and the state after them.

        Raises ValueError when the threshold is not 1 to ``membrane_max`` or drive does not fit a membrane.
        """
        if not 1 <= threshold <= self.membrane_max:
            raise ValueError(f"threshold must be 1 to {self.membrane_max}, got {threshold}")
        low, high = -self.membrane_max - 1, self.membrane_max
        if drive.size and not (low <= drive.min() and drive.max() <= high):
            raise ValueError(f"drive must be {low} to {high}, got {drive.min()} to {drive.max()}")
        state = state or self.rest(drive.shape[1])
        membrane, refractory = state.membrane, state.refractory
        spikes = np.zeros(drive.shape, dtype=np.bool_)
        for step, row in enumerate(drive.astype(np.int64)):
            leak = membrane >> self.leak_shift if self.leak_shift else 0
            total = np.clip(membrane - leak + row, low, high)
            ready = refractory == 0
            spikes[step] = ready & (total >= threshold)
            after_spike = total - threshold if self.reset == "subtract" else 0
            membrane = np.where(ready, np.where(spikes[step], after_spike, total), membrane)
            refractory = np.where(spikes[step], self.refractory_steps, np.maximum(refractory - 1, 0))
        return spikes, LifState(membrane=membrane, refractory=refractory)

    def create(self) -> "LifSoma":
        """Return the hardware."""
        return LifSoma(self)


class LifSoma(wiring.Component):
    """Leaky integrate-and-fire soma: one neuron, at most one time step per clock cycle.

    The output is registered: it shows a step one cycle after its strobe.

    Members
    -------
    step : In(1)
        Strobe: take one time step.
    drive : In(signed(membrane_width))
        Summed synaptic weight of this step [LSB]. Sampled while ``step`` is high.
    threshold : In(membrane_width - 1)
        At least 1 [LSB]. Sampled while ``step`` is high.
    spike : Out(1)
        Whether the last step crossed the threshold. Low in cycles that follow no step.
    """

    step: Signal
    drive: Signal
    threshold: Signal
    spike: Signal

    def __init__(self, parameters: LifParameters) -> None:
        self.parameters = parameters
        width = parameters.membrane_width
        super().__init__(
            {
                "step": In(1),
                "drive": In(signed(width)),
                "threshold": In(unsigned(width - 1)),
                "spike": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        parameters = self.parameters
        m = Module()
        width = parameters.membrane_width
        low, high = Const(-parameters.membrane_max - 1), Const(parameters.membrane_max)
        membrane = Signal(signed(width))
        leaked = Signal(signed(width))
        total = Signal(signed(width + 1))
        saturated = Signal(signed(width))
        crossed = Signal()
        ready = Signal(init=1)
        m.d.comb += [
            leaked.eq(membrane - (membrane >> parameters.leak_shift) if parameters.leak_shift else membrane),
            total.eq(leaked + self.drive),
            saturated.eq(Mux(total > high, high, Mux(total < low, low, total))),
            crossed.eq(saturated >= self.threshold),
        ]
        m.d.sync += self.spike.eq(self.step & ready & crossed)
        with m.If(self.step & ready):
            after_spike = saturated - self.threshold if parameters.reset == "subtract" else 0
            m.d.sync += membrane.eq(Mux(crossed, after_spike, saturated))
        if parameters.refractory_steps:
            refractory = Signal(range(parameters.refractory_steps + 1))
            m.d.comb += ready.eq(refractory == 0)
            with m.If(self.step):
                m.d.sync += refractory.eq(
                    Mux(ready, Mux(crossed, parameters.refractory_steps, 0), refractory - 1)
                )
        return m
