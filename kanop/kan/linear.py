"""`KANLinear`: one matmul over the functions of every input."""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import deepcopy
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrize import is_parametrized

from kanop.kan.basis import Basis
from kanop.kan.bspline import BSpline
from kanop.kan.contraction import contract
from kanop.kan.input_map import STANDARD, InputMap
from kanop.kan.refit import refit
from kanop.solvers.errors import KanopError, check

__all__ = ["SILU", "STANDARD", "KANLinear"]

# The most cells that a spline layer's functions are drawn on.
CELLS = 10

# E[silu(x)] and E[silu(x)²] for normal x.
SILU_MEAN, SILU = 0.20662, 0.35578


class KANLinear(nn.Module):
    r"""y_o = Σ_i [Σ_m c_omi B_m(t_i) + w_oi σ(x_i)] + b_o: a learnt function on every edge, by one matmul.

    t = (x − shift) · scale brings the inputs of a bounded basis into its domain; see `InputMap`.

    Parameters
    ----------
    in_features, out_features : i and o, at least 1
    basis : the functions B_m
    base : add the branch w σ(x), σ = SiLU (default)
    bias : add b (default)
    interval : where the inputs lie, mapped onto the domain of a bounded basis (default (−2, 2): standardised inputs)
    trainable_map : let shift and scale be learnt (default: no)

    Shapes
    ------
    weight (o, K, i), base_weight (o, i), bias (o,); forward (*n, i) → (*n, o)

    Raises
    ------
    KanopError : features below 1, an interval that is none; inputs of another size, or of no floating point

    Notes
    -----
    At the start outputs have mean 0 and variance 1 for independent normal inputs whose mean is the interval's centre,
    two standard deviations from its ends. Functions are made a chunk of rows at a time, and again in the backward pass:
    beside its arguments the layer keeps nothing.

    Examples
    --------
    >>> from kanop.kan import Chebyshev
    >>> KANLinear(2, 3, Chebyshev(4))(torch.zeros(5, 2)).shape
    torch.Size([5, 3])
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        basis: Basis,
        base: bool = True,
        bias: bool = True,
        interval: Sequence[float] = STANDARD,
        trainable_map: bool = False,
    ) -> None:
        super().__init__()
        check(min(in_features, out_features) >= 1, f"features are at least 1, got {in_features} and {out_features}")
        self.in_features, self.out_features, self.basis, self.base = in_features, out_features, basis, base
        self.interval, self.trainable_map = tuple(interval), trainable_map
        self.map = InputMap(in_features, basis, interval, trainable_map)
        coarse = _start(basis)
        mean, square = coarse.moments
        # Each of K + 1 functions of an input (K without the base) gets the same share of the variance. A bias takes the
        # means away: otherwise they grow from layer to layer until the outputs hardly depend on the inputs.
        shares = in_features * (coarse.size + base)
        spread = (square - mean.square() if bias else square).mean()
        weight = torch.randn(out_features, coarse.size, in_features) / math.sqrt(shares * spread)
        offset = -weight.sum(-1).double() @ mean
        if coarse is not basis:
            weight, _ = _over(weight, cast(BSpline, coarse), cast(BSpline, basis))
        self.weight = nn.Parameter(weight)
        self.base_weight = None
        if base:
            spread = SILU - SILU_MEAN**2 if bias else SILU
            self.base_weight = nn.Parameter(torch.randn(out_features, in_features) / math.sqrt(shares * spread))
            offset = offset - SILU_MEAN * self.base_weight.detach().sum(-1)
        self.bias = nn.Parameter(offset.to(self.weight.dtype)) if bias else None

    def forward(self, x: Float[Tensor, "*n i"]) -> Float[Tensor, "*n o"]:
        """Apply the layer."""
        check(
            x.shape[-1:] == (self.in_features,) and x.is_floating_point(),
            f"a KAN layer takes (*n, {self.in_features}) of floating point, got {tuple(x.shape)} of {x.dtype}",
        )
        t = self.map(x)
        if torch.compiler.is_compiling() or self._low(x):
            # Functions in full precision, the matmul in that of the weights or of autocast.
            t = t.float() if t.dtype in (torch.bfloat16, torch.float16) else t
            table = self.basis.expand(t).flatten(-2)
            y = F.linear(table.to(self.weight.dtype), self.weight.flatten(1))
        else:
            y = contract(self.basis.squash(t), self.weight, self.basis)
        if self.base_weight is not None:
            return y + F.linear(F.silu(x), self.base_weight, self.bias)
        return y if self.bias is None else y + self.bias

    def extra_repr(self) -> str:
        """The constructor's arguments that are no modules."""
        given = f"{self.in_features}, {self.out_features}, base={self.base}, bias={self.bias is not None}"
        return f"{given}, interval={self.interval}, trainable_map={self.trainable_map}"

    @torch.no_grad()
    def refine(self, cells: int) -> float:
        """Go over to a spline of `cells` cells that is the same function; an optimiser must be made anew.

        Returns the largest change of any edge function, in units of the largest value: rounding where `cells` is a
        multiple of what there was, else the error of least squares.

        Raises
        ------
        KanopError : a basis without cells, or none given
        """
        self._check_plain()
        old = self.basis
        if not isinstance(old, BSpline):
            raise KanopError(
                f"only a BSpline has cells to refine, and this layer has {old}: build a larger one instead"
            )
        self.basis = BSpline(cells, old.degree, old.low, old.high)
        weight, error = _over(self.weight, old, self.basis)
        self.weight = nn.Parameter(weight, self.weight.requires_grad)
        return error

    @torch.no_grad()
    def fit_map(self, x: Float[Tensor, "*n i"]) -> float:
        """Map the range of every input in x onto the basis' domain, and keep the function there.

        Returns the largest change of any edge function over these ranges, in units of the largest value; 0 for a basis
        on the line, which has no map.
        """
        self._check_plain()
        if self.map.shift is None:
            return 0.0
        x = x.detach().reshape(-1, self.in_features).double().cpu()
        low, high = x.amin(0), x.amax(0)
        points = low + (high - low) * torch.linspace(0, 1, 16 * self.basis.size, dtype=torch.float64)[:, None]
        before = deepcopy(self.map).double().cpu().eval()
        self.map.fit(low, high)
        after = deepcopy(self.map).double().cpu().eval()
        weight, error = refit(self.weight, (self.basis, before(points)), (self.basis, after(points)))
        self.weight.copy_(weight)
        return error

    def _check_plain(self) -> None:
        check(
            not is_parametrized(self),
            "this layer is pruned, and its masked weights cannot be fitted anew: settle it first (kanop.kan.pruning), "
            "which leaves zeros in place of the masks",
        )

    def _low(self, x: Tensor) -> bool:
        return torch.is_autocast_enabled(x.device.type) or x.dtype in (torch.bfloat16, torch.float16)


def _start(basis: Basis) -> Basis:
    """The basis that a layer's first functions are drawn in: a spline of no more than `CELLS` cells.

    Independent coefficients on many cells are functions so steep that their straight continuations blow up from layer
    to layer.
    """
    if not isinstance(basis, BSpline) or basis.cells <= CELLS:
        return basis
    cells = next(n for n in range(CELLS, 0, -1) if basis.cells % n == 0 or n <= CELLS // 2)
    return BSpline(cells, basis.degree, basis.low, basis.high)


def _over(weight: Tensor, old: BSpline, new: BSpline) -> tuple[Tensor, float]:
    """The weights in the new spline basis, and the largest change of a function in units of the largest value."""
    margin = (old.high - old.low) / 10
    points = (old.cells + new.cells) * (old.degree + 1) * 4
    t = torch.linspace(old.low - margin, old.high + margin, points, dtype=torch.float64)[:, None]
    t = t.expand(-1, weight.shape[-1])
    return refit(weight, (old, t), (new, t))
