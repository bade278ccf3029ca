"""A manufactured array of spiking neurons with weights in it: time steps, and what they cost."""

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .charge import bias_energy, capacitor_energy
from .codes import checked_codes, checked_steps, checked_whole
from .mdac import GRID_BITS, INPUT_LEVELS, WEIGHT_MAX, effective_weights, sum_products
from .membrane import crossing_time, decay, effective_time, time_constant
from .noise import step_normals

if TYPE_CHECKING:
    from .spiking import SpikingNeuronDraw, SpikingNeuronParameters

__all__ = ["SPIKING_ITEMS", "SpikingNeuronBank", "SpikingNeuronState", "SpikingRun"]

SPIKING_ITEMS = MappingProxyType(
    {
        "mdac_gate": "gate lines of the axons, once per event: V_dd C V_GS",
        "mdac_bias": "currents of the cells that an event opens: V_dd I_unit (|w_eff| + drained) t_pulse",
        "membrane": "what the summing mirror puts on the membrane: V_dd q_LSB times the drive above 0",
        "leak": "tail currents of the leak transconductors: V_dd g R t",
        "comparator": "tail currents of comparators: V_dd I_tail t; clocked: at least C_load V_dd^2 a step",
        "spike": "outputs of the comparators, up and down once per spike: C_load V_dd^2",
        "reset": "gates of the reset switches, once per spike: C_gate V_dd^2",
    }
)
"""Every item of the energy of a step, and its equation. Without leak and droop, and when no current is lost
while the membrane is held, ``membrane`` is ``C V_dd (V_threshold - V_reset)`` per spike."""

_THRESHOLD_MAX = (1 << 31) - 1
_EXACT = 2.0**53  # float64 holds every whole number up to here
_GRID = 2.0**24  # membranes are whole multiples of 1/_GRID LSB, so that whole LSB stay whole
_NORMAL_MAX = 8.3  # no normal deviate made from 53 bits is larger
_ROWS = 64  # rows of noise made at once; the noise does not depend on it
_RESET, _COMPARE = 0, 1  # streams of noise


@dataclass(frozen=True, kw_only=True, eq=False)
class SpikingNeuronState:
    """A bank between two steps; every array is ``[post]``.

    Parameters
    ----------
    n_steps :
        Number of steps taken.
    membrane :
        Voltage above reset [LSB].
    threshold :
        Where the continuous comparator trips in this cycle, offset and noise included [LSB].
    firing :
        Whether the comparator has started to move and not fired yet.
    wait :
        Time until it fires, or until reset lets go [s].
    n_spikes :
        Spikes so far, or so many more than that: the number of the cycle.
    """

    n_steps: int
    membrane: NDArray[np.float64]
    threshold: NDArray[np.float64]
    firing: NDArray[np.bool_]
    wait: NDArray[np.float64]
    n_spikes: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class SpikingRun:
    """What a bank did in a batch of time steps.

    Parameters
    ----------
    spikes :
        ``[step, post]``, spikes in each step, int64.
    membrane_voltage :
        ``[step, post]``, at the end of each step, above ground [V].
    drive :
        ``[step, post]``, what the synapses gave: charge in units of one LSB's.
    state :
        After the last step.
    """

    spikes: NDArray[np.int64]
    membrane_voltage: NDArray[np.float64]
    drive: NDArray[np.float64]
    state: SpikingNeuronState


