"""A symmetric multigrid V-cycle for diffusion on cells: a preconditioner whose cost and rate hardly see contrast."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from kanop.solvers.finite_volumes import FaceOperator

__all__ = ["Multigrid"]

# Degree and interval of the Chebyshev smoother; the spectrum of D⁻¹A ends at 2 (A is diagonally dominant).
SMOOTHING = 3
LOW, HIGH = 0.3, 2.0
# Cells of the coarsest level, which is inverted densely.
COARSEST = 256


class Multigrid:
    r"""r ↦ M⁻¹ r, one V-cycle for A u = r: cells joined in pairs, Chebyshev smoothing, a dense inverse at the bottom.

    A correction is constant on joined cells and restriction is its transpose. The coarse operator sums the fine
    conductances on the faces that remain, each times (distance of the fine centres)/(distance of the coarse ones):
    the sum alone is the Galerkin operator, too stiff by that factor. An odd cell at the end stays alone, and the
    same rule gives its shorter distances. Axes much coarser than the finest are not joined, so that the
    smoother, which works along strong couplings only, leaves nothing behind.

    Parameters
    ----------
    operator : the operator on the finest level, in double precision
    spacing : h per axis
    dtype : precision of the cycle

    References: Wesseling (1988), doi:10.1137/0909032 (cell-centred coarsening); Braess (1995),
    doi:10.1007/BF02238488 (the scaling of the aggregated operator); Adams et al. (2003),
    doi:10.1016/S0021-9991(03)00194-3 (polynomial smoothers).
    """

    def __init__(self, operator: FaceOperator, spacing: Sequence[float], dtype: torch.dtype) -> None:
        self._levels: list[tuple[FaceOperator, Tensor, tuple[bool, ...]]] = []
        widths = [
            torch.full((t.shape[i - operator.ndim] - 1,), h, dtype=t.dtype, device=t.device)
            for i, (t, h) in enumerate(zip(operator.faces, spacing, strict=True))
        ]
        while math.prod(len(w) for w in widths) > COARSEST:
            joined = _axes_to_join(widths)
            level = operator.to(dtype)
            self._levels.append((level, _CENTRE / level.diagonal, joined))
            operator, widths = _coarsen(operator, widths, joined)
        self._inverse = torch.linalg.inv(_dense(operator)).to(dtype)

    def __call__(self, r: Float[Tensor, "b *x"]) -> Float[Tensor, "b *x"]:
        """M⁻¹ r; `r` is used up."""
        return self._cycle(0, r)

    def _cycle(self, depth: int, r: Tensor) -> Tensor:
        if depth == len(self._levels):
            return torch.bmm(self._inverse, r.flatten(1)[..., None]).reshape(r.shape)
        operator, scale, joined = self._levels[depth]
        u, step = _smooth(operator, scale, r)
        operator.subtract(r, step)
        step = _spread(self._cycle(depth + 1, _gather(r, joined)), r, joined)
        u += step
        operator.subtract(r, step)
        return u.add_(_smooth(operator, scale, r)[0])


def _chebyshev() -> tuple[float, list[tuple[float, float]]]:
    """First coefficient, then those of d ← c₁ d + c₂ D⁻¹r, for the best polynomial on [LOW, HIGH]."""
    centre, half = (HIGH + LOW) / 2, (HIGH - LOW) / 2
    rho, steps = half / centre, []
    for _ in range(SMOOTHING - 1):
        new = 1 / (2 * centre / half - rho)
        steps.append((new * rho, 2 * new / half))
        rho = new
    return 1 / centre, steps


_CENTRE, _STEPS = _chebyshev()


def _smooth(operator: FaceOperator, scale: Tensor, r: Tensor) -> tuple[Tensor, Tensor]:
    """p(D⁻¹A) D⁻¹ r and its last term, whose A-image is still to be taken from `r`."""
    step = scale * r
    u = step.clone()
    for keep, gain in _STEPS:
        operator.subtract(r, step)
        step.mul_(keep).addcmul_(scale, r, value=gain / _CENTRE)
        u += step
    return u, step


def _axes_to_join(widths: Sequence[Tensor]) -> tuple[bool, ...]:
    finest = min(float(w[0]) for w in widths if len(w) > 1)
    return tuple(len(w) > 1 and float(w[0]) < 1.5 * finest for w in widths)


def _coarsen(
    operator: FaceOperator, widths: Sequence[Tensor], joined: tuple[bool, ...]
) -> tuple[FaceOperator, list[Tensor]]:
    coarse = [_gather(w[None], (True,))[0] if join else w for w, join in zip(widths, joined, strict=True)]
    faces = []
    for i, t in enumerate(operator.faces):
        if joined[i]:
            n, m = len(widths[i]), len(coarse[i])
            kept = torch.arange(m + 1, device=t.device).mul(2).clamp(max=n)
            ratio = _distances(widths[i])[kept] / _distances(coarse[i])
            t = t.index_select(i + 1, kept) * ratio.reshape([-1 if j == i else 1 for j in range(operator.ndim)])
        faces.append(_gather(t, tuple(join and j != i for j, join in enumerate(joined))))
    return FaceOperator(faces), coarse


def _distances(width: Tensor) -> Tensor:
    """Between the centres on the two sides of each face; from the wall to the centre at the ends."""
    return (torch.nn.functional.pad(width, (1, 0)) + torch.nn.functional.pad(width, (0, 1))) / 2


def _gather(r: Tensor, joined: tuple[bool, ...]) -> Tensor:
    """Sums over joined cells."""
    out = r
    for axis, join in enumerate(joined, 1):
        if join:
            n = out.shape[axis]
            even, odd = (out[(slice(None),) * axis + (slice(start, None, 2),)] for start in (0, 1))
            out = even.clone()
            out.narrow(axis, 0, n // 2).add_(odd)
    return out


def _spread(e: Tensor, like: Tensor, joined: tuple[bool, ...]) -> Tensor:
    """Each coarse value on all the cells that it joins: the transpose of `_gather`."""
    out = torch.empty_like(like)
    for starts in itertools.product(*[(0, 1) if join else (0,) for join in joined]):
        places = tuple(slice(s, None, 2 if join else 1) for s, join in zip(starts, joined, strict=True))
        sizes = tuple(
            slice(0, (n - s + 1) // 2 if join else n) for n, s, join in zip(like.shape[1:], starts, joined, strict=True)
        )
        out[(slice(None), *places)] = e[(slice(None), *sizes)]
    return out


def _dense(operator: FaceOperator) -> Float[Tensor, "b n n"]:
    shape = operator.diagonal.shape
    n = math.prod(shape[1:])
    wide = FaceOperator([t[:, None] for t in operator.faces])
    unit = torch.eye(n, dtype=operator.diagonal.dtype, device=operator.diagonal.device).reshape(n, *shape[1:])
    columns = unit.expand(shape[0], *unit.shape)
    return wide.subtract(torch.zeros_like(columns), columns).neg_().flatten(2)
