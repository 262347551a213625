"""Gaussian blobs, the starts of Gray-Scott patterns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from kanop.solvers.distributions.modes import generator
from kanop.solvers.errors import check, nearest
from kanop.solvers.grid import Grid

__all__ = ["GaussianBlobs"]

SCALINGS = ("range", "mean")

# Points an axis on which the range of a sum of blobs is taken, by number of axes.
POINTS = {1: 4096, 2: 512, 3: 96}

# An image whose exponent is larger is below rounding.
FAR = 40.0


@dataclass(frozen=True)
class GaussianBlobs:
    r"""(u, v) = (1 − g, h) for two independent sums g, h = Σ_j a_j exp(−(x − x_j)ᵀ S_j (x − x_j)) over periodic images.

    Numbers, amplitudes, places and widths are uniform in their ranges.

    Parameters
    ----------
    count : fewest and most blobs in a field, ≥ 1
    amplitude : range of a_j > 0
    position : range of each coordinate of x_j, as a share of the box from its lower corner
    exponent : range of s_j > 0 in 1/length², S_j = s_j I
    variance : instead of exponent: range of the variances σ² > 0 in length², S_j = diag(1/2σ²) with one σ² for each
        axis of each blob
    scaled : "range" maps u and v of each sample onto [0, 1] (extremes on a fixed lattice); "mean" divides g and h by
        their number of blobs

    The Well's clusters on (−1, 1)² are the defaults: (count (10, 100), amplitude (1, 3), exponent (150, 300),
    "range"). APEBench's single blob on (0, 1)^d is (count (1, 1), amplitude (1, 1), position (0.4, 0.6),
    variance (0.005, 0.01), "mean"); it leaves out the images, which are 10⁻⁴ of it at the box' edge.

    Raises
    ------
    KanopError : a range that is none, an unknown scaling, a grid with walls or with points wider apart than σ

    References: Ohana et al. (2024), arXiv:2412.00568 (The Well); Koehler et al. (2024), arXiv:2411.00180 (APEBench).

    Examples
    --------
    >>> grid = Grid((64, 64), (2, 2), origin=(-1, -1))
    >>> u = GaussianBlobs().sample(grid, seed=0, split="train", indices=[0])
    >>> tuple(u.shape), round(float(u.min()), 1), round(float(u.max()), 1)
    ((1, 2, 64, 64), 0.0, 1.0)
    """

    count: Sequence[int] = (10, 100)
    amplitude: Sequence[float] = (1.0, 3.0)
    position: Sequence[float] = (0.0, 1.0)
    exponent: Sequence[float] = (150.0, 300.0)
    variance: Sequence[float] | None = None
    scaled: str = "range"

    def __post_init__(self) -> None:
        check(self.scaled in SCALINGS, nearest(self.scaled, SCALINGS, "scaling"))
        for name, least in (("count", 1), ("amplitude", 0), ("position", 0), ("exponent", 0), ("variance", 0)):
            pair = getattr(self, name)
            if pair is not None:
                pair = tuple(pair)
                good = len(pair) == 2 and least <= pair[0] <= pair[1] and (pair[0] > 0 or name == "position")
                check(good, f"expected {name} as a range (lowest, highest) of positive numbers, got {pair}")
                object.__setattr__(self, name, pair)

    def sample(self, grid: Grid, seed: int, split: str, indices: Sequence[int]) -> Float[Tensor, "b 2 *x"]:
        """Samples number `indices` of `split`, in double precision on the grid's device."""
        periodic = set(grid.boundaries) == {"periodic"}
        check(periodic, f"GaussianBlobs are periodic, the grid is {grid.boundaries}: take a periodic Grid")
        sigma = math.sqrt(self.variance[0] if self.variance else 0.5 / self.exponent[1])
        least = tuple(math.ceil(length / sigma) for length in grid.lengths)
        check(
            all(n >= need for n, need in zip(grid.shape, least, strict=True)),
            f"blobs of standard deviation {sigma:.3g} fall between the points of a grid of {grid.shape}: take at "
            f"least {least} points, or wider blobs",
        )
        grid = grid.to(dtype=torch.float64)
        u = np.empty((len(indices), 2, *grid.shape))
        for row, i in enumerate(indices):
            random = generator(seed, split, i)
            u[row, 0] = 1 - self._field(random, grid)
            u[row, 1] = self._field(random, grid)
        return torch.from_numpy(u).to(grid.device)

    def _field(self, random: np.random.Generator, grid: Grid) -> Float[np.ndarray, "*x"]:
        blobs = self._draw(random, grid)
        values = _sum(grid, *blobs)
        if self.scaled == "mean":
            return values
        # The range is that of the function, whatever grid asks: on a fixed lattice.
        fine = _sum(grid.with_shape([POINTS[grid.ndim]] * grid.ndim), *blobs)
        return (values - fine.min()) / (fine.max() - fine.min())

    def _draw(self, random: np.random.Generator, grid: Grid) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Amplitudes (n), places (n, d) and exponents (n, d) of one field's blobs."""
        n = int(random.integers(self.count[0], self.count[1], endpoint=True))
        a = random.uniform(self.amplitude[0], self.amplitude[1], n)
        if self.scaled == "mean":
            a = a / n
        shares = random.uniform(self.position[0], self.position[1], (n, grid.ndim))
        places = np.array(grid.origin) + np.array(grid.lengths) * shares
        if self.variance is not None:
            low, high = self.variance
            return a, places, 1 / (2 * random.uniform(low, high, (n, grid.ndim)))
        low, high = self.exponent
        return a, places, np.repeat(random.uniform(low, high, (n, 1)), grid.ndim, axis=1)


def _sum(grid: Grid, a: np.ndarray, places: np.ndarray, exponents: np.ndarray) -> np.ndarray:
    """Σ_j a_j Π_axes Σ_images exp(−s(x − x_j + image)²): a product of axes, so is the sum over all images."""
    factors = []
    for axis, (x, length) in enumerate(zip(grid.points, grid.lengths, strict=True)):
        reach = 1 + math.ceil(math.sqrt(FAR / exponents[:, axis].min()) / length)
        shifts = length * np.arange(-reach, reach + 1)
        away = x.cpu().numpy()[:, None] - places[:, axis, None, None] + shifts
        factors.append(np.exp(-exponents[:, axis, None, None] * away**2).sum(-1))
    factors[0] = a[:, None] * factors[0]
    letters = "xyz"[: grid.ndim]
    return np.einsum(",".join(f"n{c}" for c in letters) + f"->{letters}", *factors, optimize=True)
