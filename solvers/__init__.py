"""Floor 1: grids, random fields, equations, integrators. Numerics only, nothing that learns."""

from kanop.solvers.errors import DataError, KanopError, SolverDiverged
from kanop.solvers.fields import FieldSpec, Trajectory
from kanop.solvers.grid import Grid

__all__ = ["DataError", "FieldSpec", "Grid", "KanopError", "SolverDiverged", "Trajectory"]
