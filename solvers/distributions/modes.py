r"""Random series u = Σ_k c_k e_k, drawn mode by mode outwards: a finer grid adds modes to a sample but changes none."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Complex, Float
from torch import Tensor

from kanop.solvers.errors import KanopError, check, nearest
from kanop.solvers.grid import Grid

__all__ = ["SPLITS", "Modes", "band", "generator", "lattice", "series"]

SPLITS = {"train": 0, "valid": 1, "test": 2}


def generator(seed: int, split: str, index: int) -> np.random.Generator:
    """The numbers of sample `index` of `split`: a stream for each (seed, split, index)."""
    if split not in SPLITS:
        raise KanopError(nearest(split, SPLITS, "split"))
    check(seed >= 0 and index >= 0, f"seeds and numbers of samples are at least 0, got seed {seed}, sample {index}")
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, SPLITS[split], index])))


@dataclass(frozen=True, eq=False)
class Modes:
    """Modes e_k of a box, nearest first, one of each pair ±k.

    Attributes
    ----------
    boundaries : kind of each axis, which says what e_k is there: exponential, sine or cosine
    numbers : (d, m) mode numbers: signed on periodic axes, 1, 2, … for sines, 0, 1, … for cosines
    paired : (m,) True where a mode stands for ±k and has a complex coefficient
    """

    boundaries: tuple[str, ...]
    numbers: np.ndarray
    paired: np.ndarray

    def keep(self, which: np.ndarray) -> Modes:
        """The modes where `which` is True."""
        return Modes(self.boundaries, self.numbers[:, which], self.paired[which])

    def wavenumbers(self, lengths: Sequence[float]) -> Float[np.ndarray, "d m"]:
        """2πm/L on periodic axes, πm/L at walls."""
        scales = [_wavenumber(kind, length) for kind, length in zip(self.boundaries, lengths, strict=True)]
        return np.stack([scale * m for scale, m in zip(scales, self.numbers, strict=True)])

    @property
    def count(self) -> int:
        """Number of real functions: two for a pair."""
        return len(self.paired) + int(self.paired.sum())

    def norm(self, lengths: Sequence[float]) -> Float[np.ndarray, " m"]:
        """What divides ξ to give the coefficient of ξ times a function of norm 1 on the box."""
        walls = [m > 0 for m, kind in zip(self.numbers, self.boundaries, strict=True) if kind != "periodic"]
        doublings = self.paired.astype(int) - np.sum([np.zeros(len(self.paired), int), *walls], axis=0)
        return np.sqrt(np.exp2(doublings) * np.prod(lengths))

    def normals(self, random: np.random.Generator, channels: int = 1) -> Complex[np.ndarray, "c m"]:
        """ξ − iη with independent standard normals ξ, η for each pair; ξ alone for a mode without partner."""
        parts = 2 if "periodic" in self.boundaries else 1
        noise = random.standard_normal((len(self.paired), channels, parts))
        values = noise[..., 0] - 1j * noise[..., -1] * self.paired[:, None]
        return values.T


@lru_cache(maxsize=8)
def lattice(boundaries: tuple[str, ...], reach: int) -> Modes:
    """All modes but the constant with |m| ≤ `reach` on every axis, by shells of max|m|."""
    check(reach >= 1, "a random field needs at least 3 points on an axis to hold a mode", KanopError)
    periodic = [i for i, kind in enumerate(boundaries) if kind == "periodic"]
    first = {"dirichlet": 1, "neumann": 0, "periodic": -reach}
    axes = [np.arange(first[kind], reach + 1) for kind in boundaries]
    if periodic:
        axes[periodic[-1]] = np.arange(reach + 1)
    numbers = np.stack([m.ravel() for m in np.meshgrid(*axes, indexing="ij")])
    # Where the last periodic number is 0, ±k are both listed: keep the one whose first non-zero number is positive.
    sign = np.zeros(numbers.shape[1], dtype=int)
    for i in periodic:
        sign = np.where(sign == 0, np.sign(numbers[i]), sign)
    ahead = (numbers[periodic[-1]] > 0) | (sign > 0) if periodic else np.zeros(len(sign), bool)
    numbers = numbers[:, ahead | ((sign == 0) & numbers.any(0))]
    numbers = numbers[:, np.lexsort((*numbers[::-1], abs(numbers).max(0)))]
    numbers.setflags(write=False)
    return Modes(boundaries, numbers, np.any(numbers[periodic], axis=0))


def band(grid: Grid, k_max: float, law: str) -> tuple[Modes, Float[np.ndarray, "d m"]]:
    """The modes 0 < |k| < `k_max` of the box and their wavenumbers; refuses a grid that does not hold them all."""
    # A wave whose number is k_max but for rounding is outside on every box.
    k_max *= 1 - 1e-12
    scales = [_wavenumber(kind, length) for kind, length in zip(grid.boundaries, grid.lengths, strict=True)]
    highest = [math.ceil(k_max / scale) - 1 for scale in scales]
    least = [2 * m + 1 if kind == "periodic" else m + 1 for m, kind in zip(highest, grid.boundaries, strict=True)]
    check(
        max(highest) >= 1,
        f"{law} has no mode: |k| < k_max = {k_max:g} holds none on a box of sides {grid.lengths}; raise k_max",
    )
    check(
        all(n >= need for n, need in zip(grid.shape, least, strict=True)),
        f"{law} holds every mode below |k| = {k_max:g}, up to number {max(highest)} of an axis: the grid needs at "
        f"least {tuple(least)} points, got {grid.shape}; take a finer grid or a smaller k_max",
    )
    modes = lattice(grid.boundaries, max(highest))
    modes = modes.keep((modes.wavenumbers(grid.lengths) ** 2).sum(0) < k_max**2)
    return modes, modes.wavenumbers(grid.lengths)


def series(
    grid: Grid, modes: Modes, coefficients: Iterable[Complex[np.ndarray, "c m"]], channels: int = 1
) -> Float[Tensor, "b c *x"]:
    """Values of one series for each of `coefficients` at the points of `grid`, without the modes it does not hold.

    `modes` may be of another kind than `grid` at walls: sines and cosines share the cell centres.
    """
    box = Grid(grid.shape, grid.lengths, modes.boundaries, grid.origin, torch.float64, grid.device)
    inside, place, mirror, mirrored = _places(modes, box)
    fields = []
    for values in coefficients:
        spectrum = np.zeros((channels, *box.spectral_shape), dtype=complex)
        spectrum[:, *place] = values[:, inside]
        spectrum[:, *mirror] = values[:, mirrored].conj()
        stored = torch.from_numpy(spectrum if box.spectral_dtype.is_complex else spectrum.real).to(grid.device)
        # One transform a field: the rounding of a batched one depends on the batch and on the number of threads.
        fields.append(torch.stack([box.to_physical(channel) for channel in stored]))
    if not fields:
        return torch.zeros((0, channels, *grid.shape), dtype=torch.float64, device=grid.device)
    return torch.stack(fields)


def _places(modes: Modes, box: Grid) -> tuple:
    """Which modes the grid holds, where in its array; those of the half axis' plane 0 stand there as −k too."""
    held, place, mirror = [], [], []
    for m, n, kind in zip(modes.numbers, box.shape, modes.boundaries, strict=True):
        held.append(2 * abs(m) < n if kind == "periodic" else m < n + (kind == "dirichlet"))
        at = m % n if kind == "periodic" else m - (kind == "dirichlet")
        place.append(at)
        mirror.append(-m % n if kind == "periodic" else at)
    inside = np.all(held, axis=0)
    periodic = [i for i, kind in enumerate(modes.boundaries) if kind == "periodic"]
    mirrored = inside & (modes.numbers[periodic[-1]] == 0) if periodic else np.zeros_like(inside)
    return inside, [p[inside] for p in place], [p[mirrored] for p in mirror], mirrored


def _wavenumber(kind: str, length: float) -> float:
    return (2 if kind == "periodic" else 1) * np.pi / length
