"""Speed of the golden model, of every way to simulate the RTL, and of Monte Carlo: `make bench`.

Takes the folder of MNIST's files as its argument; without it the images of `quickstart` are taken, and random
codes for Monte Carlo. The mixed-signal chip is simulated in every way, with the simulators built before the
clock starts:

- bare Verilator: the compiled harness alone. It plays the arrays' codes that a run before has found, and
  keeps nothing of what the arrays see. No Python runs.
- compiled: a whole run, as `neuromix cosim` does it: inputs are written, the harness runs, the arrays' models
  answer what was seen, events are read.
- counting: the same, and every toggle of every net is counted, under one name of each.
- cocotb on Verilator: Python is woken in every time step, the clock is in a C++ main of ours.
- stock, on Verilator and on Icarus: the same with nothing but what cocotb brings, the clock in Verilog.

They take turns, and medians of the ratios of a round count, so that what else the machine does meets all of
them alike; the slow ones take fewer turns. Times are on the wall and include loading. Icarus runs once, on
few images. What was found is printed and written to build/bench.json.
"""

import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from bench_montecarlo import measure_montecarlo  # first: it sets the threads of BLAS
from rich.console import Console
from rich.table import Table

from cosim import compiled, simulator
from cosim.job import CosimJob, run_cosim
from neuromix.config import find_experiment, load_experiment
from neuromix.energy.netlist import read_inventory
from neuromix.energy.toggles import choose_nets
from neuromix.experiment import Experiment, prepare
from neuromix.flow import cosim_job, generate
from neuromix.reference import simulate_mapped
from rtl_gen.emit import CHIP_MODULE

BUILD = Path("build")
FOLDER, SIMULATORS = BUILD / "bench", BUILD / "simulators"
BACK_END = "mixed_signal"
N_IMAGES, N_IMAGES_ICARUS = 1000, 20
ROUNDS, ROUNDS_SLOW = 30, 3
SLOW = ("counting", "cocotb_verilator", "stock_verilator")


def main() -> None:
    """Measure, print, write."""
    data = Path(sys.argv[1]) if sys.argv[1:] else None
    cosim = measure_cosim(prepare_experiment(data))
    montecarlo = measure_montecarlo(data)
    for name, figure in montecarlo.items():
        print(f"Monte Carlo, {name}: {figure if isinstance(figure, str) else f'{figure:.3g}'}")
    machine = {
        "processors": os.cpu_count(),
        "python": platform.python_version(),
        "machine": platform.machine(),
    }
    path = BUILD / "bench.json"
    path.write_text(
        json.dumps({"cosim": cosim, "montecarlo": montecarlo, "machine": machine}, indent=2) + "\n"
    )
    print(path)


def prepare_experiment(data: Path | None) -> Experiment:
    """Return `mnist` with the images in ``data``, or `quickstart`."""
    if data is None:
        return prepare(load_experiment(find_experiment("quickstart")))
    overrides = {"images": N_IMAGES, "data": {"kind": "idx", "path": str(data.absolute())}}
    return prepare(load_experiment(find_experiment("mnist"), overrides))


