"""The report's sheets of numbers: what is drawn over lead time, over the spectrum and over the samples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from kanop.evaluation.metrics import correlation, invariant_drift, nrmse, relative_l2, vrmse
from kanop.evaluation.spectra import band_errors, energy_spectrum, log_spectral_distance
from kanop.evaluation.truth import Truth

__all__ = ["counted_mean", "curves", "distribution", "invariants", "spectra"]

BANDS = (4, 12)


def counted_mean(error: Float[Tensor, "b t"]) -> Float[Tensor, " t"]:
    """Mean over samples in which a diverged one is infinite: dropping it would flatter the rest."""
    return error.nan_to_num(nan=torch.inf).mean(0)


def curves(predictions: Mapping[str, Tensor], truth: Truth) -> dict[str, Any]:
    """Over lead time: errors of operator (mean, 10 % and 90 %) and baselines, correlation, bands."""
    errors = {}
    for name, frames in predictions.items():
        # A solver setting is run on fewer samples than the operator.
        errors[name] = counted_mean(relative_l2(frames, truth.target[: len(frames)], truth.grid))
    own = predictions["operator"]
    step = relative_l2(own, truth.target, truth.grid).nan_to_num(nan=torch.inf)
    ends = torch.tensor([0.1, 0.9], dtype=step.dtype, device=step.device)
    low, high = torch.quantile(step, ends, dim=0, interpolation="nearest")
    rho = {name: correlation(f, truth.target[: len(f)], truth.grid) for name, f in predictions.items()}
    error = band_errors(own, truth.target, truth.grid, BANDS)
    content = band_errors(torch.zeros_like(truth.target), truth.target, truth.grid, BANDS)
    return {
        "times": truth.leads,
        "errors": errors,
        "low": low,
        "high": high,
        "nrmse": counted_mean(nrmse(own, truth.target, truth.grid)),
        "vrmse": counted_mean(vrmse(own, truth.target, truth.grid)),
        # A diverged sample has lost all correlation; a constant baseline never had any.
        "correlation": {n: r.nan_to_num(0.0).mean(0) for n, r in rho.items() if n != "training mean"},
        "bands": {
            "limits": list(BANDS),
            "error": rearranged(error),
            "content": rearranged(content),
        },
    }


def rearranged(bands: Float[Tensor, "b t band"]) -> Float[Tensor, "band t"]:
    """Mean over samples, one row a band."""
    return bands.nan_to_num(nan=torch.inf).mean(0).T


def spectra(prediction: Float[Tensor, "b t c *x"], truth: Truth) -> list[dict[str, Any]]:
    """Mean energy spectra of truth, prediction and error at the first, a middle and the last lead time."""
    last = truth.steps - 1
    out = []
    for i in sorted({0, last // 4, last}):
        u, v = truth.target[:, i], prediction[:, i]
        good = torch.isfinite(v).flatten(1).all(1)
        if not bool(good.any()):
            # All have diverged: there is no spectrum to draw, and the distance is infinite.
            nothing = {"prediction": [], "error": [], "distance": float("inf")}
            out.append({"time": truth.leads[i], "truth": energy_spectrum(u, truth.grid).mean(0), **nothing})
            continue
        u, v = u[good], v[good]
        mean = {name: energy_spectrum(f, truth.grid).mean(0) for name, f in (("truth", u), ("prediction", v))}
        mean["error"] = energy_spectrum(v - u, truth.grid).mean(0)
        distance = log_spectral_distance(mean["prediction"], mean["truth"]).item()
        out.append({"time": truth.leads[i], **mean, "distance": distance})
    return out


def invariants(
    prediction: Float[Tensor, "b t c *x"], truth: Truth, recipe: Any, skipped: dict[str, str]
) -> dict[str, Any]:
    """Mean |I(t) − I(0)| of truth and prediction, and the size of I, for each invariant of the equation."""
    why = ""
    if recipe is None:
        why = "the recipe of these data is not known, so there is no equation to ask"
    elif truth.start is None:
        why = "the map gives no state to compare with"
    if why:
        skipped["invariants' drift"] = why
        return {}
    first = truth.start[:, None]  # type: ignore[index]
    drift = {
        who: invariant_drift(recipe.equation, torch.cat([first, frames], 1), truth.grid)
        for who, frames in (("truth", truth.target), ("prediction", prediction))
    }
    if not drift["truth"]:
        skipped["invariants' drift"] = f"{type(recipe.equation).__name__} states no invariants"
        return {}
    return {
        "invariants": {
            name: {who: counted_mean(drift[who][name].abs())[1:] for who in drift} for name in drift["truth"]
        }
    }


def distribution(prediction: Float[Tensor, "b t c *x"], truth: Truth) -> dict[str, Any]:
    """Each sample's relative L2 over all predicted frames, sorted; diverged ones last, as None."""
    error = relative_l2(prediction, truth.target, truth.grid).mean(1).nan_to_num(nan=torch.inf)
    ordered, order = error.sort()
    marks = torch.tensor([0.0, 0.25, 0.5, 0.75, 0.9, 1.0], dtype=error.dtype, device=error.device)
    quantiles = torch.quantile(ordered, marks, interpolation="nearest")
    return {"errors": ordered, "samples": order, "marks": marks, "quantiles": quantiles}
