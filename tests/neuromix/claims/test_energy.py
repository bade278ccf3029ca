"""The answer about energy: consistent with the neurons that it is made of."""

import math

import pytest

from neuromix.claims.energy import EnergyAnswer
from neuromix.claims.verdict import judge_energy
from neuromix.energy.frequency import DigitalNeuron, total
from neuromix.energy.prices import load_table

pytestmark = [pytest.mark.cosim, pytest.mark.icarus, pytest.mark.yosys]


def test_base_case_is_the_ratio_of_its_neurons(energy: EnergyAnswer) -> None:
    table = load_table("ptm65-gp")
    for name, curve in energy.base_case.against.items():
        neuron = DigitalNeuron.counted(table, n_inputs=9, parallel=name == "parallel", clock_max=1e9)
        for rate, ratio in zip(energy.rates, curve.ratio, strict=True):
            expected = total(neuron.energy(rate)) / total(energy.base.energy(rate))
            assert ratio == pytest.approx(expected, rel=1e-12)
        assert curve.minimum == min(curve.ratio)


def test_sweep_has_ten_points_in_a_decade(energy: EnergyAnswer) -> None:
    assert len(energy.rates) == 61
    assert energy.rates[0] == pytest.approx(1e3)
    assert energy.rates[-1] == pytest.approx(1e9)
    assert energy.shown_rates == (1e3, 1e6, 1e8, 1e9)
    assert energy.at(energy.rates, 1.1e6) == pytest.approx(1e6)


def test_every_neuron_topology_and_bias_has_a_curve(energy: EnergyAnswer) -> None:
    names = {curve.name for curve in energy.curves}
    current = {f"{topology}-{bias}" for topology in ("m2m", "segmented", "full_binary")
               for bias in ("fixed", "scaled", "gated")}  # fmt: skip
    digital = {f"{name}-{route}" for name in ("parallel", "serial") for route in ("counted", "photo")}
    assert names == current | digital | {"c2c-scaled"}
    for curve in energy.curves:
        finite = [value for value in curve.energy_per_mac if math.isfinite(value)]
        assert len(finite) == (51 if curve.name.endswith("fixed") else 61), curve.name
        assert min(finite) > 0


def test_every_sensitivity_asked_for_is_there_and_unique(energy: EnergyAnswer) -> None:
    labels = [case.label for case in energy.sensitivities]
    assert len(labels) == len(set(labels))
    parts = "low power, weight memory, ADC, worst-case settling, fan-in 16, temperature, generated Verilog"
    for part in (*parts.split(", "), "fixed bias", "gated bias", "full binary", "segmented", "C-2C"):
        assert any(part in label for label in labels), part


@pytest.mark.parametrize(
    "label", ["ADC per result", "worst-case settling, offset FS/8", "bias above leakage", "full binary"]
)
def test_what_costs_the_mixed_signal_neuron_lowers_every_ratio(energy: EnergyAnswer, label: str) -> None:
    for name, curve in energy.case(label).against.items():
        base = energy.base_case.against[name]
        assert all(ratio <= at_base for ratio, at_base in zip(curve.ratio, base.ratio, strict=True))
        assert curve.minimum < base.minimum


def test_both_routes_and_both_drives_are_shown(energy: EnergyAnswer) -> None:
    shown = [(lane.neuron.name, lane.neuron.n_inputs, lane.drive) for lane in energy.lanes]
    assert shown[:2] == [("parallel", 9, "uniform random codes"), ("serial", 9, "uniform random codes")]
    assert shown[2:] == [
        (name, n_inputs, drive)
        for name, n_inputs in (("parallel", 9), ("serial", 9), ("serial", 16))
        for drive in ("random", "photo")
    ]
    for lane in energy.lanes[2:]:
        assert math.fsum(lane.items.values()) == pytest.approx(lane.neuron.energy_per_mac, rel=1e-9)


def test_energy_claims_are_judged_from_the_numbers(energy: EnergyAnswer) -> None:
    claims = {claim.name: claim for claim in judge_energy(energy)}
    assert list(claims) == ["energy-orders", "energy-100x", "energy-femtojoule"]
    hundred = claims["energy-100x"]
    assert hundred.numbers["ratio_min_parallel"] == energy.base_case.against["parallel"].minimum
    assert hundred.outcome == ("holds if" if any(case.holds for case in energy.sensitivities)
                               else "does not hold because")  # fmt: skip
    met = next(condition for condition in hundred.conditions if condition.startswith("met: "))
    labels = [case.label for case in energy.sensitivities if case.holds]
    assert met.removeprefix("met: ").split("; ") == (labels or ["in no case"])
