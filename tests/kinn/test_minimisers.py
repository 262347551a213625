"""Minimisers: known minima, the update's laws, losses that are not finite, and that the one asked for runs."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize, rosen, rosen_der
from torch import nn

from kanop.kinn import LBFGS, MLP, SOAP, Adam, Objective, SSBroyden, Strong, solve_problem
from kanop.kinn.cases import Sines
from kanop.kinn.quasi_newton import _update
from kanop.solvers import KanopError

F64 = torch.float64


class Given(Objective):
    """A function of one vector."""

    def __init__(self, function, start):
        self.module = nn.ParameterList([nn.Parameter(torch.tensor(start, dtype=F64))])
        self.function = function

    def loss(self):
        return self.function(self.module[0])

    def redraw(self):
        pass


def rosenbrock(x):
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


START = [-1.2, 1.0, -0.5, 0.8]


@pytest.mark.parametrize("minimiser", [SSBroyden(300), SSBroyden(300, scaled=False), LBFGS(300)], ids=str)
def test_the_minimum_of_rosenbrock_is_found(minimiser):
    objective = Given(rosenbrock, START)
    minimiser.run(objective, lambda loss: None)
    assert (objective.vector() - 1).abs().max() <= 1e-6


@pytest.mark.parametrize("minimiser", [Adam(2000, 0.05), SOAP(2000, 0.05)], ids=str)
def test_first_order_methods_come_near_a_quadratic_minimum(minimiser):
    objective = Given(lambda x: ((x - 3) ** 2 * torch.tensor([1.0, 5.0, 20.0])).sum(), [0.0, 0.0, 0.0])
    assert "all 2000 steps done" in minimiser.run(objective, lambda loss: None)
    assert (objective.vector() - 3).abs().max() <= 1e-3


def test_without_scaling_it_is_bfgs():
    """The iterates of scipy's BFGS, whose line search is the same; the first step is scaled there otherwise."""
    seen = []
    options = {"maxiter": 60}
    minimize(rosen, START, jac=rosen_der, method="BFGS", callback=lambda x: seen.append(x.copy()), options=options)
    ours = []
    objective = Given(rosenbrock, START)
    SSBroyden(60, scaled=False).run(objective, lambda loss: ours.append(objective.vector().numpy().copy()))
    assert abs(len(seen) - len(ours)) <= 25
    assert np.abs(seen[-1] - ours[-1]).max() <= 1e-5


@pytest.mark.parametrize("scaled", [True, False])
@pytest.mark.parametrize("fresh", [True, False])
def test_an_update_keeps_the_secant_and_stays_positive(scaled, fresh):
    generator = torch.Generator().manual_seed(0)
    root = torch.randn(6, 6, generator=generator, dtype=F64)
    inverse = root @ root.T + torch.eye(6, dtype=F64)
    g, hessian = torch.randn(6, generator=generator, dtype=F64), torch.diag(torch.arange(1.0, 7.0, dtype=F64))
    s = -0.3 * inverse @ g
    y = hessian @ s
    _update(inverse, s, y, g, 0.3, fresh, scaled)
    assert (inverse @ y - s).abs().max() <= 1e-12 * s.abs().max()
    assert (inverse - inverse.T).abs().max() <= 1e-12 * inverse.abs().max()
    assert torch.linalg.eigvalsh(inverse).min() > 0


