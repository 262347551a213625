"""Preconditioned conjugate gradients for the Darcy systems of some samples at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from kanop.solvers.errors import KanopError
from kanop.solvers.finite_volumes import FaceOperator, conductances
from kanop.solvers.grid import Grid
from kanop.solvers.multigrid import Multigrid
from kanop.solvers.sine_inverse import SineInverse

__all__ = ["DarcySystem"]

RESTARTS = 4


class DarcySystem:
    """One chunk of samples: operator, right-hand side of norm one, preconditioner."""

    def __init__(
        self, a: Tensor, source: Tensor, walls: Sequence[tuple[Tensor, Tensor]], grid: Grid, kind: str
    ) -> None:
        # A u = b does not change when a and b are divided by one number: single precision wants a near 1.
        scale = a.flatten(1).log().mean(1).exp().reshape(-1, *[1] * grid.ndim)
        faces = conductances(a / scale, grid)
        b = source / scale
        for axis, (t, (low, high)) in enumerate(zip(faces, walls, strict=True), -grid.ndim):
            b.narrow(axis, 0, 1).add_(t.narrow(axis, 0, 1) * low)
            b.narrow(axis, b.shape[axis] - 1, 1).add_(t.narrow(axis, t.shape[axis] - 1, 1) * high)
        self.operator = FaceOperator(faces)
        self.norm = _norm(b)
        self.b = b / self.norm.where(self.norm > 0, 1)
        self.precondition = _preconditioner(self.operator, grid, kind)

    def solve(self, tolerance: float, max_iterations: int, samples: Sequence[int]) -> tuple[Tensor, Tensor, Tensor]:
        u, r = torch.zeros_like(self.b), self.b.clone()
        count = torch.zeros(len(u), dtype=torch.long, device=u.device)
        for _ in range(RESTARTS):
            self._conjugate_gradients(u, r, count, tolerance, max_iterations)
            # The recurrence drifts from the true residual, which is what is reported.
            r = self.operator.subtract(self.b.clone(), u)
            rounding = 4 * torch.finfo(u.dtype).eps * _norm(self.operator.diagonal * u)
            failed = ~(_norm(r) <= rounding.clamp(min=tolerance)).flatten()
            if not bool(failed.any()) or int(count.max()) >= max_iterations:
                break
        residual = _norm(r).flatten()
        if bool(failed.any()):
            i = int(failed.nonzero()[0])
            raise KanopError(
                f"sample {samples[i]}: relative residual {float(residual[i]):.1e} after {int(count[i])} iterations, "
                f"tolerance {tolerance:.1e}: raise max_iterations or tolerance, or take preconditioner='multigrid'"
            )
        return u * self.norm, residual, count

    def _conjugate_gradients(self, u: Tensor, r: Tensor, count: Tensor, tolerance: float, most: int) -> None:
        """Improve `u` and `r` until the recurrence has ‖r‖ ≤ tolerance; samples that are there stay as they are."""
        p = torch.zeros_like(r)
        old = torch.ones_like(self.norm)
        while True:
            active = (_norm(r) > tolerance) & (count.reshape(old.shape) < most)
            if not bool(active.any()):
                return
            z = self.precondition(r)
            new = _dot(z, r)
            # A sample without source has nothing to find: 0/0.
            p = torch.addcmul(z, p, torch.where(old > 0, new / old, 0))
            q = self.operator.subtract(torch.zeros_like(p), p)
            alpha = torch.where(active, -new / _dot(p, q), 0)
            u.addcmul_(alpha, p)
            r.addcmul_(alpha, q)
            old = new
            count += active.flatten()


def _preconditioner(operator: FaceOperator, grid: Grid, kind: str) -> Callable[[Tensor], Tensor]:
    # Half the bytes to move; conjugate gradients bear the rounding, up to contrasts of 1e8 at least.
    dtype = torch.float32
    inverse = SineInverse(grid, dtype) if kind == "sine" else Multigrid(operator, grid.spacing, dtype)
    return lambda r: inverse(r.to(dtype)).to(r.dtype)


def _norm(r: Tensor) -> Tensor:
    return _dot(r, r).sqrt()


def _dot(p: Tensor, q: Tensor) -> Tensor:
    """Σ p q per sample, shaped to broadcast over the sample."""
    return torch.linalg.vecdot(p.flatten(1), q.flatten(1)).reshape(-1, *[1] * (p.ndim - 1))
