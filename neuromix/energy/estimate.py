"""Energy of a simulated chip: toggles, clock edges, memory accesses and leakage, each times its price."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cosim.activity import Activity, InstancePath

from .netlist import NET_CLASSES, Inventory
from .prices import PriceTable
from .toggles import ToggleTable

__all__ = ["LIMITS", "EnergyItem", "EnergyReport", "estimate_energy"]

LIMITS = (
    "Toggles have no delays and so no glitches: that gives 45-64 % of the energy with library delays.",
    "Only the price of a multiplier contains glitches, those inside the array.",
    "Estimates from RTL toggles are within 8-27 % when calibrated on a design; this is calibrated on none.",
    "Prices are from the predictive PTM 65 nm bulk card (2006): high-performance-like, no layout parasitics.",
    "Every net has the same assumed wire of 20 um: nothing was placed. Wires between tiles cost more.",
    "Nothing was mapped to a library: no gate sizing, no restructured logic, no clock gating.",
    "Gates inside a selector are taken to toggle with its output.",
    "Clock buffers, pads, voltage regulators and the host are not included.",
    "Memory energy is scaled from 45 nm, good to a factor of two, with the square root of the capacity.",
    "Low-power leakage is general-purpose leakage / 500, from the ratio of off-currents.",
    "Nets that the simulator did not trace are charged nothing: see the annotated share.",
)
"""What the numbers leave out or assume; belongs under every table of them."""

_COMPONENTS = {
    "register": "registers",
    "adder": "adders",
    "multiplier": "multipliers",
    "comparator": "comparators",
    "logic": "logic",
    "register_file": "register_files",
    "input": "inputs",
    "memory": "memory_outputs",
    "analog": "analog_outputs",
}
_LEAKING = {
    "nand2": "leakage_logic",
    "full_adder": "leakage_arithmetic",
    "flip_flop": "leakage_registers",
    "sram_bit": "leakage_memory",
}


@dataclass(frozen=True, kw_only=True)
class EnergyItem:
    """Energy [J] of one component in one instance of the chip."""

    instance: InstancePath
    component: str
    energy: float


@dataclass(frozen=True, kw_only=True)
class EnergyReport:
    """Where the energy of a run went [J], and what was counted.

    ``items`` add up to the total. Nets that were not annotated are charged nothing: ``annotated_share`` says
    how many were.
    """

    table: str
    clock_hz: float
    supply: float
    temperature: float
    cycles: int
    n_inferences: int
    n_macs: int
    n_sops: int
    items: tuple[EnergyItem, ...]
    n_nets: int
    n_annotated: int
    toggles_by_class: Mapping[str, int]
    accesses: Mapping[str, float]
    toggle_table: ToggleTable | None = None

    @property
    def total(self) -> float:
        """Energy of the whole run [J]."""
        return sum(item.energy for item in self.items)

    @property
    def duration(self) -> float:
        """Time that the run takes at ``clock_hz`` [s]."""
        return self.cycles / self.clock_hz

    @property
    def by_component(self) -> dict[str, float]:
        """Energy [J] of each component, over all instances."""
        return _sums((item.component, item.energy) for item in self.items)

    @property
    def by_instance(self) -> dict[str, dict[str, float]]:
        """Energy [J] of each component of the instances of the two levels below the chip.

        Deeper instances count to the one that holds them; the key of the chip's own cells is ``chip``.
        """
        instances = sorted({item.instance[:2] for item in self.items})
        return {
            "/".join(path) or "chip": _sums(
                (item.component, item.energy) for item in self.items if item.instance[:2] == path
            )
            for path in instances
        }

    @property
    def annotated_share(self) -> float:
        """Part of the net bits whose toggles were counted."""
        return self.n_annotated / self.n_nets if self.n_nets else 0.0

    @property
    def toggles(self) -> int:
        """Toggles of all annotated nets but the clock."""
        return sum(self.toggles_by_class.values())

    @property
    def per_inference(self) -> float | None:
        """Energy [J] per inference; None without one."""
        return self._per(self.n_inferences)

    @property
    def per_mac(self) -> float | None:
        """Energy [J] per multiply-accumulate of the network, whether or not its input was zero."""
        return self._per(self.n_macs)

    @property
    def per_sop(self) -> float | None:
        """Energy [J] per synaptic operation: one weight used because an event came."""
        return self._per(self.n_sops)

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as JSON-ready data with the unit in the key."""
        per_inference, per_mac, per_sop = self.per_inference, self.per_mac, self.per_sop
        return {
            "table": self.table,
            "clock_hz": self.clock_hz,
            "supply_v": self.supply,
            "temperature_k": self.temperature,
            "cycles": self.cycles,
            "duration_s": self.duration,
            "n_inferences": self.n_inferences,
            "n_macs": self.n_macs,
            "n_sops": self.n_sops,
            "energy_pj": _pico(self.total),
            "energy_per_inference_pj": None if per_inference is None else _pico(per_inference),
            "energy_per_mac_fj": None if per_mac is None else _pico(per_mac) * 1e3,
            "energy_per_sop_fj": None if per_sop is None else _pico(per_sop) * 1e3,
            "by_component_energy_pj": {key: _pico(energy) for key, energy in self.by_component.items()},
            "by_instance_energy_pj": {
                instance: {key: _pico(energy) for key, energy in energies.items()}
                for instance, energies in self.by_instance.items()
            },
            "n_nets": self.n_nets,
            "n_annotated": self.n_annotated,
            "annotated_share": self.annotated_share,
            "toggles_per_inference": asdict(self.toggle_table) if self.toggle_table else None,
            "toggles": self.toggles,
            "toggles_by_class": dict(self.toggles_by_class),
            "accesses": dict(self.accesses),
            "limits": list(LIMITS),
        }

    def _per(self, count: int) -> float | None:
        return self.total / count if count else None


