"""The Hermite activation."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from kanop.kan.activations.activation import Activation
from kanop.kan.activations.moments import normal_points, target
from kanop.kan.hermite import bounded, hermite_functions
from kanop.solvers.errors import check

__all__ = ["HermiteActivation"]


class HermiteActivation(Activation):
    r"""f(x) = Σ_{n ≤ d} c_n He_n(t)/√n!, t = R tanh(x/R): orthonormal under the normal distribution for large R.

    Without the soft clamp at ±R f is the published polynomial, whose degrees multiply through layers: six layers of
    degree 3 take a spread of 1 beyond 1e20 at their start.

    Parameters
    ----------
    features : i ≥ 1, each with coefficients of its own
    degree : d ≥ 1 (default 3)
    fit : a known activation to start from: its best approximation in the mean under the normal distribution ("gelu",
        "silu", "tanh", "identity"); None (default) starts from the coefficients below
    reach : R > 0, in standard deviations of the input (default 3); None for no clamp

    Shapes
    ------
    coefficients (d + 1, i); forward (*n, i) → (*n, i)

    Raises
    ------
    KanopError : degree below 1, an unknown activation, a reach that is not positive

    Notes
    -----
    c_n² = 1/(s n!) for n ≥ 1 and c_0² = (1 − 1/d!)/s with s = Σ_{m < d} 1/m!: without a clamp E[f²] = E[f'²] = 1 for a
    standard normal x. With one, all are multiplied by the factor that makes E[f²] = 1 again.

    Reference: Khalfaoui-Hassani & Kesselheim 2025 (torchortho), arXiv 2502.01247.

    Examples
    --------
    >>> round(HermiteActivation(2).second_moment, 4)
    1.0
    """

    def __init__(self, features: int, degree: int = 3, fit: str | None = None, reach: float | None = 3.0) -> None:
        super().__init__(features)
        check(degree >= 1, f"degree is at least 1, got {degree}")
        check(reach is None or reach > 0, f"reach is positive, or None for no clamp; got {reach}")
        self.degree, self.fit, self.reach = degree, fit, reach
        start = self._fitted(fit) if fit else self._balanced()
        self.coefficients = nn.Parameter(start.to(torch.get_default_dtype())[:, None].repeat(1, features))

    def function(self, x: Float[Tensor, "*n i"]) -> Float[Tensor, "*n i"]:
        """The sum, its functions by their recurrence."""
        total = self.coefficients[0]
        for c, value in zip(self.coefficients[1:], self._functions(x)[1:], strict=True):
            total = total + c * value
        return total

    def _functions(self, x: Tensor) -> list[Tensor]:
        return hermite_functions(x if self.reach is None else bounded(x, reach=self.reach), self.degree)

    def _balanced(self) -> Tensor:
        d = self.degree
        s = sum(1 / math.factorial(m) for m in range(d))
        waves = [1 / math.sqrt(s * math.factorial(n)) for n in range(1, d + 1)]
        c = torch.tensor([math.sqrt((1 - 1 / math.factorial(d)) / s), *waves], dtype=torch.float64)
        x, weight = normal_points()
        return c * ((c @ torch.stack(self._functions(x))).square() @ weight).rsqrt()

    def _fitted(self, name: str) -> Tensor:
        x, weight = normal_points()
        root = weight.sqrt()
        functions = torch.stack(self._functions(x), -1)
        return torch.linalg.lstsq(root[:, None] * functions, (root * target(name)(x))[:, None]).solution[:, 0]
