"""What an FNO is around its spectral convolutions: lifting, residual blocks, projection."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from kanop.layers import Continuation, Pointwise, SoftGate, restrict
from kanop.operators.extension import Extension
from kanop.operators.fno import Lifting, close
from kanop.solvers import FieldSpec, Grid
from kanop.solvers.errors import check

__all__ = ["Backbone"]


class Backbone(nn.Module):
    r"""G = Q ∘ B_L ∘ … ∘ B_1 ∘ P,  B(v) = σ(M σ(W v + K v) + g ⊙ v): an FNO with other layers K.

    Parameters
    ----------
    spec : the map to learn
    layers : the K of each block, called with a field of `channels` channels and its grid
    channels : width of the blocks, at least 2
    position : append the coordinates in [0, 1) to the input
    padding : how layers see axes with walls (see `Extension`)

    Shapes
    ------
    forward (b, c_in, *x) → (b, c_out, *x)

    Raises
    ------
    KanopError : no layers; fewer than two channels
    """

    def __init__(
        self,
        spec: FieldSpec,
        layers: Sequence[nn.Module],
        channels: int,
        position: bool,
        padding: float | Continuation | str,
    ) -> None:
        super().__init__()
        check(channels >= 2, f"hidden_channels is at least 2, got {channels}")
        check(len(layers) >= 1, f"n_layers is at least 1, got {len(layers)}")
        self.extension = Extension(spec.box, padding)
        self.lifting = Lifting(spec, 2 * channels, channels, position)
        self.blocks = nn.ModuleList(
            Block(layer, channels, activate=i < len(layers) - 1) for i, layer in enumerate(layers)
        )
        self.projection = nn.ModuleList([Pointwise(channels, 2 * channels), Pointwise(2 * channels, spec.out_channels)])

    def forward(self, u: Float[Tensor, "b i *x"]) -> Float[Tensor, "b o *x"]:
        """Apply the operator to a batch of inputs."""
        v, grid = self.extension.extend(self.lifting(u))
        for block in self.blocks:
            v = block(v, grid)
        v = restrict(v, u.shape[2:])
        return self.projection[1](F.gelu(self.projection[0](v)))


class Block(nn.Module):
    """B(v) = σ(M σ(W v + K v) + g ⊙ v); `activate=False` leaves out both σ outside of M."""

    def __init__(self, layer: nn.Module, channels: int, activate: bool) -> None:
        super().__init__()
        inner = round(channels / 2)
        self.conv = layer
        self.skip = Pointwise(channels, channels, bias=False)
        self.mlp = nn.ModuleList([Pointwise(channels, inner), Pointwise(inner, channels)])
        self.gate = SoftGate(channels)
        self.activate = activate

    def forward(self, v: Float[Tensor, "b c *x"], grid: Grid) -> Float[Tensor, "b c *x"]:
        """Apply the block to a field on `grid`."""
        return close(self.conv(v, grid) + self.skip(v), v, self)