@pytest.mark.parametrize("stiffness", [0.003, 0.03, 0.3, 3.0])
def test_the_inverse_is_that_of_the_hessian_of_broydens_family(stiffness):
    """B ← τ (B − B s sᵀ B / sᵀBs + θ w wᵀ) + y yᵀ / yᵀs, written for the Hessian itself."""
    generator = torch.Generator().manual_seed(0)
    root, g = torch.randn(6, 6, generator=generator, dtype=F64), torch.randn(6, generator=generator, dtype=F64)
    inverse = root @ root.T + torch.eye(6, dtype=F64)
    s = -0.3 * inverse @ g
    y = stiffness * torch.arange(1.0, 7.0, dtype=F64) * s
    before = torch.linalg.inv(inverse)
    bs, ys = before @ s, y @ s
    b, h = s @ bs / ys, y @ inverse @ y / ys
    a = b * h - 1
    least = min(1.0, h * (1 - (a / (1 + a)).sqrt()))
    theta = max((least - 1) / a, min(1 / least, (1 - b) / b))
    most, spread = min(1.0, 1 / b), (1 + a * theta) ** (-1 / 5)
    tau = min(most * spread, 1 + a * theta) if theta <= 0 else most * min(spread, 1 / theta)
    w = (s @ bs).sqrt() * (y / ys - bs / (s @ bs))
    want = tau * (before - torch.outer(bs, bs) / (s @ bs) + theta * torch.outer(w, w)) + torch.outer(y, y) / ys
    _update(inverse, s, y, g, 0.3, False, True)
    assert (torch.linalg.inv(inverse) - want).abs().max() <= 1e-9 * want.abs().max()


def test_scaling_is_what_runs_when_it_is_asked_for():
    paths = []
    for scaled in (True, False):
        path = []
        objective = Given(rosenbrock, START)
        SSBroyden(12, scaled=scaled).run(objective, lambda loss, path=path: path.append(loss))
        paths.append(path)
    assert paths[0][:1] == paths[1][:1]
    assert paths[0][2:] != paths[1][2:]


def test_a_quasi_newton_method_is_superlinear_on_a_quadratic():
    scale = torch.logspace(0, 4, 8, dtype=F64)
    objective = Given(lambda x: (scale * x**2).sum(), [1.0] * 8)
    losses = []
    SSBroyden(60).run(objective, losses.append)
    assert min(losses) <= 1e-16
    assert len(losses) <= 60


def edge(x):
    """Good until x > 2, where it is not a number."""
    return torch.where(x[0] > 2, torch.log(2 - x[0]), (x[0] - 5) ** 2)


@pytest.mark.parametrize("minimiser", [Adam(100, 0.5), SSBroyden(50), LBFGS(50)], ids=str)
def test_the_last_good_state_is_kept(minimiser):
    objective = Given(edge, [0.0])
    why = minimiser.run(objective, lambda loss: None)
    assert "not finite" in why or "no step" in why
    assert math.isfinite(float(objective.loss()))


def test_a_start_that_is_not_finite_is_refused():
    with pytest.raises(KanopError, match="not finite at the start"):
        SSBroyden(5).run(Given(lambda x: torch.log(-x.square().sum()), [1.0]), lambda loss: None)


@pytest.mark.parametrize("minimiser", [Adam(50), SOAP(50), LBFGS(50), SSBroyden(50)], ids=str)
def test_a_watch_stops_it_with_its_reason(minimiser):
    seen = []

    def watch(loss):
        seen.append(loss)
        return "enough" if len(seen) == 3 else None

    assert minimiser.run(Given(rosenbrock, START), watch) == "enough"
    assert len(seen) == 3


def test_a_problem_is_solved_the_same_way_twice_and_to_the_optimisers_limit():
    case = Sines((1, 1), 0.0)
    reference = case.reference()
    stages = [Adam(100), SSBroyden(200, redraw=100)]
    one, other = (solve_problem(case.problem(), MLP(8, 2), Strong(300), stages) for _ in range(2))
    assert [loss for _, loss in one.history] == [loss for _, loss in other.history]
    assert reference.distance(one.unknowns) <= 3e-3
    assert len(one.reasons) == 2


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Strong(points=0), "at least 1"),
        (lambda: Strong(adapt=-1), "at least 0"),
        (lambda: Strong(sampler="sobel"), "did you mean 'sobol'"),
        (lambda: Strong(weights={"u": -1.0}), "at least 0, got u"),
        (lambda: Adam(steps=0), "at least 1"),
        (lambda: solve_problem(Sines().problem(), form=Strong(8, weights={"v": 1.0})), "unknown equation 'v'"),
        (lambda: solve_problem(Sines().problem(), seconds=0), "a time is positive"),
    ],
)
def test_settings_that_make_no_sense_are_refused(make, message):
    with pytest.raises(KanopError, match=message):
        make()
