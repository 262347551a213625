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
from kanop.solvers.trigonometric import to_cosine

__all__ = ["Burgers"]


@dataclass(frozen=True)
class Burgers(Equation):
    r"""∂u/∂t + ∂(u²/2)/∂x = ν ∂²u/∂x², periodic, or u = 0 at walls.

    Between walls u is a sine series, u² one of cosines and ∂u²/∂x one of sines again: odd functions on the doubled box,
    where a wall is no boundary. At boundaries order 2 is all that is proven of etdrk4 (Hochbruck and Ostermann), but
    N(u) vanishes with u at these walls, and order 4 is seen, also from x(1 − x), whose curvature jumps there. A start
    that is not zero at a wall brings order 1.6 to 2 until the steps resolve its layer, h ν k² < 1 for all modes.

    Parameters
    ----------
    nu : viscosity ν > 0 in length²/time; 0.1 in the FNO paper, 0.01/π in the PINN literature

    Raises
    ------
    KanopError : ν ≤ 0 or not finite: without viscosity shocks form, which a Fourier series does not resolve

    Reference: Burgers (1948); Hopf (1950), doi:10.1002/cpa.3160030302; Cole (1951), doi:10.1090/qam/42889;
    Hochbruck and Ostermann (2005), doi:10.1137/040611434 (stiff order).

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
    boundaries = ("periodic", "dirichlet")
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
        """−∂(u²/2)/∂x, in conservative form: the mean of a periodic u never changes."""
        u = grid.to_physical(u_hat)
        if grid.boundaries == ("dirichlet",):
            # Its modes are 0 … n−1, those of sines 1 … n.
            cosines = to_cosine(u * u, -1)
            return 0.5 * grid.k[0] * torch.nn.functional.pad(cosines[..., 1:], (0, 1))
        return (-0.5 * grid.derivative(0)) * grid.to_spectral(u * u)

    def speed(self, u_hat: Inexact[Tensor, "b 1 k"], grid: Grid) -> Float[Tensor, "b 1"]:
        """|u|."""
        return grid.to_physical(u_hat).abs().amax(-1)

    def residual(self, D: Derivatives) -> dict[str, Tensor]:
        """∂u/∂t + ∂(u²/2)/∂x − ν ∂²u/∂x²."""
        u = D["u"]
        return {"u": D.t(u) + D.x(u * u / 2) - self.nu * D.laplacian(u)}

    def invariants(self, u: Float[Tensor, "... 1 n"], grid: Grid) -> Mapping[str, Float[Tensor, "..."]]:
        """The mean of u, unless walls hold u = 0."""
        return {} if "dirichlet" in grid.boundaries else {"mean": u.mean((-2, -1))}

    def exact(self, u0: Float[Tensor, "1 n"], grid: Grid) -> Callable[..., Tensor]:
        r"""Cole-Hopf: u = m + (K_t * w₀φ₀)/(K_t * φ₀)(x − mt) with φ₀ = exp(−∫w₀/2ν), w₀ = u₀ − m, m the mean of u₀.

        The convolutions with the heat kernel K_t are trapezoidal sums over the points of `grid`, exact to rounding
        once its width √(2νt) exceeds two spacings and u₀ and φ₀ are resolved; an average with positive weights, it
        loses no digits. Exponents are added, so small ν does not overflow. Takes t > 0 and x of any equal shape.
        Between walls it is that of the odd u on the doubled box.
        """
        if grid.boundaries == ("dirichlet",):
            (n,), (length,), (start,) = grid.shape, grid.lengths, grid.origin
            doubled = Grid((2 * n,), (2 * length,), origin=(start + length / (2 * n),), device=grid.device)
            return self.exact(torch.cat([u0, -u0.flip(-1)], -1), doubled)
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
