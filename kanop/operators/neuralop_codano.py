"""neuraloperator's codomain-attention operator behind our interface."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from kanop.operators.inputs import channel_names, check_modes
from kanop.operators.neuralop_model import NeuralopModel, wall_padding
from kanop.solvers import FieldSpec
from kanop.solvers.errors import check

__all__ = ["CODANO"]


class CODANO(NeuralopModel):
    r"""Attention between the channels, each a token that is a function: `neuralop.models.CODANO`, in 2-D and 3-D.

    Every input channel is lifted to a token and every token gives ⌈c_out / c_in⌉ channels, of which the first c_out are
    the output.

    Parameters
    ----------
    spec : the map to learn, on 2 or 3 axes
    n_modes : modes kept per axis, counting both signs; at most the points of the axis
        None: half of the axis, at most 32, 24 or 12 in one to three dimensions
    hidden_channels : channels of one token (default 32)
    n_layers : number of attention layers (default 4)
    n_heads : heads of each (default 2)
    position : give each channel a learnt function of the point, by which the layers tell channels apart (default);
        without it, exchanging two input channels exchanges the outputs
    padding : zeros on both sides of all axes if any has walls, as a fraction of the axis (default 0.125 a side): the
        library knows no padding axis by axis

    Shapes
    ------
    forward (b, c_in, *x) → (b, c_out, *x)

    Raises
    ------
    KanopError : another number of axes than 2 or 3, n_modes that the grid does not hold, and as every `NeuralopModel`

    Notes
    -----
    Release 2.0.0 has no normalisation for one axis, and its learnt functions fall like one over the number of points:
    with `position` the model holds at the resolution at which it was trained. Constants that the library adds before
    it normalises have no effect; they are frozen.

    References
    ----------
    Rahman et al. 2024, arXiv 2403.12553.

    Examples
    --------
    >>> import torch
    >>> from kanop.solvers import FieldSpec, Grid
    >>> model = CODANO(FieldSpec(Grid((16, 16)), ["u"]), n_modes=(8, 8), hidden_channels=4)
    >>> model(torch.randn(2, 1, 16, 16)).shape
    torch.Size([2, 1, 16, 16])
    """

    compiles = False  # tracing its attention between channels did not end within a quarter of an hour

    def __init__(
        self,
        spec: FieldSpec,
        n_modes: Sequence[int] | None,
        hidden_channels: int = 32,
        n_layers: int = 4,
        n_heads: int = 2,
        position: bool = True,
        padding: float = 0.125,
    ) -> None:
        modes, d = check_modes(n_modes, spec, "CODANO"), spec.box.ndim
        check(d in (2, 3), f"CODANO works on 2 or 3 axes, got {d}; use FNO")
        names = channel_names(spec)
        options = {
            "output_variable_codimension": -(-spec.out_channels // spec.in_channels),
            "hidden_variable_codimension": hidden_channels,
            "lifting_channels": 2 * hidden_channels,
            "projection_channels": 2 * hidden_channels,
            "n_layers": n_layers,
            "n_modes": [list(modes)] * n_layers,
            "n_heads": [n_heads] * n_layers,
            "per_layer_scaling_factors": [[1] * d] * n_layers,
            "attention_scaling_factors": [1] * n_layers,
            "use_positional_encoding": position,
            "positional_encoding_modes": list(modes) if position else None,
            "variable_ids": names if position else None,
            "domain_padding": padding if wall_padding(spec, padding) else None,
        }
        super().__init__(
            spec, lambda models: Named(_freeze_idle(models.CODANO(**options)), names if position else None)
        )
        self.n_modes, self.hidden_channels, self.n_layers = modes, hidden_channels, n_layers
        self.n_heads, self.position, self.padding = n_heads, position, float(padding)


class Named(nn.Module):
    """M(u) = M(u, names of the channels of u)."""

    def __init__(self, model: Any, names: Sequence[str] | None) -> None:
        super().__init__()
        self.model, self.names = model, names

    def forward(self, u: Tensor) -> Tensor:
        """Call the model."""
        return self.model(u, input_variable_ids=self.names)


def _freeze_idle(model: Any) -> Any:
    for layer in model.attention_layers:
        for conv in layer.mixer.convs:
            conv.bias.requires_grad_(False)
        for mlp in layer.mixer.channel_mlp:
            mlp.fcs[-1].bias.requires_grad_(False)
    return model
