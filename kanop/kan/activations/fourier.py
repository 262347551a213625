"""The Fourier activation."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from kanop.kan.activations.activation import Activation
from kanop.kan.activations.moments import normal_points, target
from kanop.kan.fourier import Fourier
from kanop.solvers.errors import check

__all__ = ["FourierActivation"]


class FourierActivation(Activation):
    r"""f(x) = c_0 + Σ_{g ≤ d} (a_g cos gωx + b_g sin gωx): bounded, of period 2π/ω.

    Parameters
    ----------
    features : i ≥ 1, each with coefficients of its own
    degree : d ≥ 1 (default 3)
    omega : ω > 0 (default 1)
    fit : a known activation to start from, least squares under the normal distribution ("gelu", "silu", "tanh",
        "identity"; take ω = ½, so that ±2π lies far out); None (default) starts from the coefficients below

    Shapes
    ------
    coefficients (1 + 2d, i): c_0, the cosines, the sines; forward (*n, i) → (*n, i)

    Raises
    ------
    KanopError : degree below 1, an ω that is not positive, an unknown activation

    Notes
    -----
    a_g = b_g = 1/(√s g!) and c_0² = (1 − 1/d!²)/s with s = Σ_{m < d} 1/m!²: over a period the mean of f² is 1 and that
    of f'² is ω². For a standard normal x the mean of f² is `second_moment` (1.93 for d = 3 and ω = 1).

    Reference: Khalfaoui-Hassani & Kesselheim 2025 (torchortho), arXiv 2502.01247.

    Examples
    --------
    >>> x = torch.randn(4, 2)
    >>> f = FourierActivation(2)
    >>> torch.allclose(f(x), f(x + 2 * torch.pi), atol=1e-5)
    True
    """

    def __init__(self, features: int, degree: int = 3, omega: float = 1.0, fit: str | None = None) -> None:
        super().__init__(features)
        check(degree >= 1, f"degree is at least 1, got {degree}")
        check(omega > 0, f"omega is positive, got {omega}")
        self.degree, self.omega, self.fit = degree, float(omega), fit
        self.basis = Fourier(degree)
        start = self._fitted(fit) if fit else torch.tensor(_balanced(degree))
        self.coefficients = nn.Parameter(start.to(torch.get_default_dtype())[:, None].repeat(1, features))

    def function(self, x: Float[Tensor, "*n i"]) -> Float[Tensor, "*n i"]:
        """The sum, its functions by angle addition."""
        total = self.coefficients[0]
        for c, value in zip(self.coefficients[1:], self.basis.functions(self.omega * x), strict=True):
            total = total + c * value
        return total

    def _fitted(self, name: str) -> Tensor:
        x, weight = normal_points()
        functions = torch.stack([torch.ones_like(x), *self.basis.functions(self.omega * x)], -1)
        root = weight.sqrt()
        return torch.linalg.lstsq(root[:, None] * functions, (root * target(name)(x))[:, None]).solution[:, 0]


def _balanced(degree: int) -> list[float]:
    s = sum(1 / math.factorial(m) ** 2 for m in range(degree))
    waves = [1 / (math.sqrt(s) * math.factorial(g)) for g in range(1, degree + 1)]
    return [math.sqrt((1 - 1 / math.factorial(degree) ** 2) / s), *waves, *waves]
