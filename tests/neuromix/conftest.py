"""Small random networks and chips that they fit, and a tiny experiment, for the tests of this folder."""

import re
import struct
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from neuromix.config import ChipConfig, CoreConfig, MeshConfig
from neuromix.network.convolution import Convolution
from neuromix.network.network import Network, Population, Projection
from neuromix.network.quantize import QuantizedNetwork, QuantizedProjection, gain_and_shift


def random_network(
    seed: int, sizes: Sequence[int], *, weight_bits: int = 8, payload_bits: int = 8, bias_axons: int = 2
) -> QuantizedNetwork:
    """Return a network of random codes whose largest bias needs exactly ``bias_axons`` bias axons."""
    rng = np.random.default_rng(seed)
    weight_max = (1 << (weight_bits - 1)) - 1
    names = ["input", *(f"hidden{index + 1}" for index in range(len(sizes) - 2)), "output"]
    projections = []
    for (source, pre), (target, post) in pairwise(zip(names, sizes, strict=True)):
        bias_codes = rng.integers(-bias_axons * weight_max, bias_axons * weight_max, post, endpoint=True)
        if bias_axons and target == "output":
            bias_codes[-1] = -bias_axons * weight_max
        gain, shift = gain_and_shift(2 / (weight_max * (np.sqrt(pre) + bias_axons)))  # codes of all sizes
        projections.append(
            QuantizedProjection(
                source=source,
                target=target,
                weight_codes=rng.integers(-weight_max, weight_max, (post, pre), endpoint=True).astype(
                    np.int8
                ),
                bias_codes=bias_codes.astype(np.int32),
                gain=gain,
                shift=shift,
                scale=1.0,
                n_saturated=0,
                max_error=0.0,
            )
        )
    return QuantizedNetwork(
        name="random",
        populations=tuple(map(Population, names, sizes)),
        projections=tuple(projections),
        weight_max=weight_max,
        activation_max=(1 << max(1, payload_bits)) - 1,
    )


