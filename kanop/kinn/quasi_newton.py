"""Quasi-Newton minimisation with the whole inverse Hessian, which some thousand parameters allow."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from kanop.kinn.minimisers import Minimiser, Objective, Watch, check_steps
from kanop.solvers.errors import check

__all__ = ["SSBroyden"]


@dataclass(frozen=True)
class SSBroyden(Minimiser):
    r"""Quasi-Newton with the whole inverse Hessian, self-scaled, of Broyden's family; Wolfe's strong conditions.

    H ← (H − H y yᵀ H / yᵀHy + φ yᵀHy v vᵀ)/τ + s sᵀ/yᵀs with the φ and τ of Al-Baali; memory p², in double precision.

    Parameters
    ----------
    iterations : how many (≥ 1; default 10 000)
    redraw : iterations from one drawing of points to the next, H stays (default 500)
    scaled : τ and φ as said (default); False is BFGS, τ = φ = 1

    References
    ----------
    Al-Baali 2014; Urbán, Stefanou, Pons 2025, arXiv:2405.04230 (for physics-informed networks).
    """

    iterations: int = 10000
    redraw: int = 500
    scaled: bool = True

    def __post_init__(self) -> None:
        check_steps(self.iterations, self.redraw)

    def run(self, objective: Objective, watch: Watch) -> str:
        x = objective.vector()
        f, g = objective.slope(x)
        check(math.isfinite(f), "the loss is not finite at the start")
        inverse, fresh = torch.eye(len(x), dtype=x.dtype, device=x.device), True
        # So that the first step tried has about unit length.
        before = f + float(g.norm()) / 2
        for iteration in range(self.iterations):
            if iteration and iteration % self.redraw == 0:
                objective.redraw()
                f, g = objective.slope(x)
                before = f + float(g.norm()) / 2
            found = _wolfe(objective, x, -(inverse @ g), f, g, before)
            if found is None and not fresh:
                # What was learnt of the curvature does not help any more.
                inverse, fresh = torch.eye(len(x), dtype=x.dtype, device=x.device), True
                found = _wolfe(objective, x, -g, f, g, f + float(g.norm()) / 2)
            if found is None:
                objective.put(x)
                return f"no step along the gradient lowers the loss after {iteration} iterations"
            before = f
            step, new, f, slope = found
            _update(inverse, new - x, slope - g, g, step, fresh, self.scaled)
            x, g, fresh = new, slope, False
            objective.put(x)
            why = watch(f)
            if why is not None:
                return why
        return f"all {self.iterations} iterations done"


def _update(inverse: Tensor, s: Tensor, y: Tensor, g: Tensor, step: float, fresh: bool, scaled: bool) -> None:
    """The inverse Hessian after the step s = step · direction, along which the gradient g changed by y."""
    ys = float(y @ s)
    if ys <= 0:
        return
    hy = inverse @ y
    yhy = float(y @ hy)
    h = yhy / ys
    tau = phi = 1.0
    if scaled:
        b = -step * float(s @ g) / ys
        a = b * h - 1
        least = min(1.0, h * (1 - math.sqrt(abs(a / (1 + a)))))
        theta = max((least - 1) / a, min(1 / least, (1 - b) / b)) if a else 0.0
        sigma = 1 + a * theta
        phi = (1 - theta) / sigma
        spread = abs(sigma) ** (1 / (1 - len(s))) if len(s) > 1 else 1.0
        most = min(1.0, 1 / b)
        tau = min(most * spread, sigma) if theta <= 0 else most * min(spread, 1 / theta)
        tau = h / sigma if fresh else tau
    elif fresh:
        tau = h
    v = s / ys - hy / yhy
    inverse.addr_(hy, hy, alpha=-1 / yhy).addr_(v, v, alpha=phi * yhy).div_(tau).addr_(s, s, alpha=1 / ys)


def _wolfe(
    objective: Objective, x: Tensor, direction: Tensor, f: float, g: Tensor, before: float
) -> tuple[float, Tensor, float, Tensor] | None:
    """A step that fulfils Wolfe's strong conditions, what it leads to, its loss and gradient; None if none is found.

    `before` is the loss one step ago, from which the first step to be tried is told.
    """
    from scipy.optimize import line_search

    seen: dict[bytes, tuple[float, Tensor]] = {}

    def slope(at: np.ndarray) -> tuple[float, Tensor]:
        key = at.tobytes()
        if key not in seen:
            seen[key] = objective.slope(torch.from_numpy(at))
        return seen[key]

    if float(direction @ g) >= 0:
        return None
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        # That no step is found is told by what comes back.
        warnings.simplefilter("ignore")
        step = line_search(
            lambda at: slope(at)[0],
            lambda at: slope(at)[1].numpy(),
            x.numpy(),
            direction.numpy(),
            g.numpy(),
            f,
            before,
            maxiter=20,
        )[0]
    if step is None:
        return None
    new = x + step * direction
    value, gradient = slope(new.numpy())
    return (float(step), new, value, gradient) if math.isfinite(value) else None
