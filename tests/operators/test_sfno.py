"""SFNO and its filters: rotations, resolutions, limits."""

from __future__ import annotations

import math

import pytest
import torch

from kanop.kan import Chebyshev
from kanop.layers import DegreeFilter, LocalKernels, SphereLocalConv
from kanop.layers.spherical_parts import spherical_part
from kanop.operators import SFNO, SphereBlock
from kanop.solvers import FieldSpec, Grid, KanopError, SphereGrid
from kanop.testing.claims import check_learns

F64 = torch.float64
FILTERS = {"table": None, "kan": Chebyshev(4)}


def seeded(make, *args, **more):
    torch.manual_seed(0)
    return make(*args, **more).double()


def band(grid, degree, channels=1, seed=0):
    """A smooth random field of degrees up to `degree`."""
    generator = torch.Generator().manual_seed(seed)
    u_hat = grid.to_spectral(torch.randn(1, channels, *grid.shape, generator=generator, dtype=F64))
    return grid.to_physical(torch.where(grid.l <= degree, torch.exp(-0.05 * grid.l**2) * u_hat, 0))


@torch.no_grad()
def rotated(u_hat, angle):
    """Coefficients of the field turned about the x-axis, by values at the turned points."""
    degree = u_hat.shape[-1] - 1
    grid = SphereGrid((2 * degree + 2, 4 * degree + 4), degree=degree)
    latitude, longitude = grid.mesh()
    x = torch.stack([latitude.cos() * longitude.cos(), latitude.cos() * longitude.sin(), latitude.sin()])
    c, s = math.cos(angle), math.sin(angle)
    x, y, z = torch.tensordot(torch.tensor([[1, 0, 0], [0, c, s], [0, -s, c]], dtype=F64), x, 1)
    from kanop.solvers.sphere.nodes import legendre

    table = legendre(degree, degree, z.flatten().clamp(-1, 1))
    waves = torch.exp(1j * torch.arange(degree + 1)[:, None] * torch.atan2(y, x).flatten())
    twice = torch.where(torch.arange(degree + 1) > 0, 2.0, 1.0)[:, None]
    values = torch.einsum("bclm,lmj->bcj", u_hat, table * twice * waves).real
    return grid.to_spectral(values.reshape(*u_hat.shape[:2], *grid.shape))


@pytest.mark.parametrize("basis", FILTERS)
def test_filters_commute_with_every_rotation(basis):
    layer = seeded(DegreeFilter, 2, 3, 9, FILTERS[basis])
    grid = SphereGrid((10, 20))
    u_hat = grid.to_spectral(band(grid, 9, 2))
    one, other = rotated(layer(u_hat), 0.7), layer(rotated(u_hat, 0.7))
    assert (one - other).abs().max() <= 1e-10 * one.abs().max()
    assert (one - layer(u_hat)).abs().max() > 0.1 * one.abs().max()


@pytest.mark.parametrize("basis", FILTERS)
def test_filters_keep_the_variance_and_are_the_same_at_every_resolution(basis):
    layer = seeded(DegreeFilter, 64, 64, 15, FILTERS[basis])
    coarse, fine = SphereGrid((16, 32)), SphereGrid((24, 64), degree=15)
    u = torch.randn(4, 64, 16, 32, generator=torch.Generator().manual_seed(1), dtype=F64)
    u = coarse.to_physical(coarse.to_spectral(u))
    v = coarse.to_physical(layer(coarse.to_spectral(u)))
    assert 0.8 < float(v.detach().std() / u.std()) < 1.25
    w = fine.to_physical(layer(fine.to_spectral(coarse.resample(u, (24, 64)))))
    assert (coarse.resample(v, (24, 64)) - w).abs().max() <= 1e-10 * v.abs().max()


def test_a_filter_of_the_laplacian_is_the_laplacian():
    grid = SphereGrid((12, 24))
    layer = DegreeFilter(1, 1, grid.degree).double()
    layer.table.data[:, 0, 0] = grid.laplacian[:, 0]
    u_hat = grid.to_spectral(band(grid, 11))
    assert (layer(u_hat) - grid.laplacian * u_hat).abs().max() <= 1e-12 * u_hat.abs().max() * 132


OPTIONS = [
    {},
    {"block": SphereBlock(norm="instance")},
    {"block": SphereBlock(basis=Chebyshev(4))},
    {"block": SphereBlock(local=[LocalKernels(reach=4.0), LocalKernels(differences=True)])},
    {"position": True},
    {"degree": [3, 7]},
]


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("nodes", ["gauss", "equiangular"])
def test_it_commutes_with_turns_about_the_axis(options, nodes):
    grid = SphereGrid((24, 48), nodes)
    model = seeded(SFNO, FieldSpec(grid, ["u"]), **{"degree": 7, "hidden_channels": 6, "n_layers": 2, **options})
    u = torch.randn(2, 1, *grid.shape, generator=torch.Generator().manual_seed(2), dtype=F64)
    step = model.shift_equivariance
    assert step < 48
    v = model(u)
    assert (model(u.roll(step, -1)) - v.roll(step, -1)).abs().max() <= 1e-12 * v.abs().max()


def test_other_rotations_are_better_kept_the_more_the_blocks_oversample():
    grid = SphereGrid((32, 64))
    u = band(grid, 10)
    turned = torch.zeros_like(grid.to_spectral(u))
    turned[..., :11, :11] = rotated(grid.to_spectral(u)[..., :11, :11], 0.7)
    errors = []
    for oversample in (1.0, 1.5, 2.0):
        model = seeded(SFNO, FieldSpec(grid, ["u"]), degree=10, n_layers=2, hidden_channels=8, oversample=oversample)
        # Without what the pointwise end adds beyond degree 10, which the rotated values do not hold.
        one, other = (grid.to_spectral(model(w))[..., :11, :11] for w in (u, grid.to_physical(turned)))
        one = rotated(one, 0.7)
        errors.append(float((one - other).norm() / one.norm()))
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 1e-3