def estimate_energy(
    activity: Activity,
    inventory: Inventory,
    table: PriceTable,
    *,
    clock_hz: float,
    supply: float | None = None,
    temperature: float | None = None,
    n_inferences: int,
    n_macs: int,
    n_sops: int,
    analog_energy: Mapping[str, float] | None = None,
) -> EnergyReport:
    """Price the ``activity`` of a chip made of ``inventory``.

    ``clock_hz`` is the clock that the chip would have, which sets how long it leaks; that of the simulation
    does not matter. ``supply`` [V] and ``temperature`` [K] are the table's unless given. ``analog_energy``
    holds the items of the analog model [J], passed on as components ``analog_<item>``.

    Raises MissingPriceError for anything in the chip that the table has no price for, ValueError when nothing
    was annotated or the strobes of a memory were not.
    """
    supply = table.supply if supply is None else supply
    temperature = table.temperature if temperature is None else temperature
    for what, value in (("clock_hz", clock_hz), ("supply", supply), ("temperature", temperature)):
        if value <= 0:
            raise ValueError(f"energy: {what} must be above 0, got {value}")

    nets = _annotate(activity, inventory)
    if not nets.annotated[2:].any():  # nets 0 and 1 are the constants
        raise ValueError("energy: activity must be that of the chip in the inventory, got none of its nets")
    accesses = _accesses(nets, inventory)
    dynamic = [
        *_toggle_items(nets, inventory, table),
        *_clock_items(activity, inventory, table),
        *_register_file_items(nets, inventory, table),
        *_memory_items(accesses, inventory, table),
    ]
    dynamic_scale = table.dynamic_scale(supply)
    items = [
        EnergyItem(instance=item.instance, component=item.component, energy=item.energy * dynamic_scale)
        for item in dynamic
    ]
    leak_seconds = table.leakage_scale(supply, temperature) * activity.cycles / clock_hz
    for instance, cells in zip(inventory.instances, inventory.cells, strict=True):
        for kind, count in cells.items():
            power = count * table.price(f"leakage_{kind}")
            items.append(EnergyItem(instance=instance, component=_LEAKING[kind], energy=power * leak_seconds))
    for name, energy in (analog_energy or {}).items():
        items.append(EnergyItem(instance=(), component=f"analog_{name}", energy=energy))

    return EnergyReport(
        table=table.name,
        clock_hz=clock_hz,
        supply=supply,
        temperature=temperature,
        cycles=activity.cycles,
        n_inferences=n_inferences,
        n_macs=n_macs,
        n_sops=n_sops,
        items=tuple(items),
        n_nets=int(inventory.priced.sum()),
        n_annotated=int((inventory.priced & nets.annotated).sum()),
        toggles_by_class={
            name: int(nets.toggles[inventory.priced & (inventory.net_class == index)].sum())
            for index, name in enumerate(NET_CLASSES)
            if name != "clock"
        },
        accesses={
            "memory_reads": sum(reads for reads, _ in accesses),
            "memory_writes": sum(writes for _, writes in accesses),
        },
    )


@dataclass(frozen=True, kw_only=True)
class _Nets:
    """The activity by net number instead of by name; zero where not annotated."""

    annotated: NDArray[np.bool_]
    toggles: NDArray[np.int64]
    cycles_high: NDArray[np.float64]


