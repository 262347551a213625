"""The same functions in other coefficients."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from kanop.kan.basis import Basis
from kanop.solvers.errors import check

__all__ = ["refit"]


def refit(
    weight: Float[Tensor, "o k i"],
    old: tuple[Basis, Float[Tensor, "p i"]],
    new: tuple[Basis, Float[Tensor, "p i"]],
) -> tuple[Float[Tensor, "o m i"], float]:
    """argmin_C Σ_p |Σ_m C_omi B_m(t_pi) − φ_oi(p)|² for every edge: by singular values, in double precision.

    Parameters
    ----------
    weight : coefficients of φ in the old basis
    old, new : the bases, each with what its functions are given at every point p

    Returns
    -------
    The new coefficients, and the largest error at any point in units of the largest |φ|

    Raises
    ------
    KanopError : points or coefficients that are not finite
    """
    finite = bool(weight.isfinite().all() and old[1].isfinite().all() and new[1].isfinite().all())
    check(finite, "coefficients and inputs must be finite to be fitted; look for a run that diverged")
    before, after = (_table(*each) for each in (old, new))
    values = before @ weight.detach().double().cpu().permute(2, 1, 0)
    # Functions that hardly reach the points have no say in the fit: the smallest of all solutions is taken.
    found = torch.linalg.lstsq(after, values, rcond=1e-12, driver="gelsd").solution
    error = (after @ found - values).abs().amax() / values.abs().amax().clamp(min=1e-300)
    return found.permute(2, 1, 0).to(weight), float(error)


def _table(basis: Basis, t: Tensor) -> Tensor:
    """B_m(t_pi) as (i, p, k)."""
    at = basis.squash(t.detach().double().cpu())
    return basis.derivatives(at, [0])[0].permute(2, 1, 0)
