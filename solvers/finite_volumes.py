"""Diffusion on cells: −∇·(a∇u) as conductances of faces, walls half a cell outside the first and last centres."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from kanop.solvers.equation import Derivatives
from kanop.solvers.errors import KanopError, check
from kanop.solvers.grid import Grid

__all__ = ["CellDerivatives", "FaceOperator", "Walls", "conductances", "face_fluxes", "flux_divergence", "wall_values"]

Value = float | int | Tensor
Walls = Value | Sequence[tuple[Value, Value]]
"""u on the walls: one number, or (lower, upper) for every axis: numbers or arrays (b, 1, *x without that axis)."""


class FaceOperator:
    """(A u)_i = Σ_faces T (u_i − u_neighbour) over the faces of cell i, with u = 0 on the walls: symmetric, A > 0.

    Parameters
    ----------
    faces : conductances T > 0, one array an axis, (b, *x) with one entry more along that axis; walls first and last
    """

    def __init__(self, faces: Sequence[Float[Tensor, "..."]]) -> None:
        self.faces, self.ndim = list(faces), len(faces)
        axes = list(enumerate(self.faces, -self.ndim))
        self._inner = [(axis, t.narrow(axis, 1, t.shape[axis] - 2)) for axis, t in axes]
        self.diagonal = torch.stack([_first(t, axis) + _last(t, axis) for axis, t in axes]).sum(0)

    def subtract(self, r: Float[Tensor, "..."], u: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """r ← r − A u, in place: one pass for the diagonal and two an axis."""
        r.addcmul_(self.diagonal, u, value=-1)
        for axis, t in self._inner:
            _first(r, axis).addcmul_(t, _last(u, axis))
            _last(r, axis).addcmul_(t, _first(u, axis))
        return r

    def to(self, dtype: torch.dtype) -> FaceOperator:
        """The same operator in another precision; sums are formed in this one."""
        out = FaceOperator([t.to(dtype) for t in self.faces])
        out.diagonal = self.diagonal.to(dtype)
        return out


def conductances(a: Float[Tensor, "b *x"], grid: Grid) -> list[Float[Tensor, "b ..."]]:
    """T of every face per axis: the harmonic mean 2 a₁a₂/(a₁+a₂) over h² between cells, a/(h · h/2) at walls."""
    out = []
    for axis, h in enumerate(grid.spacing, -grid.ndim):
        left, right = _first(a, axis), _last(a, axis)
        inner = 2 * left * (right / (left + right))
        walls = [2 * a.narrow(axis, i, 1) for i in (0, a.shape[axis] - 1)]
        out.append(torch.cat([walls[0], inner, walls[1]], axis) / h**2)
    return out


def wall_values(walls: Walls, grid: Grid, like: Float[Tensor, "b *x"]) -> list[tuple[Tensor, Tensor]]:
    """u on the lower and upper wall of every axis, shaped (b, *x) with size 1 along that axis."""
    pairs: Sequence = walls if isinstance(walls, Sequence) else [(walls, walls)] * grid.ndim
    expected = f"expected wall values as one number or {grid.ndim} pairs (lower, upper), one an axis"
    check(len(pairs) == grid.ndim and all(isinstance(p, Sequence) and len(p) == 2 for p in pairs), expected)
    return [(_wall(low, axis, like), _wall(high, axis, like)) for axis, (low, high) in enumerate(pairs, -grid.ndim)]


def face_fluxes(
    a: Float[Tensor, "b *x"], u: Float[Tensor, "b *x"], grid: Grid, walls: list[tuple[Tensor, Tensor]]
) -> list[Float[Tensor, "b ..."]]:
    """a ∂u/∂n on every face per axis, differences taken over h between centres and over h/2 at walls."""
    out = []
    for axis, (t, h, (low, high)) in enumerate(
        zip(conductances(a, grid), grid.spacing, walls, strict=True), -grid.ndim
    ):
        out.append(h * t * torch.cat([low, u, high], axis).diff(dim=axis))
    return out


def flux_divergence(flux: Sequence[Float[Tensor, "..."]], grid: Grid) -> Float[Tensor, "..."]:
    """∇·q per cell from its faces: what flows out, over the cell's volume."""
    axes = enumerate(zip(flux, grid.spacing, strict=True), -grid.ndim)
    return torch.stack([q.diff(dim=axis) / h for axis, (q, h) in axes]).sum(0)


class CellDerivatives(Derivatives):
    """Derivatives of steady fields (b, *x) on cells: `div(flux(a, u))` takes harmonic means at the faces.

    Parameters
    ----------
    fields : values (b, *x) at the cell centres, by name
    grid : a grid with Dirichlet walls on every axis
    walls : u on the walls, 0 unless given; see `solve_darcy`
    """

    def __init__(self, fields: Mapping[str, Float[Tensor, "b *x"]], grid: Grid, walls: Walls = 0.0) -> None:
        self._fields, self._grid, self._walls = dict(fields), grid, walls

    @property
    def ndim(self) -> int:
        return self._grid.ndim

    @property
    def coordinates(self) -> tuple[Tensor, ...]:
        return self._grid.mesh()

    @property
    def time(self) -> Tensor:
        raise KanopError("a steady field has no time")

    def t(self, f: Tensor) -> Tensor:
        return torch.zeros_like(f)

    def along(self, axis: int, f: Tensor, order: int = 1) -> Tensor:
        check(order == 1, f"cells give first derivatives and the Laplacian, not order {order} along one axis")
        return self.grad(f)[axis]

    def grad(self, f: Tensor) -> tuple[Tensor, ...]:
        flux = self.flux(torch.ones_like(f), f)
        return tuple((_first(q, axis) + _last(q, axis)) / 2 for axis, q in enumerate(flux, -self.ndim))

    def div(self, flux: Sequence[Tensor]) -> Tensor:
        return flux_divergence(flux, self._grid)

    def flux(self, a: Tensor, f: Tensor) -> tuple[Tensor, ...]:
        return tuple(face_fluxes(a, f, self._grid, wall_values(self._walls, self._grid, f)))

    def laplacian(self, f: Tensor) -> Tensor:
        return self.div(self.flux(torch.ones_like(f), f))


def _first(t: Tensor, axis: int) -> Tensor:
    return t.narrow(axis, 0, t.shape[axis] - 1)


def _last(t: Tensor, axis: int) -> Tensor:
    return t.narrow(axis, 1, t.shape[axis] - 1)


def _wall(value: Value, axis: int, like: Tensor) -> Tensor:
    want = list(like.shape)
    del want[axis]
    if not isinstance(value, Tensor):
        value = torch.tensor(float(value), dtype=like.dtype, device=like.device)
    elif value.ndim == like.ndim:  # (b, 1, *x without the axis): the channel goes
        value = value.squeeze(1)
    finite = bool(torch.isfinite(value).all())
    check(finite, "wall values hold NaN or infinity")
    try:
        return value.to(like).expand(want).unsqueeze(axis)
    except RuntimeError as error:
        wanted = (want[0], 1, *want[1:])
        raise KanopError(f"expected a wall value of shape {wanted} or a number, got {tuple(value.shape)}") from error
