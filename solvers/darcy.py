"""Darcy flow: −∇·(a∇u) = f by finite volumes and preconditioned conjugate gradients, many samples at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from kanop.solvers.errors import KanopError, check, nearest
from kanop.solvers.finite_volumes import FaceOperator, Walls, conductances, face_fluxes, flux_divergence, wall_values
from kanop.solvers.grid import Grid
from kanop.solvers.multigrid import Multigrid
from kanop.solvers.sine_inverse import SineInverse
from kanop.solvers.threads import each_in_turn

__all__ = ["DarcySolution", "darcy_flux", "darcy_residual", "solve_darcy"]

PRECONDITIONERS = ("auto", "sine", "multigrid")
# The sine transform needs √contrast iterations and a matrix product an axis: measured, it wins below these.
SINE_CONTRAST, SINE_POINTS = 8.0, 128
# Cells that are worked on together on a CPU: their working set stays in the cache.
CACHED_CELLS = 2**18
RESTARTS = 4
Source = Float[Tensor, "..."] | float


@dataclass(frozen=True)
class DarcySolution:
    """What `solve_darcy` returns.

    Attributes
    ----------
    u : (b, 1, *x) solution at the cell centres
    residual : (b,) ‖f + ∇·(a∇u)‖/‖f‖ of the double-precision solution, wall values counted into f
    iterations : (b,) iterations of conjugate gradients
    """

    u: Float[Tensor, "b 1 *x"]
    residual: Float[Tensor, " b"]
    iterations: Int[Tensor, " b"]


@torch.no_grad()
def solve_darcy(
    a: Float[Tensor, "b 1 *x"],
    f: Source,
    grid: Grid,
    walls: Walls = 0.0,
    tolerance: float | None = None,
    preconditioner: str = "auto",
    max_iterations: int = 1000,
) -> DarcySolution:
    r"""Solve −∇·(a∇u) = f on a box, u given on its walls.

    Cell-centred finite volumes: the flux through a face takes the harmonic mean of a over h, the one through a wall
    a over the h/2 between centre and wall. Second order where a is smooth or jumps at faces along an axis; first
    order where jumps cut cells or meet in corners. Conjugate gradients in double precision whatever the grid's dtype,
    preconditioned in single precision by the Laplacian inverted by sine transforms or by a multigrid V-cycle.
    Gradients do not pass through it.

    Parameters
    ----------
    a : (b, 1, *x) coefficient at the cell centres, > 0
    f : source, a number or an array that broadcasts to a
    grid : a grid with Dirichlet walls on every axis, 1 to 3 of them
    walls : u on the walls: a number, or (lower, upper) per axis, each a number or (b, 1, *x without that axis)
    tolerance : residual relative to ‖f‖, per sample; default 10⁻² (h/L)², two orders below the error O(h²) of a
        smooth solution. Rounding of u itself leaves about 10⁻¹⁶ a u/(h² f): below that no solution is asked for
    preconditioner : "sine", "multigrid", or "auto": by contrast max a/min a of each sample and by grid size
    max_iterations : after which a sample is given up

    Raises
    ------
    KanopError : a cell of `a` that is not positive and finite (which sample, which cell), a source or wall value that
        is not finite, shapes or walls that do not fit the grid, a residual that stays above the tolerance

    References: Wesseling (1988), doi:10.1137/0909032; Concus and Golub (1973), doi:10.1137/0710092 (fast Poisson
    solvers as preconditioners).

    Examples
    --------
    >>> grid = Grid((64,), boundaries="dirichlet")
    >>> x = grid.points[0]
    >>> solution = solve_darcy(torch.ones(1, 1, 64, dtype=torch.float64), 2.0, grid, tolerance=1e-10)
    >>> bool((solution.u[0, 0] - x * (1 - x)).abs().max() < 1e-4)
    True
    """
    kind = _checked(a, grid, preconditioner)
    tolerance = 1e-2 / max(grid.shape) ** 2 if tolerance is None else tolerance
    check(0 < tolerance < 1, f"expected 0 < tolerance < 1, got {tolerance}")
    double = grid.to(dtype=torch.float64)
    a64 = a.to(double.device, torch.float64).squeeze(1)
    source = _source(f, a64)
    values = wall_values(walls, grid, a64)
    u, residual = torch.empty_like(a64), a64.new_empty(len(a64))
    iterations = torch.empty(len(a64), dtype=torch.long, device=a64.device)

    def work(part: list[int]) -> None:
        piece = [(low[part], high[part]) for low, high in values]
        system = _System(a64[part], source[part], piece, double, kind[part[0]])
        u[part], residual[part], iterations[part] = system.solve(tolerance, max_iterations, part)

    each_in_turn(work, _chunks(kind, a64))
    return DarcySolution(u.to(grid.dtype)[:, None], residual, iterations)


def darcy_flux(
    a: Float[Tensor, "b 1 *x"], u: Float[Tensor, "b 1 *x"], grid: Grid, walls: Walls = 0.0
) -> tuple[Float[Tensor, "b 1 ..."], ...]:
    """−a∇u, the Darcy velocity, through every face: one array an axis, one entry longer along it, walls included."""
    _check_walls(grid)
    flux = face_fluxes(a.squeeze(1), u.squeeze(1), grid, wall_values(walls, grid, u.squeeze(1)))
    return tuple(-q[:, None] for q in flux)


def darcy_residual(
    a: Float[Tensor, "b 1 *x"],
    u: Float[Tensor, "b 1 *x"],
    f: Source,
    grid: Grid,
    walls: Walls = 0.0,
) -> Float[Tensor, "b 1 *x"]:
    """f − ∇·(−a∇u) per cell: what the source gives less what flows out, over the volume. Differentiable."""
    return f - flux_divergence(darcy_flux(a, u, grid, walls), grid)


class _System:
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
            p = torch.addcmul(z, p, new / old)
            q = self.operator.subtract(torch.zeros_like(p), p)
            alpha = torch.where(active, -new / _dot(p, q), 0)
            u.addcmul_(alpha, p)
            r.addcmul_(alpha, q)
            old = new
            count += active.flatten()


def _chunks(kind: list[str], a: Tensor) -> list[list[int]]:
    """Samples that are worked on together: of one kind, few enough for the cache and for every thread to have some."""
    size = max(1, min(CACHED_CELLS // a[0].numel(), math.ceil(len(a) / torch.get_num_threads())))
    size = len(a) if a.is_cuda else size
    kinds = [[i for i, k in enumerate(kind) if k == name] for name in sorted(set(kind))]
    return [rows[start : start + size] for rows in kinds for start in range(0, len(rows), size)]


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


def _checked(a: Tensor, grid: Grid, preconditioner: str) -> list[str]:
    """The kind of preconditioner for every sample, after looking at all that is given."""
    _check_walls(grid)
    check(preconditioner in PRECONDITIONERS, nearest(preconditioner, PRECONDITIONERS, "preconditioner"))
    wanted = f"expected a coefficient (b, 1, *x) with *x = {grid.shape}, got {tuple(a.shape)}"
    check(a.ndim == grid.ndim + 2 and a.shape[1:] == (1, *grid.shape), wanted)
    bad = ~((a > 0) & torch.isfinite(a))
    if bool(bad.any()):
        place = bad.nonzero()[0].tolist()
        value = float(a[tuple(place)])
        raise KanopError(
            f"the coefficient must be positive and finite, but sample {place[0]} has {value:g} in cell "
            f"{tuple(place[2:])} ({int(bad.sum())} such cells in all)"
        )
    flat = a.flatten(1).double()
    contrast = (flat.amax(1) / flat.amin(1)).tolist()
    return [_kind(c, grid, preconditioner) for c in contrast]


def _kind(contrast: float, grid: Grid, preconditioner: str) -> str:
    small = contrast <= SINE_CONTRAST and max(grid.shape) <= SINE_POINTS
    if preconditioner == "sine" or (preconditioner == "auto" and small):
        return "sine"
    return "multigrid"


def _check_walls(grid: Grid) -> None:
    walled = set(grid.boundaries) == {"dirichlet"}
    check(walled, f"Darcy needs a grid with boundaries 'dirichlet' on every axis, got {grid.boundaries}")


def _source(f: Tensor | float, a: Tensor) -> Tensor:
    f = torch.as_tensor(f, dtype=torch.float64, device=a.device)
    check(bool(torch.isfinite(f).all()), "the source holds NaN or infinity")
    try:
        return f.expand(len(a), 1, *a.shape[1:]).squeeze(1)
    except RuntimeError as error:
        wanted = (len(a), 1, *a.shape[1:])
        raise KanopError(f"expected a source that broadcasts to {wanted}, got shape {tuple(f.shape)}") from error
