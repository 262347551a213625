"""Integral layers: exact integrals at the order of the quadrature, convolution by FFT, grids as scattered points."""

from __future__ import annotations

import math

import pytest
import torch

from kanop.kan import Chebyshev, Fourier
from kanop.layers import LocalIntegral, LowRankIntegral, SpectralConv, neighbours
from kanop.solvers import Grid, KanopError

F64 = torch.float64
BOXES = [
    Grid((16,)),
    Grid((15,), lengths=(3.0,), boundaries="dirichlet", origin=(-1.0,)),
    Grid((8, 11), lengths=(1.0, 2.0), boundaries=("periodic", "neumann")),
    Grid((7, 8), boundaries="periodic"),
    Grid((6, 5, 7), lengths=(1.0, 1.0, 2.0), boundaries=("neumann", "periodic", "dirichlet")),
]


@pytest.fixture(params=[0, 10**6], ids=["by_fft", "by_sums"])
def way(request, monkeypatch):
    """Either of the two ways of convolving, whatever the size of the kernel."""
    monkeypatch.setattr("kanop.layers.local_integral.DIRECT", request.param)


def waves(layer, pairs):
    """Set the factors on the circle to single waves: `pairs` holds (a, b) by their index among cos, …, sin, …, 1."""
    for kan, which in ((layer.outer, 0), (layer.inner, 1)):
        factor = kan.factors[0]
        with torch.no_grad():
            factor.weight.zero_()
            factor.bias.zero_()
            for r, pair in enumerate(pairs):
                if pair[which] < factor.weight.shape[1]:
                    factor.weight[r, pair[which], 0] = 1
                else:
                    factor.bias[r] = 1


def test_a_kernel_of_sines_is_the_projection_on_them():
    """κ(x, y) = 2 Σ_{m≤3} sin(mθ_x) sin(mθ_y)."""
    grid = Grid((32,), lengths=(2.0,))
    layer = LowRankIntegral(1, 1, grid, Fourier(4), rank=3).double()
    waves(layer, [(4 + m, 4 + m) for m in range(3)])
    torch.nn.init.constant_(layer.weight, 2.0)
    angle = math.pi * grid.points[0]
    u = 0.7 + torch.sin(angle) - 2 * torch.sin(3 * angle) + 5 * torch.sin(4 * angle) + torch.cos(2 * angle)
    want = torch.sin(angle) - 2 * torch.sin(3 * angle)
    assert torch.allclose(layer(u.view(1, 1, -1), grid).flatten(), want, atol=1e-12)


def test_with_waves_for_factors_it_is_a_fourier_layer():
    grid, modes = Grid((24,)), 3
    conv = SpectralConv(2, 3, (2 * modes + 1,), bias=False).double()
    layer = LowRankIntegral(2, 3, grid, Fourier(modes), rank=4 * modes + 1).double()
    c, s = range(modes), range(modes, 2 * modes)
    waves(layer, [(2 * modes, 2 * modes), *zip(c, c), *zip(s, s), *zip(s, c), *zip(c, s)])  # noqa: B905
    kernel = conv.kernel.movedim(-1, 0).mT
    # Re[R û e^{ikx}] twice, for k and −k.
    parts = [kernel.real[:1], 2 * kernel.real[1:], 2 * kernel.real[1:], -2 * kernel.imag[1:], 2 * kernel.imag[1:]]
    layer.weight.data.copy_(torch.cat(parts))
    u = torch.randn(2, 2, 24, dtype=F64)
    assert torch.allclose(layer(u, grid), conv(u), atol=1e-12)


def field(grid):
    """A smooth field that does not vanish at walls."""
    parts = [
        torch.exp(torch.sin(2 * math.pi * x / length + 0.3)) if kind == "periodic" else torch.exp(x / length)
        for x, length, kind in zip(grid.mesh(), grid.lengths, grid.boundaries, strict=True)
    ]
    return torch.stack(parts).prod(0)[None, None]


def integral_layer(kind, box):
    torch.manual_seed(0)
    if kind == "low_rank":
        return LowRankIntegral(1, 1, box, Chebyshev(4), 4).double().requires_grad_(False)
    variable = kind == "local_variable"
    return LocalIntegral(1, 1, box, Chebyshev(4), 0.4, 3, 2 * variable).double().requires_grad_(False)


