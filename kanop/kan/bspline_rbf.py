"""B-splines and Gaussians on the same coefficients."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from kanop.kan.basis import Basis
from kanop.kan.bspline import BSpline
from kanop.kan.rbf import GaussianRBF

__all__ = ["BSplineRBF"]


class BSplineRBF(Basis):
    r"""N_m(t) + exp(−((t − c_m)/h)²): each B-spline with a Gaussian on top, about its centre and as wide as its cells.

    Outside the interval the Gaussians vanish, and the splines go on as straight lines.

    Parameters
    ----------
    cells : G ≥ 1 (default 5), hence K = G + k functions
    degree : k ≥ 1 of the spline (default 3); derivatives up to k − 1 are continuous
    low, high : the interval (defaults −1 and 1)

    Raises
    ------
    KanopError : no cells, degree below 1, low ≥ high

    Reference: Ta 2024 (BSRBF-KAN), arXiv 2406.11173.

    Examples
    --------
    >>> BSplineRBF(cells=2, degree=1).functions(torch.tensor(0.0, dtype=torch.float64))[1].item()
    2.0
    """

    def __init__(self, cells: int = 5, degree: int = 3, low: float = -1.0, high: float = 1.0) -> None:
        super().__init__()
        self.spline = BSpline(cells, degree, low, high)
        self.cells, self.degree, self.low, self.high = cells, degree, low, high
        self.size, self.smoothness, self.domain = self.spline.size, self.spline.smoothness, self.spline.domain
        # A spline of degree k spans k + 1 cells, of which the first ones lie below the interval.
        cell = (high - low) / cells
        first = low + (1 - degree) * cell / 2
        self.bumps = GaussianRBF(self.size, first, first + (self.size - 1) * cell)

    def functions(self, t: Float[Tensor, "*n"], order: int = 0) -> list[Float[Tensor, "*n"]]:
        """The sums, from left to right."""
        both = zip(self.spline.functions(t, order), self.bumps.functions(t, order), strict=True)
        return [N + B for N, B in both]

    def fill(self, t: Float[Tensor, "*n"], orders: Sequence[int], out: Float[Tensor, "r k *n"]) -> None:
        """The two at once, each in its own way."""
        self.spline.fill(t, orders, out)
        bumps = torch.empty_like(out)
        self.bumps.fill(t, orders, bumps)
        out.add_(bumps)
