"""The sinusoidal layer."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from kanop.kan.jets import Jet, elementwise, linear
from kanop.solvers.errors import check

__all__ = ["Siren"]


class Siren(nn.Module):
    r"""y = sin(ω (W x + b)): a linear layer and its sine, initialised so that depth changes no distribution.

    Parameters
    ----------
    in_features, out_features : i and o, at least 1
    omega : ω > 0 (default 30, as published; lower it for smoother targets)
    first : the layer sees coordinates in [−1, 1] (default: it sees sines)

    Shapes
    ------
    weight (o, i), bias (o,); forward (*n, i) → (*n, o)

    Raises
    ------
    KanopError : features below 1, an ω that is not positive

    Notes
    -----
    W ~ U(±1/i) in the first layer and U(±√(6/i)/ω) after it: there sines of mean square v make phases of variance 2v,
    and normal phases of variance 2v sines of mean square (1 − e^{−4v})/2: v = 0.40 is kept. b ~ U(±1/√i) in all.

    Reference: Sitzmann et al. 2020 (SIREN), arXiv 2006.09661, §3.2.

    Examples
    --------
    >>> Siren(2, 16, first=True)(torch.zeros(5, 2)).shape
    torch.Size([5, 16])
    """

    def __init__(self, in_features: int, out_features: int, omega: float = 30.0, first: bool = False) -> None:
        super().__init__()
        check(min(in_features, out_features) >= 1, f"features are at least 1, got {in_features} and {out_features}")
        check(omega > 0, f"omega is positive, got {omega}")
        self.in_features, self.out_features, self.omega, self.first = in_features, out_features, float(omega), first
        bound = 1 / in_features if first else math.sqrt(6 / in_features) / omega
        self.weight = nn.Parameter(torch.empty(out_features, in_features).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(out_features).uniform_(-1, 1) / math.sqrt(in_features))

    def forward(self, x: Float[Tensor, "*n i"]) -> Float[Tensor, "*n o"]:
        """Apply the layer."""
        return torch.sin(self.omega * F.linear(x, self.weight, self.bias))

    def push_jet(self, u: Jet) -> Jet:
        """The jet of the layer."""
        return elementwise(self._wave, linear(u, self.weight, self.bias))

    def _wave(self, z: Tensor, order: int = 0) -> Tensor:
        return self.omega**order * torch.sin(self.omega * z + order * math.pi / 2)
