"""A sphere with points on circles of latitude: exact transforms, derivatives, dealiasing, resampling."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import torch
from jaxtyping import Bool, Complex, Float
from torch import Tensor

from kanop.solvers.devices import resolve_device, resolve_dtype
from kanop.solvers.errors import KanopError, check, nearest
from kanop.solvers.geometry import Geometry
from kanop.solvers.sphere.nodes import NODES, latitudes
from kanop.solvers.sphere.transform import Transform
from kanop.solvers.sphere.vectors import divergence_hat, slopes

__all__ = ["SphereGrid"]


@dataclass(frozen=True, init=False)
class SphereGrid(Geometry):
    r"""Latitudes × longitudes on a sphere, and the series Σ_{l ≤ L} Σ_m û_lm Y_lm through them.

    Latitudes run from north to south, longitudes eastwards from 0, both in radians. The Y_lm are orthonormal on the
    unit sphere, with the Condon-Shortley phase, so û does not depend on the resolution; û is (L + 1, L + 1), by l and
    by m ≥ 0, and zero for m > l.

    Parameters
    ----------
    shape : numbers of latitudes (≥ 4) and of longitudes (≥ 4)
    nodes : "gauss" (default; no point on a pole), "lobatto" or "equiangular" (both poles are points)
    degree : L; default the largest for which û → u → û is exact: latitudes − 1 on Gauss' nodes, − 2 on Lobatto's,
        (latitudes − 1)/2 on equiangular ones, and below half of the longitudes
    radius : in the unit of length of the problem (default 1)
    dtype : torch.float64 (default) or torch.float32, or their names
    device : where points and tables are made; default "cpu"

    Raises
    ------
    KanopError : sizes that are none, unknown nodes, a degree that the points cannot carry

    Examples
    --------
    >>> sphere = SphereGrid((16, 32))
    >>> latitude, longitude = sphere.mesh()
    >>> u = torch.cos(latitude) * torch.cos(longitude)  # of degree 1, hence Δu = −2u
    >>> bool((sphere.to_physical(sphere.laplacian * sphere.to_spectral(u)) + 2 * u).abs().max() < 1e-12)
    True
    """

    shape: tuple[int, int]
    nodes: str
    degree: int
    radius: float
    dtype: torch.dtype
    device: torch.device

    boundaries = ("sphere", "sphere")

    def __init__(
        self,
        shape: Sequence[int],
        nodes: str = "gauss",
        degree: int | None = None,
        radius: float = 1.0,
        dtype: torch.dtype | str = torch.float64,
        device: torch.device | str = "cpu",
    ) -> None:
        check(
            len(shape) == 2 and min(shape) >= 4,
            f"a SphereGrid has 4 or more latitudes and longitudes, got {tuple(shape)}",
        )
        if nodes not in NODES:
            raise KanopError(nearest(nodes, NODES, "nodes"))
        check(0 < radius < math.inf, f"a radius is positive, got {radius}")
        rows, columns = (int(n) for n in shape)
        largest = _largest(nodes, (rows, columns), 1)
        degree = largest if degree is None else degree
        check(
            0 <= degree <= largest,
            f"{rows} {nodes} latitudes and {columns} longitudes carry degrees up to {largest}, got degree={degree}",
        )
        fields = {
            "shape": (rows, columns),
            "nodes": nodes,
            "degree": int(degree),
            "radius": float(radius),
            "dtype": resolve_dtype(dtype),
            "device": resolve_device(device),
        }
        # The class is frozen: its one assignment goes round the lock.
        self.__dict__.update(fields, _hash=hash(tuple(fields.values())))

    def __hash__(self) -> int:
        return self._hash  # type: ignore[attr-defined]

    @cached_property
    def points(self) -> tuple[Float[Tensor, " y"], Float[Tensor, " x"]]:
        """Latitudes φ from π/2 to −π/2 and longitudes λ from 0 to 2π."""
        phi = torch.asin(latitudes(self.nodes, self.shape[0])[0])
        longitude = 2 * math.pi / self.shape[1] * torch.arange(self.shape[1], dtype=torch.float64)
        return phi.to(self.device, self.dtype), longitude.to(self.device, self.dtype)

    @cached_property
    def weights(self) -> Float[Tensor, "y 1"]:
        """Quadrature: mean(u) over the sphere is (weights · u).mean((-2, -1))."""
        weights = latitudes(self.nodes, self.shape[0])[1] * self.shape[0] / 2
        return weights[:, None].to(self.device, self.dtype)

    @property
    def spectral_shape(self) -> tuple[int, int]:
        """(L + 1, L + 1)."""
        return self.degree + 1, self.degree + 1

    @property
    def spectral_dtype(self) -> torch.dtype:
        """Complex, of the same precision."""
        return self.dtype.to_complex()

    @cached_property
    def l(self) -> Float[Tensor, "l 1"]:
        """Degrees 0 … L."""
        return torch.arange(self.degree + 1, dtype=self.dtype, device=self.device)[:, None]

    @cached_property
    def m(self) -> Float[Tensor, " m"]:
        """Orders 0 … L."""
        return torch.arange(self.degree + 1, dtype=self.dtype, device=self.device)

    @property
    def spacing(self) -> tuple[float]:
        """Length of a meridian over the number of latitudes: what a Courant number is measured with."""
        return (math.pi * self.radius / self.shape[0],)

    @cached_property
    def k(self) -> tuple[Float[Tensor, "l m"]]:
        """√(l(l + 1))/R, the wavenumber of all of a degree."""
        return ((-self.laplacian).sqrt(),)

    @property
    def numbers(self) -> tuple[Float[Tensor, "l 1"]]:
        """The degrees."""
        return (self.l,)

    @cached_property
    def laplacian(self) -> Float[Tensor, "l m"]:
        """−l(l + 1)/R²."""
        return (-self.l * (self.l + 1) / self.radius**2).expand(self.spectral_shape)

    @cached_property
    def inverse_laplacian(self) -> Float[Tensor, "l m"]:
        """−R²/(l(l + 1)), and 0 for l = 0: the solution of Δu = f of mean 0."""
        return torch.where(self.laplacian < 0, 1 / self.laplacian, 0)

    @cached_property
    def parseval(self) -> Float[Tensor, "l m"]:
        """Weights w with mean(u²) = Σ w |û|²: 1/4π for m = 0, 2/4π for what stands for ±m, 0 for m > l."""
        twice = torch.where(self.m > 0, 2.0, 1.0).to(self.dtype) / (4 * math.pi)
        return torch.where(self.m <= self.l, twice, 0)

    def mean(self, u: Float[Tensor, "... y x"]) -> Float[Tensor, "..."]:
        """The mean over the sphere."""
        return (self.weights.to(u) * u).mean((-2, -1))

    def dealias_mask(self, degree: int) -> Bool[Tensor, "l m"]:
        """l ≤ L with (degree + 1) L inside what the quadrature integrates and below the longitudes; m ≤ l."""
        return (self.l <= _largest(self.nodes, self.shape, degree)) & (self.m <= self.l)

    def dealiased(self, degree: int) -> SphereGrid:
        """The same points with as many degrees as `dealias_mask` keeps: tables are smaller by the square."""
        return self.with_degree(min(self.degree, _largest(self.nodes, self.shape, degree)))

    def to_spectral(self, u: Float[Tensor, "... y x"]) -> Complex[Tensor, "... l m"]:
        """û_lm = ∫ u Y*_lm dΩ by quadrature: exact for degrees up to L; any leading axes."""
        self._check_tail(u, self.shape, "a field")
        return self._scalars(u).analyse(u)

    def to_physical(self, u_hat: Complex[Tensor, "... l m"]) -> Float[Tensor, "... y x"]:
        """Values of the series at the points."""
        self._check_tail(u_hat, self.spectral_shape, "a spectrum")
        return self._scalars(u_hat).synthesise(u_hat)

    def gradient(self, u_hat: Complex[Tensor, "... l m"]) -> tuple[Float[Tensor, "... y x"], ...]:
        """∇u along east and north; at a pole, of the meridian on which the point is."""
        return tuple(self.vectors.synthesise(slopes(self, u_hat)).unbind(-3))

    def divergence(self, vector: Sequence[Float[Tensor, "... y x"]]) -> Complex[Tensor, "... l m"]:
        """Coefficients of the divergence of (east, north)."""
        return divergence_hat(self, *self.vectors.analyse(torch.stack(tuple(vector), -3)).unbind(-3))

    def curl(self, vector: Sequence[Float[Tensor, "... y x"]]) -> Complex[Tensor, "... l m"]:
        """Coefficients of the vertical component of the curl of (east, north)."""
        east, north = vector
        return self.divergence((north, -east))

    def resample(self, u: Float[Tensor, "... y x"], shape: Sequence[int]) -> Float[Tensor, "... v w"]:
        """Values of the series on other numbers of points of the same kind, up or down: exact if they carry it."""
        target = self.with_shape(shape)
        more = target.degree - self.degree
        u_hat = self.to_spectral(u)
        u_hat = torch.nn.functional.pad(u_hat, (0, more, 0, more)) if more > 0 else u_hat
        return target.to_physical(u_hat[..., : target.degree + 1, : target.degree + 1])

    def with_shape(self, shape: Sequence[int]) -> SphereGrid:
        """Other numbers of points: with the same degree if they carry it, with all that they carry if these did."""
        largest = _largest(self.nodes, shape, 1)
        full = self.degree == _largest(self.nodes, self.shape, 1)
        return SphereGrid(
            shape, self.nodes, largest if full else min(self.degree, largest), self.radius, self.dtype, self.device
        )

    def with_degree(self, degree: int) -> SphereGrid:
        """The same points with degrees up to `degree`."""
        return SphereGrid(self.shape, self.nodes, degree, self.radius, self.dtype, self.device)

    def to(self, dtype: torch.dtype | None = None, device: torch.device | str | None = None) -> SphereGrid:
        """The same grid with other precision or on another device."""
        args = (self.shape, self.nodes, self.degree, self.radius)
        return SphereGrid(*args, dtype or self.dtype, self.device if device is None else device)

    def _scalars(self, like: Tensor) -> Transform:
        """Tables of the precision and on the device of what is transformed."""
        return _transform(self.nodes, self.shape, self.degree, self.degree, like.real.dtype, like.device)

    @property
    def vectors(self) -> Transform:
        """Between components of a vector field and the series, of degree L + 1, of cos φ times (there), over (back)."""
        return _transform(self.nodes, self.shape, self.degree + 1, self.degree, self.dtype, self.device, True)


def _largest(nodes: str, shape: Sequence[int], factors: int) -> int:
    """The largest L for which Σ w P̄² of a product of `factors` fields of degree L is exact."""
    rows, columns = shape
    integrated = NODES[nodes][1](rows)
    return max(0, min(integrated // (factors + 1), rows - 1, (columns - 1) // (factors + 1)))


_transform = lru_cache(maxsize=16)(Transform)
