"""`Derivatives` on a grid: FFT in space, finite differences of any order in time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from kanop.solvers.equation import Derivatives, Equation
from kanop.solvers.errors import KanopError, check
from kanop.solvers.fields import Trajectory
from kanop.solvers.geometry import Geometry
from kanop.solvers.grid import Grid

__all__ = ["GridDerivatives", "finite_difference_matrix"]


class GridDerivatives(Derivatives):
    r"""Derivatives of frames (b, t, *x): (ik)^m û in space, the `order`-accurate difference stencil in time.

    Parameters
    ----------
    fields : values (b, t, *x) by name
    times : (t,) times of the frames, at least `order` + 1 of them
    grid : the grid of the frames; at walls it has derivatives of even order only
    order : accuracy of the time stencil; the `order` + 1 nearest frames are used, one-sided at the ends

    Products of fields are formed at the grid's points: resolve the product, or the derivative is aliased.
    """

    def __init__(
        self,
        fields: Mapping[str, Float[Tensor, "b t *x"]],
        times: Float[Tensor, " t"],
        grid: Geometry,
        order: int = 4,
    ) -> None:
        self._fields, self._grid, self._times = dict(fields), grid, times
        self._time_matrix = finite_difference_matrix(times, order)

    @classmethod
    def of(cls, equation: Equation[Any], trajectory: Trajectory, order: int = 4) -> GridDerivatives:
        """The derivatives of a trajectory, with the auxiliary fields of `equation` supplied."""
        named = dict(zip(trajectory.channels, trajectory.u.unbind(2), strict=True))
        named |= equation.supply(trajectory.u, trajectory.grid)
        return cls(named, trajectory.times, trajectory.grid, order)

    @property
    def ndim(self) -> int:
        return self._grid.ndim

    @property
    def coordinates(self) -> tuple[Tensor, ...]:
        return self._grid.mesh()

    @property
    def time(self) -> Tensor:
        return self._times.reshape(-1, *[1] * self._grid.ndim)

    def t(self, f: Tensor) -> Tensor:
        return torch.einsum("st,bt...->bs...", self._time_matrix.to(f.dtype), f)

    def grad(self, f: Tensor) -> tuple[Tensor, ...]:
        return self._grid.gradient(self._grid.to_spectral(f))

    def div(self, flux: Sequence[Tensor]) -> Tensor:
        return self._grid.to_physical(self._grid.divergence(flux))

    def flux(self, a: Tensor, f: Tensor) -> tuple[Tensor, ...]:
        return tuple(a * g for g in self.grad(f))

    def laplacian(self, f: Tensor) -> Tensor:
        return self._grid.to_physical(self._grid.laplacian * self._grid.to_spectral(f))

    def along(self, axis: int, f: Tensor, order: int = 1) -> Tensor:
        if not isinstance(self._grid, Grid):
            raise KanopError("the axes of a sphere are no directions of space: take grad, div and laplacian")
        return self._grid.to_physical(self._grid.derivative(axis, order) * self._grid.to_spectral(f))


def finite_difference_matrix(times: Float[Tensor, " t"], order: int) -> Float[Tensor, "t t"]:
    """Matrix that differentiates frames at `times` (any spacing), exact for polynomials of degree `order`."""
    n = len(times)
    check(n > order, f"a time derivative of order {order} needs {order + 1} frames, got {n}")
    matrix = torch.zeros(n, n, dtype=torch.float64)
    for i in range(n):
        start = min(max(i - order // 2, 0), n - order - 1)
        nodes = times[start : start + order + 1].double() - times[i].double()
        scale = nodes.abs().max()
        powers = torch.stack([(nodes / scale) ** p for p in range(order + 1)])
        unit = torch.zeros(order + 1, dtype=torch.float64)
        unit[1] = 1 / scale
        matrix[i, start : start + order + 1] = torch.linalg.solve(powers, unit)
    return matrix.to(times.device)
