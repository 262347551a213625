"""What kind of network a problem is given: each makes a module of so many inputs and outputs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

from torch import nn

from kanop.kan import KAN, Basis, Chebyshev
from kanop.kinn.networks import Fourier, GatedPerceptron, Perceptron
from kanop.solvers.errors import check

__all__ = ["MLP", "Architecture", "FourierMLP", "KANet", "ModifiedMLP"]


class Architecture(ABC):
    """A kind of network."""

    @abstractmethod
    def make(self, inputs: int, outputs: int) -> nn.Module:
        """A network with new weights, from torch's global generator."""


@dataclass(frozen=True)
class MLP(Architecture):
    """A perceptron with tanh.

    Parameters
    ----------
    width : features of hidden layers (default 20)
    depth : hidden layers (default 3)
    """

    width: int = 20
    depth: int = 3

    def __post_init__(self) -> None:
        check(min(self.width, self.depth) >= 1, f"sizes are at least 1, got {self.width} and {self.depth}")

    def make(self, inputs: int, outputs: int) -> nn.Module:
        return Perceptron((inputs, *[self.width] * self.depth, outputs))


@dataclass(frozen=True)
class ModifiedMLP(Architecture):
    """A perceptron with gates between two encodings of the input (Wang, Teng, Perdikaris 2021, arXiv:2001.04536).

    Parameters
    ----------
    width, depth : features of hidden layers and gated layers (default 20 and 3)
    """

    width: int = 20
    depth: int = 3

    def make(self, inputs: int, outputs: int) -> nn.Module:
        return GatedPerceptron(inputs, self.width, self.depth, outputs)


@dataclass(frozen=True)
class FourierMLP(Architecture):
    """A perceptron of random Fourier features (Tancik et al. 2020, arXiv:2006.10739).

    Parameters
    ----------
    features : how many, even (default 64)
    scale : standard deviation of their wavenumbers, in radians for an input on [−1, 1] (default 5)
    width, depth : of the perceptron behind (default 20 and 2)
    """

    features: int = 64
    scale: float = 5.0
    width: int = 20
    depth: int = 2

    def make(self, inputs: int, outputs: int) -> nn.Module:
        hidden = Perceptron((self.features, *[self.width] * self.depth, outputs))
        return nn.Sequential(Fourier(inputs, self.features, self.scale), hidden)


@dataclass(frozen=True)
class KANet(Architecture):
    """Layers of learnt univariate functions.

    Parameters
    ----------
    width : features of hidden layers (default 8)
    depth : hidden layers (default 2)
    basis : the functions (default Chebyshev polynomials up to degree 5)
    """

    width: int = 8
    depth: int = 2
    basis: Basis = field(default_factory=lambda: Chebyshev(5))

    def make(self, inputs: int, outputs: int) -> nn.Module:
        # Inputs come on [−1, 1].
        return KAN((inputs, *[self.width] * self.depth, outputs), self.basis, interval=(-1.0, 1.0))
