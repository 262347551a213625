"""Frames for the report's moving picture: few samples, few points, small integers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from kanop.evaluation.maps import PIXELS, mollweide
from kanop.evaluation.metrics import relative_l2
from kanop.evaluation.truth import Truth
from kanop.solvers import SphereGrid

__all__ = ["player"]

# Bytes of all arrays together, before base64: the page stays below 3 MB.
BUDGET = 1_200_000
MAX_POINTS = {1: 256, 2: 96, 3: 64}
MAX_FRAMES = 101
RANKS = 21


def player(prediction: Float[Tensor, "b t c *x"], truth: Truth, kind: str) -> dict[str, Any]:
    """Frames in groups: a rollout's median, best, worst … sample over time, or a map's samples by error.

    Truth and prediction share one scale a group and field; the error has its own, so that 1e-4 is drawn from
    its own numbers, not from the difference of two rounded pictures. 3D fields are cut through the middle of
    their last axis.
    """
    error = relative_l2(prediction, truth.target, truth.grid)
    order = error.mean(1).nan_to_num(nan=torch.inf).argsort()
    start = truth.start
    if kind == "rollout":
        frames, label = _times(truth, prediction), "time"
        picks = _picks(order)
        u, v, e = (f[list(picks.values())] for f in (truth.target, prediction, error))
        groups = [f"{name} sample (no. {i})" for name, i in picks.items()]
        if start is not None:
            first = start[list(picks.values()), None]
            u, v = torch.cat([first, u], 1), torch.cat([first, v], 1)
            e = torch.cat([torch.zeros_like(e[:, :1]), e], 1)
        labels = [[f"t = {t:.4g}" for t in frames]] * len(groups)
        keep = _evenly(len(frames), _frame_limit(u, truth))
        u, v, e, labels = u[:, keep], v[:, keep], e[:, keep], [[row[i] for i in keep] for row in labels]
        given = None
        times = [frames[i] for i in keep]
    else:
        label = "sample"
        ranks = [int(order[i]) for i in _evenly(len(order), RANKS)]
        # The last frame of each sample, samples in the place of frames.
        u, v, e = truth.target[ranks, -1][None], prediction[ranks, -1][None], error[ranks, -1][None]
        groups = [""]
        last = max(1, len(order) - 1)
        labels = [[_rank(i, last) + f" (no. {ranks[j]})" for j, i in enumerate(_evenly(len(order), RANKS))]]
        given = start if start is not None else truth.constants if truth.constants.shape[1] else None
        given = given[ranks][None] if given is not None else None
        times = list(range(len(ranks)))
    words = {"groups": groups, "labels": labels, "axis": label, "times": times}
    return _packed(u, v, e, given, truth, each=kind == "map") | words


def _times(truth: Truth, prediction: Tensor) -> list[float]:
    return ([0.0] if truth.start is not None else []) + truth.leads.tolist()


def _rank(i: int, last: int) -> str:
    if i == 0:
        return "best sample"
    return "worst sample" if i == last else f"{round(100 * i / last)} % of the samples are better"


def _picks(order: Tensor) -> dict[str, int]:
    """Samples to show; the median first, since the first is what is seen."""
    n = len(order)
    places = {"median": (n - 1) // 2, "best": 0, "worst": n - 1, "upper quartile": (3 * (n - 1)) // 4}
    picks: dict[str, int] = {}
    for name, place in places.items():
        if int(order[place]) not in picks.values():
            picks[name] = int(order[place])
    return picks


def _evenly(n: int, most: int) -> list[int]:
    return sorted({round(x) for x in np.linspace(0, n - 1, min(n, max(2, most)))})


def _frame_limit(u: Tensor, truth: Truth) -> int:
    points = math.prod(min(n, MAX_POINTS[truth.grid.ndim]) for n in truth.grid.shape[:2])
    each = 3 * len(u) * u.shape[2] * points * (2 if truth.grid.ndim == 1 else 1)
    return int(min(MAX_FRAMES, BUDGET // each))


def _packed(u: Tensor, v: Tensor, e: Tensor, given: Tensor | None, truth: Truth, each: bool) -> dict[str, Any]:
    """(group, frame, field, *x) as integers, with scales (group, 1 or frame if `each`, field)."""
    if isinstance(truth.grid, SphereGrid):
        u, v = (mollweide(f, truth.grid) for f in (u, v))
        given = None if given is None else mollweide(given, truth.grid)
    depth = 1 if truth.grid.ndim == 1 else 2
    most = max(PIXELS) if isinstance(truth.grid, SphereGrid) else MAX_POINTS[truth.grid.ndim]
    thin = [slice(None, None, -(-n // most)) for n in u.shape[3 : 3 + depth]]
    cut: Any = (..., *thin) if truth.grid.ndim < 3 else (..., *thin, truth.grid.shape[2] // 2)
    bits = 16 if depth == 1 else 8
    u, v = u[cut].double().cpu(), v[cut].double().cpu()
    over = [*([] if each else [1]), *range(3, u.ndim)]
    # The prediction may blow up: the scale follows the truth, at most twice its range.
    low, high = _range(u, over)
    span = (high - low).clamp_min(1e-12)
    lowest, highest = _range(v, over)
    low = torch.maximum(torch.minimum(lowest, low), low - span / 2)
    high = torch.minimum(torch.maximum(highest, high), high + span / 2)
    difference = v - u
    largest = difference.nan_to_num(0.0).abs().amax(over, keepdim=True).clamp_min(1e-300)
    out = {
        "truth": _integers(u, low, high, bits),
        "prediction": _integers(v, low, high, bits),
        "error": _integers(difference, -largest, largest, bits),
        "scale": _ends(low, high),
        "error_scale": _ends(-largest, largest),
        "errors": e.double().cpu().nan_to_num(nan=torch.inf).tolist(),
        "fields": list(truth.spec.fields),
        "ndim": depth,
        "shape": list(u.shape[3:]),
        "lengths": list(getattr(truth.grid, "lengths", (2.0, 1.0)))[:depth],
        "origin": list(getattr(truth.grid, "origin", (0.0, 0.0)))[:depth],
        "bits": bits,
        # Where a map shows nothing, the page shows through.
        "blank": isinstance(truth.grid, SphereGrid),
    }
    if given is not None:
        given = given[cut].double().cpu()
        below, above = _range(given, over)
        out["given"] = _integers(given, below, above, bits)
        out["given_scale"] = _ends(below, above)
        out["given_names"] = list(truth.spec.fields if truth.spec.n_in else truth.spec.constants)
    return out


def _range(u: Tensor, over: list[int]) -> tuple[Tensor, Tensor]:
    """Smallest and largest values of what is a number."""
    low, high = u.nan_to_num(nan=torch.inf), u.nan_to_num(nan=-torch.inf)
    return low.amin(over, keepdim=True), high.amax(over, keepdim=True)


def _ends(low: Tensor, high: Tensor) -> list[Any]:
    return [low.flatten(2).tolist(), high.flatten(2).tolist()]


def _integers(u: Tensor, low: Tensor, high: Tensor, bits: int) -> np.ndarray:
    """round((u − low)/(high − low) · top), clipped to 0 … top; the value above top says NaN."""
    top = 2**bits - 2
    scaled = ((u - low) / (high - low).clamp_min(1e-300) * top).round().clamp(0, top)
    return scaled.nan_to_num(nan=top + 1).numpy().astype(np.uint16 if bits == 16 else np.uint8)
