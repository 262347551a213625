"""Admissible fields, domains, points, and the problems of the literature."""

from __future__ import annotations

import math

import pytest
import shapely
import torch

from kanop.kinn import MLP, Box, Disc, Polygon, Problem
from kanop.kinn.cases import AllenCahnFronts, BurgersShock, FastAdvection, KdVWaves, Sines
from kanop.kinn.jet_derivatives import JetDerivatives
from kanop.kinn.leaves import Known
from kanop.kinn.sampling import SAMPLERS, adapted, draw
from kanop.solvers import AllenCahn, Burgers, Helmholtz, KanopError, Wave

F64 = torch.float64
L_SHAPE = [(0, 0), (2, 0), (2, 1), (1, 1), (1, 2), (0, 2)]
HOLE = shapely.Polygon([(0, 0), (4, 0), (4, 3), (0, 3)], [[(1, 1), (2, 1), (2, 2), (1, 2)]])


def random(unknowns):
    """The same with weights that are far from zero."""
    with torch.no_grad():
        for parameter in unknowns.parameters():
            parameter.normal_(generator=torch.Generator().manual_seed(parameter.numel()))
    return unknowns


def test_values_on_walls_and_at_the_start_hold_for_every_network():
    problem = Problem(Burgers(0.1), Box([-1.0], [2.0]), (1.0, 3.0), given={"u": lambda t, x: torch.sin(x) + t})
    unknowns = random(problem.unknowns(MLP(5, 1)))
    line = torch.linspace(-1, 2, 9, dtype=F64)
    start = torch.stack([torch.ones(9, dtype=F64), line], 1)
    assert (unknowns(start)[:, 0] - torch.sin(line) - 1).abs().max() <= 1e-13
    for wall in (-1.0, 2.0):
        t = torch.linspace(1, 3, 9, dtype=F64)
        at = torch.stack([t, torch.full_like(t, wall)], 1)
        assert (unknowns(at)[:, 0] - math.sin(wall) - t).abs().max() <= 1e-13
    assert (unknowns(start + 0.5)[:, 0] - torch.sin(line + 0.5) - 1.5).abs().max() > 1e-2


def test_a_field_given_with_its_rate_starts_with_it():
    given = {"u": lambda t, x: torch.sin(x) * (1 + t)}
    problem = Problem(Wave(1.0), Box([0.0], [1.0]), (0.0, 1.0), given=given, rates=["u"])
    unknowns = random(problem.unknowns(MLP(5, 1)))
    t = torch.zeros(5, dtype=F64, requires_grad=True)
    x = torch.linspace(0, 1, 5, dtype=F64)
    (rate,) = torch.autograd.grad(unknowns(torch.stack([t, x], 1))[:, 0].sum(), t)
    assert (rate - torch.sin(x)).abs().max() <= 1e-13


def test_periodic_fields_have_no_wall():
    problem = Problem(AllenCahn(), Box([-1.0], [1.0]), (0.0, 1.0), periods=[0])
    unknowns = random(problem.unknowns(MLP(5, 1), harmonics=3))
    a, b = (torch.tensor([[0.5, x]], dtype=F64) for x in (-1.0, 1.0))
    assert (unknowns(a) - unknowns(b)).abs() <= 1e-13
    assert unknowns(a).abs() > 1e-3


@pytest.mark.parametrize("domain", [Box([0, 0], [2, 1]), Disc((1.0, 2.0), 0.5), Polygon(L_SHAPE), Polygon(HOLE)])
def test_a_distance_vanishes_on_the_boundary_alone_with_slope_one(domain):
    points = draw(Problem(Helmholtz(), domain), 400, "uniform", torch.Generator().manual_seed(0))
    assert bool((domain.distance(*points[:, 1:].unbind(1)) > 0).all())
    on, normal = boundary(domain)
    assert domain.distance(*on.unbind(1)).abs().max() <= 1e-7
    inwards = domain.distance(*(on - 1e-4 * normal).unbind(1)) / 1e-4
    assert (inwards / scale(domain, on) - 1).abs().max() <= 1e-2


def scale(domain, on):
    """The slope of Π (x − a)(b − x)/(b − a) on a side is the other axis' factor."""
    if not isinstance(domain, Box):
        return 1.0
    factors = [(v - a) * (b - v) / (b - a) for v, (a, b) in zip(on.unbind(1), domain.bounds, strict=True)]
    return torch.stack(factors).amax(0)


