"""Rational functions shared by groups of features."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from kanop.kan.activations.activation import Activation
from kanop.kan.activations.moments import target
from kanop.solvers.errors import check

__all__ = ["GroupRational"]

# Where a fit is made, and how small the denominator's coefficients may start: |b| has no slope at b = 0.
RANGE = 3.0
SMALLEST = 1e-2


class GroupRational(Activation):
    r"""f(x) = Σ_j a_j x^j / (1 + Σ_j |b_j| |x|^j): no pole, one definition on every device; a group shares a and b.

    Parameters
    ----------
    features : i ≥ 1
    groups : g ≥ 1 (default 8), a divisor of i; features of a group stand side by side
    degree : of the numerator, at least 1 (default 5)
    powers : j in the denominator (default 2 and 4: f is analytic). The published (1, 2, 3, 4) fits no better, and its
        |x| is continuous at 0 with no derivative, which no equation of second order can bear.
    fit : the known activation at the start: "gelu" (default), "silu", "tanh" or "identity"; on (−3, 3) they are met
        to 0.006, and beyond f grows like x^{degree − max(powers)}

    Shapes
    ------
    numerator (g, degree + 1), denominator (g, len(powers)); forward (*n, i) → (*n, i)

    Raises
    ------
    KanopError : groups that do not divide the features, no power, an unknown activation

    Notes
    -----
    At the start E[f(x)²] is that of the fitted activation (`second_moment`: 0.43 for GELU).
    Gradients of the shared coefficients are sums over points and features, never scattered.

    Reference: Yang & Wang 2024 (KAT), arXiv 2409.10594.

    Examples
    --------
    >>> round(GroupRational(16)(torch.ones(1, 16))[0, 0].item(), 2)
    0.84
    """

    def __init__(
        self, features: int, groups: int = 8, degree: int = 5, powers: Sequence[int] = (2, 4), fit: str = "gelu"
    ) -> None:
        super().__init__(features)
        check(groups >= 1 and features % groups == 0, f"groups divide the features, got {groups} for {features}")
        check(degree >= 1, f"the numerator has at least degree 1, got {degree}")
        self.groups, self.degree, self.powers, self.fit = groups, degree, tuple(int(j) for j in powers), fit
        check(
            len(set(self.powers)) == len(powers) > 0 and min(self.powers) >= 1,
            f"powers of the denominator are different whole numbers from 1, got {list(powers)}",
        )
        # |x|^j of an odd j has j − 1 continuous derivatives.
        self.smoothness = min((j - 1 for j in self.powers if j % 2), default=math.inf)
        target(fit)
        numerator, denominator = _fitted(fit, degree, self.powers)
        self.numerator = nn.Parameter(torch.tensor(numerator).repeat(groups, 1))
        self.denominator = nn.Parameter(torch.tensor(denominator).repeat(groups, 1))

    def function(self, x: Float[Tensor, "*n i"]) -> Float[Tensor, "*n i"]:
        """P/Q by Horner's rule."""
        z = x.unflatten(-1, (self.groups, -1))
        a, b = self.numerator[..., None], self.denominator[..., None].abs()
        top: Tensor = a[:, -1]
        for j in range(self.degree - 1, -1, -1):
            top = top * z + a[:, j]
        # Even powers need no |x|, whose second derivative autograd takes for 0.
        even = all(j % 2 == 0 for j in self.powers)
        step = z * z if even else z.abs()
        weights = {j // 2 if even else j: b[:, n] for n, j in enumerate(self.powers)}
        bottom: Tensor = weights[max(weights)]
        for j in range(max(weights) - 1, -1, -1):
            bottom = bottom * step + (1.0 if j == 0 else weights.get(j, 0.0))
        return (top / bottom).flatten(-2)


@lru_cache(maxsize=32)
def _fitted(name: str, degree: int, powers: tuple[int, ...]) -> tuple[list[float], list[float]]:
    """Coefficients with the least squared error on (−3, 3), from a few starts; deterministic."""
    from scipy.optimize import least_squares

    x = np.linspace(-RANGE, RANGE, 301)
    want = target(name)(torch.from_numpy(x)).numpy()
    top, bottom = x[:, None] ** np.arange(degree + 1), np.abs(x)[:, None] ** np.array(powers)
    low = [-np.inf] * (degree + 1) + [SMALLEST] * len(powers)
    high = [np.inf] * (degree + 1) + [1.0] * len(powers)
    fits = []
    for start in (0.03, 0.1, 0.3):
        b = np.full(len(powers), start)
        a = np.linalg.lstsq(top / (1 + bottom @ b)[:, None], want, rcond=None)[0]
        residual = lambda c: top @ c[: degree + 1] / (1 + bottom @ c[degree + 1 :]) - want  # noqa: E731
        fits.append(least_squares(residual, np.concatenate([a, b]), bounds=(low, high), max_nfev=60))
    best = min(fits, key=lambda fit: fit.cost).x
    return best[: degree + 1].tolist(), best[degree + 1 :].tolist()
