r"""What an equation is: physics only, no grid and no time step.

How residuals stand on `Derivatives`, with the three kinds that the interface was settled on:

* Burgers: D.t(u) + D.x(u²/2) − ν D.laplacian(u) = 0, with u = D["u"];
* Navier-Stokes in (ω, ψ), ψ an auxiliary unknown because residuals are local:
  D.t(ω) + D.y(ψ) D.x(ω) − D.x(ψ) D.y(ω) − ν D.laplacian(ω) − f = 0 and D.laplacian(ψ) + ω = 0;
* Darcy: D.div(D.flux(a, u)) + f = 0. The flux a∇u belongs to D since a may jump: FFT and collocation take
  the product at the points, finite volumes may take harmonic means at the faces.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import ClassVar, Generic

from jaxtyping import Float, Inexact
from torch import Tensor
from typing_extensions import TypeVar

from kanop.solvers.errors import KanopError, check, nearest
from kanop.solvers.geometry import Geometry
from kanop.solvers.grid import Grid
from kanop.solvers.linear_operator import LinearOperator

__all__ = ["Constant", "Derivatives", "Equation", "finite", "trainable"]

G = TypeVar("G", bound=Geometry, default=Grid)

Constant = float | Tensor
"""A physical constant: a number, or a tensor of one element that gradients flow to."""


class Derivatives(ABC):
    """Fields and their derivatives: by FFT and finite differences on a grid, by automatic differentiation at points.

    All tensors that one D hands out have one shape; they may be combined point by point and differentiated again.
    """

    _fields: Mapping[str, Tensor]

    def __getitem__(self, name: str) -> Tensor:
        """The field `name`, an evolved or an auxiliary one, or a given coefficient."""
        if name not in self._fields:
            raise KanopError(nearest(name, self._fields, "field"))
        return self._fields[name]

    @property
    @abstractmethod
    def ndim(self) -> int:
        """Number of axes in space."""

    @property
    @abstractmethod
    def coordinates(self) -> tuple[Tensor, ...]:
        """(x, y, z) as far as there are axes; for sources and exact solutions."""

    @property
    @abstractmethod
    def time(self) -> Tensor:
        """t of every value."""

    @abstractmethod
    def t(self, f: Tensor) -> Tensor:
        """∂f/∂t."""

    @abstractmethod
    def along(self, axis: int, f: Tensor, order: int = 1) -> Tensor:
        """∂^order f along `axis`, which exists; equations write x, y and z."""

    @abstractmethod
    def grad(self, f: Tensor) -> tuple[Tensor, ...]:
        """∇f, one tensor an axis."""

    @abstractmethod
    def div(self, flux: Sequence[Tensor]) -> Tensor:
        """∇·flux of a vector given by its components."""

    @abstractmethod
    def flux(self, a: Tensor, f: Tensor) -> tuple[Tensor, ...]:
        """a∇f for a coefficient that may jump, in the form that `div` of the same D takes."""

    @abstractmethod
    def laplacian(self, f: Tensor) -> Tensor:
        """Δf."""

    def roughness(self, f: Tensor, power: int) -> Tensor:
        """(−Δ)^power f, what hyperviscosity damps."""
        for _ in range(power):
            f = -self.laplacian(f)
        return f

    def x(self, f: Tensor, order: int = 1) -> Tensor:
        """∂f/∂x, or a higher derivative."""
        return self._named(0, f, order)

    def y(self, f: Tensor, order: int = 1) -> Tensor:
        """∂f/∂y."""
        return self._named(1, f, order)

    def z(self, f: Tensor, order: int = 1) -> Tensor:
        """∂f/∂z."""
        return self._named(2, f, order)

    def _named(self, axis: int, f: Tensor, order: int) -> Tensor:
        check(axis < self.ndim, f"in {self.ndim} dimensions there is no derivative along {'xyz'[axis]}")
        return self.along(axis, f, order)


class Equation(ABC, Generic[G]):
    r"""∂u/∂t = L u + N(u, t): the physics that solver, losses, physics-informed networks and report share.

    A subclass is a frozen dataclass whose fields are the physical constants. `linear` and `nonlinear` state it for
    spectral solvers, `residual` for everything else; `kanop.testing.check_equation` holds them to the same solutions.
    An `Equation` lives in boxes, an `Equation[SphereGrid]` on spheres, an `Equation[Geometry]` on both.
    """

    channels: ClassVar[tuple[str, ...]]
    """Names of the evolved fields, in channel order."""

    auxiliary: ClassVar[tuple[str, ...]] = ()
    """Names of the unknowns that only `residual` knows (a stream function, a pressure)."""

    ndim: ClassVar[tuple[int, ...]] = (1, 2, 3)
    """Numbers of axes for which the equation makes sense."""

    boundaries: ClassVar[tuple[str, ...]] = ("periodic",)
    """Kinds of axes on which L and N keep the kind of the fields: derivatives of even order keep cosines and sines."""

    degree: ClassVar[int]
    """Polynomial degree of N in u: sets the dealiasing (2 for quadratic terms)."""

    units: ClassVar[str] = "as the equation is written: lengths, times and fields without dimension"
    """What its numbers are counted in, for the card of a data set."""

    skips_columns: ClassVar[bool] = False
    """Whether `nonlinear` takes and gives spectra without the columns that dealiasing drops (`solvers/columns.py`)."""

    @abstractmethod
    def linear(self, grid: G) -> Inexact[Tensor, "*c_k"] | LinearOperator:
        """Symbol of L: (c, *k), one value a mode, or (c, c, *k), a matrix a mode that mixes the channels.

        An L that couples the modes (a coefficient that varies in space) is a `LinearOperator`.
        """

    @abstractmethod
    def nonlinear(self, u_hat: Inexact[Tensor, "b c *k"], grid: G, t: float | Tensor) -> Inexact[Tensor, "b c *k"]:
        """Coefficients of N(u, t); the caller dealiases. `t` is a number, or (b, 1, *1) if samples differ in time."""

    @abstractmethod
    def residual(self, D: Derivatives) -> dict[str, Tensor]:
        """∂u/∂t − L u − N(u, t) by name of the equation it belongs to: zero on solutions. Local in space and time."""

    def speed(self, u_hat: Inexact[Tensor, "b c *k"], grid: G) -> Float[Tensor, "b d"]:
        """The largest |velocity|, along each axis or on a sphere at all, with which N carries waves; for `cfl`."""
        raise KanopError(f"{type(self).__name__} has no advection speed: give dt or tolerance instead of cfl")

    def check_start(self, u0: Float[Tensor, "b c *x"], grid: G) -> None:
        """Raise KanopError where `u0` or `grid` is none for this equation; the base equation takes all."""

    def constrain(self, u: Float[Tensor, "... c *x"], grid: G) -> Float[Tensor, "... c *x"]:
        """The nearest state that the equation allows; the base equation allows all."""
        return u

    def supply(self, u: Float[Tensor, "... c *x"], grid: G) -> dict[str, Tensor]:
        """Auxiliary fields, found from the evolved ones on a grid; the base equation has none."""
        return {}

    def invariants(self, u: Float[Tensor, "... c *x"], grid: G) -> Mapping[str, Float[Tensor, "..."]]:
        """Quantities that the exact solution conserves, by name; none unless an equation says so."""
        return {}

    def exact(self, u0: Float[Tensor, "c n"], grid: G) -> Callable[..., Tensor]:
        """A differentiable function (t, *x) ↦ u that starts as `u0`, for equations that have one."""
        raise KanopError(f"{type(self).__name__} has no exact solution for given initial values")


def trainable(thing: object) -> bool:
    """Whether gradients flow to a constant of an equation or a force, or of what they consist of."""
    if isinstance(thing, Tensor):
        return thing.requires_grad
    parts = [getattr(thing, field.name) for field in fields(thing)] if is_dataclass(thing) else []
    return any(map(trainable, [*parts, *(thing if isinstance(thing, tuple) else ())]))


def finite(*constants: Constant) -> bool:
    """Whether all are finite; asks without turning a tensor that gradients flow to into a number."""
    return all(bool(-math.inf < c) and bool(c < math.inf) for c in constants)
