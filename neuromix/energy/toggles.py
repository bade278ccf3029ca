"""Toggles by block, phase and image class: where the activity is, and whether it depends on the image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cosim.activity import PHASES, InstancePath, StepToggles

__all__ = ["ToggleTable", "block_of", "tabulate_toggles"]


@dataclass(frozen=True, kw_only=True)
class ToggleTable:
    """Toggles per inference of all nets but clocks.

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
