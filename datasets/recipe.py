"""`Recipe`: an equation, a grid, a law of random inputs and the frames to keep."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from numbers import Real
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from kanop.datasets.subsampling import subsampled, thinned
from kanop.solvers import SCHEMES, Equation, Grid, Trajectory, solve
from kanop.solvers.errors import check, nearest

__all__ = ["InitialCondition", "Recipe"]


@runtime_checkable
class InitialCondition(Protocol):
    """A law of random fields, as `GaussianRandomField`."""

    def sample(self, grid: Grid, seed: int, split: str, indices: Sequence[int]) -> Float[Tensor, "b c *x"]:
        """Samples number `indices`, each a pure function of (seed, split, i), whatever the resolution."""


@dataclass(frozen=True)
class Recipe:
    r"""u₀ ~ initial, ∂u/∂t = L u + N(u): the frames u(t₀), u(t₁), … on every `store_every`-th point.

    Parameters
    ----------
    equation : the physics
    grid : where it is solved; its dtype is the precision of the computation (float64 unless you say
        otherwise)
    initial : law of u(times[0]), e.g. `GaussianRandomField`
    times : increasing times of the frames, or their first and last one when `frames` is given
    dt : time step, or (until, dt) pairs for steps that grow: [(0.01, 1e-4), (1, 4e-3)]; `certify` tells the
        error it costs
    scheme : "etdrk1" … "etdrk4" (default)
    frames : number of equally spaced frames from times[0] to times[-1]; default: the given times themselves
    store_every : keep every k-th point of each axis (k divides the grid, and is odd on axes with walls);
        default 1

    Raises
    ------
    KanopError : an unknown scheme, times that do not increase, fewer than two frames, a step ≤ 0, a k that
        does not divide

    Examples
    --------
    >>> from kanop.solvers import Burgers, GaussianRandomField
    >>> initial = GaussianRandomField(sigma=25, tau=5, alpha=2)
    >>> grid = Grid((64,))
    >>> recipe = Recipe(Burgers(nu=0.1), grid, initial, times=[0, 1], dt=1 / 64, frames=3, store_every=2)
    >>> recipe.solve(recipe.inputs(seed=0, split="train", indices=[5])).u.shape
    torch.Size([1, 3, 1, 32])
    """

    equation: Equation
    grid: Grid
    initial: InitialCondition
    times: Sequence[float]
    dt: float | Sequence[Sequence[float]]
    scheme: str = "etdrk4"
    frames: int | None = None
    store_every: int = 1

    def __post_init__(self) -> None:
        check(self.scheme in SCHEMES, nearest(self.scheme, SCHEMES, "scheme"))
        times = tuple(float(t) for t in self.times)
        rising = all(a < b for a, b in pairwise(times))
        check(len(times) >= 2 and rising, f"expected two or more increasing times, got {list(times)}")
        if self.frames is not None:
            check(self.frames >= 2, f"expected frames >= 2, got {self.frames}")
            check(
                len(times) == 2,
                f"with frames={self.frames}, times are the first and the last one, got {len(times)} times",
            )
        given = self.dt
        dt = float(given) if isinstance(given, int | float) else tuple((float(u), float(h)) for u, h in given)
        positive = all(0 < h < math.inf for _, h in ([(0, dt)] if isinstance(dt, float) else dt))
        check(positive, f"expected positive time steps, got dt = {self.dt}")
        object.__setattr__(self, "times", times)
        object.__setattr__(self, "dt", dt)
        subsampled(self.grid, self.store_every)

    @property
    def frame_times(self) -> tuple[float, ...]:
        """Times of the frames."""
        if self.frames is None:
            return tuple(self.times)
        start, stop = self.times
        inner = (start + (stop - start) * i / (self.frames - 1) for i in range(self.frames - 1))
        return (*inner, stop)

    @property
    def stored_grid(self) -> Grid:
        """The grid of the frames that are kept."""
        return subsampled(self.grid, self.store_every)[0]

    @property
    def scalars(self) -> dict[str, float]:
        """The equation's constants by name."""
        names = [f.name for f in fields(self.equation)]  # type: ignore[arg-type]
        values = {name: getattr(self.equation, name) for name in names}
        return {name: float(value) for name, value in values.items() if isinstance(value, Real)}

    def inputs(self, seed: int, split: str, indices: Sequence[int]) -> Float[Tensor, "b c *x"]:
        """Initial states number `indices` of `split` on `grid`."""
        return self.initial.sample(self.grid, seed, split, indices).to(self.grid.dtype)

    def solve(self, u0: Float[Tensor, "b c *x"]) -> Trajectory:
        """The stored frames of the solutions from `u0`: times `frame_times`, grid `stored_grid`."""
        solution = self.integrate(u0, self.grid, 1)
        grid, points = subsampled(self.grid, self.store_every)
        frames = thinned(solution.u, points)
        return Trajectory(frames, solution.times, grid, solution.channels, solution.steps)

    def integrate(self, u0: Float[Tensor, "b c *x"], grid: Grid, refine: int) -> Trajectory:
        """The solutions on `grid` with steps `refine` times shorter."""
        dt = self.dt / refine if isinstance(self.dt, float) else tuple((until, h / refine) for until, h in self.dt)
        with torch.no_grad():
            return solve(self.equation, u0, grid, self.frame_times, dt=dt, scheme=self.scheme)
