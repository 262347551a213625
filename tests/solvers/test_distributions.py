"""The starts of the recipes: spectra and moments, one function at every resolution, speeds, ranges, refusals."""

import math

import pytest
import torch

from kanop.solvers import (
    CellNoise,
    GaussianBlobs,
    GaussianRandomField,
    Grid,
    KanopError,
    LogNormal,
    McWilliams,
    Mixture,
    NavierStokes2D,
    PeakedVorticity,
    SolenoidalNoise,
    Spiral,
    TruncatedFourier,
    TwoPhase,
)

TAU = 2 * math.pi
D, N, P = "dirichlet", "neumann", "periodic"
COSINES = GaussianRandomField(1, 3, 2, boundaries=N)
PLANE = Grid((32, 32), (TAU, TAU))
SPACE = Grid((16, 16, 16), (TAU, TAU, TAU))

# Every law, on a grid that just holds it.
LAWS = {
    "two phases": (TwoPhase(COSINES), Grid((12, 15), boundaries=D)),
    "log-normal": (LogNormal(COSINES, scale=2), Grid((12, 15), boundaries=D)),
    "mixture": (Mixture([CellNoise(8), GaussianBlobs(exponent=(5, 9))]), Grid((16, 16), (2, 2))),
    "modes 1D": (TruncatedFourier(3), Grid((8,), (2.0,))),
    "modes 2D": (TruncatedFourier(2, maximum=None), Grid((5, 7), (2.0, 1.0))),
    "modes 3D": (TruncatedFourier(1, offset=(-0.5, 0.5)), Grid((4, 3, 5), (1.0, 2.0, 3.0))),
    "modes at walls": (TruncatedFourier(3), Grid((4, 8, 5), boundaries=(D, P, N))),
    "cells 1D": (CellNoise(6, mean=[1.0], scale=[0.2]), Grid((6,))),
    "cells at walls": (CellNoise(6), Grid((6, 9), (2.0, 1.0), boundaries=N)),
    "cells, mixed": (CellNoise(5, noise="uniform"), Grid((5, 6, 7), boundaries=(P, D, N))),
    "peaked vorticity": (PeakedVorticity(peak=2), Grid((33, 36), (TAU, TAU))),
    "peaked vorticity, long box": (PeakedVorticity(peak=2), Grid((64, 36), (2 * TAU, TAU))),
    "McWilliams": (McWilliams(peak=3, k_max=12), Grid((23, 24), (TAU, TAU))),
    "solenoidal noise": (SolenoidalNoise(peak=1.5), Grid((11, 12, 13), (TAU, TAU, TAU))),
    "solenoidal noise, long box": (SolenoidalNoise(peak=1.5), Grid((11, 23, 11), (TAU, 2 * TAU, TAU))),
    "blobs 1D": (GaussianBlobs(exponent=(30, 40)), Grid((20,), (2.0,))),
    "blobs 2D": (GaussianBlobs(), Grid((50, 50), (2.0, 2.0), origin=(-1, -1))),
    "blob 3D": (GaussianBlobs((1, 1), (1, 1), (0.4, 0.6), variance=(0.005, 0.01), scaled="mean"), Grid((15, 15, 16))),
    "spiral": (Spiral(arms=2), Grid((20, 16), (20.0, 16.0), origin=(-10, -8))),
}
# Sums of modes: the coarse field is the fine one's truncation. The others are formulas at points.
BAND_LIMITED = [n for n in LAWS if n.split()[0] in ("modes", "cells", "cells,", "peaked", "McWilliams", "solenoidal")]
FORMULAS = ["blobs 1D", "blobs 2D", "blob 3D", "spiral"]


def named(names):
    return pytest.mark.parametrize(("law", "grid"), [LAWS[n] for n in names], ids=list(names))


@named(LAWS)
def test_a_sample_depends_on_seed_split_and_index_alone(law, grid):
    batch = law.sample(grid, 4, "train", range(4))
    assert batch.dtype == torch.float64
    assert batch.shape[2:] == grid.shape
    assert torch.equal(law.sample(grid, 4, "train", [3, 1]), batch[[3, 1]])
    single = law.sample(grid.to(dtype=torch.float32), 4, "train", [2])
    assert torch.equal(single, batch[2:3]), "drawn in double precision whatever the grid's"
    for seed, split, i in ((5, "train", 3), (4, "valid", 3), (4, "test", 3), (4, "train", 5)):
        assert not torch.allclose(law.sample(grid, seed, split, [i]), batch[3:4])
    with pytest.raises(KanopError, match="did you mean 'train'"):
        law.sample(grid, 4, "trian", [0])


