"""Windows are the frames they say, from memory and from disk; statistics are those of all of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from kanop.datasets import ArraySource, Windows, from_arrays, open_data
from kanop.datasets.subsampling import coarser
from kanop.solvers import DataError, Grid, KanopError


@pytest.fixture(scope="module")
def source() -> ArraySource:
    """u[sample, t, x] and v = −u/2 of which every value tells where it stood; a constant field a."""
    u = np.arange(3 * 7 * 12, dtype=np.float64).reshape(3, 7, 12)
    arrays = {"u": u, "v": -u / 2, "a": 1000 + u[:, 0]}
    return from_arrays(arrays, {"fields": {"u": "b t x", "v": "b t x"}, "constants": {"a": "b x"}, "dt": 0.5})


@pytest.mark.parametrize("memory", [2**30, 0])
@pytest.mark.parametrize(("n_in", "n_out", "stride", "every"), [(1, 1, 1, 1), (2, 3, 1, 2), (1, 2, 3, 3), (0, 1, 1, 4)])
def test_window_i_holds_the_frames_that_it_says(source, memory, n_in, n_out, stride, every) -> None:
    windows = Windows(source, n_in, n_out, stride, every, memory)
    per = 7 - stride * (n_in + n_out - 1)
    assert len(windows) == 3 * per
    for i in range(len(windows)):
        sample, start = divmod(i, per)
        frames = source.frames(sample)[start::stride][: n_in + n_out, :, ::every].float()
        given, target = windows[i]
        assert torch.equal(given[: 2 * n_in], frames[:n_in].reshape(-1, 12 // every))
        assert torch.equal(given[2 * n_in :], source.constant(sample)[:, ::every].float())
        assert torch.equal(target, frames[n_in:].reshape(-1, 12 // every))


def test_the_spec_describes_the_windows(source) -> None:
    windows = Windows(source, n_in=2, n_out=1, stride=2, subsample=3)
    given, target = windows[0]
    spec = windows.spec
    assert given.shape == (spec.in_channels, *spec.grid.shape)
    assert target.shape == (spec.out_channels, *spec.grid.shape)
    assert (spec.dt, spec.grid.dtype, given.dtype) == (1.0, torch.float32, torch.float32)


def test_resolutions_show_the_same_sample(finished: Path) -> None:
    whole = open_data(finished, "test")
    fine, coarse = Windows(whole), Windows(whole, subsample=4)
    for (a, b), (c, d) in zip(map(fine.__getitem__, range(4)), map(coarse.__getitem__, range(4)), strict=True):
        assert torch.equal(a[:, ::4], c)
        assert torch.equal(b[:, ::4], d)
    assert torch.equal(fine.spec.grid.points[0][::4], coarse.spec.grid.points[0])


def test_batches_stack_single_windows(source) -> None:
    windows = Windows(source, n_in=2)
    given, target = windows.__getitems__([5, 0, 5, 9])
    for row, i in enumerate((5, 0, 5, 9)):
        assert torch.equal(given[row], windows[i][0])
        assert torch.equal(target[row], windows[i][1])


def test_the_default_is_one_frame_or_none(source) -> None:
    assert Windows(source).spec.n_in == 1
    steady = from_arrays(
        {"u": np.ones((2, 4)), "a": np.ones((2, 4))}, {"fields": {"u": "b x"}, "constants": {"a": "b x"}}
    )
    assert Windows(steady).spec.n_in == 0


@pytest.mark.parametrize("memory", [2**30, 0])
@pytest.mark.parametrize(("n_in", "n_out", "stride"), [(1, 1, 1), (2, 3, 1), (1, 2, 2), (2, 2, 2), (0, 1, 1)])
def test_statistics_are_those_of_all_windows_stacked(memory: int, n_in: int, n_out: int, stride: int) -> None:
    rng = np.random.default_rng(0)
    # A mean a thousand times the deviation: sums of squares would lose it in single precision.
    arrays = {"u": 1e3 + rng.random((9, 8, 6)), "v": rng.random((9, 8, 6)), "a": rng.random((9, 6))}
    data = from_arrays(arrays, {"fields": {"u": "b t x", "v": "b t x"}, "constants": {"a": "b x"}})
    windows = Windows(data, n_in, n_out, stride, memory=memory)
    windows._chunk = 2
    given, target = (x.double().transpose(0, 1).flatten(1) for x in windows.__getitems__(range(len(windows))))
    found = windows.statistics()
    for mean, std, values in (
        (found.input_mean, found.input_std, given),
        (found.output_mean, found.output_std, target),
    ):
        assert torch.allclose(mean.double(), values.mean(1), rtol=1e-6)
        assert torch.allclose(std.double(), values.std(1, unbiased=False), rtol=1e-5)
    if n_in:
        change = target - given[2 * (n_in - 1) : 2 * n_in].repeat(n_out, 1)
        assert torch.allclose(found.increment_mean.double(), change.mean(1), atol=1e-4)
        assert torch.allclose(found.increment_std.double(), change.std(1, unbiased=False), rtol=1e-4)
    else:
        assert found.increment_mean is None


def test_a_channel_that_never_varies_can_be_divided_by() -> None:
    still = from_arrays({"u": np.full((2, 3, 4), 7.3)}, {"fields": {"u": "b t x"}})
    found = Windows(still).statistics()
    assert found.input_std.tolist() == found.increment_std.tolist() == [1.0]


def test_walls_take_centres() -> None:
    grid = Grid((9,), boundaries="dirichlet")
    source = ArraySource({"u": np.arange(9.0).reshape(1, 1, 9).repeat(2, 1)}, {}, grid, [0.0, 1.0])
    assert Windows(source, subsample=3)[0][0].tolist() == [[1, 4, 7]]
    with pytest.raises(KanopError, match=r"coarsen by odd numbers|does not divide"):
        Windows(source, subsample=2)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"n_in": 4, "n_out": 4}, "has 7 frames a trajectory, .* needs 8"),
        ({"subsample": 5}, "does not divide the 12 points of axis 0; nearest: .*4, 6"),
        ({"stride": 0}, "stride >= 1"),
        ({"n_out": 0}, "n_out >= 1"),
    ],
)
def test_impossible_windows_say_why(source, options: dict, words: str) -> None:
    with pytest.raises(KanopError, match=words):
        Windows(source, **options)


def test_a_map_without_input_is_refused() -> None:
    lonely = from_arrays({"u": np.ones((2, 4))}, {"fields": {"u": "b x"}})
    with pytest.raises(KanopError, match="needs an input"):
        Windows(lonely)


def test_unequal_times_are_refused_where_they_matter() -> None:
    arrays = {"u": np.ones((2, 3, 4)), "t": np.array([0, 1.0, 3.0])}
    source = from_arrays(arrays, {"fields": {"u": "b t x"}, "times": "t"})
    with pytest.raises(DataError, match="not equally spaced"):
        Windows(source)
    assert len(Windows(source, n_out=2)) == 2


def test_nodes_keep_both_walls() -> None:
    """421 points that include both walls: every 5th are 85, and both ends stay; cell centres refuse."""
    x = np.linspace(0, 2, 421)
    arrays = {"u": np.stack([x, 2 * x]), "a": np.stack([x + 1, x + 2])}
    layout = {"fields": {"u": "b x"}, "constants": {"a": "b x"}, "lengths": [2.0]}
    nodes = from_arrays(arrays, layout | {"boundaries": "dirichlet_nodes"})
    assert torch.allclose(nodes.grid.points[0], torch.from_numpy(x), rtol=0, atol=1e-13)
    assert nodes.grid.boundaries == ("dirichlet",)
    windows = Windows(nodes, subsample=5)
    given, target = windows[1]
    assert torch.allclose(target[0].double(), torch.from_numpy(2 * x[::5]), atol=1e-6)
    assert torch.allclose(given[0].double(), torch.from_numpy(x[::5] + 2), atol=1e-6)
    assert torch.allclose(windows.spec.grid.points[0].double(), torch.from_numpy(x[::5]), atol=1e-6)
    assert len(Windows(nodes, subsample=420).spec.grid.points[0]) == 2
    with pytest.raises(KanopError, match=r"does not divide the 420 intervals .* nearest: 4, 5, 6, 7, 10, 12"):
        Windows(nodes, subsample=8)
    cells = from_arrays(arrays, layout | {"boundaries": "dirichlet"})
    with pytest.raises(KanopError, match=r"the 421 points of axis 0; nearest: 1, 421; .*boundaries=dirichlet_nodes"):
        Windows(cells, subsample=5)


def test_axes_of_all_kinds_in_one_grid() -> None:
    u = np.random.default_rng(0).random((2, 8, 9, 7))
    kinds = ["periodic", "neumann", "neumann_nodes"]
    source = from_arrays(
        {"u": u, "a": u}, {"fields": {"u": "b x y z"}, "constants": {"a": "b x y z"}, "boundaries": kinds}
    )
    assert Windows(source, subsample=1)[0][1].shape == (1, 8, 9, 7)
    fine, (coarse, points) = source.grid, coarser(source.grid, (4, 3, 3), source.nodes)
    assert [(p.start, p.step) for p in points] == [(0, 2), (1, 3), (0, 3)]
    for axis, kept in enumerate(points):
        assert torch.allclose(coarse.points[axis], fine.points[axis][kept], rtol=0, atol=1e-15)
    assert coarser(source.grid, (4, 3, 5), source.nodes)[1] is None
    assert coarser(source.grid, (4, 4, 3), source.nodes)[1] is None
    assert coarser(source.grid, (16, 9, 7), source.nodes)[1] is None
    with pytest.raises(KanopError, match="unknown boundary"):
        from_arrays({"u": u}, {"fields": {"u": "b x y z"}, "boundaries": "periodic_nodes"})