class SpikingNeuronBank:
    """One manufactured array with weights in it. Holds no state: runs hand it on.

    Parameters
    ----------
    weights :
        ``[post, pre]``, signed weight codes, -127 to 127.
    threshold :
        Swing from reset to threshold, in units of what an event on a weight of 1 adds; 1 to 2^31 - 1 [LSB].
    step_time :
        Duration of a time step [s].
    noise_seed :
        Seed of the noise, 0 to 2^128 - 1; arrays of one chip need different seeds.

    Raises ValueError for values out of range, shapes that do not fit ``draw``, and an array in which offset
    and noise could leave a membrane at its threshold after reset.
    """

    def __init__(
        self,
        parameters: "SpikingNeuronParameters",
        draw: "SpikingNeuronDraw",
        *,
        weights: ArrayLike,
        threshold: int,
        step_time: float,
        noise_seed: int,
    ) -> None:
        self.parameters = p = parameters
        self.n_neurons, self.n_axons = draw.n_neurons, draw.n_axons
        where = "spiking bank"
        threshold = checked_whole(where, "threshold", threshold, 1, _THRESHOLD_MAX)
        seed = checked_whole(where, "noise_seed", noise_seed, 0, (1 << 128) - 1)
        if not 0 < step_time < math.inf:
            raise ValueError(f"{where}: step_time must be above 0 s and finite, got {step_time}")
        self._step_time = step_time
        shape = (self.n_neurons, self.n_axons)
        codes = checked_codes(where, "weights", weights, -WEIGHT_MAX, WEIGHT_MAX, shape)
        self._weights = effective_weights(codes, draw.bit_error)
        magnitudes = np.abs(codes.astype(np.int64))
        self._drained = (p.cell.drawn[magnitudes] - magnitudes).sum(axis=0)  # by an event [LSB], [pre]
        largest = np.abs(self._weights).sum(axis=1).max() / 2.0**GRID_BITS
        limit = _EXACT / 2.0**GRID_BITS / (INPUT_LEVELS - 1)
        if largest >= limit:
            raise ValueError(
                f"{where}: a neuron's sum of weight magnitudes must be below {limit:.0f} LSB, "
                f"got {largest:.0f} LSB"
            )

        self._lsb = p.swing / threshold
        self._lsb_charge = p.membrane_capacitance * self._lsb
        self._pulse_time = self._lsb_charge / p.unit_current
        capacitance = 1 + draw.capacitance_error
        leak = p.leak_conductance * (1 + draw.leak_error)
        self._tau = [
            time_constant(p.membrane_capacitance * c, g)
            for c, g in zip(capacitance.tolist(), leak.tolist(), strict=True)
        ]
        self._decay = np.array([decay(step_time, tau) for tau in self._tau])
        self._effective_time = np.array([effective_time(step_time, tau) for tau in self._tau])
        self._slope = 1 / (step_time * capacitance)  # [LSB/s] for a drive of 1 LSB
        self._droop = p.droop_current * step_time / self._lsb_charge
        self._floor = round(-p.reset_voltage / self._lsb * _GRID) / _GRID
        self._ceiling = (p.supply - p.reset_voltage) / self._lsb
        self._trip = threshold + draw.offset / self._lsb
        self._trip_sigma = p.comparator_noise / self._lsb
        self._reset = -p.injection / self._lsb / capacitance
        self._reset_sigma = p.reset_sigma / self._lsb / np.sqrt(capacitance)
        margin = self._trip - self._reset - _NORMAL_MAX * (self._trip_sigma + self._reset_sigma)
        if margin.min() <= 0:
            raise ValueError(
                f"{where}: the swing must be larger than offset and {_NORMAL_MAX} deviations of noise, "
                f"got {p.swing:g} V, which is {-margin.min() * self._lsb:g} V too little"
            )
        self._rows = lru_cache(maxsize=64)(
            lambda stream, block: step_normals(seed, block * _ROWS, _ROWS, self.n_neurons, stream=stream)
        )

    @property
    def pulse_time(self) -> float:
        """How long an event opens its cells [s]: the charge of one LSB over the unit current."""
        return self._pulse_time

    def rest(self, level: float = 0.0, cycle: int = 0) -> SpikingNeuronState:
        """Return the state after a first reset, to ``level`` above the reset voltage [LSB].

        ``cycle`` is the number from which on cycles from reset to spike, and so their noise, are counted.
        """
        block, row = divmod(cycle, _ROWS)
        return SpikingNeuronState(
            n_steps=0,
            membrane=level + self._reset + self._reset_sigma * self._rows(_RESET, block)[row],
            threshold=self._trip + self._trip_sigma * self._rows(_COMPARE, block)[row],
            firing=np.zeros(self.n_neurons, dtype=np.bool_),
            wait=np.zeros(self.n_neurons),
            n_spikes=np.full(self.n_neurons, cycle),
        )

    def run(self, event_counts: NDArray[np.integer], state: SpikingNeuronState | None = None) -> SpikingRun:
        """Take a step for each row of ``event_counts[step, pre]``, 0 to 255, from ``state`` or from rest.

        Raises ValueError when the pulses of so many events do not fit into a step.
        """
        return self._run(self.drive(event_counts), state)

    def drive(self, event_counts: NDArray[np.integer]) -> NDArray[np.float64]:
        """Return what ``event_counts[step, pre]`` give in each step, ``[step, post]`` [LSB]."""
        counts = self._checked_counts(event_counts)
        drive: NDArray[np.float64] = sum_products(counts, self._weights) / 2.0**GRID_BITS
        return drive

    def voltage(self, level: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the voltage above ground [V] of a membrane that is ``level`` above reset [LSB]."""
        voltage: NDArray[np.float64] = self.parameters.reset_voltage + level * self._lsb
        return voltage

    def run_currents(
        self, currents: NDArray[np.floating], state: SpikingNeuronState | None = None
    ) -> SpikingRun:
        """Take a step for each row of synaptic ``currents[step, post]`` [A], constant during the step."""
        drive = np.asarray(currents, dtype=np.float64) * (self._step_time / self._lsb_charge)
        if drive.ndim != 2 or drive.shape[1] != self.n_neurons or not np.isfinite(drive).all():
            raise ValueError(
                f"spiking bank: currents must be finite, [step, {self.n_neurons}], got shape {drive.shape}"
            )
        return self._run(drive, state)

    def _run(self, drive: NDArray[np.float64], state: SpikingNeuronState | None) -> SpikingRun:
        state = state or self.rest()
        if state.membrane.shape != (self.n_neurons,):
            raise ValueError(
                f"spiking bank: a state must have {self.n_neurons} neurons, got {len(state.membrane)}"
            )
        spikes = np.empty(drive.shape, dtype=np.int64)
        membrane = np.empty(drive.shape)
        for step, row in enumerate(drive):
            spikes[step], state = self.step(row, state)
            membrane[step] = state.membrane
        return SpikingRun(spikes=spikes, membrane_voltage=self.voltage(membrane), drive=drive, state=state)

    def step(
        self, drive: NDArray[np.float64], state: SpikingNeuronState
    ) -> tuple[NDArray[np.int64], SpikingNeuronState]:
        """Take one step with ``drive[post]`` [LSB]; returns its spikes ``[post]`` and the state after it.

        Neurons that only integrate are stepped together, the others one by one: what a neuron does cannot
        depend on the company it is in, down to the last bit.
        """
        slope = (drive - self._droop) * self._slope
        threshold = state.threshold
        if self.parameters.clocked:
            block, row = divmod(state.n_steps, _ROWS)
            threshold = self._trip + self._trip_sigma * self._rows(_COMPARE, block)[row]
        level = np.rint((state.membrane * self._decay + slope * self._effective_time) * _GRID) / _GRID
        quiet = ~state.firing & (state.wait == 0) & (level < threshold)
        lowest = np.minimum(state.membrane, self._floor)  # reset may leave it below ground, no current can
        membrane = np.where(quiet, np.maximum(level, lowest), state.membrane)
        after = replace(
            state,
            n_steps=state.n_steps + 1,
            membrane=membrane,
            threshold=threshold.copy(),
            firing=state.firing.copy(),
            wait=state.wait.copy(),
            n_spikes=state.n_spikes.copy(),
        )
        for neuron in np.flatnonzero(~quiet).tolist():
            self._play(neuron, float(slope[neuron]), after)
        return after.n_spikes - state.n_spikes, after

    def _play(self, neuron: int, slope: float, state: SpikingNeuronState) -> None:
        """Play one neuron's events in a step, in order of time, and put its new values into ``state``."""
        p = self.parameters
        tau = self._tau[neuron]
        left = self._step_time
        membrane, threshold = float(state.membrane[neuron]), float(state.threshold[neuron])
        firing, wait = bool(state.firing[neuron]), float(state.wait[neuron])
        cycle = int(state.n_spikes[neuron])

        def integrated(time: float) -> float:
            level = membrane * decay(time, tau) + slope * effective_time(time, tau)
            level = round(level * _GRID) / _GRID
            return min(max(level, min(membrane, self._floor)), self._ceiling)

        while True:
            used = min(wait, left)
            wait, left = wait - used, left - used
            if wait:
                membrane = integrated(used) if firing else membrane
                break
            if firing:
                cycle += 1
                membrane = float(self._reset[neuron]) + self._deviation(_RESET, cycle, neuron)
                if not p.clocked:
                    threshold = float(self._trip[neuron]) + self._deviation(_COMPARE, cycle, neuron)
                firing, wait = False, p.refractory_time
                continue
            level = integrated(left)
            if level < threshold:
                membrane = level
                break
            if p.clocked:
                membrane, left = level, 0.0
            else:
                left -= min(crossing_time(membrane, threshold, slope, tau), left)
                membrane = threshold
            firing, wait = True, self._delay(membrane - threshold, slope - membrane / tau)

        state.membrane[neuron], state.threshold[neuron] = membrane, threshold
        state.firing[neuron], state.wait[neuron] = firing, wait
        state.n_spikes[neuron] = cycle

    def energy(self, run: SpikingRun, event_counts: NDArray[np.integer] | None = None) -> dict[str, float]:
        """Return the energy [J] of ``run`` by item of :data:`SPIKING_ITEMS`.

        ``event_counts[step, pre]`` are those of the run; without them the drive was a current from elsewhere,
        whose MDAC is not priced. Leakage, weight memory, bias generators and the fabric are not in it.
        """
        p = self.parameters
        if run.spikes.ndim != 2 or run.spikes.shape[1] != self.n_neurons:
            raise ValueError(
                f"spiking bank: a run must be [step, {self.n_neurons}], got shape {run.spikes.shape}"
            )
        n_steps = len(run.spikes)
        events = np.zeros(self.n_axons)
        if event_counts is not None:
            events = self._checked_counts(event_counts, n_steps).sum(axis=0, dtype=np.float64)
        # What an event draws [LSB], [pre].
        drawn = np.abs(self._weights).sum(axis=0) / 2.0**GRID_BITS + self._drained
        lsb_energy = capacitor_energy(p.supply, p.membrane_capacitance, self._lsb)
        neuron_time = run.spikes.size * self._step_time
        spikes = int(run.spikes.sum())
        output_energy = capacitor_energy(p.supply, p.comparator_load, p.supply)
        switch = p.switch_width * (p.switch_length * p.process.gate_capacitance + 2 * p.switch_overlap)
        return {
            "mdac_gate": capacitor_energy(
                p.supply, p.line_capacitance(self.n_neurons), p.line_swing * float(events.sum())
            ),
            "mdac_bias": lsb_energy * float(events @ drawn),
            "membrane": lsb_energy * float(np.maximum(run.drive, 0).sum()),
            "leak": bias_energy(p.supply, p.leak_current, neuron_time),
            "comparator": output_energy * run.spikes.size
            if p.clocked
            else bias_energy(p.supply, p.comparator_current, neuron_time),
            "spike": output_energy * spikes,
            "reset": capacitor_energy(p.supply, switch, p.supply) * spikes,
        }

    def _deviation(self, stream: int, index: int, neuron: int) -> float:
        """Return noise [LSB] number ``index`` of a neuron: of its reset or its comparator."""
        block, row = divmod(index, _ROWS)
        sigma = float(self._reset_sigma[neuron]) if stream == _RESET else self._trip_sigma
        return sigma * float(self._rows(stream, block)[row, neuron])

    def _delay(self, overdrive: float, slope: float) -> float:
        """Return the comparator's delay [s]; a step of the grid is the least overdrive or rise in a step."""
        if self.parameters.clocked:
            return self.parameters.latch_delay(max(overdrive, 1 / _GRID) * self._lsb)
        return self.parameters.comparator_delay(max(slope, 1 / _GRID / self._step_time) * self._lsb)

    def _checked_counts(
        self, event_counts: NDArray[np.integer], n_steps: int | None = None
    ) -> NDArray[np.integer]:
        counts = checked_steps(
            "spiking bank", "event_counts", event_counts, INPUT_LEVELS - 1, self.n_axons, n_steps
        )
        count_max = int(self._step_time / self._pulse_time * (1 + 1e-9))
        if counts.max(initial=0) > count_max:
            raise ValueError(
                f"spiking bank: event_counts must be at most {count_max}, so that pulses of "
                f"{self._pulse_time:.3g} s fit a step of {self._step_time:.3g} s, got {counts.max()}"
            )
        return counts
