"""Spectra: Parseval, single modes, and what a band holds."""

import math

import pytest
import torch

from kanop.evaluation import band_errors, energy_spectrum, log_spectral_distance, mode_radius
from kanop.solvers import Grid, KanopError


def test_bands_add_up_to_the_mean_square_error(grid, pair):
    prediction, u = pair
    bands = band_errors(prediction, u, grid, limits=(2, 3))
    mse = (prediction - u).square().mean(tuple(range(2, u.ndim)))
    assert bands.shape == (3, 4, 3)
    torch.testing.assert_close(bands.sum(-1), mse, rtol=1e-12, atol=0)


def test_spectrum_adds_up_to_half_the_mean_square(grid, pair):
    _, u = pair
    half = 0.5 * u.square().sum(2).mean(tuple(range(2, u.ndim - 1)))
    torch.testing.assert_close(energy_spectrum(u, grid).sum(-1), half, rtol=1e-12, atol=0)


@pytest.mark.parametrize(("mode", "amplitude"), [(1, 1.0), (3, 0.2), (7, 2.5)])
def test_a_single_mode_sits_in_its_shell_with_a_quarter_of_its_square(mode, amplitude):
    grid = Grid((16,), lengths=(2 * math.pi,))
    u = amplitude * torch.sin(mode * grid.points[0] + 0.4).reshape(1, 1, 16)
    expected = torch.zeros(9, dtype=u.dtype)
    expected[mode] = amplitude**2 / 4
    torch.testing.assert_close(energy_spectrum(u, grid)[0], expected, atol=1e-14, rtol=0)


@pytest.mark.parametrize(("m1", "m2"), [(3, 4), (-3, 4), (0, 5), (5, 0), (2, 2), (1, 1), (3, -2)])
def test_shells_are_radial_round_to_the_nearest_and_see_both_signs(m1, m2):
    grid = Grid((16, 16))
    x, y = grid.mesh()
    u = torch.cos(2 * math.pi * (m1 * x + m2 * y))[None, None]
    spectrum = energy_spectrum(u, grid)[0]
    shell = round(math.hypot(m1, m2))
    assert spectrum.argmax() == shell
    assert spectrum[shell].item() == pytest.approx(0.25)


def test_walls_have_shells_of_half_waves():
    grid = Grid((16,), boundaries="dirichlet")
    u = torch.sin(math.pi * 3 * grid.points[0]).reshape(1, 1, 16)
    assert energy_spectrum(u, grid)[0, 3].item() == pytest.approx(0.25)


def test_bands_hold_their_modes_and_mean_the_same_at_every_resolution():
    for n in (32, 33, 64):
        grid = Grid((n,))
        x = 2 * math.pi * grid.points[0]
        u = (torch.sin(3 * x) + 0.1 * torch.sin(4 * x) + 0.01 * torch.cos(12 * x)).reshape(1, 1, n)
        bands = band_errors(torch.zeros_like(u), u, grid)[0]
        expected = torch.tensor([0.5, 0.5e-2, 0.5e-4], dtype=u.dtype)
        torch.testing.assert_close(bands, expected, rtol=1e-9, atol=0)


def test_a_batch_split_changes_nothing(grid, pair):
    prediction, u = (f.float() for f in pair)
    whole = band_errors(prediction, u, grid)
    parts = torch.cat([band_errors(p[None], v[None], grid) for p, v in zip(prediction, u, strict=True)])
    torch.testing.assert_close(whole, parts, rtol=1e-13, atol=0)


def test_log_spectral_distance_of_a_scaled_spectrum_is_its_logarithm():
    target = torch.tensor([1.0, 0.1, 1e-3, 1e-20], dtype=torch.float64)
    prediction = math.exp(0.7) * target
    prediction[-1] = 1e-3  # below the floor in the target: not resolved, hence not counted
    assert log_spectral_distance(prediction, target).item() == pytest.approx(0.7)


def test_mode_radius_and_limits():
    assert mode_radius(Grid((8,))).tolist() == [0, 1, 2, 3, 4]
    u = torch.zeros(1, 1, 8)
    with pytest.raises(KanopError, match="increasing"):
        band_errors(u, u, Grid((8,)), limits=(5, 3))
