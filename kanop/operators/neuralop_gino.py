"""neuraloperator's operators between point clouds behind our interface: the points are those of the grid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from kanop.operators.inputs import check_modes
from kanop.operators.neuralop_model import NeuralopModel
from kanop.solvers import FieldSpec
from kanop.solvers.errors import check

__all__ = ["FNOGNO", "GINO"]


class FNOGNO(NeuralopModel):
    r"""G(u)(x) = Q Σ_{|y − x| < r} κ(x, y) v(y), v = F(u): an FNO F, then a kernel on balls: `neuralop.models.FNOGNO`.

    Parameters
    ----------
    spec : the map to learn
    n_modes : modes kept per axis, counting both signs; at most the points of the axis
        None: half of the axis, at most 32, 24 or 12 in one to three dimensions
    hidden_channels : width (default 64)
    n_layers : number of Fourier layers (default 4)
    radius : r, radius of the balls where the box is [0, 1]^d (default 0.05; at least a spacing of the grid)

    Shapes
    ------
    forward (b, c_in, *x) → (b, c_out, *x)

    Raises
    ------
    KanopError : n_modes that the grid does not hold, a radius below the spacing, and as every `NeuralopModel`

    Notes
    -----
    The library sums over neighbours without weights, so the output grows with the resolution, and does not see
    neighbours across a periodic seam. It compares all pairs of points: memory grows with the square of their number.

    References
    ----------
    Li et al. 2023, arXiv 2309.00583.

    Examples
    --------
    >>> import torch
    >>> from kanop.solvers import FieldSpec, Grid
    >>> model = FNOGNO(FieldSpec(Grid((16,)), ["u"]), n_modes=(8,), hidden_channels=4, radius=0.1)
    >>> model(torch.randn(2, 1, 16)).shape
    torch.Size([2, 1, 16])
    """

    def __init__(
        self,
        spec: FieldSpec,
        n_modes: Sequence[int] | None,
        hidden_channels: int = 64,
        n_layers: int = 4,
        radius: float = 0.05,
    ) -> None:
        modes = check_modes(n_modes, spec, "FNOGNO")
        _check_radius(radius, spec, "FNOGNO")
        super().__init__(
            spec,
            lambda models: FromGrid(
                models.FNOGNO(
                    spec.in_channels,
                    spec.out_channels,
                    gno_coord_dim=spec.box.ndim,
                    fno_n_modes=modes,
                    fno_hidden_channels=hidden_channels,
                    fno_n_layers=n_layers,
                    gno_radius=radius,
                    gno_batched=True,
                    **_PLAIN,
                )
            ),
        )
        self.n_modes, self.hidden_channels, self.n_layers = modes, hidden_channels, n_layers
        self.radius = float(radius)


class GINO(NeuralopModel):
    r"""G(u) = K_out F K_in u: kernels K on balls to a latent grid and back, an FNO F between: `neuralop.models.GINO`.

    Parameters
    ----------
    spec : the map to learn
    n_modes : modes kept per axis of the latent grid, counting both signs; at most its points
        None: half of the axis, at most 32, 24 or 12 in one to three dimensions
    latent : points of the latent grid per axis (default: those of `spec.box`)
    hidden_channels : width (default 64)
    n_layers : number of Fourier layers (default 4)
    radius : radius of the balls where the box is [0, 1]^d (default 0.05; at least a spacing of both grids)

    Shapes
    ------
    forward (b, c_in, *x) → (b, c_out, *x)

    Raises
    ------
    KanopError : n_modes that the latent grid does not hold, a radius below the spacing, and as every `NeuralopModel`

    Notes
    -----
    As with `FNOGNO`, no periodic seam is seen and all pairs of points are compared. The input kernel takes means, the
    output kernel sums over the latent grid, which is fixed: other resolutions of the field are taken as they are.
    The library's linear kernel keeps the number of channels, so the FNO sees as many as the map has.

    References
    ----------
    Li et al. 2023, arXiv 2309.00583.

    Examples
    --------
    >>> import torch
    >>> from kanop.solvers import FieldSpec, Grid
    >>> model = GINO(FieldSpec(Grid((16,)), ["u"]), n_modes=(8,), hidden_channels=4, radius=0.1)
    >>> model(torch.randn(2, 1, 16)).shape
    torch.Size([2, 1, 16])
    """

    def __init__(
        self,
        spec: FieldSpec,
        n_modes: Sequence[int] | None,
        latent: Sequence[int] | None = None,
        hidden_channels: int = 64,
        n_layers: int = 4,
        radius: float = 0.05,
    ) -> None:
        shape = tuple(int(n) for n in latent or spec.box.shape)
        modes = check_modes(n_modes, spec.with_shape(shape), "GINO")
        for at in (spec, spec.with_shape(shape)):
            _check_radius(radius, at, "GINO")
        super().__init__(
            spec,
            lambda models: ThroughGrid(
                models.GINO(
                    spec.in_channels,
                    spec.out_channels,
                    gno_coord_dim=spec.box.ndim,
                    in_gno_radius=radius,
                    out_gno_radius=radius,
                    fno_in_channels=spec.in_channels,
                    fno_n_modes=modes,
                    fno_hidden_channels=hidden_channels,
                    fno_n_layers=n_layers,
                    **_PLAIN,
                ),
                shape,
            ),
        )
        self.n_modes, self.latent = modes, shape
        self.hidden_channels, self.n_layers, self.radius = hidden_channels, n_layers, float(radius)


# Neither optional package is needed for the library's own search and sums.
_PLAIN = {"gno_use_open3d": False, "gno_use_torch_scatter": False}


class FromGrid(nn.Module):
    """An FNOGNO asked at the points of the grid of its input."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, u: Tensor) -> Tensor:
        """Call the model."""
        x = _points(u.shape[2:], u)
        return self.model(x, x.flatten(0, -2), u.movedim(1, -1)).mT.unflatten(-1, u.shape[2:])


class ThroughGrid(nn.Module):
    """A GINO whose input and output live at the points of one grid, and whose latent grid is fixed."""

    def __init__(self, model: Any, latent: Sequence[int]) -> None:
        super().__init__()
        self.model, self.latent = model, latent

    def forward(self, u: Tensor) -> Tensor:
        """Call the model."""
        x = _points(u.shape[2:], u).flatten(0, -2)[None]
        v = self.model(x, _points(self.latent, u)[None], x, x=u.flatten(2).mT)
        return v.mT.unflatten(-1, u.shape[2:])


def _points(shape: Sequence[int], like: Tensor) -> Float[Tensor, "*x d"]:
    axes = [torch.arange(n, device=like.device, dtype=like.dtype) / n for n in shape]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), -1)


def _check_radius(radius: float, spec: FieldSpec, who: str) -> None:
    coarsest = min(spec.box.shape)
    check(
        radius * coarsest >= 1,
        f"{who}: balls of radius {radius} on the unit box reach no neighbour on an axis of {coarsest} points; "
        f"expected radius ≥ {1 / coarsest:.3g}",
    )
