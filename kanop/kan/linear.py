"""`KANLinear`: one matmul over the functions of every input."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from kanop.kan.basis import Basis
from kanop.solvers.errors import check

__all__ = ["STANDARD", "KANLinear"]

# Inputs of mean 0 and variance 1, to two standard deviations.
STANDARD = (-2.0, 2.0)


class KANLinear(nn.Module):
    r"""y_o = Σ_i [Σ_m c_omi B_m(x_i) + w_oi σ(x_i)] + b_o: a learnt function on every edge, by one matmul.

    Parameters
    ----------
    in_features, out_features : i and o, at least 1
    basis : the functions B_m
    base : add the branch w σ(x), σ = SiLU (default)
    bias : add b (default)
    interval : where the inputs lie, mapped onto the domain of a bounded basis (default (−2, 2): standardised inputs)

    Shapes
    ------
    weight (o, K, i), base_weight (o, i), bias (o,); forward (*n, i) → (*n, o)

    Notes
    -----
    At the start outputs have the variance of the inputs, for independent inputs of mean 0 and variance 1.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        basis: Basis,
        base: bool = True,
        bias: bool = True,
        interval: Sequence[float] = STANDARD,
    ) -> None:
        super().__init__()
        check(len(interval) == 2 and interval[0] < interval[1], f"an interval is (low, high), got {tuple(interval)}")
        check(min(in_features, out_features) >= 1, f"features are at least 1, got {in_features} and {out_features}")
        self.in_features, self.out_features, self.basis, self.base = in_features, out_features, basis, base
        self.interval = tuple(interval)
        low, high = basis.domain
        shift, scale = None, None
        if math.isfinite(low) and math.isfinite(high):
            scale = torch.full((in_features,), (high - low) / (interval[1] - interval[0]))
            shift = interval[0] - low / scale
        self.register_buffer("shift", shift)
        self.register_buffer("scale", scale)
        # Each of K + 1 functions of an input (K without the base) gets the same share of the variance.
        shares = in_features * (basis.size + base)
        std = 1 / math.sqrt(shares * basis.second_moment)
        self.weight = nn.Parameter(std * torch.randn(out_features, basis.size, in_features))
        self.base_weight = (
            nn.Parameter(torch.randn(out_features, in_features) / math.sqrt(shares * SILU)) if base else None
        )
        self.bias = nn.Parameter(torch.zeros(out_features)) if bias else None

    def forward(self, x: Float[Tensor, "*n i"]) -> Float[Tensor, "*n o"]:
        """Apply the layer."""
        t = x if self.shift is None else (x - self.shift) * self.scale
        y = F.linear(self.basis.expand(t).flatten(-2), self.weight.flatten(1), self.bias)
        return y if self.base_weight is None else y + F.linear(F.silu(x), self.base_weight)


# E[silu(x)²] for normal x.
SILU = 0.35578
