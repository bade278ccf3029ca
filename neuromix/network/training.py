"""Train the shipped networks; needs the extra ``train`` (PyTorch).

    python -m neuromix.network.training digits-64-32-10
    python -m neuromix.network.training mnist-784-100-10 --data ../shared/data/mnist
    python -m neuromix.network.training mnist-784-300-100-10 --data ../shared/data/mnist
    python -m neuromix.network.training mnist-cnn-6c5-12c5 --data ../shared/data/mnist

One thread and a fixed seed: a run repeats. Choices (epochs, strength of augmentation, learning rate) were
made with ``--hold-out``, which trains on the first part of the training images and reports on the rest; the
shipped networks are then trained on all training images, and those of the last epoch are kept.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import ArrayLike, NDArray

from .augmentation import Augmentation, distort
from .convolution import Convolution
from .datasets import Dataset, load_digits, load_idx, to_codes
from .network import Network, Population, Projection
from .quantize import quantize

__all__ = ["RECIPES", "SHIPPED_FOLDER", "Recipe", "fold_output", "train"]

SHIPPED_FOLDER = Path(__file__).parents[1] / "experiments" / "networks"
"""Where the shipped networks lie."""

Layer = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Weights [post, pre] and bias [post], or those of the kernels of a convolution."""


def _full(*sizes: int) -> tuple[Convolution, ...]:
    return tuple(Convolution.full(post, pre) for pre, post in pairwise(sizes))


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """All that a training depends on, next to the data."""

    layers: tuple[Convolution, ...]
    """Those with more than one group are poolings, and not trained."""
    epochs: int
    augmentation: Augmentation
    seed: int = 1
    batch_size: int = 100
    learning_rate: float = 2e-3
    """Of AdamW at the start; falls to 0 along half a cosine."""
    weight_decay: float = 1e-2
    quantised_share: float = 0.25
    """Share of the epochs, the last ones, that see 8-bit codes (straight-through gradients)."""
    weight_noise: float = 0.05
    """Relative standard deviation of every weight, drawn per batch: mismatch of analog synapses."""
    activation_noise: float = 2 / 255
    """Standard deviation added to hidden activations: noise and offset of analog neurons."""

    @property
    def sizes(self) -> tuple[int, ...]:
        """Neurons of every population, inputs first."""
        return (self.layers[0].n_pre, *(layer.n_post for layer in self.layers))

    @property
    def populations(self) -> tuple[Population, ...]:
        """Every population by what it does, inputs first."""
        names = ["input"]
        for layer in self.layers[:-1]:
            kind = "pool" if layer.groups > 1 else "hidden" if layer.n_positions == 1 else "conv"
            names.append(f"{kind}{1 + sum(name.startswith(kind) for name in names)}")
        return tuple(map(Population, [*names, "output"], self.sizes))


RECIPES = {
    "digits-64-32-10": Recipe(
        layers=_full(64, 32, 10),
        epochs=300,
        augmentation=Augmentation(rotation=0.1, scale=0.06, shear=0.06, shift=0.35, elastic=0.2),
    ),
    "mnist-784-100-10": Recipe(
        layers=_full(784, 100, 10),
        epochs=300,
        augmentation=Augmentation(rotation=0.1, scale=0.08, shear=0.08, shift=0.8, elastic=0.5),
    ),
    "mnist-784-300-100-10": Recipe(
        layers=_full(784, 300, 100, 10),
        epochs=250,
        augmentation=Augmentation(rotation=0.12, scale=0.09, shear=0.1, shift=1.0, elastic=0.65),
    ),
    "mnist-cnn-6c5-12c5": Recipe(
        layers=(
            Convolution(in_shape=(1, 28, 28), out_maps=6, kernel=5),
            Convolution.pooling((6, 24, 24), 2),
            Convolution(in_shape=(6, 12, 12), out_maps=12, kernel=5),
            Convolution.pooling((12, 8, 8), 2),
            Convolution.full(10, 12 * 4 * 4),
        ),
        epochs=100,
        learning_rate=6e-3,
        augmentation=Augmentation(rotation=0.1, scale=0.08, shear=0.08, shift=0.8, elastic=0.5),
    ),
}
"""Recipe of every shipped network, by file name without ``.npz``."""


