"""Wavelet bases."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from kanop.kan.basis import Basis
from kanop.solvers.errors import check, nearest

__all__ = ["Wavelet"]

KINDS = ("mexican_hat", "morlet", "dog")
# The carrier of Morlet's wavelet.
CARRIER = 5.0
# e^{−z²/2} is 0 in double precision from here, and the polynomial beside it must stay finite.
EDGE = 39.0


class Wavelet(Basis):
    r"""ψ((x − τ_m)/s)/√s for every translation τ_m and dilation s: localised waves of unit energy and mean zero.

    mexican_hat: ψ = 2/(√3 π^¼) (1 − z²) e^{−z²/2}; morlet: ψ = √2 π^{−¼} cos(5z) e^{−z²/2} (its mean is 1e-5);
    dog, the derivative of a Gaussian: ψ = −√2 π^{−¼} z e^{−z²/2}. A few widths outside the domain all functions
    vanish: there the layer's base branch acts alone.

    Parameters
    ----------
    kind : "mexican_hat" (default), "morlet" or "dog"
    translations : M ≥ 1 points τ_m, spread evenly over the domain with both ends (default 4; one: its middle)
    dilations : widths s > 0 (default 1 and ½), hence K = M · len(dilations) functions
    low, high : ends of the domain (default −2 and 2)

    Raises
    ------
    KanopError : an unknown kind, no translation, dilations that are not positive, an empty domain

    Notes
    -----
    All three are Gaussians times Hermite polynomials and a carrier, so derivatives of any order are.

    Reference: Bozorgasl & Chen 2024 (Wav-KAN), arXiv 2405.12832.

    Examples
    --------
    >>> Wavelet("dog", translations=3).size
    6
    """

    smoothness = math.inf

    def __init__(
        self,
        kind: str = "mexican_hat",
        translations: int = 4,
        dilations: Sequence[float] = (1.0, 0.5),
        low: float = -2.0,
        high: float = 2.0,
    ) -> None:
        super().__init__()
        check(kind in KINDS, nearest(kind, KINDS, "wavelet"))
        check(translations >= 1, f"a wavelet basis has at least one translation, got translations={translations}")
        check(len(dilations) > 0 and min(dilations) > 0, f"dilations are positive, got {list(dilations)}")
        check(low < high, f"a domain has low < high, got low={low:g} and high={high:g}")
        self.kind, self.translations, self.dilations = kind, translations, tuple(float(s) for s in dilations)
        self.low, self.high, self.size = float(low), float(high), translations * len(self.dilations)
        self.domain = (self.low, self.high)

    @property
    def centres(self) -> list[float]:
        """The translations τ_m."""
        if self.translations == 1:
            return [(self.low + self.high) / 2]
        return torch.linspace(self.low, self.high, self.translations, dtype=torch.float64).tolist()

    def functions(self, t: Float[Tensor, "*n"], order: int = 0) -> list[Float[Tensor, "*n"]]:
        """All translations of the first dilation, then of the next."""
        return [s ** (-order - 0.5) * self._mother((t - m) / s, order) for s in self.dilations for m in self.centres]

    def _mother(self, z: Tensor, order: int) -> Tensor:
        z = z.clamp(-EDGE, EDGE)
        gauss = torch.exp(-0.5 * z * z)
        if self.kind == "morlet":
            return math.sqrt(2) * math.pi**-0.25 * gauss * _wave(z, order)
        if self.kind == "dog":
            return math.sqrt(2) * math.pi**-0.25 * gauss * _slope(z, order + 1)
        return -2 / math.sqrt(3) * math.pi**-0.25 * gauss * _slope(z, order + 2)


def _wave(z: Tensor, order: int) -> Tensor:
    """The derivative of order r of cos(cz) e^{−z²/2}, over e^{−z²/2}, by Leibniz' rule."""
    total = torch.cos(CARRIER * z) * _slope(z, order)
    for j in range(1, order + 1):
        wave = torch.cos(CARRIER * z + j * math.pi / 2) * _slope(z, order - j)
        total = total + math.comb(order, j) * CARRIER**j * wave
    return total


def _slope(z: Tensor, order: int) -> Tensor:
    """The derivative of order r of e^{−z²/2}, over e^{−z²/2}: (−1)^r He_r(z)."""
    last, value = torch.zeros_like(z), torch.ones_like(z)
    for n in range(order):
        last, value = value, -z * value - n * last
    return value
