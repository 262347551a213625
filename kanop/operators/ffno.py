"""The factorised Fourier neural operator."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from kanop.layers import Continuation, FactorisedConv, Pointwise, restrict
from kanop.operators.fno import Lifting
from kanop.operators.inputs import check_input, check_modes
from kanop.solvers import FieldSpec
from kanop.solvers.errors import check

__all__ = ["FFNO"]


class FFNO(nn.Module):
    r"""G = Q ∘ (I + F_L K_L) ∘ … ∘ (I + F_1 K_1) ∘ P: residual blocks of axis-wise convolutions K and pointwise F.

    K = Σ_i F_i⁻¹ R_i F_i is a `FactorisedConv`, F, P and Q pointwise networks with one hidden layer (GELU). A block has
    Σ_i m_i tables of weights where an FNO's has Π_i m_i, so many layers and many modes stay cheap.

    Parameters
    ----------
    spec : the map to learn; gives channels, number of axes and boundaries
    n_modes : modes kept per axis, counting both signs (the paper's 16 is 32 here); at most the points of the axis
        None: half of the axis, at most 32, 24 or 12 in one to three dimensions
    hidden_channels : width (default 64)
    n_layers : number of blocks (default 4; the paper goes to 24)
    position : append the coordinates in [0, 1) to the input (default). Without them, and on periodic axes, the
        operator commutes with translations.
    padding : what follows each axis that has walls: a strip of zeros of this fraction of the axis (default 0.25), or a
        `Continuation`. Periodic axes get none.
    factor : width inside F over `hidden_channels` (default 4)
    shared : one K for all blocks (default False)

    Shapes
    ------
    forward (b, c_in, *x) → (b, c_out, *x), at any resolution: a coarser grid uses the modes that it holds.

    Raises
    ------
    KanopError : n_modes that the grid does not hold; sizes below 1; an input with other channels or axes

    References
    ----------
    Tran, Mathews, Xie & Ong 2023, arXiv 2111.13802, eq. 3-5.

    Examples
    --------
    >>> import torch
    >>> from kanop.solvers import FieldSpec, Grid
    >>> model = FFNO(FieldSpec(Grid((16, 16)), ["u"]), n_modes=(8, 8), hidden_channels=8)
    >>> model(torch.randn(2, 1, 16, 16)).shape, model(torch.randn(2, 1, 24, 33)).shape
    (torch.Size([2, 1, 16, 16]), torch.Size([2, 1, 24, 33]))
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
        factor: int = 4,
        shared: bool = False,
    ) -> None:
        super().__init__()
        self.spec, self.n_modes = spec, check_modes(n_modes, spec, "FFNO")
        for name, value in (("hidden_channels", hidden_channels), ("n_layers", n_layers), ("factor", factor)):
            check(value >= 1, f"{name} is at least 1, got {value}")
        self.hidden_channels, self.n_layers, self.factor = hidden_channels, n_layers, factor
        self.position, self.shared, self.padding = position, shared, padding
        self.strip = Continuation.of(padding)
        c = hidden_channels
        self.lifting = Lifting(spec, 2 * c, c, position)
        self.convs = nn.ModuleList(FactorisedConv(c, c, self.n_modes) for _ in range(1 if shared else n_layers))
        self.forwards = nn.ModuleList(
            nn.ModuleList([Pointwise(c, factor * c), Pointwise(factor * c, c)]) for _ in range(n_layers)
        )
        self.projection = nn.ModuleList([Pointwise(c, 2 * c), Pointwise(2 * c, spec.out_channels)])

    @property
    def shift_equivariance(self) -> int:
        """Commutes with shifts by multiples of so many points on periodic axes; 0: with none."""
        return 0 if self.position else 1

    def forward(self, u: Float[Tensor, "b i *x"]) -> Float[Tensor, "b o *x"]:
        """Apply the operator to a batch of inputs."""
        check_input(u, self.spec, "FFNO")
        v = self.strip.extend(self.lifting(u), self.spec.box.boundaries)
        for i, pair in enumerate(self.forwards):
            w = self.convs[0 if self.shared else i](v)
            v = v + _mlp(pair, w)
        return _mlp(self.projection, restrict(v, u.shape[2:]))


def _mlp(pair: nn.Module, v: Tensor) -> Tensor:
    first, second = pair.children()
    return second(F.gelu(first(v)))
