"""neuraloperator's U-shaped neural operator behind our interface."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kanop.operators.inputs import check_modes
from kanop.operators.neuralop_model import NeuralopModel, wall_padding
from kanop.solvers import FieldSpec
from kanop.solvers.errors import check

__all__ = ["UNO"]


class UNO(NeuralopModel):
    r"""G = Q ∘ B_{2L+2} ∘ … ∘ B_0 ∘ P: Fourier layers B on a U of resolutions, `neuralop.models.UNO`.

    On the way down L layers halve the resolution and double the width; one layer stays at the bottom; L layers come up,
    joined with the layers of the way down.

    Parameters
    ----------
    spec : the map to learn
    n_modes : modes kept per axis on the finest grid, counting both signs; half of them a level below, and so on. At
        most the points of the axis
        None: half of the axis, at most 32, 24 or 12 in one to three dimensions
    hidden_channels : width on the finest grid (default 32); 2^l times as many at level l
    n_levels : L, how often the resolution is halved (≥ 1, default 1, as in the library's example); the coarsest grid
        has at least 2 points an axis
    position : append the coordinates in [0, 1) to the input (default)
    padding : zeros on both sides of each axis that has walls, as a fraction of the axis (default 0.125 a side)

    Shapes
    ------
    forward (b, c_in, *x) → (b, c_out, *x)

    Raises
    ------
    KanopError : n_modes that the grid does not hold, no level or too many, and as every `NeuralopModel`

    Notes
    -----
    The skip of the pointwise network is a linear map: the library's default, one factor a channel, needs equal numbers
    of channels and fails in a U.

    References
    ----------
    Rahman, Ross & Azizzadenesheli 2023, arXiv 2204.11127.

    Examples
    --------
    >>> import torch
    >>> from kanop.solvers import FieldSpec, Grid
    >>> model = UNO(FieldSpec(Grid((16, 16)), ["u"]), n_modes=(8, 8), hidden_channels=4)
    >>> model(torch.randn(2, 1, 16, 16)).shape
    torch.Size([2, 1, 16, 16])
    """

    def __init__(
        self,
        spec: FieldSpec,
        n_modes: Sequence[int] | None,
        hidden_channels: int = 32,
        n_levels: int = 1,
        position: bool = True,
        padding: float = 0.125,
    ) -> None:
        modes = check_modes(n_modes, spec, "UNO")
        fits = n_levels >= 1 and min(spec.box.shape) >= 2 ** (n_levels + 1)
        check(fits, f"UNO halves the grid {tuple(spec.box.shape)} n_levels ≥ 1 times, down to 2 points; got {n_levels}")
        super().__init__(
            spec,
            lambda models: models.UNO(
                in_channels=spec.in_channels,
                out_channels=spec.out_channels,
                hidden_channels=hidden_channels,
                lifting_channels=2 * hidden_channels,
                projection_channels=2 * hidden_channels,
                channel_mlp_skip="linear",
                positional_embedding="grid" if position else None,
                domain_padding=wall_padding(spec, padding),
                **_layers(modes, hidden_channels, n_levels),
            ),
        )
        self.n_modes, self.hidden_channels, self.n_levels = modes, hidden_channels, n_levels
        self.position, self.padding = position, float(padding)


def _layers(modes: Sequence[int], width: int, n_levels: int) -> dict[str, Any]:
    """Width, modes and change of resolution of the 2L + 3 layers."""
    levels = [*range(n_levels + 1), *range(n_levels, 0, -1)]
    scales = [1.0] + [0.5] * n_levels + [1.0] + [2.0] * n_levels + [1.0]
    inner = [*levels[: n_levels + 1], *levels[n_levels:], 0]
    return {
        "n_layers": len(scales),
        "uno_out_channels": [width * 2**level for level in inner],
        "uno_n_modes": [[max(1, m // 2**level) for m in modes] for level in inner],
        "uno_scalings": [[scale] * len(modes) for scale in scales],
    }
