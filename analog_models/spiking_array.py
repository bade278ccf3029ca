"""Spiking neurons between codes: an array whose neurons fire while a step is evaluated, and are counted.

It stands behind the ports of the array that converts, so the same digital side drives it:

1. ``reset``: the membranes are precharged to the middle between reset and threshold, the counters cleared.
2. ``evaluate``: an input code is so many pulses of its axon. The membranes integrate, fire, are reset, and
   integrate on, :mod:`analog_models.spiking`; each spike is counted, up to the largest code.
3. ``convert``: the counters are read.

With a threshold of ``2^shift / gain`` LSB the count is what the integer neuron computes: beginning at half a
swing rounds it. What is lost is what a spiking neuron loses: current that flows while a comparator decides or
reset holds the membrane, and spikes that are under way when the step ends.
"""

import math
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .charge import capacitor_energy
from .codes import GAIN_MAX, STEP_MAX, checked_steps, checked_whole
from .mdac import INPUT_LEVELS
from .spiking import SpikingNeuronDraw, SpikingNeuronParameters
from .spiking_bank import SpikingRun

__all__ = ["SpikeCounts", "SpikingArrayBank", "SpikingArrayParameters"]

_WHERE = "spiking array"
_SHIFT_MAX = 31
_CYCLES = 1 << 16
"""Noise is numbered by spike, from this many times the number of the step on."""

