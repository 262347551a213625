"""`Recipe`: an equation, a grid, a law of random inputs and the frames to keep."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from itertools import pairwise
from numbers import Real
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from kanop.datasets.frames import Frames
from kanop.datasets.problem import Problem
from kanop.datasets.recording import SPECTRUM_TAIL, Recorded, spectrum_tail
from kanop.datasets.storing import EveryPoint, Truncated
from kanop.solvers import SCHEMES, Equation, Geometry, RandomField, Trajectory, solve
from kanop.solvers.errors import check, nearest

__all__ = ["Recipe"]


@dataclass(frozen=True)
class Recipe(Problem):
    r"""u₀ ~ initial, ∂u/∂t = L u + N(u): the frames u(t₀), u(t₁), …, stored as `store` says.

    Parameters
    ----------
    equation : the physics
    grid : where it is solved; its dtype is the precision of the computation (float64 unless you say
        otherwise)
    initial : law of the random state, e.g. `GaussianRandomField`
    times : increasing times of the frames, the first that of the random state; or `Frames(start, stop, count,
        burn_in)`, whose random state is `burn_in` older than the first frame
    dt : time step, or (until, dt) pairs for steps that grow: [(0.01, 1e-4), (1, 4e-3)]; `certify` tells the
        error it costs
    scheme : a name of `SCHEMES`: "etdrk4" (default), "ark4", "sbdf3", …, see `solve`
    store : what is kept of the solver's grid: `EveryPoint(k)` or `Truncated(k)`; default all points

    Raises
    ------
    KanopError : an unknown scheme, times that do not increase, fewer than two frames, a step ≤ 0, a k that
        does not divide

    Examples
    --------
    >>> from kanop.solvers import Burgers, GaussianRandomField, Grid
    >>> initial = GaussianRandomField(sigma=25, tau=5, alpha=2)
    >>> recipe = Recipe(Burgers(nu=0.1), Grid((64,)), initial, Frames(0, 1, 3), dt=1 / 64, store=EveryPoint(2))
    >>> recipe.solve(recipe.inputs(seed=0, split="train", indices=[5])).u.shape
    torch.Size([1, 3, 1, 32])
    """

    equation: Equation[Any]
    grid: Geometry
    initial: RandomField
    times: Sequence[float] | Frames
    dt: float | Sequence[Sequence[float]]
    scheme: str = "etdrk4"
    store: EveryPoint | Truncated = field(default_factory=EveryPoint)

    def __post_init__(self) -> None:
        check(self.scheme in SCHEMES, nearest(self.scheme, SCHEMES, "scheme"))
        if not isinstance(self.times, Frames):
            times = tuple(float(t) for t in self.times)
            rising = all(a < b for a, b in pairwise(times))
            check(len(times) >= 2 and rising, f"expected two or more increasing times, got {list(times)}")
            object.__setattr__(self, "times", times)
        given = self.dt
        dt = float(given) if isinstance(given, int | float) else tuple((float(u), float(h)) for u, h in given)
        positive = all(0 < h < math.inf for _, h in ([(0, dt)] if isinstance(dt, float) else dt))
        check(positive, f"expected positive time steps, got dt = {self.dt}")
        object.__setattr__(self, "dt", dt)
        self.store.grid(self.grid)

    @property
    def frame_times(self) -> tuple[float, ...]:
        """Times of the frames."""
        return self.times.times if isinstance(self.times, Frames) else tuple(self.times)

    @property
    def burn_in(self) -> float:
        """Time from the random state to the first frame."""
        return self.times.burn_in if isinstance(self.times, Frames) else 0.0

    @property
    def constants(self) -> tuple[str, ...]:
        """Names of the given fields: none, inputs are first frames."""
        return ()

    @property
    def scalars(self) -> dict[str, float]:
        """The equation's constants by name."""
        names = [f.name for f in fields(self.equation)]  # type: ignore[arg-type]
        values = {name: getattr(self.equation, name) for name in names}
        return {name: float(value) for name, value in values.items() if isinstance(value, Real)}

    def inputs(self, seed: int, split: str, indices: Sequence[int]) -> Float[Tensor, "b c *x"]:
        """States of the first frame, number `indices` of `split`, on `grid`: random ones, burn-in behind them."""
        u0 = self.initial.sample(self.grid, seed, split, indices).to(self.grid.dtype)
        if not self.burn_in:
            return u0
        start = self.frame_times[0]
        return self._solved(u0, self.grid, (start - self.burn_in, start), 1).u[:, -1]

    def solve(self, u0: Float[Tensor, "b c *x"]) -> Trajectory:
        """The stored frames of the solutions from `u0`: times `frame_times`, grid `stored_grid`."""
        solution = self.integrate(u0, self.grid, 1)
        frames = self.store.keep(solution.u, self.grid)
        return Trajectory(frames, solution.times, self.stored_grid, solution.channels, solution.steps)

    def record(self, seed: int, split: str, indices: Sequence[int]) -> Recorded:
        """Samples number `indices` of `split` as they are stored, with the spectrum tail of every frame."""
        u = self.integrate(self.inputs(seed, split, indices), self.grid, 1).u
        tails = [spectrum_tail(frame, self.grid, self.equation.degree) for frame in u.unbind(1)]
        frames = torch.stack([self.store.keep(frame, self.grid) for frame in u.unbind(1)], 1)
        return Recorded(frames, None, {SPECTRUM_TAIL: torch.stack(tails, 1)})

    def integrate(self, u0: Float[Tensor, "b c *x"], grid: Geometry, refine: int) -> Trajectory:
        """The solutions from `u0`, the state of the first frame, on `grid` with steps `refine` times shorter."""
        return self._solved(u0, grid, self.frame_times, refine)

    def schedule(self, start: float, stop: float, refine: int = 1) -> tuple[tuple[float, float], ...]:
        """The (until, dt) pairs that lead from `start` to `stop`, steps `refine` times shorter."""
        given = ((stop, self.dt),) if isinstance(self.dt, float) else self.dt
        ahead = [(float(until), float(h) / refine) for until, h in given if until > start]
        return tuple(ahead[: 1 + next((i for i, (until, _) in enumerate(ahead) if until >= stop), len(ahead))])

    def _solved(self, u0: Tensor, grid: Geometry, times: Sequence[float], refine: int) -> Trajectory:
        dt = self.schedule(times[0], times[-1], refine)
        with torch.no_grad():
            return solve(self.equation, u0, grid, times, dt=dt, scheme=self.scheme)
