"""Gaussian random fields: covariance, coupling across resolutions, purity of each sample."""

import math

import pytest
import torch

from kanop.solvers import GaussianRandomField, Grid, KanopError

PAPER = GaussianRandomField(sigma=25, tau=5, alpha=2)
SCRIPT = GaussianRandomField(sigma=49, tau=7, alpha=2.5)


@pytest.mark.parametrize("field", [PAPER, SCRIPT], ids=["paper", "script"])
def test_covariance_of_every_mode(field):
    """E|û_k|² = λ_k per unit volume for each mode, within five standard errors of a chi-square with 2N degrees."""
    n, samples = 32, 4000
    grid = Grid((n,))
    u_hat = grid.to_spectral(field.sample(grid, 3, "train", range(samples)))[:, 0]
    k2 = (2 * math.pi * torch.arange(1, n // 2)) ** 2
    expected = field.sigma**2 * (k2.double() + field.tau**2) ** (-field.alpha)
    power = (u_hat[:, 1 : n // 2].abs() ** 2).mean(0)
    assert float(((power / expected) - 1).abs().max()) < 5 / math.sqrt(samples)
    assert float(u_hat[:, 0].abs().max()) < 1e-15, "the mean is zero"


def test_modes_are_independent_and_isotropic_in_phase():
    grid = Grid((16,))
    u_hat = grid.to_spectral(PAPER.sample(grid, 0, "train", range(4000)))[:, 0, 1:7]
    white = torch.cat([u_hat.real, u_hat.imag], 1)
    white = white / white.std(0)
    off = white.T @ white / len(white) - torch.eye(12, dtype=torch.float64)
    assert float(off.abs().max()) < 5 / math.sqrt(4000)


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


@pytest.mark.parametrize(("coarse", "fine"), [((32,), (129,)), ((9, 12), (20, 17)), ((6, 6, 5), (8, 9, 12))])
def test_a_finer_grid_sees_the_same_function(coarse, fine):
    """The coarse sample is the fine one without the modes that the coarse grid lacks, to rounding."""
    field = GaussianRandomField(sigma=1, tau=2, alpha=3)
    low, high = Grid(coarse), Grid(fine)
    a, b = (field.sample(g, 7, "train", [4]) for g in (low, high))
    restricted = high.resample(b, coarse)
    # The coarse sample has no Nyquist mode: compare without it.
    for axis, n in enumerate(coarse):
        if n % 2 == 0:
            restricted = drop_nyquist(low, restricted, axis)
    torch.testing.assert_close(a, restricted, rtol=0, atol=1e-14)


def drop_nyquist(grid: Grid, u: torch.Tensor, axis: int) -> torch.Tensor:
    keep = (grid.modes[axis].abs() * 2 != grid.shape[axis]).reshape(grid.k[axis].shape)
    return grid.to_physical(keep * grid.to_spectral(u))


def test_a_sample_depends_on_seed_split_and_index_alone():
    grid = Grid((32,))
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
        (lambda: PAPER.sample(Grid((8,), boundaries="neumann"), 0, "train", [0]), "periodic"),
    ],
)
def test_bad_fields_are_refused(make, message):
    with pytest.raises(KanopError, match=message):
        make()
