"""What solvers ask of the space that fields live in, be it a box or a sphere."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float, Inexact
from torch import Tensor

from kanop.solvers.errors import KanopError

__all__ = ["Geometry"]


class Geometry(ABC):
    """Points, an exact transform to coefficients there, and the symbols that differentiate them.

    A subclass is frozen and compares by what it was made of: symbols and tables are looked up by it.
    """

    shape: tuple[int, ...]
    """Points per axis."""

    boundaries: tuple[str, ...]
    """Kind of each axis: "periodic", "dirichlet", "neumann"; "sphere" for both of a sphere."""

    dtype: torch.dtype
    """float64 or float32."""

    device: torch.device
    """Where points and symbols are made."""

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    @abstractmethod
    def points(self) -> tuple[Float[Tensor, " n"], ...]:
        """Coordinates of the points, one vector an axis."""

    def mesh(self) -> tuple[Float[Tensor, "*x"], ...]:
        """Coordinates of every point, one array of shape `self.shape` an axis."""
        return torch.meshgrid(*self.points, indexing="ij")

    @property
    @abstractmethod
    def spectral_shape(self) -> tuple[int, ...]:
        """Shape of the array of coefficients."""

    @property
    @abstractmethod
    def spectral_dtype(self) -> torch.dtype:
        """Type of the coefficients."""

    @property
    @abstractmethod
    def laplacian(self) -> Float[Tensor, "*k"]:
        """Symbol of Δ, ≤ 0."""

    @property
    @abstractmethod
    def numbers(self) -> tuple[Float[Tensor, "..."], ...]:
        """How fine each mode is, to broadcast over coefficients: |m| of each axis of a box, the degree on a sphere."""

    @property
    @abstractmethod
    def parseval(self) -> Float[Tensor, "*k"]:
        """Weights w with mean(u²) = Σ_k w_k |û_k|²."""

    @abstractmethod
    def mean(self, u: Float[Tensor, "... *x"]) -> Float[Tensor, "..."]:
        """The mean over space, by the quadrature of the points."""

    @abstractmethod
    def dealias_mask(self, degree: int) -> Bool[Tensor, "*k"]:
        """Modes onto which no product of `degree` fields of such modes aliases."""

    @abstractmethod
    def dealiased(self, degree: int) -> Geometry:
        """The same points with no more modes than terms of `degree` leave, where fewer are cheaper to transform."""

    @abstractmethod
    def to_spectral(self, u: Float[Tensor, "... *x"]) -> Inexact[Tensor, "... *k"]:
        """Coefficients of the series through the values `u` (trailing axes `shape`); any leading axes."""

    @abstractmethod
    def to_physical(self, u_hat: Inexact[Tensor, "... *k"]) -> Float[Tensor, "... *x"]:
        """Values of the series at the points: the inverse of `to_spectral`."""

    @abstractmethod
    def gradient(self, u_hat: Inexact[Tensor, "... *k"]) -> tuple[Float[Tensor, "... *x"], ...]:
        """∇u at the points, one array an axis, along unit vectors."""

    @abstractmethod
    def divergence(self, vector: Sequence[Float[Tensor, "... *x"]]) -> Inexact[Tensor, "... *k"]:
        """Coefficients of the divergence of a vector field given by its values along the same unit vectors."""

    @abstractmethod
    def resample(self, u: Float[Tensor, "... *x"], shape: Sequence[int]) -> Float[Tensor, "... *y"]:
        """Values of the interpolating series on `shape` points, up or down: exact if band-limited."""

    @abstractmethod
    def with_shape(self, shape: Sequence[int]) -> Geometry:
        """The same space with other numbers of points."""

    @abstractmethod
    def to(self, dtype: torch.dtype | None = None, device: torch.device | str | None = None) -> Any:
        """The same grid with other precision or on another device."""

    def _check_tail(self, u: Tensor, shape: tuple[int, ...], what: str) -> None:
        if u.shape[-self.ndim :] != shape:
            raise KanopError(f"expected {what} with trailing axes {shape} on this grid, got shape {tuple(u.shape)}")
