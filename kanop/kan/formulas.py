"""The nearest formula to a learned function, with its own error."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from kanop.kan.linear import KANLinear
from kanop.kan.reading import edge_functions
from kanop.solvers.errors import KanopError, check

__all__ = ["FUNCTIONS", "Formula", "nearest_formula"]

Function = Callable[[np.ndarray], np.ndarray]


def _on(domain: Any, function: Function, z: np.ndarray) -> np.ndarray:
    """f(z) in its domain, no number outside: there is nothing to warn about and nothing to be wrong by."""
    return np.where(domain, function(np.where(domain, z, 1.0)), np.nan)


# From simple to less so. Where z has two signs 1/z has a pole between them; −1/(−z) serves for z < 0.
FUNCTIONS: dict[str, Function] = {
    "x": lambda z: z,
    "x²": lambda z: z**2,
    "x³": lambda z: z**3,
    "|x|": np.abs,
    "exp": lambda z: _on(z < 300, np.exp, z),
    "sin": np.sin,
    "tanh": np.tanh,
    "arctan": np.arctan,
    "1/x": lambda z: _on(z > 0, np.reciprocal, z),
    "√x": lambda z: _on(z >= 0, np.sqrt, z),
    "log": lambda z: _on(z > 0, np.log, z),
    "x⁴": lambda z: z**4,
    "gaussian": lambda z: np.exp(-(z**2)),
    "silu": lambda z: z * (1 + np.tanh(z / 2)) / 2,
}
POINTS = 200
# Starts (b, c) of the fits in units of half the range, and how many of the best are polished.
SLOPES = (-1.0, -0.3, 0.15, 0.4, 1.0, 2.0, 3.5, 6.0, 10.0)
SHIFTS = sorted(np.linspace(-6, 6, 25).tolist(), key=abs)
POLISHED = 3
# What b and c cost, beside the size of the function: far below rounding.
TIE = 1e-9
# A simpler function is taken where its error is within this factor of the smallest, or below ROUNDING.
SLACK, ROUNDING = 1.05, 1e-7


@dataclass(frozen=True)
class Formula:
    """a f(b x + c) + d, which stands for a learned function on [low, high].

    Attributes
    ----------
    name : of f
    a, b, c, d : coefficients, in full precision
    error : root mean square of formula − function over [low, high], in units of the function's standard deviation there
    low, high : the range of the data; nothing is said about the function beyond
    """

    name: str
    a: float
    b: float
    c: float
    d: float
    error: float
    low: float
    high: float
    function: Function = field(repr=False, compare=False)
    samples: tuple[np.ndarray, np.ndarray] = field(repr=False, compare=False)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """The value at x."""
        return self.a * self.function(self.b * np.asarray(x, dtype=np.float64) + self.c) + self.d

    def rounded(self, digits: int) -> Formula:
        """The same with coefficients of so many significant digits, and with the error that this one has."""
        short = {name: float(f"{getattr(self, name):.{digits}g}") for name in "abcd"}
        formula = replace(self, **short)  # type: ignore[arg-type]
        return replace(formula, error=_error(formula(self.samples[0]), self.samples[1]))

    def __str__(self) -> str:
        where = f"on [{self.low:.4g}, {self.high:.4g}], error {self.error:.2e}"
        return f"{self.a!r}·{self.name}({self.b!r}·x + {self.c!r}) + {self.d!r} {where}"


def nearest_formula(
    layer: KANLinear,
    output: int,
    input: int,
    x: Float[Tensor, "n i"] | Float[Tensor, " n"],
    functions: Mapping[str, Function] | None = None,
    tolerance: float = 0.05,
) -> Formula:
    r"""argmin over f, a, b, c, d of ‖a f(b x + c) + d − φ_oi‖ on the range of the data.

    Of formulas that are as good as each other (within 5 %, or all exact to rounding) the first of the list is taken.

    Parameters
    ----------
    layer : whose edge is read
    output, input : o and i
    x : data of the layer's inputs, (n, in_features), or of this one, (n,); only the range counts
    functions : name → f on arrays of float64 (default `FUNCTIONS`); a value that is not finite rules a formula out
    tolerance : the largest error that is taken, relative to the standard deviation of φ (default 0.05)

    Raises
    ------
    KanopError : the edge is not finite, or no formula is within the tolerance; the message has the best one

    Examples
    --------
    >>> from kanop.kan import Chebyshev
    >>> layer = KANLinear(1, 1, Chebyshev(1), base=False)
    >>> nearest_formula(layer, 0, 0, torch.linspace(-1, 1, 50)).name
    'tanh'
    """
    edge = f"edge (output {output}, input {input})"
    column = (x if x.ndim == 1 else x[:, input]).detach().double().cpu()
    low, high = float(column.amin()), float(column.amax())
    check(low < high, f"{edge}: the data of the input are the single value {low:g}, which says nothing of a function")
    points = torch.linspace(low, high, POINTS, dtype=torch.float64)
    values = edge_functions(layer, points.to(layer.weight.device), [output], [input]).double().cpu()[:, 0, 0]
    check(bool(values.isfinite().all()), f"{edge} is not finite on [{low:g}, {high:g}]; look for a run that diverged")
    sample = (points.numpy(), values.numpy())
    if float(values.std()) <= 1e-12 * float(values.abs().amax()) or not values.any():
        return Formula("x", 0.0, 0.0, 0.0, float(values.mean()), 0.0, low, high, FUNCTIONS["x"], sample)
    chosen = FUNCTIONS if functions is None else functions
    fits = [fit for name, f in chosen.items() if (fit := _fit(name, f, sample)) is not None]
    check(bool(fits), f"{edge}: none of {', '.join(chosen)} is finite on [{low:g}, {high:g}]")
    least = min(fit.error for fit in fits)
    best = next(fit for fit in fits if fit.error <= max(SLACK * least, ROUNDING))
    if best.error > tolerance:
        raise KanopError(
            f"{edge}: no formula is within {tolerance:g} of its standard deviation; the nearest is {best}. "
            "Give more functions, narrower data, or a larger tolerance"
        )
    return best


def _fit(name: str, function: Function, sample: tuple[np.ndarray, np.ndarray]) -> Formula | None:
    """The best a, b, c, d: b and c from the best of many starts, a and d always by linear least squares."""
    from scipy.optimize import leastsq

    x, y = sample
    middle, half = (x[0] + x[-1]) / 2, (x[-1] - x[0]) / 2
    u, target = (x - middle) / half, y - y.mean()
    # A place outside the domain costs more than no formula at all, so that no step goes there.
    worst = 10 * (np.abs(target) + np.sqrt(np.mean(target**2)))

    def residual(place: np.ndarray) -> np.ndarray:
        f = _centred(function, place[:, None] if place.ndim == 1 else place.T[..., None], u)
        size = (f * f).sum(-1, keepdims=True)
        return np.where(size > 0, (f @ target)[..., None] / np.where(size > 0, size, 1) * f - target, worst)

    def tied(place: np.ndarray) -> np.ndarray:
        # Where a and d can do what b or c does (the shift of exp), the search would drift for ever.
        return np.append(residual(place), TIE * np.linalg.norm(target) * place)

    starts = np.array([(b, c) for b in SLOPES for c in SHIFTS])
    # Of starts that are the same function, up to rounding, the one of the smallest shift comes first.
    sizes = np.square(residual(starts)).sum(-1) / (target @ target)
    best = starts[sizes.round(9).argsort(kind="stable")[:POLISHED]]
    # In full output a search that takes long sets a flag and does not warn; the error stated tells what came of it.
    polished = [leastsq(tied, place, xtol=1e-14, ftol=1e-14, maxfev=150, full_output=True)[0] for place in best]
    place = min(polished, key=lambda place: float(np.square(residual(place)).sum()))
    f = _centred(function, place[:, None], u)
    if not f.any():
        return None
    a, b = float(f @ target / (f @ f)), float(place[0] / half)
    c = float(place[1] - b * middle)
    formula = Formula(name, a, b, c, 0.0, 0.0, float(x[0]), float(x[-1]), function, sample)
    formula = replace(formula, d=float(np.mean(y - formula(x))))
    return replace(formula, error=_error(formula(x), y)) if np.isfinite(formula.d) else None


def _centred(function: Function, place: np.ndarray, u: np.ndarray) -> np.ndarray:
    """f(b u + c) less its mean; 0 where it is not finite all over, or constant to rounding."""
    with np.errstate(all="ignore"):
        f = function(place[0] * u + place[1])
        fine = np.isfinite(f).all(-1, keepdims=True) & (np.abs(f).max(-1, keepdims=True) < 1e100)
        f = np.where(fine, f, 0.0)
        centred = f - f.mean(-1, keepdims=True)
        size = np.abs(f).max(-1, keepdims=True)
    return np.where(np.abs(centred).max(-1, keepdims=True) > 1e-9 * size, centred, 0.0)


def _error(value: np.ndarray, y: np.ndarray) -> float:
    return float(np.sqrt(np.mean((value - y) ** 2)) / np.std(y))
