"""Random series of spherical harmonics, drawn degree by degree: a finer grid adds degrees but changes none."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from jaxtyping import Complex, Float
from torch import Tensor

from kanop.solvers.sphere.grid import SphereGrid

__all__ = ["harmonics", "normals"]


def normals(random: np.random.Generator, degree: int, channels: int = 1) -> Complex[np.ndarray, "c l m"]:
    """ξ for m = 0 and (ξ − iη)/√2 for m > 0, of independent standard normals; zero for l = 0.

    Y_l0, √2 Re Y_lm and √2 Im Y_lm, which are orthonormal, then have ξ and η as coefficients: of every degree the sum
    over m has one variance at all points.
    """
    spectrum = np.zeros((channels, degree + 1, degree + 1), dtype=complex)
    for l in range(1, degree + 1):
        noise = random.standard_normal((2 * l + 1, channels))
        spectrum[:, l, 0] = noise[0]
        spectrum[:, l, 1 : l + 1] = ((noise[1::2] - 1j * noise[2::2]) / np.sqrt(2)).T
    return spectrum


def harmonics(
    grid: SphereGrid, coefficients: Iterable[Complex[np.ndarray, "c l m"]], channels: int = 1
) -> Float[Tensor, "b c y x"]:
    """Values of one series for each of `coefficients`, which have the grid's degrees, in double precision."""
    double = grid.to(dtype=torch.float64)
    # One transform a field: the rounding of a batched one depends on the batch.
    fields = [
        torch.stack([double.to_physical(torch.from_numpy(channel).to(grid.device)) for channel in spectrum])
        for spectrum in coefficients
    ]
    if not fields:
        return torch.zeros((0, channels, *grid.shape), dtype=torch.float64, device=grid.device)
    return torch.stack(fields)
