"""The Allen-Cahn equation."""

from __future__ import annotations

import math
from dataclasses import dataclass

from jaxtyping import Float, Inexact
from torch import Tensor

from kanop.solvers.equation import Constant, Derivatives, Equation
from kanop.solvers.errors import check
from kanop.solvers.geometry import Geometry

__all__ = ["AllenCahn"]


@dataclass(frozen=True)
class AllenCahn(Equation[Geometry]):
    r"""∂u/∂t = D Δu + r (u − u³).

    Parameters
    ----------
    diffusivity : D > 0 in length²/time; 10⁻⁴ on (−1, 1) in the PINN literature (default)
    rate : r > 0 in 1/time; 5 in the PINN literature (default). Fronts have the width √(2D/r).

    Raises
    ------
    KanopError : a constant that is not positive and finite

    References
    ----------
    Raissi et al. 2019, doi:10.1016/j.jcp.2018.10.045, §3.2.

    Examples
    --------
    >>> import torch
    >>> from kanop.solvers import Grid, solve
    >>> grid = Grid((256,), lengths=[2.0], origin=[-1.0])
    >>> x = grid.points[0]
    >>> u = solve(AllenCahn(), (x**2 * torch.cos(torch.pi * x))[None, None], grid, times=[0.0, 1.0], dt=0.01)
    >>> bool(u.u[0, 1].abs().max() < 1.01)
    True
    """

    diffusivity: Constant = 1e-4
    rate: Constant = 5.0

    channels = ("u",)
    boundaries = ("periodic", "dirichlet", "neumann", "sphere")
    degree = 3

    def __post_init__(self) -> None:
        good = 0 < self.diffusivity < math.inf and 0 < self.rate < math.inf
        check(good, f"expected diffusivity > 0 and rate > 0, got {self.diffusivity}, {self.rate}")

    def linear(self, grid: Geometry) -> Float[Tensor, "1 *k"]:
        """r − D|k|²."""
        return (self.rate + self.diffusivity * grid.laplacian)[None]

    def nonlinear(
        self, u_hat: Inexact[Tensor, "b 1 *k"], grid: Geometry, t: float | Tensor
    ) -> Inexact[Tensor, "b 1 *k"]:
        """−r u³."""
        u = grid.to_physical(u_hat)
        return grid.to_spectral(-self.rate * u * u * u)

    def residual(self, D: Derivatives) -> dict[str, Tensor]:
        """∂u/∂t − D Δu − r (u − u³)."""
        u = D["u"]
        return {"u": D.t(u) - self.diffusivity * D.laplacian(u) - self.rate * (u - u**3)}
