"""`KAN`: layers of learnt univariate functions, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from kanop.kan.basis import Basis
from kanop.kan.linear import STANDARD, KANLinear
from kanop.solvers.errors import check

__all__ = ["KAN"]


class KAN(nn.Module):
    r"""y = Φ_L(… Φ_1(x)): every Φ a `KANLinear`, with no other nonlinearity between them.

    At the start the outputs of every layer have variance 1, so the layers but the first map (−2, 2) onto the domain of
    a bounded basis; `fit_map` does it by data.

    Parameters
    ----------
    sizes : features of the input, of every hidden layer and of the output
    basis : the functions of all layers
    base : add the branch w SiLU(x) in every layer (default)
    bias : add a constant in every layer (default)
    interval : where the inputs lie, mapped onto the domain of a bounded basis (default (−2, 2): standardised inputs)

    Shapes
    ------
    forward (*n, sizes[0]) → (*n, sizes[-1])

    Raises
    ------
    KanopError : fewer than two sizes, a size below 1, an empty interval

    Reference: Liu et al. 2024 (KAN), arXiv 2404.19756.

    Examples
    --------
    >>> from kanop.kan import Chebyshev
    >>> KAN((2, 16, 1), Chebyshev(4))(torch.zeros(5, 2)).shape
    torch.Size([5, 1])
    """

    def __init__(
        self,
        sizes: Sequence[int],
        basis: Basis,
        base: bool = True,
        bias: bool = True,
        interval: Sequence[float] = STANDARD,
    ) -> None:
        super().__init__()
        check(len(sizes) >= 2, f"a KAN has the sizes of its input and its output at least, got {tuple(sizes)}")
        self.sizes, self.basis, self.base, self.bias, self.interval = tuple(sizes), basis, base, bias, tuple(interval)
        self.layers = nn.ModuleList(
            KANLinear(i, o, basis, base, bias, interval if first else STANDARD)
            for first, (i, o) in zip([True, *[False] * len(sizes)], pairwise(sizes), strict=False)
        )

    def forward(self, x: Float[Tensor, "*n i"]) -> Float[Tensor, "*n o"]:
        """Apply the layers."""
        for layer in self.layers:
            x = layer(x)
        return x

    def refine(self, cells: int) -> float:
        """`KANLinear.refine` for every layer; the largest change of an edge function."""
        error = max(layer.refine(cells) for layer in self._kan_layers())
        self.basis = self._kan_layers()[0].basis
        for layer in self._kan_layers():
            layer.basis = self.basis
        return error

    @torch.no_grad()
    def fit_map(self, x: Float[Tensor, "*n i"]) -> float:
        """`KANLinear.fit_map` for every layer, with what it is given for x; the largest change of an edge function."""
        errors = []
        for layer in self._kan_layers():
            errors.append(layer.fit_map(x))
            x = layer(x)
        return max(errors)

    def _kan_layers(self) -> list[KANLinear]:
        return [layer for layer in self.layers if isinstance(layer, KANLinear)]
