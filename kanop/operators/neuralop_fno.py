"""neuraloperator's own FNO behind our interface, and its weights for ours."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from kanop.operators.fno import FNO, FourierBlock
from kanop.operators.inputs import check_input, check_modes
from kanop.solvers import FieldSpec
from kanop.solvers.errors import check

__all__ = ["NeuralopFNO", "load_neuralop_weights"]


class NeuralopFNO(nn.Module):
    r"""G = Q ∘ B_L ∘ … ∘ B_1 ∘ P: neuraloperator's `neuralop.models.FNO`, built from a FieldSpec.

    Parameters
    ----------
    spec : the map to learn
    n_modes : modes kept per axis, counting both signs (the FNO paper's 16 is 32); at most the points of the axis
    hidden_channels : width (default 64)
    n_layers : number of Fourier layers (default 4)
    position : append the coordinates in [0, 1) to the input (default)
    padding : zeros on both sides of each axis that has walls, as a fraction of the axis (default 0.125 a side)

    Shapes
    ------
    forward (b, c_in, *x) → (b, c_out, *x)

    Raises
    ------
    KanopError : n_modes that the grid does not hold; an input with other channels or axes

    Notes
    -----
    The library is loaded when the first one is built. Its release 2.0.0 shifts the modes of an axis with an odd number
    of points by one (all but the last axis), so only even grids transfer between resolutions.

    References
    ----------
    Kossaifi et al. 2024, arXiv 2412.10354.
    """

    def __init__(
        self,
        spec: FieldSpec,
        n_modes: Sequence[int],
        hidden_channels: int = 64,
        n_layers: int = 4,
        position: bool = True,
        padding: float = 0.125,
    ) -> None:
        super().__init__()
        self.spec, self.n_modes = spec, check_modes(n_modes, spec, "NeuralopFNO")
        self.hidden_channels, self.n_layers = hidden_channels, n_layers
        self.position, self.padding = position, float(padding)
        walls = [0.0 if kind == "periodic" else float(padding) for kind in spec.grid.boundaries]
        # The library prints, loads loggers and changes the warning filters of the process: none of it may stay.
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            from neuralop.models import FNO as Model

            self.model = Model(
                n_modes=self.n_modes,
                in_channels=spec.in_channels,
                out_channels=spec.out_channels,
                hidden_channels=hidden_channels,
                n_layers=n_layers,
                positional_embedding="grid" if position else None,
                domain_padding=walls if any(walls) else None,
            )
        self.register_state_dict_post_hook(_drop_metadata)

    def forward(self, u: Float[Tensor, "b i *x"]) -> Float[Tensor, "b o *x"]:
        """Apply the operator to a batch of inputs."""
        check_input(u, self.spec, "NeuralopFNO")
        return self.model(u)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> NeuralopFNO:
        # `.double()` would cast the complex weights to real ones, silently: half of every kernel gone.
        dtype = fn(torch.zeros((), dtype=torch.float32)).dtype
        check(
            dtype == torch.float32,
            f"neuraloperator's FNO works in float32 only, it cannot become {dtype}; use FNO",
        )
        return super()._apply(fn, recurse)


def _drop_metadata(module: nn.Module, state: dict[str, Any], prefix: str, local_metadata: dict[str, Any]) -> None:
    """The library adds its constructor's arguments to every state dict: not a tensor, so no safe file holds it."""
    state.pop("_metadata", None)


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