def boundary(domain):
    """Middles of sides, or points of the circle, with normals outwards."""
    if isinstance(domain, Disc):
        a = torch.linspace(0, 6, 13, dtype=F64)
        normal = torch.stack([a.cos(), a.sin()], 1)
        return torch.tensor(domain.centre, dtype=F64) + domain.radius * normal, normal
    corners = [(0, 0), (2, 0), (2, 1), (0, 1)] if isinstance(domain, Box) else None
    shape = shapely.Polygon(corners) if corners else domain.shape
    sides = Polygon(shapely.geometry.polygon.orient(shape)).sides
    along = sides[:, 1] - sides[:, 0]
    return sides.mean(1), torch.stack([along[:, 1], -along[:, 0]], 1) / along.norm(dim=1, keepdim=True)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_points_lie_inside_and_follow_the_seed(sampler):
    problem = Problem(AllenCahn(), Polygon(L_SHAPE), (1.0, 2.0))
    one, other = (draw(problem, 500, sampler, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(one, other)
    assert one.shape == (500, 3) or sampler == "grid"
    problem.domain.require(one[:, 1:])
    assert ((one[:, 0] >= 1) & (one[:, 0] <= 2)).all()
    # Three equal squares: none is left out.
    counts = [
        int((((one[:, 1] > 1) == right) & ((one[:, 2] > 1) == top)).sum()) for right, top in ((0, 0), (1, 0), (0, 1))
    ]
    assert min(counts) > 0.25 * len(one)


def test_adapted_points_follow_the_residual():
    pool = torch.rand(4000, 2, generator=torch.Generator().manual_seed(0), dtype=F64)
    chosen = adapted(pool, (pool[:, 1] > 0.5).double(), 1000, 1.0, 0.0, torch.Generator().manual_seed(1))
    assert bool((chosen[:, 1] > 0.5).all())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Box([0], [0]), "low < high"),
        (lambda: Disc(radius=0), "radius > 0"),
        (lambda: Polygon([(0, 0), (1, 1), (1, 0), (0, 1)]), "sides do not cross: Self-intersection"),
        (lambda: Polygon(L_SHAPE).require(torch.tensor([[1.5, 1.5]])), r"1 of 1 points lie outside .* \[1\.5, 1\.5\]"),
        (lambda: Problem(AllenCahn(), Box([0], [1]), (1.0, 1.0)), "start < end"),
        (lambda: Problem(AllenCahn(), Box([0], [1]), given={"v": torch.sin}), "unknown field 'v'"),
        (lambda: Problem(AllenCahn(), Disc(), periods=[0]), "periods are axes of a box"),
        (lambda: Sines(waves=[0, 1]), "whole numbers"),
    ],
)
def test_problems_that_make_no_sense_are_refused(make, message):
    with pytest.raises(KanopError, match=message):
        make()


CASES = [BurgersShock(), pytest.param(KdVWaves(), marks=pytest.mark.slow), FastAdvection(), Sines()]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_references_state_their_error_and_fulfil_the_conditions(case):
    problem, reference = case.problem(), case.reference()
    assert reference.error <= 1e-6
    problem.domain.require(reference.points[:, 1:])
    assert bool(reference.values.isfinite().all())
    if problem.exact is None and "u" in problem.given:
        early = reference.points[:, 0] <= 1e-9
        start = problem.given["u"](*reference.points[early].unbind(1))
        assert bool(((start - reference.values[early, 0]).abs() <= 1e-12).all())


@pytest.mark.parametrize("case", [FastAdvection(3.0), Sines((2, 1), 0.0)], ids=str)
def test_exact_solutions_solve(case):
    problem = case.problem()
    points = draw(problem, 20, "uniform", torch.Generator().manual_seed(0)).unbind(1)
    D = JetDerivatives({"u": Known(problem.exact, points)}, points)
    assert problem.equation.residual(D)["u"].at((0,) * len(points)).abs().max() <= 1e-11


@pytest.mark.slow
def test_the_reference_of_allen_cahn_is_good_to_a_millionth():
    assert AllenCahnFronts().reference().error <= 1e-6
