"""Foreground calibration: finds each neuron's offset or gain trim code from the output codes alone.

One search is a successive approximation, all neurons of an array at once: for each bit of the trim code, from
the sign down, the array evaluates ``repeats`` times; a neuron for which most codes reach the threshold loses
the bit. What is found is the largest trim code whose codes mostly stay below the threshold, so at it the
neuron's level is half an LSB below ``threshold``, within one trim step and what is left of the noise.

What the neurons see is the host's choice. In an offset search no input is driven beyond what the chip holds,
so the host loads zero weights. In a gain search every axon, bias axons included, is driven with the largest
code, so that the mismatch of single cells averages out over a row of equal reference weights.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from amaranth.hdl import Module, Mux, Signal, ValueLike, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from numpy.typing import NDArray

from ..formats import bits_for_count
from ..neuron.register_file import RegisterFile
from ..signatures import REPEATS_LOG2_WIDTH, TRIM_WIDTH, TRIMS, CalibrationSignature

__all__ = ["Calibrator", "Trim", "TrimSearch"]

_SIGN = 1 << (TRIM_WIDTH - 1)
_REPEATS_LOG2_MAX = (1 << REPEATS_LOG2_WIDTH) - 1


class Trim(IntEnum):
    """Which of a neuron's two trims is searched."""

    OFFSET = 0
    GAIN = 1


@dataclass(frozen=True, kw_only=True)
class TrimSearch:
    """One search, as the host asks for it, and its software twin.

    Parameters
    ----------
    trim :
        Which trim is searched; that of the other kind keeps its code.
    threshold :
        Output code that the neurons are brought to the edge of, 1 to 255.
    repeats_log2 :
        Each bit is decided by the majority of ``2^repeats_log2`` evaluations; 0 to 7.
    lowered_by :
        Subtracted from the code found, 0 to 255; the result stops at -128. In an offset search this is half
        an LSB in trim steps, which brings the level from the edge of the threshold down to a whole code.
    """

    trim: Trim
    threshold: int
    repeats_log2: int
    lowered_by: int = 0

    def __post_init__(self) -> None:
        for name, low, high in (
            ("threshold", 1, 255),
            ("repeats_log2", 0, _REPEATS_LOG2_MAX),
            ("lowered_by", 0, 255),
        ):
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"trim search: {name} must be {low} to {high}, got {getattr(self, name)}")

    @property
    def repeats(self) -> int:
        """How often the array evaluates for each bit."""
        return 1 << self.repeats_log2

    @property
    def n_evaluations(self) -> int:
        """How often the array evaluates in the whole search."""
        return TRIM_WIDTH * self.repeats

    def find(
        self,
        evaluate: Callable[[NDArray[np.int64], int], NDArray[np.integer]],
        n_neurons: int,
    ) -> NDArray[np.int64]:
        """Return the trim codes ``[post]`` that the hardware finds.

        ``evaluate(trims, first)`` returns the output codes ``[repeat, post]`` of the ``repeats`` evaluations
        from number ``first`` of this search on, with these ``trims`` [post] of the searched kind.
        """
        trims = np.zeros(n_neurons, dtype=np.int64)
        for index, mask in enumerate(_SIGN >> bit for bit in range(TRIM_WIDTH)):
            votes = np.count_nonzero(evaluate(trims, index * self.repeats) >= self.threshold, axis=0)
            bits = trims & 0xFF
            bits ^= np.where(2 * votes > self.repeats, mask, 0)
            trims = (bits | mask >> 1).astype(np.uint8).astype(np.int8).astype(np.int64)
        return np.maximum(trims - self.lowered_by, -_SIGN)


