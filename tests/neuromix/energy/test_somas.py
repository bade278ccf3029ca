"""The spiking neuron twice, on the same drive: membrane and digital soma, joules per step side by side."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from analog_models.spiking import SpikingNeuronParameters
from cosim import simulator
from cosim.activity import read_saif
from neuromix.energy.estimate import estimate_energy
from neuromix.energy.netlist import read_inventory
from neuromix.energy.prices import load_table
from rtl_gen.emit import emit_verilog
from rtl_gen.neuron.lif import LifParameters

PAGE = Path(__file__).parents[3] / "docs" / "spiking.md"
BUILDS = Path(__file__).parents[3] / "build" / "tests" / "simulators"
STEP_TIME, THRESHOLD, LEAK_SHIFT = 10e-6, 1000, 4
DRIVE = np.random.default_rng(1).integers(0, 260, (2000, 1))
SOMA = LifParameters(membrane_width=12, leak_shift=LEAK_SHIFT, reset="zero", refractory_steps=1)
TIME_CONSTANT = STEP_TIME / -np.log1p(-(2.0**-LEAK_SHIFT))
MEMBRANE = SpikingNeuronParameters(leak_conductance=100e-15 / TIME_CONSTANT, refractory_time=STEP_TIME)


def page_figure(row: str) -> float:
    """Return the pJ per step that the page gives for a row of its table."""
    found = re.search(rf"^\| {re.escape(row)} \|.*\| ([\d.]+) \|$", PAGE.read_text(), re.MULTILINE)
    assert found, f"the page has no row {row!r}"
    return float(found[1])


def test_membrane_takes_what_the_page_says() -> None:
    bank = MEMBRANE.bank(
        MEMBRANE.draw(1, 1, np.random.default_rng(1)),
        weights=np.zeros((1, 1), dtype=int),
        threshold=THRESHOLD,
        step_time=STEP_TIME,
        noise_seed=1,
    )
    charge = MEMBRANE.membrane_capacitance * MEMBRANE.swing / THRESHOLD
    run = bank.run_currents(DRIVE * charge / STEP_TIME)
    expected = int(SOMA.simulate(DRIVE, THRESHOLD)[0].sum())
    assert run.spikes.sum() == pytest.approx(expected, rel=0.15), "not the same work"
    total = sum(bank.energy(run).values()) / len(DRIVE) * 1e12
    assert total == pytest.approx(page_figure("membrane"), rel=0.01)


@pytest.mark.cosim
@pytest.mark.verilator
@pytest.mark.yosys
def test_digital_soma_takes_what_the_page_says(test_folder: Path) -> None:
    try:
        simulator.find_simulator("verilator")
    except simulator.SimulatorNotFoundError as error:
        pytest.skip(str(error))
    sources = []
    for name, text in emit_verilog(SOMA.create(), "top").items():
        (test_folder / name).write_text(text)
        sources.append(test_folder / name)
    load = {
        "drive": DRIVE[:, 0].tolist(),
        "threshold": THRESHOLD,
        "spikes": int(SOMA.simulate(DRIVE, THRESHOLD)[0].sum()),
    }
    assert load["spikes"] > 100
    design = simulator.build("verilator", sources=sources, top="top", cache=BUILDS, trace="saif")
    simulator.run(
        design,
        test_module="testbenches.neuron.lif_load",
        folder=test_folder,
        environment={"NEUROMIX_BENCH": json.dumps(load)},
        trace_file=test_folder / "run.saif",
    )
    activity = read_saif(test_folder / "run.saif", "top")
    inventory = read_inventory(sources, "top")
    for table in ("ptm65-gp", "ptm65-lp"):
        report = estimate_energy(
            activity,
            inventory,
            load_table(table),
            clock_hz=1 / STEP_TIME,
            n_inferences=1,
            n_macs=0,
            n_sops=len(DRIVE),
        )
        per_step = report.total / len(DRIVE) * 1e12
        assert report.annotated_share == 1
        assert per_step == pytest.approx(page_figure(f"digital soma, {table}"), rel=0.01)
