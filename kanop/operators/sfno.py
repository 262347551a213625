"""Spherical Fourier neural operators."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Complex, Float
from torch import Tensor, nn
from torch.nn import functional as F

from kanop.kan import Basis
from kanop.layers import Pointwise
from kanop.layers.sphere_conv import DegreeFilter
from kanop.layers.sphere_local import LocalKernels, SphereLocalConv
from kanop.operators.inputs import check_input
from kanop.solvers import FieldSpec, KanopError, SphereGrid
from kanop.solvers.errors import check, nearest

__all__ = ["SFNO", "SphereBlock"]

NORMS = ("none", "instance")


@dataclass(frozen=True)
class SphereBlock:
    r"""B(v) = v + M(N(F⁻¹ W_l F v + local(v))): what the blocks of an `SFNO` are made of.

    F is the transform to spherical harmonics up to degree L, W_l a real matrix for each degree (`DegreeFilter`), N a
    normalisation, M a pointwise network with one hidden layer and GELU.

    Parameters
    ----------
    mlp_ratio : width inside M over that of the blocks (default 2)
    norm : "none" (default), or "instance": each channel's mean and variance over the sphere are taken out
    basis : univariate functions of a KAN of l that gives W_l, so that there is no table of degrees (default: a table)
    local : sets of kernels on a disc about each point, which see what degrees up to L do not, and which keep turns
        about the axis alone (default: none)

    Raises
    ------
    KanopError : a ratio that is not positive, an unknown norm

    References
    ----------
    Bonev et al. 2023, arXiv:2306.03838; Liu-Schiaffini et al. 2024, arXiv:2402.16845.
    """

    mlp_ratio: float = 2.0
    norm: str = "none"
    basis: Basis | None = None
    local: Sequence[LocalKernels] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "local", tuple(self.local))
        check(self.mlp_ratio > 0, f"mlp_ratio is positive, got {self.mlp_ratio}")
        check(self.norm in NORMS, nearest(self.norm, NORMS, "norm"))

    def inside(self, channels: int) -> int:
        """Width inside M."""
        return max(1, round(self.mlp_ratio * channels))


class SFNO(nn.Module):
    r"""G = Q ∘ [B_n ∘ … ∘ B_1 ∘ P, id] with blocks of filters by degree (`SphereBlock`), P linear, Q pointwise.

    The blocks live on Gauss' latitudes of their own, just fine enough for degree L, whatever grid the data are on: at
    another resolution the operator is the same function of the harmonics up to L.

    Filters commute with all rotations. What blocks add beyond degree L aliases, so that the whole commutes with turns
    about the axis by `shift_equivariance` points, and with others the better the higher `oversample`.

    Parameters
    ----------
    spec : the map to learn, on a `SphereGrid`
    degree : L, or one for each block, whose filter then passes so many; default half of what the grid carries
    hidden_channels : width of the blocks (default 32)
    n_layers : number of blocks (default 4)
    block : what blocks are made of (default: filters alone)
    position : a learnt value for each latitude and channel, added before the blocks, which breaks the symmetry of
        latitudes (default False)
    oversample : points of the blocks' grid over the fewest that carry degree L (default 1; at least 1)

    Shapes
    ------
    forward (b, c_in, y, x) → (b, c_out, y, x), at any resolution

    Raises
    ------
    KanopError : data that live on no sphere; degrees that the grid does not carry or that are not as many as blocks; an
        input with other channels

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
        degree: int | Sequence[int] | None = None,
        hidden_channels: int = 32,
        n_layers: int = 4,
        block: SphereBlock | None = None,
        position: bool = False,
        oversample: float = 1.0,
    ) -> None:
        super().__init__()
        outer, block = spec.grid, block or SphereBlock()
        if not isinstance(outer, SphereGrid):
            raise KanopError(
                f"SFNO lives on a sphere, the data on a box of {outer.shape} points: take operator=fno, or data on a "
                "SphereGrid"
            )
        degree = outer.degree // 2 if degree is None else degree
        degrees = (degree,) * n_layers if isinstance(degree, int) else tuple(degree)
        check(min(hidden_channels, n_layers) >= 1, f"sizes are at least 1, got {hidden_channels} and {n_layers}")
        check(len(degrees) == n_layers, f"expected one degree, or {n_layers} for {n_layers} blocks, got {degrees}")
        for each in degrees:
            check(1 <= each <= outer.degree, f"the grid carries degrees 1 to {outer.degree}, got degree={each}")
        check(oversample >= 1, f"oversample is at least 1, got {oversample}")
        self.spec, self.degree, self.hidden_channels, self.n_layers = spec, degree, hidden_channels, n_layers
        self.block, self.position, self.oversample = block, position, oversample
        highest = max(degrees)
        rows, columns = math.ceil(oversample * (highest + 1)), math.ceil(oversample * 2 * (highest + 1))
        self.inner = SphereGrid((max(4, rows), _divisor(outer.shape[1], columns)), degree=highest, dtype="float32")
        self.lifting = Pointwise(spec.in_channels, hidden_channels)
        self.embedding = nn.Parameter(torch.zeros(hidden_channels, self.inner.shape[0], 1)) if position else None
        self.blocks = nn.ModuleList(_Block(hidden_channels, each, block, self.inner) for each in degrees)
        inside = block.inside(hidden_channels)
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
        outer = outer.with_degree(min(self.inner.degree, outer.degree))
        inner = self.inner.to(u.dtype, u.device)
        v = inner.to_physical(_padded(outer.to_spectral(self.lifting(u)), inner.degree))
        v = v if self.embedding is None else v + self.embedding
        for block in self.blocks:
            v = block(v, inner)
        cut = outer.degree + 1
        v = outer.to_physical(inner.to_spectral(v)[..., :cut, :cut])
        return self.projection[1](F.gelu(self.projection[0](torch.cat([v, u], 1))))


class _Block(nn.Module):
    """What `SphereBlock` says, with weights."""

    def __init__(self, channels: int, degree: int, made: SphereBlock, grid: SphereGrid) -> None:
        super().__init__()
        inside = made.inside(channels)
        self.filter = DegreeFilter(channels, channels, degree, made.basis)
        self.local = SphereLocalConv(channels, channels, grid, made.local) if made.local else None
        self.mlp = nn.ModuleList([Pointwise(channels, inside), Pointwise(inside, channels)])
        instance = made.norm == "instance"
        self.gain = nn.Parameter(torch.ones(channels, 1, 1)) if instance else None
        self.offset = nn.Parameter(torch.zeros(channels, 1, 1)) if instance else None

    def forward(self, v: Float[Tensor, "b c y x"], grid: SphereGrid) -> Float[Tensor, "b c y x"]:
        """Apply the block to a field on `grid`."""
        few = grid.with_degree(self.filter.degree)
        w = few.to_physical(self.filter(few.to_spectral(v)))
        w = w if self.local is None else w + self.local(v)
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
