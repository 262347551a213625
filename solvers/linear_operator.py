"""Linear parts that couple the modes: what implicit schemes ask of them, and dense ones."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import lru_cache

import torch
from jaxtyping import Float, Inexact
from torch import Tensor

from kanop.solvers.errors import check
from kanop.solvers.grid import Grid

__all__ = ["LinearOperator", "MatrixOperator"]

# Real unknowns of the largest dense matrix: 0.5 GiB in double precision, and as much for each step size.
LARGEST = 8192


class LinearOperator(ABC):
    """L of ∂u/∂t = L u + N(u) where it couples the modes; `Equation.linear` returns one instead of a symbol.

    It maps the modes that dealiasing keeps to themselves; the others are zero and stay so.
    """

    @abstractmethod
    def apply(self, u_hat: Inexact[Tensor, "b c *k"]) -> Inexact[Tensor, "b c *k"]:
        """L û."""

    @abstractmethod
    def solve(self, u_hat: Inexact[Tensor, "b c *k"], a: float) -> Inexact[Tensor, "b c *k"]:
        """(1 − aL)⁻¹ û, for few different a ≥ 0."""


class MatrixOperator(LinearOperator):
    r"""L as a dense real matrix on the coefficients that dealiasing keeps, factored once for each a of (1 − aL)⁻¹.

    Parameters
    ----------
    action : û ↦ Lû for spectra (b, c, *k) on `grid`, linear; it is called on all unit vectors at once
    grid : a grid in double precision
    channels : c
    degree : of the equation's nonlinear term, which sets the modes that are kept

    Raises
    ------
    KanopError : more than 8192 real unknowns, for which a dense matrix is the wrong tool

    Examples
    --------
    >>> grid = Grid((8,), lengths=[2 * torch.pi])
    >>> L = MatrixOperator(lambda u_hat: grid.laplacian * u_hat, grid, channels=1, degree=1)
    >>> u_hat = grid.to_spectral(torch.cos(3 * grid.points[0]))[None, None]
    >>> bool((L.solve(u_hat, 0.1) - u_hat / 1.9).abs().max() < 1e-15)
    True
    """

    def __init__(self, action: Callable[[Tensor], Tensor], grid: Grid, channels: int, degree: int) -> None:
        parts = 2 if grid.spectral_dtype.is_complex else 1
        keep = grid.dealias_mask(degree).expand(channels, *grid.spectral_shape)
        self._kept = keep[..., None].expand(*keep.shape, parts).flatten().nonzero().flatten()
        size = len(self._kept)
        check(
            size <= LARGEST,
            f"a dense matrix of {size} unknowns is too large (at most {LARGEST}): take a coarser grid, or write a "
            "LinearOperator with a sparse or an iterative `solve`",
        )
        units = torch.zeros(size, *keep.shape, parts, dtype=grid.dtype, device=grid.device)
        units.view(size, -1)[:, self._kept] = torch.eye(size, dtype=grid.dtype, device=grid.device)
        images = action(torch.view_as_complex(units) if parts == 2 else units[..., 0])
        # Row i is the image of unit vector i: vectors stand on the left.
        self.matrix = self._gather(images)
        self._factors = lru_cache(maxsize=32)(self._factored)

    def apply(self, u_hat: Inexact[Tensor, "b c *k"]) -> Inexact[Tensor, "b c *k"]:
        return self._scatter(self._gather(u_hat) @ self.matrix, u_hat)

    def solve(self, u_hat: Inexact[Tensor, "b c *k"], a: float) -> Inexact[Tensor, "b c *k"]:
        # Kept factors would hide from gradients that a step is taken twice.
        factors = self._factored(a) if self.matrix.requires_grad else self._factors(a)
        return self._scatter(torch.linalg.lu_solve(*factors, self._gather(u_hat), left=False), u_hat)

    def _factored(self, a: float) -> tuple[Tensor, Tensor]:
        one = torch.eye(len(self.matrix), dtype=self.matrix.dtype, device=self.matrix.device)
        return torch.linalg.lu_factor(one - a * self.matrix)

    def _gather(self, u_hat: Tensor) -> Float[Tensor, "b m"]:
        values = torch.view_as_real(u_hat) if u_hat.is_complex() else u_hat
        return values.reshape(len(u_hat), -1)[:, self._kept].double()

    def _scatter(self, values: Float[Tensor, "b m"], like: Tensor) -> Tensor:
        parts = (2,) if like.is_complex() else ()
        full = values.new_zeros(len(values), like[0].numel() * (2 if parts else 1))
        full = full.index_copy(1, self._kept, values).view(*like.shape, *parts)
        return (torch.view_as_complex(full) if parts else full).to(like.dtype)
