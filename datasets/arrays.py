"""A user's own arrays: named axes in, trajectories out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from numbers import Real
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from kanop.datasets.source import Source
from kanop.datasets.subsampling import node_grid
from kanop.solvers import DataError, Grid
from kanop.solvers.errors import check, nearest

__all__ = ["ArrayLayout", "ArraySource", "from_arrays"]

SPACE = "xyz"
NODES = "_nodes"


@dataclass(frozen=True)
class ArrayLayout:
    """How the arrays of a file are to be read.

    Axes are letters with blanks between: b sample, t time, c channel, x y z space, in any order. An array
    without b is one sample, one without t one frame. With c, a field gives channels name_0, name_1, ….

    Parameters
    ----------
    fields : field → axes, {"u": "b t x"}; or field → {"array": key in the file, "axes": "b t x"}
    constants : the same for fields that are given and stay (no t)
    lengths : side lengths; default 1 each
    boundaries : "periodic", "dirichlet" or "neumann", one word or one an axis; default None: what the format
        says (a `.mat` file with coeff and sol has walls), else periodic. Points between walls are cell centres,
        o + (j + ½) L/n; "dirichlet_nodes" and "neumann_nodes" are o + j L/(n − 1), both walls included
    origin : lower corner; default 0
    dt : time between frames; default 1
    times : key of an array of times in the file, instead of dt
    splits : trajectories (whole numbers) or shares (below 1) of train, valid and test; train is taken from
        the start, test from the end, valid before it; default 0.8, 0.1, 0.1
    """

    fields: Mapping[str, str | Mapping[str, str]]
    constants: Mapping[str, str | Mapping[str, str]] | None = None
    lengths: Sequence[float] | None = None
    boundaries: str | Sequence[str] | None = None
    origin: Sequence[float] | None = None
    dt: float = 1.0
    times: str | None = None
    splits: Mapping[str, float] | None = None

    @classmethod
    def of(cls, layout: ArrayLayout | Mapping[str, Any]) -> ArrayLayout:
        """A layout from a plain mapping, as a configuration file gives it."""
        if isinstance(layout, ArrayLayout):
            return layout
        names = [f.name for f in fields(cls)]
        for key in layout:
            check(key in names, nearest(str(key), names, "layout entry"))
        return cls(**{"fields": {}} | dict(layout))

    def grid(self, shape: Sequence[int], boundaries: str) -> tuple[Grid, tuple[bool, ...]]:
        """The grid of `shape` points and which of its axes have points on their walls; `boundaries`: unless said."""
        given = self.boundaries or boundaries
        words = [given] * len(shape) if isinstance(given, str) else list(given)
        nodes = tuple(word in (f"dirichlet{NODES}", f"neumann{NODES}") for word in words)
        kinds = [word.removesuffix(NODES) if node else word for word, node in zip(words, nodes, strict=True)]
        grid = Grid(shape, self.lengths, kinds, self.origin)
        return node_grid(grid, nodes), nodes


class ArraySource(Source):
    """Trajectories in memory: fields (b, t, *x) and constants (b, *x), every one on `grid`."""

    def __init__(
        self,
        fields: Mapping[str, np.ndarray],
        constants: Mapping[str, np.ndarray],
        grid: Grid,
        times: Sequence[float] | np.ndarray,
        name: str = "arrays",
        nodes: Sequence[bool] = (),
    ) -> None:
        self.name, self.grid, self.scalars, self.nodes = name, grid, {}, tuple(nodes)
        self.fields, self.constants = tuple(fields), tuple(constants)
        self.times = torch.as_tensor(np.asarray(times, np.float64))
        self._fields = {k: _tensor(v) for k, v in fields.items()}
        self._given = {k: _tensor(v) for k, v in constants.items()}
        self._first = 0
        self.n_samples = len(next(iter(self._fields.values())))

    def origin_of(self, sample: int) -> str:
        """The file's name and the number in the file."""
        return f"{self.name}, sample {self._first + sample}"

    def part(self, start: int, stop: int) -> ArraySource:
        """Trajectories start … stop-1 as a source of their own; nothing is copied."""
        self._check_range(start, stop)
        out = ArraySource.__new__(ArraySource)
        out.__dict__.update(self.__dict__)
        out._fields = {k: v[start:stop] for k, v in self._fields.items()}
        out._given = {k: v[start:stop] for k, v in self._given.items()}
        out._first, out.n_samples = self._first + start, stop - start
        return out

    def _frames(self, start: int, stop: int, frames: slice) -> Float[Tensor, "b t c *x"]:
        self._check_range(start, stop)
        return torch.stack([u[start:stop, frames] for u in self._fields.values()], 2)

    def _constants(self, start: int, stop: int) -> Float[Tensor, "b c *x"]:
        self._check_range(start, stop)
        if not self._given:
            return torch.empty((stop - start, 0, *self.grid.shape))
        return torch.stack([a[start:stop] for a in self._given.values()], 1)


def _tensor(values: Any) -> Tensor:
    out = torch.as_tensor(values)
    return out if out.dtype in (torch.float32, torch.float64) else out.float()


