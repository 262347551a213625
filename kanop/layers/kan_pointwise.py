"""A KAN on the channels of each point."""

from __future__ import annotations

import math

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from kanop.kan import Basis, KANLinear

__all__ = ["KANPointwise"]

# Size of the functions at the start, where the base is 1.
ROUGHNESS = 0.1


class KANPointwise(nn.Module):
    """v_o(x) = Σ_i φ_oi(u_i(x)) + b_o: the same learnt functions at every point.

    Parameters
    ----------
    in_channels, out_channels : channels before and after
    basis : the functions that the φ are made of, besides SiLU

    Shapes
    ------
    forward (b, in, *x) → (b, out, *x)

    Notes
    -----
    At the start the base carries the map and the functions are a tenth of it. Random functions of full size would make
    harmonics of a field that its grid does not hold, and the first thing to learn would be to remove them.

    Examples
    --------
    >>> from kanop.kan import Chebyshev
    >>> KANPointwise(2, 3, Chebyshev(4))(torch.zeros(5, 2, 8, 9)).shape
    torch.Size([5, 3, 8, 9])
    """

    def __init__(self, in_channels: int, out_channels: int, basis: Basis) -> None:
        super().__init__()
        self.kan = KANLinear(in_channels, out_channels, basis)
        with torch.no_grad():
            self.kan.weight.mul_(ROUGHNESS)
            # As for ReLU: SiLU halves the mean square of large inputs, so deep stacks keep their size.
            self.kan.base_weight.normal_(std=math.sqrt(2 / in_channels))  # type: ignore[union-attr]
            self.kan.bias.zero_()  # type: ignore[union-attr]

    def forward(self, u: Float[Tensor, "b i *x"]) -> Float[Tensor, "b o *x"]:
        """Apply the map."""
        return rearrange(self.kan(rearrange(u, "b c ... -> b ... c")), "b ... c -> b c ...")
