"""Laws of random states of shallow water."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from kanop.solvers.distributions.modes import generator
from kanop.solvers.errors import check
from kanop.solvers.sphere.cases import GRAVITY, Jet
from kanop.solvers.sphere.grid import SphereGrid
from kanop.solvers.sphere.harmonics import harmonics, normals

__all__ = ["RandomJet", "RandomShallowWater"]


@dataclass(frozen=True)
class RandomShallowWater:
    r"""Φ = g (H + h ξ₁), ζ = M √(gH)/a ξ₂, δ = M √(gH)/a ξ₃ with white ξ: all degrees 1 … N − 1 equally strong.

    The ξ are independent Gaussian fields of variance (N − 1)/N at every point; a grid that holds fewer degrees has
    less. (In torch-harmonics, whose sampler this follows, the mean over longitudes has half the variance.)

    Parameters
    ----------
    mach : M, wind over the speed of gravity waves for eddies of the sphere's size (0.2)
    depth : H in m (10 000)
    amplitude : h in m (120)
    degree : N (120)
    gravity : g in m/s² (9.80616)

    Raises
    ------
    KanopError : constants that are not positive

    Reference: Bonev et al. 2023, arXiv:2306.03838.
    """

    mach: float = 0.2
    depth: float = 10000.0
    amplitude: float = 120.0
    degree: int = 120
    gravity: float = GRAVITY

    def __post_init__(self) -> None:
        values = (self.mach, self.depth, self.amplitude, self.degree, self.gravity)
        check(min(values) > 0, f"expected positive mach, depth, amplitude, degree and gravity, got {values}")

    def sample(self, grid: SphereGrid, seed: int, split: str, indices: Sequence[int]) -> Float[Tensor, "b 3 y x"]:
        """Geopotential, vorticity and divergence number `indices` of `split`, in double precision."""
        wind = self.mach * math.sqrt(self.gravity * self.depth) / grid.radius
        scale = torch.tensor([self.gravity * self.amplitude, wind, wind], dtype=torch.float64).view(3, 1, 1)
        mean = torch.tensor([self.gravity * self.depth, 0.0, 0.0], dtype=torch.float64).view(3, 1, 1)
        white = math.sqrt(4 * math.pi / (self.degree * (self.degree + 1)))
        highest = min(grid.degree, self.degree - 1)

        def drawn(index: int) -> np.ndarray:
            noise = normals(generator(seed, split, index), highest, 3)
            return white * np.pad(noise, [(0, 0), *[(0, grid.degree - highest)] * 2])

        fields = harmonics(grid, map(drawn, indices), 3)
        return scale.to(fields) * fields + mean.to(fields)


@dataclass(frozen=True)
class RandomJet:
    r"""Galewsky's jet with speed, place and bump of its own in every sample.

    Parameters
    ----------
    jet : what they scatter about
    speed : the jet's, uniform in u_max (1 ± this) (0.1)
    bump : its height, uniform in ĥ (1 ± this) (0.5)
    shift : the bump's latitude, uniform in φ₂ ± this, in radians (0.1); its longitude is uniform around the globe

    Raises
    ------
    KanopError : shares outside 0 … 1
    """

    jet: Jet = field(default_factory=Jet)
    speed: float = 0.1
    bump: float = 0.5
    shift: float = 0.1

    def __post_init__(self) -> None:
        good = 0 <= self.speed < 1 and 0 <= self.bump <= 1 and self.shift >= 0
        check(good, f"expected shares 0 … 1 and a shift >= 0, got {self.speed}, {self.bump}, {self.shift}")

    def sample(self, grid: SphereGrid, seed: int, split: str, indices: Sequence[int]) -> Float[Tensor, "b 3 y x"]:
        """Geopotential, vorticity and divergence number `indices` of `split`, in double precision."""
        double = grid.to(dtype=torch.float64)
        states = [self._drawn(generator(seed, split, i)).state(double) for i in indices]
        return torch.cat(states) if states else torch.zeros(0, 3, *grid.shape, dtype=torch.float64, device=grid.device)

    def _drawn(self, random: np.random.Generator) -> Jet:
        speed, bump, shift, turn = (float(x) for x in random.uniform(-1, 1, 4))
        return replace(
            self.jet,
            speed=self.jet.speed * (1 + self.speed * speed),
            bump=self.jet.bump * (1 + self.bump * bump),
            centre=self.jet.centre + self.shift * shift,
            longitude=math.pi * turn,
        )
