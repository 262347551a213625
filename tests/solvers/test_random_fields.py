"""Gaussian random fields: covariance, walls, coupling across resolutions, purity of each sample."""

import math

import numpy as np
import pytest
import torch

from kanop.solvers import GaussianRandomField, Grid, KanopError

PAPER = GaussianRandomField(sigma=25, tau=5, alpha=2)
SCRIPT = GaussianRandomField(sigma=49, tau=7, alpha=2.5)


@pytest.mark.parametrize("field", [PAPER, SCRIPT], ids=["paper", "script"])
def test_covariance_of_every_mode(field):
    """E|û_k|² = λ_k per unit volume for each mode, within five standard errors of a chi-square with 2N degrees."""
    n, samples = 32, 2000
    grid = Grid((n,))
    u_hat = grid.to_spectral(field.sample(grid, 3, "train", range(samples)))[:, 0]
    k2 = (2 * math.pi * torch.arange(1, n // 2)) ** 2
    expected = field.sigma**2 * (k2.double() + field.tau**2) ** (-field.alpha)
    power = (u_hat[:, 1 : n // 2].abs() ** 2).mean(0)
    assert float(((power / expected) - 1).abs().max()) < 5 / math.sqrt(samples)
    assert float(u_hat[:, 0].abs().max()) < 1e-15, "the mean is zero"


def test_modes_are_independent_and_isotropic_in_phase():
    grid = Grid((16,))
    u_hat = grid.to_spectral(PAPER.sample(grid, 0, "train", range(2000)))[:, 0, 1:7]
    white = torch.cat([u_hat.real, u_hat.imag], 1)
    white = white / white.std(0)
    off = white.T @ white / len(white) - torch.eye(12, dtype=torch.float64)
    assert float(off.abs().max()) < 5 / math.sqrt(2000)


@pytest.mark.parametrize("lengths", [(1.0, 1.0), (2.0, 1.5)])
def test_pointwise_variance_in_two_dimensions(lengths):
    """Var u(x) = Σ_k λ_k / |box|, the orthonormal eigenfunctions being normalised on the box."""
    grid = Grid((12, 16), lengths)
    field = GaussianRandomField(sigma=3, tau=4, alpha=2)
    u = field.sample(grid, 1, "valid", range(3000))
    ky, kx = (2 * math.pi * torch.arange(-n, n + 1).double() / L for n, L in zip((5, 7), lengths, strict=True))
    eigenvalues = 9 * (ky[:, None] ** 2 + kx[None] ** 2 + 16) ** -2
    eigenvalues[5, 7] = 0
    expected = float(eigenvalues.sum()) / math.prod(lengths)
    assert float(u.var(0).mean()) == pytest.approx(expected, rel=0.02)
    assert float((u.var(0) / expected - 1).abs().max()) < 0.2, "the same at every point"


D, N, P = "dirichlet", "neumann", "periodic"


@pytest.mark.parametrize(
    ("shape", "boundaries"),
    [
        ((12,), (D,)),
        ((12,), (N,)),
        ((7, 8), (D, D)),
        ((7, 6), (D, N)),
        ((8, 9), (N, P)),
        ((9, 6), (P, D)),
        ((5, 4, 6), (P, N, P)),
        ((3, 4, 5), (N, D, P)),
        ((3, 4, 3), (D, N, N)),
    ],
)
def test_covariance_of_every_mode_at_walls(shape, boundaries):
    """E|û_k|² = λ_k Π_walls (2, or 1 for a constant) / |box|; only the constant and Nyquist modes are missing."""
    samples = 500
    grid = Grid(shape, (2.0, 1.5, 0.7)[: len(shape)], boundaries)
    field = GaussianRandomField(sigma=2, tau=3, alpha=2)
    u_hat = grid.to_spectral(field.sample(grid, 5, "test", range(samples)))[:, 0]
    walls = torch.ones(grid.spectral_shape, dtype=torch.float64)
    absent = grid.laplacian == 0
    for k, m, n, kind in zip(grid.k, grid.modes, shape, boundaries, strict=True):
        walls = walls * (1 if kind == P else torch.where(m > 0, 2.0, 1.0).reshape(k.shape))
        absent = absent | ((kind == P) & (2 * m.abs() == n)).reshape(k.shape)
    expected = 4 * (9 - grid.laplacian) ** -2 * walls / math.prod(grid.lengths)
    power = (u_hat.abs() ** 2).mean(0)
    assert float(power[absent].max() if absent.any() else 0) < 1e-28
    # A real normal squared has variance 2, half the sum of two has 1.
    assert float((power / expected - 1)[~absent].abs().max()) < 5 * math.sqrt(2 / samples)


@pytest.mark.parametrize(("kind", "tau"), [(D, 0.0), (D, 3.0), (N, 3.0)])
def test_covariance_is_the_greens_function_of_the_walls(kind, tau):
    """α = 1 in 1D: E u(x)u(y) inverts −∂²+τ², as sinh and cosh say; τ = 0 between sines is the Brownian bridge."""
    samples, length = 1000, 2.0
    grid = Grid((128,), (length,), kind)
    u = GaussianRandomField(sigma=1.5, tau=tau, alpha=1).sample(grid, 0, "train", range(samples))[:, 0, 4::17]
    x = grid.points[0][4::17]
    low, high = torch.minimum(x[:, None], x), torch.maximum(x[:, None], x)
    if tau == 0:
        exact = low * (length - high) / length
    elif kind == D:
        exact = torch.sinh(tau * low) * torch.sinh(tau * (length - high)) / (tau * math.sinh(tau * length))
    else:
        exact = torch.cosh(tau * low) * torch.cosh(tau * (length - high)) / (tau * math.sinh(tau * length))
        exact = exact - 1 / (tau**2 * length)
    off = u.T @ u / samples - 2.25 * exact
    # Modes above 128 hold 2L/π²/128 of the variance.
    assert float(off.abs().max()) < 5 * math.sqrt(2 / samples) * 2.25 * float(exact.max()) + 2.25 * 0.0032
    assert float(u.mean(0).abs().max()) < 5 * math.sqrt(2.25 * float(exact.max()) / samples)


@pytest.mark.parametrize("boundaries", [(N, P), (D, N), (N, P, D)])
def test_modes_at_walls_are_independent(boundaries):
    grid = Grid((4, 5, 3)[: len(boundaries)], boundaries=boundaries)
    u_hat = grid.to_spectral(GaussianRandomField(1, 5, 3).sample(grid, 0, "train", range(1000)))
    white = torch.view_as_real(u_hat) if u_hat.is_complex() else u_hat
    white = white.flatten(1)
    white = (white / white.std(0).clamp_min(1e-15))[:, white.std(0) > 1e-12]
    off = white.T @ white / len(white) - torch.eye(white.shape[1], dtype=torch.float64)
    # Where the half spectrum holds k and −k, they are one and the same.
    pairs = int((off.abs() > 0.99).sum()) // 2
    assert float(off[off.abs() < 0.99].abs().max()) < 5.5 / math.sqrt(1000)
    functions = math.prod(n for n, kind in zip(grid.shape, boundaries, strict=True))
    assert white.shape[1] - pairs == functions - (D not in boundaries), "as many functions as points, less the mean"


def test_fields_vanish_or_are_level_at_the_walls():
    """Extrapolated to the wall: sines are 0 there, slopes of cosines too; at the same rate as the spacing's power."""
    field = GaussianRandomField(sigma=1, tau=3, alpha=4)

    def at_walls(kind: str, n: int) -> float:
        grid = Grid((n, 8), boundaries=(kind, P))
        u = field.sample(grid, 2, "train", range(4))
        size = u.abs().max()
        ends = (u[:, :, :3], u.flip(2)[:, :, :3])
        if kind == D:
            return max(float((15 * e[:, :, 0] - 10 * e[:, :, 1] + 3 * e[:, :, 2]).abs().max() / 8 / size) for e in ends)
        return max(float((-2 * e[:, :, 0] + 3 * e[:, :, 1] - e[:, :, 2]).abs().max() * n / size) for e in ends)

    assert at_walls(D, 512) < 1e-5
    assert at_walls(D, 512) < at_walls(D, 256) / 7
    assert at_walls(N, 512) < 1e-3
    assert at_walls(N, 512) < at_walls(N, 256) / 3.5


def test_cosine_modes_on_the_cells_of_a_dirichlet_grid():
    """The Darcy coefficient: the same numbers as on the Neumann grid, which has the same points."""
    coefficient = GaussianRandomField(1, 3, 2, boundaries=N)
    walls = Grid((9, 7), boundaries=D)
    ours = coefficient.sample(walls, 0, "train", range(3))
    plain = GaussianRandomField(1, 3, 2)
    assert torch.equal(ours, plain.sample(Grid((9, 7), boundaries=N), 0, "train", range(3)))
    assert not torch.allclose(ours, plain.sample(walls, 0, "train", range(3)))
    assert float(ours.mean((-2, -1)).abs().max()) < 1e-15 * float(ours.abs().max()) * 63
    mixed = coefficient.sample(Grid((9, 7), boundaries=(P, D)), 0, "train", [0])
    assert torch.equal(mixed, plain.sample(Grid((9, 7), boundaries=(P, N)), 0, "train", [0]))


@pytest.mark.parametrize("kind", [D, N, P])
def test_a_sample_is_the_sum_over_its_modes(kind):
    """Written out: one or two standard normals for each mode number, from the stream of (seed, split, index)."""
    grid = Grid((12,), (2.0,), kind, origin=(0.3,))
    u = GaussianRandomField(sigma=2, tau=3, alpha=1.5).sample(grid, 8, "valid", [6])[0, 0].numpy()
    random = np.random.Generator(np.random.Philox(np.random.SeedSequence([8, 1, 6])))
    x = grid.points[0].numpy() - 0.3
    total = np.zeros(12)
    for m in {D: range(1, 13), N: range(1, 12), P: range(1, 6)}[kind]:
        k = math.pi * m / 2 * (2 if kind == P else 1)
        size = 2 * (k**2 + 9) ** -0.75
        waves = {D: [np.sin(k * x)], N: [np.cos(k * x)], P: [np.cos(k * x), np.sin(k * x)]}[kind]
        # Each wave has norm √(L/2) = 1 on (0, 2).
        total += size * sum(wave * random.standard_normal() for wave in waves)
    np.testing.assert_allclose(u, total, rtol=0, atol=1e-14)


@pytest.mark.parametrize(
    ("coarse", "fine", "boundaries"),
    [
        ((32,), (129,), P),
        ((9, 12), (20, 17), P),
        ((6, 6, 5), (8, 9, 12), P),
        ((7,), (16,), D),
        ((7,), (16,), N),
        ((6, 5), (9, 16), (P, D)),
        ((6, 9), (9, 16), (N, P)),
        ((3, 4, 5), (6, 4, 9), (D, N, P)),
    ],
)
def test_a_finer_grid_sees_the_same_function(coarse, fine, boundaries):
    """The coarse sample is the fine one without the modes that the coarse grid lacks, to rounding."""
    field = GaussianRandomField(sigma=1, tau=2, alpha=3)
    low, high = Grid(coarse, boundaries=boundaries), Grid(fine, boundaries=boundaries)
    a, b = (field.sample(g, 7, "train", [4]) for g in (low, high))
    restricted = high.resample(b, coarse)
    # The coarse sample has no Nyquist mode: compare without it.
    for axis, n in enumerate(coarse):
        if n % 2 == 0 and low.boundaries[axis] == P:
            restricted = drop_nyquist(low, restricted, axis)
    torch.testing.assert_close(a, restricted, rtol=0, atol=1e-14)


def drop_nyquist(grid: Grid, u: torch.Tensor, axis: int) -> torch.Tensor:
    keep = (grid.modes[axis].abs() * 2 != grid.shape[axis]).reshape(grid.k[axis].shape)
    return grid.to_physical(keep * grid.to_spectral(u))


@pytest.mark.parametrize("grid", [Grid((32,)), Grid((33, 20)), Grid((12, 10), boundaries=(N, P)), Grid((6, 8, 8))])
def test_a_sample_depends_on_seed_split_and_index_alone(grid):
    batch = PAPER.sample(grid, 0, "train", range(5))
    assert torch.equal(batch[3:4], PAPER.sample(grid, 0, "train", [3]))
    others = [PAPER.sample(grid, s, split, [i]) for s, split, i in ((1, "train", 3), (0, "test", 3), (0, "train", 4))]
    assert all(not torch.allclose(batch[3:4], other) for other in others)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GaussianRandomField(sigma=-1, tau=1, alpha=2), "expected sigma > 0"),
        (
            lambda: GaussianRandomField(1, 1, 0.9).sample(Grid((8, 8)), 0, "train", [0]),
            "alpha must exceed d/2",
        ),
        (lambda: PAPER.sample(Grid((8,)), 0, "training", [0]), "did you mean 'train'"),
        (lambda: GaussianRandomField(1, 1, 2, boundaries="neuman"), "did you mean 'neumann'"),
        (lambda: GaussianRandomField(1, 1, 2, boundaries=N).sample(Grid((8,)), 0, "train", [0]), "axes with walls"),
        (lambda: PAPER.sample(Grid((2,)), 0, "train", [0]), "at least 3 points"),
        (lambda: PAPER.sample(Grid((8,)), -1, "train", [0]), "at least 0"),
    ],
)
def test_bad_fields_are_refused(make, message):
    with pytest.raises(KanopError, match=message):
        make()
