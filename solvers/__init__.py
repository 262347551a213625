"""Floor 1: grids, random fields, equations, integrators. Numerics only, nothing that learns."""

from kanop.solvers.derivatives import GridDerivatives
from kanop.solvers.equation import Derivatives, Equation
from kanop.solvers.equations import (
    Advection,
    AllenCahn,
    Burgers,
    Burgers2D,
    Diffusion,
    FisherKPP,
    FitzHughNagumo,
    GinzburgLandau,
    GrayScott,
    KortewegDeVries,
    KuramotoSivashinsky,
    NonlinearSchroedinger,
    Wave,
)
from kanop.solvers.errors import DataError, KanopError, SolverDiverged
from kanop.solvers.etdrk import SCHEMES
from kanop.solvers.fields import FieldSpec, Trajectory
from kanop.solvers.grid import Grid
from kanop.solvers.random_fields import GaussianRandomField
from kanop.solvers.solve import solve

__all__ = [
    "SCHEMES",
    "Advection",
    "AllenCahn",
    "Burgers",
    "Burgers2D",
    "DataError",
    "Derivatives",
    "Diffusion",
    "Equation",
    "FieldSpec",
    "FisherKPP",
    "FitzHughNagumo",
    "GaussianRandomField",
    "GinzburgLandau",
    "GrayScott",
    "Grid",
    "GridDerivatives",
    "KanopError",
    "KortewegDeVries",
    "KuramotoSivashinsky",
    "NonlinearSchroedinger",
    "SolverDiverged",
    "Trajectory",
    "Wave",
    "solve",
]
