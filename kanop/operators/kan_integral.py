"""An operator of integral kernels that are KANs of position."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from kanop.kan import Basis, Chebyshev
from kanop.layers import LocalIntegral, LowRankIntegral
from kanop.operators.backbone import Backbone
from kanop.operators.inputs import check_input
from kanop.solvers import FieldSpec, Grid
from kanop.solvers.errors import check

__all__ = ["KANIntegral"]

# Reach of the local kernel in spacings of the data's grid, where none is given.
SPACINGS = 3


class KANIntegral(nn.Module):
    r"""G = Q ∘ B_L ∘ … ∘ B_1 ∘ P,  B(v) = σ(M σ(W v + K v) + g ⊙ v),  K v(x) = ∫ κ(x, y) v(y) dy,  κ made of KANs.

    κ = Σ_r a_r(x) W_r b_r(y) + Σ_qs a_q(x) W_qs ψ_s(x − y): a `LowRankIntegral` over the whole box and a
    `LocalIntegral` of short reach. Walls are where the integrals end: nothing is padded and nothing wraps round. It is
    an FNO where a and b are waves and there is no local part.

    Parameters
    ----------
    spec : the map to learn; gives channels and the box
    basis : univariate functions of the KANs (default `Chebyshev(8)`); a and b of periodic axes are sines and cosines
    rank : terms of the kernel over the whole box (default 32); 0: no such kernel
    radius : reach of the local kernel, in the unit of length of the grid; None (default): 3 spacings of the data's
        grid, or half of a shorter periodic side; 0: no local kernel
    variable : functions of x in a local kernel κ(x, y) (default 2); 0: κ(x − y)
    hidden_channels : width of the blocks (default 64)
    n_layers : number of blocks (default 4)
    position : append the coordinates in [0, 1) to the input (default)

    Shapes
    ------
    forward (b, c_in, *x) → (b, c_out, *x), at any resolution whose spacing is at most the radius

    Raises
    ------
    KanopError : sizes below 1, neither kernel, a radius out of range; an input with other channels or axes, or whose
        points have no neighbours

    References
    ----------
    Kovachki et al. 2023 (neural operators), arXiv 2108.08481; Liu-Schiaffini et al. 2024, arXiv 2402.16845.

    Examples
    --------
    >>> import torch
    >>> model = KANIntegral(FieldSpec(Grid((64,)), ["u"]), rank=4, hidden_channels=8)
    >>> model(torch.randn(2, 1, 64)).shape, model(torch.randn(2, 1, 100)).shape
    (torch.Size([2, 1, 64]), torch.Size([2, 1, 100]))
    """

    resolution_tolerance = 5e-2  # of the sum over a grid of few points

    def __init__(
        self,
        spec: FieldSpec,
        basis: Basis | None = None,
        rank: int = 32,
        radius: float | None = None,
        variable: int = 2,
        hidden_channels: int = 64,
        n_layers: int = 4,
        position: bool = True,
    ) -> None:
        super().__init__()
        check(rank >= 0, f"rank is at least 0, got {rank}")
        check(rank > 0 or radius != 0, "rank=0 and radius=0 leave no kernel; give at least one of them")
        check(hidden_channels >= 2, f"hidden_channels is at least 2, got {hidden_channels}")
        self.spec, self.basis = spec, Chebyshev() if basis is None else basis
        self.rank, self.variable, self.position = rank, variable, position
        self.hidden_channels, self.n_layers = hidden_channels, n_layers
        self.radius = _reach(spec.box) if radius is None else float(radius)
        layers = [Kernels(hidden_channels, spec.box, self.basis, rank, self.radius, variable) for _ in range(n_layers)]
        # "even" leaves every axis as long as it is.
        self.backbone = Backbone(spec, layers, hidden_channels, position, padding="even")

    @property
    def shift_equivariance(self) -> int:
        """Commutes with shifts by multiples of so many points on periodic axes; 0: with none."""
        return 0 if self.position or self.variable or self.rank else 1

    def forward(self, u: Float[Tensor, "b i *x"]) -> Float[Tensor, "b o *x"]:
        """Apply the operator to a batch of inputs."""
        check_input(u, self.spec, "KANIntegral")
        return self.backbone(u)


class Kernels(nn.Module):
    """K v = ∫ (κ_far + κ_near)(x, y) v(y) dy, either of which may be missing."""

    def __init__(
        self, channels: int, grid: Grid, basis: Basis, rank: int, radius: float, variable: int
    ) -> None:  # fmt: skip
        super().__init__()
        c = channels
        self.far = LowRankIntegral(c, c, grid, basis, rank) if rank else None
        self.near = LocalIntegral(c, c, grid, basis, radius, variable=variable) if radius else None

    def forward(self, v: Float[Tensor, "b c *x"], grid: Grid) -> Float[Tensor, "b c *x"]:
        """Apply the integrals to a field on `grid`."""
        parts = [layer(v, grid) for layer in (self.far, self.near) if layer is not None]
        return parts[0] if len(parts) == 1 else parts[0] + parts[1]


def _reach(grid: Grid) -> float:
    sides = [length for length, kind in zip(grid.lengths, grid.boundaries, strict=True) if kind == "periodic"]
    return min([SPACINGS * max(grid.spacing), *(length / 2 for length in sides)])
