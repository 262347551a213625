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
        gap = (self.high - self.low) / (self.translations - 1)
        return [self.low + m * gap for m in range(self.translations)]

    def functions(self, t: Float[Tensor, "*n"], order: int = 0) -> list[Float[Tensor, "*n"]]:
        """All translations of the first dilation, then of the next."""
        return [
            self._factor * s ** (-order - 0.5) * self._mother((t - m) / s, [order])[0]
            for s in self.dilations
            for m in self.centres
        ]

    def fill(self, t: Float[Tensor, "*n"], orders: Sequence[int], out: Float[Tensor, "r k *n"]) -> None:
        """One Gaussian serves all orders."""
        for d, s in enumerate(self.dilations):
            for m, centre in enumerate(self.centres):
                values = self._mother((t - centre).mul_(1 / s), orders)
                for order, rows, value in zip(orders, out, values, strict=True):
                    torch.mul(value, self._factor * s ** (-order - 0.5), out=rows[d * self.translations + m])

    @property
    def _factor(self) -> float:
        """What gives ψ unit energy."""
        return (-2 / math.sqrt(3) if self.kind == "mexican_hat" else math.sqrt(2)) * math.pi**-0.25

    def _mother(self, z: Tensor, orders: Sequence[int]) -> list[Tensor]:
        """The derivatives of ψ of these orders, over the factor."""
        extra = {"mexican_hat": 2, "dog": 1, "morlet": 0}[self.kind]
        slopes = _gaussians(z, max(orders) + extra)
        if self.kind != "morlet":
            return [slopes[order + extra] for order in orders]
        # cos(5z) and its derivatives beside those of the Gaussian, by Leibniz' rule.
        angle = CARRIER * z
        waves = [torch.cos(angle + j * math.pi / 2) if j else torch.cos(angle) for j in range(min(max(orders), 1) + 1)]
        made = []
        for r in orders:
            total = waves[0] * slopes[r]
            for j in range(1, r + 1):
                # Every second derivative of the wave is the negative of the one before.
                sign = -1 if j % 4 > 1 else 1
                total = torch.addcmul(total, waves[j % 2], slopes[r - j], value=sign * math.comb(r, j) * CARRIER**j)
            made.append(total)
        return made


def _gaussians(z: Tensor, order: int) -> list[Tensor]:
    """e^{−z²/2} and its derivatives up to `order`, (−1)^r He_r(z) e^{−z²/2}; far out 0, whatever the polynomial."""
    values = [(z * z).mul_(-0.5).exp_()]
    for r in range(order):
        value = -z * values[-1]
        values.append(torch.add(value, values[-2], alpha=-r) if r else value)
    return values
