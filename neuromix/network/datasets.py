"""Image data sets: scikit-learn's digits, IDX files as MNIST is published in, binary files of CIFAR-10."""

import gzip
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["N_CLASSES", "Dataset", "DatasetError", "load_cifar10", "load_digits", "load_idx", "to_codes"]

N_CLASSES = 10
"""Labels run from 0 to 9."""

_DIGITS_MAX = 16
_DIGITS_TEST_SIZE = 360
_DIGITS_SPLIT_SEED = 0

_IMAGES_MAGIC = 0x0803
_LABELS_MAGIC = 0x0801
_CIFAR_SIDE = 32
_CIFAR_PLANES = 3
_CIFAR_RECORD = 1 + _CIFAR_PLANES * _CIFAR_SIDE**2

_MAGIC_NAMES = {_IMAGES_MAGIC: "images of unsigned bytes", _LABELS_MAGIC: "labels of unsigned bytes"}


class DatasetError(ValueError):
    """A data set is missing, damaged, or not what its name says."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """Labelled images, split into training and test; all arrays are read-only.

    Images are float32 [n, pixels] in [0, 1], row by row; labels are int64 [n] in 0..9.
    """

    name: str
    train_images: NDArray[np.float32]
    train_labels: NDArray[np.int64]
    test_images: NDArray[np.float32]
    test_labels: NDArray[np.int64]
    image_shape: tuple[int, int]
    source: str
    """Where the images come from, for a report."""

    def __post_init__(self) -> None:
        for part in ("train", "test"):
            images, labels = getattr(self, f"{part}_images"), getattr(self, f"{part}_labels")
            if images.shape != (len(labels), self.n_pixels):
                raise DatasetError(
                    f"{self.name}: {part} images must be {len(labels)} x {self.n_pixels}, got {images.shape}"
                )
            for kind, array in (("images", images), ("labels", labels)):
                view = array.view()
                view.flags.writeable = False
                object.__setattr__(self, f"{part}_{kind}", view)

    @property
    def n_pixels(self) -> int:
        """Pixels of one image: inputs of a network."""
        return self.image_shape[0] * self.image_shape[1]


def to_codes(images: NDArray[np.floating], activation_max: int = 255) -> NDArray[np.uint8]:
    """Return the activation codes, 0 to ``activation_max``, nearest to ``images`` in [0, 1]."""
    if not 1 <= activation_max <= 255:
        raise ValueError(f"activation_max must be 1 to 255, got {activation_max}")
    if images.size and not (images.min() >= 0 and images.max() <= 1):
        raise ValueError(f"images must be in [0, 1], got {images.min()} to {images.max()}")
    return np.asarray(np.rint(images * activation_max), np.uint8)


def load_digits() -> Dataset:
    """Return scikit-learn's bundled handwritten digits: 1,797 images of 8x8, 1,437 to train and 360 to test.

    The split is fixed and stratified: every class has its share in both parts. Source: Alpaydin and Kaynak,
    "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository, 1998 (its test part).
    """
    from sklearn import datasets, model_selection  # slow to import, so only where needed

    bundled = datasets.load_digits()
    train_images, test_images, train_labels, test_labels = model_selection.train_test_split(
        (bundled.data / _DIGITS_MAX).astype(np.float32),
        bundled.target.astype(np.int64),
        test_size=_DIGITS_TEST_SIZE,
        random_state=_DIGITS_SPLIT_SEED,
        stratify=bundled.target,
    )
    return Dataset(
        name="digits",
        train_images=train_images,
        train_labels=train_labels,
        test_images=test_images,
        test_labels=test_labels,
        image_shape=(8, 8),
        source="handwritten digits bundled with scikit-learn (UCI, Alpaydin and Kaynak 1998)",
    )


def load_idx(folder: Path | str) -> Dataset:
    """Read the data set in ``folder``, in the IDX files of MNIST, plain or gzipped.

    The files are ``train*-images-idx3-ubyte``, ``t10k-images-idx3-ubyte`` and the same with ``labels-idx1``,
    each with or without ``.gz`` (the plain one is taken when both are there). Raises :class:`DatasetError`
    that names the file when one is missing, damaged, of another kind, or does not fit the others.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DatasetError(f"{folder}: data folder must be a folder, got {_kind(folder)}")
    train_images, train_labels, train_shape = _read_part(folder, "train*")
    test_images, test_labels, test_shape = _read_part(folder, "t10k")
    if test_shape != train_shape:
        raise DatasetError(
            f"{folder}: test images must be {_dimensions(train_shape)} pixels as the training images, "
            f"got {_dimensions(test_shape)}"
        )
    return Dataset(
        name=folder.resolve().name,
        train_images=train_images,
        train_labels=train_labels,
        test_images=test_images,
        test_labels=test_labels,
        image_shape=train_shape,
        source=f"IDX files in {folder}",
    )


