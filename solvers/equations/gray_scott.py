"""The Gray-Scott reaction-diffusion system."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Inexact
from torch import Tensor

from kanop.solvers.equation import Constant, Derivatives, Equation
from kanop.solvers.errors import check
from kanop.solvers.grid import Grid

__all__ = ["GrayScott"]


@dataclass(frozen=True)
class GrayScott(Equation):
    r"""∂A/∂t = δ_A ΔA − AB² + f (1 − A), ∂B/∂t = δ_B ΔB + AB² − (f + κ) B.

    Parameters
    ----------
    feed, kill : f ≥ 0 and κ ≥ 0 in 1/time. The Well: (0.014, 0.054) gliders, (0.098, 0.057) bubbles, (0.029, 0.057)
        maze, (0.058, 0.065) worms, (0.018, 0.051) spirals, (0.03, 0.062) spots
    delta_a, delta_b : diffusivities > 0 in length²/time; 2·10⁻⁵ and 10⁻⁵ on (−1, 1)² (default)

    Raises
    ------
    KanopError : a negative rate, a diffusivity that is not positive

    References
    ----------
    Pearson 1993, doi:10.1126/science.261.5118.189; Ohana et al. 2024, arXiv:2412.00568 (The Well).

    Examples
    --------
    >>> from kanop.solvers import Grid, solve
    >>> grid = Grid((16, 16), lengths=[2.0, 2.0])
    >>> still = torch.stack([torch.ones(16, 16), torch.zeros(16, 16)])[None]
    >>> u = solve(GrayScott(0.03, 0.062), still, grid, times=[0.0, 10.0], dt=1.0)
    >>> bool((u.u[:, 1] - still).abs().max() < 1e-13)
    True
    """

    feed: Constant
    kill: Constant
    delta_a: Constant = 2e-5
    delta_b: Constant = 1e-5

    channels = ("A", "B")
    boundaries = ("periodic", "neumann")
    degree = 3

    def __post_init__(self) -> None:
        check(0 <= self.feed < math.inf and 0 <= self.kill < math.inf, f"expected feed, kill ≥ 0, got {self}")
        check(0 < self.delta_a < math.inf and 0 < self.delta_b < math.inf, f"expected diffusivities > 0, got {self}")

    def linear(self, grid: Grid) -> Float[Tensor, "2 *k"]:
        """−δ_A|k|² − f and −δ_B|k|² − f − κ."""
        return torch.stack(
            [self.delta_a * grid.laplacian - self.feed, self.delta_b * grid.laplacian - self.feed - self.kill]
        )

    def nonlinear(self, u_hat: Inexact[Tensor, "b 2 *k"], grid: Grid, t: float | Tensor) -> Inexact[Tensor, "b 2 *k"]:
        """f − AB² and AB²."""
        a, b = grid.to_physical(u_hat).unbind(1)
        reaction = grid.to_spectral(a * b * b)
        rate = torch.stack([-reaction, reaction], 1)
        # The constant f is the mean mode alone.
        rate.flatten(2)[:, 0, 0] += self.feed
        return rate

    def residual(self, D: Derivatives) -> dict[str, Tensor]:
        """∂A/∂t − δ_A ΔA + AB² − f (1 − A) and ∂B/∂t − δ_B ΔB − AB² + (f + κ) B."""
        a, b = D["A"], D["B"]
        reaction = a * b * b
        return {
            "A": D.t(a) - self.delta_a * D.laplacian(a) + reaction - self.feed * (1 - a),
            "B": D.t(b) - self.delta_b * D.laplacian(b) - reaction + (self.feed + self.kill) * b,
        }
