"""Darcy flow: −∇·(a∇u) = f by finite volumes and preconditioned conjugate gradients, many samples at once."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.utils._pytree import tree_leaves

from kanop.solvers.darcy_system import DarcySystem
from kanop.solvers.errors import KanopError, check, nearest
from kanop.solvers.finite_volumes import Walls, face_fluxes, flux_divergence, wall_values
from kanop.solvers.grid import Grid
from kanop.solvers.implicit import implicit_gradient
from kanop.solvers.threads import each_in_turn

__all__ = ["DarcySolution", "darcy_flux", "darcy_residual", "solve_darcy"]

PRECONDITIONERS = ("auto", "sine", "multigrid")
# The sine transform needs √contrast iterations and a matrix product an axis: measured, it wins below these.
SINE_CONTRAST, SINE_POINTS = 8.0, 128
# Cells that are worked on together on a CPU: their working set stays in the cache.
CACHED_CELLS = 2**18
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
    Gradients with respect to a, f and the walls solve the adjoint system, to the same tolerance.

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

    @torch.no_grad()
    def solved(f: Source, walls: Walls) -> DarcySolution:
        return _solved(a, f, grid, walls, kind, tolerance, max_iterations)

    found = solved(f, walls)
    inputs = (a, f, walls)
    if not (torch.is_grad_enabled() and any(isinstance(t, Tensor) and t.requires_grad for t in tree_leaves(inputs))):
        return found
    residual = darcy_residual(a, found.u, f, grid, walls)
    return replace(found, u=implicit_gradient(found.u, residual, lambda g: solved(g, 0.0).u))


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


def _solved(
    a: Tensor, f: Source, grid: Grid, walls: Walls, kind: list[str], tolerance: float, max_iterations: int
) -> DarcySolution:
    double = grid.to(dtype=torch.float64)
    a64 = a.to(double.device, torch.float64).squeeze(1)
    source = _source(f, a64)
    values = wall_values(walls, grid, a64)
    u, residual = torch.empty_like(a64), a64.new_empty(len(a64))
    iterations = torch.empty(len(a64), dtype=torch.long, device=a64.device)

    def work(part: list[int]) -> None:
        piece = [(low[part], high[part]) for low, high in values]
        system = DarcySystem(a64[part], source[part], piece, double, kind[part[0]])
        u[part], residual[part], iterations[part] = system.solve(tolerance, max_iterations, part)

    each_in_turn(work, _chunks(kind, a64))
    return DarcySolution(u.to(grid.dtype)[:, None], residual, iterations)


def _chunks(kind: list[str], a: Tensor) -> list[list[int]]:
    """Samples that are worked on together: of one kind, few enough for the cache and for every thread to have some."""
    size = max(1, min(CACHED_CELLS // a[0].numel(), math.ceil(len(a) / torch.get_num_threads())))
    size = len(a) if a.is_cuda else size
    kinds = [[i for i, k in enumerate(kind) if k == name] for name in sorted(set(kind))]
    return [rows[start : start + size] for rows in kinds for start in range(0, len(rows), size)]


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