def _annotate(activity: Activity, inventory: Inventory) -> _Nets:
    n_nets = len(inventory.net_class)
    annotated = np.zeros(n_nets, bool)
    toggles = np.zeros(n_nets, np.int64)
    cycles_high = np.zeros(n_nets)
    for name, nets in inventory.names.items():
        bits = activity.index.get(name)
        if bits is None:
            continue
        if bits.stop - bits.start != len(nets):
            wire = ".".join((*name[0], name[1]))
            raise ValueError(f"energy: {wire} must be {len(nets)} bits wide, got {bits.stop - bits.start}")
        annotated[nets] = True
        toggles[nets] = activity.toggles[bits]
        cycles_high[nets] = activity.cycles_high[bits]
    for constant in (0, 1):
        annotated[constant], toggles[constant], cycles_high[constant] = True, 0, constant * activity.cycles
    return _Nets(annotated=annotated, toggles=toggles, cycles_high=cycles_high)


def _toggle_items(nets: _Nets, inventory: Inventory, table: PriceTable) -> Iterator[EnergyItem]:
    n_instances = len(inventory.instances)
    for index, name in enumerate(NET_CLASSES):
        driven = inventory.net_class == index
        charged = inventory.charge_class == index
        if name == "clock" or not (driven.any() or charged.any()):
            continue
        price = table.price(name)
        toggles = nets.toggles[inventory.charge_net[charged]] * inventory.charge_weight[charged]
        weighted = np.bincount(inventory.charge_instance[charged], toggles, n_instances)
        yield from _items(inventory, _COMPONENTS[name], weighted * price)
    driver = inventory.net_instance[inventory.priced]
    toggles = np.bincount(driver, nets.toggles[inventory.priced], n_instances)
    yield from _items(inventory, "wires", toggles * table.price("wire"))


def _clock_items(activity: Activity, inventory: Inventory, table: PriceTable) -> Iterator[EnergyItem]:
    price = table.price("clock_pin") + table.price("clock_wire")
    yield from _items(inventory, "clock", inventory.clocked * activity.cycles * price)


def _register_file_items(nets: _Nets, inventory: Inventory, table: PriceTable) -> Iterator[EnergyItem]:
    for file in inventory.register_files:
        if not nets.annotated[file.write_enable].all():
            where = ".".join(inventory.instances[file.instance]) or "chip"
            raise ValueError(f"energy: write enable of a memory in {where} must be traced, got no activity")
        bits_written = nets.cycles_high[file.write_enable].sum()
        yield EnergyItem(
            instance=inventory.instances[file.instance],
            component="register_files",
            energy=float(bits_written * table.price("register_file_write")),
        )


def _accesses(nets: _Nets, inventory: Inventory) -> list[tuple[float, float]]:
    """Return how often each memory was read and written: its strobes' cycles at 1."""
    for memory in inventory.memories:
        for pin, net in (("read_enable", memory.read_enable), ("write_enable", memory.write_enable)):
            if not nets.annotated[net]:
                raise ValueError(f"energy: {'.'.join(memory.path)}.{pin} must be traced, got no activity")
    return [
        (float(nets.cycles_high[memory.read_enable]), float(nets.cycles_high[memory.write_enable]))
        for memory in inventory.memories
    ]


def _memory_items(
    accesses: list[tuple[float, float]], inventory: Inventory, table: PriceTable
) -> Iterator[EnergyItem]:
    for memory, (reads, writes) in zip(inventory.memories, accesses, strict=True):
        scale = table.sram_scale(memory.depth * memory.width)
        for component, bits, price in (
            ("memory_reads", reads * memory.width, table.price("sram_read")),
            ("memory_writes", writes * memory.write_width, table.price("sram_write")),
        ):
            yield EnergyItem(
                instance=inventory.instances[memory.instance],
                component=component,
                energy=bits * price * scale,
            )


def _items(inventory: Inventory, component: str, energies: NDArray[np.floating[Any]]) -> Iterator[EnergyItem]:
    for instance in np.flatnonzero(energies):
        yield EnergyItem(
            instance=inventory.instances[instance], component=component, energy=float(energies[instance])
        )


def _sums(energies: Iterator[tuple[str, float]]) -> dict[str, float]:
    sums: defaultdict[str, float] = defaultdict(float)
    for key, energy in energies:
        sums[key] += energy
    return dict(sums)


def _pico(energy: float) -> float:
    return energy * 1e12
