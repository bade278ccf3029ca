"""Speed of the golden model, of the simulators and of Monte Carlo: `make bench`.

Takes the folder of MNIST's files as its argument, or none. Prints images/s and clock cycles/s of each, and
writes them to build/bench.json. Every simulation is run again for this, with the simulators built before the
clock starts; the best of a few runs counts.
"""

import json
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bench_montecarlo import measure_montecarlo  # first: it sets the threads of BLAS
from rich.console import Console
from rich.table import Table

from cosim.job import run_cosim
from cosim.simulator import SIMULATORS
from neuromix.config import find_experiment, load_experiment
from neuromix.experiment import prepare
from neuromix.flow import cosim_job, generate
from neuromix.reference import simulate_mapped

BUILD = Path("build")
EXPERIMENT = "quickstart"
ROUNDS = 3


def main() -> None:
    """Measure, print, write."""
    experiment = prepare(load_experiment(find_experiment(EXPERIMENT)))
    folder = BUILD / "bench"
    bundles = generate(experiment, folder / "rtl", lambda *_: None)
    n_images = len(experiment.labels)
    found: dict[str, dict[str, float]] = {}
    for name, back_end in experiment.back_ends.items():
        reference = simulate_mapped(experiment.mapped, experiment.codes, back_end.models)
        golden = fastest(lambda: simulate_mapped(experiment.mapped, experiment.codes, back_end.models))  # noqa: B023
        found[f"{name}.golden"] = {"images_per_s": n_images / golden}
        for simulator in SIMULATORS:
            job = cosim_job(experiment, name, bundles[name], simulator, experiment.codes, reference.n_steps)
            run = folder / f"{name}-{simulator}"
            cycles = int(run_cosim(job, run, BUILD / "simulators").step_cycles[-1])
            seconds = fastest(lambda: run_cosim(job, run, BUILD / "simulators", fresh=True))  # noqa: B023
            found[f"{name}.{simulator}"] = {
                "images_per_s": n_images / seconds,
                "cycles_per_s": cycles / seconds,
            }
    table = Table(title=f"{EXPERIMENT}: {n_images} images, best of {ROUNDS}", title_justify="left")
    for heading in ("what", "images/s", "cycles/s", "× golden model"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    for what, figures in found.items():
        golden = found[f"{what.split('.')[0]}.golden"]["images_per_s"]
        table.add_row(
            what.replace("_", "-").replace(".", ", "),
            f"{figures['images_per_s']:,.0f}",
            f"{figures['cycles_per_s']:,.0f}" if "cycles_per_s" in figures else "",
            f"{figures['images_per_s'] / golden:.3g}",
        )
    Console().print(table)
    machine = {
        "processors": os.cpu_count(),
        "python": platform.python_version(),
        "machine": platform.machine(),
    }
    montecarlo = measure_montecarlo(Path(sys.argv[1]) if sys.argv[1:] else None)
    for name, figure in montecarlo.items():
        print(f"Monte Carlo, {name}: {figure if isinstance(figure, str) else f'{figure:.3g}'}")
    path = BUILD / "bench.json"
    figures = {"cosim": found, "images": n_images, "montecarlo": montecarlo, "machine": machine}
    path.write_text(json.dumps(figures, indent=2) + "\n")
    print(path)


def fastest(run: Callable[[], object]) -> float:
    """Return the shortest of a few times that ``run`` takes [s]."""
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


if __name__ == "__main__":
    main()