@pytest.mark.parametrize("kind", ["low_rank", "local", "local_variable"])
@pytest.mark.parametrize(("boundary", "order"), [("periodic", 5), ("neumann", 2)])
def test_converges_to_the_integral_at_the_order_of_the_sum(kind, boundary, order):
    """Trapezoid on the circle: of high order. Midpoints between walls: second order, where a wall cuts."""
    box = Grid((8,), boundaries=boundary)
    layer = integral_layer(kind, box)
    # Odd multiples of n: the points of the coarse grid are among the fine ones, between walls too.
    exact = dict.fromkeys((21, 63), 0.0)
    finest = box.with_shape((2835,))
    limit = layer(field(finest), finest)[0, 0]
    for n in exact:
        step, grid = 2835 // n, box.with_shape((n,))
        start = 0 if boundary == "periodic" else step // 2
        exact[n] = (layer(field(grid), grid)[0, 0] - limit[start::step]).abs().max().item()
    assert exact[63] < exact[21] / 3 ** (order - 0.3) or exact[63] < 1e-12
    assert exact[21] < 0.1 * limit.abs().max()
    if boundary == "neumann":
        assert exact[63] > exact[21] / 3**3


@pytest.mark.parametrize("box", BOXES, ids=lambda box: "-".join(box.boundaries))
@pytest.mark.parametrize("kind", ["low_rank", "local", "local_variable"])
def test_a_grid_is_a_set_of_points(kind, box, way):
    layer = {
        "low_rank": lambda: LowRankIntegral(2, 3, box, Chebyshev(4), 4),
        "local": lambda: LocalIntegral(2, 3, box, Chebyshev(4), 0.45, 3),
        "local_variable": lambda: LocalIntegral(2, 3, box, Chebyshev(4), 0.45, 3, variable=2),
    }[kind]().double()
    u = torch.randn(2, 2, *box.shape, dtype=F64)
    x = torch.stack(box.mesh(), -1).flatten(0, -2)
    weight = math.prod(box.spacing) if kind != "low_rank" else 1 / len(x)
    weights = torch.full((len(x),), weight, dtype=F64)
    order = torch.randperm(len(x))
    there = layer.on_points(u.flatten(2)[..., order], x[order], weights, x)
    assert torch.allclose(there, layer(u, box).flatten(2), atol=1e-12)


@pytest.mark.parametrize("shape", [(20,), (12, 9), (6, 7, 8)])
@pytest.mark.parametrize("radius", [0.4, 0.5])
def test_on_a_torus_it_is_the_convolution_by_fft(shape, radius, way):
    grid = Grid(shape)
    layer = LocalIntegral(2, 3, grid, Chebyshev(4), radius, 3).double()
    u = torch.randn(2, 2, *shape, dtype=F64)
    # The kernel at the displacement of every point from the corner, the short way round.
    x = torch.stack(grid.mesh(), -1)
    z = x - (x >= 0.5).to(F64)
    kernel = torch.einsum("...s,ois->oi...", layer.kernel(z), layer.weight[0])
    axes = list(range(2, 2 + len(shape)))
    product = torch.einsum("oi...,bi...->bo...", torch.fft.fftn(kernel, dim=axes), torch.fft.fftn(u, dim=axes))
    want = torch.fft.ifftn(product, dim=axes).real / math.prod(shape)
    assert torch.allclose(layer(u, grid), want, atol=1e-12)


def test_the_kernel_ends_smoothly_at_its_radius():
    layer = LocalIntegral(1, 1, Grid((8, 8)), Chebyshev(4), 0.25, 2).double()
    direction = torch.tensor([0.6, 0.8], dtype=F64)
    at = {s: layer.kernel(0.25 * s * direction).abs().max() for s in (0.5, 0.99, 1.0, 1.5)}
    assert at[1.0] == at[1.5] == 0
    assert at[0.99] < 1e-15 < at[0.5]


