"""How fast a divider of transistors follows its current: the nodes of a cell in front of its wires.

A transistor with its gate at the supply takes ``I_0 (exp(-V_S/U_T) - exp(-V_D/U_T))`` in weak inversion (Enz,
Krummenacher and Vittoz, 1995), so in terms of ``exp(-V/U_T)`` a divider is a net of conductances, all alike.
Its nodes are as heavy as the gates whose sources they are, and a small current takes long to move them.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from analog_models.mdac import LOW_BITS, MAGNITUDE_BITS, Topology

__all__ = ["Divider"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Divider:
    """The net of a divider; without any node where nothing is divided.

    Parameters
    ----------
    conductance :
        ``[node, node]``, of the nodal equations, in units.
    fed :
        ``[node]``, current that the mirrors take out of each node at full input [LSB].
    taken :
        ``[bit, node]``, units that bring a bit from each node to a wire.
    gates :
        ``[node]``, units whose source each node is.
    """

    conductance: NDArray[np.float64]
    fed: NDArray[np.float64]
    taken: NDArray[np.float64]
    gates: NDArray[np.float64]

    @classmethod
    def of(cls, topology: Topology) -> Self:
        """Return the divider of a cell."""
        n_bits = MAGNITUDE_BITS
        drained: list[tuple[int, int, int | None]] = []  # node, units, and which bit they make
        between: list[tuple[int, int]] = []  # source and drain of a unit inside
        n_nodes, feed = 0, 0
        if topology.name == "segmented":
            n_nodes = 1
            drained = [*((0, 1 << k, k) for k in range(LOW_BITS)), (0, 1, None)]
        elif topology.name == "m2m":  # nodes: the ladder's from bit 0 up, the middles of the legs, of the end
            n_nodes, feed = 2 * n_bits + 1, n_bits - 1
            drained = [*((n_bits + k, 1, k) for k in range(n_bits)), (2 * n_bits, 1, None)]
            between = [*((k, n_bits + k) for k in range(n_bits)), (0, 2 * n_bits)]
            between += [(k + 1, k) for k in range(n_bits - 1)]
        conductance = np.zeros((n_nodes, n_nodes))
        taken, gates, fed = np.zeros((n_bits, n_nodes)), np.zeros(n_nodes), np.zeros(n_nodes)
        for node, units, bit in drained:
            conductance[node, node] += units
            gates[node] += units
            if bit is not None:
                taken[bit, node] += units
        for source, drain in between:
            conductance[[source, drain], [source, drain]] += 1
            conductance[[source, drain], [drain, source]] -= 1
            gates[source] += 1
        fed[feed : feed + 1] = topology.gate_lsbs
        return cls(conductance=conductance, fed=fed, taken=taken, gates=gates)

    @property
    def at_rest(self) -> NDArray[np.float64]:
        """``exp(-V/U_T)`` of each node at full input, ``[node]``, in units of what takes 1 LSB."""
        return np.array(np.linalg.solve(self.conductance, self.fed), dtype=np.float64)
