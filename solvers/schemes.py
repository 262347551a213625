"""The schemes by name: exponential and additive Runge-Kutta, and multistep."""

from __future__ import annotations

from kanop.solvers.etdrk import EXPONENTIAL, Scheme
from kanop.solvers.imex import ADDITIVE, AdditiveScheme
from kanop.solvers.multistep import MULTISTEP, MultistepScheme

__all__ = ["SCHEMES"]

SCHEMES: dict[str, Scheme | AdditiveScheme | MultistepScheme] = EXPONENTIAL | ADDITIVE | MULTISTEP
"""What `solve(scheme=…)` takes: each has an `order`, `nodes` and `coefficients(linear, h, mask, dtype)`."""
