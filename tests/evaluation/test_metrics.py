"""Each metric by the law that defines it."""

import math
from types import SimpleNamespace

import pytest
import torch

from kanop.evaluation import (
    correlation,
    correlation_time,
    diverged_share,
    geometric_mean,
    invariant_drift,
    nrmse,
    relative_l2,
    relative_l2_full,
    vrmse,
)
from kanop.solvers import Grid, KanopError

METRICS = [relative_l2, nrmse, vrmse, correlation]


def test_relative_l2_is_the_scale_of_a_multiple(grid, pair):
    _, u = pair
    for metric in (relative_l2, relative_l2_full):
        error = metric(1.25 * u, u, grid)
        torch.testing.assert_close(error, torch.full_like(error, 0.25))


def test_step_and_full_relative_l2_differ_by_their_weights(grid, pair):
    """full² = Σ_t step²‖u_t‖² / Σ_t ‖u_t‖²."""
    prediction, u = pair
    energy = u.flatten(2).square().sum(-1)
    step = relative_l2(prediction, u, grid)
    expected = ((step**2 * energy).sum(1) / energy.sum(1)).sqrt()
    torch.testing.assert_close(relative_l2_full(prediction, u, grid), expected)


def test_nrmse_sums_channels_each_by_its_own_norm(grid, pair):
    _, u = pair
    scale = torch.tensor([1.1, 0.7], dtype=u.dtype).reshape(2, *[1] * grid.ndim)
    error = nrmse(scale * u, u, grid)
    torch.testing.assert_close(error, torch.full_like(error, 0.1 + 0.3))


def test_vrmse_of_the_spatial_mean_is_one(grid, pair):
    _, u = pair
    mean = u.mean(tuple(range(-grid.ndim, 0)), keepdim=True).expand_as(u)
    torch.testing.assert_close(vrmse(mean, u, grid), torch.ones(3, 4, dtype=u.dtype))
    n = math.prod(grid.shape)
    wells = vrmse(mean, u, grid, unbiased=True)
    torch.testing.assert_close(wells, torch.full_like(wells, math.sqrt(1 - 1 / n)), rtol=1e-6, atol=0)


def test_vrmse_unbiased_equals_the_wells_own(pair, grid):
    well = pytest.importorskip("the_well.benchmark.metrics", reason="the_well is not installed")
    prediction, u = pair
    last = lambda f: f.movedim(2, -1)  # noqa: E731  the_well keeps channels last
    meta = SimpleNamespace(n_spatial_dims=grid.ndim)
    theirs = well.VRMSE.eval(last(prediction), last(u), meta).mean(-1)
    torch.testing.assert_close(vrmse(prediction, u, grid, unbiased=True), theirs)


@pytest.mark.parametrize("shift", [0.0, 0.3, math.pi / 2, 2.0])
def test_correlation_of_a_shifted_sine_is_the_cosine_of_the_shift(shift):
    grid = Grid((32, 16))
    x = 2 * math.pi * grid.mesh()[0]
    u, v = (torch.sin(3 * x + s)[None, None] for s in (0.0, shift))
    expected = torch.tensor([math.cos(shift)], dtype=u.dtype)
    torch.testing.assert_close(correlation(4 * v + 5, u - 2, grid), expected, atol=1e-12, rtol=0)


def test_correlation_of_a_constant_is_zero():
    grid = Grid((8,))
    u = torch.sin(2 * math.pi * grid.points[0]).reshape(1, 1, 8)
    assert correlation(torch.ones_like(u), u, grid).item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("metric", [*METRICS, relative_l2_full])
def test_a_batch_split_changes_nothing(metric, grid, pair):
    prediction, u = (f.float() for f in pair)
    whole = metric(prediction, u, grid)
    parts = torch.cat([metric(prediction[i : i + 1], u[i : i + 1], grid) for i in range(len(u))])
    assert torch.equal(whole, parts)


@pytest.mark.parametrize("metric", METRICS)
def test_a_diverged_sample_is_nan_and_leaves_the_others(metric, grid, pair):
    prediction, u = pair
    broken = prediction.clone()
    broken[1, 2:] = torch.nan
    out = metric(broken, u, grid)
    assert torch.isnan(out[1, 2:]).all()
    keep = [0, 2]
    assert torch.equal(out[keep], metric(prediction, u, grid)[keep])
    assert diverged_share(broken) == pytest.approx(1 / 3)


def test_correlation_time_of_a_known_decay():
    """ρ = exp(−t/τ) crosses c at τ ln 1/c; linear between frames errs by O(h²)."""
    for n in (20, 40):
        times = torch.linspace(0, 2, n + 1, dtype=torch.float64)
        found = correlation_time(torch.exp(-times / 1.7), times, 0.8)
        assert abs(found - 1.7 * math.log(1 / 0.8)) < 0.3 / n**2
    assert correlation_time(torch.ones(3), torch.arange(3.0)) == math.inf
    assert correlation_time(torch.tensor([0.5, 1.0]), torch.arange(2.0)) == 0
    assert correlation_time(torch.tensor([1.0, math.nan]), torch.arange(2.0)) == 1
    # The first crossing, although ρ recovers.
    assert correlation_time(torch.tensor([1.0, 0.6, 1.0, 0.0]), torch.arange(4.0)) == pytest.approx(0.5)


def test_geometric_mean_of_a_geometric_series_is_its_middle():
    error = 0.01 * 1.5 ** torch.arange(11, dtype=torch.float64)
    assert geometric_mean(error).item() == pytest.approx(error[5].item())
    assert geometric_mean(error, steps=3).item() == pytest.approx(error[1].item())


def test_invariant_drift_starts_at_zero_and_sees_what_is_lost():
    grid = Grid((16,))
    u = torch.randn(2, 3, 1, 16, dtype=torch.float64)
    u[:, 1] = u[:, 0].roll(3, -1)
    u[:, 2] = u[:, 0] + 0.5
    equation = SimpleNamespace(invariants=lambda u, grid: {"mass": u.mean((-1, -2))})
    drift = invariant_drift(equation, u, grid)["mass"]
    expected = torch.tensor([0.0, 0.0, 0.5], dtype=u.dtype).expand(2, 3)
    torch.testing.assert_close(drift, expected, atol=1e-12, rtol=0)


def test_unequal_shapes_are_refused():
    grid = Grid((8,))
    with pytest.raises(KanopError, match=r"equal shapes.*\(4, 1, 8\).*\(4, 8\)"):
        relative_l2(torch.zeros(4, 1, 8), torch.zeros(4, 8), grid)
    with pytest.raises(KanopError, match=r"\*x = \(8,\)"):
        vrmse(torch.zeros(4, 1, 9), torch.zeros(4, 1, 9), grid)
