"""solve: saving and batching change nothing, control keeps its promise, divergence is reported."""

import itertools
import math
import re
from dataclasses import dataclass

import pytest
import torch

from kanop.solvers import Burgers, Equation, GaussianRandomField, Grid, KanopError, SolverDiverged, solve
from kanop.solvers.marching import schedule

GRID = Grid((64,))
BURGERS = Burgers(0.05)
U0 = GaussianRandomField(25, 5, 2).sample(GRID, 0, "train", range(4))


def relative(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).norm() / b.norm())


@pytest.mark.parametrize("steps", [{"dt": 0.01}, {"dt": [(0.1, 0.002), (1.0, 0.01)]}])
def test_saved_times_do_not_change_the_trajectory(steps):
    few = solve(BURGERS, U0, GRID, [0, 1], **steps)
    many = solve(BURGERS, U0, GRID, [0, 0.003, 0.05, 0.1, 0.1234, 0.77, 1], **steps)
    assert torch.equal(few.u[:, -1], many.u[:, -1])


def test_frames_between_steps_have_the_order_of_the_scheme():
    u0 = torch.sin(2 * math.pi * GRID.points[0])[None, None]
    exact = BURGERS.exact(u0[0], GRID)(0.497, GRID.points[0])
    errors = [
        relative(solve(BURGERS, u0, GRID, [0, 0.497, 0.6], dt=dt).u[0, 1, 0], exact) for dt in (0.02, 0.01, 0.005)
    ]
    assert min(a / b for a, b in itertools.pairwise(errors)) > 12


@pytest.mark.parametrize("steps", [{"dt": 0.01}, {"dt": 0.01, "scheme": "sbdf3"}])
def test_a_sample_does_not_depend_on_its_batch(steps):
    together = solve(BURGERS, U0, GRID, [0, 0.3], **steps)
    alone = solve(BURGERS, U0[2:3], GRID, [0, 0.3], **steps)
    assert relative(alone.u[:, 1], together.u[2:3, 1]) < 1e-13
    assert together.steps[2] == alone.steps[0]


@pytest.mark.parametrize("steps", [{"dt": 0.003}, {"tolerance": 1e-3}])
def test_no_frame_has_modes_that_dealiasing_drops(steps):
    run = solve(BURGERS, 3 * U0, GRID, [0, 0.01, 0.1], **steps)
    spectrum = GRID.to_spectral(run.u).abs()
    assert float(spectrum[..., ~GRID.dealias_mask(2)].max()) < 1e-15
    assert float(spectrum[..., GRID.dealias_mask(2)][..., -1].min()) > 1e-14, "the last kept mode is alive"


def test_single_precision_does_not_get_worse_with_smaller_steps():
    reference = solve(BURGERS, U0, GRID, [0, 0.5], dt=1 / 1024).u[:, 1]
    single = Grid((64,), dtype="float32")
    errors = [relative(solve(BURGERS, U0, single, [0, 0.5], dt=1 / n).u[:, 1].double(), reference) for n in (256, 2048)]
    assert errors[1] < 1.5 * errors[0] < 1e-5


def test_first_frame_is_the_state_that_the_solver_started_from():
    run = solve(BURGERS, U0, GRID, [0, 0.1], dt=0.01)
    kept = GRID.to_physical(GRID.dealias_mask(2) * GRID.to_spectral(U0))
    torch.testing.assert_close(run.u[:, 0], kept, rtol=0, atol=1e-14)


@dataclass(frozen=True)
class Advection(Equation):
    """u_t + c u_x = 0 and, as a check of time dependence, a source cos(t): L is imaginary, N depends on t alone."""

    c: float
    channels = ("u",)
    degree = 1

    def linear(self, grid):
        return -self.c * grid.derivative(0)[None]

    def nonlinear(self, u_hat, grid, t):
        source = torch.zeros_like(u_hat)
        source[..., 0] = torch.as_tensor(t).cos().reshape(-1, 1) if isinstance(t, torch.Tensor) else math.cos(t)
        return source

    def residual(self, D):
        return {"u": D.t(D["u"]) + self.c * D.x(D["u"]) - D.time.cos()}


