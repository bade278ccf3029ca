"""Registers of a compute engine, written over the load bus."""

from amaranth.hdl import Module, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..formats import GAIN_WIDTH, SHIFT_WIDTH
from ..signatures import LoadSignature, LoadTarget, SettingsRow

__all__ = ["Settings"]


class Settings(wiring.Component):
    """What a compute engine takes from the load target ``SETTINGS``; all zero after reset.


    Members
    -------
    load : In(LoadSignature)
        The load bus.
    gain, shift : Out(16), Out(6)
        Requantisation.
    neurons : Out(range(n_neurons + 1))
        Number of neurons in use; none after reset, so that an unused core does nothing in a time step.
    """

    load: wiring.PureInterface
    gain: Signal
    shift: Signal
    neurons: Signal

    def __init__(self, n_neurons: int) -> None:
        super().__init__(
            {
                "load": In(LoadSignature()),
                "gain": Out(unsigned(GAIN_WIDTH)),
                "shift": Out(unsigned(SHIFT_WIDTH)),
                "neurons": Out(range(n_neurons + 1)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        with m.If(self.load.strobe & (self.load.target == LoadTarget.SETTINGS)), m.Switch(self.load.row):
            for row, register in (
                (SettingsRow.GAIN, self.gain),
                (SettingsRow.SHIFT, self.shift),
                (SettingsRow.NEURONS_IN_USE, self.neurons),
            ):
                with m.Case(row):
                    m.d.sync += register.eq(self.load.data)
        return m
