"""`Derivatives` of functions of (t, x, …) at scattered points, by nested reverse-mode differentiation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from kanop.solvers import Derivatives

__all__ = ["AutogradDerivatives", "derivative"]


class AutogradDerivatives(Derivatives):
    r"""∂f/∂x at n points by torch.autograd, nested for higher derivatives: exact to rounding.

    Parameters
    ----------
    functions : f(t, x, …) ↦ (n,) by name, each differentiable as often as the residual asks
    time : (n,) times of the points
    coordinates : one (n,) tensor an axis
    """

    def __init__(
        self,
        functions: Mapping[str, Callable[..., Tensor]],
        time: Float[Tensor, " n"],
        coordinates: Sequence[Float[Tensor, " n"]],
    ) -> None:
        self._time = time.detach().requires_grad_()
        self._coordinates = tuple(x.detach().requires_grad_() for x in coordinates)
        self._fields = {name: f(self._time, *self._coordinates) for name, f in functions.items()}

    @property
    def ndim(self) -> int:
        return len(self._coordinates)

    @property
    def coordinates(self) -> tuple[Tensor, ...]:
        return self._coordinates

    @property
    def time(self) -> Tensor:
        return self._time

    def t(self, f: Tensor) -> Tensor:
        return derivative(f, self._time)

    def grad(self, f: Tensor) -> tuple[Tensor, ...]:
        return tuple(derivative(f, x) for x in self._coordinates)

    def div(self, flux: Sequence[Tensor]) -> Tensor:
        return torch.stack([derivative(q, x) for q, x in zip(flux, self._coordinates, strict=True)]).sum(0)

    def flux(self, a: Tensor, f: Tensor) -> tuple[Tensor, ...]:
        return tuple(a * g for g in self.grad(f))

    def laplacian(self, f: Tensor) -> Tensor:
        return self.div(self.grad(f))

    def along(self, axis: int, f: Tensor, order: int = 1) -> Tensor:
        for _ in range(order):
            f = derivative(f, self._coordinates[axis])
        return f


def derivative(f: Tensor, x: Tensor) -> Tensor:
    """∂f/∂x point by point, to be differentiated again; 0 where f does not depend on x."""
    if not f.requires_grad:
        return torch.zeros_like(x)
    (gradient,) = torch.autograd.grad(f.sum(), x, create_graph=True, allow_unused=True)
    return torch.zeros_like(x) if gradient is None else gradient