class Calibrator(wiring.Component):
    """Sequences one :class:`TrimSearch` over the neurons of an array.

    ``start`` sets every searched trim to 0, then the array evaluates, and a walk over the neurons, one per
    cycle, counts votes, and decides a bit after the last of its evaluations.

    Members
    -------
    command : In(CalibrationSignature)
        What to search, and when to start; its ``trims`` are those of this component.
    in_use : In(1)
        Level: the array has neurons in use. Without it ``command.start`` does nothing.
    active : Out(1)
        A search is under way, from the cycle after ``command.start``.
    evaluate : Out(1)
        Strobe: the array shall evaluate once.
    evaluated : In(1)
        Strobe: from the next cycle on the codes of that evaluation are readable.
    neuron : Out(neuron_width)
        Neuron that ``code`` and ``trims`` are wanted of, and that ``write`` is for.
    code, trims : In(code_width), In(TRIMS)
        Its output code and its trims, combinationally from ``neuron``.
    write, written : Out(1), Out(TRIMS)
        Strobe: the neuron's trims become ``written``.
    """

    command: wiring.PureInterface
    in_use: Signal
    active: Signal
    evaluate: Signal
    evaluated: Signal
    neuron: Signal
    code: Signal
    trims: data.View
    write: Signal
    written: data.View

    def __init__(self, n_neurons: int, code_width: int) -> None:
        self._n_neurons = n_neurons
        super().__init__(
            {
                "command": In(CalibrationSignature()),
                "in_use": In(1),
                "active": Out(1),
                "evaluate": Out(1),
                "evaluated": In(1),
                "neuron": Out(bits_for_count(n_neurons)),
                "code": In(code_width),
                "trims": In(TRIMS),
                "write": Out(1),
                "written": Out(TRIMS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        command, last_neuron = self.command, self._n_neurons - 1
        mask = Signal(TRIM_WIDTH)
        evaluations = Signal(_REPEATS_LOG2_MAX)
        votes_width = _REPEATS_LOG2_MAX + 1
        m.submodules.votes = votes = RegisterFile(unsigned(votes_width), self._n_neurons)

        counted = Signal(votes_width)
        repeats = Signal(votes_width)
        decide = Signal()
        searched = Signal(TRIM_WIDTH)
        found = Signal(TRIM_WIDTH)
        lowered = Signal(signed(TRIM_WIDTH + 2))
        result = Signal(TRIM_WIDTH)
        last = Signal()
        m.d.comb += [
            votes.read_row.eq(self.neuron),
            votes.write_row.eq(self.neuron),
            counted.eq(votes.read_data + (self.code >= command.threshold)),
            repeats.eq(1 << command.repeats_log2),
            decide.eq(evaluations == repeats - 1),
            last.eq(mask[0]),
            searched.eq(Mux(command.trim, self.trims.gain, self.trims.offset)),
            found.eq(searched ^ Mux((counted << 1) > repeats, mask, 0)),
            lowered.eq(found.as_signed() - command.lowered_by),
            command.trims.eq(self.trims),
            self.written.eq(self.trims),
        ]
        with m.If(~last):
            m.d.comb += result.eq(found | mask >> 1)
        with m.Elif(lowered < -_SIGN):
            m.d.comb += result.eq(_SIGN)
        with m.Else():
            m.d.comb += result.eq(lowered)

        def searched_becomes(value: ValueLike) -> None:
            with m.If(command.trim):
                m.d.comb += self.written.gain.eq(value)
            with m.Else():
                m.d.comb += self.written.offset.eq(value)

        def walk(following: str) -> None:
            m.d.sync += self.neuron.eq(self.neuron + 1)
            with m.If(self.neuron == last_neuron):
                m.d.sync += self.neuron.eq(0)
                m.next = following

        with m.FSM() as fsm:
            m.d.comb += self.active.eq(~fsm.ongoing("IDLE"))
            with m.State("IDLE"), m.If(command.start & self.in_use):
                m.d.sync += mask.eq(_SIGN)
                m.next = "CLEAR"
            with m.State("CLEAR"):
                m.d.comb += [self.write.eq(1), votes.write_enable.eq(1)]
                searched_becomes(0)
                walk("EVALUATE")
            with m.State("EVALUATE"):
                m.d.comb += self.evaluate.eq(1)
                m.next = "WAIT"
            with m.State("WAIT"), m.If(self.evaluated):
                m.next = "JUDGE"
            with m.State("JUDGE"):
                m.d.comb += [
                    self.write.eq(decide),
                    votes.write_enable.eq(1),
                    votes.write_data.eq(Mux(decide, 0, counted)),
                ]
                searched_becomes(result)
                walk("EVALUATE")
                with m.If(self.neuron == last_neuron):
                    m.d.sync += evaluations.eq(evaluations + 1)
                    with m.If(decide):
                        m.d.sync += [evaluations.eq(0), mask.eq(mask >> 1)]
                    with m.If(decide & last):
                        m.next = "IDLE"
        return m
