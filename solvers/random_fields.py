"""Random initial fields with exact covariance, the same function at every resolution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from kanop.solvers.errors import KanopError, check, nearest
from kanop.solvers.grid import Grid

__all__ = ["GaussianRandomField"]

SPLITS = {"train": 0, "valid": 1, "test": 2}


@dataclass(frozen=True)
class GaussianRandomField:
    r"""u ~ N(0, σ²(−Δ + τ²)^(−α)), periodic, zero mean: u = Σ_k √λ_k ξ_k e_k with λ_k = σ²(|k|² + τ²)^(−α).

    The e_k are orthonormal on the box and the ξ_k independent standard normals, drawn mode by mode outwards: sample i
    of a split is a pure function of (seed, split, i), and a finer grid adds modes to it but changes none.

    Parameters
    ----------
    sigma : σ > 0, scale of the field
    tau : τ ≥ 0, inverse correlation length
    alpha : α > 0, smoothness; 2α > d for finite variance

    The FNO Burgers set: the paper's N(0, 625(−Δ+25)^(−2)) is (sigma 25, tau 5, alpha 2), the published script
    draws (sigma 49, tau 7, alpha 2.5); arXiv:2010.08895 §5.1 and its `data_generation/burgers`.

    Examples
    --------
    >>> field = GaussianRandomField(sigma=25, tau=5, alpha=2)
    >>> field.sample(Grid((64,)), seed=0, split="train", indices=[0, 1]).shape
    torch.Size([2, 1, 64])
    """

    sigma: float
    tau: float
    alpha: float

    def __post_init__(self) -> None:
        positive = self.sigma > 0 and self.alpha > 0 and self.tau >= 0
        check(positive, f"expected sigma > 0, tau >= 0, alpha > 0, got {self.sigma}, {self.tau}, {self.alpha}")

    def sample(self, grid: Grid, seed: int, split: str, indices: Sequence[int]) -> Float[Tensor, "b 1 *x"]:
        """Samples number `indices` of `split` ("train", "valid", "test"), in double precision on the grid's device."""
        check(split in SPLITS, nearest(split, SPLITS, "split"))
        check(set(grid.boundaries) == {"periodic"}, f"this field is periodic, the grid is {grid.boundaries}")
        check(
            2 * self.alpha > grid.ndim,
            f"alpha must exceed d/2 = {grid.ndim / 2} for finite variance, got {self.alpha}",
        )
        grid = grid.to(dtype=torch.float64)
        modes, place, mirror = _half_lattice(grid.shape)
        k2 = np.sum([(2 * np.pi / length * m) ** 2 for m, length in zip(modes, grid.lengths, strict=True)], axis=0)
        amplitude = self.sigma * (k2 + self.tau**2) ** (-self.alpha / 2) / np.sqrt(2 * np.prod(grid.lengths))
        spectra = np.zeros((len(indices), 1, *grid.spectral_shape), dtype=complex)
        inside = np.all([2 * abs(m) < n for m, n in zip(modes, grid.shape, strict=True)], axis=0)
        on_plane = inside & (modes[-1] == 0)
        for row, i in enumerate(indices):
            generator = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, SPLITS[split], i])))
            noise = generator.standard_normal((len(inside), 2))
            values = amplitude * (noise[:, 0] - 1j * noise[:, 1])
            spectra[row, 0][tuple(p[inside] for p in place)] = values[inside]
            spectra[row, 0][tuple(p[on_plane] for p in mirror)] = values[on_plane].conj()
        return grid.to_physical(torch.from_numpy(spectra).to(grid.device))


@lru_cache(maxsize=8)
def _half_lattice(shape: tuple[int, ...]) -> tuple[tuple[np.ndarray, ...], ...]:
    """One mode of each pair ±k ordered by shells of max|k|, and the places of k and −k in the half spectrum."""
    reach = (max(shape) - 1) // 2
    check(reach >= 1, f"a random field needs at least 3 points on an axis, got shape {shape}", KanopError)
    axes = [np.arange(-reach, reach + 1)] * (len(shape) - 1) + [np.arange(reach + 1)]
    modes = np.stack([m.ravel() for m in np.meshgrid(*axes, indexing="ij")])
    # Where the last mode number is 0, ±k are both listed: keep the one whose first non-zero entry is positive.
    first = np.zeros(modes.shape[1], dtype=int)
    for row in np.sign(modes):
        first = np.where(first == 0, row, first)
    modes = modes[:, (modes[-1] > 0) | (first > 0)]
    order = np.lexsort((*modes[::-1], abs(modes).max(0)))
    modes = modes[:, order]
    place = tuple(m % n for m, n in zip(modes, shape, strict=True))
    mirror = tuple(-m % n for m, n in zip(modes, shape, strict=True))
    return tuple(modes), place, mirror