def test_scattered_points_see_the_same_integral():
    """Sobol points with the same weight each: the error falls with their number, nearly like 1/n."""
    torch.manual_seed(0)
    box = Grid((64, 64))
    layer = LocalIntegral(1, 1, box, Chebyshev(3), 0.3, 2).double().requires_grad_(False)
    queries = torch.rand(20, 2, dtype=F64)
    weights = torch.full((64 * 64,), 1 / 64**2, dtype=F64)
    want = layer.on_points(field(box).flatten(2), torch.stack(box.mesh(), -1).flatten(0, 1), weights, queries)
    errors = []
    for n in (256, 4096):
        x = torch.quasirandom.SobolEngine(2, scramble=True, seed=1).draw(n).to(F64)
        u = torch.exp(torch.sin(2 * math.pi * x + 0.3)).prod(1)[None, None]
        errors.append((layer.on_points(u, x, torch.full((n,), 1 / n, dtype=F64), queries) - want).abs().mean())
    assert errors[1] < errors[0] / 6
    assert errors[1] < 0.05 * want.abs().mean()


@pytest.mark.parametrize("kinds", [("periodic", "periodic"), ("neumann", "periodic"), None])
def test_neighbours_are_all_pairs_within_the_radius(kinds):
    """Against every pair, with the shortest way round the torus."""
    x, y = torch.rand(30, 2, dtype=F64), torch.rand(50, 2, dtype=F64)
    box = None if kinds is None else Grid((4, 4), boundaries=kinds)
    pairs = neighbours(y, x, 0.4, box)
    z = x[:, None] - y
    if kinds is not None:
        turns = torch.tensor([kind == "periodic" for kind in kinds])
        z = torch.where(turns, z - z.round(), z)
    to, of = (z.norm(dim=-1) <= 0.4).nonzero(as_tuple=True)
    assert torch.equal(pairs.to, to)
    assert torch.equal(pairs.of, of)
    assert torch.allclose(pairs.z, z[to, of], atol=1e-14)


def test_points_without_neighbours_are_an_error_that_says_where():
    y = torch.zeros(3, 2)
    x = torch.tensor([[0.0, 0.05], [0.5, 0.25], [0.5, 0.5]])
    with pytest.raises(KanopError, match=r"2 of 3 points have no neighbour within radius 0.1.*at \(0.5, 0.25\).*0.559"):
        neighbours(y, x, 0.1)
    layer = LocalIntegral(1, 1, Grid((64,)), Chebyshev(4), 0.05)
    with pytest.raises(KanopError, match=r"no neighbour within radius 0\.05 on a grid of spacing 0\.125"):
        layer(torch.zeros(1, 1, 8), Grid((8,)))


def test_what_makes_no_sense_is_refused():
    box = Grid((8,), lengths=(2.0,))
    for radius in (0.0, 1.1):
        with pytest.raises(KanopError, match="at most half of a periodic side, 1; got"):
            LocalIntegral(1, 1, box, Chebyshev(4), radius)
    with pytest.raises(KanopError, match="reaches round"):
        neighbours(torch.zeros(1, 1), torch.zeros(1, 1), 1.1, box)
    with pytest.raises(KanopError, match="functions=0"):
        LocalIntegral(1, 1, box, Chebyshev(4), 0.5, 0)
    with pytest.raises(KanopError, match="rank=0"):
        LowRankIntegral(1, 1, box, Chebyshev(4), 0)
    for layer in (LowRankIntegral(2, 1, box, Chebyshev(4)), LocalIntegral(2, 1, box, Chebyshev(4), 0.5)):
        for u in (torch.zeros(1, 3, 8), torch.zeros(1, 2, 9)):
            with pytest.raises(KanopError, match=r"expects \(b, 2, \*\(8,\)\)"):
                layer(u, box)


@pytest.mark.parametrize("shape", [(16,), (8, 9)])
def test_the_unit_of_length_does_not_matter(shape):
    metres, millimetres = Grid(shape), Grid(shape, lengths=[1000.0] * len(shape))
    u = torch.randn(2, 1, *shape, dtype=F64)
    for make in (lambda box, s: LowRankIntegral(1, 1, box, Chebyshev(4)),
                 lambda box, s: LocalIntegral(1, 1, box, Chebyshev(4), 0.3 * s, variable=2)):  # fmt: skip
        one, other = make(metres, 1).double(), make(millimetres, 1000).double()
        other.load_state_dict(one.state_dict())
        assert torch.allclose(one(u, metres), other(u, millimetres), atol=1e-12)
