"""neuraloperator's local neural operator behind our interface."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from kanop.operators.inputs import check_modes
from kanop.operators.neuralop_model import NeuralopModel, wall_padding
from kanop.solvers import FieldSpec

__all__ = ["LocalNO"]


class LocalNO(NeuralopModel):
    r"""An FNO whose layers also have a differential and, in 2-D, a local integral kernel: `neuralop.models.LocalNO`.

    Parameters
    ----------
    spec : the map to learn; the kernels are made for its grid
    n_modes : modes kept per axis, counting both signs; at most the points of the axis
        None: half of the axis, at most 32, 24 or 12 in one to three dimensions
    hidden_channels : width (default 64)
    n_layers : number of layers (default 4)
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
    In release 2.0.0 the local integral exists in 2-D alone, covers 3 points an axis (so its support shrinks on a finer
    grid) and pads with zeros on periodic axes too: in 2-D the model commutes with no translation. The library knows
    one continuation for the differential kernel: periodic if all axes are, else zeros.

    References
    ----------
    Liu-Schiaffini et al. 2024, arXiv 2402.16845.

    Examples
    --------
    >>> import torch
    >>> from kanop.solvers import FieldSpec, Grid
    >>> model = LocalNO(FieldSpec(Grid((16, 16)), ["u"]), n_modes=(8, 8), hidden_channels=4)
    >>> model(torch.randn(2, 1, 16, 16)).shape
    torch.Size([2, 1, 16, 16])
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
        modes = check_modes(n_modes, spec, "LocalNO")
        shape, periodic = tuple(spec.box.shape), set(spec.box.boundaries) == {"periodic"}
        super().__init__(
            spec,
            lambda models: _without_aliases(
                models.LocalNO(
                    n_modes=modes,
                    in_channels=spec.in_channels,
                    out_channels=spec.out_channels,
                    hidden_channels=hidden_channels,
                    default_in_shape=shape,
                    n_layers=n_layers,
                    disco_layers=spec.box.ndim == 2,
                    # The library counts the kernel's points by rounding down 2 radius / spacing, axis by axis, and an
                    # even count fails: so square cells, and a radius just above one of them.
                    domain_length=[2.0 * n / shape[0] for n in shape],
                    radius_cutoff=2.0 / shape[0] * (1 + 1e-6),
                    conv_padding_mode="periodic" if periodic else "zeros",
                    positional_embedding="grid" if position else None,
                    domain_padding=wall_padding(spec, padding),
                )
            ),
        )
        self.n_modes, self.hidden_channels, self.n_layers = modes, hidden_channels, n_layers
        self.position, self.padding = position, float(padding)


def _without_aliases(model: Any) -> nn.Module:
    """Forget the second names that the library gives to some weights: a safe file holds no tensor twice."""
    for module in model.modules():
        conv = getattr(module, "conv", None)
        if isinstance(conv, nn.Module) and getattr(module, "weight", None) is getattr(conv, "weight", model):
            del module.weight
    return model
