"""Synchronous SRAM macros with one write port and one read port.

Synapses and routing tables are too large for flip-flops, so they are placed as instances of a macro. The
Verilog written here is its behaviour, for simulation. On silicon this file is what changes: the module of the
same name and ports becomes a wrapper around a foundry macro, with ``write_word`` decoded to its write mask.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from amaranth.hdl import ClockSignal, Instance, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from numpy.typing import NDArray

from .formats import bits_for_count
from .instance import port_name
from .signatures import LOAD_WORD_WIDTH

__all__ = ["SramParameters", "SramSignature", "connect_load", "pack_rows", "rows_to_words"]


class SramSignature(wiring.Signature):
    """Ports of a memory macro but for its clock; seen from the macro.

    A row that is read and written in the same cycle reads as an undefined value.

    Members
    -------
    read_enable : In(1)
        Strobe: read a row.
    read_row : In(row_width)
        Which row.
    read_data : Out(width)
        The row, from the cycle after ``read_enable`` until the cycle after the next one.
    write_enable : In(1)
        Strobe: write one 32-bit word of a row.
    write_row, write_word : In(row_width), In(word_width)
        Which row, and which of its words, low word first. A word beyond the row is ignored.
    write_data : In(32)
        The word. Bits beyond the row's width are ignored.
    """

    def __init__(self, row_width: int, word_width: int, width: int) -> None:
        super().__init__(
            {
                "read_enable": In(1),
                "read_row": In(row_width),
                "read_data": Out(width),
                "write_enable": In(1),
                "write_row": In(row_width),
                "write_word": In(word_width),
                "write_data": In(LOAD_WORD_WIDTH),
            }
        )


@dataclass(frozen=True, kw_only=True)
class SramParameters:
    """A memory macro of ``depth`` rows of ``width`` bits."""

    depth: int
    width: int

    def __post_init__(self) -> None:
        for name, low, high in (("depth", 1, 1 << 20), ("width", 1, LOAD_WORD_WIDTH << 10)):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"{name} must be {low} to {high}, got {value}")

    @property
    def module(self) -> str:
        """Name of the Verilog module; the same for equal sizes."""
        return f"sram_{self.depth}x{self.width}"

    @property
    def n_words(self) -> int:
        """Words of a row; the last one may be partial."""
        return -(-self.width // LOAD_WORD_WIDTH)

    @property
    def signature(self) -> SramSignature:
        """Ports of the macro."""
        return SramSignature(bits_for_count(self.depth), bits_for_count(self.n_words), self.width)

    def place(self, m: Module, name: str) -> wiring.PureInterface:
        """Add submodule ``name``, an instance of this macro on the clock of ``sync``; return its ports.

        The component that places it lists these parameters in its attribute ``srams``.
        """
        interface = self.signature.create(path=(name,))
        ports: dict[str, object] = {"i_clk": ClockSignal()}
        for path, member, value in self.signature.flatten(interface):
            ports[("i_" if member.flow == In else "o_") + port_name(path)] = value
        m.submodules[name] = Instance(self.module, **ports)
        return interface

    def verilog(self) -> str:
        """Return the behavioural Verilog of this macro.

        Its array is named ``rows``, so that a simulation can ``$readmemh`` into it. Rows are stored in whole
        words, the bits beyond ``width`` unread. Nothing is initialised: silicon is not.
        """
        row_width, word_width = bits_for_count(self.depth), bits_for_count(self.n_words)
        if self.n_words == 1:
            write_enable, first_bit = "write_enable && write_word == 1'd0", "0"
        else:
            write_enable, first_bit = "write_enable", "{write_word, 5'd0}"
        return f"""\
// Behaviour of a memory macro; for silicon, replace this file by a wrapper around a foundry macro.
module {self.module} (
  input wire clk,
  input wire read_enable,
  input wire [{row_width - 1}:0] read_row,
  output reg [{self.width - 1}:0] read_data,
  input wire write_enable,
  input wire [{row_width - 1}:0] write_row,
  input wire [{word_width - 1}:0] write_word,
  input wire [{LOAD_WORD_WIDTH - 1}:0] write_data
);
  reg [{self.n_words * LOAD_WORD_WIDTH - 1}:0] rows [0:{self.depth - 1}];
  always @(posedge clk) begin
    if (read_enable) read_data <= rows[read_row][{self.width - 1}:0];
    if ({write_enable}) rows[write_row][{first_bit} +: {LOAD_WORD_WIDTH}] <= write_data;
  end
endmodule
"""


def connect_load(m: Module, sram: wiring.PureInterface, load: wiring.PureInterface, target: int) -> None:
    """Let load-bus writes to ``target`` write ``sram``; row and word numbers are cut to the memory's size."""
    m.d.comb += [
        sram.write_enable.eq(load.strobe & (load.target == target)),
        sram.write_row.eq(load.row),
        sram.write_word.eq(load.word),
        sram.write_data.eq(load.data),
    ]


def pack_rows(codes: NDArray[np.integer], lane_width: int) -> list[int]:
    """Return ``codes[row, lane]`` as one number per row, lane 0 lowest, negatives in two's complement.

    Raises ValueError when a code fits ``lane_width`` bits neither signed nor unsigned.
    """
    low, high = -(1 << (lane_width - 1)), (1 << lane_width) - 1
    if codes.size and not (low <= codes.min() and codes.max() <= high):
        raise ValueError(f"codes must be {low} to {high}, got {codes.min()} to {codes.max()}")
    bits = (codes.astype(np.int64)[:, :, np.newaxis] >> np.arange(lane_width)) & 1
    packed = np.packbits(bits.reshape(len(codes), -1).astype(np.uint8), axis=1, bitorder="little")
    return [int.from_bytes(row.tobytes(), "little") for row in packed]


def rows_to_words(rows: Iterable[int], width: int) -> Iterator[tuple[int, int, int]]:
    """Yield (row, word, data) of the load-bus writes that fill a memory of ``width`` bits with ``rows``."""
    n_words = SramParameters(depth=1, width=width).n_words
    for row, value in enumerate(rows):
        for word in range(n_words):
            yield row, word, (value >> (word * LOAD_WORD_WIDTH)) & ((1 << LOAD_WORD_WIDTH) - 1)
