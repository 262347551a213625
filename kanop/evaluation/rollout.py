"""Roll an operator out: feed its predictions back as its input."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from kanop.solvers import FieldSpec, Trajectory
from kanop.solvers.errors import check

__all__ = ["rollout"]


def rollout(operator: Any, u0: Float[Tensor, "b c_in *x"], steps: int) -> Trajectory:
    """û(t+dt), …, û(t+steps·dt) by û ← G(û, a): `n_in` frames and the constants in, `n_out` frames out.

    A sample that stops being finite is NaN from that frame on and is not fed back; the others go on.

    Parameters
    ----------
    operator : maps (b, c_in, *x) to (b, c_out, *x); its `.spec` (a `FieldSpec`) says which channel is what
    u0 : (b, c_in, *x) the given frames and constants, at any resolution
    steps : frames to predict (≥ 1); a map without given frames (`n_in = 0`) predicts its `n_out` frames once

    Returns
    -------
    Trajectory : the last given frame at time 0, then `steps` predicted frames (only these where `n_in = 0`);
        its `steps` (b,) counts the finite frames predicted for each sample: fewer than asked for = diverged

    Raises
    ------
    KanopError : steps < 1, wrong number of channels or axes, more frames than a map without time can give
    """
    spec: FieldSpec = operator.spec
    _check_start(spec, u0, steps)
    n_fields, given = len(spec.fields), spec.n_in * len(spec.fields)
    frames = rearrange(u0[:, :given], "b (t c) ... -> b t c ...", c=n_fields)
    constants = u0[:, given:]
    finite = torch.ones(len(u0), dtype=torch.bool, device=u0.device)
    blocks = [frames[:, -1:]]
    with torch.no_grad(), _evaluating(operator):
        for _ in range(-(-steps // spec.n_out)):
            window = torch.cat([rearrange(frames, "b t c ... -> b (t c) ..."), constants], 1)
            out = rearrange(operator(window), "b (t c) ... -> b t c ...", c=n_fields)
            out, finite = _silence(out, finite)
            blocks.append(out)
            # A diverged sample goes on as zeros: NaN in one row must not reach a layer that mixes rows.
            if spec.n_in:
                frames = torch.cat([frames, torch.nan_to_num(out, 0.0, 0.0, 0.0)], 1)[:, -spec.n_in :]
    first = 1 if spec.n_in else 0
    u = torch.cat(blocks, 1)[:, : first + steps]
    u = u if u.dtype in (torch.float32, torch.float64) else u.float()
    times = (spec.dt or 1.0) * torch.arange(1 - first, steps + 1, dtype=torch.float64)
    grid = spec.grid.with_shape(u.shape[3:]).to(u.dtype, u.device)
    good = torch.isfinite(u[:, first:]).flatten(2).all(-1).sum(1)
    return Trajectory(u, times, grid, spec.fields, good)


def _check_start(spec: FieldSpec, u0: Tensor, steps: int) -> None:
    check(steps >= 1, f"a rollout predicts at least one frame, got steps={steps}")
    d = spec.grid.ndim
    check(
        u0.ndim == d + 2,
        f"expected u0 of shape (b, {spec.in_channels}, *x) with {d} axes, got {tuple(u0.shape)}",
    )
    check(
        u0.shape[1] == spec.in_channels,
        f"expected {spec.in_channels} channels ({spec.n_in} frames of {', '.join(spec.fields)}"
        f"{' and ' + ', '.join(spec.constants) if spec.constants else ''}), got {u0.shape[1]}",
    )
    check(
        spec.n_in > 0 or steps <= spec.n_out,
        f"a map with n_in = 0 predicts {spec.n_out} frames once and cannot be rolled out; got steps={steps}",
    )


def _silence(out: Tensor, finite: Tensor) -> tuple[Tensor, Tensor]:
    """NaN in each sample from its first non-finite frame on; which samples are still finite."""
    good = torch.isfinite(out).flatten(2).all(-1)
    good = (torch.cumprod(good.int(), 1) > 0) & finite[:, None]
    mask = good.reshape(good.shape + (1,) * (out.ndim - 2))
    return out.masked_fill(~mask, torch.nan), good[:, -1]


@contextmanager
def _evaluating(operator: Any) -> Iterator[None]:
    """Evaluation mode (no dropout, no input noise) for the time of the rollout, then whatever was before."""
    training = isinstance(operator, nn.Module) and operator.training
    if training:
        operator.eval()
    try:
        yield
    finally:
        if training:
            operator.train()
