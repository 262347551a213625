"""A stand-in for efficient-kan, which is on no package index: its formulation, written anew.

B-splines by the recursion of Cox and de Boor over knots of every input, one matmul over all of them, a factor for every
edge, and a SiLU branch.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["layer", "splines"]


def layer(in_features: int, out_features: int, cells: int = 5, degree: int = 3) -> nn.Module:
    """y = W_b silu(x) + (s W) B(x) on a grid from −1 to 1."""
    import torch
    from torch import nn
    from torch.nn import functional as F

    class CoxDeBoor(nn.Module):
        knots: Tensor

        def __init__(self) -> None:
            super().__init__()
            width = 2 / cells
            knots = torch.arange(-degree, cells + degree + 1) * width - 1
            self.register_buffer("knots", knots.expand(in_features, -1).contiguous())
            self.base = nn.Parameter(torch.empty(out_features, in_features))
            self.factor = nn.Parameter(torch.empty(out_features, in_features))
            self.weight = nn.Parameter(0.1 / cells * torch.randn(out_features, in_features, cells + degree))
            for parameter in (self.base, self.factor):
                nn.init.kaiming_uniform_(parameter, a=math.sqrt(5))

        def forward(self, x: Tensor) -> Tensor:
            weight = (self.weight * self.factor[..., None]).flatten(1)
            return F.linear(F.silu(x), self.base) + F.linear(splines(x, self.knots, degree).flatten(1), weight)

    return CoxDeBoor()


def splines(x: Any, knots: Any, degree: int) -> Any:
    """N_{m,k}(x) (n, i, m), by N_{m,k} = (x − t_m)/(t_{m+k} − t_m) N_{m,k−1} + (t_{m+k+1} − x)/(…) N_{m+1,k−1}."""
    x = x[..., None]
    values = ((x >= knots[:, :-1]) & (x < knots[:, 1:])).to(x.dtype)
    for k in range(1, degree + 1):
        rising = (x - knots[:, : -(k + 1)]) / (knots[:, k:-1] - knots[:, : -(k + 1)])
        falling = (knots[:, k + 1 :] - x) / (knots[:, k + 1 :] - knots[:, 1:-k])
        values = rising * values[..., :-1] + falling * values[..., 1:]
    return values
