"""Errors measured in the Sobolev norms H^s, s any real number."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from kanop.losses.inputs import check_pair
from kanop.solvers import Geometry, SphereGrid

__all__ = ["Sobolev"]


@dataclass(frozen=True)
class Sobolev:
    r"""‖û − u‖_s / ‖u‖_s with ‖e‖²_s = Σ_k (1 + |k|²)^s |ê_k|², averaged over the batch.

    s = 0 is the relative L2 error, s = 1 weighs gradients, s < 0 weighs large scales. The modes and their wavenumbers,
    2πm/L or πm/L between walls, are those of the grid, so the norm is that of the field, at every resolution; it
    is normalised such that ‖e‖²_0 is the mean of e² over the domain, summed over channels. On a sphere means are by
    quadrature, and |k|² is l(l + 1) of the unit sphere, whatever the radius.

    Parameters
    ----------
    s : order, any real number (default 0); |k| is in radians per unit of length
    relative : divide by the norm of the target (default). A sample whose target is zero has no relative error: its
        absolute norm is taken.

    Shapes
    ------
    loss(prediction (b, c, *x), target (b, c, *x), grid) → ()

    Raises
    ------
    KanopError : shapes that differ, or are not those of the grid

    Examples
    --------
    >>> from kanop.solvers import Grid
    >>> grid = Grid((16,))
    >>> u = torch.sin(2 * torch.pi * grid.points[0]).reshape(1, 1, 16)
    >>> round(Sobolev(s=1.0)(1.5 * u, u, grid).item(), 12)
    0.5
    """

    s: float = 0.0
    relative: bool = True

    def __call__(
        self, prediction: Float[Tensor, "..."], target: Float[Tensor, "..."], grid: Geometry
    ) -> Float[Tensor, ""]:
        """The mean over the batch."""
        check_pair(prediction, target, grid)
        dtype = torch.promote_types(torch.promote_types(prediction.dtype, target.dtype), torch.float32)
        prediction, target = prediction.to(dtype), target.to(dtype)
        error = self.norm(prediction - target, grid)
        if self.relative:
            size = self.norm(target, grid)
            error = error / torch.where(size > 0, size, torch.ones_like(size))
        return error.mean()

    def norm(self, u: Float[Tensor, "b c *x"], grid: Geometry) -> Float[Tensor, " b"]:
        """‖u‖_s of every sample."""
        if self.s == 0:
            u = u * grid.weights.sqrt().to(u) if isinstance(grid, SphereGrid) else u
            return torch.linalg.vector_norm(u.flatten(1), dim=1) / grid_size(grid) ** 0.5
        weight = _root_weight(grid.to(torch.float64, "cpu"), float(self.s), u.dtype, u.device)
        # vector_norm has the gradient 0 at 0, where a square root would give NaN.
        return torch.linalg.vector_norm((grid.to_spectral(u) * weight).flatten(1), dim=1)


def grid_size(grid: Geometry) -> int:
    """Number of points."""
    return torch.Size(grid.shape).numel()


@lru_cache(maxsize=64)
def _root_weight(grid: Geometry, s: float, dtype: torch.dtype, device: torch.device) -> Float[Tensor, "*k"]:
    """√(w_k (1 + |k|²)^s), in float64, then cast: large s in float32 would lose the small modes."""
    with torch.inference_mode(False):
        k2 = -grid.laplacian * (grid.radius**2 if isinstance(grid, SphereGrid) else 1)
        return (grid.parseval * (1 + k2) ** s).sqrt().to(dtype).to(device)
