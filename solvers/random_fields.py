"""Random fields with exact covariance, the same function at every resolution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from kanop.solvers.distributions.modes import generator, lattice, series
from kanop.solvers.errors import check, nearest
from kanop.solvers.grid import Grid
from kanop.solvers.sphere.grid import SphereGrid
from kanop.solvers.sphere.harmonics import harmonics, normals

__all__ = ["GaussianRandomField"]

WALLS = ("dirichlet", "neumann")


@dataclass(frozen=True)
class GaussianRandomField:
    r"""u ~ N(0, σ²(−Δ + τ²)^(−α)), zero mean: u = Σ_k √λ_k ξ_k e_k with λ_k = σ²(|k|² + τ²)^(−α).

    The e_k are orthonormal on the box: exponentials on periodic axes, sines on Dirichlet and cosines on Neumann axes,
    products of them in between; on a sphere they are its harmonics, with l(l + 1)/R² for |k|², and the field is alike
    at all points. The constant is left out. The ξ_k are independent standard normals, drawn mode by mode
    outwards: sample i of a split is a pure function of (seed, split, i), and a finer grid adds modes but changes none.

    Parameters
    ----------
    sigma : σ > 0, scale of the field
    tau : τ ≥ 0, inverse correlation length
    alpha : α > 0, smoothness; 2α > d for finite variance
    boundaries : modes on axes with walls, "dirichlet" (sines) or "neumann" (cosines); default those of the grid. The
        two share the cell centres: a coefficient with cosine modes goes with a solution that vanishes at the walls

    Raises
    ------
    KanopError : constants outside their ranges, infinite variance, walls asked of a grid without any

    The FNO sets (arXiv:2010.08895 and its `data_generation`):

    * Burgers: the paper's N(0, 625(−Δ+25)^(−2)) is (sigma 25, tau 5, alpha 2), the published script draws
      (sigma 49, tau 7, alpha 2.5);
    * Darcy, thresholded at 0: (sigma 1, tau 3, alpha 2, boundaries "neumann");
    * Navier-Stokes, alpha 2.5 and tau 7: the paper's sigma is 7^(3/4) = 4.3035, the script's 7^(3/2) √2 = 26.1916.

    Examples
    --------
    >>> field = GaussianRandomField(sigma=25, tau=5, alpha=2)
    >>> field.sample(Grid((64,)), seed=0, split="train", indices=[0, 1]).shape
    torch.Size([2, 1, 64])
    """

    sigma: float
    tau: float
    alpha: float
    boundaries: str | None = None

    def __post_init__(self) -> None:
        positive = self.sigma > 0 and self.alpha > 0 and self.tau >= 0
        check(positive, f"expected sigma > 0, tau >= 0, alpha > 0, got {self.sigma}, {self.tau}, {self.alpha}")
        if self.boundaries is not None:
            check(self.boundaries in WALLS, nearest(self.boundaries, WALLS, "kind of modes at walls"))

    def sample(self, grid: Grid | SphereGrid, seed: int, split: str, indices: Sequence[int]) -> Float[Tensor, "b 1 *x"]:
        """Samples number `indices` of `split` ("train", "valid", "test"), in double precision on the grid's device."""
        check(
            2 * self.alpha > grid.ndim,
            f"alpha must exceed d/2 = {grid.ndim / 2} for finite variance, got {self.alpha}",
        )
        draws = (generator(seed, split, i) for i in indices)
        if isinstance(grid, SphereGrid):
            check(self.boundaries is None, f"a sphere has no walls: leave out boundaries={self.boundaries!r}")
            k2 = -grid.to(dtype=torch.float64).laplacian.cpu().numpy()
            size = np.sqrt(self._variance(np.maximum(k2, k2[1, 0]))) / grid.radius
            return harmonics(grid, (size * normals(random, grid.degree) for random in draws))
        modes = lattice(*self._kinds(grid))
        k2 = (modes.wavenumbers(grid.lengths) ** 2).sum(0)
        amplitude = np.sqrt(self._variance(k2)) / modes.norm(grid.lengths)
        return series(grid, modes, (amplitude * modes.normals(random) for random in draws))

    def _variance(self, k2: np.ndarray) -> np.ndarray:
        """λ of modes by their |k|²."""
        return self.sigma**2 * (k2 + self.tau**2) ** -self.alpha

    def _kinds(self, grid: Grid) -> tuple[tuple[str, ...], int]:
        """Kind of the modes on each axis, and the highest number that the grid holds on any."""
        walls = any(kind != "periodic" for kind in grid.boundaries)
        check(
            self.boundaries is None or walls,
            f"boundaries={self.boundaries!r} is for axes with walls, the grid has none: leave it out, or take "
            f"Grid(…, boundaries='dirichlet') or 'neumann'",
        )
        kinds = tuple(kind if kind == "periodic" else self.boundaries or kind for kind in grid.boundaries)
        highest = {"periodic": lambda n: (n - 1) // 2, "dirichlet": lambda n: n, "neumann": lambda n: n - 1}
        return kinds, max(highest[kind](n) for kind, n in zip(kinds, grid.shape, strict=True))
