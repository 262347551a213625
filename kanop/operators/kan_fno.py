"""An FNO whose pointwise maps are KANs."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from kanop.kan import Basis, Chebyshev
from kanop.layers import Continuation, KANPointwise, SoftGate, SpectralConv, restrict
from kanop.operators.deeponet import point_features
from kanop.operators.inputs import check_input, check_modes
from kanop.solvers import FieldSpec
from kanop.solvers.errors import check

__all__ = ["KANFNO"]


class KANFNO(nn.Module):
    r"""G = Q ∘ B_L ∘ … ∘ B_1 ∘ P,  B(v) = σ(Φ₂ Φ₁ (Φ₀ v + K v) + g ⊙ v):  K spectral convolutions; Φ, P and Q KANs.

    P = P₂ P₁, Q = Q₂ Q₁ and the Φ are layers of learnt functions of each channel, at every point; σ = GELU, none in the
    last block. With functions that are multiples of the identity and of GELU it is an FNO. KANs take the place of all
    pointwise maps, so a block costs about K + 1 times those of an FNO.

    Parameters
    ----------
    spec : the map to learn; gives channels, number of axes and boundaries
    n_modes : modes kept per axis, counting both signs as neuraloperator does (the FNO paper's 16 is 32 here)
        None: half of the axis, at most 32, 24 or 12 in one to three dimensions
    basis : functions of all KANs, besides SiLU (default `Chebyshev(4)`)
    hidden_channels : width of the blocks (default 32); P and Q are twice as wide inside, Φ₁ is half as wide
    n_layers : number of blocks (default 4)
    position : append the position to the input (default): cosine and sine of 2πx/L on periodic axes, 2x/L − 1 between
        walls. Without it, and on a periodic grid, the operator commutes with translations.
    padding : what follows each axis that has walls: a strip of zeros of this fraction of the axis (default 0.25), or a
        `Continuation`. Periodic axes get none.

    Shapes
    ------
    forward (b, c_in, *x) → (b, c_out, *x), at any resolution: a coarser grid uses the modes that it holds.

    Raises
    ------
    KanopError : n_modes that the grid does not hold, sizes below 1; an input with other channels or axes

    References
    ----------
    Li et al. 2021 (FNO), arXiv 2010.08895; Liu et al. 2024 (KAN), arXiv 2404.19756.

    Examples
    --------
    >>> from kanop.solvers import FieldSpec, Grid
    >>> model = KANFNO(FieldSpec(Grid((64,)), ["u"]), n_modes=(16,), hidden_channels=8)
    >>> model(torch.randn(2, 1, 64)).shape, model(torch.randn(2, 1, 100)).shape
    (torch.Size([2, 1, 64]), torch.Size([2, 1, 100]))
    """

    def __init__(
        self,
        spec: FieldSpec,
        n_modes: Sequence[int] | None,
        basis: Basis | None = None,
        hidden_channels: int = 32,
        n_layers: int = 4,
        position: bool = True,
        padding: float | Continuation = 0.25,
    ) -> None:
        super().__init__()
        self.spec, self.n_modes = spec, check_modes(n_modes, spec, "KANFNO")
        check(hidden_channels >= 2, f"hidden_channels is at least 2, got {hidden_channels}")
        check(n_layers >= 1, f"n_layers is at least 1, got {n_layers}")
        self.basis = Chebyshev(4) if basis is None else basis
        self.hidden_channels, self.n_layers = hidden_channels, n_layers
        self.position, self.padding, self.strip = position, padding, Continuation.of(padding)
        c, inner = hidden_channels, 2 * hidden_channels
        features = sum(2 if kind == "periodic" else 1 for kind in spec.box.boundaries) if position else 0
        self.lifting = _two(spec.in_channels + features, inner, c, self.basis)
        self.blocks = nn.ModuleList(
            Block(c, self.n_modes, self.basis, activate=i < n_layers - 1) for i in range(n_layers)
        )
        self.projection = _two(c, inner, spec.out_channels, self.basis)

    @property
    def shift_equivariance(self) -> int:
        """Commutes with shifts by multiples of so many points on periodic axes; 0: with none."""
        return 0 if self.position else 1

    def forward(self, u: Float[Tensor, "b i *x"]) -> Float[Tensor, "b o *x"]:
        """Apply the operator to a batch of inputs."""
        check_input(u, self.spec, "KANFNO")
        sizes = u.shape[2:]
        if self.position:
            x = point_features(self.spec.box.with_shape(sizes), u).T.unflatten(1, sizes)
            u = torch.cat([u, x.expand(len(u), *x.shape)], 1)
        v = self.strip.extend(self.lifting(u), self.spec.box.boundaries)
        for block in self.blocks:
            v = block(v)
        return self.projection(restrict(v, sizes))


class Block(nn.Module):
    """B(v) = σ(Φ₂ Φ₁ (Φ₀ v + K v) + g ⊙ v); `activate=False` leaves out σ."""

    def __init__(self, channels: int, n_modes: Sequence[int], basis: Basis, activate: bool) -> None:
        super().__init__()
        self.conv = SpectralConv(channels, channels, n_modes)
        self.skip = KANPointwise(channels, channels, basis)
        self.mlp = _two(channels, round(channels / 2), channels, basis)
        self.gate = SoftGate(channels)
        self.activate = activate

    def forward(self, v: Float[Tensor, "b c *x"]) -> Float[Tensor, "b c *x"]:
        """Apply the block."""
        w = self.mlp(self.conv(v) + self.skip(v)) + self.gate(v)
        return F.gelu(w) if self.activate else w


def _two(before: int, inner: int, after: int, basis: Basis) -> nn.Sequential:
    return nn.Sequential(KANPointwise(before, inner, basis), KANPointwise(inner, after, basis))