def train(recipe: Recipe, images: NDArray[np.float32], labels: NDArray[np.int64]) -> list[Layer]:
    """Return the layers trained on ``images`` [n, height, width]; the last one gives unbounded logits."""
    import torch

    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    rng = np.random.default_rng(recipe.seed)
    torch.manual_seed(recipe.seed)
    layers = [_start(geometry) for geometry in recipe.layers]
    optimiser = torch.optim.AdamW(
        [array for layer in layers for array in layer if array.requires_grad],
        lr=recipe.learning_rate,
        weight_decay=recipe.weight_decay,
    )
    n_batches = len(images) // recipe.batch_size
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, recipe.epochs * n_batches)
    for epoch in range(recipe.epochs):
        quantised = epoch >= recipe.epochs * (1 - recipe.quantised_share)
        order = rng.permutation(len(images))[: n_batches * recipe.batch_size]
        total = 0.0
        for batch in order.reshape(n_batches, -1):
            inputs = distort(images[batch], recipe.augmentation, rng).reshape(len(batch), -1)
            logits = _logits(layers, torch.from_numpy(inputs), recipe, quantised)
            loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(labels[batch]))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += loss.item()
        print(f"epoch {epoch + 1}/{recipe.epochs}: loss {total / n_batches:.4f}", file=sys.stderr)
    return [(w.detach().numpy().astype(np.float64), b.detach().numpy().astype(np.float64)) for w, b in layers]


def _start(geometry: Convolution) -> tuple[Any, Any]:
    """Return weights and bias to begin with: random ones to be trained, or the means of a pooling."""
    import torch

    if geometry.groups > 1:
        return torch.full((geometry.out_maps, geometry.fan_in), 1 / geometry.fan_in), torch.zeros(
            geometry.out_maps
        )
    weights = torch.randn(geometry.out_maps, geometry.fan_in).mul_((2 / geometry.fan_in) ** 0.5)
    return weights.requires_grad_(), torch.zeros(geometry.out_maps).requires_grad_()


def _sums(geometry: Convolution, activations: Any, weights: Any, bias: Any) -> Any:
    """Return the sums [n, post] of ``activations`` [n, pre]."""
    import torch

    if geometry.n_positions == 1:
        return activations @ weights.T + bias
    maps = activations.reshape(-1, *geometry.in_shape)
    kernels = weights.reshape(geometry.out_maps, -1, geometry.kernel, geometry.kernel)
    sums = torch.nn.functional.conv2d(maps, kernels, bias, stride=geometry.stride, groups=geometry.groups)
    return sums.flatten(1)


def _logits(layers: list[Any], activations: Any, recipe: Recipe, quantised: bool) -> Any:
    """Return the logits of a batch as the imperfect chip would give them; differentiable."""
    import torch

    def rounded(values: Any, step: Any) -> Any:
        return values + ((values / step).round() * step - values).detach() if quantised else values

    for index, ((weights, bias), geometry) in enumerate(zip(layers, recipe.layers, strict=True)):
        step = weights.detach().abs().max() / 127
        weights = rounded(weights, step) * (1 + recipe.weight_noise * torch.randn_like(weights))
        sums = _sums(geometry, activations, weights, rounded(bias, step))
        if index == len(layers) - 1:
            return sums
        activations = rounded(sums.clamp(0, 1), 1 / 255)
        activations = activations + recipe.activation_noise * torch.randn_like(activations)
    raise ValueError("layers must be at least 1, got 0")


def fold_output(layer: Layer, logits: NDArray[np.float64]) -> Layer:
    """Return the last ``layer`` scaled and shifted so that clipping its sums to [0, 1] keeps the winner.

    The winning ones of the training ``logits`` [n, class] span 0.1 to 0.95, with room on either side for
    images not seen; losers may fall to 0, which changes no argmax.
    """
    weights, bias = layer
    winners = logits.max(axis=1)
    low, high = winners.min(), winners.max()
    scale = (0.95 - 0.1) / (high - low)
    return weights * scale, (bias - low) * scale + 0.1


