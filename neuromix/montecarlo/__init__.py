"""Many manufactured chips of one network: how many images does each of them classify?

The model is that of :mod:`analog_models.neuron`, evaluated for many chips and images at once in float32. What
makes it fast leaves every single chip exactly as it would be drawn one by one:

- **One normal per cell.** A cell's weight is static, so of the errors of its bits only their sum counts, and
  that has the variance which the cell's structure gives for this magnitude. Above ``LOGNORMAL_SIGMA`` the sum
  is no longer Gaussian: there the bits are drawn as the golden model draws them.
- **One noise field for all chips.** Each layer has a field of independent normals for a block of images, and
  each chip reads it from a random place of its own on. Within a chip no value comes twice, so its noise is
  independent from neuron to neuron and image to image, exactly; only different chips share values, at
  different neurons and images.
- **Chips side by side.** The chips' first layers see the same images, so their weights make one wide matrix
  product. A chip always has the same place in a product of the same size, whatever chips are asked for: a
  result depends on ``seed`` and the chip's number, on nothing else.
- **Inputs that no image uses** are left out of the product: zeros add nothing.

The compression ``R tanh(v/R)`` is a rational function fitted to 1e-4 LSB where it can be, since rounding
comes after it. A design in which nothing is random is computed once, in float64, and exactly: it gives the
very codes of the integer network.

Random streams are children of ``SeedSequence(seed)`` by chip and layer, so sweeps compare like with like
(common random numbers), and a chip stays itself when others come or go.
"""

from .exact import simulate_chips_exactly
from .result import MonteCarlo
from .simulate import CHIPS_AT_ONCE, simulate_chips

__all__ = ["CHIPS_AT_ONCE", "MonteCarlo", "simulate_chips", "simulate_chips_exactly"]
