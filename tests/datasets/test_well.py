"""The Well's own loader reads our files and we read its; damaged data are found out."""

from __future__ import annotations

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
import yaml

from kanop.datasets import WellSource, generate, open_data
from kanop.datasets.store import shard_bytes
from kanop.solvers import DataError, Grid

well = pytest.importorskip("the_well.data")
normalization = pytest.importorskip("the_well.data.normalization")


def first_file(folder: Path, split: str = "train") -> Path:
    return min((folder / "data" / split).glob("*.hdf5"))


def test_frames_make_the_round_trip(recipe, finished: Path) -> None:
    source = open_data(finished, "valid")
    want = recipe.solve(recipe.inputs(3, "valid", range(2)))
    assert torch.equal(source.block(0, 2), want.u.float())
    assert torch.equal(source.times, want.times)
    assert source.grid == recipe.stored_grid
    assert source.scalars == {"nu": 0.05}
    assert source.dt == pytest.approx(0.1, rel=1e-14)


def test_the_wells_loader_gives_the_same_frames(finished: Path) -> None:
    data, source = well.WellDataset(path=str(finished), well_split_name="train"), open_data(finished)
    assert len(data) == source.n_samples * (source.n_frames - 1)
    for i in (0, 4, 5, 33):
        sample, frames = data[i], source.frames(i // 5, i % 5, i % 5 + 2)
        assert torch.equal(sample["input_fields"][0].T, frames[0])
        assert torch.equal(sample["output_fields"][0].T, frames[1])
    assert data[0]["boundary_conditions"].tolist() == [[2, 2]]
    assert data[0]["constant_scalars"].tolist() == [pytest.approx(0.05)]
    assert torch.allclose(data[0]["space_grid"][:, 0].double(), source.grid.points[0], atol=1e-7)


def test_the_wells_normalisation_whitens_all_training_frames(finished: Path) -> None:
    for kind, moments in (("ZScoreNormalization", (0.0, 1.0)), ("RMSNormalization", (None, 1.0))):
        data = well.WellDataset(
            path=str(finished),
            well_split_name="train",
            full_trajectory_mode=True,
            use_normalization=True,
            normalization_type=getattr(normalization, kind),
        )
        u = torch.stack([torch.cat([s["input_fields"], s["output_fields"]]) for s in map(data.__getitem__, range(7))])
        if moments[0] is not None:
            assert float(u.mean()) == pytest.approx(0, abs=1e-5)
        assert float((u.double() ** 2).mean()) == pytest.approx(1, rel=1e-4)


def test_stats_are_those_of_all_training_frames(finished: Path) -> None:
    u = open_data(finished, "train").block(0, 7).double().numpy()
    table = yaml.safe_load((finished / "stats.yaml").read_text())
    delta = np.diff(u, axis=1)
    for suffix, values in (("", u), ("_delta", delta)):
        assert table["mean" + suffix]["u"] == pytest.approx(values.mean(), abs=1e-12)
        assert table["std" + suffix]["u"] == pytest.approx(values.std(), rel=1e-12)
        assert table["rms" + suffix]["u"] == pytest.approx(np.sqrt((values**2).mean()), rel=1e-12)


@pytest.mark.parametrize("boundaries", ["periodic", "dirichlet", "neumann"])
def test_a_folder_without_manifest_gives_the_grid_back(tmp_path: Path, boundaries: str) -> None:
    grid = Grid((6, 4), (2.0, 0.3), boundaries, (-1.0, 5.0))
    u = {name: torch.rand(3, 5, 6, 4) for name in ("h", "b")}
    folder = tmp_path / "data" / "train"
    folder.mkdir(parents=True)
    (folder / "some.hdf5").write_bytes(shard_bytes("some", grid, [0, 0.01, 0.02, 0.03, 0.04], u, {"g": 9.81}))
    source = open_data(tmp_path)
    assert source.grid.shape == (6, 4)
    assert source.grid.boundaries == (boundaries,) * 2
    assert source.grid.lengths == pytest.approx((2.0, 0.3), rel=1e-6)
    assert source.grid.origin == pytest.approx((-1.0, 5.0), rel=1e-6)
    assert source.dt == pytest.approx(0.01, rel=1e-12)
    assert torch.equal(source.frames(2, 1, 3), torch.stack([u["h"], u["b"]], 2)[2, 1:3])
    sides = well.WellDataset(path=str(tmp_path), well_split_name="train")[0]["boundary_conditions"]
    assert sides.tolist() == [[2, 2], [2, 2]] if boundaries == "periodic" else [[0, 0], [0, 0]]


def test_vector_and_constant_fields_come_in_the_wells_order(tmp_path: Path) -> None:
    """A file as The Well's own sets have them: t0, t1 and t2 fields, a constant one, one that all samples share."""
    grid = Grid((4, 3))
    folder = tmp_path / "data" / "test"
    folder.mkdir(parents=True)
    path = folder / "flow.hdf5"
    path.write_bytes(shard_bytes("flow", grid, [0.0, 1.0, 2.0], {"p": torch.rand(2, 3, 4, 3)}, {}))
    rng = np.random.default_rng(0)
    with h5py.File(path, "r+") as file:
        for rank, name, shape, flags in (
            (1, "velocity", (2, 3, 4, 3, 2), (True, True)),
            (2, "stress", (2, 3, 4, 3, 2, 2), (True, True)),
            (0, "mask", (4, 3), (False, False)),
            (1, "wind", (2, 4, 3, 2), (True, False)),
        ):
            group = file[f"t{rank}_fields"]
            data = group.create_dataset(name, data=rng.random(shape, np.float32))
            data.attrs["dim_varying"], data.attrs["sample_varying"], data.attrs["time_varying"] = (
                [True] * 2,
                *flags,
            )
            group.attrs["field_names"] = np.array([*group.attrs["field_names"], name], h5py.string_dtype())
    source, data = open_data(tmp_path, "test"), well.WellDataset(path=str(tmp_path), well_split_name="test")
    assert source.fields == tuple(n for names in data.metadata.field_names.values() for n in names)
    assert source.constants == tuple(n for names in data.metadata.constant_field_names.values() for n in names)
    sample = data[3]
    assert torch.equal(sample["input_fields"][0].movedim(-1, 0), source.frames(1, 1, 2)[0])
    assert torch.equal(sample["constant_fields"].movedim(-1, 0), source.constant(1))


def test_one_changed_byte_is_found(copied: Path) -> None:
    path = first_file(copied)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"SHA-256 differs .*Delete it and start the same generate command"):
        open_data(copied)
    assert open_data(copied, verify=False).n_samples == 7
    assert open_data(copied, "test").n_samples == 3


