"""Steady problems: pairs in The Well's layout that obey the equation, certified against finer solutions."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
import yaml

from kanop.datasets import EveryPoint, SteadyRecipe, Windows, certify, generate, open_data
from kanop.solvers import Darcy, GaussianRandomField, Grid, KanopError, LogNormal, TwoPhase, darcy_residual

ROUGH = GaussianRandomField(sigma=1, tau=3, alpha=2, boundaries="neumann")
SIZES = {"train": 4, "test": 2}


def steady(**changes: object) -> SteadyRecipe:
    settings: dict = {
        "equation": Darcy(source=2.0),
        "grid": Grid((21, 15), lengths=(1.0, 0.7), boundaries="dirichlet"),
        "coefficient": TwoPhase(ROUGH, low=3, high=12),
        "tolerance": 1e-11,
    }
    return SteadyRecipe(**settings | changes)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("steady") / "pores"
    return generate(steady(), path, SIZES, seed=3, batch_size=2, shard_size=2, dtype="float64", note="Of our own.")


def test_stored_pairs_obey_the_equation(folder: Path) -> None:
    recipe = steady()
    for split, count in SIZES.items():
        source = open_data(folder, split)
        a, u = source.constant_block(0, count), source.block(0, count)[:, 0]
        assert torch.equal(a, recipe.inputs(3, split, range(count)))
        off = darcy_residual(a, u, 2.0, recipe.grid).abs().flatten(1).amax(1) / 2
        assert torch.allclose(off.float(), source.diagnostic("flux_balance"), rtol=0.01)
        assert off.max() < 1e-10
        assert source.diagnostic("residual").max() <= 1e-11


def test_a_pair_is_a_map_without_time(folder: Path) -> None:
    source = open_data(folder, "train")
    assert (source.fields, source.constants, source.n_frames, source.dt) == (("u",), ("a",), 1, None)
    windows = Windows(source)
    assert (windows.spec.n_in, windows.spec.in_channels, windows.spec.out_channels) == (0, 1, 1)
    given, target = windows[1]
    assert torch.equal(given, source.constant(1).float())
    assert torch.equal(target, source.frames(1)[0].float())
    thin = Windows(source, subsample=3)
    assert torch.equal(thin[1][0], given[:, 1::3, 1::3])


def test_the_wells_loader_opens_pairs(folder: Path) -> None:
    well = pytest.importorskip("the_well.data")
    normalization = pytest.importorskip("the_well.data.normalization")
    options = {"path": str(folder), "well_split_name": "train", "n_steps_input": 0, "n_steps_output": 1}
    data, source = well.WellDataset(**options), open_data(folder)
    assert len(data) == 4
    for i in range(4):
        assert torch.equal(data[i]["constant_fields"][..., 0], source.constant(i)[0])
        assert torch.equal(data[i]["output_fields"][0, ..., 0], source.frames(i)[0, 0])
    kind = normalization.ZScoreNormalization
    white = well.WellDataset(**options, use_normalization=True, normalization_type=kind)
    for name in ("constant_fields", "output_fields"):
        values = torch.stack([white[i][name] for i in range(4)]).double()
        assert float(values.mean()) == pytest.approx(0, abs=1e-5)
        assert float(values.std(unbiased=False)) == pytest.approx(1, rel=1e-4)


def test_statistics_hold_given_fields_too(folder: Path) -> None:
    table = yaml.safe_load((folder / "stats.yaml").read_text())
    a, u = open_data(folder).constant_block(0, 4), open_data(folder).block(0, 4)
    for name, values in (("a", a), ("u", u)):
        assert table["mean"][name] == pytest.approx(float(values.mean()), rel=1e-12)
        assert table["std"][name] == pytest.approx(float(values.std(unbiased=False)), rel=1e-10)


def test_pairs_are_made_again_with_the_same_bytes(folder: Path, tmp_path: Path, tree) -> None:
    again = tmp_path / "pores"
    settings = {"seed": 3, "batch_size": 2, "shard_size": 2, "dtype": "float64", "note": "Of our own."}
    generate(steady(), again, SIZES, **settings)
    assert tree(again) == tree(folder)
    sorted((again / "data" / "train").glob("*"))[1].unlink()
    generate(steady(), again, SIZES, **settings)
    assert tree(again) == tree(folder)


def test_the_card_of_a_steady_set(folder: Path) -> None:
    card, manifest = (folder / "card.md").read_text(), json.loads((folder / "manifest.json").read_text())
    for words in (
        "Of our own.",
        "TwoPhase(field=GaussianRandomField(",
        "tolerance 1e-11",
        "at 21 × 15: against three times",
        "at 5 × 3, ",
        "worst cell",
        r"\|f − outflow\|/\|f\|",
        "n_steps_input=0",
    ):
        assert words in card
    found = manifest["certificate"]
    assert f"{found['errors'][2]:.1e} at 21 × 15" in card
    assert manifest["times"] == [0.0]


def test_smooth_coefficients_converge_at_order_two_and_jumps_at_about_one() -> None:
    smooth = LogNormal(GaussianRandomField(sigma=20, tau=3, alpha=4, boundaries="neumann"))
    grid = Grid((63, 63), boundaries="dirichlet")
    assert certify(steady(grid=grid, coefficient=smooth), 0, 2).order == pytest.approx(2, abs=0.2)
    assert certify(steady(grid=grid), 0, 8).order == pytest.approx(1.1, abs=0.4)


def test_the_certificate_is_the_error_to_a_solution_in_closed_form() -> None:
    """−u″ = 2 with a = 1 has u = x(1 − x); at the centres the scheme errs by h²/4 exactly."""

    @dataclass(frozen=True)
    class Ones:
        def sample(self, grid, seed, split, indices):
            return torch.ones(len(indices), 1, *grid.shape, dtype=torch.float64)

    grid = Grid((45,), boundaries="dirichlet")
    found = certify(steady(grid=grid, coefficient=Ones(), tolerance=1e-13), 0, 1)
    assert found.shapes == ((9,), (15,), (45,))
    for (n,), error in zip(found.shapes, found.errors, strict=True):
        x = grid.with_shape((n,)).points[0]
        exact = x * (1 - x)
        assert error == pytest.approx(float((torch.full_like(x, 0.25 / n**2)).norm() / exact.norm()), rel=0.02)
    assert found.order == pytest.approx(2, abs=0.03)


def test_stored_cells_are_cells_of_the_solution() -> None:
    whole, thin = (steady(store=EveryPoint(k)).record(0, "train", [2]) for k in (1, 3))
    assert torch.equal(thin.fields, whole.fields[..., 1::3, 1::3])
    assert torch.equal(thin.constants, whole.constants[..., 1::3, 1::3])
    assert steady(store=EveryPoint(3)).stored_grid.shape == (7, 5)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"grid": Grid((9, 9))}, "boundaries 'dirichlet'"),
        ({"equation": Darcy(source=None)}, "a source"),
        ({"equation": Darcy(source=0.0)}, "a source"),
        ({"tolerance": 2.0}, "0 < tolerance < 1"),
        ({"store": EveryPoint(2)}, "nearest"),
    ],
)
def test_bad_steady_recipes_say_what_is_wrong(changes: dict, words: str) -> None:
    with pytest.raises(KanopError, match=words):
        steady(**changes)


def test_a_coefficient_that_is_not_positive_is_named_with_its_batch(tmp_path: Path) -> None:
    bad = steady(coefficient=TwoPhase(ROUGH, low=-1, high=12))
    with pytest.raises(KanopError, match="must be positive"):
        generate(bad, tmp_path / "pores", SIZES, batch_size=2, shard_size=2)
    with pytest.raises(KanopError, match=r"batch of test samples that begins with number 4: .*sample 0 has -1"):
        bad.record(0, "test", [4, 5])
