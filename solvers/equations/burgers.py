"""Burgers' equation."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, Inexact
from torch import Tensor

from kanop.solvers.equation import Constant, Derivatives, Equation
from kanop.solvers.errors import check
from kanop.solvers.grid import Grid

__all__ = ["Burgers"]


@dataclass(frozen=True)
class Burgers(Equation):
    r"""∂u/∂t + ∂(u²/2)/∂x = ν ∂²u/∂x².

    Parameters
    ----------
    nu : viscosity ν > 0 in length²/time; 0.1 in the FNO paper, 0.01/π in the PINN literature

    Raises
    ------
    KanopError : ν ≤ 0 or not finite: without viscosity shocks form, which a Fourier series does not resolve

    Reference: Burgers (1948); Hopf (1950), doi:10.1002/cpa.3160030302; Cole (1951), doi:10.1090/qam/42889.

    Examples
    --------
    >>> from kanop.solvers import Grid, solve
    >>> grid = Grid((64,))
    >>> u0 = torch.sin(2 * torch.pi * grid.points[0])[None, None]
    >>> u = solve(Burgers(nu=0.1), u0, grid, times=[0.0, 1.0], dt=1 / 64)
    >>> bool((u.u[0, 1, 0] - Burgers(0.1).exact(u0[0], grid)(1.0, grid.points[0])).abs().max() < 1e-7)
    True
    """

    nu: Constant

    channels = ("u",)
    ndim = (1,)
    degree = 2

    def __post_init__(self) -> None:
        check(
            0 < self.nu < math.inf,
            f"expected a viscosity nu > 0, got {self.nu}: without it shocks form, which no Fourier series resolves",
        )

    def linear(self, grid: Grid) -> Float[Tensor, "1 k"]:
        """−ν k²."""
        return self.nu * grid.laplacian[None]

    def nonlinear(self, u_hat: Inexact[Tensor, "b 1 k"], grid: Grid, t: float | Tensor) -> Inexact[Tensor, "b 1 k"]:
        """−∂(u²/2)/∂x, in conservative form: the mean never changes."""
        u = grid.to_physical(u_hat)
        return (-0.5 * grid.derivative(0)) * grid.to_spectral(u * u)

    def residual(self, D: Derivatives) -> dict[str, Tensor]:
        """∂u/∂t + ∂(u²/2)/∂x − ν ∂²u/∂x²."""
        u = D["u"]
        return {"u": D.t(u) + D.x(u * u / 2) - self.nu * D.laplacian(u)}

    def invariants(self, u: Float[Tensor, "... 1 n"], grid: Grid) -> Mapping[str, Float[Tensor, "..."]]:
        """The mean of u."""
        return {"mean": u.mean((-2, -1))}

    def exact(self, u0: Float[Tensor, "1 n"], grid: Grid) -> Callable[..., Tensor]:
        r"""Cole-Hopf: u = m + (K_t * w₀φ₀)/(K_t * φ₀)(x − mt) with φ₀ = exp(−∫w₀/2ν), w₀ = u₀ − m, m the mean of u₀.

        The convolutions with the heat kernel K_t are trapezoidal sums over the points of `grid`, exact to rounding
        once its width √(2νt) exceeds two spacings and u₀ and φ₀ are resolved; an average with positive weights, it
        loses no digits. Exponents are added, so small ν does not overflow. Takes t > 0 and x of any equal shape.
        """
        check(grid.boundaries == ("periodic",), "the Cole-Hopf solution here is the periodic one")
        mean = u0.mean()
        w0 = (u0 - mean)[0]
        ik = grid.derivative(0)
        w_hat = grid.to_spectral(w0)
        potential = grid.to_physical(torch.where(ik == 0, 0, w_hat / torch.where(ik == 0, 1, ik)))
        nodes, length = grid.points[0], grid.lengths[0]

        def solution(t: float | Tensor, x: Tensor) -> Tensor:
            t = torch.as_tensor(t, dtype=x.dtype).expand(x.shape)
            width = 4 * self.nu * t[..., None]
            distance = (x - mean * t)[..., None] - nodes
            distance = distance - length * torch.round(distance.detach() / length)
            # φ₀ is the same at all images of a node: those 40 e-folds of the kernel away do not count.
            reach = math.ceil(math.sqrt(40 * float(width.detach().max())) / length + 0.5)
            images = [-((distance + j * length) ** 2) / width for j in range(-reach, reach + 1)]
            kernel = torch.logsumexp(torch.stack(images), 0)
            return mean + (torch.softmax(kernel - potential / (2 * self.nu), -1) * w0).sum(-1)

        return solution