def test_another_resolution_is_the_same_function_of_the_harmonics_that_it_keeps():
    coarse, fine = SphereGrid((16, 32)), SphereGrid((32, 64))
    model = seeded(SFNO, FieldSpec(coarse, ["u"]), degree=7, hidden_channels=6)
    u = band(coarse, 7)
    one, other = model(u), model(coarse.resample(u, fine.shape))
    shared = [g.to_spectral(v)[..., :4, :4] for g, v in ((coarse, one), (fine, other))]
    assert (shared[0] - shared[1]).abs().max() <= 1e-2 * shared[0].abs().max()


def test_it_learns_a_diffusion():
    check_learns(lambda spec: SFNO(spec, hidden_channels=8), FieldSpec(SphereGrid((12, 24)), ["u", "v"], ["a"]))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"degree": 16}, "carries degrees 1 to 15, got degree=16"),
        ({"degree": [7, 7]}, "one degree, or 4 for 4 blocks, got"),
        ({"degree": [7, 7, 16, 7]}, "got degree=16"),
        ({"oversample": 0.5}, "oversample is at least 1"),
        ({"hidden_channels": 0}, "at least 1"),
    ],
)
def test_what_makes_no_sense_is_refused(given, message):
    with pytest.raises(KanopError, match=message):
        SFNO(FieldSpec(SphereGrid((16, 32)), ["u"]), **given)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SphereBlock(norm="instanse"), "did you mean 'instance'"),
        (lambda: SphereBlock(mlp_ratio=0), "mlp_ratio is positive"),
        (lambda: LocalKernels(basis="morlett"), "did you mean 'morlet'"),
        (lambda: LocalKernels(reach=0.5), "reach is at least 1"),
        (lambda: SphereLocalConv(1, 1, SphereGrid((8, 16)), []), "at least one set"),
    ],
)
def test_blocks_that_make_no_sense_are_refused(make, message):
    with pytest.raises(KanopError, match=message):
        make()


def test_what_the_installed_library_lacks_is_named_with_its_version():
    with pytest.raises(KanopError, match=r"torch-harmonics 0\.\S+ has no torch_harmonics\.Tesseral, .* since 9\.1"):
        spherical_part("Tesseral", "9.1")
    with pytest.raises(KanopError, match=r"has no torch_harmonics\.nowhere\.Tesseral"):
        spherical_part("Tesseral", "9.1", "torch_harmonics.nowhere")


def library(grid, kernels, weight):
    """The same convolution by torch-harmonics."""
    from torch_harmonics import DiscreteContinuousConvS2

    kind = {"gauss": "legendre-gauss"}.get(grid.nodes, grid.nodes)
    points = {"grid_in": kind, "grid_out": kind, "theta_cutoff": kernels.reach * math.pi / (grid.shape[0] - 1)}
    points["basis_norm_mode"] = "mean"
    layer = DiscreteContinuousConvS2(2, 3, grid.shape, grid.shape, kernels.shape, kernels.basis, bias=False, **points)
    with torch.no_grad():
        layer.weight.copy_(weight)
    return layer


@pytest.mark.parametrize("nodes", ["gauss", "equiangular", "lobatto"])
@pytest.mark.parametrize(
    "kernels",
    [LocalKernels(), LocalKernels((2, 4), reach=3.0), LocalKernels((3, 3), "morlet"), LocalKernels((3,), "zernike")],
)
def test_local_kernels_are_the_librarys(kernels, nodes):
    grid = SphereGrid((14, 24), nodes)
    layer = seeded(SphereLocalConv, 2, 3, grid, [kernels])
    weight = layer.weight.detach().view(2, -1, 3).permute(2, 0, 1)
    u = torch.randn(4, 2, *grid.shape, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        assert (layer(u.double()) - library(grid, kernels, weight)(u)).abs().max() <= 1e-5


def test_differential_kernels_answer_to_slopes_alone():
    grid = SphereGrid((16, 32))
    layer = seeded(SphereLocalConv, 1, 4, grid, [LocalKernels(differences=True)])
    z = grid.mesh()[0].sin()[None, None]
    assert layer(torch.ones_like(z)).abs().max() <= 1e-12
    assert layer(z).abs().max() > 1e-2
    assert (layer(z + 5) - layer(z)).abs().max() <= 1e-11


def test_several_sets_of_kernels_add_up():
    grid, sets = SphereGrid((12, 24)), [LocalKernels(reach=4.0), LocalKernels(differences=True)]
    both = seeded(SphereLocalConv, 1, 2, grid, sets)
    u = torch.randn(3, 1, *grid.shape, generator=torch.Generator().manual_seed(4), dtype=F64)
    parts = [seeded(SphereLocalConv, 1, 2, grid, [each]) for each in sets]
    for part, weight in zip(parts, both.weight.detach().split(5), strict=True):
        part.weight.data.copy_(weight)
    assert (both(u) - sum(part(u) for part in parts)).abs().max() <= 1e-12


def test_a_box_is_refused_and_a_sphere_is_a_map_to_flat_operators():
    from kanop.operators import FNO

    with pytest.raises(KanopError, match="lives on a sphere, the data on a box"):
        SFNO(FieldSpec(Grid((16, 32)), ["u"]))
    model = FNO(FieldSpec(SphereGrid((16, 32)), ["u"]), (8, 8), 8)
    assert model(torch.zeros(1, 1, 16, 32)).shape == (1, 1, 16, 32)
