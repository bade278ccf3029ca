"""The slow way: the golden model, chip by chip."""

import numpy as np
from numpy.typing import NDArray

from analog_models.neuron import MixedSignalNeuronParameters

from ..mapping import MappedNetwork
from ..reference import array_banks, array_models, draw_arrays, simulate_mapped

__all__ = ["simulate_chips_exactly"]


def simulate_chips_exactly(
    mapped: MappedNetwork,
    neuron: MixedSignalNeuronParameters,
    codes: NDArray[np.uint8],
    labels: NDArray[np.integer],
    *,
    chips: range,
) -> NDArray[np.int64]:
    """Return the same from the golden model: chip k is, bit for bit, the chip that seed k gives."""
    return np.array(
        [
            np.count_nonzero(
                simulate_mapped(
                    mapped,
                    codes,
                    array_models(mapped, array_banks(mapped, draw_arrays(mapped, neuron, chip))),
                ).predictions
                == labels
            )
            for chip in chips
        ],
        np.int64,
    )
