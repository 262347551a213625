"""Metrics, spectra and maps on the sphere."""

from __future__ import annotations

import math

import pytest
import torch

from kanop.evaluation.maps import PIXELS, mollweide
from kanop.evaluation.metrics import correlation, nrmse, relative_l2, vrmse
from kanop.evaluation.spectra import band_errors, energy_spectrum
from kanop.losses import Sobolev
from kanop.solvers import SphereGrid

F64 = torch.float64
GRID = SphereGrid((24, 48), "equiangular", radius=2.0)


def harmonic(degree, order):
    """Re Y_lm, of mean square 1."""
    u_hat = torch.zeros(GRID.spectral_shape, dtype=GRID.spectral_dtype)
    u_hat[degree, order] = math.sqrt(4 * math.pi / (1 if order == 0 else 2))
    return GRID.to_physical(u_hat)[None, None]


def test_errors_are_those_of_the_sphere_not_of_the_map():
    """Y_10 and a wrong part orthogonal to it: by Parseval, whatever the crowd of points at the poles."""
    u, wrong = harmonic(1, 0), harmonic(5, 5)
    v = u + 0.1 * wrong
    assert relative_l2(v, u, GRID).item() == pytest.approx(0.1, rel=1e-12)
    assert nrmse(v, u, GRID).item() == pytest.approx(0.1, rel=1e-12)
    assert vrmse(v, u, GRID).item() == pytest.approx(0.1, rel=1e-12)
    assert correlation(v, u, GRID).item() == pytest.approx(1 / math.sqrt(1.01), rel=1e-12)
    assert Sobolev()(v, u, GRID).item() == pytest.approx(0.1, rel=1e-12)
    on_the_map = ((v - u).square().mean() / u.square().mean()).sqrt().item()
    assert abs(on_the_map - 0.1) > 0.02


@pytest.mark.parametrize("s", [1.0, -1.0, 0.5])
def test_sobolev_norms_weigh_degrees_by_the_unit_spheres_laplacian(s):
    u, wrong = harmonic(2, 1), harmonic(6, 3)
    want = 0.1 * ((1 + 6 * 7) / (1 + 2 * 3)) ** (s / 2)
    assert Sobolev(s)(u + 0.1 * wrong, u, GRID).item() == pytest.approx(want, rel=1e-12)


def test_spectra_and_bands_are_by_degree():
    u = harmonic(3, 2) + 2 * harmonic(7, 0)
    energy = energy_spectrum(u, GRID)[0]
    assert energy[3].item() == pytest.approx(0.5, rel=1e-12)
    assert energy[7].item() == pytest.approx(2.0, rel=1e-12)
    assert energy.sum().item() == pytest.approx(2.5, rel=1e-12)
    bands = band_errors(u, torch.zeros_like(u), GRID, (4, 6))[0]
    assert bands.tolist() == pytest.approx([1.0, 0.0, 4.0], abs=1e-12)


def test_a_map_shows_every_place_once_and_nothing_outside():
    latitude, longitude = GRID.mesh()
    north = mollweide(latitude, GRID)
    seen = ~north.isnan()
    # The ellipse is π/4 of its box; the graticule takes a share of it.
    assert 0.7 * math.pi / 4 < seen.double().mean() < math.pi / 4
    assert north[seen].abs().max() > 1.4
    rows = north.nanmean(0)
    assert (rows[~rows.isnan()].diff() >= -1e-12).all()  # from south to north
    middle = mollweide(torch.cos(longitude), GRID)[PIXELS[0] // 2 + 2, PIXELS[1] // 2 + 3]
    assert middle > 0.9  # longitude 0
    # True areas: the mean over the map is that over the sphere.
    share = (mollweide((latitude.abs() > math.pi / 6).double(), GRID)[seen]).mean()
    assert share == pytest.approx(0.5, abs=0.05)
