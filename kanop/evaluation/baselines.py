"""What an operator must beat: predictions that cost nothing."""

from __future__ import annotations

from typing import Any

from jaxtyping import Float
from torch import Tensor

from kanop.evaluation.truth import Truth

__all__ = ["baselines"]


def baselines(emulator: Any, truth: Truth, skipped: dict[str, str]) -> dict[str, Tensor]:
    """Persistence û(t) = u(0) and the training mean û = ū_c at every lead time, each (b, steps, c, *x).

    What is not to be had goes to `skipped` with its reason.
    """
    out: dict[str, Tensor] = {}
    target = truth.target
    if truth.start is None:
        skipped["persistence"] = "the input is not the same kind of field as the output"
    else:
        out["persistence"] = truth.start[:, None].expand_as(target)
    mean = _training_mean(emulator, truth)
    if mean is None:
        skipped["training mean"] = "the operator carries no normaliser that knows it"
    else:
        out["training mean"] = mean.to(target).reshape(-1, *[1] * truth.grid.ndim).expand_as(target)
    return out


def _training_mean(emulator: Any, truth: Truth) -> Float[Tensor, " c"] | None:
    """Mean of each field over the training set: of the frames to predict, else of the frames given."""
    c, spec = truth.frames.shape[2], truth.spec
    if hasattr(emulator, "output_norm") and not getattr(emulator, "increment", False):
        return emulator.output_norm.mean.reshape(spec.n_out, c)[0]
    if hasattr(emulator, "input_norm") and spec.n_in:
        return emulator.input_norm.mean[: spec.n_in * c].reshape(spec.n_in, c)[-1]
    return None