@named(BAND_LIMITED)
@pytest.mark.parametrize("factor", [2, 2.6])
def test_a_finer_grid_sees_the_same_function(law, grid, factor):
    fine = grid.with_shape([math.ceil(factor * n) for n in grid.shape])
    a, b = (law.sample(g, 1, "train", [0, 1]) for g in (grid, fine))
    torch.testing.assert_close(grid.resample(a, fine.shape), b, rtol=0, atol=1e-13 * float(b.abs().max()))


@named(FORMULAS)
def test_a_formula_has_the_same_values_at_the_same_points(law, grid):
    fine = grid.with_shape([2 * n for n in grid.shape])
    a, b = (law.sample(g, 1, "train", [0, 1]) for g in (grid, fine))
    for axis in range(grid.ndim):
        b = b.index_select(axis + 2, torch.arange(0, fine.shape[axis], 2))
    torch.testing.assert_close(a, b, rtol=0, atol=1e-13)


def test_two_phases_follow_the_sign_of_the_field():
    grid = Grid((24, 24), boundaries=D)
    a, g = (law.sample(grid, 0, "train", range(300)) for law in (TwoPhase(COSINES, low=3, high=12), COSINES))
    assert torch.equal(a, 3 + 9.0 * (g >= 0))
    share = (a == 12).double().mean((1, 2, 3))
    assert abs(float(share.mean()) - 0.5) < 5 * float(share.std()) / math.sqrt(300), "g and -g are equally likely"


def test_the_logarithm_of_a_log_normal_is_the_field():
    grid = Grid((10, 10), boundaries=D)
    a, g = (law.sample(grid, 0, "train", range(9)) for law in (LogNormal(COSINES, scale=2), COSINES))
    torch.testing.assert_close((a / 2).log(), g, rtol=0, atol=1e-14)


def test_a_mixture_takes_its_laws_in_turn():
    laws = [TruncatedFourier(1), TruncatedFourier(2), TruncatedFourier(3)]
    grid = Grid((16,))
    mixed = Mixture(laws).sample(grid, 0, "test", [7, 0, 5])
    assert torch.equal(mixed, torch.cat([laws[i % 3].sample(grid, 0, "test", [i]) for i in (7, 0, 5)]))


@pytest.mark.parametrize(
    ("grid", "modes"),
    [(Grid((16,), (3.0,)), 5), (Grid((8, 9), (1.0, 2.0)), 3), (Grid((4, 5), boundaries=(P, N)), 1)],
)
def test_a_truncated_series_has_equal_modes_and_no_others(grid, modes):
    """E ξ² is one for every real function; there are none above the cut, and the mean square is 1."""
    samples = 1000
    u = TruncatedFourier(modes, maximum=None).sample(grid, 0, "train", range(samples))
    u_hat = grid.to_spectral(u)[:, 0]
    low = torch.ones(grid.spectral_shape, dtype=torch.bool)
    weight = torch.ones(grid.spectral_shape, dtype=torch.float64)
    for k, m, kind in zip(grid.k, grid.modes, grid.boundaries, strict=True):
        low = low & (m.abs() <= modes).reshape(k.shape)
        weight = weight * (1 if kind == P else torch.where(m > 0, 2, 1).reshape(k.shape))
    low[(0,) * grid.ndim] = False
    functions = math.prod(2 * modes + 1 if kind == P else modes + 1 for kind in grid.boundaries) - 1
    power = (u_hat.abs() ** 2).mean(0) * functions / weight
    assert float(power[~low].max()) < 1e-28
    assert float((power[low] - 1).abs().max()) < 5 * math.sqrt(2 / samples)
    assert float(u.square().mean()) == pytest.approx(1, abs=5 * math.sqrt(2 / samples / functions))


@pytest.mark.parametrize(("shape", "slack"), [((997,), 0.0013), ((101, 103), 0.0097), ((25, 27, 29), 0.063)])
def test_the_largest_value_is_the_one_asked_for(shape, slack):
    """On a lattice of its own: another grid sees at most 1/cosᵈ(π/points) of it (Ehlich and Zeller)."""
    u = TruncatedFourier(5, maximum=3.0).sample(Grid(shape), 0, "train", range(4))
    largest = u.abs().flatten(1).amax(1) / 3
    assert float(largest.max()) <= 1 + slack
    assert float(largest.min()) > 1 - (0.001 if len(shape) == 1 else 0.02 if len(shape) == 2 else 0.1)
    assert float(u.flatten(1).mean(1).abs().max()) < 1e-14