@pytest.mark.parametrize("steps", [{"dt": 0.02}, {"tolerance": 1e-11}])
def test_imaginary_symbols_and_time_dependence(steps):
    x = GRID.points[0]
    u0 = torch.exp(torch.sin(2 * math.pi * x))[None, None].repeat(2, 1, 1)
    run = solve(Advection(0.7), u0, GRID, [100.1, 100.6, 101.1], **steps)
    for i, t in enumerate((100.1, 100.6, 101.1)):
        exact = torch.exp(torch.sin(2 * math.pi * (x - 0.7 * (t - 100.1)))) + math.sin(t) - math.sin(100.1)
        torch.testing.assert_close(run.u[1, i, 0], exact, rtol=0, atol=2e-9)


def test_schedule_covers_the_span_without_gap_or_overlap():
    steps = list(schedule([0.0, 1.0], [(0.1, 0.03), (1.0, 0.2)]))
    ends = [t + h for t, h in steps]
    starts = [t for t, _ in steps[1:]]
    assert starts == pytest.approx(ends[:-1], abs=1e-15)
    assert ends[-1] == pytest.approx(1.0, abs=1e-15)
    assert 0.1 in [round(e, 12) for e in ends]


def test_divergence_names_sample_time_step_and_remedy():
    equation, starts = Burgers(1e-4), torch.cat([0.01 * U0[:1], 1 + U0[:1]])
    speed = float(equation.speed(GRID.to_spectral(starts), GRID)[1, 0])
    dt = 2.5 / 64 / speed
    message = r"sample 1 diverged after t = .*: the start has a CFL number u dt/dx = 2\.5; take a smaller step \(dt = "
    with pytest.raises(SolverDiverged, match=message) as e:
        solve(equation, starts, GRID, [0, 40 * dt], dt=dt)
    assert (e.value.sample, e.value.dt) == (1, dt)
    assert 0 <= e.value.time < 40 * dt
    advised = float(re.search(r"\(dt = ([^ ]*) gives CFL 0.5\)", e.value.hint)[1])
    assert advised == pytest.approx(dt / 5, rel=0.05)
    solve(equation, starts, GRID, [0, 40 * dt], dt=advised)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"u0": U0[:, :, :60]}, r"expected u0 of shape \(b, c, \*x\) = \(b, 1, 64\), got \(4, 1, 60\)"),
        ({"u0": U0[0]}, r"expected u0 of shape"),
        (
            {"u0": U0.clone().index_fill_(0, torch.tensor(2), math.nan)},
            "NaN or infinite values, first in sample 2",
        ),
        ({"times": [0, 0.5, 0.5]}, "increasing times"),
        ({"times": [0]}, "two or more"),
        ({"dt": -0.1}, "positive time step"),
        ({"dt": None}, "give one of dt, tolerance and cfl, got none"),
        ({"tolerance": 1e-3}, "give one of dt, tolerance and cfl, got .*'dt': 0.1, 'tolerance': 0.001"),
        ({"cfl": 0.7}, "give one of dt, tolerance and cfl"),
        ({"dt": [(0.5, 0.1)]}, "must reach"),
        ({"scheme": "etdrk5"}, "did you mean 'etdrk"),
        ({"grid": Grid((64,), boundaries="neumann")}, "solved on periodic or dirichlet axes"),
        ({"grid": Grid((8, 8)), "u0": torch.zeros(1, 1, 8, 8)}, "lives on grids with"),
    ],
)
def test_bad_input_is_refused(change, message):
    arguments = {"equation": BURGERS, "u0": U0, "grid": GRID, "times": [0, 1], "dt": 0.1} | change
    with pytest.raises(KanopError, match=message):
        solve(**arguments)


def test_divergence_in_a_last_step_that_reaches_past_the_last_time():
    with pytest.raises(SolverDiverged):
        solve(Burgers(1e-4), 1e6 * U0[:1], GRID, [0, 0.15], dt=[(2, 0.1)])
