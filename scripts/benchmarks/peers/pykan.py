"""pykan's layer, without what it keeps for plots."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["layer"]


def layer(in_features: int, out_features: int, cells: int = 5, degree: int = 3) -> nn.Module:
    """Its `KANLayer` on a grid from −1 to 1; of what it returns, the outputs."""
    from kan.KANLayer import KANLayer
    from torch import nn

    class Outputs(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = KANLayer(in_features, out_features, num=cells, k=degree, save_plot_data=False)

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(x)[0]

    return Outputs()
