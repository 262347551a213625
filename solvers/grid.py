"""A box with uniform points: wavenumbers, exact transforms, derivative symbols, dealiasing, resampling."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import torch
from jaxtyping import Bool, Float, Inexact
from torch import Tensor

from kanop.solvers.devices import resolve_device, resolve_dtype
from kanop.solvers.errors import check, nearest
from kanop.solvers.fft import irfftn, rfftn
from kanop.solvers.geometry import Geometry
from kanop.solvers.resampling import resize_spectrum
from kanop.solvers.trigonometric import from_cosine, from_sine, mode_numbers, to_cosine, to_sine

__all__ = ["Grid"]

BOUNDARIES = ("periodic", "dirichlet", "neumann")


@dataclass(frozen=True, init=False)
class Grid(Geometry):
    r"""Uniform points on ∏ᵢ [oᵢ, oᵢ + Lᵢ] and the trigonometric series that interpolates on them.

    A periodic axis has points oᵢ + j Lᵢ/nᵢ and the basis exp(2πi m x/L); its wavenumbers are 2πm/L. A Dirichlet axis
    has the cell centres oᵢ + (j+½) Lᵢ/nᵢ and the basis sin(πm x/L), m = 1…n; a Neumann axis the same points and
    cos(πm x/L), m = 0…n-1. Fields are real; the last periodic axis is stored as a half spectrum. Spectral values
    are the coefficients of the series ("forward" normalisation), so they do not depend on the resolution.

    Parameters
    ----------
    shape : points per axis (≥ 1; 1 to 3 axes)
    lengths : side lengths, in the unit of length of the problem (> 0); default 1 each
    boundaries : "periodic" (default), "dirichlet" or "neumann", one word for all axes or one each
    origin : coordinates of the lower corner; default 0
    dtype : torch.float64 (default) or torch.float32, or their names
    device : where points and symbols are made; default "cpu"

    Raises
    ------
    KanopError : wrong number of entries, a size below 1, a length that is not positive, an unknown boundary

    Examples
    --------
    >>> grid = Grid((8,))
    >>> grid.to_spectral(torch.cos(2 * torch.pi * grid.points[0])).abs().round(decimals=12).tolist()
    [0.0, 0.5, 0.0, 0.0, 0.0]
    """

    shape: tuple[int, ...]
    lengths: tuple[float, ...]
    boundaries: tuple[str, ...]
    origin: tuple[float, ...]
    dtype: torch.dtype
    device: torch.device

    def __init__(
        self,
        shape: Sequence[int],
        lengths: Sequence[float] | None = None,
        boundaries: str | Sequence[str] = "periodic",
        origin: Sequence[float] | None = None,
        dtype: torch.dtype | str = torch.float64,
        device: torch.device | str = "cpu",
    ) -> None:
        d = len(shape)
        check(1 <= d <= 3, f"a Grid has 1 to 3 axes, got shape {tuple(shape)}")
        lengths = (1.0,) * d if lengths is None else lengths
        origin = (0.0,) * d if origin is None else origin
        boundaries = (boundaries,) * d if isinstance(boundaries, str) else boundaries
        for name, value in (("lengths", lengths), ("origin", origin), ("boundaries", boundaries)):
            check(len(value) == d, f"expected {d} {name} for shape {tuple(shape)}, got {tuple(value)}")
        check(min(shape) >= 1, f"sizes are at least 1, got shape {tuple(shape)}")
        check(min(lengths) > 0, f"lengths are positive, got {tuple(lengths)}")
        for kind in boundaries:
            check(kind in BOUNDARIES, nearest(kind, BOUNDARIES, "boundary"))
        fields = {
            "shape": tuple(int(n) for n in shape),
            "lengths": tuple(float(v) for v in lengths),
            "boundaries": tuple(boundaries),
            "origin": tuple(float(v) for v in origin),
            "dtype": resolve_dtype(dtype),
            "device": resolve_device(device),
        }
        # The class is frozen: its one assignment goes round the lock. Every stage of a step looks symbols up by hash.
        self.__dict__.update(fields, _hash=hash(tuple(fields.values())))

    def __hash__(self) -> int:
        return self._hash  # type: ignore[attr-defined]

    @property
    def spacing(self) -> tuple[float, ...]:
        """Distance between neighbouring points, per axis."""
        return tuple(length / n for length, n in zip(self.lengths, self.shape, strict=True))

    @cached_property
    def points(self) -> tuple[Float[Tensor, " n"], ...]:
        """Coordinates of the points, one vector an axis."""
        shift = [0.0 if kind == "periodic" else 0.5 for kind in self.boundaries]
        axes = zip(self.shape, self.spacing, self.origin, shift, strict=True)
        return tuple(o + h * (self._arange(n) + s) for n, h, o, s in axes)

    @cached_property
    def _periodic(self) -> tuple[int, ...]:
        return tuple(i for i, kind in enumerate(self.boundaries) if kind == "periodic")

    @cached_property
    def modes(self) -> tuple[Float[Tensor, " k"], ...]:
        """Integer mode numbers m per axis: signed on full periodic axes, 0…n/2 on the half one, counts at walls."""
        half = self._periodic[-1] if self._periodic else None
        axes = enumerate(zip(self.shape, self.boundaries, strict=True))
        return tuple(mode_numbers(n, kind, i == half).to(self.device, self.dtype) for i, (n, kind) in axes)

    @property
    def spectral_shape(self) -> tuple[int, ...]:
        """Shape of the array of coefficients."""
        return tuple(len(m) for m in self.modes)

    @property
    def spectral_dtype(self) -> torch.dtype:
        """Type of the coefficients: complex as soon as one axis is periodic."""
        return self.dtype.to_complex() if self._periodic else self.dtype

    @cached_property
    def k(self) -> tuple[Float[Tensor, "..."], ...]:
        """Wavenumbers per axis, 2πm/L (πm/L at walls), shaped to broadcast over `spectral_shape`."""
        out = []
        for i, (m, length, kind) in enumerate(zip(self.modes, self.lengths, self.boundaries, strict=True)):
            scale = (2 if kind == "periodic" else 1) * math.pi / length
            out.append((scale * m).reshape([-1 if j == i else 1 for j in range(self.ndim)]))
        return tuple(out)

    @property
    def numbers(self) -> tuple[Float[Tensor, "..."], ...]:
        """|m| per axis, shaped to broadcast over `spectral_shape`."""
        return tuple(m.abs().reshape(k.shape) for m, k in zip(self.modes, self.k, strict=True))

    @cached_property
    def laplacian(self) -> Float[Tensor, "*k"]:
        """Symbol of Δ: −|k|² per mode (≤ 0)."""
        return -torch.stack([(k**2).expand(self.spectral_shape) for k in self.k]).sum(0)

    @lru_cache(maxsize=64)  # noqa: B019 (a step asks for the same few again and again; grids are small)
    def derivative(self, axis: int, order: int = 1) -> Inexact[Tensor, "..."]:
        """Symbol of ∂^order along `axis`: (ik)^order, shaped to broadcast over `spectral_shape`.

        The Nyquist mode of an even periodic axis is zero in odd derivatives: its sine part is not on the grid. Odd
        derivatives at walls turn sines into cosines, hence have no symbol and are refused.
        """
        if self.boundaries[axis] != "periodic":
            check(order % 2 == 0, f"an odd derivative has no symbol on a {self.boundaries[axis]} axis (axis {axis})")
        if order % 2 == 0:
            return (-1) ** (order // 2) * self.k[axis] ** order
        symbol = (1j) ** order * self.k[axis] ** order
        nyquist = (self.modes[axis].abs() * 2 == self.shape[axis]).reshape(self.k[axis].shape)
        return symbol.masked_fill(nyquist, 0)

    def dealias_mask(self, degree: int) -> Bool[Tensor, "*k"]:
        """Modes |m| < n/(degree+1) on every axis (2n at walls): no product of `degree` such fields aliases onto them.

        2/3 of the spectrum for quadratic, 1/2 for cubic terms (Orszag 1971), the same for +k and −k.
        """
        keep = torch.ones(self.spectral_shape, dtype=torch.bool, device=self.device)
        if degree <= 1:
            return keep
        for k, m, n, kind in zip(self.k, self.modes, self.shape, self.boundaries, strict=True):
            period = n if kind == "periodic" else 2 * n
            keep = keep & (m.abs() * (degree + 1) < period).reshape(k.shape)
        return keep

    def dealiased(self, degree: int) -> Grid:
        """The same grid: fast transforms take all modes at once."""
        return self

    @cached_property
    def parseval(self) -> Float[Tensor, "*k"]:
        """Weights w with mean(u²) = Σ_k w_k |û_k|²: 2 for modes that stand for ±k, ½ for sine and cosine modes."""
        weight = torch.ones(self.spectral_shape, dtype=self.dtype, device=self.device)
        for i, (m, n, kind) in enumerate(zip(self.modes, self.shape, self.boundaries, strict=True)):
            if kind == "periodic":
                factor = torch.where((i == self._periodic[-1]) & (m > 0) & (2 * m != n), 2.0, 1.0)
            else:
                factor = torch.where((m == 0) | (m == n), 1.0, 0.5)
            weight = weight * factor.to(self.dtype).reshape(self.k[i].shape)
        return weight

    def mean(self, u: Float[Tensor, "... *x"]) -> Float[Tensor, "..."]:
        """The mean over the points."""
        return u.mean(tuple(range(-self.ndim, 0)))

    def to_spectral(self, u: Float[Tensor, "... *x"]) -> Inexact[Tensor, "... *k"]:
        """Coefficients of the series through the values `u` (trailing axes `shape`); any leading axes."""
        self._check_tail(u, self.shape, "a field")
        for i, kind in enumerate(self.boundaries):
            if kind != "periodic":
                u = (to_sine if kind == "dirichlet" else to_cosine)(u, i - self.ndim)
        return rfftn(u, [i - self.ndim for i in self._periodic]) if self._periodic else u

    def to_physical(self, u_hat: Inexact[Tensor, "... *k"]) -> Float[Tensor, "... *x"]:
        """Values of the series at the points: the inverse of `to_spectral`."""
        self._check_tail(u_hat, self.spectral_shape, "a spectrum")
        u = u_hat
        if self._periodic:
            sizes = [self.shape[i] for i in self._periodic]
            u = irfftn(u_hat, sizes, [i - self.ndim for i in self._periodic])
        for i, kind in enumerate(self.boundaries):
            if kind != "periodic":
                u = (from_sine if kind == "dirichlet" else from_cosine)(u, i - self.ndim)
        return u

    def gradient(self, u_hat: Inexact[Tensor, "... *k"]) -> tuple[Float[Tensor, "... *x"], ...]:
        """∂u/∂x_i at the points, one array an axis."""
        return tuple(self.to_physical(self.derivative(i) * u_hat) for i in range(self.ndim))

    def divergence(self, vector: Sequence[Float[Tensor, "... *x"]]) -> Inexact[Tensor, "... *k"]:
        """Coefficients of Σ_i ∂v_i/∂x_i."""
        return torch.stack([self.derivative(i) * self.to_spectral(v) for i, v in enumerate(vector)]).sum(0)

    def resample(self, u: Float[Tensor, "... *x"], shape: Sequence[int]) -> Float[Tensor, "... *y"]:
        """Values of the interpolating series on `shape` points, up or down, even or odd: exact if band-limited.

        Going down drops the modes that the new grid does not hold. The cosine at an even Nyquist mode is split over
        ±n/2 on the way up, and re-joined on the way down.
        """
        target = self.with_shape(shape)
        u_hat = self.to_spectral(u)
        for i, kind in enumerate(self.boundaries):
            half = bool(self._periodic) and i == self._periodic[-1]
            u_hat = resize_spectrum(u_hat, i - self.ndim, self.shape[i], target.shape[i], kind, half)
        return target.to_physical(u_hat)

    def with_shape(self, shape: Sequence[int]) -> Grid:
        """The same box with other numbers of points."""
        return Grid(shape, self.lengths, self.boundaries, self.origin, self.dtype, self.device)

    def to(self, dtype: torch.dtype | None = None, device: torch.device | str | None = None) -> Grid:
        """The same grid with other precision or on another device."""
        args = (self.shape, self.lengths, self.boundaries, self.origin)
        other = Grid(*args, dtype or self.dtype, self.device if device is None else device)
        # An equal grid would make its wavenumbers anew.
        return self if other == self else other

    def _arange(self, n: int) -> Tensor:
        return torch.arange(n, dtype=self.dtype, device=self.device)
