"""A user's own arrays and the FNO paper's `.mat` files open as sources; what cannot be read is explained."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io
import torch

from kanop.datasets import Windows, from_arrays, open_data, open_splits
from kanop.solvers import DataError, KanopError

RNG = np.random.default_rng(0)


def write(path: Path, arrays: dict[str, np.ndarray]) -> Path:
    if path.suffix == ".npz":
        np.savez(path, **arrays)
    else:
        with h5py.File(path, "w") as file:
            for key, value in arrays.items():
                file[key] = value
    return path


def write_mat(path: Path, arrays: dict[str, np.ndarray], version: str) -> Path:
    if version == "5":
        scipy.io.savemat(path, arrays)
    else:
        # MATLAB writes 7.3 files column by column: HDF5 shows the axes reversed.
        with h5py.File(path, "w", userblock_size=512) as file:
            for key, value in arrays.items():
                file[key] = value.T
    return path


@pytest.mark.parametrize("suffix", [".npz", ".h5"])
def test_named_axes_in_any_order(tmp_path: Path, suffix: str) -> None:
    u, a = RNG.random((10, 4, 6, 5)), RNG.random((10, 6, 5))
    path = write(tmp_path / f"mine{suffix}", {"data": u.transpose(2, 0, 3, 1), "a": a, "t": 0.1 * np.arange(4)})
    layout = {
        "fields": {"u": {"array": "data", "axes": "x b y t"}},
        "constants": {"a": "b x y"},
        "lengths": [1, 2],
        "boundaries": ["periodic", "neumann"],
        "times": "t",
    }
    parts = open_splits(path, layout)
    assert {k: len(v) for k, v in parts.items()} == {"train": 8, "valid": 1, "test": 1}
    assert np.array_equal(parts["train"].block(0, 8)[:, :, 0].numpy(), u[:8])
    assert np.array_equal(parts["test"].frames(0)[:, 0].numpy(), u[9])
    assert np.array_equal(parts["valid"].constant(0)[0].numpy(), a[8])
    assert parts["train"].dt == pytest.approx(0.1)
    spec = Windows(parts["train"]).spec
    assert (spec.fields, spec.constants, spec.in_channels) == (("u",), ("a",), 2)
    assert spec.grid.lengths == (1.0, 2.0)


def test_channels_of_one_array_become_fields() -> None:
    data = RNG.random((2, 3, 8, 2)).astype(np.float32)
    source = from_arrays({"q": data}, {"fields": {"q": "b t x c"}})
    assert source.fields == ("q_0", "q_1")
    assert np.array_equal(source.block(0, 2).numpy(), np.moveaxis(data, -1, 2))


def test_single_samples_and_single_frames() -> None:
    assert from_arrays({"u": RNG.random((3, 8))}, {"fields": {"u": "t x"}}).n_samples == 1
    assert from_arrays({"u": RNG.random((3, 8))}, {"fields": {"u": "b x"}}).n_frames == 1


def test_splits_never_overlap(tmp_path: Path) -> None:
    u = np.arange(23.0)[:, None] * np.ones((1, 4))
    path = write(tmp_path / "mine.npz", {"u": u})
    for splits in (None, {"train": 10, "test": 5}, {"train": 0.5, "valid": 0.2, "test": 0.3}):
        parts = open_splits(path, {"fields": {"u": "b x"}, "splits": splits})
        seen = [int(s.frames(i)[0, 0, 0]) for s in parts.values() for i in range(len(s))]
        assert len(seen) == len(set(seen))
    assert [int(parts["train"].frames(i)[0, 0, 0]) for i in range(11)] == list(range(11))
    assert int(parts["test"].frames(-1 + len(parts["test"]))[0, 0, 0]) == 22


@pytest.mark.parametrize("version", ["5", "7.3"])
@pytest.mark.parametrize("keys", [("a", "u"), ("coeff", "sol")])
def test_fno_maps(tmp_path: Path, version: str, keys: tuple[str, str]) -> None:
    shape = (12, 8) if keys[0] == "a" else (12, 6, 5)
    a, u = RNG.random(shape), RNG.random(shape)
    path = write_mat(tmp_path / "map.mat", dict(zip(keys, (a, u), strict=True)), version)
    windows = Windows(open_data(path, "train"))
    assert (windows.spec.n_in, windows.spec.fields, windows.spec.constants) == (0, ("u",), ("a",))
    given, target = windows[3]
    assert np.array_equal(given[0].numpy(), a[3].astype(np.float32))
    assert np.array_equal(target[0].numpy(), u[3].astype(np.float32))
    assert windows.spec.grid.boundaries[0] == ("periodic" if keys[0] == "a" else "dirichlet")


def test_other_settings_leave_the_walls_of_darcy_where_they_are(tmp_path: Path) -> None:
    pair = {"coeff": RNG.random((12, 6, 5)), "sol": RNG.random((12, 6, 5))}
    path = write_mat(tmp_path / "map.mat", pair, "5")
    assert open_data(path, layout={"splits": {"train": 3}}).grid.boundaries == ("dirichlet", "dirichlet")
    assert open_data(path, layout={"boundaries": "neumann"}).grid.boundaries == ("neumann", "neumann")


@pytest.mark.parametrize("version", ["5", "7.3"])
def test_fno_trajectories_start_with_a(tmp_path: Path, version: str) -> None:
    w0, w = RNG.random((10, 6, 4)), RNG.random((10, 6, 4, 3))
    path = write_mat(tmp_path / "ns.mat", {"a": w0, "u": w, "t": np.array([[1.0, 2.0, 3.0]])}, version)
    source = open_data(path, "train")
    assert source.times.tolist() == [0, 1, 2, 3]
    assert np.array_equal(source.frames(2)[0, 0].numpy(), w0[2])
    assert np.array_equal(source.frames(2)[3, 0].numpy(), w[2, ..., 2])


def test_a_mat_file_with_other_names(tmp_path: Path) -> None:
    arrays = {"input": RNG.random((10, 8)), "output": RNG.random((10, 5, 8))}
    path = write_mat(tmp_path / "pino.mat", arrays, "5")
    with pytest.raises(DataError, match=r"expected the arrays a and u, or coeff and sol.*input \(10, 8\)"):
        open_data(path)
    source = open_data(path, layout={"fields": {"u": {"array": "output", "axes": "b t x"}}, "dt": 0.2})
    assert source.block(0, 8).shape == (8, 5, 1, 8)


@pytest.mark.parametrize("content", [b"", b"MATLAB 5.0 MAT-file" + b" " * 200, b"\x89HDF\r\n\x1a\n" + b"\0" * 40])
@pytest.mark.parametrize("suffix", [".mat", ".npz", ".h5"])
def test_damaged_files_are_named(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"broken.*(readable|empty)"):
        open_data(path, layout={"fields": {"u": "b x"}} if suffix != ".mat" else None)


def test_pickles_in_npz_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "sly.npz", u=np.array([{"a": 1}], dtype=object))
    with pytest.raises(DataError, match="plain arrays"):
        open_data(tmp_path / "sly.npz", layout={"fields": {"u": "b x"}})


def test_not_finite_values_name_file_field_and_sample(tmp_path: Path) -> None:
    u = RNG.random((10, 3, 8))
    u[4, 1, :2] = np.nan
    path = write(tmp_path / "mine.npz", {"u": u})
    windows = Windows(open_data(path, layout={"fields": {"u": "b t x"}}))
    with pytest.raises(DataError, match=r"mine.npz, sample 4: field 'u' has 2 NaN or infinite values"):
        windows[0]


@pytest.mark.parametrize(
    ("layout", "words"),
    [
        (
            None,
            r"say which arrays are the fields; the file has u \(10, 3, 8\), tt \(3,\); .*fields=\{u: 'b t x'\}",
        ),
        ({"fields": {"v": "b t x"}}, "unknown array 'v'"),
        ({"fields": {"u": "b x"}}, r"shape \(10, 3, 8\), 3 axes; axes='b x' names 2"),
        ({"fields": {"u": "b t q"}}, "letters among b t c x y z"),
        ({"fields": {"u": "b t y"}}, "letters among b t c x y z"),
        ({"field": {"u": "b t x"}}, "unknown layout entry 'field'; did you mean 'fields'"),
        ({"fields": {"u": "b t x"}, "constants": {"tt": "x"}}, "arrays disagree"),
        ({"fields": {"u": "b t x"}, "constants": {"u": "b t x"}}, "has an axis t"),
        ({"fields": {"u": "b t x"}, "times": "t"}, "did you mean 'tt'"),
        ({"fields": {"u": "b t x"}, "dt": -1}, "dt > 0"),
        ({"fields": {"u": "b t x"}, "splits": {"train": 9, "test": 2}}, "has 10 trajectories, .* need 11"),
        ({"fields": {"u": "b t x"}, "lengths": [1, 1]}, "expected 1 lengths"),
    ],
)
def test_wrong_layouts_say_what_would_be_right(tmp_path: Path, layout: dict | None, words: str) -> None:
    path = write(tmp_path / "mine.npz", {"u": RNG.random((10, 3, 8)), "tt": np.arange(3.0)})
    with pytest.raises(KanopError, match=words):
        open_splits(path, layout)


def test_unknown_kinds_of_files(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("1,2")
    with pytest.raises(DataError, match=r"expected a folder or one of \.mat, \.npz, \.h5, \.hdf5"):
        open_data(tmp_path / "data.csv")


def test_torch_tensors_are_welcome() -> None:
    u = torch.rand(4, 2, 8)
    assert torch.equal(from_arrays({"u": u}, {"fields": {"u": "b t x"}}).block(0, 4)[:, :, 0], u)


def test_darcy_files_subsample_as_published(tmp_path: Path) -> None:
    """Every 5th of 421 nodes, 85, where the user says that the points include both walls."""
    pair = {"coeff": RNG.random((3, 21, 11)), "sol": RNG.random((3, 21, 11))}
    path = write_mat(tmp_path / "map.mat", pair, "5")
    shares = {"splits": {"train": 3}}
    with pytest.raises(KanopError, match="dirichlet_nodes"):
        Windows(open_data(path, layout=shares), subsample=5)
    source = open_data(path, layout=shares | {"boundaries": "dirichlet_nodes"})
    given, target = Windows(source, subsample=5)[2]
    assert np.array_equal(given[0].numpy(), pair["coeff"][2, ::5, ::5].astype(np.float32))
    assert np.array_equal(target[0].numpy(), pair["sol"][2, ::5, ::5].astype(np.float32))
    assert source.part(1, 2).nodes == (True, True)
