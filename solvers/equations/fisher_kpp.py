"""Fisher's equation."""

from __future__ import annotations

import math
from dataclasses import dataclass

from jaxtyping import Float, Inexact
from torch import Tensor

from kanop.solvers.equation import Constant, Derivatives, Equation
from kanop.solvers.errors import check
from kanop.solvers.grid import Grid

__all__ = ["FisherKPP"]


@dataclass(frozen=True)
class FisherKPP(Equation):
    r"""∂u/∂t = D Δu + r u (1 − u).

    Fronts run at a speed ≥ 2√(rD) into u = 0, which is unstable: negative values, rounding too, grow like e^{rt}.

    Parameters
    ----------
    diffusivity : D > 0 in length²/time
    rate : r > 0 in 1/time; PDEBench has D of 0.5 to 5 and r of 1 to 10 on the unit interval

    Raises
    ------
    KanopError : a constant that is not positive and finite

    References
    ----------
    Ablowitz and Zeppetella 1979, doi:10.1007/BF02462380 (the front of speed 5/√6 for D = r = 1).

    Examples
    --------
    >>> import torch
    >>> from kanop.solvers import Grid, solve
    >>> grid = Grid((16,))
    >>> u = solve(FisherKPP(1.0, 1.0), torch.full((1, 1, 16), 0.5), grid, times=[0.0, 2.0], dt=0.05)
    >>> round(float(u.u[0, 1, 0, 0]), 5) == round(1 / (1 + math.exp(-2.0)), 5)
    True
    """

    diffusivity: Constant
    rate: Constant

    channels = ("u",)
    boundaries = ("periodic", "neumann")
    degree = 2

    def __post_init__(self) -> None:
        good = 0 < self.diffusivity < math.inf and 0 < self.rate < math.inf
        check(good, f"expected diffusivity > 0 and rate > 0, got {self.diffusivity}, {self.rate}")

    def linear(self, grid: Grid) -> Float[Tensor, "1 *k"]:
        """r − D|k|²."""
        return (self.rate + self.diffusivity * grid.laplacian)[None]

    def nonlinear(self, u_hat: Inexact[Tensor, "b 1 *k"], grid: Grid, t: float | Tensor) -> Inexact[Tensor, "b 1 *k"]:
        """−r u²."""
        u = grid.to_physical(u_hat)
        return grid.to_spectral(-self.rate * u * u)

    def residual(self, D: Derivatives) -> dict[str, Tensor]:
        """∂u/∂t − D Δu − r u (1 − u)."""
        u = D["u"]
        return {"u": D.t(u) - self.diffusivity * D.laplacian(u) - self.rate * u * (1 - u)}
