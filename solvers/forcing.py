"""Forces that drive a flow: functions f(t, *x) of the evolved fields, on vorticity in 2D and on velocity in 3D."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from kanop.solvers.columns import by_columns
from kanop.solvers.equation import Constant, trainable
from kanop.solvers.errors import check
from kanop.solvers.geometry import Geometry
from kanop.solvers.grid import Grid

__all__ = ["FNOForcing", "Forcing", "KolmogorovForcing", "force_hat"]

# Share of the force, in its largest value, that a grid may miss.
MISSED = 1e-6


class Forcing(ABC):
    """A force f(t, *x). A subclass is a frozen dataclass: the spectrum of a steady one is made once a grid."""

    steady: ClassVar[bool] = False
    """True if f does not depend on t: then it costs no transform in a step."""

    @abstractmethod
    def __call__(self, t: float | Tensor, *x: Tensor) -> Tensor:
        """f at times `t` and points `x`, which broadcast: one value a point on vorticity, (3, …) on velocity."""


@dataclass(frozen=True)
class FNOForcing(Forcing):
    r"""f = a (sin 2π(x + y) + cos 2π(x + y)) on the vorticity of the unit torus.

    Parameters
    ----------
    amplitude : a, in 1/time²; 0.1 in the FNO paper

    Reference: Li et al. (2021), arXiv:2010.08895, section 5.3.

    Examples
    --------
    >>> x = torch.zeros(1)
    >>> FNOForcing()(0.0, x, x).tolist()
    [0.10000000149011612]
    """

    amplitude: Constant = 0.1
    steady = True

    def __call__(self, t: float | Tensor, *x: Tensor) -> Tensor:
        phase = 2 * math.pi * (x[0] + x[1])
        return self.amplitude * (torch.sin(phase) + torch.cos(phase))


@dataclass(frozen=True)
class KolmogorovForcing(Forcing):
    r"""a sin(ky) e_x on the velocity: (a sin(ky), 0, 0) in 3D, hence −a k cos(ky) on the vorticity in 2D.

    Parameters
    ----------
    k : wavenumber in 1/length, a multiple of 2π/L; 4 on (0, 2π)² in the literature
    amplitude : a, in length/time²

    Reference: Chandler and Kerswell (2013), doi:10.1017/jfm.2013.122, eq. 2.1.

    Examples
    --------
    >>> x = torch.zeros(1)
    >>> KolmogorovForcing(k=4.0)(0.0, x, x).tolist()
    [-4.0]
    """

    k: float = 4.0
    amplitude: Constant = 1.0
    steady = True

    def __call__(self, t: float | Tensor, *x: Tensor) -> Tensor:
        if len(x) == 2:
            return -self.amplitude * self.k * torch.cos(self.k * x[1])
        push = self.amplitude * torch.sin(self.k * x[1])
        return torch.stack([push, torch.zeros_like(push), torch.zeros_like(push)])


def force_hat(forcing: Forcing, grid: Geometry, degree: int, t: float | Tensor, columns: int) -> Complex[Tensor, "..."]:
    """Coefficients (c, *k) of f(t) on `grid`, or (b, c, *k) where `t` is (b, 1, *1), on the first `columns` columns.

    Raises
    ------
    KanopError : a steady force that the modes kept for `degree` do not hold
    """
    if forcing.steady:
        # A kept spectrum would keep the graph of its first use, too.
        make = _steady.__wrapped__ if trainable(forcing) else _steady
        return make(forcing, grid, degree, columns)
    f_hat = grid.to_spectral(_values(forcing, grid, t[:, 0] if isinstance(t, Tensor) else t))
    return by_columns(f_hat, grid.ndim, columns)


@lru_cache(maxsize=16)
def _steady(forcing: Forcing, grid: Geometry, degree: int, columns: int) -> Complex[Tensor, "..."]:
    double = grid.to(dtype=torch.float64)
    f_hat = double.dealias_mask(degree) * double.to_spectral(_values(forcing, double, 0.0))
    # 2n + 1 has no factor in common with n: a mode that hides behind another one here does not hide there.
    fine = double.with_shape([2 * n + 1 for n in grid.shape])
    f = _values(forcing, fine, 0.0)
    held = double.resample(double.to_physical(f_hat), fine.shape)
    missed, size = float((f - held).detach().abs().max()), float(f.detach().abs().max())
    check(
        missed <= MISSED * size,
        f"{forcing} does not fit on a grid of {grid.shape} points: the modes that dealiasing keeps miss {missed:.2g} "
        f"of {size:.2g}; take a finer grid, and check that the force is one there, periodic on a periodic box",
    )
    return by_columns(f_hat.to(grid.spectral_dtype), grid.ndim, columns)


def _values(forcing: Forcing, grid: Geometry, t: float | Tensor) -> Float[Tensor, "... c *x"]:
    f = forcing(t, *grid.mesh())
    vorticity = isinstance(grid, Grid) and grid.ndim == 2
    return f.unsqueeze(-3) if vorticity else f.movedim(0, -grid.ndim - 1)
