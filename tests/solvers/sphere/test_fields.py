"""Gaussian random fields on the sphere: alike at all points, with the covariance that they state."""

from __future__ import annotations

import math

import pytest
import torch

from kanop.solvers import GaussianRandomField, KanopError, SphereGrid

LAW = GaussianRandomField(sigma=2.0, tau=3.0, alpha=2.0)
SAMPLES = 4000


def test_the_variance_is_one_and_the_same_at_the_poles_and_at_the_equator():
    """Σ_l σ²(l(l + 1)/R² + τ²)^(−α) (2l + 1)/4πR², within five standard deviations of a sample of so many."""
    grid = SphereGrid((9, 18), radius=2.0)
    u = LAW.sample(grid, 0, "train", range(SAMPLES))[:, 0]
    l = torch.arange(1, 9, dtype=torch.float64)
    exact = float((4 * (l * (l + 1) / 4 + 9) ** -2 * (2 * l + 1)).sum() / (4 * math.pi * 4))
    rows = u.square().mean(0)[:, 0]
    assert (rows / exact - 1).abs().max() < 5 * math.sqrt(2 / SAMPLES)
    assert u.mean((1, 2)).abs().max() < 10 * exact


def test_the_covariance_of_two_points_depends_on_their_angle_alone():
    """By Legendre polynomials of the angle, between two points of one longitude and two of one latitude."""
    grid = SphereGrid((9, 18))
    u = LAW.sample(grid, 1, "train", range(SAMPLES))[:, 0]
    latitude, longitude = grid.mesh()
    x = torch.stack([latitude.cos() * longitude.cos(), latitude.cos() * longitude.sin(), latitude.sin()])
    for first, second in (((1, 0), (4, 0)), ((4, 0), (4, 3)), ((2, 5), (6, 16))):
        cosine = float((x[:, *first] * x[:, *second]).sum())
        legendre = [1.0, cosine]
        for l in range(2, 9):
            legendre.append(((2 * l - 1) * cosine * legendre[-1] - (l - 1) * legendre[-2]) / l)
        terms = [4 * (l * (l + 1) + 9) ** -2 * (2 * l + 1) / (4 * math.pi) for l in range(9)]
        exact = sum(a * p for a, p in zip(terms[1:], legendre[1:], strict=True))
        found = float((u[:, *first] * u[:, *second]).mean())
        assert abs(found - exact) < 5 * sum(terms[1:]) / math.sqrt(SAMPLES)


def test_a_finer_grid_adds_degrees_and_changes_none():
    coarse, fine = SphereGrid((16, 32)), SphereGrid((32, 64))
    few, many = (grid.to_spectral(LAW.sample(grid, 3, "test", [7])) for grid in (coarse, fine))
    assert (many[..., :16, :16] - few).abs().max() < 1e-14
    assert many[..., 16:, :].abs().max() > 1e-6


def test_a_sample_does_not_depend_on_its_batch():
    grid = SphereGrid((16, 32))
    together = LAW.sample(grid, 0, "train", [3, 4, 5])
    assert torch.equal(together[1:2], LAW.sample(grid, 0, "train", [4]))
    assert LAW.sample(grid, 0, "train", []).shape == (0, 1, 16, 32)


def test_walls_are_refused():
    with pytest.raises(KanopError, match="a sphere has no walls"):
        GaussianRandomField(1.0, 1.0, 2.0, boundaries="neumann").sample(SphereGrid((8, 16)), 0, "train", [0])
