"""A pool of bases of which every node selects its own."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from kanop.kan.activations.activation import Activation
from kanop.kan.activations.moments import normal_points
from kanop.kan.basis import Basis
from kanop.kan.input_map import STANDARD
from kanop.solvers.errors import check

__all__ = ["SelectablePool"]


class SelectablePool(Activation):
    r"""f_i(x) = Σ_p w_pi φ_pi(x), φ_pi = Σ_m c_pmi B^p_m: every feature weighs a pool of bases, then keeps the best.

    Three phases: train with the whole pool; `select` the bases that matter, feature by feature, and go on training;
    `pruned` gives the same function without the bases that no feature kept.

    Parameters
    ----------
    features : i ≥ 1
    bases : the pool, at least one; a bounded basis takes inputs from −2 to 2

    Shapes
    ------
    weights (P, i), mask (P, i), coefficients P times (K_p, i); forward (*n, i) → (*n, i)

    Raises
    ------
    KanopError : an empty pool

    Notes
    -----
    At the start E[f²] = 1 for a standard normal x, in the mean over the coefficients. What is selected is part of the
    state dict.

    Reference: Yang, Zhang & Luo 2024 (S-KAN), arXiv 2408.08338.

    Examples
    --------
    >>> from kanop.kan import Chebyshev, Fourier
    >>> pool = SelectablePool(3, [Chebyshev(4), Fourier(2)])
    >>> pool.select(keep=1)
    >>> pool.mask.sum(0).tolist()
    [1, 1, 1]
    """

    mask: Tensor

    def __init__(self, features: int, bases: Sequence[Basis]) -> None:
        super().__init__(features)
        check(len(bases) > 0, "a pool holds at least one basis")
        self.pool = nn.ModuleList(bases)
        self.coefficients = nn.ParameterList(
            torch.randn(basis.size, features) / math.sqrt(basis.size * basis.moments[1].mean()) for basis in bases
        )
        self.weights = nn.Parameter(torch.full((len(bases), features), 1 / math.sqrt(len(bases))))
        self.register_buffer("mask", torch.ones(len(bases), features, dtype=torch.bool))

    @property
    def bases(self) -> tuple[Basis, ...]:
        """The pool."""
        return tuple(self.pool)  # type: ignore[arg-type]

    @property
    def phase(self) -> str:
        """Either "full", while every feature weighs every basis, or "selected"."""
        return "full" if bool(self.mask.all()) else "selected"

    def function(self, x: Float[Tensor, "*n i"]) -> Float[Tensor, "*n i"]:
        """The weighted sum over the bases that are kept."""
        weights = self.weights * self.mask
        return sum((w * phi for w, phi in zip(weights, self._parts(x), strict=True)), torch.zeros_like(x))

    @torch.no_grad()
    def importance(self) -> Float[Tensor, "p i"]:
        """|w_pi| E[φ_pi(x)²]^½, x standard normal: the share of each basis in its feature."""
        x, weight = normal_points()
        x = x[:, None].to(self.weights).expand(-1, self.features)
        sizes = [(weight[:, None].to(x) * part.square()).sum(0).sqrt() for part in self._parts(x)]
        return self.weights.abs() * torch.stack(sizes)

    def select(self, keep: int = 1) -> None:
        """Keep the `keep` most important bases of every feature; of those already dropped none returns."""
        check(1 <= keep <= len(self.bases), f"keep is from 1 to {len(self.bases)}, the size of the pool, got {keep}")
        score = torch.where(self.mask, self.importance(), -1.0)
        chosen = torch.zeros_like(self.mask).scatter_(0, score.topk(keep, 0).indices, True)
        self.mask.logical_and_(chosen)

    def pruned(self) -> SelectablePool:
        """The same function without the bases that no feature keeps."""
        used = self.mask.any(1).nonzero().flatten().tolist()
        smaller = SelectablePool(self.features, [self.bases[p] for p in used]).to(self.weights)
        with torch.no_grad():
            for new, p in enumerate(used):
                smaller.coefficients[new].copy_(self.coefficients[p])
            smaller.weights.copy_(self.weights[used])
            smaller.mask.copy_(self.mask[used])
        return smaller

    def _parts(self, x: Tensor) -> list[Tensor]:
        parts = []
        for basis, c in zip(self.bases, self.coefficients, strict=True):
            low, high = basis.domain
            t = x if not basis.bounded else low + (x - STANDARD[0]) * ((high - low) / (STANDARD[1] - STANDARD[0]))
            parts.append((basis.expand(t) * c).sum(-2))
        return parts
