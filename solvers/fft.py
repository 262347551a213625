"""Fourier transforms in the "forward" normalisation: on a CPU by ducc0 where that is installed, else by torch.

ducc0 (`pip install kanop[fft]`) writes into any layout of memory, and is faster on long axes where torch's library is
made for other processors: `kanop benchmark name=solver_step` shows both. The results agree to rounding.

On a GPU cuFFT transforms, by a plan for every shape, layout and batch that it meets. torch keeps thousands of them,
and some hold memory of the device: where batches or grids change, `bounded_plans` keeps the latest few.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from typing import Any

import torch
from jaxtyping import Complex, Float
from torch import Tensor
from torch.autograd import forward_ad

__all__ = ["bounded_plans", "fftn", "irfftn", "rfftn", "torch_alone"]

# Points of an axis from which on ducc0 is the faster one.
LONG = 96

# Plans of cuFFT that are kept: a step of training or of a solver needs some ten, forward and backward.
PLANS = 64


def rfftn(u: Float[Tensor, "..."], dims: Sequence[int]) -> Complex[Tensor, "..."]:
    """Coefficients over the axes `dims`, counted from the end; the last of them becomes the half one."""
    ducc = _ducc(u, u.shape[dims[-1]])
    if ducc is None:
        return torch.fft.rfftn(u, dim=tuple(dims), norm="forward")
    return torch.from_numpy(ducc.r2c(_array(u), axes=_axes(u, dims), inorm=2, nthreads=torch.get_num_threads()))


def irfftn(u_hat: Complex[Tensor, "..."], sizes: Sequence[int], dims: Sequence[int]) -> Float[Tensor, "..."]:
    """Values on `sizes` points along `dims`: the inverse of `rfftn`."""
    ducc = _ducc(u_hat, sizes[-1])
    if ducc is None:
        return torch.fft.irfftn(u_hat, s=tuple(sizes), dim=tuple(dims), norm="forward")
    axes, threads = _axes(u_hat, dims), torch.get_num_threads()
    return torch.from_numpy(ducc.c2r(_array(u_hat), axes=axes, lastsize=sizes[-1], forward=False, nthreads=threads))


def fftn(
    u: Complex[Tensor, "..."],
    dims: Sequence[int],
    inverse: bool = False,
    out: Complex[Tensor, "..."] | None = None,
) -> Complex[Tensor, "..."]:
    """The transform of complex values along `dims`, or its inverse, into `out` where that is given."""
    ducc = _ducc(u, u.shape[dims[-1]])
    if ducc is None:
        values = (torch.fft.ifftn if inverse else torch.fft.fftn)(u, dim=tuple(dims), norm="forward")
        return values if out is None else out.copy_(values)
    if out is None:
        # As torch does: what was transformed lies in one piece.
        out = torch.empty_like(u.movedim(-1, dims[0]), memory_format=torch.contiguous_format).movedim(dims[0], -1)
    axes, norm, threads = _axes(u, dims), 0 if inverse else 2, torch.get_num_threads()
    ducc.c2c(_array(u), axes=axes, forward=not inverse, inorm=norm, out=out.numpy(), nthreads=threads)
    return out


def bounded_plans(device: torch.device) -> AbstractContextManager[None]:
    """At most 64 plans of cuFFT on `device` (fewer if fewer are allowed) until the end, when the old limit is back."""
    if device.type != "cuda" or torch.compiler.is_compiling():
        return nullcontext()
    index = torch.cuda.current_device() if device.index is None else device.index
    return _bounded(torch.backends.cuda.cufft_plan_cache[index])


@contextmanager
def _bounded(plans: Any) -> Iterator[None]:
    before = plans.max_size
    # A lower limit drops the plans that were used longest ago; a higher one brings none back.
    plans.max_size = min(before, PLANS)
    try:
        yield
    finally:
        plans.max_size = before


@contextmanager
def torch_alone() -> Iterator[None]:
    """As if ducc0 were not installed: to compare, or to repeat what was computed without it."""
    global _allowed
    before, _allowed = _allowed, False
    try:
        yield
    finally:
        _allowed = before


_allowed = True


def _array(u: Tensor) -> Any:
    return u.detach().resolve_conj().numpy()


def _axes(u: Tensor, dims: Sequence[int]) -> list[int]:
    return [u.ndim + d for d in dims]


def _ducc(u: Tensor, points: int) -> Any:
    """ducc0's transforms, for plain values on the CPU; None where torch must see what is done, or is as fast."""
    traced = (u.requires_grad and torch.is_grad_enabled()) or torch.compiler.is_compiling()
    if points < LONG or traced or not _allowed or u.device.type != "cpu":
        return None
    # A tangent, or a function transform, would be lost on the way.
    if forward_ad.unpack_dual(u).tangent is not None or torch._C._functorch.is_functorch_wrapped_tensor(u):
        return None
    return _installed()


@cache
def _installed() -> Any:
    try:
        return importlib.import_module("ducc0").fft
    except ImportError:
        return None
