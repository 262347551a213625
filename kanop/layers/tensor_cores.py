"""Products of matrices in the precision of tensor cores: TF32 for as long as a product takes, backward too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

__all__ = ["allow_tf32", "matmul", "sum_of_products"]


def matmul(a: Tensor, b: Tensor, tf32: bool = False) -> Tensor:
    """a b, of matrices or of stacks of them."""
    return _tf32_matmul(a, b) if tf32 else a @ b


def sum_of_products(a: Tensor, b: Tensor, c: Tensor, d: Tensor, sign: int, tf32: bool = False) -> Tensor:
    """a b + sign · c d, half of a complex product; of matrices or of stacks of them."""
    if tf32:
        return torch.add(_tf32_matmul(a, b), _tf32_matmul(c, d), alpha=sign)
    # The second product is added by the library that makes it: no pass over memory for the sum.
    if a.ndim == 2:
        return torch.mm(a, b).addmm_(c, d, alpha=sign)
    return torch.bmm(a, b).baddbmm_(c, d, alpha=sign)


@contextmanager
def allow_tf32() -> Iterator[None]:
    """Let CUDA round the operands of float32 products to TF32 (10 bits of mantissa), and put back what was set.

    The setting belongs to the process: products of other threads meanwhile are rounded, too.
    """
    setting = torch.backends.cuda.matmul
    before = setting.fp32_precision
    setting.fp32_precision = "tf32"
    try:
        yield
    finally:
        setting.fp32_precision = before


# An operator of its own: autograd runs its backward pass long after the forward one has put the setting back, and a
# compiler takes it whole, where it could not look into the change of a setting.
@torch.library.custom_op("kanop::tf32_matmul", mutates_args=(), schema="(Tensor a, Tensor b) -> Tensor")
def _tf32_matmul(a: Tensor, b: Tensor) -> Tensor:
    with allow_tf32():
        return _multiply(a, b)


@_tf32_matmul.register_fake
def _(a: Tensor, b: Tensor) -> Tensor:
    return a @ b


def _save(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
    ctx.save_for_backward(*inputs)


def _backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, Tensor | None]:
    a, b = ctx.saved_tensors
    to_a, to_b = ctx.needs_input_grad
    return _tf32_matmul(g, b.mT) if to_a else None, _tf32_matmul(a.mT, g) if to_b else None


_tf32_matmul.register_autograd(_backward, setup_context=_save)


def _multiply(a: Tensor, b: Tensor) -> Tensor:
    return a @ b
