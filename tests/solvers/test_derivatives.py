"""The interface of residuals holds for more than Burgers: Navier-Stokes in (ω, ψ), Darcy with a jump."""

import math

import pytest
import torch

from kanop.kinn import AutogradDerivatives
from kanop.solvers import Grid, GridDerivatives, KanopError
from kanop.solvers.derivatives import finite_difference_matrix

NU = 0.03


def navier_stokes(D):
    """ω_t + u·∇ω = νΔω with u = (ψ_y, −ψ_x), Δψ = −ω: the first-order form that the interface was settled on."""
    w, psi = D["omega"], D["psi"]
    return {
        "omega": D.t(w) + D.y(psi) * D.x(w) - D.x(psi) * D.y(w) - NU * D.laplacian(w),
        "psi": D.laplacian(psi) + w,
    }


def translating_taylor_green(t, x, y):
    """A decaying cellular flow in the frame of a mean wind (1, 0): the transport term does not vanish."""
    decay = torch.exp(-2 * NU * t)
    return decay * 2 * torch.cos(x - t) * torch.cos(y), decay * torch.cos(x - t) * torch.cos(y) + y


def test_navier_stokes_residual_by_autograd():
    generator = torch.Generator().manual_seed(0)
    t, x, y = torch.rand(3, 30, generator=generator, dtype=torch.float64)
    functions = {
        "omega": lambda t, x, y: translating_taylor_green(t, x, y)[0],
        "psi": lambda t, x, y: translating_taylor_green(t, x, y)[1],
    }
    D = AutogradDerivatives(functions, t, [x, y])
    for residual in navier_stokes(D).values():
        assert float(residual.detach().abs().max()) < 1e-13
    assert float(D.t(D["omega"]).detach().abs().max()) > 0.1


def test_navier_stokes_residual_by_fft():
    """The periodic Taylor-Green cells (no wind: ψ must be periodic)."""
    grid = Grid((16, 16), (2 * math.pi, 2 * math.pi))
    times = torch.linspace(0, 0.1, 6, dtype=torch.float64)
    x, y = grid.mesh()
    w = torch.stack([math.exp(-2 * NU * t) * 2 * torch.cos(x) * torch.cos(y) for t in times.tolist()])[None]
    D = GridDerivatives({"omega": w, "psi": w / 2}, times, grid, order=5)
    for residual in navier_stokes(D).values():
        assert float(residual.abs().max()) < 1e-11


def test_divergence_of_a_flux_and_laplacian_agree():
    grid = Grid((12, 9), (1.0, 2.0))
    u = grid.to_physical(grid.dealias_mask(2) * grid.to_spectral(torch.randn(1, 2, 12, 9, dtype=torch.float64)))
    D = GridDerivatives({"u": u}, torch.arange(2.0), grid, order=1)
    one = torch.ones((), dtype=torch.float64)
    torch.testing.assert_close(D.div(D.flux(one, u)), D.laplacian(u), rtol=0, atol=1e-9)
    torch.testing.assert_close(D.div(D.grad(u)), D.x(u, 2) + D.y(u, 2), rtol=0, atol=1e-9)


def test_darcy_residual_on_a_layered_medium_by_autograd():
    """−(a u')' = f with a jump of a inside a cell: on each side of it the residual of the exact solution vanishes."""

    def coefficient(t, x, y):
        return torch.where(x < 0.5, 12.0, 3.0).to(x)

    def pressure(t, x, y):
        # a u' = c − x on both sides; u continuous at ½, u(0) = 0.
        c = 0.4
        left = (c * x - x**2 / 2) / 12
        half = (c * 0.5 - 0.125) / 12
        return torch.where(x < 0.5, left, half + (c * (x - 0.5) - (x**2 - 0.25) / 2) / 3)

    generator = torch.Generator().manual_seed(1)
    t, x, y = torch.rand(3, 50, generator=generator, dtype=torch.float64)
    D = AutogradDerivatives({"a": coefficient, "u": pressure}, t, [x, y])
    residual = D.div(D.flux(D["a"], D["u"])) + 1
    assert float(residual.detach().abs().max()) < 1e-13


@pytest.mark.parametrize("order", [1, 2, 4, 5])
def test_time_stencil_is_exact_for_polynomials_on_uneven_frames(order):
    times = torch.tensor([0.0, 0.1, 0.15, 0.4, 0.5, 0.55, 0.9], dtype=torch.float64)
    matrix = finite_difference_matrix(times, order)
    for p in range(order + 1):
        exact = p * times ** max(p - 1, 0)
        torch.testing.assert_close(matrix @ times**p, exact, rtol=0, atol=1e-11)
    assert float((matrix @ times ** (order + 1) - (order + 1) * times**order).abs().max()) > 1e-6


def test_bad_input_is_refused():
    grid = Grid((8,))
    u = {"u": torch.zeros(1, 3, 8, dtype=torch.float64)}
    with pytest.raises(KanopError, match="needs 5 frames, got 3"):
        GridDerivatives(u, torch.arange(3.0), grid)
    D = GridDerivatives(u, torch.arange(3.0), grid, order=2)
    with pytest.raises(KanopError, match="unknown field 'v'"):
        D["v"]
    with pytest.raises(KanopError, match="in 1 dimensions there is no derivative along y"):
        D.y(u["u"])
    walled = GridDerivatives(u, torch.arange(3.0), Grid((8,), boundaries="neumann"), order=2)
    with pytest.raises(KanopError, match="odd derivative has no symbol on a neumann axis"):
        walled.x(u["u"])
