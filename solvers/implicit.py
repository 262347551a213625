"""Gradients of what a solver found, without a graph of how it found it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from kanop.solvers.errors import check

__all__ = ["implicit_gradient"]


def implicit_gradient(u: Tensor, residual: Tensor, solve: Callable[[Tensor], Tensor]) -> Tensor:
    r"""`u` with the gradient of r(u, p) = f(p) − A(p)u = 0: du = A⁻¹ ∂r/∂p dp, for a symmetric A.

    Parameters
    ----------
    u : the solution, without a graph
    residual : r(u, p), differentiable in the parameters p; its value does not count
    solve : g ↦ A⁻¹g, used once in backward

    Raises KanopError in backward where a second derivative is prepared (create_graph).
    """
    return _Implicit.apply(u, residual, solve)


class _Implicit(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, u: Tensor, residual: Tensor, solve: Callable[[Tensor], Tensor]) -> Tensor:
        ctx.solve = solve
        return u.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor, None]:
        # With create_graph the caller would get the part of the second derivative that the residual alone has.
        check(not torch.is_grad_enabled(), "second derivatives of a steady solution are not offered: no create_graph")
        return None, ctx.solve(gradient), None
