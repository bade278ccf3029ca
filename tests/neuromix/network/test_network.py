"""Networks: the law of a neuron, what a chain may be, and the file."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from neuromix.network.network import Network, NetworkFileError, Population, Projection


def projection(source: str, target: str, post: int, pre: int) -> Projection:
    return Projection(source=source, target=target, weights=np.ones((post, pre)), bias=np.zeros(post))


def test_neuron_is_a_rectifier_that_saturates_at_one() -> None:
    network = Network(
        name="one",
        populations=(Population("input", 2), Population("output", 3)),
        projections=(
            Projection(
                source="input",
                target="output",
                weights=np.array([[1.0, -1.0], [-1.0, 0.0], [3.0, 0.0]]),
                bias=np.array([0.25, 0.5, 0.0]),
            ),
        ),
    )
    np.testing.assert_allclose(
        network.forward([[0.5, 0.25], [1.0, 1.0]]), [[0.5, 0.0, 1.0], [0.25, 0.0, 1.0]]
    )


def test_lowest_class_wins_a_tie() -> None:
    network = Network(
        name="tie",
        populations=(Population("input", 1), Population("output", 3)),
        projections=(
            Projection(
                source="input", target="output", weights=np.array([[0.1], [2.0], [3.0]]), bias=np.zeros(3)
            ),
        ),
    )
    assert network.classify([[1.0]]).tolist() == [1]


def test_batch_equals_its_rows(small_network: Network) -> None:
    images = np.random.default_rng(0).random((20, 4))
    images.flags.writeable = False
    rows = np.concatenate([small_network.forward(image[None]) for image in images])
    np.testing.assert_allclose(small_network.forward(images), rows, rtol=1e-12)
    assert np.ptp(rows) > 0


def test_synapses_are_the_weights_that_are_not_zero(small_network: Network) -> None:
    first, second = small_network.projections
    weights = first.weights.copy()
    weights[0, 1] = 0
    network = replace(small_network, projections=(replace(first, weights=weights), second))
    assert network.n_macs == 3 * 4 + 2 * 3
    assert network.n_synapses == network.n_macs - 1


def test_weights_are_a_read_only_copy() -> None:
    weights = np.ones((2, 2))
    kept = Projection(source="a", target="b", weights=weights, bias=np.zeros(2)).weights
    weights[0, 0] = 7
    assert kept[0, 0] == 1
    with pytest.raises(ValueError, match=r"read-only"):
        kept[0, 0] = 7


@pytest.mark.parametrize(
    ("sizes", "projections", "message"),
    [
        ((2,), (), "network x: populations must be at least 2, got 1"),
        ((2, 3), (), "network x: projections must be 1, one from each population to the next, got 0"),
        ((2, 3), (projection("b", "a", 3, 2),), "network x: projection must be a -> b, got b -> a"),
        ((2, 3), (projection("a", "b", 3, 4),), "network x: weights of a -> b must be (3, 2), got (3, 4)"),
    ],
)
def test_populations_must_form_a_chain(
    sizes: tuple[int, ...], projections: tuple[Projection, ...], message: str
) -> None:
    populations = tuple(Population(name, size) for name, size in zip("abcd", sizes, strict=False))
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Network(name="x", populations=populations, projections=projections)


def test_population_names_must_differ() -> None:
    with pytest.raises(ValueError, match=r"^network x: population names must differ, got a, a$"):
        Network(
            name="x",
            populations=(Population("a", 2), Population("a", 2)),
            projections=(projection("a", "a", 2, 2),),
        )


@pytest.mark.parametrize(
    ("weights", "bias", "message"),
    [
        (np.ones(3), np.ones(3), r"weights must be \[post, pre\], got \(3,\)"),
        (np.ones((3, 2)), np.ones(2), r"bias must be \(3,\), got \(2,\)"),
        (np.full((3, 2), np.nan), np.ones(3), "weights must be finite, got inf or nan"),
    ],
)
def test_arrays_must_fit_and_be_finite(weights: np.ndarray, bias: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=f"^projection a -> b: {message}$"):
        Projection(source="a", target="b", weights=weights, bias=bias)


def test_population_must_have_neurons() -> None:
    with pytest.raises(ValueError, match=r"^population a: size must be at least 1, got 0$"):
        Population("a", 0)


def test_images_must_fit_the_inputs(small_network: Network) -> None:
    with pytest.raises(ValueError, match=r"^network small: images must be \[n, 4\], got \[2, 5\]$"):
        small_network.forward(np.zeros((2, 5)))


def test_file_keeps_everything(small_network: Network, tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "small.npz"
    small_network.save(path)
    loaded = Network.load(path)
    assert (loaded.name, loaded.populations) == (small_network.name, small_network.populations)
    assert loaded.provenance == small_network.provenance
    for ours, theirs in zip(small_network.projections, loaded.projections, strict=True):
        assert (ours.source, ours.target) == (theirs.source, theirs.target)
        np.testing.assert_array_equal(ours.weights, theirs.weights)
        np.testing.assert_array_equal(ours.bias, theirs.bias)
    assert [entry.name for entry in path.parent.iterdir()] == ["small.npz"]


def test_file_is_the_same_when_written_again(small_network: Network, tmp_path: Path) -> None:
    small_network.save(tmp_path / "a.npz", weight_dtype=np.float16)
    small_network.save(tmp_path / "b.npz", weight_dtype=np.float16)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_missing_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "none.npz"
    with pytest.raises(NetworkFileError, match=f"^{re.escape(str(path))}: .* must be .*, got nothing there$"):
        Network.load(path)
    with pytest.raises(NetworkFileError, match=r"got a folder$"):
        Network.load(tmp_path)


def test_damaged_file_is_named(small_network: Network, tmp_path: Path) -> None:
    path = tmp_path / "small.npz"
    small_network.save(path)
    whole = path.read_bytes()
    name = re.escape(str(path))
    for damaged in (b"", b"not a network", whole[: len(whole) // 2]):
        path.write_bytes(damaged)
        with pytest.raises(
            NetworkFileError, match=f"^{name}: network must be a whole .npz file, got no arch"
        ):
            Network.load(path)
    at = whole.index(b"weights_0") + 60
    path.write_bytes(whole[:at] + bytes(byte ^ 0xFF for byte in whole[at : at + 20]) + whole[at + 20 :])
    with pytest.raises(NetworkFileError, match=f"^{name}: network must be a readable .npz file, got"):
        Network.load(path)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"a": np.ones(3)}, "contents must be a neuromix network with a header, got a$"),
        ({"header": np.array("{")}, "header must be JSON, got"),
        ({"header": np.array('{"format": "other"}')}, "format must be 'neuromix network', got 'other'$"),
        (
            {"header": np.array('{"format": "neuromix network", "version": 9}')},
            "version must be 1 or 2, got 9$",
        ),
        (
            {"header": np.array('{"format": "neuromix network", "version": 1, "name": "x"}')},
            "contents must hold 'populations', got none$",
        ),
    ],
)
def test_foreign_file_is_named(arrays: dict[str, np.ndarray], message: str, tmp_path: Path) -> None:
    path = tmp_path / "foreign.npz"
    np.savez(path, allow_pickle=False, **arrays)
    with pytest.raises(NetworkFileError, match=f"^{re.escape(str(path))}: {message}"):
        Network.load(path)


def test_pickled_arrays_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "pickled.npz"
    np.savez(path, header=np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(NetworkFileError, match=r"network must be a readable .npz file"):
        Network.load(path)