@pytest.fixture
def made_cifar10(tmp_path: Path) -> Path:
    """A folder with a small CIFAR-10: two training batches of 10 images, 20 test images, all noise."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    for name, count in (("data_batch_1", 10), ("data_batch_2", 10), ("test_batch", 20)):
        records = rng.integers(0, 256, (count, 1 + 3 * 32 * 32), dtype=np.uint8)
        records[:, 0] = np.arange(count)[::-1] % 10
        (folder / f"{name}.bin").write_bytes(records.tobytes())
    return folder


@pytest.fixture
def cifar10_network(tmp_path: Path) -> Path:
    """A network for CIFAR-10 that was never trained."""
    network = Network(
        name="cifar10-3072-10",
        populations=(Population("input", 3072), Population("output", 10)),
        projections=(
            Projection(
                source="input",
                target="output",
                weights=np.random.default_rng(1).normal(0, 0.01, (10, 3072)),
                bias=np.full(10, 0.5),
            ),
        ),
    )
    network.save(tmp_path / "cifar10.npz")
    return tmp_path / "cifar10.npz"


@pytest.fixture(scope="session")
def make_network() -> Callable[..., QuantizedNetwork]:
    return random_network


@pytest.fixture(scope="session")
def make_chip() -> Callable[..., ChipConfig]:
    """``make_chip(axons=, neurons=, fan_out=, mesh=(width, height), payload_bits=8)``."""

    def chip(
        *, axons: int, neurons: int, fan_out: int = 8, mesh: tuple[int, int] = (4, 4), payload_bits: int = 8
    ) -> ChipConfig:
        return ChipConfig(
            mesh=MeshConfig(width=mesh[0], height=mesh[1]),
            core=CoreConfig(axons=axons, neurons=neurons, fan_out=fan_out),
            payload_bits=payload_bits,
        )

    return chip


@pytest.fixture(scope="session")
def cnn() -> Network:
    """8 x 8 pixels, four maps of 3 x 3 kernels, pooling, ten outputs; weights drawn."""
    rng = np.random.default_rng(1)
    convolution = Convolution(in_shape=(1, 8, 8), out_maps=4, kernel=3)
    return Network(
        name="cnn",
        populations=(
            Population("input", 64),
            Population("conv1", 4 * 6 * 6),
            Population("pool1", 4 * 3 * 3),
            Population("output", 10),
        ),
        projections=(
            Projection(
                source="input",
                target="conv1",
                weights=rng.normal(0, 0.3, (4, 9)),
                bias=rng.normal(0.1, 0.1, 4),
                convolution=convolution,
            ),
            Projection.pooling("conv1", "pool1", convolution.out_shape, 2),
            Projection(
                source="pool1", target="output", weights=rng.normal(0, 0.3, (10, 36)), bias=rng.random(10) / 2
            ),
        ),
        provenance={"seed": 1},
    )


BUILD = Path(__file__).parents[2] / "build" / "tests"

LABELS = (0, 3, 2, 2, 1, 2)
"""Labels of the test images; that of the fourth is wrong, so that not all can be classified."""

TINY = """\
name: tiny
network: tiny.npz
data: {kind: idx, path: .}
images: 5
chip: {mesh: {width: 2, height: 2}, core: {axons: 18, neurons: 4, fan_out: 2}}
back_ends: {parallel: {}, serial: {lanes: 1}, mixed_signal: {}}
cosim: {simulators: [verilator, icarus], every_back_end: true}
energy: {images: 2}
"""
"""Six hidden neurons on two cores, four outputs on a third."""


def _write_idx(path: Path, array: np.ndarray) -> None:
    magic = 0x0800 + array.ndim
    path.write_bytes(struct.pack(f">{1 + array.ndim}I", magic, *array.shape) + array.tobytes())


def _quadrants(rng: np.random.Generator, bright: Iterable[int]) -> np.ndarray:
    """Return dim images of 4 x 4 pixels with one bright quadrant each."""
    places = list(bright)
    images = rng.integers(0, 90, (len(places), 4, 4), dtype=np.uint8)
    for image, place in zip(images, places, strict=True):
        y, x = 2 * (place // 2), 2 * (place % 2)
        image[y : y + 2, x : x + 2] += 150
    return images


def write_tiny(folder: Path) -> Path:
    """Write network, data and experiment file; return the path of the latter."""
    folder.mkdir()
    rng = np.random.default_rng(5)
    bright = [*LABELS]
    bright[3] = 1
    for part, places, labels in (("train", [*range(4)], [*range(4)]), ("t10k", bright, LABELS)):
        _write_idx(folder / f"{part}-images-idx3-ubyte", _quadrants(rng, places))
        _write_idx(folder / f"{part}-labels-idx1-ubyte", np.array(labels, np.uint8))

    detectors = np.kron(np.eye(4).reshape(4, 2, 2), np.full((2, 2), 0.25)).reshape(4, 16)
    Network(
        name="tiny",
        populations=(Population("input", 16), Population("hidden", 6), Population("output", 4)),
        projections=(
            Projection(
                source="input",
                target="hidden",
                weights=np.vstack([detectors, rng.uniform(-0.2, 0.2, (2, 16))]),
                bias=np.linspace(-0.1, 0.1, 6),
            ),
            Projection(
                source="hidden",
                target="output",
                weights=np.hstack([np.eye(4), rng.uniform(-0.3, 0.3, (4, 2))]),
                bias=np.full(4, -0.05),
            ),
        ),
    ).save(folder / "tiny.npz")
    path = folder / "tiny.yaml"
    path.write_text(TINY)
    return path


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a tiny experiment, beside its network and data: which quadrant of an image is bright?"""
    return write_tiny(tmp_path_factory.mktemp("experiment") / "tiny")


def make_build_folder(folder: Path) -> Path:
    """Return a build folder whose simulators, and nothing else, are kept from one session to the next."""
    folder.mkdir()
    (BUILD / "simulators").mkdir(parents=True, exist_ok=True)
    (folder / "simulators").symlink_to(BUILD / "simulators")
    return folder


@pytest.fixture(scope="module")
def build_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build folder, empty at the first test of a module."""
    return make_build_folder(tmp_path_factory.mktemp("build") / "build")


@pytest.fixture(scope="module")
def quick(tiny: Path) -> Path:
    """The tiny experiment reduced to one digital back end, on the simulator that builds fast."""
    text = TINY.replace("[verilator, icarus]", "[icarus]")
    path = tiny.with_name("quick.yaml")
    path.write_text(re.sub(r"back_ends: .*", "back_ends: {serial: {}}", text))
    return path
