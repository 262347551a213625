"""The Fourier neural operator."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from kanop.layers import Continuation, Pointwise, SoftGate, SpectralConv, restrict
from kanop.layers.fused import GatedPointwise
from kanop.operators.inputs import check_input, check_modes
from kanop.solvers import FieldSpec
from kanop.solvers.errors import check

__all__ = ["FNO", "FourierBlock"]


class FNO(nn.Module):
    r"""G = Q ∘ B_L ∘ … ∘ B_1 ∘ P,  B(v) = σ(M σ(W v + K v) + g ⊙ v): Fourier layers between pointwise maps.

    K is a `SpectralConv`, W a pointwise linear map, M and P, Q pointwise networks with one hidden layer, σ = GELU
    (none after the last block). The mathematics, sizes and initial distribution are those of neuraloperator 2.0's
    FNO with its default options; `load_neuralop_weights` copies its weights.

    Parameters
    ----------
    spec : the map to learn; gives channels, number of axes and boundaries
    n_modes : modes kept per axis, counting both signs as neuraloperator does (the FNO paper's 16 is 32 here);
        at most the number of points of `spec.box` on that axis
        None: half of the axis, at most 32, 24 or 12 in one to three dimensions
    hidden_channels : width of the blocks (default 64); P and Q are twice as wide inside, M half as wide
    n_layers : number of blocks (default 4)
    position : append the coordinates in [0, 1) to the input (default). Without them, and on a periodic grid, the
        operator commutes with translations.
    padding : what follows each axis that has walls, so that the periodic kernel does not join opposite walls: a strip
        of zeros of this fraction of the axis (default 0.25), or a `Continuation`. Periodic axes get none.
    precision : of the products in the spectral convolutions, "full" (default), "tf32", "bf16" or "half" (see
        `SpectralConv`)

    Shapes
    ------
    forward (b, c_in, *x) → (b, c_out, *x), at any resolution: a coarser grid uses the modes that it holds.

    Raises
    ------
    KanopError : n_modes that the grid does not hold; an input with other channels or axes

    References
    ----------
    Li et al. 2021, arXiv 2010.08895; Kossaifi et al. 2024, arXiv 2412.10354.

    Examples
    --------
    >>> from kanop.solvers import FieldSpec, Grid
    >>> model = FNO(FieldSpec(Grid((64,)), ["u"]), n_modes=(16,), hidden_channels=8)
    >>> model(torch.randn(2, 1, 64)).shape, model(torch.randn(2, 1, 100)).shape
    (torch.Size([2, 1, 64]), torch.Size([2, 1, 100]))
    """

    resolution_tolerance = 5e-2  # of what GELU adds beyond the modes of a grid of few points

    def __init__(
        self,
        spec: FieldSpec,
        n_modes: Sequence[int] | None,
        hidden_channels: int = 64,
        n_layers: int = 4,
        position: bool = True,
        padding: float | Continuation = 0.25,
        precision: str = "full",
    ) -> None:
        super().__init__()
        self.spec, self.n_modes = spec, check_modes(n_modes, spec, "FNO")
        check(hidden_channels >= 2, f"hidden_channels is at least 2, got {hidden_channels}")
        check(n_layers >= 1, f"n_layers is at least 1, got {n_layers}")
        self.hidden_channels, self.n_layers = hidden_channels, n_layers
        self.position, self.padding, self.precision = position, padding, precision
        self.strip = Continuation.of(padding)
        c, inner = hidden_channels, 2 * hidden_channels
        self.lifting = Lifting(spec, inner, c, position)
        self.blocks = nn.ModuleList(
            FourierBlock(c, self.n_modes, activate=i < n_layers - 1, precision=precision) for i in range(n_layers)
        )
        self.projection = nn.ModuleList([Pointwise(c, inner), Pointwise(inner, spec.out_channels)])

    @property
    def shift_equivariance(self) -> int:
        """Commutes with shifts by multiples of so many points on periodic axes; 0: with none."""
        return 0 if self.position else 1

    def forward(self, u: Float[Tensor, "b i *x"]) -> Float[Tensor, "b o *x"]:
        """Apply the operator to a batch of inputs."""
        check_input(u, self.spec, "FNO")
        v = self.strip.extend(self.lifting(u), self.spec.box.boundaries)
        for block in self.blocks:
            v = block(v)
        v = restrict(v, u.shape[2:])
        return self.projection[1](F.gelu(self.projection[0](v)))


class Lifting(nn.Module):
    """v(x) = P₂ σ(P₁ [u(x), x] + b₁) + b₂: the input and its coordinates, pointwise, to the width of the blocks."""

    def __init__(self, spec: FieldSpec, inner: int, out: int, position: bool) -> None:
        super().__init__()
        self.boundaries = tuple(spec.box.boundaries)
        self.first = Pointwise(spec.in_channels + (spec.box.ndim if position else 0), inner)
        self.second = Pointwise(inner, out)
        self.position = position

    def forward(self, u: Float[Tensor, "b i *x"]) -> Float[Tensor, "b o *x"]:
        """Lift a batch; the coordinates' share is the same for all samples and computed once."""
        if not self.position:
            return self.second(F.gelu(self.first(u)))
        b, c, *sizes = u.shape
        weight, bias = self.first.weight, self.first.bias
        x = self._coordinates(u).flatten(1)
        shared = torch.addmm(bias[:, None], weight[:, c:], x)  # type: ignore[index]
        v = torch.baddbmm(shared, weight[:, :c].expand(b, -1, -1), u.reshape(b, c, -1))
        return self.second(F.gelu(v).reshape(b, -1, *sizes))

    def _coordinates(self, u: Tensor) -> Float[Tensor, "d *x"]:
        points = []
        for n, kind in zip(u.shape[2:], self.boundaries, strict=True):
            shift = 0.0 if kind == "periodic" else 0.5
            points.append((torch.arange(n, device=u.device, dtype=torch.float64) + shift) / n)
        dtype = self.first.weight.dtype
        return torch.stack(torch.meshgrid(*points, indexing="ij")).to(dtype)


class FourierBlock(nn.Module):
    """B(v) = σ(M σ(W v + K v) + g ⊙ v): a spectral convolution, pointwise maps and two skips.

    Parameters
    ----------
    channels : width
    n_modes : modes kept per axis, counting both signs (the FNO paper's 16 is 32 here)
    activate : False leaves out both σ outside of M, as in the last block of an FNO
    precision : of the convolution's products, see `SpectralConv`
    """

    def __init__(self, channels: int, n_modes: Sequence[int], activate: bool = True, precision: str = "full") -> None:
        super().__init__()
        inner = round(channels / 2)
        self.conv = SpectralConv(channels, channels, n_modes, precision=precision)
        self.skip = Pointwise(channels, channels, bias=False)
        self.mlp = nn.ModuleList([Pointwise(channels, inner), Pointwise(inner, channels)])
        self.gate = SoftGate(channels)
        self.activate = activate

    def forward(self, v: Float[Tensor, "b c *x"]) -> Float[Tensor, "b c *x"]:
        """Apply the block."""
        mixed = torch.is_autocast_enabled(v.device.type)
        w = self.conv(v) + self.skip(v) if mixed else self.conv(v, skip=self.skip.weight)
        return close(w, v, self)


def close(w: Float[Tensor, "b c *x"], v: Float[Tensor, "b c *x"], block: nn.Module) -> Float[Tensor, "b c *x"]:
    """σ(M σ(w) + g ⊙ v): how the blocks of an FNO and of its kin end; under autocast, operation by operation."""
    first, second = block.mlp  # type: ignore[misc]
    a = F.gelu(first(F.gelu(w) if block.activate else w))
    if torch.is_autocast_enabled(v.device.type):
        w = second(a) + block.gate(v)  # type: ignore[operator]
    else:
        w = GatedPointwise.apply(a, second.weight, second.bias, block.gate.weight, v)  # type: ignore[union-attr]
    return F.gelu(w) if block.activate else w
