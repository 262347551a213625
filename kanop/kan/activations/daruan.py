"""The activation of a single-qubit circuit."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from kanop.kan.activations.activation import Activation
from kanop.solvers.errors import check

__all__ = ["DARUAN"]


class DARUAN(Activation):
    r"""f(x) = ⟨Z⟩ in the state W_{r+1} Π_l [R_z(w_l x + b_l) W_l] H|0⟩, W = R_z R_y: data re-uploaded r times.

    A trigonometric polynomial of degree r in w_l x, bounded by 1. The state is kept as its vector on the Bloch sphere,
    which every gate turns: real algebra, no quantum library. W's R_z only shifts the next b_l, and the last does not
    change Z, so W has one angle here, that of R_y.

    Parameters
    ----------
    features : i ≥ 1, each with a circuit of its own
    uploads : r ≥ 1 (default 3)

    Shapes
    ------
    turn (r + 1, i), angles of R_y; frequency w (r, i); phase b (r, i); forward (*n, i) → (*n, i)

    Raises
    ------
    KanopError : no upload

    Notes
    -----
    At the start w = 1 and all angles are uniform on the circle: E[f²] = ⅓ + 4^{−r}/6 over the features, at every x.

    Reference: Jiang et al. 2025 (QKAN), arXiv 2509.14026.

    Examples
    --------
    >>> circuit = DARUAN(1, uploads=1)
    >>> x = torch.randn(5, 1)
    >>> torch.allclose(circuit(x), circuit.extended()(x))
    True
    """

    def __init__(self, features: int, uploads: int = 3) -> None:
        super().__init__(features)
        check(uploads >= 1, f"data are uploaded at least once, got uploads={uploads}")
        self.uploads = uploads
        self.turn = nn.Parameter(math.pi * torch.empty(uploads + 1, features).uniform_(-1, 1))
        self.frequency = nn.Parameter(torch.ones(uploads, features))
        self.phase = nn.Parameter(math.pi * torch.empty(uploads, features).uniform_(-1, 1))

    def function(self, x: Float[Tensor, "*n i"]) -> Float[Tensor, "*n i"]:
        """The height on the Bloch sphere after all turns; H|0⟩ points along its x-axis."""
        cosine, sine = torch.cos(self.turn), torch.sin(self.turn)
        a, b, c = cosine[0].expand_as(x), torch.zeros_like(x), -sine[0].expand_as(x)
        for level in range(self.uploads):
            angle = self.frequency[level] * x + self.phase[level]
            co, si = torch.cos(angle), torch.sin(angle)
            a, b = a * co - b * si, a * si + b * co
            a, c = a * cosine[level + 1] + c * sine[level + 1], c * cosine[level + 1] - a * sine[level + 1]
        return c

    def extended(self) -> DARUAN:
        """The same function with r + 1 uploads: behind the circuit stand R_z(x), which leaves Z alone, and W = 1."""
        longer = DARUAN(self.features, self.uploads + 1).to(self.turn)
        with torch.no_grad():
            longer.turn.copy_(torch.cat([self.turn, torch.zeros_like(self.turn[:1])]))
            longer.frequency.copy_(torch.cat([self.frequency, torch.ones_like(self.frequency[:1])]))
            longer.phase.copy_(torch.cat([self.phase, torch.zeros_like(self.phase[:1])]))
        return longer
