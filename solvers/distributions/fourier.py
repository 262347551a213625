"""A few random modes, and white noise on a lattice."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from kanop.solvers.distributions.modes import generator, lattice, series
from kanop.solvers.errors import check, nearest
from kanop.solvers.grid import Grid

__all__ = ["CellNoise", "TruncatedFourier"]

# Points for each mode number on which a maximum is taken, by number of axes: it is missed by at most
# 0.13 %, 1 % and 6 % (1/cosᵈ(π/points), Ehlich and Zeller 1964), commonly by a tenth of that.
POINTS = {1: 64, 2: 32, 3: 16}
NOISES = ("normal", "uniform")


@dataclass(frozen=True)
class TruncatedFourier:
    r"""u = s (m + Σ_{0 < max|k| ≤ modes} ξ_k e_k), all modes equally strong, with s such that max|u| = `maximum`.

    The ξ_k are independent standard normals; axes with walls have sines or cosines.

    Parameters
    ----------
    modes : highest mode number on each axis, ≥ 1; APEBench's 5
    maximum : largest |u|, taken on a fixed fine lattice; None leaves s = 1 and scales the e_k so that Σ_k ξ_k e_k has
        mean square 1
    offset : range of the uniform mean m; (0, 0) for zero mean. APEBench's other sets mean (−0.5, 0.5), but its mean
        is divided by the number of points

    Raises
    ------
    KanopError : modes or a maximum that is not positive, a range that is none, a grid without these modes

    References: Koehler et al. (2024), arXiv:2411.00180 (APEBench; "fourier;5;true;true").

    Examples
    --------
    >>> u = TruncatedFourier(modes=5).sample(Grid((64,)), seed=0, split="train", indices=[0, 1])
    >>> tuple(u.shape), round(float(u.abs().max()), 1), bool(u.mean(-1).abs().max() < 1e-15)
    ((2, 1, 64), 1.0, True)
    """

    modes: int = 5
    maximum: float | None = 1.0
    offset: Sequence[float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "offset", tuple(float(m) for m in self.offset))
        check(self.modes >= 1, f"expected modes >= 1, got {self.modes}")
        check(self.maximum is None or 0 < self.maximum < math.inf, f"expected a maximum > 0, got {self.maximum}")
        check(
            len(self.offset) == 2 and self.offset[0] <= self.offset[1],
            f"expected the offset's range (lowest, highest), got {self.offset}",
        )

    def sample(self, grid: Grid, seed: int, split: str, indices: Sequence[int]) -> Float[Tensor, "b 1 *x"]:
        """Samples number `indices` of `split`, in double precision on the grid's device."""
        need = tuple(2 * self.modes + 1 if kind == "periodic" else self.modes + 1 for kind in grid.boundaries)
        check(
            all(n >= least for n, least in zip(grid.shape, need, strict=True)),
            f"{self.modes} modes need a grid of at least {need} points, got {grid.shape}",
        )
        modes = lattice(grid.boundaries, self.modes)
        size = math.sqrt(math.prod(grid.lengths) / modes.count) / modes.norm(grid.lengths)
        means, coefficients = [], []
        for i in indices:
            random = generator(seed, split, i)
            means.append(random.uniform(self.offset[0], self.offset[1]))
            coefficients.append(size * modes.normals(random))
        mean = torch.tensor(means, dtype=torch.float64, device=grid.device).reshape(-1, 1, *[1] * grid.ndim)
        u = series(grid, modes, coefficients) + mean
        if self.maximum is None:
            return u
        fine = grid.with_shape([POINTS[grid.ndim] * (self.modes + 1)] * grid.ndim)
        for row, values in enumerate(coefficients):
            u[row] *= self.maximum / float((series(fine, modes, [values]) + mean[row]).abs().max())
        return u


@dataclass(frozen=True)
class CellNoise:
    r"""u_c = mean_c + scale_c ξ, one ξ for each cell of a lattice, held as the series through these values.

    On `cells` points an axis it is the white noise itself; a finer grid has the same function: its Fourier series on
    periodic axes, cosines on Neumann and sines on Dirichlet axes.

    Parameters
    ----------
    cells : cells of the lattice on each axis, ≥ 1; the grid has at least as many
    mean, scale : by channel; the scale ≥ 0 is the standard deviation of normal and the half-width of uniform noise
    noise : "normal" (default) or "uniform"

    PDEBench's FitzHugh-Nagumo start is (cells 128, normal, zero flux), white on any grid it is solved on; The Well's
    "Fourier" start of Gray-Scott is (cells 32, uniform, mean (1, 0), scale (0.25, 0.25)), and about the third steady
    state where that exists (bubbles: mean (A*, B*), scale 0.225 min(A*, 1 − A*) and 0.225 min(B*, 1 − B*)).

    Raises
    ------
    KanopError : means and scales of different length, a negative scale, an unknown noise, a grid with fewer points

    References: Takamoto et al. (2022), arXiv:2210.07182; Ohana et al. (2024), arXiv:2412.00568.

    Examples
    --------
    >>> law = CellNoise(cells=8)
    >>> grid = Grid((24, 24), (2, 2), boundaries="neumann")
    >>> fine = law.sample(grid, seed=0, split="train", indices=[0])
    >>> coarse = law.sample(grid.with_shape((8, 8)), seed=0, split="train", indices=[0])
    >>> fine.shape, bool((grid.resample(fine, (8, 8)) - coarse).abs().max() < 1e-14)
    (torch.Size([1, 2, 24, 24]), True)
    """

    cells: int = 128
    mean: Sequence[float] = (0.0, 0.0)
    scale: Sequence[float] = (1.0, 1.0)
    noise: str = "normal"

    def __post_init__(self) -> None:
        object.__setattr__(self, "mean", tuple(float(m) for m in self.mean))
        object.__setattr__(self, "scale", tuple(float(s) for s in self.scale))
        check(self.cells >= 1, f"expected cells >= 1, got {self.cells}")
        check(self.noise in NOISES, nearest(self.noise, NOISES, "noise"))
        equal = len(self.mean) == len(self.scale) >= 1 and min(self.scale) >= 0
        check(equal, f"expected a mean and a scale >= 0 for each channel, got {self.mean} and {self.scale}")

    def sample(self, grid: Grid, seed: int, split: str, indices: Sequence[int]) -> Float[Tensor, "b c *x"]:
        """Samples number `indices` of `split`, in double precision on the grid's device."""
        check(
            min(grid.shape) >= self.cells,
            f"noise on {self.cells} cells an axis needs a grid of at least as many points, got {grid.shape}; take a "
            f"finer grid, or cells={min(grid.shape)}",
        )
        cells = grid.to(dtype=torch.float64).with_shape([self.cells] * grid.ndim)
        out = torch.empty((len(indices), len(self.mean), *grid.shape), dtype=torch.float64, device=grid.device)
        for row, i in enumerate(indices):
            random = generator(seed, split, i)
            for channel, (mean, scale) in enumerate(zip(self.mean, self.scale, strict=True)):
                normal = self.noise == "normal"
                values = random.standard_normal(cells.shape) if normal else random.uniform(-1, 1, cells.shape)
                noise = torch.from_numpy(mean + scale * values).to(grid.device)
                out[row, channel] = noise if cells.shape == grid.shape else cells.resample(noise, grid.shape)
        return out
