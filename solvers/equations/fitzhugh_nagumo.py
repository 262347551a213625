"""The FitzHugh-Nagumo equations."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Inexact
from torch import Tensor

from kanop.solvers.equation import Constant, Derivatives, Equation, finite
from kanop.solvers.errors import check
from kanop.solvers.grid import Grid

__all__ = ["FitzHughNagumo"]


@dataclass(frozen=True)
class FitzHughNagumo(Equation):
    r"""∂u/∂t = D_u Δu + u − u³ − k − v, ∂v/∂t = D_v Δv + u − v.

    Parameters
    ----------
    diffusivity_u, diffusivity_v : D_u, D_v > 0 in length²/time; PDEBench: 10⁻³ and 5·10⁻³ on (−1, 1)² (default)
    k : constant current; PDEBench: 5·10⁻³ (default)

    Raises
    ------
    KanopError : a diffusivity that is not positive, a current that is not finite

    References
    ----------
    Takamoto et al. 2022, arXiv:2210.07182, eq. 8-9 (PDEBench's 2D diffusion-reaction; zero flux at the walls).

    Examples
    --------
    >>> from kanop.solvers import Grid, solve
    >>> grid = Grid((16, 16), lengths=[2.0, 2.0], boundaries="neumann")
    >>> u = solve(FitzHughNagumo(), torch.zeros(1, 2, 16, 16), grid, times=[0.0, 1.0], dt=0.05)
    >>> bool(u.u[0, 1].std((-2, -1)).max() < 1e-14)
    True
    """

    diffusivity_u: Constant = 1e-3
    diffusivity_v: Constant = 5e-3
    k: Constant = 5e-3

    channels = ("u", "v")
    boundaries = ("periodic", "neumann")
    degree = 3

    def __post_init__(self) -> None:
        good = 0 < self.diffusivity_u < math.inf and 0 < self.diffusivity_v < math.inf
        check(good, f"expected diffusivities > 0, got {self.diffusivity_u}, {self.diffusivity_v}")
        check(finite(self.k), f"expected a finite current k, got {self.k}")

    def linear(self, grid: Grid) -> Float[Tensor, "2 2 *k"]:
        """[[1 − D_u|k|², −1], [1, −1 − D_v|k|²]]."""
        u, v = 1 + self.diffusivity_u * grid.laplacian, -1 + self.diffusivity_v * grid.laplacian
        one = torch.ones_like(u)
        return torch.stack([torch.stack([u, -one]), torch.stack([one, v])])

    def nonlinear(self, u_hat: Inexact[Tensor, "b 2 *k"], grid: Grid, t: float | Tensor) -> Inexact[Tensor, "b 2 *k"]:
        """−u³ − k and 0."""
        u = grid.to_physical(u_hat[:, 0])
        rate = grid.to_spectral(-u * u * u)
        # The constant k is the mean mode alone.
        rate.flatten(1)[:, 0] -= self.k
        return torch.stack([rate, torch.zeros_like(rate)], 1)

    def residual(self, D: Derivatives) -> dict[str, Tensor]:
        """∂u/∂t − D_u Δu − u + u³ + k + v and ∂v/∂t − D_v Δv − u + v."""
        u, v = D["u"], D["v"]
        return {
            "u": D.t(u) - self.diffusivity_u * D.laplacian(u) - u + u**3 + self.k + v,
            "v": D.t(v) - self.diffusivity_v * D.laplacian(v) - u + v,
        }
