"""neuraloperator's own FNO behind our interface, and its weights for ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import nn

from kanop.operators.fno import FNO, FourierBlock
from kanop.operators.inputs import check_modes
from kanop.operators.neuralop_model import NeuralopModel, wall_padding
from kanop.solvers import FieldSpec
from kanop.solvers.errors import check

__all__ = ["NeuralopFNO", "load_neuralop_weights"]


class NeuralopFNO(NeuralopModel):
    r"""G = Q ∘ B_L ∘ … ∘ B_1 ∘ P: neuraloperator's `neuralop.models.FNO`, built from a FieldSpec.

    Parameters
    ----------
    spec : the map to learn
    n_modes : modes kept per axis, counting both signs (the FNO paper's 16 is 32); at most the points of the axis
        None: half of the axis, at most 32, 24 or 12 in one to three dimensions
    hidden_channels : width (default 64)
    n_layers : number of Fourier layers (default 4)
    position : append the coordinates in [0, 1) to the input (default)
    padding : zeros on both sides of each axis that has walls, as a fraction of the axis (default 0.125 a side)

    Shapes
    ------
    forward (b, c_in, *x) → (b, c_out, *x)

    Raises
    ------
    KanopError : n_modes that the grid does not hold, and as every `NeuralopModel`

    Notes
    -----
    The library's release 2.0.0 shifts the modes of an axis with an odd number of points by one (all but the last axis),
    so only even grids transfer between resolutions.

    References
    ----------
    Kossaifi et al. 2024, arXiv 2412.10354.
    """

    def __init__(
        self,
        spec: FieldSpec,
        n_modes: Sequence[int] | None,
        hidden_channels: int = 64,
        n_layers: int = 4,
        position: bool = True,
        padding: float = 0.125,
    ) -> None:
        modes = check_modes(n_modes, spec, "NeuralopFNO")
        super().__init__(
            spec,
            lambda models: models.FNO(
                n_modes=modes,
                in_channels=spec.in_channels,
                out_channels=spec.out_channels,
                hidden_channels=hidden_channels,
                n_layers=n_layers,
                positional_embedding="grid" if position else None,
                domain_padding=wall_padding(spec, padding),
            ),
        )
        self.n_modes, self.hidden_channels, self.n_layers = modes, hidden_channels, n_layers
        self.position, self.padding = position, float(padding)


@torch.no_grad()
def load_neuralop_weights(fno: FNO, model: Any) -> None:
    """Copy the weights of neuraloperator's FNO `model` (default options, same sizes) into `fno`.

    Raises
    ------
    KanopError : another number of layers, or of channels or modes
    """
    blocks = model.fno_blocks
    check(len(fno.blocks) == model.n_layers, f"expected {len(fno.blocks)} layers, got {model.n_layers}")
    pairs: list[tuple[Any, Any]] = [
        (fno.lifting.first, model.lifting.fcs[0]),
        (fno.lifting.second, model.lifting.fcs[1]),
    ]
    pairs += list(zip(fno.projection, model.projection.fcs, strict=True))
    for i, block in enumerate(cast(list[FourierBlock], list(fno.blocks))):
        kernel = blocks.convs[i].weight.to_tensor()
        check(
            block.conv.kernel.shape == kernel.shape,
            f"expected modes and channels {tuple(block.conv.kernel.shape)}, got {tuple(kernel.shape)}",
        )
        block.conv.set_kernel(kernel)
        cast(nn.Parameter, block.conv.bias).copy_(blocks.convs[i].bias.flatten())
        block.gate.weight.copy_(blocks.channel_mlp_skips[i].weight.flatten())
        pairs.append((block.skip, blocks.fno_skips[i].conv))
        pairs += list(zip(block.mlp, blocks.channel_mlp[i].fcs, strict=True))
    for ours, theirs in pairs:
        ours.weight.copy_(theirs.weight.reshape(ours.weight.shape))
        if ours.bias is not None:
            ours.bias.copy_(theirs.bias)
