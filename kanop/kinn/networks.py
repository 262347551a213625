"""Networks of the coordinates: perceptrons that jets pass through, and what stands before them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from kanop.kan import Jet
from kanop.kan.jets import elementwise, push
from kanop.solvers.errors import check

__all__ = ["Fourier", "GatedPerceptron", "Inputs", "Perceptron", "product"]


class Inputs(nn.Module):
    """x ↦ 2(x − low)/(high − low) − 1; an axis with a period becomes (cos 2πkx/L, sin 2πkx/L), k = 1 … harmonics.

    Parameters
    ----------
    bounds : (low, high) of each input
    periods : the inputs that are periodic, their period high − low
    harmonics : waves of each of these (default 1)

    Shapes
    ------
    forward (*n, i) → (*n, o), o = i + (2 harmonics − 1) · periodic inputs
    """

    low: Tensor
    size: Tensor

    def __init__(self, bounds: Sequence[Sequence[float]], periods: Sequence[int] = (), harmonics: int = 1) -> None:
        super().__init__()
        check(harmonics >= 1, f"harmonics are at least 1, got {harmonics}")
        ends = torch.tensor([tuple(b) for b in bounds], dtype=torch.float64)
        self.register_buffer("low", ends[:, 0])
        self.register_buffer("size", ends[:, 1] - ends[:, 0])
        self.periods, self.harmonics = tuple(periods), harmonics

    @property
    def features(self) -> int:
        """Number of outputs."""
        return len(self.low) + (2 * self.harmonics - 1) * len(self.periods)

    def forward(self, x: Float[Tensor, "*n i"]) -> Float[Tensor, "*n o"]:
        """Map the inputs."""
        return self.push_jet(Jet(x)).value

    def push_jet(self, u: Jet) -> Jet:
        """The same with derivatives."""
        scale = 2 / self.size.to(u.value)
        z = u.like([(u.value - self.low.to(u.value)) * scale - 1, *(s * scale for s in u.streams()[1:])])
        columns = [z.like([s[..., i : i + 1] for s in z.streams()]) for i in range(len(self.low))]
        parts = []
        for i, column in enumerate(columns):
            if i not in self.periods:
                parts.append(column)
                continue
            for k in range(1, self.harmonics + 1):
                wave = column.like([math.pi * k * s for s in column.streams()])
                parts += [elementwise(_cos, wave), elementwise(_sin, wave)]
        return u.like([torch.cat(streams, -1) for streams in zip(*(p.streams() for p in parts), strict=True)])


def _sin(x: Tensor, order: int = 0) -> Tensor:
    return torch.sin(x + order * math.pi / 2)


def _cos(x: Tensor, order: int = 0) -> Tensor:
    return torch.cos(x + order * math.pi / 2)


class Fourier(nn.Module):
    """x ↦ (cos Bx, sin Bx) with B from a normal distribution: random Fourier features.

    Parameters
    ----------
    inputs, features : how many; features are even
    scale : standard deviation of B in radians for an input on [−1, 1] (> 0)

    References
    ----------
    Tancik et al. 2020, arXiv:2006.10739.
    """

    matrix: Tensor

    def __init__(self, inputs: int, features: int, scale: float) -> None:
        super().__init__()
        check(features >= 2 and features % 2 == 0 and scale > 0, "Fourier features are even in number, of a scale > 0")
        self.register_buffer("matrix", scale * torch.randn(features // 2, inputs))

    def forward(self, x: Float[Tensor, "*n i"]) -> Float[Tensor, "*n o"]:
        """The features."""
        return self.push_jet(Jet(x)).value

    def push_jet(self, u: Jet) -> Jet:
        """The same with derivatives."""
        z = u.like([s @ self.matrix.T for s in u.streams()])
        parts = elementwise(_cos, z), elementwise(_sin, z)
        return u.like([torch.cat(streams, -1) for streams in zip(*(p.streams() for p in parts), strict=True)])


class Perceptron(nn.Sequential):
    """W_n tanh(… tanh(W_1 x + b_1) …) + b_n with Glorot's weights.

    Parameters
    ----------
    sizes : features of the input, of hidden layers and of the output
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        layers: list[nn.Module] = []
        for i, o in pairwise(sizes):
            layer = nn.Linear(i, o)
            nn.init.xavier_normal_(layer.weight)
            nn.init.zeros_(layer.bias)
            layers += [layer, nn.Tanh()]
        super().__init__(*layers[:-1])


class GatedPerceptron(nn.Module):
    """h ← g ⊙ a + (1 − g) ⊙ b, g = tanh(W h): gates between two encodings a and b of the input at every layer.

    Parameters
    ----------
    inputs, width, depth, outputs : sizes; depth counts the gated layers (≥ 1)

    References
    ----------
    Wang, Teng, Perdikaris 2021, arXiv:2001.04536.
    """

    def __init__(self, inputs: int, width: int, depth: int, outputs: int) -> None:
        super().__init__()
        check(min(width, depth) >= 1, f"sizes are at least 1, got {width} and {depth}")
        self.encodings = nn.ModuleList(nn.Sequential(*_layer(inputs, width)) for _ in range(2))
        self.first = nn.Sequential(*_layer(inputs, width))
        self.gates = nn.ModuleList(nn.Sequential(*_layer(width, width)) for _ in range(depth))
        self.last = Perceptron((width, outputs))

    def forward(self, x: Float[Tensor, "*n i"]) -> Float[Tensor, "*n o"]:
        """Apply the network; in operations that can be differentiated again, as those of jets cannot."""
        a, b = (encoding(x) for encoding in self.encodings)
        h = self.first(x)
        for gate in self.gates:
            h = gate(h) * (a - b) + b
        return self.last(h)

    def push_jet(self, u: Jet) -> Jet:
        """The same with derivatives."""
        a, b = (push(encoding, u) for encoding in self.encodings)
        difference = a.like([p - q for p, q in zip(a.streams(), b.streams(), strict=True)])
        h = push(self.first, u)
        for gate in self.gates:
            mixed = product(push(gate, h), difference)
            h = mixed.like([p + q for p, q in zip(mixed.streams(), b.streams(), strict=True)])
        return push(self.last, h)


def product(u: Jet, v: Jet) -> Jet:
    """The jet of u v, feature by feature."""
    first = [a * v.value + u.value * b for a, b in zip(u.first, v.first, strict=True)]
    second = []
    for s, r, pairs in zip(u.second, v.second, u.pairs, strict=True):
        mixed = sum(u.first[a] * v.first[b] + u.first[b] * v.first[a] for a, b in pairs)
        second.append(s * v.value + u.value * r + mixed)
    return u.like([u.value * v.value, *first, *second])


def _layer(inputs: int, outputs: int) -> list[nn.Module]:
    return [*Perceptron((inputs, outputs)), nn.Tanh()]
