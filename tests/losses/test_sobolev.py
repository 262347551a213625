"""Sobolev norms: closed form of single modes, Parseval, equivalences of norms, what is refused."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from kanop.losses import Sobolev, WeightedSum
from kanop.solvers import FieldSpec, Grid, KanopError

F64 = torch.float64
ORDERS = [-1.5, -1.0, 0.0, 1.0, 2.0]
KINDS = ["periodic", "dirichlet", "neumann"]
BOXES = [
    *[((16,), (length,), (kind,)) for kind in KINDS for length in (1.0, 2.7)],
    *[((12, 15), (0.5, 3.0), kinds) for kinds in itertools.product(KINDS, repeat=2)],
    ((8, 7, 9), (1.0, 2.0, 0.7), ("periodic", "dirichlet", "neumann")),
]


def mode(grid, numbers, phase):
    """∏ᵢ of the m-th sine, cosine or shifted wave of each axis, its mean square and its |k|²."""
    u, mean, k2 = torch.ones(grid.shape, dtype=F64), 1.0, 0.0
    for x, m, length, kind in zip(grid.mesh(), numbers, grid.lengths, grid.boundaries, strict=False):
        k = (2 if kind == "periodic" else 1) * math.pi * m / length
        u = u * {"periodic": torch.cos(k * x + phase), "dirichlet": torch.sin(k * x), "neumann": torch.cos(k * x)}[kind]
        mean, k2 = mean / 2, k2 + k**2
    return u, mean, k2


@pytest.mark.parametrize("s", ORDERS)
@pytest.mark.parametrize(("shape", "lengths", "kinds"), BOXES)
def test_single_mode_has_its_closed_form(shape, lengths, kinds, s):
    grid = Grid(shape, lengths, kinds)
    for numbers in ((1, 2, 1), (3, 1, 2)):
        u, mean, k2 = mode(grid, numbers, phase=0.3)
        want = math.sqrt(mean) * (1 + k2) ** (s / 2)
        assert Sobolev(s).norm(u[None, None], grid).item() == pytest.approx(want, rel=1e-12)


@pytest.mark.parametrize("kind", ["periodic", "neumann"])
@pytest.mark.parametrize("s", ORDERS)
def test_constant_has_norm_one_for_every_order(kind, s):
    grid = Grid((8, 6), lengths=(2.0, 5.0), boundaries=kind)
    assert Sobolev(s).norm(torch.ones(1, 1, 8, 6, dtype=F64), grid).item() == pytest.approx(1.0, rel=1e-12)


@pytest.mark.parametrize(("shape", "lengths", "kinds"), BOXES)
def test_order_zero_in_space_equals_order_zero_in_modes(shape, lengths, kinds):
    grid = Grid(shape, lengths, kinds)
    u = torch.randn(3, 2, *shape, dtype=F64)
    want = (grid.parseval * grid.to_spectral(u).abs() ** 2).flatten(1).sum(1).sqrt()
    assert torch.allclose(Sobolev(0.0).norm(u, grid), want, rtol=1e-12)
    assert torch.allclose(Sobolev(1e-12).norm(u, grid), want, rtol=1e-9)


def test_order_one_is_field_plus_gradient():
    grid = Grid((16, 15), lengths=(1.5, 2.0))
    u = grid.resample(grid.with_shape((7, 7)).resample(torch.randn(2, 1, 7, 7, dtype=F64), (16, 15)), (16, 15))
    u_hat = grid.to_spectral(u)
    parts = [u, *(grid.to_physical(grid.derivative(i) * u_hat) for i in range(2))]
    want = sum(p.square().flatten(1).mean(1) for p in parts).sqrt()
    assert torch.allclose(Sobolev(1.0).norm(u, grid), want, rtol=1e-12)


def test_orders_s_and_minus_s_are_dual():
    """|⟨u, v⟩| ≤ ‖u‖_s ‖v‖_{−s}, with equality for v = (1 − Δ)^s u."""
    grid = Grid((12, 10), boundaries=("periodic", "neumann"))
    u = torch.randn(1, 1, 12, 10, dtype=F64)
    v = grid.to_physical((1 - grid.laplacian) ** 1.5 * grid.to_spectral(u))
    assert (Sobolev(1.5).norm(u, grid) * Sobolev(-1.5).norm(v, grid)).item() == pytest.approx((u * v).mean().item())


@pytest.mark.parametrize("s", ORDERS)
def test_relative_loss_is_the_mean_of_ratios_of_norms_over_all_channels(s):
    grid = Grid((16,))
    p, t = torch.randn(3, 2, 16, dtype=F64), torch.randn(3, 2, 16, dtype=F64)
    loss = Sobolev(s)
    ratios = [loss.norm(p[i : i + 1] - t[i : i + 1], grid) / loss.norm(t[i : i + 1], grid) for i in range(3)]
    assert torch.allclose(loss(p, t, grid), torch.cat(ratios).mean(), rtol=1e-12)
    assert torch.allclose(Sobolev(s, relative=False)(p, t, grid), loss.norm(p - t, grid).mean(), rtol=1e-12)
    assert torch.allclose(loss.norm(p, grid) ** 2, sum(loss.norm(p[:, c : c + 1], grid) ** 2 for c in range(2)))
    assert loss(3 * p, 3 * t, grid).item() == pytest.approx(loss(p, t, grid).item())


@pytest.mark.parametrize("s", ORDERS)
def test_zero_target_takes_the_absolute_norm(s):
    grid = Grid((16,))
    p = torch.randn(2, 1, 16, dtype=F64, requires_grad=True)
    zero = torch.zeros(2, 1, 16, dtype=F64)
    loss = Sobolev(s)(p, zero, grid)
    assert loss.item() == pytest.approx(Sobolev(s, relative=False)(p, zero, grid).item())
    assert torch.autograd.grad(loss, p)[0].isfinite().all()
    start = zero.clone().requires_grad_()
    loss = Sobolev(s)(start, zero, grid)
    assert loss.item() == 0
    assert torch.autograd.grad(loss, start)[0].eq(0).all()


@pytest.mark.parametrize("s", ORDERS)
def test_gradient(s):
    grid = Grid((6, 5), boundaries=("periodic", "dirichlet"))
    p, t = (torch.randn(2, 1, 6, 5, dtype=F64, requires_grad=True) for _ in range(2))
    assert torch.autograd.gradcheck(lambda p, t: Sobolev(s)(p, t, grid), (p, t))


def test_float32_fields_keep_the_precision_of_the_weights():
    grid = Grid((4096,), lengths=(0.01,))
    u, mean, k2 = mode(grid, (1000,), 0.0)
    got = Sobolev(2.0).norm(u.float()[None, None], grid.to(torch.float32)).item()
    noise = 1e-7 * (1 + (2 * math.pi * 2048 / 0.01) ** 2) / (1 + k2)  # rounding of u, at the highest mode
    assert got == pytest.approx(math.sqrt(mean) * (1 + k2), rel=max(1e-5, noise))


def test_low_precision_predictions_are_measured_in_float32():
    grid = Grid((16,))
    p, t = torch.randn(2, 1, 16).bfloat16(), torch.randn(2, 1, 16)
    for s in ORDERS:
        loss = Sobolev(s)(p, t, grid)
        assert loss.dtype == torch.float32
        assert loss.item() == pytest.approx(Sobolev(s)(p.float(), t, grid).item(), rel=1e-6)


@pytest.mark.parametrize("loss", [Sobolev(), Sobolev(1.0), WeightedSum([{"loss": Sobolev()}])])
def test_unequal_shapes_and_other_grids_are_refused(loss):
    grid = Grid((16,))
    u = torch.zeros(2, 1, 16)
    with pytest.raises(KanopError, match=r"one shape \(b, c, \*x\), got \(2, 1, 16\) and \(2, 16\)"):
        loss(u, u[:, 0], grid)
    with pytest.raises(KanopError, match=r"\(2, 1, 16\) and \(1, 1, 16\)"):
        loss(u, u[:1], grid)
    with pytest.raises(KanopError, match=r"on the grid \(32,\), got shape \(2, 1, 16\); use grid.with_shape"):
        loss(u, u, Grid((32,)))
    with pytest.raises(KanopError, match=r"on the grid \(16, 16\)"):
        loss(u, u, Grid((16, 16)))


def test_weighted_sum_is_the_sum_of_its_weighted_terms_and_comes_from_plain_values():
    from kanop.builder import build

    grid, p, t = Grid((16,)), torch.randn(2, 1, 16), torch.randn(2, 1, 16)
    terms = [{"loss": {"_target_": "kanop.losses.Sobolev", "s": s}, "weight": w} for s, w in ((0.0, 1.0), (1.0, 0.1))]
    loss = build({"_target_": "kanop.losses.WeightedSum", "terms": terms}, trusted=True)
    want = Sobolev(0.0)(p, t, grid) + 0.1 * Sobolev(1.0)(p, t, grid)
    assert loss(p, t, grid).item() == pytest.approx(want.item(), rel=1e-6)


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ([], "at least one term"),
        ([{"weight": 1.0}], "term 0 needs a loss"),
        ([{"loss": Sobolev(), "wieght": 1.0}], "did you mean 'weight'"),
        ([{"loss": Sobolev(), "weight": float("nan")}], "not a finite number"),
    ],
)
def test_broken_terms_are_refused(terms, message):
    with pytest.raises(KanopError, match=message):
        WeightedSum(terms)


def test_spec_grid_serves_every_resolution():
    spec = FieldSpec(Grid((16,)), ["u"])
    u = torch.randn(1, 1, 7, dtype=F64)
    norms = [Sobolev(1.0).norm(Grid((7,)).resample(u, (n,)), spec.grid.with_shape((n,))).item() for n in (16, 33)]
    assert norms[0] == pytest.approx(norms[1], rel=1e-12)
