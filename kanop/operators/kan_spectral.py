"""An FNO whose Fourier multipliers are KANs of the wave vector."""

from __future__ import annotations

import math
from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from kanop.kan import Basis, Chebyshev
from kanop.layers import Continuation, KANMultiplier
from kanop.operators.backbone import Backbone
from kanop.operators.inputs import check_input, check_modes
from kanop.solvers import FieldSpec, Grid

__all__ = ["KANSpectral"]

# Wavenumbers resolved in proportion, as multiples of the smallest; above, the KAN sees their logarithm.
LINEAR = 4


class KANSpectral(nn.Module):
    r"""G = Q ∘ B_L ∘ … ∘ B_1 ∘ P,  B(v) = σ(M σ(W v + F⁻¹ R F v) + g ⊙ v),  R(k) a KAN of the wave vector.

    An FNO that has no table of modes and no cut-off: c² K numbers for each feature of k, however fine the grid. It is
    an FNO where each table holds the values of R (see `KANMultiplier`).

    Parameters
    ----------
    spec : the map to learn; gives channels, number of axes, boundaries and the range of wavenumbers
    basis : univariate functions of the KANs (default `Chebyshev(8)`)
    hidden_channels : width of the blocks (default 64); P and Q are twice as wide inside, M half as wide
    n_layers : number of blocks (default 4)
    symbol : "isotropic", "additive" (default) or "network": what R is a function of
    n_modes : keep |m| ≤ n_modes // 2 of each axis only, for speed (default None: all)
    position : append the coordinates in [0, 1) to the input (default). Without them, and on a periodic grid, the
        operator commutes with translations; with "isotropic" also with quarter turns and reflections of a square box.
    padding : how layers see axes with walls: a strip of zeros of this fraction of the axis (default 0.25) or a
        `Continuation`; "even" or "odd": the field's mirror image, hence a multiplier of its cosine or sine series

    Shapes
    ------
    forward (b, c_in, *x) → (b, c_out, *x), at any resolution

    Raises
    ------
    KanopError : n_modes that the grid does not hold, an unknown symbol, sizes below 1; an input with other channels or
        axes

    References
    ----------
    Xiao et al. 2024 (AM-FNO), NeurIPS; Li et al. 2021 (FNO), arXiv 2010.08895.

    Examples
    --------
    >>> import torch
    >>> model = KANSpectral(FieldSpec(Grid((64,)), ["u"]), hidden_channels=8)
    >>> model(torch.randn(2, 1, 64)).shape, model(torch.randn(2, 1, 100)).shape
    (torch.Size([2, 1, 64]), torch.Size([2, 1, 100]))
    """

    resolution_tolerance = 2e-2  # of what GELU adds beyond the modes of a grid of few points

    def __init__(
        self,
        spec: FieldSpec,
        basis: Basis | None = None,
        hidden_channels: int = 64,
        n_layers: int = 4,
        symbol: str = "additive",
        n_modes: Sequence[int] | None = None,
        position: bool = True,
        padding: float | Continuation | str = 0.25,
    ) -> None:
        super().__init__()
        self.n_modes = None if n_modes is None else check_modes(n_modes, spec, "KANSpectral")
        self.spec, self.basis = spec, Chebyshev() if basis is None else basis
        self.hidden_channels, self.n_layers, self.symbol = hidden_channels, n_layers, symbol
        self.position, self.padding = position, padding
        args = (hidden_channels, hidden_channels, spec.box.ndim, self.basis, symbol)
        wavenumbers = _wavenumbers(spec.box, self.n_modes)
        layers = [KANMultiplier(*args, wavenumbers, self.n_modes) for _ in range(n_layers)]
        self.backbone = Backbone(spec, layers, hidden_channels, position, padding)

    @property
    def shift_equivariance(self) -> int:
        """Commutes with shifts by multiples of so many points on periodic axes; 0: with none."""
        return 0 if self.position else 1

    def forward(self, u: Float[Tensor, "b i *x"]) -> Float[Tensor, "b o *x"]:
        """Apply the operator to a batch of inputs."""
        check_input(u, self.spec, "KANSpectral")
        return self.backbone(u)


def _wavenumbers(grid: Grid, n_modes: Sequence[int] | None) -> tuple[float, float]:
    """The end of the linear range, and the largest wavenumber that takes part."""
    counts = grid.shape if n_modes is None else n_modes
    largest = max(math.pi * n / length for n, length in zip(counts, grid.lengths, strict=True))
    periods = [
        length if kind == "periodic" else 2 * length for length, kind in zip(grid.lengths, grid.boundaries, strict=True)
    ]
    return LINEAR * 2 * math.pi / max(periods), largest
