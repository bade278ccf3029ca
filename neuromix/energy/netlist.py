"""What a chip's Verilog is made of: every net bit with the cell that drives it, every cell with its size.

Yosys reads the Verilog, turns processes into word-level cells (``proc``) and shares equal ones. Nothing more
is optimised, so that nets keep the names under which a simulator traces them. The hierarchy is then walked
instance by instance. Names that are one wire, within a module or through ports, become one net. A wire
inside a selector, which a process is full of and which has no name, is part of the cell that it leads to.
"""

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cosim.activity import InstancePath

__all__ = [
    "NET_CLASSES",
    "Inventory",
    "Memory",
    "RegisterFile",
    "YosysNotFoundError",
    "find_yosys",
    "read_inventory",
]

NET_CLASSES = (
    "input",  # driven from outside the chip
    "clock",
    "register",
    "adder",
    "multiplier",
    "comparator",
    "logic",
    "register_file",  # read data of a memory made of flip-flops
    "memory",  # read data of an SRAM macro
    "analog",  # outputs of an analog array
)
"""What drives a net. Also the classes of charges, so a table has one price for each but the clock."""

_INPUT, _CLOCK = NET_CLASSES.index("input"), NET_CLASSES.index("clock")


class YosysNotFoundError(RuntimeError):
    """The program yosys is not installed."""


@dataclass(frozen=True, kw_only=True)
class Memory:
    """An SRAM macro and the nets that say when it is used; a write is of ``write_width`` bits."""

    instance: int
    path: InstancePath
    depth: int
    width: int
    write_width: int
    read_enable: int
    write_enable: int


@dataclass(frozen=True, kw_only=True)
class RegisterFile:
    """A memory made of flip-flops; ``write_enable`` has one net for every bit of every write port."""

    instance: int
    write_enable: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Inventory:
    """Nets and cells of an elaborated chip.

    Nets are numbered. Nets 0 and 1 are the constants; a net without a reader is not built and not counted.

    Attributes
    ----------
    instances
        Path of every instance that is not a macro, the chip itself (the empty path) first.
    modules
        Module of every instance, macros included.
    names
        Net of every bit of a named wire, least significant bit first.
    net_class, net_instance
        For each net: index into ``NET_CLASSES`` or -1 where it does not count; instance of the driver.
    charge_net, charge_class, charge_weight, charge_instance
        What a toggle costs, one entry per charged (net, cell) pair: price of the class times the weight.
    cells
        For each instance the leaking cells: full_adder, flip_flop, nand2 (gate equivalents), sram_bit.
    clocked
        For each instance the flip-flops that see every clock edge; register files are gated by row.
    """

    instances: tuple[InstancePath, ...]
    modules: Mapping[InstancePath, str]
    names: Mapping[tuple[InstancePath, str], NDArray[np.int64]]
    net_class: NDArray[np.int64]
    net_instance: NDArray[np.int64]
    charge_net: NDArray[np.int64]
    charge_class: NDArray[np.int64]
    charge_weight: NDArray[np.float64]
    charge_instance: NDArray[np.int64]
    cells: tuple[Mapping[str, float], ...]
    clocked: NDArray[np.int64]
    memories: tuple[Memory, ...]
    register_files: tuple[RegisterFile, ...]

    @cached_property
    def priced(self) -> NDArray[np.bool_]:
        """For each net whether its toggles have a price: it counts and is no clock."""
        priced: NDArray[np.bool_] = (self.net_class >= 0) & (self.net_class != _CLOCK)
        return priced

    @property
    def n_nets(self) -> int:
        """Net bits that count."""
        return int((self.net_class >= 0).sum())

    @cached_property
    def nets_by_class(self) -> dict[str, int]:
        """Number of net bits driven by each class of cell."""
        return {name: int((self.net_class == index).sum()) for index, name in enumerate(NET_CLASSES)}

    @cached_property
    def cell_totals(self) -> dict[str, float]:
        """Leaking cells of the whole chip, by kind."""
        kinds = sorted({kind for counts in self.cells for kind in counts})
        return {kind: sum(counts.get(kind, 0) for counts in self.cells) for kind in kinds}


