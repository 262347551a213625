"""The tropical activation."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from kanop.kan.activations.activation import Activation
from kanop.kan.activations.moments import normal_points, target
from kanop.solvers.errors import check

__all__ = ["TropicalActivation"]


class TropicalActivation(Activation):
    r"""f(x) = max_{j ≤ d} (a_j + κ j x): a tropical polynomial, convex and piecewise linear with d kinks.

    Its second derivative is 0 but at the kinks, so it is not for equations of second order. The difference of two of
    them is a tropical rational function, which may be any continuous piecewise linear one.

    Parameters
    ----------
    features : i ≥ 1, each with offsets a_j of its own; slopes κj are fixed
    degree : d ≥ 1 (default 4)
    fit : a known activation to start from, least squares under the normal distribution ("gelu", "silu": of tanh and
        the like only the convex part can be met), with κ = 1/d; None (default): see below

    Shapes
    ------
    offsets (d + 1, i); forward (*n, i) → (*n, i)

    Raises
    ------
    KanopError : degree below 1, an unknown activation

    Notes
    -----
    At the start the kinks are at the quantiles j/(d + 1) of the standard normal distribution, and κ and the a_j are
    such that E[f] = 0 and E[f²] = 1.

    Reference: Khalfaoui-Hassani & Kesselheim 2025 (torchortho), arXiv 2502.01247.

    Examples
    --------
    >>> round(TropicalActivation(2).second_moment, 4)
    1.0
    """

    smoothness = 0

    def __init__(self, features: int, degree: int = 4, fit: str | None = None) -> None:
        super().__init__(features)
        check(degree >= 1, f"degree is at least 1, got {degree}")
        self.degree, self.fit = degree, fit
        self.step, offsets = _fitted(fit, degree) if fit else _standard(degree)
        self.offsets = nn.Parameter(offsets.to(torch.get_default_dtype())[:, None].repeat(1, features))

    def function(self, x: Float[Tensor, "*n i"]) -> Float[Tensor, "*n i"]:
        """The largest of the lines."""
        return _largest(x, self.step, self.offsets)


def _largest(x: Tensor, step: float, offsets: Tensor) -> Tensor:
    value = offsets[0].expand_as(x)
    for j in range(1, len(offsets)):
        value = torch.maximum(value, offsets[j] + step * j * x)
    return value


def _spread(degree: int) -> Tensor:
    """Offsets of max_j (a_j + j x) whose kinks are quantiles of the normal distribution."""
    levels = torch.arange(1, degree + 1, dtype=torch.float64) / (degree + 1)
    kinks = 2**0.5 * torch.erfinv(2 * levels - 1)
    return torch.cat([torch.zeros(1, dtype=torch.float64), -kinks.cumsum(0)])


def _standard(degree: int) -> tuple[float, Tensor]:
    x, weight = normal_points()
    offsets = _spread(degree)
    values = _largest(x, 1.0, offsets)
    mean = values @ weight
    step = float(((values - mean).square() @ weight).rsqrt())
    return step, step * (offsets - mean)


def _fitted(name: str, degree: int) -> tuple[float, Tensor]:
    from scipy.optimize import least_squares

    x, weight = normal_points()
    root, want, step = weight.sqrt(), target(name)(x), 1 / degree
    start = step * _spread(degree)
    start = start + (want - _largest(x, step, start)) @ weight
    fit = least_squares(lambda a: (root * (_largest(x, step, torch.from_numpy(a)) - want)).numpy(), start.numpy())
    return step, torch.from_numpy(fit.x)
