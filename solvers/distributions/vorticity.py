"""Random plane flows by their vorticity, with a given spectrum and a given speed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Complex, Float
from torch import Tensor

from kanop.solvers.distributions.modes import Modes, band, generator, series
from kanop.solvers.errors import check, nearest
from kanop.solvers.grid import Grid

__all__ = ["McWilliams", "PeakedVorticity"]

# Points for each period of the shortest wave on which a maximum is taken.
POINTS = 8

SPECTRA: dict[str, Callable[[np.ndarray, float], np.ndarray]] = {
    "paper": lambda k, k0: 1 / (k * (1 + (k / k0) ** 4)),
    "script": lambda k, k0: 1 / (k * (1 + (k / k0) ** 4)) ** 2,
    "shell": lambda k, k0: 1 / (k**2 * (1 + (k / k0) ** 4)),
}


@dataclass(frozen=True)
class PeakedVorticity:
    r"""ω = ∇×u of a solenoidal noise with |û_k| ∝ exp(−(ln(k/k₀) − s)²/2s) / k², scaled to the largest speed.

    White noise of the two velocity components is filtered by a log-normal density of mode k₀ over k, and projected:
    what the projection leaves is one standard normal a mode, along k⊥. The spectrum E(k) ∝ k|û_k|² is largest at
    k₀ e^{−s/2}.

    Parameters
    ----------
    peak : k₀ > 0, in 1/length; 4 on (0, 2π)² in the literature
    max_speed : largest |u| > 0, taken on a fixed lattice of eight points for each shortest wave; 7 in the literature
    k_max : the law has the modes |k| < k_max; default 8 k₀, where |û_k| has fallen to 2·10⁻⁵
    variance : s > 0, that of ln k

    Raises
    ------
    KanopError : a constant that is not positive, a grid that does not hold the modes or has walls

    References: Kochkov et al. (2021), doi:10.1073/pnas.2101784118 (`filtered_velocity_field` of jax-cfd).

    Examples
    --------
    >>> grid = Grid((64, 64), (2 * math.pi, 2 * math.pi))
    >>> PeakedVorticity(peak=4, max_speed=7).sample(grid, seed=0, split="train", indices=[0]).shape
    torch.Size([1, 1, 64, 64])
    """

    peak: float = 4.0
    max_speed: float = 7.0
    k_max: float | None = None
    variance: float = 0.25

    def __post_init__(self) -> None:
        constants = (self.peak, self.max_speed, self.variance, *([] if self.k_max is None else [self.k_max]))
        check(all(0 < c < math.inf for c in constants), f"expected positive constants, got {self}")

    def sample(self, grid: Grid, seed: int, split: str, indices: Sequence[int]) -> Float[Tensor, "b 1 x y"]:
        """Samples number `indices` of `split`, in double precision on the grid's device."""
        modes, waves = _plane(grid, 8 * self.peak if self.k_max is None else self.k_max, "PeakedVorticity")
        k = np.hypot(*waves)
        speed = np.exp(-((np.log(k / self.peak) - self.variance) ** 2) / (2 * self.variance)) / k**2
        fine = grid.with_shape([POINTS * int(abs(m).max() + 1) for m in modes.numbers])
        # The largest speed is that of the series, whatever grid asks: on a fixed lattice.
        noises = []
        for i in indices:
            noise = k * speed * modes.normals(generator(seed, split, i))
            stream = noise / k**2
            flow = np.concatenate([1j * waves[1] * stream, -1j * waves[0] * stream])
            velocity = series(fine, modes, [flow], channels=2)
            noises.append(noise * (self.max_speed / math.sqrt(float(velocity.square().sum(1).max()))))
        return series(grid, modes, noises)


@dataclass(frozen=True)
class McWilliams:
    r"""ω = −Δψ of noise with E|ψ_k|² ∝ [k (1 + (k/k₀)⁴)]⁻¹, scaled so that the mean of |u|² is `mean_square`.

    Parameters
    ----------
    peak : k₀ > 0, in 1/length; 4 on (0, 2π)² in the published set, 6 in McWilliams' paper
    mean_square : mean of |u|² > 0 over the box, of every sample; 0.5
    spectrum : "paper" (default): |ψ_k|² as above, energy ∝ k²/(1 + (k/k₀)⁴), most at k₀. "script": its square, which
        the published code draws because it multiplies amplitudes by the formula for |ψ_k|²; far smoother, energy
        ∝ k/(1 + (k/k₀)⁴)². "shell": the formula taken for the sum over a shell, hence E|ψ_k|² ∝ [k² (1 + (k/k₀)⁴)]⁻¹,
        as GeophysicalFlows.jl draws it
    k_max : the law has the modes |k| < k_max; default 16 k₀. With "paper" and "shell" the enstrophy grows with it

    Raises
    ------
    KanopError : a constant that is not positive, an unknown spectrum, a grid that does not hold the modes or has walls

    References: McWilliams (1984), doi:10.1017/S0022112084001750; Cao et al. (2024), arXiv:2405.17211 (the set).

    Examples
    --------
    >>> grid = Grid((128, 128), (2 * math.pi, 2 * math.pi))
    >>> McWilliams(peak=4).sample(grid, seed=0, split="train", indices=[0]).shape
    torch.Size([1, 1, 128, 128])
    """

    peak: float = 4.0
    mean_square: float = 0.5
    spectrum: str = "paper"
    k_max: float | None = None

    def __post_init__(self) -> None:
        check(self.spectrum in SPECTRA, nearest(self.spectrum, SPECTRA, "spectrum"))
        constants = (self.peak, self.mean_square, *([] if self.k_max is None else [self.k_max]))
        check(all(0 < c < math.inf for c in constants), f"expected positive constants, got {self}")

    def sample(self, grid: Grid, seed: int, split: str, indices: Sequence[int]) -> Float[Tensor, "b 1 x y"]:
        """Samples number `indices` of `split`, in double precision on the grid's device."""
        modes, waves = _plane(grid, 16 * self.peak if self.k_max is None else self.k_max, "McWilliams")
        k = np.hypot(*waves)
        stream = np.sqrt(SPECTRA[self.spectrum](k, self.peak))
        noises = (stream * modes.normals(generator(seed, split, i)) for i in indices)
        return series(grid, modes, (self._scaled(noise, k) for noise in noises))

    def _scaled(self, stream: Complex[np.ndarray, "1 m"], k: Float[np.ndarray, " m"]) -> Complex[np.ndarray, "1 m"]:
        # Each coefficient stands for ±k.
        mean_square = 2 * float((abs(k * stream) ** 2).sum())
        return k**2 * stream * math.sqrt(self.mean_square / mean_square)


def _plane(grid: Grid, k_max: float, law: str) -> tuple[Modes, Float[np.ndarray, "2 m"]]:
    plane = grid.boundaries == ("periodic", "periodic")
    check(
        plane,
        f"{law} is a flow in a periodic plane, the grid is {grid.boundaries}: take a Grid with two periodic axes",
    )
    return band(grid, k_max, law)