def find_yosys() -> str:
    """Return the path of Yosys; raise YosysNotFoundError that says how to get it."""
    if path := shutil.which("yosys"):
        return path
    raise YosysNotFoundError("yosys: program must be on the PATH, got none; install the package yosys")


def read_inventory(sources: Sequence[Path], top: str, *, clock: str = "clk") -> Inventory:
    """Elaborate ``sources`` with top module ``top``; modules ``sram_*`` and ``analog_array*`` are macros.

    Raises YosysNotFoundError without Yosys, ValueError when it refuses the Verilog or for a cell that is
    not known here.
    """
    modules = _elaborate(sources, top)
    if clock not in modules[top]["ports"]:
        raise ValueError(f"netlist: clock must be a port of {top}, got {clock}")
    return _Walk(modules).inventory(top, clock)


def _elaborate(sources: Sequence[Path], top: str) -> dict[str, Any]:
    yosys = find_yosys()
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "netlist.json"
        script = [
            *(f'read_verilog "{path.resolve()}"' for path in sources),
            "blackbox sram_* analog_array*",
            f"hierarchy -check -top {top}",
            "proc",
            # Every process decodes for itself what a synthesiser decodes once. No opt_dff: it renames.
            "opt_expr -mux_bool",
            "opt_merge",
            "opt_muxtree",
            "opt_reduce",
            "opt_merge",
            "opt_expr -mux_bool",
            "memory_collect",
            "opt_clean",
            f"write_json {output}",
        ]
        result = subprocess.run(
            [yosys, "-q", "-p", "\n".join(script)], capture_output=True, text=True, check=False
        )
        if result.returncode:
            raise ValueError(f"netlist: Verilog must be readable by Yosys, got {result.stderr.strip()}")
        modules: dict[str, Any] = json.loads(output.read_text())["modules"]
    return modules


# ---- word-level cells -------------------------------------------------------------------------------------
# Sizes in two-input NAND gates count transistors of static CMOS: inverter 2, NAND 4, AND 6, XOR 10, mux 10.

_GATES_PER_BIT = {
    "$not": 0.5,
    "$and": 1.5,
    "$or": 1.5,
    "$xor": 2.5,
    "$xnor": 2.5,
    "$mux": 2.5,
}
_GATES_PER_INPUT = {
    "$reduce_and": 1.5,
    "$reduce_or": 1.5,
    "$reduce_bool": 1.5,
    "$reduce_xor": 2.5,
    "$reduce_xnor": 2.5,
    "$logic_not": 1.0,
    "$logic_and": 1.5,
    "$logic_or": 1.5,
    # Half of an XOR and of the AND that joins the bits: two inputs share them.
    "$eq": 2.0,
    "$ne": 2.0,
    "$eqx": 2.0,
    "$nex": 2.0,
}
_ADDERS = {"$add", "$sub", "$neg"}
_ORDERS = {"$lt", "$le", "$gt", "$ge"}
_SHIFTS = {"$shl", "$shr", "$sshl", "$sshr", "$shift", "$shiftx"}
_MUX_GATES = _GATES_PER_BIT["$mux"]


@dataclass(frozen=True, kw_only=True)
class _Cell:
    """A word-level cell: what it drives, what it reads, what a toggle of which bit costs, what leaks."""

    drives: str
    outputs: list[int]
    inputs: list[int]
    charged: list[int]
    weight: float
    leaks: Mapping[str, float]


