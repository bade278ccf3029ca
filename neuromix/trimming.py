"""What trimming is worth: many manufactured chips of one design, each before and after its calibration."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analog_models.array import ArrayBank
from analog_models.bank import MixedSignalNeuronBank
from cosim.job import AnalogArrays

from .calibration import CalibrationPlan, Trims, find_trims
from .experiment import Experiment
from .reference import array_banks, array_models, draw_arrays, simulate_mapped

__all__ = ["ChipState", "TrimmedChip", "TrimmingSummary", "summarise", "trim_chips"]


@dataclass(frozen=True, kw_only=True, eq=False)
class ChipState:
    """A chip with certain trims.

    Parameters
    ----------
    accuracy :
        Share of the test images that it classifies correctly.
    offset :
        ``[neuron]``, offset of every neuron in use, trim included [LSB].
    gain :
        ``[neuron]``, relative error of its current-to-voltage gain, trim included.
    """

    accuracy: float
    offset: NDArray[np.float64]
    gain: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class TrimmedChip:
    """One manufactured chip with all trims at 0, and with those that it finds."""

    untrimmed: ChipState
    trimmed: ChipState


def trim_chips(experiment: Experiment, plan: CalibrationPlan, seeds: Iterable[int]) -> Iterator[TrimmedChip]:
    """Yield the chip of each seed. That of the experiment's own seed is the one that is co-simulated."""
    mapped = experiment.mapped
    drawn = experiment.back_ends["mixed_signal"].arrays
    if drawn is None:
        raise ValueError("trimming: back end mixed_signal must have analog arrays, got none")

    def state(arrays: AnalogArrays, trims: Trims) -> ChipState:
        banks = array_banks(mapped, arrays, trims)
        run = simulate_mapped(mapped, experiment.codes, array_models(mapped, banks))
        used = [(_trimmable(banks[core.position]), core.n_neurons) for core in mapped.cores]
        return ChipState(
            accuracy=float(np.mean(run.predictions == experiment.labels)),
            offset=np.concatenate([bank.offset[:n_neurons] for bank, n_neurons in used]),
            gain=np.concatenate([bank.gain_error[:n_neurons] for bank, n_neurons in used]),
        )

    for seed in seeds:
        arrays = draw_arrays(mapped, drawn.parameters, seed, drawn.evaluation_time)
        yield TrimmedChip(
            untrimmed=state(arrays, {}), trimmed=state(arrays, find_trims(mapped, arrays, plan))
        )


def _trimmable(bank: ArrayBank) -> MixedSignalNeuronBank:
    if not isinstance(bank, MixedSignalNeuronBank):
        raise ValueError(f"trimming: arrays must have converters, got {type(bank).__name__}")
    return bank


@dataclass(frozen=True, kw_only=True)
class TrimmingSummary:
    """Many chips in one state; ``n_good`` of them are at least as accurate as was asked for.

    ``offset_rms_lsb`` and ``gain_deviation``, the relative one from the average gain, are over all neurons in
    use of all chips.
    """

    accuracies: tuple[float, ...]
    n_good: int
    offset_rms_lsb: float
    gain_deviation: float

    @property
    def mean(self) -> float:
        """Accuracy of the average chip."""
        return float(np.mean(self.accuracies))

    @property
    def worst(self) -> float:
        """Accuracy of the worst chip."""
        return min(self.accuracies)


def summarise(chips: Sequence[ChipState], good: float) -> TrimmingSummary:
    """Return the summary of ``chips``, of which those are good that classify the share ``good`` or more."""
    offsets = np.concatenate([chip.offset for chip in chips])
    gains = 1 + np.concatenate([chip.gain for chip in chips])
    return TrimmingSummary(
        accuracies=tuple(chip.accuracy for chip in chips),
        n_good=sum(chip.accuracy >= good for chip in chips),
        offset_rms_lsb=float(np.sqrt(np.mean(np.square(offsets)))),
        gain_deviation=float(gains.std() / gains.mean()),
    )