def measure_cosim(experiment: Experiment) -> dict[str, object]:
    """Return images/s and cycles/s of every way, and the ratios to bare Verilator."""
    chip = replace(experiment, back_ends={BACK_END: experiment.back_ends[BACK_END]})
    bundle = generate(chip, FOLDER / "rtl", lambda *_: None)[BACK_END]
    models = experiment.back_ends[BACK_END].models
    reference = simulate_mapped(experiment.mapped, experiment.codes, models)
    nets = choose_nets(read_inventory([*bundle.sources, *bundle.stubs], CHIP_MODULE))
    few = experiment.codes[:N_IMAGES_ICARUS]
    n_images = len(experiment.labels)

    def job(name: simulator.SimulatorName, codes=experiment.codes, **changes: object) -> CosimJob:
        n_steps = len(codes) + experiment.mapped.depth
        job = cosim_job(experiment, BACK_END, bundle, name, codes, n_steps, guess=reference.answers)
        return replace(job, **changes)

    jobs = {
        "compiled": job("verilator", bridge="compiled"),
        "counting": job("verilator", trace="counts", counted=nets),
        "cocotb_verilator": job("verilator", bridge="cocotb"),
        "stock_verilator": job("verilator", bridge="stock"),
        "cocotb_icarus": job("icarus", codes=few),
    }

    def run(name: str) -> int:
        """Simulate in one way; return clock cycles after loading."""
        return int(run_cosim(jobs[name], FOLDER / name, SIMULATORS, fresh=True).step_cycles[-1])

    builds: list[simulator.SimulatorBuild] = []
    relax = compiled.relax
    compiled.relax = lambda design, *rest: builds.append(design) or relax(design, *rest)
    cycles = {name: run(name) for name in jobs if name != "cocotb_icarus"}  # builds, too
    compiled.relax = relax

    def bare() -> None:
        steps = f"+steps={reference.n_steps}"
        arguments = ["+first_step=0", steps, "+watchdog=100000", "+stall=0", "+blind"]
        simulator.run_program(builds[0], folder=FOLDER / "compiled", plusargs=arguments)

    ways: dict[str, Callable[[], object]] = {
        "bare": bare,
        **{name: lambda name=name: run(name) for name in cycles},
        "golden": lambda: simulate_mapped(experiment.mapped, experiment.codes, models),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for done in range(ROUNDS):
        for name, way in ways.items():
            if done < ROUNDS_SLOW or name not in SLOW:
                times[name].append(seconds(way))
    run("cocotb_icarus")  # builds
    icarus_cycles: list[int] = []
    icarus = seconds(lambda: icarus_cycles.append(run("cocotb_icarus")))
    cycles |= {"bare": cycles["compiled"]}

    found: dict[str, dict[str, float]] = {}
    for name, taken in times.items():
        found[name] = {"images_per_s": n_images / statistics.median(taken)}
        if name in cycles:
            found[name]["cycles_per_s"] = cycles[name] / statistics.median(taken)
        found[name]["time_to_bare"] = statistics.median(
            one / other for one, other in zip(taken, times["bare"], strict=False)
        )
    found["cocotb_icarus"] = {
        "images_per_s": len(few) / icarus,
        "cycles_per_s": icarus_cycles[0] / icarus,
        "time_to_bare": icarus / len(few) * found["bare"]["images_per_s"],
    }
    print_table(experiment.config.title, n_images, found)
    return {
        **found,
        "ratio_to_bare": found["compiled"]["time_to_bare"],
        "counting_to_compiled": statistics.median(
            one / other for one, other in zip(times["counting"], times["compiled"], strict=False)
        ),
        "experiment": experiment.config.name,
        "images": n_images,
        "images_icarus": len(few),
    }


def print_table(title: str, n_images: int, found: dict[str, dict[str, float]]) -> None:
    """Print what was found of every way."""
    table = Table(
        title=f"{title}, mixed-signal: {n_images} images ({N_IMAGES_ICARUS} on Icarus)",
        title_justify="left",
    )
    for heading in ("what", "images/s", "cycles/s", "time to bare"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    labels = {
        "bare": "bare Verilator",
        "compiled": "compiled harness",
        "counting": "compiled harness, counting toggles",
        "cocotb_verilator": "cocotb, Verilator",
        "stock_verilator": "stock cocotb, Verilator",
        "cocotb_icarus": "stock cocotb, Icarus",
        "golden": "golden model",
    }
    for name, label in labels.items():
        figures = found[name]
        table.add_row(
            label,
            f"{figures['images_per_s']:,.1f}",
            f"{figures['cycles_per_s']:,.0f}" if "cycles_per_s" in figures else "",
            f"{figures['time_to_bare']:.3g}",
        )
    Console().print(table)


def seconds(run: Callable[[], object]) -> float:
    """Return how long ``run`` takes [s]."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
