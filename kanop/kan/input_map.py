"""Where the inputs of a layer lie, and how they are brought into the domain of a basis."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from kanop.kan.basis import Basis
from kanop.solvers.errors import check

__all__ = ["STANDARD", "InputMap", "OutOfDomain"]

# Inputs of mean 0 and variance 1, to two standard deviations.
STANDARD = (-2.0, 2.0)

# The share of inputs outside that a layer takes without a word: twice that of standardised inputs.
LIMIT = 0.1


class OutOfDomain(UserWarning):
    """A large share of a layer's inputs lies outside the domain of its basis."""


class InputMap(nn.Module):
    r"""t = (x − shift) · scale for every input: an interval onto the domain of a bounded basis; else the identity.

    In training it looks at its inputs now and then (at calls 1, 2, 4, 8, …), and warns once where more than a tenth of
    them lies outside; a compiled layer does not look.

    Parameters
    ----------
    features : i, at least 1
    basis : whose domain it is
    interval : where the inputs lie (default (−2, 2): standardised inputs)
    trainable : let shift and scale be learnt (default: no)

    Shapes
    ------
    shift, scale (i,), none for a basis on the line; forward (*n, i) → (*n, i)

    Raises
    ------
    KanopError : an interval that is none

    Examples
    --------
    >>> from kanop.kan import GaussianRBF
    >>> InputMap(1, GaussianRBF(low=-1.0, high=1.0), (0.0, 10.0))(torch.tensor([0.0, 5.0, 10.0])[:, None]).flatten()
    tensor([-1.,  0.,  1.])
    """

    shift: Tensor | None
    scale: Tensor | None

    def __init__(
        self, features: int, basis: Basis, interval: Sequence[float] = STANDARD, trainable: bool = False
    ) -> None:
        super().__init__()
        check(
            len(interval) == 2 and float("-inf") < interval[0] < interval[1] < float("inf"),
            f"an interval is (low, high), both finite and low the smaller, got {tuple(interval)}",
        )
        self.features, self.interval, self.trainable = features, tuple(interval), trainable
        self.domain, self.calls, self.warned = basis.domain, 0, False
        shift, scale = None, None
        if basis.bounded:
            scale = torch.full((features,), (basis.domain[1] - basis.domain[0]) / (interval[1] - interval[0]))
            shift = interval[0] - basis.domain[0] / scale
        for name, value in (("shift", shift), ("scale", scale)):
            if trainable and value is not None:
                self.register_parameter(name, nn.Parameter(value))
            else:
                self.register_buffer(name, value)

    def forward(self, x: Float[Tensor, "*n i"]) -> Float[Tensor, "*n i"]:
        """Apply the map, and look where its values lie."""
        if self.shift is None or self.scale is None:
            return x
        t = (x - self.shift) * self.scale
        if self.training and not self.warned and not torch.compiler.is_compiling():
            self._look(t)
        return t

    def outside(self, x: Float[Tensor, "*n i"]) -> float:
        """The share of the inputs that the map takes out of the domain."""
        if self.shift is None or self.scale is None:
            return 0.0
        low, high = self.domain
        t = (x.detach() - self.shift) * self.scale
        return float(((t < low) | (t > high)).double().mean())

    @torch.no_grad()
    def fit(self, low: Float[Tensor, " i"], high: Float[Tensor, " i"]) -> None:
        """Map [low, high] of every input onto the domain; an input that is constant keeps its scale."""
        if self.shift is None or self.scale is None:
            return
        width = self.domain[1] - self.domain[0]
        old = self.scale.double().cpu()
        scale = torch.where(high > low, width / (high - low).clamp(min=1e-300), old)
        centre = sum(self.domain) / 2
        self.scale.copy_(scale)
        self.shift.copy_((low + high) / 2 - centre / scale)
        self.warned = False

    @torch.no_grad()
    def _look(self, t: Tensor) -> None:
        self.calls += 1
        # Powers of two: the cost of looking vanishes. Inside a transform of torch.func there are no values to look at.
        if self.calls & (self.calls - 1) or torch._C._functorch.is_functorch_wrapped_tensor(t):
            return
        low, high = self.domain
        slack = 1e-6 * (high - low)
        share = float(((t < low - slack) | (t > high + slack)).double().mean())
        if share > LIMIT:
            self.warned = True
            warnings.warn(
                f"{share:.0%} of the inputs of a KAN layer lie outside the interval that its basis is made for "
                f"(mapped to {t.amin():.3g} … {t.amax():.3g}, domain {low:g} … {high:g}): give the layer their "
                "interval, or call fit_map(x)",
                OutOfDomain,
                stacklevel=4,
            )
