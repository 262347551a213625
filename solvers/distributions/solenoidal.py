"""Random flows in space with a given energy spectrum."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from torch import Tensor

from kanop.solvers.distributions.modes import band, generator, series
from kanop.solvers.errors import check
from kanop.solvers.grid import Grid

__all__ = ["SolenoidalNoise"]


@dataclass(frozen=True)
class SolenoidalNoise:
    r"""Gaussian velocity with ∇·u = 0 and E½|û_k|² ∝ E(k)/k², E(k) ∝ (k/k₀)^s exp(−(s/2)(k/k₀)²), most at k₀.

    Isotropic: every mode has three independent complex normals less their part along k. The mean of |u|² over box and
    samples is 3 u_rms² exactly: it is normalised by the sum over the modes.

    Parameters
    ----------
    rms : u_rms > 0, the root mean square of one component, in length/time
    peak : k₀ > 0, in 1/length; the integral scale is about 1/k₀
    slope : s > 0; 4 (default) gives (k/k₀)⁴ exp(−2(k/k₀)²), 2 gives k² at large scales
    k_max : the law has the modes |k| < k_max; default 4 k₀, where with s = 4 the spectrum has fallen to 2·10⁻¹¹

    Raises
    ------
    KanopError : a constant that is not positive, a grid that does not hold the modes, has walls or not three axes

    References: Rogallo (1981), NASA TM-81315; Chasnov (1995), Phys. Fluids 7 (the spectra).

    Examples
    --------
    >>> grid = Grid((32, 32, 32), (2 * math.pi,) * 3)
    >>> SolenoidalNoise(rms=1, peak=4).sample(grid, seed=0, split="train", indices=[0]).shape
    torch.Size([1, 3, 32, 32, 32])
    """

    rms: float = 1.0
    peak: float = 4.0
    slope: float = 4.0
    k_max: float | None = None

    def __post_init__(self) -> None:
        constants = (self.rms, self.peak, self.slope, *([] if self.k_max is None else [self.k_max]))
        check(all(0 < c < math.inf for c in constants), f"expected positive constants, got {self}")

    def spectrum(self, k: Float[np.ndarray, "*m"]) -> Float[np.ndarray, "*m"]:
        """E(k) up to a factor, 1 at the peak."""
        q = k / self.peak
        return q**self.slope * np.exp(-self.slope / 2 * (q**2 - 1))

    def sample(self, grid: Grid, seed: int, split: str, indices: Sequence[int]) -> Float[Tensor, "b 3 x y z"]:
        """Samples number `indices` of `split`, in double precision on the grid's device."""
        space = grid.boundaries == ("periodic",) * 3
        check(space, f"SolenoidalNoise fills periodic space, the grid is {grid.boundaries}: take three periodic axes")
        modes, waves = band(grid, 4 * self.peak if self.k_max is None else self.k_max, "SolenoidalNoise")
        k = np.sqrt((waves**2).sum(0))
        amplitude = np.sqrt(self.spectrum(k)) / k
        # |û_k|² = 4 on average, two normals in each of two directions across k; a coefficient stands for ±k.
        amplitude *= self.rms * math.sqrt(3 / (8 * (amplitude**2).sum()))
        along = waves / k
        noises = (amplitude * modes.normals(generator(seed, split, i), channels=3) for i in indices)
        return series(grid, modes, (noise - along * (along * noise).sum(0) for noise in noises), channels=3)