def _last_sums(network: Network, images: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the sums [n, class] of the last projection, before it clips them, for ``images`` [n, pixels]."""
    activations = images.astype(np.float64)
    for projection in network.projections[:-1]:
        activations = np.clip(projection.forward(activations), 0, 1)
    return network.projections[-1].forward(activations)


def _load(name: str, data: Path | None) -> Dataset:
    if name.startswith("digits"):
        return load_digits()
    if data is None:
        raise typer.BadParameter("must name the folder of the MNIST files", param_hint="--data")
    return load_idx(data)


def main(
    name: Annotated[str, typer.Argument(help=f"One of {', '.join(RECIPES)}.")],
    data: Annotated[Path | None, typer.Option(help="Folder of the MNIST files.")] = None,
    folder: Annotated[Path, typer.Option(help="Where to write the network.")] = SHIPPED_FOLDER,
    hold_out: Annotated[int, typer.Option(help="Keep the last N training images and report on them.")] = 0,
    epochs: Annotated[int | None, typer.Option(help="Instead of the recipe's.")] = None,
) -> None:
    """Train one shipped network, print its accuracy and write it; with --hold-out only print."""
    if name not in RECIPES:
        raise typer.BadParameter(f"must be one of {', '.join(RECIPES)}, got {name}", param_hint="NAME")
    recipe = RECIPES[name] if epochs is None else replace(RECIPES[name], epochs=epochs)
    if find_spec("torch") is None:
        raise typer.BadParameter("training needs PyTorch: pip install 'neuromix[train]'", param_hint="NAME")
    dataset = _load(name, data)
    if not 0 <= hold_out < len(dataset.train_images):
        raise typer.BadParameter(f"must be 0 to {len(dataset.train_images) - 1}", param_hint="--hold-out")
    n_train = len(dataset.train_images) - hold_out
    images, labels = dataset.train_images[:n_train], dataset.train_labels[:n_train]
    layers = train(recipe, images.reshape(-1, *dataset.image_shape), labels)
    network = _network(name, recipe, layers, images)
    print(f"{name}: train {_accuracies(network, images, labels)}")
    if hold_out:
        unseen = _accuracies(network, dataset.train_images[n_train:], dataset.train_labels[n_train:])
        print(f"{name}: held out {unseen}")
        return
    result = _accuracies(network, dataset.test_images, dataset.test_labels)
    print(f"{name}: test {result}")
    path = folder / f"{name}.npz"
    replace(network, provenance=_provenance(name, recipe, dataset, result)).save(
        path, weight_dtype=np.float16
    )
    print(path)


def _network(name: str, recipe: Recipe, layers: list[Layer], images: NDArray[np.float32]) -> Network:
    """Return the network of ``layers``, the output folded on training ``images``, rounded to float16."""
    trained = _assembled(name, recipe, layers)
    folded = [*layers[:-1], fold_output(layers[-1], _last_sums(trained, images))]
    return _assembled(name, recipe, [(w.astype(np.float16), b.astype(np.float16)) for w, b in folded])


def _assembled(name: str, recipe: Recipe, layers: Sequence[tuple[ArrayLike, ArrayLike]]) -> Network:
    populations = recipe.populations
    links = zip(pairwise(populations), recipe.layers, layers, strict=True)
    return Network(
        name=name,
        populations=populations,
        projections=tuple(
            Projection(
                source=source.name,
                target=target.name,
                weights=np.asarray(weights),
                bias=np.asarray(bias),
                convolution=geometry if geometry.n_positions > 1 else None,
            )
            for (source, target), geometry, (weights, bias) in links
        ),
    )


@dataclass(frozen=True, kw_only=True)
class _Accuracy:
    """Share of right classes, by arithmetic."""

    unclipped: float
    """Strongest sum of the last layer, before its activation clips it."""
    real: float
    quantised: float

    def __str__(self) -> str:
        return f"{self.real:.2%}, 8 bit {self.quantised:.2%}, before clipping the output {self.unclipped:.2%}"


def _accuracies(network: Network, images: NDArray[np.float32], labels: NDArray[np.int64]) -> _Accuracy:
    sums = _last_sums(network, images)
    return _Accuracy(
        unclipped=float(np.mean(sums.argmax(axis=1) == labels)),
        real=float(np.mean(network.classify(images) == labels)),
        quantised=float(np.mean(quantize(network).classify(to_codes(images)) == labels)),
    )


def _provenance(name: str, recipe: Recipe, dataset: Dataset, result: _Accuracy) -> dict[str, str | float]:
    """Return what a reader needs to judge the network, or to make it again."""
    import torch

    digits = name.startswith("digits")
    command = f"python -m neuromix.network.training {name}"
    return {
        "data": dataset.source if digits else "MNIST (LeCun, Cortes and Burges)",
        "split": f"{len(dataset.train_images)} training and {len(dataset.test_images)} test images, "
        + ("stratified" if digits else "the first of each set"),
        "choices": "recipe chosen on held-out training images, not on test images",
        "command": command if digits else f"{command} --data MNIST_FOLDER",
        "epochs_quantised": round(recipe.epochs * recipe.quantised_share),
        **{key: value for key, value in vars(recipe).items() if key not in ("layers", "augmentation")},
        **{f"augmentation_{key}": value for key, value in vars(recipe.augmentation).items()},
        "weight_dtype": "float16",
        "torch": torch.__version__,
        "test_accuracy": result.real,
        "test_accuracy_8_bit": result.quantised,
        "test_accuracy_unclipped_output": result.unclipped,
    }


if __name__ == "__main__":
    typer.run(main)
