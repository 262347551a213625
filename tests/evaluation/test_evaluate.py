"""`evaluate` on operators whose errors are known, and the laws that hold between its numbers."""

import math
from dataclasses import replace

import pytest
import torch

from kanop.datasets import SteadyRecipe
from kanop.evaluation import Evaluation, evaluate
from kanop.evaluation.ladders import EvolutionLadder, SteadyLadder
from kanop.evaluation.speedup import Cell
from kanop.evaluation.truth import at_shape, read_truth
from kanop.solvers import Darcy, DataError, FieldSpec, GaussianRandomField, Grid, KanopError, TwoPhase


def quick(operator, source, recipe=None, **more):
    return evaluate(operator, source, recipe, **{"budget": 1.0, "factors": (1,)} | more)


def test_an_operator_that_errs_by_a_known_share(drifting, spec, kit):
    e = quick(kit.Operator(spec, kit.shift(0.05, scale=1.01)), drifting)
    assert e.kind == "rollout"
    assert e.scores["one_step"] == pytest.approx(0.01)
    # After j steps the amplitude is 1.01ʲ, the pattern is right.
    assert e.curves["errors"]["operator"] == pytest.approx([1.01**j - 1 for j in range(1, 6)])
    assert e.curves["correlation"]["operator"] == pytest.approx([1] * 5)
    assert e.curves["low"] == pytest.approx(e.curves["high"])
    assert e.scores["correlation_time"] is None
    assert e.scores["diverged_share"] == 0
    assert e.curves["times"] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])


def test_the_identity_is_persistence_and_the_mean_is_the_mean(drifting, spec, kit):
    same = quick(kit.Operator(spec, lambda u: u.clone()), drifting).curves["errors"]
    assert same["operator"] == same["persistence"]
    mean = quick(kit.Operator(spec, lambda u: torch.full_like(u, 0.1), mean=0.1), drifting).curves["errors"]
    assert mean["operator"] == mean["training mean"]


def test_batches_change_nothing_but_the_seconds(drifting, spec, kit):
    operator = kit.Operator(spec, kit.shift(0.06, scale=1.05))
    whole, parts = (quick(operator, drifting, batch_size=b) for b in (5, 2))
    for name, value in whole.scores.items():
        if "seconds" not in name and value is not None:
            assert parts.scores[name] == pytest.approx(value, rel=1e-12), name


def test_a_sample_that_diverges_counts_as_infinite(drifting, spec, kit):
    def break_third(u):
        out = u.clone()
        out[2] = out[2] * 1e200 * 1e200 if len(u) == 5 else out[2]
        return out

    e = quick(kit.Operator(spec, break_third), drifting)
    assert e.setting["test"]["diverged"] == 1
    assert e.scores["diverged_share"] == pytest.approx(0.2)
    assert e.scores["final"] is None
    assert e.curves["errors"]["operator"] == [None] * 5
    assert e.scores["median"] is not None
    assert e.tables["distribution"]["samples"][-1] == 2
    assert e.tables["distribution"]["errors"][-1] is None


def test_bands_and_spectra_add_up(drifting, spec, kit):
    e = quick(kit.Operator(spec, lambda u: 0.9 * u), drifting)
    truth = read_truth(drifting, spec, (32,), 5)
    mean_square = truth.target.square().mean((0, 2, 3))
    content = torch.tensor(e.curves["bands"]["content"], dtype=torch.float64)
    torch.testing.assert_close(content.sum(0), mean_square)
    last = torch.tensor(e.spectra[-1]["truth"], dtype=torch.float64)
    assert last.sum().item() == pytest.approx(0.5 * mean_square[-1].item())


def test_resolutions_are_those_of_the_data_sub_sampled(drifting, spec, kit):
    operator = kit.Operator(spec, lambda u: 0.95 * u)
    rows = quick(operator, drifting, factors=(0.5, 1, 2)).tables["transfer"]
    assert [row["shape"] for row in rows] == [[16], [32], [64]]
    for row in rows:
        there = quick(kit.Operator(spec.with_shape(row["shape"]), operator.function), drifting)
        assert there.scores["mean"] == pytest.approx(row["mean"], rel=1e-12)


def test_a_finer_grid_than_stored_is_solved_anew(burgers, spec, kit):
    recipe, source = burgers
    e = quick(kit.Operator(spec, lambda u: u.clone()), source, recipe, factors=(2, 4, 0.7), budget=0.0)
    stored, finer = e.tables["transfer"]
    assert (stored["truth"], finer["truth"]) == ("stored data", "solved anew")
    # Persistence errs alike on both: the same functions, whoever solved for them.
    assert finer["final"] == pytest.approx(stored["final"], rel=1e-6)
    assert "no sub-sample" in e.skipped["resolution ×0.7"]


