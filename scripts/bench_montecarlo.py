"""Speed and memory of Monte Carlo against bare matrix products: part of `make bench`.

20 chips, 10,000 images, 784-100-10, one core. Rounds of Monte Carlo, of the same products by BLAS alone and,
where it is installed, of aihwkit's analog tile take turns, and medians of their ratios count, so that what
else the machine does meets all of them alike. The products are all of the network's, in float32: one of
[2000, 784] by [784, 10000] for the first layer, and 20 of [10, 100] by [100, 10000]. Times are of the
processor, not of the clock on the wall.

Run by itself it prints the largest memory [MiB] that one such run needs, the interpreter included.
"""

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read once, when NumPy is loaded

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_info, threadpool_limits

from analog_models.neuron import MixedSignalNeuronParameters
from neuromix.montecarlo import simulate_chips
from neuromix.network.datasets import load_idx, to_codes
from neuromix.network.network import Network
from neuromix.network.quantize import QuantizedNetwork, quantize

__all__ = ["measure_montecarlo"]

N_CHIPS, N_IMAGES, ROUNDS = 20, 10_000, 7
NETWORK = Path(__file__).parents[1] / "neuromix" / "experiments" / "networks" / "mnist-784-100-10.npz"
CORE = MixedSignalNeuronParameters(conductance_factor=0, droop_factor=0, flicker_factor=0, adc_factor=0)
"""Mismatch, offset, thermal noise and compression: all that needs no product beyond the network's own."""


def measure_montecarlo(data: Path | None) -> dict[str, float | str]:
    """Return the ratios to bare products and to aihwkit, chips per second, and the peak memory."""
    network = quantize(Network.load(NETWORK))
    codes, source = _codes(data)
    labels = network.classify(codes)
    designs = {"": CORE, "every_flaw_": MixedSignalNeuronParameters()}
    with threadpool_limits(1):
        bare, tile = _bare_products(codes), _aihwkit_tile(codes)
        runs = {name: _run(network, neuron, codes, labels) for name, neuron in designs.items()}
        times: dict[str, list[float]] = {"bare": [], **{name: [] for name in runs}}
        for _ in range(ROUNDS):
            for name, run in {"bare": bare, **runs}.items():
                times[name].append(_processor_time(run))
        tile_time = statistics.median(_processor_time(tile) for _ in range(3)) if tile else None
    found: dict[str, float | str] = {"images": source, "chips": N_CHIPS, "images_per_chip": N_IMAGES}
    found["live_inputs"] = int(codes.any(axis=0).sum())
    found["blas_s"] = statistics.median(times["bare"])
    for name in runs:
        ratios = [run / product for run, product in zip(times[name], times["bare"], strict=True)]
        found[f"{name}ratio_to_blas"] = statistics.median(ratios)
        found[f"{name}chips_per_s"] = N_CHIPS / statistics.median(times[name])
    if tile_time:
        found["times_faster_than_aihwkit"] = tile_time / statistics.median(times[""])
    peak = subprocess.run([sys.executable, __file__], check=True, capture_output=True, text=True).stdout
    found["peak_mib"] = float(peak)
    (blas,) = [info for info in threadpool_info() if info["user_api"] == "blas"][:1] or [{}]
    found["blas"] = f"{blas.get('internal_api')} {blas.get('version')} {blas.get('architecture')}"
    if "OPENBLAS_CORETYPE" in os.environ:
        found["warning"] = "OPENBLAS_CORETYPE is set: it can halve the speed of BLAS"
    return found


def _run(
    network: QuantizedNetwork,
    neuron: MixedSignalNeuronParameters,
    codes: NDArray[np.uint8],
    labels: NDArray[np.int64],
) -> Callable[[], object]:
    return lambda: simulate_chips(network, neuron, codes, labels, chips=range(N_CHIPS), seed=1)


def _processor_time(run: Callable[[], object]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


def _codes(data: Path | None) -> tuple[NDArray[np.uint8], str]:
    """Return activation codes [image, pixel]: of the images in ``data``, or as many that are as sparse."""
    if data:
        images = load_idx(data).test_images
        return np.resize(to_codes(images), (N_IMAGES, images.shape[1])), "test images of the data folder"
    rng = np.random.default_rng(1)
    codes = np.zeros((N_IMAGES, 28, 28), np.uint8)
    for image in codes:  # one by one, to need no memory; MNIST lights 668 pixels, 19 % of all 784 at once
        lit = rng.random((26, 26), np.float32) < 0.224
        image[1:27, 1:27] = lit * rng.integers(1, 256, lit.shape, np.uint8)
    return codes.reshape(N_IMAGES, -1), "random codes, as sparse as MNIST"


def _bare_products(codes: NDArray[np.uint8]) -> Callable[[], object]:
    rng = np.random.default_rng(2)
    first = rng.standard_normal((N_CHIPS * 100, 784), np.float32)
    second = rng.standard_normal((10, 100), np.float32)
    inputs = np.ascontiguousarray(codes.T, np.float32)
    hidden = np.empty((N_CHIPS * 100, N_IMAGES), np.float32)
    outputs = np.empty((10, N_IMAGES), np.float32)

    def run() -> None:
        np.matmul(first, inputs, out=hidden)
        for chip in range(N_CHIPS):
            np.matmul(second, hidden[100 * chip : 100 * (chip + 1)], out=outputs)

    return run


def _aihwkit_tile(codes: NDArray[np.uint8]) -> Callable[[], object] | None:
    """Return the same network on aihwkit's inference tiles, with output noise and bounds; None without it."""
    try:
        import torch
        from aihwkit.nn import AnalogLinear, AnalogSequential
        from aihwkit.simulator.configs import InferenceRPUConfig
    except ImportError:
        return None
    torch.set_num_threads(1)
    config = InferenceRPUConfig()
    model = AnalogSequential(
        AnalogLinear(784, 100, rpu_config=config), torch.nn.ReLU(), AnalogLinear(100, 10, rpu_config=config)
    ).eval()
    inputs = torch.from_numpy(codes.astype(np.float32) / 255)

    def run() -> None:
        with torch.no_grad():
            for _ in range(N_CHIPS):
                model.program_analog_weights()
                model(inputs)

    return run


def _print_peak() -> None:
    codes, _ = _codes(None)
    _run(quantize(Network.load(NETWORK)), CORE, codes, np.zeros(N_IMAGES, np.int64))()
    status = Path("/proc/self/status")  # unlike getrusage it leaves out what the parent had
    lines = status.read_text().splitlines() if status.exists() else []
    own = [int(line.split()[1]) for line in lines if line.startswith("VmHWM")]
    print((own or [resource.getrusage(resource.RUSAGE_SELF).ru_maxrss])[0] / 1024)


if __name__ == "__main__":
    _print_peak()
