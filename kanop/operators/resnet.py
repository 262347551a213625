"""The residual network of convolutions, plain or dilated: a baseline for local dynamics."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from kanop.layers import GridConv, Pointwise
from kanop.operators.fno import Lifting
from kanop.operators.inputs import check_input
from kanop.solvers import FieldSpec
from kanop.solvers.errors import check

__all__ = ["ResNet"]


class ResNet(nn.Module):
    r"""G = Q ∘ (I + C_L) ∘ … ∘ (I + C_1) ∘ P,  C(v) = A_m σ(… A_1 σ(v)): residual blocks of convolutions A on the grid.

    A point sees L · Σ dilations · ⌊kernel/2⌋ points on either side. Periodic axes wrap around; beyond walls the
    features are mirrored (Neumann) or zero (Dirichlet), axis by axis.

    Parameters
    ----------
    spec : the map to learn; gives channels, number of axes and boundaries
    hidden_channels : width (default 64)
    n_blocks : L, number of residual blocks (default 6)
    dilations : distance between the kernel's points, for each convolution of a block (default 1, 1); the dilated ResNet
        of the literature has 1, 2, 4, 8, 4, 2, 1
    kernel : points of a kernel per axis, odd (default 3)
    position : append the coordinates in [0, 1) to the input (default False). Without them, the operator commutes with
        translations along periodic axes.

    Shapes
    ------
    forward (b, c_in, *x) → (b, c_out, *x). Any resolution is taken, but the kernels live on grid points: on a finer
    grid they reach less far, so what was learnt at one resolution holds at that resolution.

    Raises
    ------
    KanopError : sizes below 1, an even kernel; an input with other channels or axes

    References
    ----------
    He et al. 2016, arXiv 1603.05027 (activation before convolution); Stachenfeld et al. 2022, arXiv 2112.15275
    (dilated); Koehler et al. 2024, arXiv 2411.00180 (as a baseline for emulators).

    Examples
    --------
    >>> import torch
    >>> from kanop.solvers import FieldSpec, Grid
    >>> model = ResNet(FieldSpec(Grid((16, 17)), ["u"]), hidden_channels=8, dilations=(1, 2, 4, 2, 1))
    >>> model(torch.randn(2, 1, 16, 17)).shape, model.receptive_radius
    (torch.Size([2, 1, 16, 17]), 60)
    """

    def __init__(
        self,
        spec: FieldSpec,
        hidden_channels: int = 64,
        n_blocks: int = 6,
        dilations: Sequence[int] = (1, 1),
        kernel: int = 3,
        position: bool = False,
    ) -> None:
        super().__init__()
        for name, value in (("hidden_channels", hidden_channels), ("n_blocks", n_blocks)):
            check(value >= 1, f"{name} is at least 1, got {value}")
        check(len(dilations) >= 1, "dilations has one number for each convolution of a block, at least one")
        self.spec, self.hidden_channels, self.n_blocks = spec, hidden_channels, n_blocks
        self.dilations, self.kernel, self.position = tuple(int(d) for d in dilations), kernel, position
        c, kinds = hidden_channels, spec.box.boundaries
        self.lifting = Lifting(spec, 2 * c, c, position)
        self.blocks = nn.ModuleList(
            nn.ModuleList(GridConv(c, c, kinds, kernel, d) for d in self.dilations) for _ in range(n_blocks)
        )
        self.projection = nn.ModuleList([Pointwise(c, 2 * c), Pointwise(2 * c, spec.out_channels)])

    @property
    def receptive_radius(self) -> int:
        """How many points on either side a point of the output depends on."""
        return self.n_blocks * sum(self.dilations) * (self.kernel // 2)

    @property
    def shift_equivariance(self) -> int:
        """Commutes with shifts by multiples of so many points on periodic axes; 0: with none."""
        return 0 if self.position else 1

    def forward(self, u: Float[Tensor, "b i *x"]) -> Float[Tensor, "b o *x"]:
        """Apply the operator to a batch of inputs."""
        check_input(u, self.spec, "ResNet")
        v = self.lifting(u)
        for block in self.blocks:
            w = v
            for conv in block.children():
                w = conv(F.gelu(w))
            v = v + w
        return self.projection[1](F.gelu(self.projection[0](v)))
