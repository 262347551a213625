"""What is to be solved by a network: an equation on a domain, what is known of its fields, and what is exact."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from kanop.kinn.architectures import Architecture
from kanop.kinn.domains import Box, Domain
from kanop.kinn.networks import Inputs
from kanop.kinn.unknowns import Admissible, Unknowns
from kanop.solvers.errors import check, nearest

__all__ = ["Problem"]

Function = Callable[..., Tensor]


@dataclass(frozen=True)
class Problem:
    r"""R[u] = 0 in a domain, u = g on its boundary and at the start, with u = g + φ N for every network N.

    Parameters
    ----------
    equation : what has `channels`, `auxiliary` where it has some, and `residual(D)`: an `Equation` of `kanop.solvers`,
        or one's own
    domain : where in space
    times : (start, end); None (default) for steady problems
    given : g(t, x, …) by field, defined in the whole domain: the values on the boundary and at the start (default 0)
    factors : φ(t, x, …) by field, zero where values are given, for fields that are not fixed on the whole boundary
        (and at the start); the default is the domain's `distance`, times (t − start) where there are times
    periods : axes of space, 0, 1, …, along which all fields are periodic with the period of the box: no values there
    exact : u(t, x, …) ↦ one tensor for each field, stacked last: the reference; default none
    rates : fields that are given with their time derivative at the start, so that φ is (t − start)²

    Raises
    ------
    KanopError : unknown fields, periods of a domain that is no box, times that do not grow
    """

    equation: Any
    domain: Domain
    times: Sequence[float] | None = None
    given: Mapping[str, Function] = field(default_factory=dict)
    factors: Mapping[str, Function | None] = field(default_factory=dict)
    periods: Sequence[int] = ()
    exact: Function | None = None
    rates: Sequence[str] = ()

    def __post_init__(self) -> None:
        check(self.times is None or self.times[0] < self.times[1], f"times are start < end, got {self.times}")
        for name in (*self.given, *self.factors, *self.rates):
            check(name in self.fields, nearest(name, self.fields, "field"))
        good = not self.periods or (isinstance(self.domain, Box) and set(self.periods) <= set(range(self.domain.ndim)))
        check(good, f"periods are axes of a box, got {tuple(self.periods)} of {self.domain}")

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the unknowns."""
        return (*self.equation.channels, *getattr(self.equation, "auxiliary", ()))

    @property
    def bounds(self) -> tuple[tuple[float, float], ...]:
        """(low, high) of t, (0, 1) where there is none, and of x, …"""
        start, end = self.times or (0.0, 1.0)
        return ((float(start), float(end)), *self.domain.bounds)

    def unknowns(self, architecture: Architecture, harmonics: int = 1, seed: int = 0) -> Unknowns:
        """The unknown fields with a new network, in double precision, its weights a function of `seed`."""
        steady = self.times is None
        bounds = self.bounds[int(steady) :]
        inputs = Inputs(bounds, [axis + 1 - int(steady) for axis in self.periods], harmonics)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = architecture.make(inputs.features, len(self.fields))
        made = {name: Admissible(self.given.get(name), self._factor(name)) for name in self.fields}
        return Unknowns(made, nn.Sequential(inputs, network), steady).double()

    def _factor(self, name: str) -> Function | None:
        if name in self.factors:
            return self.factors[name]
        walls = len(self.periods) < self.domain.ndim
        if not walls and self.times is None:
            return None

        def factor(t: Tensor, *x: Tensor) -> Tensor:
            out = torch.ones_like(t)
            if self.times is not None:
                # Of order one in the middle, and with slope one at the start.
                out = (t - self.times[0]) / (self.times[1] - self.times[0])
                out = out * out if name in self.rates else out
            return out * self._distance(x) if walls else out

        return factor

    def _distance(self, x: Sequence[Tensor]) -> Tensor:
        if not self.periods:
            return self.domain.distance(*x)
        open_axes = [axis for axis in range(self.domain.ndim) if axis not in self.periods]
        bounds = [self.domain.bounds[axis] for axis in open_axes]
        return Box(*zip(*bounds, strict=True)).distance(*(x[axis] for axis in open_axes))