def load_cifar10(folder: Path | str) -> Dataset:
    """Read CIFAR-10 from ``folder`` in its binary version: ``data_batch_*.bin`` and ``test_batch.bin``.

    The three colours of an image lie one below the other: planes of 32 x 32 pixels, red, green, blue, so the
    image shape is 96 x 32. The Python version of the files is not read: a pickle may run any code. Raises
    :class:`DatasetError` that names the file when one is missing, damaged or of another kind. Source:
    Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DatasetError(f"{folder}: data folder must be a folder, got {_kind(folder)}")
    parts = []
    for pattern in ("data_batch_*.bin", "test_batch.bin"):
        paths = sorted(folder.glob(pattern))
        if not paths:
            pickled = any(folder.glob(pattern.removesuffix(".bin")))
            got = "the Python version, which is not read" if pickled else "none"
            raise DatasetError(f"{folder}: {pattern} (binary version) must be there, got {got}")
        records = np.concatenate([_read_cifar(path) for path in paths])
        pixels = records[:, 1:].astype(np.float32)
        pixels /= 255
        parts.append((pixels, records[:, 0].astype(np.int64)))
    (train_images, train_labels), (test_images, test_labels) = parts
    return Dataset(
        name="cifar10",
        train_images=train_images,
        train_labels=train_labels,
        test_images=test_images,
        test_labels=test_labels,
        image_shape=(_CIFAR_PLANES * _CIFAR_SIDE, _CIFAR_SIDE),
        source=f"CIFAR-10 (Krizhevsky 2009), binary files in {folder}",
    )


def _read_cifar(path: Path) -> NDArray[np.uint8]:
    """Return the records [n, label and pixels] of a binary batch."""
    content = _read_bytes(path)
    if not content or len(content) % _CIFAR_RECORD:
        raise DatasetError(
            f"{path}: length must be a whole number of records of {_CIFAR_RECORD} bytes, got {len(content)} "
            f"({len(content) % _CIFAR_RECORD} left over)"
        )
    records = np.frombuffer(content, np.uint8).reshape(-1, _CIFAR_RECORD)
    labels = records[:, 0]
    if labels.max() >= N_CLASSES:
        raise DatasetError(
            f"{path}: labels must be 0 to {N_CLASSES - 1}, got {labels.max()} at image {int(labels.argmax())}"
        )
    return records


def _read_part(
    folder: Path, stem_pattern: str
) -> tuple[NDArray[np.float32], NDArray[np.int64], tuple[int, int]]:
    """Return images [n, pixels], labels [n] and the image shape of one part of the data set."""
    image_path = _find(folder, f"{stem_pattern}-images-idx3-ubyte")
    stem = image_path.name.split("-images-")[0]
    label_path = _find(folder, f"{stem}-labels-idx1-ubyte")
    images = _read_idx(image_path, _IMAGES_MAGIC)
    labels = _read_idx(label_path, _LABELS_MAGIC)
    if len(labels) != len(images):
        raise DatasetError(
            f"{label_path}: label count must be {len(images)} as in {image_path.name}, got {len(labels)}"
        )
    if labels.max() >= N_CLASSES:
        raise DatasetError(
            f"{label_path}: labels must be 0 to {N_CLASSES - 1}, "
            f"got {labels.max()} at item {int(labels.argmax())}"
        )
    pixels = images.reshape(len(images), -1).astype(np.float32)
    pixels /= 255
    height, width = images.shape[1:]
    return pixels, labels.astype(np.int64), (int(height), int(width))


def _find(folder: Path, pattern: str) -> Path:
    """Return the one file in ``folder`` that matches ``pattern``, plain rather than gzipped."""
    found = {path.name.removesuffix(".gz"): path for path in sorted(folder.glob(f"{pattern}.gz"))}
    found |= {path.name: path for path in sorted(folder.glob(pattern))}
    if len(found) != 1:
        got = " and ".join(sorted(found)) if found else "none"
        raise DatasetError(f"{folder}: {pattern}[.gz] must be one file, got {got}")
    return found.popitem()[1]


def _read_idx(path: Path, magic: int) -> NDArray[np.uint8]:
    """Return the array in an IDX file whose magic number must be ``magic``."""
    content = _read_bytes(path)
    if len(content) < 4:
        raise DatasetError(f"{path}: length must be at least 4 bytes, got {len(content)}")
    (found,) = struct.unpack_from(">I", content)
    if found != magic:
        raise DatasetError(f"{path}: magic number must be {_describe(magic)}, got {_describe(found)}")
    n_dimensions = magic & 0xFF
    header_size = 4 + 4 * n_dimensions
    if len(content) < header_size:
        raise DatasetError(f"{path}: header must be {header_size} bytes, got {len(content)}")
    shape = struct.unpack_from(f">{n_dimensions}I", content, 4)
    n_items = 1
    for size in shape:
        n_items *= size
    if n_items == 0:
        raise DatasetError(f"{path}: sizes must be at least 1, got {_dimensions(shape)}")
    if len(content) != header_size + n_items:
        state = "truncated" if len(content) < header_size + n_items else "trailing bytes"
        raise DatasetError(
            f"{path}: length must be {header_size + n_items} bytes for {_dimensions(shape)} items, "
            f"got {len(content)} ({state})"
        )
    return np.frombuffer(content, np.uint8, offset=header_size).reshape(shape)


def _read_bytes(path: Path) -> bytes:
    try:
        if path.suffix != ".gz":
            return path.read_bytes()
        with gzip.open(path) as file:
            return file.read()
    except (OSError, EOFError, zlib.error) as error:
        expected = "a complete gzip file" if path.suffix == ".gz" else "a readable file"
        raise DatasetError(f"{path}: content must be {expected}, got {error}") from error


def _describe(magic: int) -> str:
    return f"0x{magic:08x} ({_MAGIC_NAMES.get(magic, 'not an image or label file')})"


def _dimensions(shape: tuple[int, ...]) -> str:
    return " x ".join(str(size) for size in shape)


def _kind(path: Path) -> str:
    return "a file" if path.exists() else "nothing there"