def _cell(kind: str, parameters: Mapping[str, str], pins: Mapping[str, list[int]], where: str) -> _Cell:
    """Return what a Yosys cell is; raise ValueError for one that has no model here."""
    a, b = pins.get("A", []), pins.get("B", [])
    output = pins.get("Q", pins.get("Y", []))
    inputs = [bit for name, bits in pins.items() if name not in ("Y", "Q", "CLK") for bit in bits]
    a_width = _significant(a, parameters.get("A_SIGNED", "0"))
    b_width = _significant(b, parameters.get("B_SIGNED", "0"))

    def cell(drives: str, charged: list[int], weight: float, **leaks: float) -> _Cell:
        return _Cell(
            drives=drives, outputs=output, inputs=inputs, charged=charged, weight=weight, leaks=leaks
        )

    if re.fullmatch(r"\$(a|al|s)?dffs?r?c?e?", kind):
        return cell("register", output, 1, flip_flop=len(output))
    if kind in _ADDERS:
        added = output[: max(a_width, b_width) + 1]
        return cell("adder", added, 1, full_adder=len(added))
    if kind == "$mul":
        # Energy grows with the cells, width times width; the toggles that it is spread over with their sum.
        product = output[: a_width + b_width]
        weight = (a_width * b_width / 64) * 16 / max(1, a_width + b_width)
        n_cells = a_width * b_width
        return cell("multiplier", product, weight, full_adder=n_cells, nand2=n_cells * _GATES_PER_BIT["$and"])
    if kind in _ORDERS:
        return cell("comparator", a[:a_width] + b[:b_width], 1, full_adder=max(a_width, b_width))
    if kind in _GATES_PER_INPUT:
        charged = a[:a_width] + b[:b_width]
        gates = _GATES_PER_INPUT[kind]
        return cell("logic", charged, gates, nand2=gates * len(charged))
    if kind in _GATES_PER_BIT:
        gates = _GATES_PER_BIT[kind]
        return cell("logic", output, gates, nand2=gates * len(output))
    if kind == "$pmux":
        choices = len(pins["S"])
        # One path of a tree of multiplexers toggles; all of the tree leaks.
        return cell(
            "logic",
            output,
            _MUX_GATES * choices.bit_length(),
            nand2=_MUX_GATES * choices * len(output),
        )
    if kind in _SHIFTS:
        stages = b_width
        return cell(
            "logic", output, _MUX_GATES * stages, nand2=_MUX_GATES * stages * max(a_width, len(output))
        )
    raise ValueError(f"netlist: cell of {where} must be one with an energy model, got {kind}")


def _significant(bits: list[int], signed: str) -> int:
    """Width of an operand without the copies of its sign or the zeros that only extend it."""
    width = len(bits)
    is_signed = int(signed, 2) == 1
    while width > 1 and (bits[width - 1] == 0 or (is_signed and bits[width - 1] == bits[width - 2])):
        width -= 1
    return width


# ---- hierarchy --------------------------------------------------------------------------------------------

_MACRO = re.compile(r"sram_\d+x\d+$|analog_array")
_CONSTANTS = {"0": 0, "1": 1, "x": 0, "z": 0}


