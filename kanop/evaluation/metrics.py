"""Errors of a prediction, one number per sample (and step), summed in float64: no batch split changes them.

Shapes: `prediction` and `target` are (b, t, c, *x) or (b, c, *x); what comes back is (b, t) or (b,).
⟨·⟩ is the mean over the grid's points, on a sphere by its quadrature. NaN stays NaN: diverged samples are counted by
whoever averages, never dropped here.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from kanop.solvers import Geometry, SphereGrid
from kanop.solvers.errors import check

__all__ = [
    "check_pair",
    "correlation",
    "correlation_time",
    "diverged_share",
    "geometric_mean",
    "invariant_drift",
    "nrmse",
    "relative_l2",
    "relative_l2_full",
    "vrmse",
]

Field = Float[Tensor, "b ..."]


def relative_l2(prediction: Field, target: Field, grid: Geometry) -> Float[Tensor, "b ..."]:
    """‖û−u‖ / ‖u‖, the norm over space and channels, for each sample and step.

    The "step" error of Li et al. 2020, arXiv:2010.08895.

    >>> from kanop.solvers import Grid
    >>> u = torch.sin(2 * torch.pi * Grid((16,)).points[0]).reshape(1, 1, 16)
    >>> round(relative_l2(1.1 * u, u, Grid((16,))).item(), 6)
    0.1
    """
    prediction, target = check_pair(prediction, target, grid)
    over = _space(grid, channels=True)
    return _rms(prediction - target, grid, over) / _floor(_rms(target, grid, over))


def relative_l2_full(prediction: Field, target: Field, grid: Geometry) -> Float[Tensor, " b"]:
    """‖û−u‖ / ‖u‖, the norm over space, channels and all steps at once: "full" in Li et al. 2020; (b,)."""
    prediction, target = check_pair(prediction, target, grid)
    over = tuple(range(1, target.ndim))
    return _rms(prediction - target, grid, over) / _floor(_rms(target, grid, over))


def nrmse(prediction: Field, target: Field, grid: Geometry) -> Float[Tensor, "b ..."]:
    """Σ_c ‖û_c−u_c‖ / ‖u_c‖: each channel by its own norm, channels *summed*.

    Koehler et al. 2024, arXiv:2411.00180.
    """
    prediction, target = check_pair(prediction, target, grid)
    over = _space(grid)
    return (_rms(prediction - target, grid, over) / _floor(_rms(target, grid, over))).sum(-1)


def vrmse(prediction: Field, target: Field, grid: Geometry, unbiased: bool = False) -> Float[Tensor, "b ..."]:
    """√(⟨(û−u)²⟩ / Var u), mean over channels: to predict the spatial mean of u scores exactly 1.

    `unbiased=True` is The Well's own formula, √(⟨(û−u)²⟩ / (Var_{N−1} u + 1e-7)) (Ohana et al. 2024,
    arXiv:2412.00568): its variance divides by N − 1, hence predicting the mean scores √(1 − 1/N) there.
    """
    prediction, target = check_pair(prediction, target, grid)
    over = _space(grid)
    spread = target - _mean(target, grid, over, keepdim=True)
    points = torch.Size(grid.shape).numel()
    variance = _mean(spread.square(), grid, over) * (points / (points - 1) if unbiased else 1)
    variance = variance + 1e-7 if unbiased else _floor(variance)
    return (_mean((prediction - target).square(), grid, over) / variance).sqrt().mean(-1)


def correlation(prediction: Field, target: Field, grid: Geometry) -> Float[Tensor, "b ..."]:
    """Centred Pearson ρ = ⟨(û−⟨û⟩)(u−⟨u⟩)⟩ / (σ_û σ_u), population moments, mean over channels.

    A constant field correlates with nothing: 0. Of anomalies from a climatology, subtracted from both, it is the
    anomaly correlation of weather forecasts.
    """
    prediction, target = check_pair(prediction, target, grid)
    over = _space(grid)
    prediction = prediction - _mean(prediction, grid, over, keepdim=True)
    target = target - _mean(target, grid, over, keepdim=True)
    size = _rms(prediction, grid, over) * _rms(target, grid, over)
    rho = _mean(prediction * target, grid, over) / _floor(size)
    return rho.mean(-1)


def correlation_time(rho: Float[Tensor, " t"], times: Float[Tensor, " t"], threshold: float = 0.8) -> float:
    """First time at which ρ falls below `threshold`, linear between frames; ∞ if never; NaN counts as below.

    The first crossing: to count the frames above the threshold, as some do, is longer where ρ recovers.

    >>> correlation_time(torch.tensor([1.0, 0.75, 0.25]), torch.arange(3.0), threshold=0.5)
    1.5
    """
    rho, times = rho.double(), times.double()
    check(
        rho.shape == times.shape,
        f"expected one time a value, got {tuple(rho.shape)} and {tuple(times.shape)}",
    )
    below = (~(rho >= threshold)).nonzero()
    if len(below) == 0:
        return math.inf
    i = int(below[0])
    if i == 0 or not bool(torch.isfinite(rho[i])):
        return float(times[i])
    share = (rho[i - 1] - threshold) / (rho[i - 1] - rho[i])
    return float(times[i - 1] + share * (times[i] - times[i - 1]))


def geometric_mean(error: Float[Tensor, "*b t"], steps: int = 100) -> Float[Tensor, "*b"]:
    """exp(1/T Σ_t log error(t)) over the first T = min(`steps`, t) steps; it rewards early accuracy."""
    return error[..., :steps].double().log().mean(-1).exp()


def diverged_share(u: Float[Tensor, "b ..."]) -> float:
    """Share of samples with a value that is not finite, at any step."""
    return float((~torch.isfinite(u).flatten(1).all(1)).double().mean())


def invariant_drift(equation: Any, u: Float[Tensor, "b t c ..."], grid: Geometry) -> dict[str, Float[Tensor, "b t"]]:
    """I(u(t)) − I(u(0)) for each of `equation.invariants`, in its own unit: 0 where it is kept exactly."""
    grid = grid.to(torch.float64, u.device)
    return {name: value - value[:, :1] for name, value in equation.invariants(u.double(), grid).items()}


def check_pair(prediction: Tensor, target: Tensor, grid: Geometry) -> tuple[Tensor, Tensor]:
    """Both in float64, or KanopError: shapes that broadcast by accident give numbers that mean nothing."""
    check(
        prediction.shape == target.shape,
        f"expected equal shapes, got prediction {tuple(prediction.shape)} and target {tuple(target.shape)}",
    )
    check(
        target.ndim in (grid.ndim + 2, grid.ndim + 3) and tuple(target.shape[-grid.ndim :]) == tuple(grid.shape),
        f"expected (b, c, *x) or (b, t, c, *x), *x = {tuple(grid.shape)}, got shape {tuple(target.shape)}",
    )
    return prediction.double(), target.double()


def _space(grid: Geometry, channels: bool = False) -> tuple[int, ...]:
    return tuple(range(-grid.ndim - channels, 0))


def _mean(u: Tensor, grid: Geometry, over: tuple[int, ...], keepdim: bool = False) -> Tensor:
    """⟨u⟩, over channels or steps too where `over` has them."""
    if isinstance(grid, SphereGrid):
        u = u * grid.to(torch.float64, u.device).weights
    return u.mean(over, keepdim)


def _rms(u: Tensor, grid: Geometry, over: tuple[int, ...]) -> Tensor:
    return _mean(u.square(), grid, over).sqrt()


def _floor(x: Tensor) -> Tensor:
    # Zero over zero is an error of zero, not NaN: a field that is truly zero may be predicted exactly.
    return x.clamp_min(torch.finfo(x.dtype).tiny)
