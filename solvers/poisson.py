"""Poisson and Helmholtz problems on a box with periodic, Dirichlet or Neumann axes, by the grid's own series."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from kanop.solvers.errors import KanopError, check
from kanop.solvers.grid import Grid

__all__ = ["solve_helmholtz", "solve_poisson"]


def solve_poisson(f: Float[Tensor, "b c *x"], grid: Grid) -> Float[Tensor, "b c *x"]:
    r"""u with −Δu = f: û = f̂/|k|² mode by mode, hence spectral accuracy where the series of f converges fast.

    u vanishes on Dirichlet walls, its normal derivative on Neumann walls. Without a Dirichlet axis u is known up to a
    constant; the one with zero mean is returned, and f must have zero mean.

    A source that does not suit the walls keeps less: its series is that of its odd (Dirichlet) or even (Neumann)
    reflection, which has a jump where f ≠ 0 on a Dirichlet wall or a kink where ∂f/∂n ≠ 0 on a Neumann wall: u is
    then second order in h. Where f itself suits, but not its second derivative, u is fourth order.

    Parameters
    ----------
    f : (b, c, *x) source at the points of the grid, finite
    grid : 1 to 3 axes, any mix of boundaries; f is cast to its precision

    Raises
    ------
    KanopError : a shape that does not fit, NaN or infinity, a mean that is not zero where no axis is Dirichlet

    Examples
    --------
    >>> grid = Grid((16,), boundaries="dirichlet")
    >>> u = torch.sin(torch.pi * grid.points[0])[None, None]
    >>> bool((solve_poisson(torch.pi**2 * u, grid) - u).abs().max() < 1e-14)
    True
    """
    f = _checked(f, grid)
    if "dirichlet" not in grid.boundaries:
        _require_zero_mean(f, grid)
    symbol = -grid.laplacian
    # The constant is the one mode with |k| = 0: its coefficient is rounding in f, and free in u.
    return grid.to_physical(grid.to_spectral(f) * torch.where(symbol > 0, 1 / symbol, 0))


def solve_helmholtz(f: Float[Tensor, "b c *x"], grid: Grid, k2: float) -> Float[Tensor, "b c *x"]:
    r"""u with (−Δ − κ²) u = f: û = f̂/(|k|² − κ²), boundaries and accuracy as in `solve_poisson`.

    Parameters
    ----------
    f : (b, c, *x) source at the points of the grid, finite
    grid : 1 to 3 axes, any mix of boundaries; f is cast to its precision
    k2 : κ² in 1/length²; negative for the screened problem (−Δ + |κ²|) u = f

    Raises
    ------
    KanopError : κ² equal, to rounding, to an eigenvalue of −Δ (the nearest one and its mode are named); as above

    Examples
    --------
    >>> grid = Grid((16,), lengths=(2 * torch.pi,))
    >>> u = torch.cos(3 * grid.points[0])[None, None]
    >>> bool((solve_helmholtz((9 - 2) * u, grid, k2=2.0) - u).abs().max() < 1e-14)
    True
    """
    f = _checked(f, grid)
    check(bool(torch.isfinite(torch.tensor(float(k2)))), f"expected a finite k2, got {k2}")
    gap = -grid.laplacian - k2
    _require_no_resonance(gap, grid, k2)
    return grid.to_physical(grid.to_spectral(f) / gap)


def _checked(f: Tensor, grid: Grid) -> Tensor:
    expected = f"expected a source (b, c, *x) with *x = {grid.shape} on this grid, got shape {tuple(f.shape)}"
    check(f.ndim == grid.ndim + 2 and f.shape[2:] == grid.shape, expected)
    bad = ~torch.isfinite(f)
    if bool(bad.any()):
        place = bad.nonzero()[0].tolist()
        value = float(f[tuple(place)])
        raise KanopError(f"the source must be finite, but sample {place[0]} has {value} at point {tuple(place[2:])}")
    return f.to(grid.device, grid.dtype)


def _require_zero_mean(f: Tensor, grid: Grid) -> None:
    values = f.flatten(2)
    mean, size = values.mean(-1), values.abs().amax(-1)
    bad = mean.abs() > 1e4 * torch.finfo(grid.dtype).eps * size
    if bool(bad.any()):
        sample, channel = bad.nonzero()[0].tolist()
        kinds = "/".join(dict.fromkeys(grid.boundaries))
        raise KanopError(
            f"on an all {kinds} box −Δu = f needs a source of zero mean, but that of "
            f"sample {sample}, channel {channel} is {float(mean[sample, channel]):.3g}: "
            "subtract it (f − f.mean over the axes of space), or make an axis Dirichlet"
        )


def _require_no_resonance(gap: Tensor, grid: Grid, k2: float) -> None:
    index = int(gap.abs().argmin())
    place = torch.unravel_index(torch.tensor(index), gap.shape)
    nearest = -float(grid.laplacian.flatten()[index])
    mode = tuple(int(m[i]) for m, i in zip(grid.modes, place, strict=True))
    close = 1e3 * torch.finfo(grid.dtype).eps * max(abs(k2), abs(nearest))
    check(
        abs(nearest - k2) > close,
        f"k2 = {k2:.12g} is an eigenvalue of −Δ on this grid to rounding ({nearest:.12g}, mode {mode}): "
        "the problem has no unique solution; move k2 away from it"
        + (", or call solve_poisson" if nearest == 0 else ""),
    )
