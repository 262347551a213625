"""The Laplacian on cells between Dirichlet walls, inverted by sine transforms."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from kanop.solvers.grid import Grid

__all__ = ["SineInverse"]


class SineInverse:
    """The inverse of the Laplacian on cells: sin(πm(j+½)/n) are its eigenvectors, (4/h²) sin²(πm/2n) its eigenvalues.

    The odd reflection at the wall, u₋₁ = −u₀, makes the first row (3u₀ − u₁)/h² the ordinary (2u₀ − u₁ − u₋₁)/h².
    """

    def __init__(self, grid: Grid, dtype: torch.dtype) -> None:
        self._bases, eigenvalues = [], torch.zeros(1, dtype=torch.float64, device=grid.device)
        for n, h in zip(grid.shape, grid.spacing, strict=True):
            m = torch.arange(1, n + 1, dtype=torch.float64, device=grid.device)
            basis = torch.sin(math.pi / n * m[:, None] * (m - 0.5)) * math.sqrt(2 / n)
            basis[-1] /= math.sqrt(2)
            self._bases.append(basis.to(dtype))
            eigenvalues = eigenvalues[..., None] + (2 / h * torch.sin(math.pi / (2 * n) * m)) ** 2
        self._gain = (1 / eigenvalues).to(dtype)

    def __call__(self, r: Float[Tensor, "b *x"]) -> Float[Tensor, "b *x"]:
        spectrum = self._apply(r, [basis.T for basis in self._bases]).mul_(self._gain)
        return self._apply(spectrum, self._bases)

    def _apply(self, r: Tensor, matrices: Sequence[Tensor]) -> Tensor:
        for axis, matrix in enumerate(matrices[:-1], 1):
            r = (matrix.T @ r.flatten(axis + 1)).reshape(r.shape) if axis == r.ndim - 2 else _along(r, matrix, axis)
        return r @ matrices[-1]


def _along(r: Tensor, matrix: Tensor, axis: int) -> Tensor:
    return (r.movedim(axis, -1) @ matrix).movedim(-1, axis)