def test_without_a_recipe_what_needs_it_is_named(drifting, spec, kit):
    e = quick(kit.Operator(spec, lambda u: u), drifting, factors=(4,))
    assert set(e.skipped) == {"resolution ×4", "coarse solver, speed-up at equal error", "invariants' drift"}
    assert "recipe" in e.skipped["invariants' drift"]
    assert e.scores["speedup"] is None


def test_the_speed_up_is_against_a_setting_that_errs_no_more(burgers, spec, kit):
    recipe, source = burgers
    e = quick(kit.Operator(spec, lambda u: 0.9 * u), source, recipe, budget=10.0)
    table = e.tables["speed"]
    best, own = table["best"], table["operator_error"]
    assert best["error"] <= own
    rivals = [c["seconds"] for c in table["cells"] if c["error"] is not None and c["error"] <= own]
    assert best["seconds"] == min(rivals)
    assert e.scores["speedup"] == pytest.approx(best["seconds"] / table["operator_seconds"])
    assert max(e.curves["invariants"]["mean"]["truth"]) < 1e-6


@pytest.mark.parametrize("error", [0.3, 1e-3, 1e-6])
def test_the_cheapest_setting_meets_the_error_it_was_asked_for(burgers, spec, error):
    recipe, source = burgers
    best, tried = EvolutionLadder(recipe, read_truth(source, spec, (64,), 3), (32,)).cheapest(error)
    assert best is not None
    assert best.error <= error
    assert best in tried


def test_the_solver_converges_to_the_truth_on_its_ladder(burgers, spec):
    recipe, source = burgers
    ladder = EvolutionLadder(recipe, read_truth(source, spec, (64,), 3), (32,))
    coarse, fine = (ladder.run(Cell((64,), dt)).error for dt in (0.05, 0.025))
    assert 8 < coarse / fine < 40  # fourth order
    assert ladder.run(Cell((64,), 1 / 320)).error < 1e-9
    assert ladder.run(Cell((8,), 0.025)).error > fine


def test_scaled_schedules_of_a_recipe_keep_their_segments(burgers, spec):
    recipe, source = burgers
    graded = replace(recipe, dt=[(0.1, 0.01), (0.5, 0.05)])
    ladder = EvolutionLadder(graded, read_truth(source, spec, (64,), 2), (32,))
    assert ladder._steps(Cell((64,), 0.1, graded=True)) == [(0.1, 0.02), (0.5, 0.1)]
    assert ladder.run(Cell((64,), 0.05, graded=True)).error < ladder.run(Cell((64,), 0.05)).error


def test_saved_and_loaded_it_is_the_same(burgers, spec, kit, tmp_path):
    recipe, source = burgers
    e = quick(kit.Operator(spec, lambda u: 0.9 * u), source, recipe, budget=0.0)
    again = Evaluation.load(e.save(tmp_path / "evaluation.json"))
    for name in ("kind", "setting", "scores", "curves", "spectra", "tables", "skipped"):
        assert getattr(again, name) == getattr(e, name), name
    for name in ("truth", "prediction", "error"):
        assert (again.player[name] == e.player[name]).all()
        assert again.player[name].dtype == e.player[name].dtype
    (tmp_path / "other.json").write_text('{"a": 1}')
    with pytest.raises(DataError, match="no evaluation of this kanop"):
        Evaluation.load(tmp_path / "other.json")
    with pytest.raises(DataError, match="kanop evaluate run="):
        Evaluation.load(tmp_path / "absent.json")


def test_a_steady_map_from_a_constant_field(kit):
    grid = Grid((16, 16), boundaries="dirichlet")
    a = torch.rand(7, 1, 16, 16, dtype=torch.float64)
    source = kit.Held(2 * a[:, None], grid, [0.0], constants=("a",), given=a)
    spec = FieldSpec(grid, ("u",), constants=("a",), n_in=0)
    e = quick(kit.Operator(spec, lambda a: 2.2 * a), source)
    assert e.kind == "map"
    assert e.scores["mean"] == pytest.approx(0.1)
    assert e.tables["distribution"]["errors"] == pytest.approx([0.1] * 7)
    assert e.curves["errors"]["persistence"] == pytest.approx([0.5])


def test_windows_of_several_frames_in_two_dimensions(waves, kit):
    """Two frames of a wave of one frequency give the next by u'' = −ω²u: u(t+dt) = 2 cos(ω dt) u(t) − u(t−dt)."""
    spec = FieldSpec(Grid((24, 16), lengths=(1.5, 1.0)), ("u", "v"), n_in=2, n_out=1, dt=0.2)
    operator = kit.Operator(spec, lambda w: 2 * math.cos(3 * 0.2) * w[:, 2:] - w[:, :2])
    e = quick(operator, waves)
    truth = read_truth(waves, spec, (24, 16), 6)
    assert truth.times.tolist() == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0])
    assert e.setting["test"]["steps"] == 4
    assert e.curves["times"] == pytest.approx([0.2, 0.4, 0.6, 0.8])
    # v is one wave of that frequency; u has a second one of 9 % of its energy, with another frequency.
    assert 1e-3 < e.scores["one_step"] < 0.2
    field_v = read_truth(waves, spec, (24, 16), 6).frames[:, :, 1]
    exact = 2 * math.cos(0.6) * field_v[:, 1] - field_v[:, 0]
    torch.testing.assert_close(exact, field_v[:, 2], atol=1e-12, rtol=0)


