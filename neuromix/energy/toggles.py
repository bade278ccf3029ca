"""Which nets to count; toggles by block, phase and image class: where activity is, and what it depends on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cosim.activity import PHASES, CountedNet, InstancePath, StepToggles

from .netlist import Inventory

__all__ = ["ToggleTable", "block_of", "choose_nets", "tabulate_toggles"]


def choose_nets(inventory: Inventory) -> tuple[CountedNet, ...]:
    """Return few names under which every net is counted that has a name and matters to the energy.

    Simulators are fast because they forget names: each that they must keep costs time. By step every priced
    net counts once, in the instance that drives it, if it has a name there.
    """
    wanted = inventory.priced.copy()
    for memory in inventory.memories:
        wanted[[memory.read_enable, memory.write_enable]] = True
    for file in inventory.register_files:
        wanted[file.write_enable] = True
    wanted[:2] = False  # the constants
    places: dict[tuple[str, str], list[tuple[InstancePath, NDArray[np.int64]]]] = {}
    for (path, name), nets in inventory.names.items():
        places.setdefault((inventory.modules[path], name), []).append((path, nets))
    number = {path: index for index, path in enumerate(inventory.instances)}
    driver = inventory.net_instance

    def width(key: tuple[str, str]) -> int:
        path, nets = places[key][0]
        return int((wanted[nets] & (driver[nets] == number.get(path))).sum())

    # The widest first: it often covers others, which are parts of it.
    order = sorted(places, key=lambda key: (-width(key), *key))
    chosen: dict[tuple[str, str], dict[InstancePath, int]] = {}
    for in_driver in (True, False):
        for key in order:
            for path, nets in places[key]:
                new = np.flatnonzero(wanted[nets] & ((driver[nets] == number.get(path)) | (not in_driver)))
                if new.size:
                    _, first = np.unique(nets[new], return_index=True)
                    by_step = sum(1 << int(bit) for bit in new[first] if inventory.priced[nets[bit]])
                    chosen.setdefault(key, dict.fromkeys((place for place, _ in places[key]), 0))
                    chosen[key][path] |= by_step
                    wanted[nets[new]] = False
    return tuple(
        CountedNet(module=module, instance=path, name=name, by_step=by_step)
        for (module, name), masks in chosen.items()
        for path, by_step in masks.items()
    )


@dataclass(frozen=True, kw_only=True)
class ToggleTable:
    """Toggles per inference of all nets that are priced, each once.

    ``by_phase[block][phase]``; ``by_class[image class]`` for images of that class, if all layers saw some.
    """

    by_phase: Mapping[str, Mapping[str, float]]
    by_class: Mapping[str, float]


def block_of(instance: InstancePath) -> str:
    """Return the kind of block that ``instance`` is in: what designers ask for, over all tiles."""
    if not (instance and instance[0].startswith("tile_")):
        return "host side and barrier"
    return {"core": "cores", "router": "routers"}.get("".join(instance[1:2]), "tiles, other")


def tabulate_toggles(
    steps: StepToggles, counted: range, layers: Mapping[str, int], labels: Sequence[int]
) -> ToggleTable:
    """Return the table of the ``counted`` steps, those of ``steps``.

    ``layers`` are how many steps after the host each tile, by instance name, sees an image; ``labels`` those
    of the images by the step in which they enter.
    """
    toggles = steps.toggles
    blocks: dict[str, dict[str, float]] = {}
    by_delay: dict[int, NDArray[np.int64]] = {}
    for index, instance in enumerate(steps.instances):
        phases = blocks.setdefault(block_of(instance), dict.fromkeys(PHASES[1:], 0.0))
        for phase, name in enumerate(PHASES):
            if name in phases:
                phases[name] += float(toggles[:, phase, index].sum()) / len(counted)
        delay = layers.get("".join(instance[:1]), 0)
        by_delay[delay] = by_delay.get(delay, 0) + toggles[:, :, index].sum(axis=1)
    seen = {delay: np.array(labels[counted.start - delay : counted.stop - delay]) for delay in by_delay}
    in_all = set.intersection(*(set(of_step.tolist()) for of_step in seen.values()))
    return ToggleTable(
        by_phase=blocks,
        by_class={
            str(label): float(sum(by_delay[delay][seen[delay] == label].mean() for delay in by_delay))
            for label in sorted(in_all)
        },
    )
