"""Statistics of chaotic flows: what survives when single trajectories do not."""

import math
from functools import lru_cache

import numpy as np
import pytest
import torch
from scipy.integrate import cumulative_simpson

from kanop.solvers import Grid, KuramotoSivashinsky, NavierStokes3D, solve

SIZE = 22.0


def on_the_attractor(samples: int, points: int) -> tuple[Grid, torch.Tensor]:
    grid = Grid((points,), lengths=[SIZE])
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(samples, 8, generator=generator, dtype=torch.float64)
    waves = [torch.sin(2 * math.pi * k * grid.points[0] / SIZE + 6 * noise[:, k : k + 1]) for k in range(1, 4)]
    u0 = sum(waves)[:, None]
    return grid, solve(KuramotoSivashinsky(), u0, grid, [0, 200], dt=0.25).u[:, 1]


def lyapunov(samples: int, span: float, points: int = 64, dt: float = 0.25) -> float:
    """λ₁ over samples·span units of time: growth of distances of 1e-7, taken back to that every 2 units."""
    grid, u = on_the_attractor(samples, points)
    generator = torch.Generator().manual_seed(1)
    off = torch.randn(u.shape, generator=generator, dtype=torch.float64)
    growth, every, size = 0.0, 2.0, 1e-7
    for turn in range(round(span / every) + 20):
        off = size * off / off.flatten(1).norm(dim=1)[:, None, None]
        both = solve(KuramotoSivashinsky(), torch.cat([u, u + off]), grid, [0, every], dt=dt).u[:, 1]
        u, off = both[:samples], both[samples:] - both[:samples]
        # In the first turns the distance is still turning to the direction that grows fastest.
        if turn >= 20:
            growth += float((off.flatten(1).norm(dim=1) / size).log().sum())
    return growth / (samples * span)


def test_the_kuramoto_sivashinsky_attractor_has_its_lyapunov_exponent() -> None:
    """Cvitanović et al. 2010, doi:10.1137/070705623: λ₁ ≈ 0.048 for L = 22; Edson et al. 2019: 0.043."""
    assert 0.042 <= lyapunov(samples=100, span=200) <= 0.050


@pytest.mark.slow
def test_one_trajectory_has_the_lyapunov_exponent_of_many() -> None:
    assert 0.042 <= lyapunov(samples=1, span=2e4) <= 0.050


@lru_cache
def spectra(points: int, dt: float) -> torch.Tensor:
    grid, u = on_the_attractor(samples=100, points=points)
    run = solve(KuramotoSivashinsky(), u, grid, [0, 50, 100, 150, 200], dt=dt)
    return grid.to_spectral(run.u).abs().square().mean((1, 2))[:, 1:12]


@pytest.mark.parametrize(("points", "dt"), [(128, 0.25), (64, 0.125)])
def test_the_spectrum_is_that_of_twice_the_points_and_of_half_the_step(points: int, dt: float) -> None:
    one, two = spectra(64, 0.25), spectra(points, dt)
    spread = (one.var(0) / len(one) + two.var(0) / len(two)).sqrt()
    # Eleven modes: none beyond four standard errors, and these are themselves some per cent.
    assert (one.mean(0) - two.mean(0)).abs().div(spread).max() <= 4
    assert (spread / one.mean(0)).max() <= 0.2


def taylor_green(points: int, reynolds: float, stop: float, dt: float, frames: int) -> tuple[np.ndarray, ...]:
    """Times, energy ½⟨|u|²⟩ and enstrophy ½⟨|ω|²⟩ of the vortices of Taylor and Green on (0, 2π)³."""
    grid = Grid((points,) * 3, lengths=[2 * math.pi] * 3)
    equation = NavierStokes3D(nu=1 / reynolds)
    x, y, z = grid.mesh()
    u = torch.stack([x.sin() * y.cos() * z.cos(), -x.cos() * y.sin() * z.cos(), torch.zeros(grid.shape)])[None]
    times, energy, enstrophy = np.linspace(0, stop, frames + 1), [], []
    for t in times:
        if t > 0:
            u = solve(equation, u, grid, [0, stop / frames], dt=dt).u[:, 1]
        energy.append(0.5 * float(u.square().sum(1).mean()))
        enstrophy.append(0.5 * float(equation.vorticity(u, grid).square().sum(1).mean()))
    return times, np.array(energy), np.array(enstrophy)


def budget(reynolds: float, times: np.ndarray, energy: np.ndarray, enstrophy: np.ndarray) -> float:
    """Largest |E(0) − E(t) − 2ν∫Z|/E(0)."""
    lost = 2 / reynolds * cumulative_simpson(enstrophy, x=times, initial=0)
    return float(np.abs(energy[0] - energy - lost).max() / energy[0])


def test_taylor_green_vortices_need_no_finer_grid_and_lose_what_viscosity_takes() -> None:
    coarse, fine = (taylor_green(n, 20, 10.0, 0.1, 40) for n in (24, 36))
    np.testing.assert_allclose(coarse[2], fine[2], rtol=1e-3)
    assert budget(20, *coarse) <= 1e-4


@pytest.mark.slow
def test_taylor_green_vortices_at_100() -> None:
    coarse, fine = (taylor_green(n, 100, 10.0, 0.1, 40) for n in (64, 96))
    np.testing.assert_allclose(coarse[2], fine[2], rtol=1e-3)
    assert budget(100, *coarse) <= 1e-4


@pytest.mark.slow
def test_taylor_green_vortices_at_1600_dissipate_most_at_nine() -> None:
    """Van Rees et al. 2011, doi:10.1016/j.jcp.2010.11.031: −dE/dt peaks at t ≈ 9 with 0.0126 on 512³."""
    times, energy, enstrophy = taylor_green(128, 1600, 10.0, 0.025, 100)
    dissipation = 2 / 1600 * enstrophy
    assert times[dissipation.argmax()] == pytest.approx(9, abs=0.5)
    assert dissipation.max() == pytest.approx(0.0126, rel=0.15)
    assert budget(1600, times, energy, enstrophy) <= 1e-4
