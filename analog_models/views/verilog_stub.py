"""Black-box Verilog of the analog array: its ports, nothing inside, for synthesis and lint."""

import re
from textwrap import dedent

__all__ = ["verilog_stub"]

_TRIM_WIDTH = 8
_GAIN_WIDTH = 16
_SHIFT_WIDTH = 6


def verilog_stub(module: str, n_axons: int, n_neurons: int, weight_width: int, activation_width: int) -> str:
    """Return Verilog text of a black box ``module`` with the ports of the mixed-signal array.

    Packed ports hold item 0 in the lowest bits. Raises ValueError for a name that is no Verilog identifier,
    counts below 1 and widths above 8 or below 1 (2 for ``weight_width``: a sign and a magnitude).
    """
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", module):
        raise ValueError(f"verilog stub: module must be a Verilog identifier, got {module!r}")
    for name, count in (("n_axons", n_axons), ("n_neurons", n_neurons)):
        if count < 1:
            raise ValueError(f"verilog stub: {name} must be at least 1, got {count}")
    for name, low, width in (("weight_width", 2, weight_width), ("activation_width", 1, activation_width)):
        if not low <= width <= 8:
            raise ValueError(f"verilog stub: {name} must be {low} to 8 bits, got {width}")
    inputs = {
        "reset": 1,
        "evaluate": 1,
        "convert": 1,
        "row_strobe": 1,
        "row": max(1, (n_axons - 1).bit_length()),
        "row_weights": n_neurons * weight_width,
        "input_codes": n_axons * activation_width,
        "offset_trims": n_neurons * _TRIM_WIDTH,
        "gain_trims": n_neurons * _TRIM_WIDTH,
        "gain": _GAIN_WIDTH,
        "shift": _SHIFT_WIDTH,
    }
    ports = [_port("input ", name, width) for name, width in inputs.items()]
    ports.append(_port("output", "output_codes", n_neurons * activation_width))
    header = _HEADER.format(n_axons=n_axons, n_neurons=n_neurons, sign=weight_width - 1)
    port_list = ",\n".join(f"    {port}" for port in ports)
    return f"{header}{_LINT_OFF}(* blackbox *)\nmodule {module} (\n{port_list}\n);\nendmodule\n{_LINT_ON}"


def _port(direction: str, name: str, width: int) -> str:
    vector = f"[{width - 1}:0] " if width > 1 else ""
    return f"{direction} wire {vector}{name}"


_HEADER = dedent("""\
    // Mixed-signal neuron array, {n_axons} axons by {n_neurons} neurons. Black box: the circuit is analog.
    //
    // Weights: row_strobe writes row_weights, one sign-magnitude code per neuron (bit {sign} is the sign,
    // 1 for negative), into the cells of axon `row`; row and row_weights hold still while it is high.
    //
    // Phases of a time step, one after the other, never two at once:
    //   reset     the summing nodes are precharged, the last step is forgotten;
    //   evaluate  the currents of input_codes times weights flow, the nodes settle;
    //   convert   the ADCs turn the nodes into output_codes.
    //   Neurons that spike are precharged, fire, and their counts are read.
    // output_codes are valid when convert falls, until it rises again. input_codes, gain, shift and the trims
    // hold still from the rise of reset to the fall of convert.
    //
    // A node moves by gain / 2^shift LSB per unit of code times weight. Trims are two's complement, 0 is
    // none. Packed ports hold item 0 in the lowest bits.
    """)

_LINT_OFF = """\
/* verilator lint_off UNUSEDSIGNAL */
/* verilator lint_off UNDRIVEN */
"""

_LINT_ON = """\
/* verilator lint_on UNDRIVEN */
/* verilator lint_on UNUSEDSIGNAL */
"""