class _Walk:
    """Elaboration of a module tree into numbered nets."""

    def __init__(self, modules: Mapping[str, Any]) -> None:
        self._modules = modules
        self._same_as = [0, 1]  # union-find over nets; the constants stay roots
        self._instances: list[InstancePath] = []
        self._module_of: dict[InstancePath, str] = {}
        self._names: dict[tuple[InstancePath, str], list[int]] = {}
        self._cells: list[tuple[int, _Cell]] = []
        self._choices: list[tuple[int, int]] = []  # data input and output of every multiplexer bit
        self._memories: list[Memory] = []
        self._register_files: list[RegisterFile] = []

    def inventory(self, top: str, clock: str) -> Inventory:
        """Walk down from module ``top``."""
        ports = self._modules[top]["ports"]
        outside = {name: self._fresh(len(port["bits"])) for name, port in ports.items()}
        self._instance(top, (), outside)

        root = np.array([self._root(net) for net in range(len(self._same_as))])
        net_class = np.full(len(root), -1)
        net_instance = np.zeros(len(root), int)
        n_readers = np.zeros(len(root), int)
        for name, port in ports.items():
            nets = root[outside[name]]
            if port["direction"] == "input":
                net_class[nets] = _CLOCK if name == clock else _INPUT
            else:
                np.add.at(n_readers, nets, 1)
        for instance, cell in self._cells:
            nets = root[cell.outputs]
            net_class[nets] = NET_CLASSES.index(cell.drives)
            net_instance[nets] = instance
            np.add.at(n_readers, root[cell.inputs], 1)
        net_class[(n_readers == 0) & (net_class != _CLOCK)] = -1
        net_class[:2] = -1
        selector = self._selectors(root, net_class, n_readers)
        net_class[selector != np.arange(len(root))] = -1

        charged = [(instance, cell, bit) for instance, cell in self._cells for bit in cell.charged]
        charge_net = selector[root[[bit for _, _, bit in charged]]]
        is_built = net_class[charge_net] >= 0
        clocked = np.zeros(len(self._instances), int)
        leaking: list[dict[str, float]] = [{} for _ in self._instances]
        for instance, cell in self._cells:
            if cell.drives == "register":
                clocked[instance] += len(cell.outputs)
            for kind, count in cell.leaks.items():
                leaking[instance][kind] = leaking[instance].get(kind, 0) + count
        return Inventory(
            instances=tuple(self._instances),
            modules=self._module_of,
            names={net: root[bits] for net, bits in self._names.items()},
            net_class=net_class,
            net_instance=net_instance,
            charge_net=charge_net[is_built],
            charge_class=np.array([NET_CLASSES.index(cell.drives) for _, cell, _ in charged], int)[is_built],
            charge_weight=np.array([cell.weight for _, cell, _ in charged], float)[is_built],
            charge_instance=np.array([instance for instance, _, _ in charged], int)[is_built],
            cells=tuple(leaking),
            clocked=clocked,
            memories=tuple(
                replace(
                    memory,
                    read_enable=int(root[memory.read_enable]),
                    write_enable=int(root[memory.write_enable]),
                )
                for memory in self._memories
            ),
            register_files=tuple(
                replace(file, write_enable=root[file.write_enable]) for file in self._register_files
            ),
        )

    def _selectors(
        self, root: NDArray[np.int64], net_class: NDArray[np.int64], n_readers: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Return, for each net, the output of the selector that it is inside of; itself where it is not."""
        is_inside = (net_class == NET_CLASSES.index("logic")) & (n_readers == 1)
        for bits in self._names.values():
            is_inside[root[bits]] = False
        output = np.arange(len(root))
        for choice, chosen in self._choices:
            if is_inside[root[choice]]:
                output[root[choice]] = root[chosen]
        while not np.array_equal(output, output[output]):
            output = output[output]
        return output

    def _instance(self, module_name: str, path: InstancePath, ports: Mapping[str, list[int]]) -> None:
        """Number the nets of one instance, whose port bits are the nets ``ports`` of its parent."""
        module = self._modules[module_name]
        instance = len(self._instances)
        self._instances.append(path)
        self._module_of[path] = module_name
        local: dict[int, int] = {}

        def net(bit: int | str) -> int:
            if isinstance(bit, str):
                return _CONSTANTS[bit]
            if bit not in local:
                local[bit] = self._fresh(1)[0]
            return local[bit]

        for name, port in module["ports"].items():
            for bit, outside in zip(port["bits"], ports[name], strict=True):
                if isinstance(bit, str) or bit in local:  # a tied output, or one wire behind two ports
                    self._join(net(bit), outside)
                else:
                    local[bit] = outside
        for name, wire in module["netnames"].items():
            if not wire["hide_name"]:
                self._names[path, name.removeprefix("\\")] = [net(bit) for bit in wire["bits"]]
        for cell_name, cell in module["cells"].items():
            pins = {pin: [net(bit) for bit in bits] for pin, bits in cell["connections"].items()}
            kind, below = cell["type"], (*path, cell_name.removeprefix("\\"))
            if kind == "$mux":
                self._mux(pins, instance)
            elif kind == "$mem_v2":
                self._register_file(cell["parameters"], pins, instance)
            elif kind not in self._modules:
                self._cells.append(
                    (instance, _cell(kind, cell["parameters"], pins, f"{module_name}.{cell_name}"))
                )
            elif _MACRO.match(kind):
                self._macro(kind, self._with_open_pins(kind, pins), instance, below)
            else:
                self._instance(kind, below, self._with_open_pins(kind, pins))

    def _with_open_pins(self, kind: str, pins: Mapping[str, list[int]]) -> dict[str, list[int]]:
        ports = self._modules[kind]["ports"]
        return {name: pins.get(name) or self._fresh(len(port["bits"])) for name, port in ports.items()}

    def _mux(self, pins: Mapping[str, list[int]], instance: int) -> None:
        """Add a multiplexer: a gate where one choice is constant, nothing but a wire where both are."""
        select = pins["S"][0]
        chosen: dict[str, list[tuple[int, int, int]]] = {"$mux": [], "$and": []}
        for a, b, y in zip(pins["A"], pins["B"], pins["Y"], strict=True):
            if a == b:
                self._join(y, a)
            elif (a, b) == (0, 1):
                self._join(y, select)
            else:
                chosen["$and" if a < 2 or b < 2 else "$mux"].append((a, b, y))
                self._choices += [(a, y), (b, y)]
        for kind, bits in chosen.items():
            if bits:
                a_bits, b_bits, y_bits = ([*column] for column in zip(*bits, strict=True))
                self._cells.append(
                    (instance, _cell(kind, {}, {"A": a_bits, "B": b_bits, "S": [select], "Y": y_bits}, kind))
                )

    def _register_file(
        self, parameters: Mapping[str, str], pins: Mapping[str, list[int]], instance: int
    ) -> None:
        depth, width, n_read_ports = (int(parameters[name], 2) for name in ("SIZE", "WIDTH", "RD_PORTS"))
        self._register_files.append(
            RegisterFile(instance=instance, write_enable=np.array(pins["WR_EN"], int))
        )
        cell = _Cell(
            drives="register_file",
            outputs=pins["RD_DATA"],
            inputs=[bit for pin in ("RD_ADDR", "WR_ADDR", "WR_DATA", "WR_EN") for bit in pins[pin]],
            charged=pins["RD_DATA"],
            weight=_MUX_GATES * (depth - 1).bit_length(),
            leaks={"flip_flop": depth * width, "nand2": _MUX_GATES * (depth - 1) * width * n_read_ports},
        )
        self._cells.append((instance, cell))

    def _macro(self, kind: str, pins: Mapping[str, list[int]], instance: int, path: InstancePath) -> None:
        ports = self._modules[kind]["ports"]
        self._module_of[path] = kind
        for pin, bits in pins.items():
            self._names[path, pin] = bits
        size = re.fullmatch(r"sram_(\d+)x(\d+)", kind)
        depth, width = (int(size[1]), int(size[2])) if size else (0, 0)
        cell = _Cell(
            drives="memory" if size else "analog",
            outputs=[
                bit for pin, bits in pins.items() if ports[pin]["direction"] == "output" for bit in bits
            ],
            inputs=[bit for pin, bits in pins.items() if ports[pin]["direction"] == "input" for bit in bits],
            charged=[],
            weight=0,
            leaks={"sram_bit": depth * width} if size else {},
        )
        self._cells.append((instance, cell))
        if not size:
            return
        for pin in ("read_enable", "write_enable", "write_data"):
            if pin not in pins:
                raise ValueError(f"netlist: {kind} must have a port {pin}, got {', '.join(pins)}")
        self._memories.append(
            Memory(
                instance=instance,
                path=path,
                depth=depth,
                width=width,
                write_width=min(width, len(pins["write_data"])),
                read_enable=pins["read_enable"][0],
                write_enable=pins["write_enable"][0],
            )
        )

    def _fresh(self, count: int) -> list[int]:
        first = len(self._same_as)
        nets = list(range(first, first + count))
        self._same_as += nets
        return nets

    def _root(self, net: int) -> int:
        while self._same_as[net] != net:
            self._same_as[net] = self._same_as[self._same_as[net]]
            net = self._same_as[net]
        return net

    def _join(self, a: int, b: int) -> None:
        low, high = sorted((self._root(a), self._root(b)))
        self._same_as[high] = low