COUNTER_CAPACITANCE = 20e-15
"""Switched per count [F]: of a ripple counter two flip-flops toggle on average, at some 10 fF each [A]."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SpikeCounts:
    """What an array gave for a batch of time steps.

    Parameters
    ----------
    codes :
        ``[step, post]``, spikes counted, int64 [LSB].
    membrane_voltage :
        ``[step, post]``, where each membrane stands when the step's evaluation ends, above ground [V].
    """

    codes: NDArray[np.int64]
    membrane_voltage: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class SpikingArrayParameters:
    """A design: which neuron is counted. Raises ValueError if its comparator is clocked, by the step."""

    neuron: SpikingNeuronParameters = field(default_factory=SpikingNeuronParameters)

    def __post_init__(self) -> None:
        if self.neuron.clocked:
            raise ValueError(
                f"{_WHERE}: clocked must be false, so that a step may have many spikes, got true"
            )

    @property
    def voltages(self) -> tuple[str, ...]:
        """Names of the voltages of an evaluation."""
        return ("membrane_voltage",)

    def draw(self, n_neurons: int, n_axons: int, rng: np.random.Generator) -> SpikingNeuronDraw:
        """Return one manufactured array."""
        return self.neuron.draw(n_neurons, n_axons, rng)

    def bank(
        self,
        draw: SpikingNeuronDraw,
        *,
        weights: ArrayLike,
        gain: int,
        shift: int,
        code_max: int,
        offset_trim: ArrayLike = 0,
        gain_trim: ArrayLike = 0,
        noise_seed: int,
        evaluation_time: float,
    ) -> "SpikingArrayBank":
        """Return the array ``draw`` with ``weights`` in it; the arguments are those of the bank."""
        return SpikingArrayBank(
            self,
            draw,
            weights=weights,
            gain=gain,
            shift=shift,
            code_max=code_max,
            noise_seed=noise_seed,
            evaluation_time=evaluation_time,
        ).with_trims(offset_trim=offset_trim, gain_trim=gain_trim)


class SpikingArrayBank:
    """One manufactured array with weights in it.

    Parameters
    ----------
    weights :
        ``[post, pre]``, signed weight codes, -127 to 127.
    gain, shift :
        The threshold is ``2^shift / gain`` LSB, rounded; 1 to 65535 and 0 to 31.
    code_max :
        Where the counters stop, 1 to 255.
    noise_seed :
        Seed of the noise, 0 to 2^128 - 1; arrays of one chip need different seeds.
    evaluation_time :
        How long the membranes integrate in each step [s].

    Raises ValueError for values out of range, shapes that do not fit ``draw``, and an evaluation that is too
    short for the pulses of the largest code.
    """

    def __init__(
        self,
        parameters: SpikingArrayParameters,
        draw: SpikingNeuronDraw,
        *,
        weights: ArrayLike,
        gain: int,
        shift: int,
        code_max: int,
        noise_seed: int,
        evaluation_time: float,
    ) -> None:
        self.parameters = parameters
        self.n_neurons, self.n_axons = draw.n_neurons, draw.n_axons
        gain = checked_whole(_WHERE, "gain", gain, 1, GAIN_MAX)
        shift = checked_whole(_WHERE, "shift", shift, 0, _SHIFT_MAX)
        self._code_max = checked_whole(_WHERE, "code_max", code_max, 1, INPUT_LEVELS - 1)
        if not 0 < evaluation_time < math.inf:
            raise ValueError(f"{_WHERE}: evaluation_time must be above 0 s and finite, got {evaluation_time}")
        self._evaluation_time = evaluation_time
        threshold = max(1, round((1 << shift) / gain))
        self._bank = parameters.neuron.bank(
            draw, weights=weights, threshold=threshold, step_time=evaluation_time, noise_seed=noise_seed
        )
        self._start = threshold / 2
        shortest = self._code_max * self._bank.pulse_time
        if evaluation_time * (1 + 1e-9) < shortest:
            raise ValueError(
                f"{_WHERE}: an evaluation must be at least {shortest:.3g} s, as {self._code_max} pulses of "
                f"{self._bank.pulse_time:.3g} s take, got {evaluation_time:.3g} s"
            )

    def with_trims(self, *, offset_trim: ArrayLike, gain_trim: ArrayLike) -> Self:
        """Return this array, which has no trims. Raises ValueError for codes other than 0."""
        for name, codes in (("offset_trim", offset_trim), ("gain_trim", gain_trim)):
            if np.any(codes):
                raise ValueError(f"{_WHERE}: {name} must be 0, for there are no trims, got others")
        return self

    def evaluate(self, input_codes: NDArray[np.integer], first_step: int = 0) -> SpikeCounts:
        """Evaluate the neurons in each time step; step t of the batch is time step ``first_step + t``.

        ``input_codes[step, pre]`` are 0 to ``code_max``. The result of a step does not depend on the batch it
        is in.
        """
        run = self._run(self._checked_inputs(input_codes), first_step)
        return SpikeCounts(
            codes=np.minimum(run.spikes, self._code_max), membrane_voltage=run.membrane_voltage
        )

    def energy(self, input_codes: NDArray[np.integer], *, evaluation_time: float) -> dict[str, float]:
        """Return the energy [J] of the given steps by item of :data:`~analog_models.spiking.SPIKING_ITEMS`,
        and of ``precharge``, ``C V_dd`` times what it moves the membranes by, and ``counter``.

        ``evaluation_time`` [s] must be the array's own. Leakage, weight memory and digital control are not
        in it.
        """
        if evaluation_time != self._evaluation_time:
            raise ValueError(
                f"{_WHERE}: evaluation_time must be {self._evaluation_time:g} s, the array's own, "
                f"got {evaluation_time:g}"
            )
        inputs = self._checked_inputs(input_codes)
        run, p = self._run(inputs, 0), self.parameters.neuron
        start = p.reset_voltage + p.swing / 2
        moved = float(np.abs(run.membrane_voltage - start).sum())
        counted = int(np.minimum(run.spikes, self._code_max).sum())
        return {
            **self._bank.energy(run, inputs),
            "precharge": capacitor_energy(p.supply, p.membrane_capacitance, moved),
            "counter": capacitor_energy(p.supply, COUNTER_CAPACITANCE, p.supply) * counted,
        }

    def _run(self, inputs: NDArray[np.integer], first_step: int) -> SpikingRun:
        """Return what the neurons do, each step from precharge on."""
        first_step = checked_whole(_WHERE, "first_step", first_step, 0, STEP_MAX // _CYCLES)
        bank = self._bank
        drive = bank.drive(inputs)
        state = bank.rest()
        spikes, level = np.zeros(drive.shape, np.int64), np.empty(drive.shape)
        for step, row in enumerate(drive):
            spikes[step], state = bank.step(row, bank.rest(self._start, cycle=(first_step + step) * _CYCLES))
            level[step] = state.membrane
        return SpikingRun(spikes=spikes, membrane_voltage=bank.voltage(level), drive=drive, state=state)

    def _checked_inputs(self, input_codes: NDArray[np.integer]) -> NDArray[np.integer]:
        return checked_steps(_WHERE, "input_codes", input_codes, self._code_max, self.n_axons)