def test_sub_sampling_takes_the_points_that_are_shared():
    grid = Grid((12,))
    u = torch.randn(2, 12, dtype=torch.float64)
    assert torch.equal(at_shape(u, grid, (4,)), u[:, ::3])
    smooth = torch.cos(2 * math.pi * grid.points[0])[None]
    for n in (8, 24):
        there = torch.cos(2 * math.pi * grid.with_shape((n,)).points[0])
        torch.testing.assert_close(at_shape(smooth, grid, (n,))[0], there)


def test_data_of_another_map_are_refused(drifting, spec, kit):
    source = drifting
    with pytest.raises(KanopError, match=r"fields \('w',\), these data have \('u',\)"):
        quick(kit.Operator(replace(spec, fields=("w",)), lambda u: u), source)
    with pytest.raises(KanopError, match=r"dt = 0\.15, no multiple of the data's 0\.1"):
        quick(kit.Operator(replace(spec, dt=0.15), lambda u: u), source)
    with pytest.raises(KanopError, match=r"needs 9 frames 0\.1 apart, these data have 6"):
        quick(kit.Operator(replace(spec, n_in=8), lambda u: u), source)


@pytest.fixture(scope="module")
def pores(kit):
    """(recipe, source): four Darcy pairs on 27 × 27 cells."""
    field = GaussianRandomField(1, 3, 2, boundaries="neumann")
    recipe = SteadyRecipe(Darcy(1.0), Grid((27, 27), boundaries="dirichlet"), TwoPhase(field, 3, 12))
    made = recipe.record(0, "test", range(4))
    return recipe, kit.Held(made.fields, recipe.grid, torch.zeros(1), ("u",), ("a",), made.constants, "pores")


def test_a_steady_map_is_judged_at_shared_cell_centres(pores, kit):
    """An operator that knows the answers meets the very cells of the data, at a third of the points and at all."""
    recipe, source = pores
    u, a = source.u[:, 0], source.given
    centres = {m: (..., *[slice(27 // m // 2, None, 27 // m)] * 2) for m in (3, 9, 27)}
    answers = {m: (a[cells], u[cells]) for m, cells in centres.items()}

    def known(given):
        coefficient, solution = answers[given.shape[-1]]
        assert torch.equal(given, coefficient)
        return 0.9 * solution

    spec = FieldSpec(Grid((9, 9), boundaries="dirichlet"), ("u",), ("a",), n_in=0)
    e = quick(kit.Operator(spec, known), source, recipe, factors=None)
    assert [row["shape"] for row in e.tables["transfer"]] == [[3, 3], [9, 9], [27, 27]]
    assert [row["mean"] for row in e.tables["transfer"]] == pytest.approx([0.1] * 3)
    assert (e.kind, e.scores["mean"]) == ("map", pytest.approx(0.1))
    assert "persistence" in e.skipped
    assert e.tables["speed"]["best"]["error"] <= 0.1
    assert e.scores["speedup"] > 0
    assert "invariants' drift" in e.skipped


def test_a_steady_solver_converges_to_the_truth_on_its_ladder(pores):
    """More cells help until all are there; then the residual alone is left."""
    recipe, source = pores
    spec = FieldSpec(Grid((27, 27), boundaries="dirichlet"), ("u",), ("a",), n_in=0)
    ladder = SteadyLadder(recipe, read_truth(source, spec, (27, 27), 4), (9, 9))
    by_cells = [ladder.run(Cell((n, n), tolerance=1e-10)).error for n in (9, 13, 27)]
    assert by_cells[0] > by_cells[1] > 1e-2 > 1e-6 > by_cells[2]
    # A third of the cells an axis: those at whose centres a cell of the data lies.
    a, grid = source.given[..., 1::3, 1::3].double(), recipe.grid.with_shape((9, 9))
    known = recipe.equation.solve(a, grid, tolerance=1e-10)
    torch.testing.assert_close(ladder.solve(Cell((9, 9), tolerance=1e-10))[0][:, 0], known.u)
    by_residual = [ladder.run(Cell((27, 27), tolerance=t)).error for t in (1e-1, 1e-3, 1e-5)]
    assert by_residual[0] > 10 * by_residual[1] > 100 * by_residual[2]
    best, tried = ladder.cheapest(2e-2)
    assert best in tried
    assert best.error <= 2e-2
