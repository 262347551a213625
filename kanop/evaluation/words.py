"""Numbers in words, for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["constants", "count", "duration", "number", "percent", "points", "times"]

NBSP = "\u00a0"
GREEK = {"alpha": "α", "beta": "β", "gamma": "γ", "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν", "sigma": "σ"}


def constants(values: Mapping[str, Any]) -> str:
    """The constants of an equation.

    >>> constants({"nu": 0.1, "kind": "free"})
    'ν = 0.1, kind = free'
    """
    named = ((GREEK.get(k, k), v) for k, v in values.items())
    return ", ".join(f"{k} = {v if isinstance(v, str) else number(v)}" for k, v in named)


def number(value: float | None, digits: int = 3) -> str:
    """Plain digits where they are few, else powers of ten.

    >>> number(0.0123), number(4.2e-7), number(1e-5), number(None)
    ('0.0123', '4.2 × 10⁻⁷', '10⁻⁵', '∞')
    """
    if value is None:
        return "∞"
    if value == 0 or 1e-3 <= abs(value) < 1e5:
        return f"{value:.{digits}g}"
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    raised = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    factor = f"{float(mantissa):g} × "
    return f"{factor if factor != '1 × ' else ''}10{raised}"


def percent(value: float | None) -> str:
    r"""Three digits at most.

    >>> percent(0.0234), percent(1e-5), percent(2.3), percent(None)
    ('2.34\xa0%', '0.001\xa0%', '230\xa0%', 'not finite')
    """
    if value is None:
        return "not finite"
    share = 100 * value
    digits = f"{share:.3g}" if share < 100 else f"{share:.0f}" if share < 1e4 else f"{share:.1e}"
    return f"{digits}{NBSP}%"


def duration(value: float) -> str:
    r"""Seconds in the unit that fits.

    >>> duration(0.00123), duration(2.0), duration(3.4e-5)
    ('1.23\xa0ms', '2\xa0s', '34\xa0µs')
    """
    for unit, scale in (("s", 1.0), ("ms", 1e-3)):
        if value >= scale:
            return f"{value / scale:.3g}{NBSP}{unit}"
    return f"{value / 1e-6:.3g}{NBSP}µs"


def times(ratio: float) -> str:
    """How a ratio of seconds reads: "3.2 times faster" or "2.1 times slower".

    >>> times(3.2), times(0.5), times(1.0)
    ('3.2 times faster than', '2 times slower than', 'as fast as')
    """
    if 0.97 < ratio < 1.03:
        return "as fast as"
    return f"{ratio:.2g} times faster than" if ratio > 1 else f"{1 / ratio:.2g} times slower than"


def count(value: int) -> str:
    """Digits in groups of three.

    >>> count(1234567)
    '1\\u202f234\\u202f567'
    """
    return f"{value:,}".replace(",", "\u202f")


def points(shape: Sequence[int]) -> str:
    """Sizes of a grid: 64 × 64."""
    return " × ".join(map(str, shape))
