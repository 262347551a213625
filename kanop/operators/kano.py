"""The Kolmogorov–Arnold neural operator: layers in space and frequency at once."""

from __future__ import annotations

import math

from jaxtyping import Float
from torch import Tensor, nn

from kanop.kan import Basis, Chebyshev
from kanop.layers import Continuation, KANPointwise, Pointwise, PseudoDifferential, SoftGate, restrict
from kanop.operators.extension import Extension
from kanop.operators.inputs import check_input
from kanop.solvers import FieldSpec, Grid
from kanop.solvers.errors import check

__all__ = ["KANO"]


class KANO(nn.Module):
    r"""G = Q ∘ B_L ∘ … ∘ B_1 ∘ P,  B(v) = g ⊙ v + Φ(W v + Op(p) v),  p(x, k) = Σ_{r≤rank} f_r(x) g_r(k):  all KANs.

    Op(p) is a `PseudoDifferential` layer, which sees position and frequency at once, so that an operator such as
    −∂² + V(x) takes one term each; Φ, the branch in space, and P and Q are KANs of the channels of each point, and W a
    matrix. With `nonlinear=False` they are matrices and the identity, and G is linear in its input.

    Parameters
    ----------
    spec : the map to learn; gives channels, boundaries and the range of wavenumbers
    basis : univariate functions of all KANs (default `Chebyshev(8)`); on periodic axes f takes sines and cosines
    rank : terms of each symbol (default 4); a layer's cost is in proportion
    hidden_channels : width of the blocks (default 32)
    n_layers : number of blocks (default 4)
    symbol : "isotropic", "additive" (default) or "network": what the g are functions of (see `KANMultiplier`)
    nonlinear : KANs on the channels (default); False: a linear operator without constants
    padding : how layers see axes with walls: a strip of zeros of this fraction of the axis (default 0.25) or a
        `Continuation`; "even" or "odd": the field's mirror image, hence its cosine or its sine series

    Shapes
    ------
    forward (b, c_in, *x) → (b, c_out, *x), at any resolution

    Raises
    ------
    KanopError : sizes below 1, an unknown symbol; an input with other channels or axes

    References
    ----------
    Lee et al. 2025 (KANO), arXiv 2509.16825. There p is one network of (x, k), summed over all pairs; the sum of
    products makes it a few FFTs.

    Examples
    --------
    >>> import torch
    >>> model = KANO(FieldSpec(Grid((64,)), ["u"]), rank=2, hidden_channels=8)
    >>> model(torch.randn(2, 1, 64)).shape, model(torch.randn(2, 1, 100)).shape
    (torch.Size([2, 1, 64]), torch.Size([2, 1, 100]))
    """

    def __init__(
        self,
        spec: FieldSpec,
        basis: Basis | None = None,
        rank: int = 4,
        hidden_channels: int = 32,
        n_layers: int = 4,
        symbol: str = "additive",
        nonlinear: bool = True,
        padding: float | Continuation | str = 0.25,
    ) -> None:
        super().__init__()
        for name, value in (("hidden_channels", hidden_channels), ("n_layers", n_layers)):
            check(value >= 1, f"{name} is at least 1, got {value}")
        self.spec, self.basis = spec, Chebyshev() if basis is None else basis
        self.rank, self.hidden_channels, self.n_layers = rank, hidden_channels, n_layers
        self.symbol, self.nonlinear, self.padding = symbol, nonlinear, padding
        self.extension = Extension(spec.box, padding)
        c = hidden_channels
        self.lifting = _pointwise(spec.in_channels, c, self.basis, nonlinear)
        self.blocks = nn.ModuleList(Block(c, spec.box, self.basis, rank, symbol, nonlinear) for _ in range(n_layers))
        self.projection = _pointwise(c, spec.out_channels, self.basis, nonlinear)

    @property
    def resolution_tolerance(self) -> float:
        """What a smooth field's output differs by on a finer grid; 0: no claim, as KANs make harmonics of any order."""
        return 0.0 if self.nonlinear else 1e-5

    def forward(self, u: Float[Tensor, "b i *x"]) -> Float[Tensor, "b o *x"]:
        """Apply the operator to a batch of inputs."""
        check_input(u, self.spec, "KANO")
        v, grid = self.extension.extend(self.lifting(u))
        for block in self.blocks:
            v = block(v, grid)
        return self.projection(restrict(v, u.shape[2:]))


class Block(nn.Module):
    """B(v) = g ⊙ v + Φ(W v + Op(p) v), or the linear B(v) = W v + Op(p) v."""

    def __init__(self, channels: int, grid: Grid, basis: Basis, rank: int, symbol: str, nonlinear: bool) -> None:
        super().__init__()
        largest = max(math.pi * n / length for n, length in zip(grid.shape, grid.lengths, strict=True))
        args = (channels, channels, grid, basis, rank, symbol, (math.inf, largest))
        self.operator = PseudoDifferential(*args, bias=nonlinear)
        self.skip = Pointwise(channels, channels, bias=False)
        self.kan = KANPointwise(channels, channels, basis) if nonlinear else None
        self.gate = SoftGate(channels) if nonlinear else None

    def forward(self, v: Float[Tensor, "b c *x"], grid: Grid) -> Float[Tensor, "b c *x"]:
        """Apply the block to a field on `grid`."""
        w = self.operator(v, grid) + self.skip(v)
        return w if self.kan is None or self.gate is None else self.gate(v) + self.kan(w)


def _pointwise(before: int, after: int, basis: Basis, nonlinear: bool) -> nn.Module:
    return KANPointwise(before, after, basis) if nonlinear else Pointwise(before, after, bias=False)
