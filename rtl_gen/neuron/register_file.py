"""A small memory of flip-flops or latches, read in the same cycle."""

from amaranth.hdl import Module, ShapeLike, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..formats import bits_for_count

__all__ = ["RegisterFile"]


class RegisterFile(wiring.Component):
    """``depth`` registers with one write port and one read port. Reset does not touch their contents.

    Members
    -------
    write_enable : In(1)
        Strobe: write a row.
    write_row, write_data : In(row_width), In(shape)
        Which row, and what.
    read_row : In(row_width)
        Which row to read.
    read_data : Out(shape)
        That row, combinationally; a write shows in the next cycle.
    """

    write_enable: Signal
    write_row: Signal
    write_data: Signal
    read_row: Signal
    read_data: Signal

    def __init__(self, shape: ShapeLike, depth: int) -> None:
        self._shape = shape
        self._depth = depth
        super().__init__(
            {
                "write_enable": In(1),
                "write_row": In(bits_for_count(depth)),
                "write_data": In(shape),
                "read_row": In(bits_for_count(depth)),
                "read_data": Out(shape),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        if self._depth == 1:  # the address of a memory of one row would be a wire of no bits
            register = Signal(self._shape, reset_less=True)
            m.d.comb += self.read_data.eq(register)
            with m.If(self.write_enable & (self.write_row == 0)):
                m.d.sync += register.eq(self.write_data)
            return m
        m.submodules.rows = rows = Memory(shape=self._shape, depth=self._depth, init=[])
        write, read = rows.write_port(), rows.read_port(domain="comb")
        m.d.comb += [
            write.en.eq(self.write_enable),
            write.addr.eq(self.write_row),
            write.data.eq(self.write_data),
            read.addr.eq(self.read_row),
            self.read_data.eq(read.data),
        ]
        return m
