"""Laws of recipes: inputs, frames, certificates."""

from __future__ import annotations

import pytest
import torch

from kanop.datasets import certify, subsampled
from kanop.solvers import Burgers, GaussianRandomField, Grid, KanopError


def test_an_input_is_the_same_function_at_every_resolution(make_recipe) -> None:
    coarse, fine = make_recipe(grid=Grid((32,))), make_recipe(grid=Grid((96,)))
    u, v = (r.inputs(1, "train", [4]) for r in (coarse, fine))
    held = fine.grid.resample(v, (33,))
    # Modes beyond the coarse grid are the finer grid's own; those that both hold are equal.
    a, b = coarse.grid.to_spectral(u)[..., :16], fine.grid.with_shape((33,)).to_spectral(held)[..., :16]
    assert torch.allclose(a, b, rtol=0, atol=1e-13)


def test_solutions_do_not_depend_on_the_batch(recipe) -> None:
    together = recipe.solve(recipe.inputs(0, "test", range(5))).u
    alone = torch.cat([recipe.solve(recipe.inputs(0, "test", [i])).u for i in range(5)])
    assert (together - alone).abs().max() <= 1e-12 * together.abs().max()


def test_frames_are_equally_spaced_and_end_exactly(recipe, make_recipe) -> None:
    assert recipe.frame_times == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5])
    assert recipe.frame_times[-1] == 0.5
    assert make_recipe(times=(0, 0.1, 0.5), frames=None).frame_times == (0.0, 0.1, 0.5)


def test_stored_points_are_points_of_the_solution(recipe, make_recipe) -> None:
    u0 = recipe.inputs(0, "train", [0])
    thin = make_recipe(store_every=4).solve(u0)
    assert torch.equal(thin.u, recipe.solve(u0).u[..., ::4])
    assert torch.equal(thin.grid.points[0], recipe.grid.points[0][::4])


@pytest.mark.parametrize(("scheme", "dt"), [("etdrk2", 0.002), ("etdrk4", 0.02)])
def test_the_certificate_is_the_error_against_cole_hopf(make_recipe, scheme: str, dt: float) -> None:
    recipe = make_recipe(grid=Grid((128,)), times=(0.0, 0.2), frames=2, dt=dt, scheme=scheme)
    found = certify(recipe, seed=0, samples=2)
    solution = recipe.solve(recipe.inputs(0, "train", range(2)))
    errors = []
    for first, last in solution.u:
        exact = recipe.equation.exact(first, recipe.grid)(0.2, recipe.grid.points[0])
        errors.append(float((last[0] - exact).norm() / exact.norm()))
    assert found.temporal == pytest.approx(max(errors), rel=0.1)
    assert found.spatial < 0.01 * found.temporal


def test_the_certificate_sees_a_coarse_grid(make_recipe) -> None:
    rough = make_recipe(equation=Burgers(nu=0.005), grid=Grid((24,)), dt=5e-3, frames=2)
    found = certify(rough, seed=0, samples=2)
    assert found.spatial > 1e-4 > found.temporal


def test_wall_axes_coarsen_by_centres() -> None:
    grid, points = subsampled(Grid((9,), boundaries="neumann"), 3)
    assert torch.allclose(grid.points[0], Grid((9,), boundaries="neumann").points[0][points[0]], atol=1e-15)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"scheme": "etdrk5"}, "did you mean 'etdrk4'"),
        ({"times": (0.0, 0.0)}, "increasing times"),
        ({"times": (0.0, 0.2, 0.5)}, "the first and the last"),
        ({"frames": 1}, "frames >= 2"),
        ({"dt": -0.1}, "positive time steps"),
        ({"store_every": 5}, "nearest: .*4.*8"),
    ],
)
def test_bad_recipes_say_what_is_wrong(make_recipe, changes: dict, words: str) -> None:
    with pytest.raises(KanopError, match=words):
        make_recipe(**changes)


def test_an_even_step_between_walls_is_refused() -> None:
    with pytest.raises(KanopError, match="coarsen by odd numbers; nearest: 1, 3"):
        subsampled(Grid((6,), boundaries="dirichlet"), 2)


def test_recipes_accept_what_a_configuration_gives(make_recipe) -> None:
    assert make_recipe(times=[0, 1], dt=[[0.1, 1], [1, 1]]).dt == ((0.1, 1.0), (1.0, 1.0))
    assert GaussianRandomField(1, 1, 2) == GaussianRandomField(1.0, 1.0, 2.0)
