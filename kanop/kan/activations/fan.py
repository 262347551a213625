"""The Fourier analysis layer."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from kanop.kan.activations.known import cosine, gelu, sine
from kanop.kan.activations.moments import normal_mean
from kanop.kan.jets import Jet, elementwise, linear
from kanop.solvers.errors import check

__all__ = ["FAN"]


class FAN(nn.Module):
    r"""y = [cos W_p x, sin W_p x, GELU(W_q x + b)]: a part of the features is periodic along the rows of W_p.

    Parameters
    ----------
    in_features, out_features : i and o, at least 1
    share : d_p/o, the share of the cosines, and of the sines, from 0 to ½ (default ¼)

    Shapes
    ------
    periodic (d_p, i), weight (o − 2d_p, i), bias (o − 2d_p,); forward (*n, i) → (*n, o)

    Raises
    ------
    KanopError : features below 1, a share outside 0 to ½

    Notes
    -----
    At the start the mean square of the outputs is that of standardised inputs, 1: the phases W_p x have variance 1, and
    W_q is scaled such that the GELU part makes up for the ½ of cosines and sines (with share ½ there is no such part).

    Reference: Dong et al. 2024 (FAN), arXiv 2410.02675.

    Examples
    --------
    >>> FAN(3, 8)(torch.zeros(1, 3)).tolist()
    [[1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]]
    """

    def __init__(self, in_features: int, out_features: int, share: float = 0.25) -> None:
        super().__init__()
        check(min(in_features, out_features) >= 1, f"features are at least 1, got {in_features} and {out_features}")
        check(0 <= share <= 0.5, f"share, of the cosines and of the sines each, is from 0 to ½, got {share}")
        self.in_features, self.out_features, self.share = in_features, out_features, float(share)
        waves = int(share * out_features)
        rest = out_features - 2 * waves
        self.periodic = nn.Parameter(torch.randn(waves, in_features) / math.sqrt(in_features))
        gain = _gelu_gain((out_features - waves) / rest) if rest else 0.0
        self.weight = nn.Parameter(torch.randn(rest, in_features) * gain / math.sqrt(in_features))
        self.bias = nn.Parameter(torch.zeros(rest))

    def forward(self, x: Float[Tensor, "*n i"]) -> Float[Tensor, "*n o"]:
        """Apply the layer."""
        phase = F.linear(x, self.periodic)
        return torch.cat([torch.cos(phase), torch.sin(phase), F.gelu(F.linear(x, self.weight, self.bias))], -1)

    def push_jet(self, u: Jet) -> Jet:
        """The jet of the layer."""
        phase = linear(u, self.periodic)
        parts = [
            elementwise(cosine, phase),
            elementwise(sine, phase),
            elementwise(gelu, linear(u, self.weight, self.bias)),
        ]
        return u.like([torch.cat(streams, -1) for streams in zip(*(part.streams() for part in parts), strict=True)])


def _gelu_gain(mean_square: float) -> float:
    """The g with E[GELU(g x)²] = `mean_square` for a standard normal x, by bisection."""
    low, high = 0.0, 2 * math.sqrt(mean_square) + 2
    for _ in range(60):
        middle = (low + high) / 2
        below = normal_mean(lambda x, g=middle: F.gelu(g * x).square()) < mean_square  # type: ignore[misc]
        low, high = (middle, high) if below else (low, middle)
    return middle