def test_a_truncated_file_is_found(copied: Path) -> None:
    path = first_file(copied)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"bytes, the manifest says .*truncated or changed"):
        open_data(copied, verify=False)
    (copied / "manifest.json").unlink()
    with pytest.raises(DataError, match=r"no readable HDF5 file .*truncated or damaged"):
        open_data(copied)


def test_an_empty_file_is_found(copied: Path) -> None:
    (copied / "manifest.json").unlink()
    first_file(copied).write_bytes(b"")
    with pytest.raises(DataError, match=r"is empty \(0 bytes\)"):
        open_data(copied)


def test_missing_and_surplus_files_are_found(copied: Path) -> None:
    path = first_file(copied)
    shutil.copy(path, path.with_name("zz.hdf5"))
    with pytest.raises(DataError, match=r"zz\.hdf5 is not in .*manifest"):
        open_data(copied)
    path.with_name("zz.hdf5").unlink()
    path.unlink()
    with pytest.raises(DataError, match=r"is missing; start the same generate command again"):
        open_data(copied)


def test_an_unfinished_generation_is_not_opened(recipe, tmp_path: Path) -> None:
    class Stop(Exception):
        pass

    def stop(done: int, total: int, message: str) -> None:
        if done > 8:
            raise Stop

    with pytest.raises(Stop):
        generate(recipe, tmp_path / "half", {"train": 8, "test": 4}, batch_size=2, shard_size=4, progress=stop)
    with pytest.raises(DataError, match=r"not finished \(8 of 12 trajectories\)"):
        open_data(tmp_path / "half")


def test_mixed_resolutions_in_a_folder_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "train"
    folder.mkdir(parents=True)
    for n in (8, 16):
        content = shard_bytes("mix", Grid((n,)), [0.0, 1.0], {"u": torch.zeros(2, 2, n)}, {})
        (folder / f"mix_{n:02d}.hdf5").write_bytes(content)
    with pytest.raises(DataError, match=r"mix_08.hdf5 has resolution \(8,\), mix_16.hdf5 has \(16,\)"):
        open_data(tmp_path)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_finite_are_named(copied: Path, value: float) -> None:
    (copied / "manifest.json").unlink()
    path = sorted((copied / "data" / "train").glob("*"))[1]
    with h5py.File(path, "r+") as file:
        file["t0_fields/u"][2, 3, 5:8] = value
    source = open_data(copied)
    with pytest.raises(DataError, match=rf"{path.name}, trajectory 2: field 'u' has 3 NaN or infinite values"):
        source.block(0, 7)
    assert source.block(0, 6).shape[0] == 6


def test_missing_items_are_named(copied: Path) -> None:
    (copied / "manifest.json").unlink()
    with h5py.File(first_file(copied), "r+") as file:
        del file["scalars"]
    with pytest.raises(DataError, match=r"lacks an item of The Well's layout: .*scalars"):
        open_data(copied)


def test_wrong_folders_and_splits_say_what_is_there(copied: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="did you mean 'train'"):
        open_data(copied, "trian")
    shutil.rmtree(copied / "data" / "valid")
    with pytest.raises(DataError, match="splits there: test, train"):
        open_data(copied, "valid")
    (tmp_path / "void").mkdir()
    with pytest.raises(DataError, match="has no folder data/"):
        open_data(tmp_path / "void")
    with pytest.raises(DataError, match="does not exist"):
        open_data(tmp_path / "nowhere")


def test_a_source_survives_pickling(finished: Path) -> None:
    import pickle

    source = WellSource(finished)
    source.frames(0)
    assert torch.equal(pickle.loads(pickle.dumps(source)).block(0, 7), source.block(0, 7))
