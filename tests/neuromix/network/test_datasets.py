"""Data sets: the bundled digits, and IDX files good and bad."""

import gzip
import hashlib
import re
import struct
from pathlib import Path

import numpy as np
import pytest

from neuromix.network.datasets import Dataset, DatasetError, load_cifar10, load_idx, to_codes

N_TRAIN, N_TEST = 7, 5
IMAGES_MAGIC = "0x00000803 (images of unsigned bytes)"
LABELS_MAGIC = "0x00000801 (labels of unsigned bytes)"


def idx(array: np.ndarray) -> bytes:
    return (
        struct.pack(f">I{array.ndim}I", 0x0800 | array.ndim, *array.shape) + array.astype(np.uint8).tobytes()
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A whole data set of 3x2 images; training images gzipped."""
    rng = np.random.default_rng(0)
    for stem, count in (("train7", N_TRAIN), ("t10k", N_TEST)):
        images = rng.integers(0, 256, (count, 3, 2))
        (tmp_path / f"{stem}-images-idx3-ubyte").write_bytes(idx(images))
        (tmp_path / f"{stem}-labels-idx1-ubyte").write_bytes(idx(rng.integers(0, 10, count)))
    plain = tmp_path / "train7-images-idx3-ubyte"
    plain.with_name(f"{plain.name}.gz").write_bytes(gzip.compress(plain.read_bytes()))
    plain.unlink()
    return tmp_path


def fails(folder: Path, path: Path, message: str) -> None:
    with pytest.raises(DatasetError, match=f"^{re.escape(f'{path}: {message}')}"):
        load_idx(folder)


def test_digits_are_split_as_ever(digits: Dataset) -> None:
    assert digits.train_images.shape == (1437, 64)
    assert digits.test_images.shape == (360, 64)
    assert digits.image_shape == (8, 8)
    assert digits.train_images.dtype == np.float32
    content = digits.test_images.tobytes() + digits.test_labels.tobytes()
    assert hashlib.sha256(content).hexdigest()[:16] == "8110e5c2c9d024b5"


def test_digits_have_every_class_in_its_share(digits: Dataset) -> None:
    share = np.bincount(digits.train_labels) / 1437 - np.bincount(digits.test_labels) / 360
    assert np.abs(share).max() < 1 / 360


def test_digits_use_the_whole_range(digits: Dataset) -> None:
    assert digits.train_images.min() == 0
    assert digits.train_images.max() == 1
    assert set(np.unique(to_codes(digits.test_images))) == {round(level * 255 / 16) for level in range(17)}


def test_arrays_are_read_only(digits: Dataset) -> None:
    with pytest.raises(ValueError, match=r"read-only"):
        digits.train_images[0, 0] = 1


def test_codes_bring_back_the_pixels_of_bytes() -> None:
    codes = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(to_codes(codes.astype(np.float32) / 255), codes)
    assert to_codes(np.array([0, 0.49, 0.51, 1]), 1).tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize("image", [[-0.1], [1.1], [np.nan]])
def test_codes_refuse_pixels_out_of_range(image: list[float]) -> None:
    with pytest.raises(ValueError, match=r"^images must be in \[0, 1\], got"):
        to_codes(np.array(image))


def test_codes_refuse_a_range_they_cannot_hold() -> None:
    with pytest.raises(ValueError, match=r"^activation_max must be 1 to 255, got 256$"):
        to_codes(np.zeros(1), 256)


def test_idx_files_are_read_plain_and_gzipped(folder: Path) -> None:
    dataset = load_idx(folder)
    assert dataset.image_shape == (3, 2)
    assert dataset.train_images.shape == (N_TRAIN, 6)
    assert dataset.test_images.shape == (N_TEST, 6)
    raw = (folder / "t10k-images-idx3-ubyte").read_bytes()[16:]
    assert to_codes(dataset.test_images).tobytes() == raw
    assert dataset.test_labels.tolist() == list((folder / "t10k-labels-idx1-ubyte").read_bytes()[8:])


def test_missing_folder_is_named(tmp_path: Path) -> None:
    fails(tmp_path / "none", tmp_path / "none", "data folder must be a folder, got nothing there")


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("train7-images-idx3-ubyte.gz", "train*-images-idx3-ubyte"),
        ("train7-labels-idx1-ubyte", "train7-labels-idx1-ubyte"),
        ("t10k-images-idx3-ubyte", "t10k-images-idx3-ubyte"),
        ("t10k-labels-idx1-ubyte", "t10k-labels-idx1-ubyte"),
    ],
)
def test_missing_file_is_named(folder: Path, name: str, pattern: str) -> None:
    (folder / name).unlink()
    fails(folder, folder, f"{pattern}[.gz] must be one file, got none")


def test_two_training_sets_are_refused(folder: Path) -> None:
    (folder / "train-images-idx3-ubyte").write_bytes(b"")
    got = "train-images-idx3-ubyte and train7-images-idx3-ubyte"
    fails(folder, folder, f"train*-images-idx3-ubyte[.gz] must be one file, got {got}")


def test_labels_in_place_of_images_are_told(folder: Path) -> None:
    path = folder / "t10k-images-idx3-ubyte"
    path.write_bytes((folder / "t10k-labels-idx1-ubyte").read_bytes())
    fails(folder, path, f"magic number must be {IMAGES_MAGIC}, got {LABELS_MAGIC}")


def test_images_in_place_of_labels_are_told(folder: Path) -> None:
    path = folder / "t10k-labels-idx1-ubyte"
    path.write_bytes((folder / "t10k-images-idx3-ubyte").read_bytes())
    fails(folder, path, f"magic number must be {LABELS_MAGIC}, got {IMAGES_MAGIC}")


def test_foreign_file_is_told(folder: Path) -> None:
    path = folder / "t10k-images-idx3-ubyte"
    path.write_bytes(b"<html>not found</html>")
    got = "0x3c68746d (not an image or label file)"
    fails(folder, path, f"magic number must be {IMAGES_MAGIC}, got {got}")


@pytest.mark.parametrize(
    ("length", "message"),
    [
        (0, "length must be at least 4 bytes, got 0"),
        (10, "header must be 16 bytes, got 10"),
        (45, "length must be 46 bytes for 5 x 3 x 2 items, got 45 (truncated)"),
        (47, "length must be 46 bytes for 5 x 3 x 2 items, got 47 (trailing bytes)"),
    ],
)
def test_wrong_length_is_told(folder: Path, length: int, message: str) -> None:
    path = folder / "t10k-images-idx3-ubyte"
    path.write_bytes((path.read_bytes() + bytes(1))[:length])
    fails(folder, path, message)


@pytest.mark.parametrize("damage", ["truncated", "plain", "garbled"])
def test_damaged_gzip_is_told(folder: Path, damage: str) -> None:
    path = folder / "train7-images-idx3-ubyte.gz"
    whole = path.read_bytes()
    content = {
        "truncated": whole[:-12],
        "plain": gzip.decompress(whole),
        "garbled": whole[:12] + bytes(byte ^ 0x55 for byte in whole[12:]),
    }
    path.write_bytes(content[damage])
    fails(folder, path, "content must be a complete gzip file, got ")


def test_unreadable_file_is_told(folder: Path) -> None:
    path = folder / "t10k-images-idx3-ubyte"
    path.unlink()
    path.mkdir()
    fails(folder, path, "content must be a readable file, got ")


def test_counts_must_match(folder: Path) -> None:
    path = folder / "t10k-labels-idx1-ubyte"
    path.write_bytes(idx(np.zeros(4)))
    fails(folder, path, "label count must be 5 as in t10k-images-idx3-ubyte, got 4")


def test_labels_must_be_digits(folder: Path) -> None:
    path = folder / "t10k-labels-idx1-ubyte"
    path.write_bytes(idx(np.array([0, 9, 10, 3, 1])))
    fails(folder, path, "labels must be 0 to 9, got 10 at item 2")


def test_sets_must_not_be_empty(folder: Path) -> None:
    path = folder / "t10k-images-idx3-ubyte"
    path.write_bytes(idx(np.zeros((0, 3, 2))))
    fails(folder, path, "sizes must be at least 1, got 0 x 3 x 2")


def test_training_and_test_images_must_have_one_shape(folder: Path) -> None:
    (folder / "t10k-images-idx3-ubyte").write_bytes(idx(np.zeros((N_TEST, 2, 3))))
    fails(folder, folder, "test images must be 3 x 2 pixels as the training images, got 2 x 3")


def test_dataset_refuses_labels_that_do_not_fit(digits: Dataset) -> None:
    with pytest.raises(DatasetError, match=r"^d: test images must be 360 x 16, got \(360, 64\)$"):
        Dataset(
            name="d",
            train_images=np.zeros((360, 16), np.float32),
            train_labels=digits.test_labels,
            test_images=digits.test_images,
            test_labels=digits.test_labels,
            image_shape=(4, 4),
            source="",
        )


@pytest.mark.mnist
def test_mnist_files_are_read(mnist: Dataset) -> None:
    assert mnist.image_shape == (28, 28)
    assert mnist.test_images.shape == (10_000, 784)
    assert len(mnist.train_images) >= 10_000
    assert mnist.train_labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert mnist.test_labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]


CIFAR_RECORD = 1 + 3 * 32 * 32


def cifar_fails(folder: Path, path: Path, message: str) -> None:
    with pytest.raises(DatasetError, match=f"^{re.escape(f'{path}: {message}')}"):
        load_cifar10(folder)


def test_cifar10_has_its_colours_one_below_the_other(made_cifar10: Path) -> None:
    dataset = load_cifar10(made_cifar10)
    assert dataset.train_images.shape == (20, 3072)
    assert dataset.test_images.shape == (20, 3072)
    assert dataset.image_shape == (96, 32)
    assert dataset.train_labels.tolist() == [*range(9, -1, -1)] * 2
    second = (made_cifar10 / "test_batch.bin").read_bytes()[CIFAR_RECORD : 2 * CIFAR_RECORD]
    assert dataset.test_labels[1] == second[0] == 8
    green = np.frombuffer(second[1 + 1024 : 1 + 2048], np.uint8).reshape(32, 32)
    assert np.array_equal(to_codes(dataset.test_images)[1].reshape(3, 32, 32)[1], green)


def test_truncated_cifar10_is_refused(made_cifar10: Path) -> None:
    path = made_cifar10 / "data_batch_2.bin"
    path.write_bytes(path.read_bytes()[:-1])
    cifar_fails(
        made_cifar10,
        path,
        "length must be a whole number of records of 3073 bytes, got 30729 (3072 left over)",
    )
    path.write_bytes(b"")
    cifar_fails(
        made_cifar10, path, "length must be a whole number of records of 3073 bytes, got 0 (0 left over)"
    )


def test_cifar10_with_an_impossible_label_is_refused(made_cifar10: Path) -> None:
    path = made_cifar10 / "test_batch.bin"
    content = bytearray(path.read_bytes())
    content[CIFAR_RECORD] = 10
    path.write_bytes(content)
    cifar_fails(made_cifar10, path, "labels must be 0 to 9, got 10 at image 1")


def test_missing_and_pickled_cifar10_are_refused(made_cifar10: Path) -> None:
    cifar_fails(
        made_cifar10 / "nowhere", made_cifar10 / "nowhere", "data folder must be a folder, got nothing there"
    )
    test_batch = made_cifar10 / "test_batch.bin"
    test_batch.unlink()
    cifar_fails(made_cifar10, made_cifar10, "test_batch.bin (binary version) must be there, got none")
    (made_cifar10 / "test_batch").write_bytes(b"a pickle")
    cifar_fails(
        made_cifar10,
        made_cifar10,
        "test_batch.bin (binary version) must be there, got the Python version, which is not read",
    )
