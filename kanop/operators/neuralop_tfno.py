"""neuraloperator's tensorised FNO behind our interface."""

from __future__ import annotations

from collections.abc import Sequence

from kanop.operators.inputs import check_modes
from kanop.operators.neuralop_model import NeuralopModel, wall_padding
from kanop.solvers import FieldSpec
from kanop.solvers.errors import check, nearest

__all__ = ["TFNO"]

FACTORISATIONS = ("tucker", "cp", "tt")


class TFNO(NeuralopModel):
    r"""An FNO whose table of weights R ∈ C^{c×c×k₁×…} is a tensor of low rank: `neuralop.models.TFNO`.

    Tucker: R = Σ G_{αβγ…} a_α ⊗ b_β ⊗ c_γ …; CP: R = Σ_r λ_r a_r ⊗ b_r ⊗ c_r …; TT: a product of matrices, one for each
    index.

    Parameters
    ----------
    spec : the map to learn
    n_modes : modes kept per axis, counting both signs (the FNO paper's 16 is 32); at most the points of the axis
        None: half of the axis, at most 32, 24 or 12 in one to three dimensions
    hidden_channels : width (default 64)
    n_layers : number of Fourier layers (default 4)
    factorization : "tucker" (default), "cp" or "tt"
    rank : share of the full table's parameters, about (> 0, default 0.1)
    position : append the coordinates in [0, 1) to the input (default)
    padding : zeros on both sides of each axis that has walls, as a fraction of the axis (default 0.125 a side)

    Shapes
    ------
    forward (b, c_in, *x) → (b, c_out, *x)

    Raises
    ------
    KanopError : n_modes that the grid does not hold, an unknown factorisation, a rank that is not positive, and as
        every `NeuralopModel`

    References
    ----------
    Kossaifi et al. 2023, arXiv 2310.00120.

    Examples
    --------
    >>> import torch
    >>> from kanop.solvers import FieldSpec, Grid
    >>> model = TFNO(FieldSpec(Grid((16, 16)), ["u"]), n_modes=(8, 8), hidden_channels=8)
    >>> model(torch.randn(2, 1, 16, 16)).shape
    torch.Size([2, 1, 16, 16])
    """

    compiles = False  # tracing the library of tensor factorisations did not end within minutes

    def __init__(
        self,
        spec: FieldSpec,
        n_modes: Sequence[int] | None,
        hidden_channels: int = 64,
        n_layers: int = 4,
        factorization: str = "tucker",
        rank: float = 0.1,
        position: bool = True,
        padding: float = 0.125,
    ) -> None:
        modes = check_modes(n_modes, spec, "TFNO")
        check(factorization in FACTORISATIONS, nearest(factorization, FACTORISATIONS, "factorization"))
        check(rank > 0, f"rank is a share of the full table's parameters, above 0, got {rank}")
        super().__init__(
            spec,
            lambda models: models.TFNO(
                n_modes=modes,
                in_channels=spec.in_channels,
                out_channels=spec.out_channels,
                hidden_channels=hidden_channels,
                n_layers=n_layers,
                factorization=factorization,
                rank=rank,
                positional_embedding="grid" if position else None,
                domain_padding=wall_padding(spec, padding),
            ),
        )
        self.n_modes, self.hidden_channels, self.n_layers = modes, hidden_channels, n_layers
        self.factorization, self.rank = factorization, float(rank)
        self.position, self.padding = position, float(padding)
