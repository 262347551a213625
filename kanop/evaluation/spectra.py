"""Where in the spectrum a field has its energy and a prediction its error.

Shells and bands are radial in the *mode number* |m| = √Σ m_i² (m_i waves across a periodic side, m_i half
waves between walls), so they mean the same at every resolution. On a sphere they are the degrees l.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from kanop.evaluation.metrics import Field, check_pair
from kanop.solvers import Geometry
from kanop.solvers.errors import check

__all__ = ["band_errors", "energy_spectrum", "log_spectral_distance", "mode_radius"]


def mode_radius(grid: Geometry) -> Float[Tensor, "*k"]:
    """|m| = √Σ m_i² of each stored coefficient; l on a sphere."""
    squares = [m.double().square().expand(grid.spectral_shape) for m in grid.numbers]
    return torch.stack(squares).sum(0).sqrt()


def energy_spectrum(u: Float[Tensor, "b ..."], grid: Geometry) -> Float[Tensor, "b ..."]:
    """E(κ) = ½ Σ_{κ−½ ≤ |m| < κ+½} w_m |û_m|², κ = 0, 1, …; Σ_κ E(κ) = ½⟨u²⟩, channels summed.

    Parameters
    ----------
    u : (b, t, c, *x) or (b, c, *x)
    grid : its grid (periodic axes and walls)

    Returns
    -------
    (b, t, κ) or (b, κ)

    >>> from kanop.solvers import Grid
    >>> grid = Grid((16,))
    >>> u = 2 * torch.sin(2 * torch.pi * 3 * grid.points[0]).reshape(1, 1, 16)
    >>> energy_spectrum(u, grid)[0, :5].round(decimals=9).tolist()
    [0.0, 0.0, 0.0, 1.0, 0.0]
    """
    u, _ = check_pair(u, u, grid)
    energy = 0.5 * _power(u, grid)
    shell = (mode_radius(grid) + 0.5).floor().long().flatten().to(u.device)
    out = energy.new_zeros((*energy.shape[:-1], int(shell.max()) + 1))
    return out.index_add_(-1, shell, energy)


def band_errors(
    prediction: Field,
    target: Field,
    grid: Geometry,
    limits: Sequence[float] = (4, 12),
) -> Float[Tensor, "b ... band"]:
    """Σ_{|m| in band} w_m |û_m − u_m|², mean over channels: the bands add up to the mean square error.

    Bands are [0, l₁), [l₁, l₂), …, [l_last, ∞); the default's three, low |m| < 4, middle and high |m| ≥ 12,
    have PDEBench's limits (Takamoto et al. 2022, arXiv:2210.07182). With `prediction = 0` this is
    the target's own content of each band.
    """
    prediction, target = check_pair(prediction, target, grid)
    check(
        list(limits) == sorted(limits) and len(limits) > 0 and limits[0] > 0,
        f"band limits are positive and increasing, got {tuple(limits)}",
    )
    power = _power(prediction - target, grid) / target.shape[-grid.ndim - 1]
    edges = torch.as_tensor(limits, dtype=torch.float64)
    band = torch.bucketize(mode_radius(grid).cpu(), edges, right=True).flatten().to(power.device)
    return power.new_zeros((*power.shape[:-1], len(limits) + 1)).index_add_(-1, band, power)


def log_spectral_distance(
    prediction: Float[Tensor, "*b kappa"], target: Float[Tensor, "*b kappa"], floor: float = 1e-10
) -> Float[Tensor, "*b"]:
    """√⟨(ln E_û/E_u)²⟩ over the resolved shells, E_u > `floor`·max E_u: below it is rounding, not physics."""
    resolved = target > floor * target.amax(-1, keepdim=True)
    ratio = (prediction.clamp_min(1e-300) / target.clamp_min(1e-300)).log().square()
    return (torch.where(resolved, ratio, 0).sum(-1) / resolved.sum(-1).clamp_min(1)).sqrt()


def _power(u: Float[Tensor, "b ..."], grid: Geometry) -> Float[Tensor, "b ... modes"]:
    """w_m |û_m|², summed over channels, modes in one axis: its sum is ⟨Σ_c u_c²⟩."""
    grid = grid.to(torch.float64, u.device)
    power = grid.parseval * grid.to_spectral(u).abs().square()
    return power.sum(-grid.ndim - 1).flatten(-grid.ndim)