def test_the_offset_is_uniform_in_its_range():
    grid = Grid((16,))
    mean = TruncatedFourier(3, maximum=None, offset=(1, 3)).sample(grid, 0, "train", range(1000)).mean((1, 2))
    assert float(mean.min()) >= 1
    assert float(mean.max()) <= 3
    assert float(mean.mean()) == pytest.approx(2, abs=5 * math.sqrt(1 / 3 / 1000))
    assert float(mean.var()) == pytest.approx(1 / 3, abs=5 * math.sqrt(4 / 45 / 1000))


@pytest.mark.parametrize(("noise", "fourth"), [("normal", 3.0), ("uniform", 9 / 5)])
def test_cell_noise_is_white_on_its_cells(noise, fourth):
    """Unit variance per cell and channel (a third for half-width 1), no correlation between any two."""
    samples = 2000
    law = CellNoise(4, mean=(1, 0), scale=(1, 2), noise=noise)
    u = law.sample(Grid((4, 4), (2, 2), boundaries=N), 0, "train", range(samples))
    variance = 1.0 if noise == "normal" else 1 / 3
    white = (u - torch.tensor([1.0, 0.0]).reshape(2, 1, 1)) / torch.tensor([1.0, 2.0]).reshape(2, 1, 1)
    white = white.flatten(1) / math.sqrt(variance)
    assert float(white.mean(0).abs().max()) < 5 / math.sqrt(samples)
    covariance = white.T @ white / samples
    assert float((covariance.diagonal() - 1).abs().max()) < 5 * math.sqrt((fourth - 1) / samples)
    assert float((covariance - covariance.diagonal().diag()).abs().max()) < 5.5 / math.sqrt(samples)
    if noise == "uniform":
        assert float(white.abs().max()) <= math.sqrt(3) + 1e-12


def test_the_cosines_of_cell_noise_are_white_too():
    """E a_m² = (2/n)(1/n) of the transform between cells and modes, on a finer grid as on the cells."""
    samples, n = 500, 6
    grid = Grid((9, 10), boundaries=N)
    a = grid.to_spectral(CellNoise(n).sample(grid, 0, "train", range(samples)))
    factor = torch.where(torch.arange(n) > 0, 2.0, 1.0) / n
    expected = factor[:, None] * factor
    assert float(a[:, :, n:].abs().max()) < 1e-14
    assert float(a[..., n:].abs().max()) < 1e-14
    power = (a[:, :, :n, :n] ** 2).mean(0)
    assert float((power / expected - 1).abs().max()) < 5 * math.sqrt(2 / samples)


def speed(omega, grid):
    return NavierStokes2D(nu=0.0).velocity(omega, grid).square().sum(-3).sqrt()


def test_a_peaked_vorticity_has_its_largest_speed():
    """On the law's lattice of eight points a wave exactly, and within a percent on any other fine grid."""
    law = PeakedVorticity(peak=4, max_speed=7)
    for shape, slack in (((256, 256), 1e-12), ((301, 311), 0.01), ((64, 64), 0.1)):
        grid = Grid(shape, (TAU, TAU))
        largest = speed(law.sample(grid, 0, "train", range(3)), grid).amax((-2, -1))
        assert float((largest / 7 - 1).abs().max()) < slack, shape


