"""The frames that an operator is judged against, at the resolution that it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from kanop.datasets.subsampling import coarser, thinned
from kanop.solvers import FieldSpec, Geometry
from kanop.solvers.errors import check

__all__ = ["Truth", "at_shape", "read_truth"]


@dataclass(frozen=True)
class Truth:
    """Test trajectories, read once.

    Attributes
    ----------
    frames : (b, t, c, *x), `spec.dt` apart
    constants : (b, a, *x); a = 0 where there are none
    grid : of these frames
    times : (t,)
    spec : the map under test, on this grid
    steady : whether the frames solve a steady problem
    """

    frames: Float[Tensor, "b t c *x"]
    constants: Float[Tensor, "b a *x"]
    grid: Geometry
    times: Float[Tensor, " t"]
    spec: FieldSpec
    steady: bool = False

    @property
    def steps(self) -> int:
        """Frames to predict."""
        return self.frames.shape[1] - self.spec.n_in

    @property
    def target(self) -> Float[Tensor, "b steps c *x"]:
        """The frames to predict."""
        return self.frames[:, self.spec.n_in :]

    @property
    def start(self) -> Float[Tensor, "b c *x"] | None:
        """The last given frame; for n_in = 0 the constants if they are as many as the fields; else None.

        A steady problem has none: its coefficient is no state.
        """
        if self.spec.n_in:
            return self.frames[:, self.spec.n_in - 1]
        if self.steady:
            return None
        return self.constants if self.constants.shape[1] == self.frames.shape[2] else None

    @property
    def leads(self) -> Float[Tensor, " steps"]:
        """Time from the last given frame to each predicted one."""
        first = self.times[self.spec.n_in - 1] if self.spec.n_in else 0.0
        return self.times[self.spec.n_in :] - first

    def window(self, first: int = 0) -> Float[Tensor, "b c_in *x"]:
        """The operator's input that begins with frame `first`."""
        given = self.frames[:, first : first + self.spec.n_in]
        return torch.cat([rearrange(given, "b t c ... -> b (t c) ..."), self.constants], 1)

    def take(self, count: int) -> Truth:
        """The first `count` samples."""
        return replace(self, frames=self.frames[:count], constants=self.constants[:count])

    def to(self, like: Tensor) -> Truth:
        """The same in the precision and on the device of `like`."""
        return replace(self, frames=self.frames.to(like), constants=self.constants.to(like))


def read_truth(source: Any, spec: FieldSpec, shape: Sequence[int], samples: int, steps: int | None = None) -> Truth:
    """Read the first `samples` trajectories of `source` on `shape` points, as the map `spec` sees them.

    Raises
    ------
    KanopError : fields, grids or times that are not those of `spec`; fewer frames than one call needs
    """
    for name in ("fields", "constants"):
        ours, theirs = tuple(getattr(spec, name)), tuple(getattr(source, name))
        check(ours == theirs, f"the operator was trained with {name} {ours}, these data have {theirs}")
    stride = _stride(source, spec)
    times = torch.as_tensor(source.times).double()[::stride]
    least = spec.n_in + spec.n_out
    check(len(times) >= least, f"one call needs {least} frames {spec.dt} apart, these data have {len(times)}")
    wanted = len(times) if steps is None else min(len(times), spec.n_in + max(steps, spec.n_out))
    if spec.n_in == 0:
        wanted = spec.n_out
    frames, constants, nodes = [], [], getattr(source, "nodes", ())
    for i in range(min(samples, source.n_samples)):
        full = torch.as_tensor(source.frames(i, 0, stride * (wanted - 1) + 1))[::stride]
        frames.append(at_shape(full, source.grid, shape, nodes))
        if spec.constants:
            constants.append(at_shape(torch.as_tensor(source.constant(i)), source.grid, shape, nodes))
    u = torch.stack(frames)
    given = torch.stack(constants) if constants else u.new_empty((len(u), 0, *u.shape[3:]))
    return Truth(u, given, coarser(source.grid, shape, nodes)[0], times[:wanted], spec.with_shape(shape))


def at_shape(
    u: Float[Tensor, "*b_x"], grid: Geometry, shape: Sequence[int], nodes: Sequence[bool] = ()
) -> Float[Tensor, "*b_y"]:
    """`u` on other points of the same box or sphere: its own where they are shared, else the interpolating series."""
    if tuple(shape) == tuple(grid.shape):
        return u
    _, points = coarser(grid, shape, nodes)
    return grid.to(u.dtype, u.device).resample(u, shape) if points is None else thinned(u, points)


def _stride(source: Any, spec: FieldSpec) -> int:
    """How many stored frames make one step of the operator."""
    times = torch.as_tensor(source.times).double()
    if spec.dt is None or len(times) < 2:
        return 1
    spacing = float(times[1] - times[0])
    stride = max(1, round(spec.dt / spacing))
    check(
        abs(stride * spacing - spec.dt) < 1e-6 * spec.dt,
        f"the operator steps by dt = {spec.dt:g}, no multiple of the data's {spacing:g} between frames",
    )
    return stride
