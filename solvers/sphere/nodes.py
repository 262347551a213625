"""Latitudes, quadrature weights and associated Legendre functions."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["NODES", "latitudes", "legendre"]


def _gauss(n: int) -> tuple[np.ndarray, np.ndarray]:
    """The zeros of P_n by Newton's method for z = 1 − x, which keeps its digits near a pole; so do the weights."""
    from scipy.special import roots_legendre

    z = 1 - roots_legendre(n)[0][n // 2 :]
    for _ in range(2):
        before, last = _legendre(n, z)
        z = z + last * z * (2 - z) / (n * (before - (1 - z) * last))
    weights = 2 * z * (2 - z) / (n * _legendre(n, z)[0]) ** 2
    return _both(1 - z, n), _both(weights, n, 1)


def _lobatto(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Both poles and the extrema of P_{n−1}; weights 2/(n(n−1) P_{n−1}²)."""
    from scipy.special import roots_jacobi

    inner = roots_jacobi(n - 2, 1, 1)[0]
    z = np.append(1 - inner[(n - 2) // 2 :], 0.0)
    return _both(1 - z, n), _both(2 / (n * (n - 1) * _legendre(n - 1, z)[1] ** 2), n, 1)


def _both(north: np.ndarray, n: int, parity: int = -1) -> np.ndarray:
    """Values at n latitudes, odd or even about the equator, from those of the northern half, equator first."""
    if n % 2 and parity < 0:
        north = np.concatenate([[0.0], north[1:]])
    return np.concatenate([parity * north[n % 2 :][::-1], north])


def _legendre(n: int, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """P_{n−1} and P_n at 1 − z, by the differences of neighbours, which are small near the pole."""
    value, step = np.ones_like(z), np.zeros_like(z)
    for k in range(1, n + 1):
        step = ((k - 1) * step - (2 * k - 1) * z * value) / k
        value = value + step
    return value - step, value


def _equiangular(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Both poles and equal angles between (Clenshaw and Curtis 1960): weights by the integrals of cos kθ."""
    north = np.arange(n // 2, n)
    theta = np.pi * north / (n - 1)
    even = np.arange(0, n, 2)
    moments = 2.0 / (1.0 - even**2)
    moments[0] /= 2
    if even[-1] == n - 1:
        moments[-1] /= 2
    weights = 2 / (n - 1) * (np.cos(np.outer(theta, even)) @ moments)
    weights[-1] /= 2
    return _both(-np.cos(theta), n), _both(weights, n, 1)


NODES: dict[str, tuple[Callable[[int], tuple[np.ndarray, np.ndarray]], Callable[[int], int]]] = {
    "gauss": (_gauss, lambda n: 2 * n - 1),
    "lobatto": (_lobatto, lambda n: 2 * n - 3),
    "equiangular": (_equiangular, lambda n: n - 1),
}
"""By kind of grid: the nodes sin φ and weights for n latitudes, and the degree of polynomials that they integrate."""


@lru_cache(maxsize=32)
def latitudes(kind: str, n: int) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
    """sin φ from north to south, and the weights of ∫ f d(sin φ), in double precision."""
    x, weights = NODES[kind][0](n)
    return torch.tensor(x[::-1].copy()), torch.tensor(weights)


def legendre(degree: int, order: int, x: Float[Tensor, " j"], secant: bool = False) -> Float[Tensor, "l m j"]:
    r"""P̄_lm(x) for l ≤ degree, m ≤ order: Y_lm = P̄_lm(sin φ) e^{imλ} is orthonormal on the unit sphere; 0 for l < m.

    With the Condon-Shortley phase (−1)^m. By the recurrence in l, which is stable; values below 1e-308 become 0.

    `secant` gives P̄_lm / cos φ. At a pole that is the limit for m ≥ 1, and 0 for m = 0: in components of a vector field
    no circle about a pole has a mean.

    Reference: Holmes and Featherstone 2002, doi:10.1007/s00190-002-0216-2.
    """
    m = torch.arange(order + 1, dtype=torch.float64)
    ratios = torch.cat([torch.tensor([1 / (4 * math.pi)], dtype=torch.float64), (2 * m[1:] + 1) / (2 * m[1:])])
    # Of the sectoral ones logarithms add up: their product may leave the range of numbers on the way.
    log = 0.5 * (
        torch.cumsum(torch.log(ratios), 0)[:, None]
        + (m - int(secant))[:, None] * torch.log((1 - x) * (1 + x)).clamp_min(-1e4)
    )
    sectoral = (1 - 2 * (m % 2))[:, None] * torch.exp(log)
    if secant:
        sectoral[0] = torch.where(x.abs() < 1, sectoral[0], 0)
    table = torch.zeros(degree + 1, order + 1, len(x), dtype=torch.float64)
    for l in range(degree + 1):
        if l <= order:
            table[l, l] = sectoral[l]
        below = m[: min(l, order + 1), None]
        if l:
            a = torch.sqrt((4 * l * l - 1) / (l * l - below**2))
            row = x * table[l - 1, : len(below)]
            if l > 1:
                b = torch.sqrt((((l - 1) ** 2 - below**2) / (4 * (l - 1) ** 2 - 1)).clamp_min(0))
                row = row - b * table[l - 2, : len(below)]
            table[l, : len(below)] = a * row
    return table