def from_arrays(
    arrays: Mapping[str, Any], layout: ArrayLayout | Mapping[str, Any], name: str = "arrays"
) -> ArraySource:
    """A source of named arrays (numpy or torch) read as `layout` says.

    Raises
    ------
    DataError : an array that is not there, axes that do not fit its shape, arrays that do not fit each other

    Examples
    --------
    >>> u = np.zeros((5, 3, 8))
    >>> from_arrays({"u": u}, {"fields": {"u": "b t x"}, "dt": 0.1})
    <ArraySource arrays: 5 trajectories of 3 frames, fields u, grid (8,)>
    """
    layout = ArrayLayout.of(layout)
    check(len(layout.fields) > 0, f"{name}: name the fields, {suggestion(arrays)}", DataError)
    evolving = _read_all(arrays, layout.fields, name)
    given = _read_all(arrays, layout.constants or {}, name)
    shapes = {key: (*u.shape[:1], *u.shape[2:]) for key, u in (evolving | given).items()}
    frames = {key: u.shape[1] for key, u in evolving.items()}
    check(
        len(set(shapes.values())) == 1 and len(set(frames.values())) == 1,
        f"{name}: arrays disagree, samples and points are {shapes}, frames {frames}",
        DataError,
    )
    for key, a in given.items():
        check(
            a.shape[1] == 1,
            f"{name}: the constant field {key!r} has an axis t; name it under fields",
            DataError,
        )
    shape, count = next(iter(shapes.values()))[1:], next(iter(frames.values()))
    grid, nodes = layout.grid(shape, "periodic")
    times = _times(arrays, layout, count, name)
    return ArraySource(evolving, {k: a[:, 0] for k, a in given.items()}, grid, times, name, nodes)


def _times(arrays: Mapping[str, Any], layout: ArrayLayout, count: int, name: str) -> np.ndarray:
    if layout.times is None:
        positive = isinstance(layout.dt, Real) and layout.dt > 0
        check(positive, f"{name}: expected dt > 0, got {layout.dt!r}", DataError)
        return layout.dt * np.arange(count)
    times = np.asarray(_array(arrays, layout.times, name), np.float64).ravel()
    check(len(times) == count, f"{name}: {len(times)} times for {count} frames", DataError)
    check(bool((np.diff(times) > 0).all()), f"{name}: the times in {layout.times!r} do not increase", DataError)
    return times


def _array(arrays: Mapping[str, Any], key: str, name: str) -> Any:
    if key not in arrays:
        raise DataError(f"{name}: {nearest(key, list(arrays), 'array')}")
    return arrays[key]


def _read_all(
    arrays: Mapping[str, Any], entries: Mapping[str, str | Mapping[str, str]], name: str
) -> dict[str, np.ndarray]:
    """field → (b, t, *x)."""
    out: dict[str, np.ndarray] = {}
    for field, entry in entries.items():
        key, axes = (field, entry) if isinstance(entry, str) else (entry.get("array", field), entry.get("axes", ""))
        values = _ordered(np.asarray(_array(arrays, key, name)), axes, f"{name}: array {key!r}")
        if "c" in axes.split():
            out |= {f"{field}_{i}": values[..., i] for i in range(values.shape[-1])}
        else:
            out[field] = values
    return out


def _ordered(values: np.ndarray, axes: str, what: str) -> np.ndarray:
    """(b, t, *x[, c]) from any order of named axes."""
    letters = axes.split()
    space = [s for s in SPACE if s in letters]
    known = len(set(letters)) == len(letters) and set(letters) <= {"b", "t", "c", *SPACE}
    check(
        known and len(space) > 0 and space == list(SPACE[: len(space)]),
        f"{what}: axes are letters among b t c x y z, each once, with x (then y, z), e.g. 'b t x'; got {axes!r}",
        DataError,
    )
    check(
        len(letters) == values.ndim,
        f"{what} has shape {values.shape}, {values.ndim} axes; axes={axes!r} names {len(letters)}",
        DataError,
    )
    numeric = np.issubdtype(values.dtype, np.number) or values.dtype == bool
    check(
        numeric and not np.iscomplexobj(values),
        f"{what} has dtype {values.dtype}; expected real numbers",
        DataError,
    )
    for letter in ("t", "b"):
        if letter not in letters:
            values, letters = values[None], [letter, *letters]
    order = ["b", "t", *space, *(["c"] if "c" in letters else [])]
    return values.transpose([letters.index(letter) for letter in order])


def suggestion(arrays: Mapping[str, Any]) -> str:
    """What is in a file, and a layout to start from."""
    shapes = {key: tuple(np.shape(value)) for key, value in arrays.items()}
    listed = ", ".join(f"{key} {shape}" for key, shape in shapes.items()) or "no arrays"
    axes = {1: "x", 2: "b x", 3: "b t x", 4: "b t x y", 5: "b t x y z"}
    key = next((k for k, shape in shapes.items() if len(shape) in (2, 3, 4, 5)), None)
    if key is None:
        return f"the file has {listed}"
    return f"the file has {listed}; for instance layout.fields={{{key}: '{axes[len(shapes[key])]}'}}"
