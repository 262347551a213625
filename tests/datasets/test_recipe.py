"""Laws of recipes: inputs, frames, certificates."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
import torch

from kanop.datasets import EveryPoint, Frames, Recipe, Truncated, certificate, certify, subsampled
from kanop.solvers import Burgers, Equation, GaussianRandomField, Grid, KanopError

STORES = (Truncated(4), EveryPoint(4))


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
    assert make_recipe(times=(0, 0.1, 0.5)).frame_times == (0.0, 0.1, 0.5)


def test_stored_points_are_points_of_the_solution(recipe, make_recipe) -> None:
    u0 = recipe.inputs(0, "train", [0])
    thin = make_recipe(store=EveryPoint(4)).solve(u0)
    assert torch.equal(thin.u, recipe.solve(u0).u[..., ::4])
    assert torch.equal(thin.grid.points[0], recipe.grid.points[0][::4])


@pytest.mark.parametrize(("scheme", "dt"), [("etdrk2", 0.002), ("etdrk4", 0.02)])
def test_the_certificate_is_the_error_against_cole_hopf(make_recipe, scheme: str, dt: float) -> None:
    recipe = make_recipe(grid=Grid((128,)), times=(0.0, 0.2), dt=dt, scheme=scheme)
    found = certify(recipe, seed=0, samples=2)
    solution = recipe.solve(recipe.inputs(0, "train", range(2)))
    errors = []
    for first, last in solution.u:
        exact = recipe.equation.exact(first, recipe.grid)(0.2, recipe.grid.points[0])
        errors.append(float((last[0] - exact).norm() / exact.norm()))
    assert found.temporal == pytest.approx(max(errors), rel=0.1)
    assert found.spatial < 0.01 * found.temporal


def test_the_certificate_sees_a_coarse_grid(make_recipe) -> None:
    rough = make_recipe(equation=Burgers(nu=0.005), grid=Grid((24,)), dt=5e-3, times=(0.0, 0.5))
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
        ({"dt": -0.1}, "positive time steps"),
        ({"store": EveryPoint(5)}, "nearest: .*4.*8"),
        ({"store": Truncated(5)}, "nearest: .*4.*8"),
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


@dataclass(frozen=True)
class Breathing(Equation):
    """∂u/∂t = cos t, which knows the time."""

    channels = ("u",)
    degree = 1

    def linear(self, grid):
        return torch.zeros((1, *grid.spectral_shape), dtype=torch.float64)

    def nonlinear(self, u_hat, grid, t):
        out = torch.zeros_like(u_hat)
        out[..., 0] = torch.cos(torch.as_tensor(t, dtype=torch.float64))
        return out

    def residual(self, D):
        return {"u": D.t(D["u"]) - torch.cos(D.time)}


@pytest.mark.parametrize("dt", [0.01, ((-1.0, 0.02), (2.2, 0.01), (9.0, 0.005))])
def test_the_clock_runs_through_the_burn_in(dt) -> None:
    field = GaussianRandomField(sigma=1, tau=1, alpha=2)
    recipe = Recipe(Breathing(), Grid((8,)), field, Frames(2, 3, 3, burn_in=5), dt=dt)
    u = recipe.solve(recipe.inputs(0, "train", [0])).u
    assert u[0].mean((1, 2)).tolist() == pytest.approx([math.sin(t) - math.sin(-3) for t in (2, 2.5, 3)], abs=1e-9)


def test_burn_in_is_the_same_flow_begun_earlier(make_recipe) -> None:
    late = make_recipe(times=Frames(0.2, 0.5, 4, burn_in=0.2), dt=0.01)
    whole = make_recipe(times=(0.0, 0.2, 0.3, 0.4, 0.5), dt=0.01)
    assert torch.equal(late.initial.sample(late.grid, 0, "test", [3]), whole.inputs(0, "test", [3]))
    got, want = (r.solve(r.inputs(0, "test", [3])) for r in (late, whole))
    assert got.times.tolist() == pytest.approx(want.times.tolist()[1:])
    assert torch.allclose(got.u, want.u[:, 1:], rtol=0, atol=1e-12 * float(want.u.abs().max()))


def test_the_certificate_begins_where_the_burn_in_ends(make_recipe) -> None:
    late = make_recipe(times=Frames(0.2, 0.5, 4, burn_in=0.2), dt=0.05)

    @dataclass(frozen=True)
    class Settled:
        """The law of states after the burn-in."""

        def sample(self, grid, seed, split, indices):
            return late.inputs(seed, split, indices)

    plain = make_recipe(initial=Settled(), times=Frames(0.2, 0.5, 4), dt=0.05)
    assert certify(late, 0, 3) == certify(plain, 0, 3)


def test_the_certificate_tells_what_one_interval_adds(make_recipe, monkeypatch) -> None:
    long = make_recipe(times=Frames(0, 0.5, 6), dt=0.05)
    short = certify(make_recipe(times=(0.0, 0.1), dt=0.05), seed=0, samples=3)
    found = certify(long, seed=0, samples=3)
    assert (found.temporal_next, found.spatial_next) == pytest.approx((short.temporal, short.spatial), rel=1e-9)
    assert found.temporal >= found.temporal_next
    monkeypatch.setattr(certificate, "HELD", 1)  # one sample at a time
    alone = certify(long, seed=0, samples=3)
    assert (alone.temporal, alone.spatial) == pytest.approx((found.temporal, found.spatial), rel=1e-6)


def test_truncation_keeps_modes_and_points_keep_values(make_recipe) -> None:
    recipe = make_recipe(grid=Grid((64,)), equation=Burgers(nu=0.01))
    u0 = recipe.inputs(0, "train", [0, 1])
    whole = recipe.solve(u0)
    cut, thin = (make_recipe(grid=recipe.grid, equation=recipe.equation, store=s).solve(u0) for s in STORES)
    assert cut.grid == thin.grid == recipe.grid.with_shape((16,))
    modes, kept, folded = (t.grid.to_spectral(t.u)[..., :8] for t in (whole, cut, thin))
    assert torch.allclose(kept, modes, rtol=0, atol=1e-14)
    assert (folded - modes).abs().max() > 1e-4  # aliases
    assert torch.equal(thin.u, whole.u[..., ::4])


@pytest.mark.parametrize("boundaries", ["periodic", "neumann", ("dirichlet", "periodic")])
def test_stores_agree_on_fields_that_the_stored_grid_holds(boundaries) -> None:
    fine = Grid((15, 9), boundaries=boundaries)
    coarse = fine.with_shape((5, 3))
    u = torch.rand(2, 5, 3, dtype=torch.float64)
    full = coarse.resample(u, fine.shape)
    for store in (Truncated(3), EveryPoint(3)):
        assert store.grid(fine) == coarse
        assert torch.allclose(store.keep(full, fine), u, rtol=0, atol=1e-13)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((1, 1, 3), "start < stop"),
        ((0, 1, 1), "count >= 2"),
        ((0, 1, 3, -1), "burn_in >= 0"),
        ((0, float("inf"), 3), "start < stop"),
    ],
)
def test_bad_frames_say_what_is_wrong(arguments: tuple, words: str) -> None:
    with pytest.raises(KanopError, match=words):
        Frames(*arguments)


def test_a_field_of_large_numbers_hides_no_other_ones_error() -> None:
    reference = torch.ones(1, 2, 2, 8, dtype=torch.float64)
    reference[:, :, 0] *= 1e6
    u = reference.clone()
    u[:, 1, 1] *= 1.5
    assert certificate._distance(u, reference).tolist() == [[0.0, 0.5]]
