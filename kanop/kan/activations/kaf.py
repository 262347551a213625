"""The Kolmogorov-Arnold-Fourier layer."""

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

__all__ = ["KAF"]


class KAF(nn.Module):
    r"""y = W (α ⊙ GELU(x) + γ ⊙ V [cos(xA + β), sin(xA + β)]) + b: random Fourier features beside a GELU.

    The mixture of the features is learnt per node; GELU leads at the start (γ = 0.01), the waves grow as needed.

    Parameters
    ----------
    in_features, out_features : i and o, at least 1
    waves : M ≥ 1 random frequencies, all learnt (default 8)

    Shapes
    ------
    frequencies A (i, M), phases β (M,), mix V (i, 2M), scales α and γ (i,), weight (o, i), bias (o,);
    forward (*n, i) → (*n, o)

    Raises
    ------
    KanopError : features or waves below 1

    Notes
    -----
    At the start outputs have the variance of the inputs, for independent inputs of mean 0 and variance 1; the published
    initialisation loses a third in every layer. A ~ N(0, 1/(1.64 i)), β ~ U(0, 2π). There is no LayerNorm, which a
    layer with one input, or in a physics-informed network, could not bear: put one in front where it helps.

    Reference: Zhang et al. 2025 (KAF), arXiv 2502.06018.

    Examples
    --------
    >>> KAF(2, 16)(torch.zeros(5, 2)).shape
    torch.Size([5, 16])
    """

    def __init__(self, in_features: int, out_features: int, waves: int = 8) -> None:
        super().__init__()
        check(min(in_features, out_features) >= 1, f"features are at least 1, got {in_features} and {out_features}")
        check(waves >= 1, f"there is at least one wave, got waves={waves}")
        self.in_features, self.out_features, self.waves = in_features, out_features, waves
        self.frequencies = nn.Parameter(torch.randn(in_features, waves) / math.sqrt(1.64 * in_features))
        self.phases = nn.Parameter(2 * math.pi * torch.rand(waves))
        # Cosines and sines have mean square ½ each, so that their mixture has 1.
        self.mix = nn.Parameter(torch.randn(in_features, 2 * waves) / math.sqrt(waves))
        self.gelu_scale = nn.Parameter(torch.ones(in_features))
        self.wave_scale = nn.Parameter(torch.full((in_features,), 0.01))
        mean_square = normal_mean(lambda x: F.gelu(x).square()) + 0.01**2
        self.weight = nn.Parameter(torch.randn(out_features, in_features) / math.sqrt(in_features * mean_square))
        self.bias = nn.Parameter(torch.zeros(out_features))

    def forward(self, x: Float[Tensor, "*n i"]) -> Float[Tensor, "*n o"]:
        """Apply the layer."""
        phase = x @ self.frequencies + self.phases
        waves = F.linear(torch.cat([torch.cos(phase), torch.sin(phase)], -1), self.mix)
        return F.linear(self.gelu_scale * F.gelu(x) + self.wave_scale * waves, self.weight, self.bias)

    def push_jet(self, u: Jet) -> Jet:
        """The jet of the layer."""
        phase, waves = linear(u, self.frequencies.T, self.phases), self.mix.split(self.waves, 1)
        parts = [
            u.like([self.gelu_scale * stream for stream in elementwise(gelu, u).streams()]),
            linear(elementwise(cosine, phase), self.wave_scale[:, None] * waves[0]),
            linear(elementwise(sine, phase), self.wave_scale[:, None] * waves[1]),
        ]
        mixed = u.like([sum(streams) for streams in zip(*(part.streams() for part in parts), strict=True)])
        return linear(mixed, self.weight, self.bias)
