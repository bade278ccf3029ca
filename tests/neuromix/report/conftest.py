"""A report like those that a run makes, with invented numbers."""

import numpy as np
import pytest

from neuromix.report.summary import (
    Accuracy,
    Agreement,
    AnalogParameter,
    BackEndResult,
    ChipSummary,
    Conversion,
    NetworkSummary,
    Phase,
    Price,
    Raster,
    Report,
    Trace,
    VerilogFile,
)

DIGITAL = {
    "multipliers": 5210.0,
    "adder tree": 2140.0,
    "registers": 1870.0,
    "clock": 2950.0,
    "synapse memory": 4420.0,
    "routers": 310.0,
    "requantisation": 96.4,
    "barrier and host": 41.2,
    "leakage": 780.0,
}
ANALOG = {
    "MDAC array": 412.0,
    "input DACs": 58.3,
    "ADC": 276.0,
    "reset switches": 3.1,
    "registers": 640.0,
    "clock": 720.0,
    "synapse memory": 0.0,
    "routers": 310.0,
    "requantisation": 12.5,
    "barrier and host": 41.2,
    "leakage": 121.0,
}
FACTORS = {"parallel": 1.0, "serial": 1.64}
BLOCKS = {
    "core 0,1 (hidden)": 0.71,
    "core 1,1 (output)": 0.18,
    "routers": 0.09,
    "host": 0.0199,
    "barrier": 0.0001,
}


def make_back_end(name: str, rng: np.random.Generator, *, n_errors: int) -> BackEndResult:
    confusion = np.diag(np.full(10, 30))
    for true, shift in zip(rng.integers(0, 10, n_errors), rng.integers(1, 10, n_errors), strict=True):
        confusion[true, true] -= 1
        confusion[true, (true + shift) % 10] += 1
    components = ANALOG if name == "mixed_signal" else {k: v * FACTORS[name] for k, v in DIGITAL.items()}
    energy = sum(components.values())
    cycles = {"parallel": 122.0, "serial": 2304.5, "mixed_signal": 148.0}[name]
    return BackEndResult(
        name=name,
        simulator="verilator",
        accuracy=Accuracy(correct=300 - n_errors, total=300),
        confusion=confusion.tolist(),
        cycles_per_inference=cycles,
        clock_hz=100e6,
        latency_s=3 * cycles / 100e6,
        components=components,
        by_block={block: share * energy for block, share in BLOCKS.items()},
        energy_per_inference_pj=energy,
        energy_per_mac_fj=energy / 2.368,
        energy_per_sop_fj=energy / 1.41,
        toggles_per_inference=1.2e6 * cycles / 2000,
        annotated_share=1.0 if name == "parallel" else 0.987,
        images_per_second=412.0,
    )


def make_raster(rng: np.random.Generator, populations: dict[str, int], *, n_steps: int = 12) -> Raster:
    payload = rng.integers(0, 256, (sum(populations.values()), n_steps))
    payload[rng.random(payload.shape) < 0.55] = 0
    row, step = np.nonzero(payload)
    return Raster(
        populations=populations,
        first_step=40,
        n_steps=n_steps,
        payload_max=255,
        step=(40 + step).tolist(),
        row=row.tolist(),
        payload=payload[row, step].tolist(),
        captions=[f"a {step % 10}" for step in range(n_steps)],
    )


def make_trace() -> Trace:
    """Three time steps of 60 ns: reset, settle to the sum, hold while the ADC converts."""
    time = np.arange(0, 180e-9, 0.5e-9)
    inside = time % 60e-9
    goals = np.array([[0.31, -0.08, 0.21], [0.02, 0.18, -0.12], [-0.22, 0.40, 0.05]])
    goal = goals[:, (time // 60e-9).astype(int)]
    voltage = np.where(inside < 10e-9, goal * 0, goal * -np.expm1(-(inside - 10e-9) / 5e-9))
    starts = [60e-9 * step for step in range(3)]
    return Trace(
        neurons=["hidden 3", "hidden 17", "output 7"],
        time_s=time.tolist(),
        node_voltage_v=voltage.tolist(),
        full_scale_v=0.5,
        phases=[
            Phase(name=name, start_s=start + low, end_s=start + high)
            for start in starts
            for name, low, high in (
                ("reset", 0, 10e-9),
                ("evaluate", 10e-9, 40e-9),
                ("convert", 40e-9, 60e-9),
            )
        ],
        conversions=[
            Conversion(time_s=start + 58e-9, codes=np.rint(goals[:, step] * 510).clip(0).astype(int).tolist())
            for step, start in enumerate(starts)
        ],
    )


def make_report(**changes: object) -> Report:
    rng = np.random.default_rng(seed=7)
    fields: dict[str, object] = {
        "name": "quickstart",
        "title": "Handwritten digits on a 2 × 1 mesh",
        "seed": 1,
        "command": "neuromix run quickstart --seed 1",
        "versions": {
            "neuromix": "0.1.0",
            "amaranth": "0.5.10",
            "verilator": "5.048",
            "Icarus Verilog": "11.0",
        },
        "network": NetworkSummary(
            name="digits",
            layers=(64, 32, 10),
            synapses=2410,
            macs=2368,
            float_accuracy=0.9778,
            quantized_accuracy=0.975,
            saturated_weights=0,
            provenance={"data": "scikit-learn digits, 1,797 images", "trained by": "train.py, seed 0"},
        ),
        "chip": ChipSummary(
            mesh_width=2,
            mesh_height=1,
            tiles_used=2,
            axons_per_core=68,
            neurons_per_core=32,
            clock_hz=100e6,
            memory_bits=38912,
            verilog=(
                VerilogFile(name="chip.v", size_bytes=48213),
                VerilogFile(name="tile_parallel.v", size_bytes=312844),
            ),
            lint={
                "icarus -Wall": "clean",
                "verilator --lint-only -Wall": "clean, 4 waivers",
                "yosys": "clean",
            },
        ),
        "back_ends": (
            make_back_end("parallel", rng, n_errors=8),
            make_back_end("serial", rng, n_errors=8),
            make_back_end("mixed_signal", rng, n_errors=13),
        ),
        "agreements": tuple(
            Agreement(
                back_end=back_end,
                simulator=simulator,
                images=300,
                events_compared=9182,
                differences=0,
                events_sent=21417,
                events_received=21417,
                lost=0,
                duplicated=0,
            )
            for back_end in ("parallel", "serial", "mixed_signal")
            for simulator in ("icarus", "verilator")
        ),
        "prices": (
            Price(
                key="toggle.multiplier",
                value=1.93,
                unit="fJ",
                source="physics guide, 8x8 array multiplier, 0.56 pJ",
                conditions="1.0 V, 25 °C, typical, transistor level",
            ),
        ),
        "limits": ("Toggles are counted once per clock cycle: glitches are not in them.",),
        "analog": (
            AnalogParameter(name="thermal noise", value="0.32 mV rms", note="1.0e-7 V², 0.16 LSB of 0.5 V"),
            AnalogParameter(name="unit current", value="10 nA"),
        ),
        "raster": make_raster(rng, {"input": 64, "hidden": 32, "output": 10}),
        "trace": make_trace(),
    }
    return Report(**(fields | changes))


@pytest.fixture(scope="session")
def report() -> Report:
    return make_report()
