"""Data on the sphere: stored as The Well does, read by its loader and by ours, with latitudes that are checked."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from kanop.datasets import EveryPoint, Frames, Recipe, Truncated, generate, open_data
from kanop.solvers import BarotropicVorticity, DataError, GaussianRandomField, KanopError, ShallowWater, SphereGrid
from kanop.solvers.sphere import Jet, RandomJet, RandomShallowWater
from kanop.solvers.sphere.cases import EARTH, GRAVITY


def recipe(**changes):
    settings = {
        "equation": BarotropicVorticity(rotation=2.0),
        "grid": SphereGrid((16, 32), radius=3.0),
        "initial": GaussianRandomField(sigma=3.0, tau=3.0, alpha=3.0),
        "times": Frames(0.0, 0.2, 3),
        "dt": 0.05,
    }
    return Recipe(**settings | changes)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return generate(recipe(), tmp_path_factory.mktemp("sphere") / "swirls", {"train": 2}, seed=1, batch_size=2)


def test_frames_and_grid_make_the_round_trip(folder):
    source = open_data(folder)
    want = recipe().solve(recipe().inputs(1, "train", range(2)))
    assert torch.equal(source.block(0, 2), want.u.float())
    assert source.grid == SphereGrid((16, 32), radius=3.0)


def test_the_wells_loader_reads_them(folder):
    well = pytest.importorskip("the_well.data")
    data, source = well.WellDataset(path=str(folder), well_split_name="train"), open_data(folder)
    sample = data[0]
    assert torch.equal(sample["input_fields"][0, ..., 0], source.frames(0, 0, 1)[0, 0])
    assert sample["boundary_conditions"].tolist() == [[1, 1], [2, 2]]  # open at the poles, periodic around
    latitude, longitude = source.grid.mesh()
    theta, phi = sample["space_grid"].double().unbind(-1)
    assert torch.allclose(theta, math.pi / 2 - latitude, atol=1e-6)
    assert torch.allclose(phi, longitude, atol=1e-6)


def test_the_card_says_where_it_is(folder):
    card = (folder / "card.md").read_text(encoding="utf-8")
    assert "sphere of radius 3; gauss latitudes from north to south" in card


@pytest.mark.parametrize("nodes", ["gauss", "lobatto", "equiangular"])
def test_every_kind_of_latitudes_is_recognised(folder, nodes, tmp_path):
    from kanop.datasets.store import shard_bytes

    grid = SphereGrid((12, 24), nodes, radius=2.0)
    u = torch.randn(1, 2, *grid.shape, generator=torch.Generator().manual_seed(0))
    place = tmp_path / "data" / "train"
    place.mkdir(parents=True)
    (place / "a.hdf5").write_bytes(shard_bytes("a", grid, [0.0, 1.0], {"u": u}, {}))
    assert open_data(tmp_path).grid == grid


def damaged(folder, tmp_path, axis, change):
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    (copy / "manifest.json").unlink()
    with h5py.File(next((copy / "data" / "train").glob("*.hdf5")), "r+") as file:
        file["dimensions"][axis][...] = change(file["dimensions"][axis][...])
    return copy


@pytest.mark.parametrize(
    ("axis", "change", "message"),
    [
        ("theta", lambda x: x[::-1], "from south to north: turn the data over"),
        ("theta", np.degrees, "look like degrees"),
        ("theta", lambda x: x + 0.01, "none of gauss, lobatto, equiangular nodes"),
        ("phi", np.degrees, "look like degrees"),
        ("phi", lambda x: x[::-1], "from 0 eastwards"),
    ],
)
def test_latitudes_and_longitudes_of_another_order_or_unit_are_named(folder, tmp_path, axis, change, message):
    with pytest.raises(DataError, match=message):
        open_data(damaged(folder, tmp_path, axis, change)).block(0, 1)


def test_coarser_spheres_are_stored_by_truncation_not_by_points():
    grid = SphereGrid((16, 32))
    assert recipe(grid=grid, store=Truncated(2)).stored_grid == SphereGrid((8, 16))
    with pytest.raises(KanopError, match=r"take 1, or the store Truncated\(2\)"):
        recipe(grid=grid, store=EveryPoint(2))


def test_random_shallow_water_has_the_stated_sizes():
    """Variances Σ (2l + 1)/(N(N + 1)) = (N − 1)/N …, within five standard deviations of the sample."""
    grid, law = SphereGrid((16, 32), radius=EARTH), RandomShallowWater(degree=8)
    u = law.sample(grid, 0, "train", range(400))
    share = sum(2 * l + 1 for l in range(1, 8)) / 72
    wind = 0.2 * math.sqrt(GRAVITY * 1e4) / EARTH
    for channel, (mean, size) in enumerate(((GRAVITY * 1e4, GRAVITY * 120), (0.0, wind), (0.0, wind))):
        found = (u[:, channel] - mean).square().mean(0)
        assert (found[[0, 8]].mean(1) / (share * size**2) - 1).abs().max() < 0.2
    assert torch.equal(u[5:6], law.sample(grid, 0, "train", [5]))
    fine = law.sample(SphereGrid((32, 64), radius=EARTH), 0, "train", [5])
    again = SphereGrid((32, 64), radius=EARTH).resample(fine, (16, 32))
    assert (again - u[5:6]).abs().amax((0, 2, 3)).div(u[5].abs().amax((1, 2))).max() < 1e-12


def test_every_jet_is_another_one_and_is_balanced():
    grid = SphereGrid((48, 96), radius=EARTH)
    law = RandomJet(Jet(bump=0.0))
    u0 = law.sample(grid, 0, "train", [0, 1])
    assert not torch.equal(u0[0], u0[1])
    from kanop.solvers import solve

    u = solve(ShallowWater(mean=GRAVITY * 1e4), u0, grid, [0, 3600], dt=900).u
    assert (u[:, 1, 0] - u[:, 0, 0]).abs().max() < 1e-3 * u[:, 0, 0].std()
