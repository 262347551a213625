"""Spherical Fourier neural operators."""

from __future__ import annotations

import math

import torch
from jaxtyping import Complex, Float
from torch import Tensor, nn
from torch.nn import functional as F

from kanop.kan import Basis
from kanop.layers import Pointwise
from kanop.layers.sphere_conv import DegreeFilter
from kanop.operators.inputs import check_input
from kanop.solvers import FieldSpec, KanopError, SphereGrid
from kanop.solvers.errors import check, nearest

__all__ = ["SFNO"]

NORMS = ("none", "instance")


class SFNO(nn.Module):
    r"""G = Q ∘ [B_n ∘ … ∘ B_1 ∘ P, id],  B(v) = v + M(N(F⁻¹ W_l F v)): filters by degree between pointwise maps.

    F is the transform to spherical harmonics up to degree L, W_l a real matrix for each degree (`DegreeFilter`), M a
    pointwise network with one hidden layer and GELU, N a normalisation, P linear and Q pointwise. The blocks live on
    Gauss' latitudes of their own, just fine enough for degree L, whatever grid the data are on: at another resolution
    the operator is the same function of the harmonics up to L.

    Filters commute with all rotations. What M adds beyond degree L aliases, so that the whole commutes with turns about
    the axis by `shift_equivariance` points, and with others the better the higher `oversample`.

    Parameters
    ----------
    spec : the map to learn, on a `SphereGrid`
    degree : L; default half of what the grid carries
    hidden_channels : width of the blocks (default 32)
    n_layers : number of blocks (default 4)
    mlp_ratio : width inside M over that of the blocks (default 2)
    norm : "none" (default), or "instance": each channel's mean and variance over the sphere are taken out
    position : a learnt value for each latitude and channel, added before the blocks, which breaks the symmetry of
        latitudes (default False)
    oversample : points of the blocks' grid over the fewest that carry degree L (default 1; at least 1)
    basis : univariate functions of a KAN of l that gives W_l, so that there is no table of degrees (default: a table)

    Shapes
    ------
    forward (b, c_in, y, x) → (b, c_out, y, x), at any resolution

    Raises
    ------
    KanopError : data that live on no sphere; a degree that the grid does not carry; an input with other channels

    References
    ----------
    Bonev et al. 2023, arXiv:2306.03838; their linear variant with real filters.

    Examples
    --------
    >>> model = SFNO(FieldSpec(SphereGrid((16, 32)), ["u"]), hidden_channels=8)
    >>> model(torch.randn(2, 1, 16, 32)).shape, model(torch.randn(2, 1, 24, 48)).shape
    (torch.Size([2, 1, 16, 32]), torch.Size([2, 1, 24, 48]))
    """

    lives_on_spheres = True

    def __init__(
        self,
        spec: FieldSpec,
        degree: int | None = None,
        hidden_channels: int = 32,
        n_layers: int = 4,
        mlp_ratio: float = 2.0,
        norm: str = "none",
        position: bool = False,
        oversample: float = 1.0,
        basis: Basis | None = None,
    ) -> None:
        super().__init__()
        outer = spec.grid
        if not isinstance(outer, SphereGrid):
            raise KanopError(
                f"SFNO lives on a sphere, the data on a box of {outer.shape} points: take operator=fno, or data on a "
                "SphereGrid"
            )
        degree = outer.degree // 2 if degree is None else degree
        check(1 <= degree <= outer.degree, f"the grid carries degrees 1 to {outer.degree}, got degree={degree}")
        check(min(hidden_channels, n_layers) >= 1, f"sizes are at least 1, got {hidden_channels} and {n_layers}")
        check(mlp_ratio > 0, f"mlp_ratio is positive, got {mlp_ratio}")
        check(oversample >= 1, f"oversample is at least 1, got {oversample}")
        check(norm in NORMS, nearest(norm, NORMS, "norm"))
        self.spec, self.degree, self.hidden_channels, self.n_layers = spec, degree, hidden_channels, n_layers
        self.mlp_ratio, self.norm, self.oversample, self.basis = mlp_ratio, norm, oversample, basis
        rows, columns = math.ceil(oversample * (degree + 1)), math.ceil(oversample * 2 * (degree + 1))
        self.inner = SphereGrid((max(4, rows), _divisor(outer.shape[1], columns)), degree=degree, dtype="float32")
        inside = max(1, round(mlp_ratio * hidden_channels))
        self.lifting = Pointwise(spec.in_channels, hidden_channels)
        self.position = nn.Parameter(torch.zeros(hidden_channels, self.inner.shape[0], 1)) if position else None
        self.blocks = nn.ModuleList(
            SphereBlock(hidden_channels, inside, degree, norm == "instance", basis) for _ in range(n_layers)
        )
        self.projection = nn.ModuleList(
            [Pointwise(hidden_channels + spec.in_channels, inside), Pointwise(inside, spec.out_channels)]
        )

    @property
    def shift_equivariance(self) -> int:
        """Commutes with shifts of longitudes by multiples of so many points."""
        columns = self.spec.grid.shape[1]
        return columns // math.gcd(columns, self.inner.shape[1])

    def forward(self, u: Float[Tensor, "b i *x"]) -> Float[Tensor, "b o *x"]:
        """Apply the operator to a batch of inputs."""
        check_input(u, self.spec, "SFNO")
        outer = self.spec.grid.with_shape(u.shape[2:]).to(u.dtype, u.device)
        outer = outer.with_degree(min(self.degree, outer.degree))
        inner = self.inner.to(u.dtype, u.device)
        v = inner.to_physical(_padded(outer.to_spectral(self.lifting(u)), self.degree))
        v = v if self.position is None else v + self.position
        for block in self.blocks:
            v = block(v, inner)
        cut = outer.degree + 1
        v = outer.to_physical(inner.to_spectral(v)[..., :cut, :cut])
        return self.projection[1](F.gelu(self.projection[0](torch.cat([v, u], 1))))


class SphereBlock(nn.Module):
    """B(v) = v + M(N(F⁻¹ W_l F v)), band-limited where it adds to v."""

    def __init__(self, channels: int, inside: int, degree: int, instance: bool, basis: Basis | None) -> None:
        super().__init__()
        self.filter = DegreeFilter(channels, channels, degree, basis)
        self.mlp = nn.ModuleList([Pointwise(channels, inside), Pointwise(inside, channels)])
        self.gain = nn.Parameter(torch.ones(channels, 1, 1)) if instance else None
        self.offset = nn.Parameter(torch.zeros(channels, 1, 1)) if instance else None

    def forward(self, v: Float[Tensor, "b c y x"], grid: SphereGrid) -> Float[Tensor, "b c y x"]:
        """Apply the block to a field on `grid`."""
        w = grid.to_physical(self.filter(grid.to_spectral(v)))
        if self.gain is not None:
            w = w - grid.mean(w)[..., None, None]
            w = torch.addcmul(self.offset, self.gain, w / (grid.mean(w * w)[..., None, None] + 1e-6).sqrt())  # type: ignore[arg-type]
        return v + self.mlp[1](F.gelu(self.mlp[0](w)))


def _padded(u_hat: Complex[Tensor, "... l m"], degree: int) -> Complex[Tensor, "... k n"]:
    more = degree + 1 - u_hat.shape[-1]
    return F.pad(u_hat, (0, more, 0, more)) if more else u_hat


def _divisor(columns: int, least: int) -> int:
    """The smallest divisor of `columns` that is at least `least`, so that turns by grid steps stay such; or `least`."""
    return next((n for n in range(least, columns + 1) if columns % n == 0), least)
