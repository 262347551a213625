"""The laws that every loss obeys."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from kanop.solvers import Geometry, Grid, KanopError
from kanop.solvers.errors import check

__all__ = ["check_loss"]

Loss = Callable[[Tensor, Tensor, Geometry], Tensor]


def check_loss(loss: Loss, grid: Geometry | None = None) -> None:
    """L(û, u, grid) ≥ 0, = 0 where û = u: raise KanopError, naming the law, unless a loss obeys them all.

    The laws: a scalar; zero for a perfect prediction, positive for another; the mean over the batch of what each
    sample gives; the same at twice the resolution; finite, with a finite gradient, for a perfect prediction
    and for a zero target; in float32 what it is in float64; unequal shapes and another grid are refused.

    Parameters
    ----------
    loss : called as loss(prediction, target, grid) with (b, c, *x)
    grid : the grid to try (default: 16 × 12 periodic points on a box of 1 × 2)

    Examples
    --------
    >>> from kanop.losses import Sobolev
    >>> check_loss(Sobolev(s=-1.0))
    """
    if grid is None:
        grid = Grid((16, 12), lengths=(1.0, 2.0))
    generator = torch.Generator().manual_seed(0)
    fine = grid.with_shape([2 * n for n in grid.shape])
    # Below every Nyquist mode, so that both grids hold the same functions.
    coarse = grid.with_shape([max(1, n // 2 - 1) for n in grid.shape])
    u, v = (torch.randn((3, 2, *coarse.shape), generator=generator, dtype=torch.float64) for _ in range(2))
    u, v = coarse.resample(u, grid.shape), coarse.resample(v, grid.shape)

    value = loss(v, u, grid)
    check(value.shape == (), f"a loss is a scalar, got shape {tuple(value.shape)}")
    check(bool(value > 0), f"a wrong prediction should cost something, got {value.item()}")
    check(bool(loss(u, u, grid) == 0), f"a perfect prediction should cost nothing, got {loss(u, u, grid).item()}")
    single = torch.stack([loss(v[i : i + 1], u[i : i + 1], grid) for i in range(len(u))]).mean()
    check(_close(single, value, 1e-10), "the loss of a batch is not the mean of the losses of its samples")
    refined = loss(grid.resample(v, fine.shape), grid.resample(u, fine.shape), fine)
    check(_close(refined, value, 1e-8), f"at twice the resolution {refined.item()} came, not {value.item()}")
    rounded = loss(v.float(), u.float(), grid)
    check(_close(rounded.double(), value, 1e-4), "float32 and float64 give different results")
    _check_gradient(loss, u, u, grid, "a perfect prediction")
    _check_gradient(loss, v, torch.zeros_like(u), grid, "a zero target")
    _check_refusals(loss, v, u, grid)


def _close(a: Tensor, b: Tensor, tolerance: float) -> bool:
    return bool((a - b).abs() <= tolerance * b.abs())


def _check_gradient(loss: Loss, prediction: Tensor, target: Tensor, grid: Geometry, what: str) -> None:
    prediction = prediction.clone().requires_grad_()
    value = loss(prediction, target, grid)
    (gradient,) = torch.autograd.grad(value, prediction)
    check(bool(value.isfinite()), f"the loss of {what} is {value.item()}")
    check(bool(gradient.isfinite().all()), f"the gradient at {what} is not finite")


def _check_refusals(loss: Loss, prediction: Tensor, target: Tensor, grid: Geometry) -> None:
    other = grid.with_shape([n + 1 for n in grid.shape])
    for what, arguments in (
        ("a target of one sample", (prediction, target[:1], grid)),
        ("a target of one channel", (prediction, target[:, :1], grid)),
        ("another grid", (prediction, target, other)),
    ):
        try:
            loss(*arguments)
        except KanopError:
            continue
        except Exception as error:
            raise KanopError(f"{what}: expected a KanopError, got {type(error).__name__}: {error}") from error
        raise KanopError(f"{what}: expected a KanopError, but the loss took it")