@pytest.mark.parametrize("length", [TAU, 1.3, 3.7, 20.0])
def test_a_plane_flow_scales_with_its_box(length):
    """The same flow on any box at equal peak · length, down to which modes it holds: ω is in 1/time, |u| in L/time."""

    def sample(length: float) -> torch.Tensor:
        law = PeakedVorticity(peak=2 * TAU / length, max_speed=length, k_max=3 * TAU / length)
        return law.sample(Grid((5, 5), (length, length)), 0, "train", [0])

    torch.testing.assert_close(sample(length), sample(1.0), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("spectrum", ["paper", "script", "shell"])
@pytest.mark.parametrize("lengths", [(TAU, TAU), (1.0, 2.0)])
def test_mcwilliams_has_its_mean_square_speed(spectrum, lengths):
    """½⟨|u|²⟩ = 1/4 in every sample, at every resolution."""
    grid = Grid((25, 50), lengths)
    k_max = 12.2 * TAU / lengths[0]
    omega = McWilliams(peak=k_max / 3, spectrum=spectrum, k_max=k_max).sample(grid, 0, "train", range(3))
    square = speed(omega, grid).square().mean((-2, -1))
    torch.testing.assert_close(square, torch.full_like(square, 0.5), rtol=1e-12, atol=0)


@pytest.mark.parametrize(
    ("law", "power"),
    [
        (PeakedVorticity(4, k_max=16), lambda k: torch.exp(-4 * (torch.log(k / 4) - 0.25) ** 2) / k**2),
        (PeakedVorticity(4, k_max=16, variance=0.5), lambda k: torch.exp(-2 * (torch.log(k / 4) - 0.5) ** 2) / k**2),
        (McWilliams(3, k_max=16), lambda k: k**3 / (1 + (k / 3) ** 4)),
        (McWilliams(3, k_max=16, spectrum="script"), lambda k: (k / (1 + (k / 3) ** 4)) ** 2),
        (McWilliams(3, k_max=16, spectrum="shell"), lambda k: k**2 / (1 + (k / 3) ** 4)),
    ],
)
def test_spectrum_of_plane_flows(law, power):
    """E|ω_k|² follows k²|û_k|² = k⁴|ψ_k|² on every circle, and does not depend on the direction of k.

    Scaling each sample couples its modes: relative to one another they stay within a few percent of the formula.
    """
    samples = 300
    omega_hat = PLANE.to_spectral(law.sample(PLANE, 0, "train", range(samples)))[:, 0]
    k2 = -PLANE.laplacian
    inside = (k2 > 0) & (k2 < 256)
    seen = (omega_hat.abs() ** 2).mean(0)
    assert float(seen[~inside].max()) < 1e-20 * float(seen.max())
    ratio = seen / power(k2.clamp_min(1).sqrt())
    circles = torch.stack([ratio[k2.round() == s].mean() for s in k2[inside].unique().round()])
    counts = torch.stack([(k2.round() == s).sum() for s in k2[inside].unique().round()])
    middle = (circles * counts).sum() / counts.sum()
    assert float(((circles / middle - 1).abs() - 5 / (samples * counts / 2).sqrt()).max()) < 0.06
    assert float((ratio[inside] / middle - 1).abs().max()) < 5.5 / math.sqrt(samples) + 0.06


def test_solenoidal_noise_has_no_divergence():
    grid = Grid((16, 18, 20), (TAU, 1.2 * TAU, 0.9 * TAU))
    u_hat = grid.to_spectral(SolenoidalNoise(peak=1.5).sample(grid, 0, "train", range(2)))
    slopes = [grid.derivative(i) * u_hat[:, i] for i in range(3)]
    assert float(sum(slopes).abs().max()) < 1e-14 * float(max(s.abs().max() for s in slopes))


@pytest.mark.parametrize(("slope", "peak"), [(4.0, 2.0), (2.0, 3.0)])
def test_solenoidal_noise_has_its_spectrum(slope, peak):
    """E½|û_k|² = C E(k)/k² for every mode, C from the mean square 3 u_rms²; and in each mode E û û* ∝ 1 − kkᵀ/k²."""
    samples, rms = 300, 1.7
    law = SolenoidalNoise(rms=rms, peak=peak, slope=slope, k_max=7.5)
    u = law.sample(SPACE, 0, "train", range(samples))
    u_hat = SPACE.to_spectral(u)
    k2 = -SPACE.laplacian
    inside = (k2 > 0) & (k2 < 7.5**2)
    k = k2.clamp_min(1e-9).sqrt()
    law_of_k = torch.where(inside, k**slope * torch.exp(-slope / 2 * (k / peak) ** 2) / k2.clamp_min(1e-9), 0)
    expected = 3 * rms**2 * law_of_k / (SPACE.parseval * law_of_k).sum()
    seen = (u_hat.abs() ** 2).sum(1).mean(0)
    assert float(seen[~inside].max()) < 1e-25
    # |û|² of a mode is a sum of four squared normals: relative variance 1/2.
    assert float((seen / expected - 1)[inside].abs().max()) < 5.5 * math.sqrt(0.5 / samples)
    energies = u.square().sum(1).mean((-3, -2, -1))
    assert float(energies.mean()) == pytest.approx(3 * rms**2, abs=5 * float(energies.std()) / math.sqrt(samples))
    mode = torch.tensor([2.0, 1.0, 2.0], dtype=torch.float64)
    one = u_hat[:, :, 2, 1, 2]
    covariance = (one[:, :, None] * one[:, None].conj()).mean(0) / expected[2, 1, 2] * 2
    projection = torch.eye(3, dtype=torch.float64) - torch.outer(mode, mode) / 9
    assert float((covariance - projection).abs().max()) < 5 / math.sqrt(samples)


def test_isotropy_of_solenoidal_noise():
    u = SolenoidalNoise(peak=1.5).sample(SPACE, 3, "train", range(100))
    squares = u.square().mean((2, 3, 4))
    error = squares.std(0) / 10
    assert float(((squares.mean(0) - 1) / error).abs().max()) < 5


def test_blobs_fill_the_unit_range_and_are_periodic():
    """[0, 1] up to the lattice, and a spectrum that falls to rounding: there is no edge where images are missing."""
    grid = Grid((200, 200), (2, 2), origin=(-1, -1))
    u = GaussianBlobs().sample(grid, 0, "train", range(6))
    assert float(u.amin((2, 3)).abs().max()) < 0.01
    assert float((u.amax((2, 3)) - 1).abs().max()) < 0.02
    u_hat = grid.to_spectral(u).abs()
    assert float(u_hat[..., 80:].max()) < 1e-13
    correlation = ((u[:, 0] - u[:, 0].mean()) * (u[:, 1] - u[:, 1].mean())).mean() / u[:, 0].std() / u[:, 1].std()
    assert abs(float(correlation)) < 0.5, "the channels are drawn apart"


@pytest.mark.parametrize("d", [1, 2, 3])
def test_one_blob_is_a_gaussian(d):
    """Its integral is (π/s)^{d/2} images and all, its second moment about the peak 1/2s, its height 1."""
    s = 40.0
    grid = Grid((32,) * d, (1.5,) * d)
    law = GaussianBlobs((1, 1), (1, 1), (0.4, 0.6), exponent=(s, s), scaled="mean")
    u, v = law.sample(grid, 0, "train", range(5)).unbind(1)
    for field in (1 - u, v):
        total = field.flatten(1).sum(1) * math.prod(grid.spacing)
        torch.testing.assert_close(total, torch.full_like(total, (math.pi / s) ** (d / 2)), rtol=1e-10, atol=0)
        for x in grid.mesh():
            first = (field * x).flatten(1).sum(1) / field.flatten(1).sum(1)
            assert float((first / 1.5 - 0.5).abs().max()) < 0.1, "the centre lies in its range"
            second = (field * x**2).flatten(1).sum(1) / field.flatten(1).sum(1) - first**2
            torch.testing.assert_close(second, torch.full_like(second, 0.5 / s), rtol=1e-4, atol=0)
    assert 0.8 < float(v.max()) <= 1


def test_counts_amplitudes_and_variances_of_blobs_stay_in_their_ranges():
    """The integral of n blobs of amplitude a and variances σ², τ² over n is the mean of 2π a σ τ."""
    grid = Grid((64, 64))
    law = GaussianBlobs((2, 5), (1, 3), variance=(0.002, 0.008), scaled="mean")
    total = law.sample(grid, 0, "train", range(60))[:, 1].mean((-2, -1))
    assert 2 * math.pi * 0.002 < float(total.min())
    assert float(total.max()) < 3 * 2 * math.pi * 0.008
    sigma = 2 / 3 * (0.008**1.5 - 0.002**1.5) / 0.006
    expected = 2 * math.pi * 2 * sigma**2
    assert float(total.mean()) == pytest.approx(expected, abs=5 * float(total.std()) / math.sqrt(60))


def test_the_published_spiral():
    grid = Grid((100, 100), (20, 20), origin=(-10, -10))
    u, v = Spiral(shift=0, rotation=0, pitch=0, border=0).sample(grid, 0, "train", [0])[0]
    x, y = grid.mesh()
    r, angle = (x**2 + y**2).sqrt(), torch.angle(torch.complex(x, y))
    torch.testing.assert_close(u, torch.tanh(r) * torch.cos(angle - r), rtol=0, atol=1e-14)
    torch.testing.assert_close(v, torch.tanh(r) * torch.sin(angle - r), rtol=0, atol=1e-14)


@pytest.mark.parametrize("arms", [1, 3])
def test_a_spiral_winds_about_its_centre_and_ends_at_the_border(arms):
    grid = Grid((200, 200), (20, 20), origin=(-10, -10))
    field = Spiral(arms=arms, shift=1, border=2).sample(grid, 3, "train", range(3))
    a = torch.complex(field[:, 0], field[:, 1])
    inner = a[:, 30:171, 30:171]
    ring = torch.cat([inner[:, 0], inner[:, 1:, -1], inner[:, -1, :-1].flip(1), inner[:, 1:-1, 0].flip(1)], 1)
    turns = torch.angle(torch.roll(ring, -1, 1) / ring).sum(1) / TAU
    # The ring is a rectangle run through with the second axis first: against the angle.
    assert turns.round().tolist() == [-arms] * 3
    assert float((turns - turns.round()).abs().max()) < 1e-12
    assert float((ring.abs() - 1).abs().max()) < 1e-3
    assert float(a[:, 0].abs().max()) == 0, "the edge itself"
    assert float(a[:, :, 1].abs().max()) < 1e-3


def test_the_border_takes_the_jump_out_of_a_spiral():
    """The highest modes fall off as those of a smooth periodic field, not as 1/k."""
    grid = Grid((256, 256), (20, 20), origin=(-10, -10))

    def tail(border: float) -> float:
        u_hat = grid.to_spectral(Spiral(shift=0, border=border).sample(grid, 0, "train", [0]))
        return float(u_hat[..., 100:].abs().max() / u_hat.abs().max())

    assert tail(2.0) < 1e-4
    assert tail(0.0) > 1e-3


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TwoPhase(COSINES, low=3, high=3), "two different finite values"),
        (lambda: LogNormal(COSINES, scale=0), "expected scale > 0"),
        (lambda: Mixture([]), "at least one law"),
        (lambda: Mixture([COSINES, CellNoise(2)]).sample(Grid((8,), boundaries=N), 0, "train", [0, 1]), "channels"),
        (lambda: TruncatedFourier(0), "expected modes >= 1"),
        (lambda: TruncatedFourier(maximum=-1.0), "expected a maximum > 0"),
        (lambda: TruncatedFourier(offset=(1, 0)), "offset's range"),
        (lambda: TruncatedFourier(5).sample(Grid((10,)), 0, "train", [0]), r"at least \(11,\) points, got \(10,\)"),
        (lambda: CellNoise(mean=(0,)), "a mean and a scale"),
        (lambda: CellNoise(noise="gaussian"), "unknown noise"),
        (lambda: CellNoise(8).sample(Grid((8, 7)), 0, "train", [0]), "finer grid, or cells=7"),
        (lambda: PeakedVorticity(peak=0), "positive constants"),
        (lambda: PeakedVorticity().sample(Grid((62, 64), (TAU, TAU)), 0, "train", [0]), r"\(63, 63\) points"),
        (lambda: PeakedVorticity().sample(Grid((64, 64), boundaries=N), 0, "train", [0]), "two periodic axes"),
        (lambda: PeakedVorticity(peak=0.1).sample(PLANE, 0, "train", [0]), "raise k_max"),
        (lambda: McWilliams(spectrum="papr"), "did you mean 'paper'"),
        (lambda: McWilliams().sample(PLANE, 0, "train", [0]), r"\(127, 127\) points"),
        (lambda: SolenoidalNoise(rms=-1), "positive constants"),
        (lambda: SolenoidalNoise().sample(SPACE, 0, "train", [0]), r"\(31, 31, 31\) points"),
        (lambda: SolenoidalNoise().sample(PLANE, 0, "train", [0]), "three periodic axes"),
        (lambda: GaussianBlobs(count=(5, 2)), r"expected count as a range"),
        (lambda: GaussianBlobs(scaled="max"), "unknown scaling"),
        (lambda: GaussianBlobs().sample(Grid((40, 64), (2, 2)), 0, "train", [0]), r"\(49, 49\) points"),
        (lambda: GaussianBlobs().sample(Grid((64,), boundaries=N), 0, "train", [0]), "periodic Grid"),
        (lambda: Spiral(arms=0), "expected arms >= 1"),
        (lambda: Spiral(pitch=1), "0 <= pitch < 1"),
        (lambda: Spiral().sample(Grid((8, 8), (3.0, 3.0)), 0, "train", [0]), "half the box, 1.5"),
        (lambda: Spiral().sample(SPACE, 0, "train", [0]), "lies in a plane"),
    ],
)
def test_bad_laws_and_grids_are_refused(make, message):
    with pytest.raises(KanopError, match=message):
        make()
