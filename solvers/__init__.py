"""Floor 1: grids, random fields, equations, integrators. Numerics only, nothing that learns."""

from kanop.solvers.darcy import DarcySolution, darcy_flux, darcy_residual, solve_darcy
from kanop.solvers.derivatives import GridDerivatives
from kanop.solvers.distributions import (
    CellNoise,
    GaussianBlobs,
    LogNormal,
    McWilliams,
    Mixture,
    PeakedVorticity,
    RandomField,
    SolenoidalNoise,
    Spiral,
    TruncatedFourier,
    TwoPhase,
)
from kanop.solvers.equation import Derivatives, Equation
from kanop.solvers.equations import (
    Advection,
    AllenCahn,
    BarotropicVorticity,
    Burgers,
    Burgers2D,
    CosineMedium,
    Darcy,
    Diffusion,
    FisherKPP,
    FitzHughNagumo,
    GinzburgLandau,
    GrayScott,
    Helmholtz,
    HeterogeneousDiffusion,
    KortewegDeVries,
    KuramotoSivashinsky,
    NavierStokes2D,
    NavierStokes3D,
    NonlinearSchroedinger,
    ShallowWater,
    Smagorinsky,
    SphereTransport,
    Wave,
)
from kanop.solvers.errors import DataError, KanopError, SolverDiverged
from kanop.solvers.fields import FieldSpec, Trajectory
from kanop.solvers.finite_volumes import CellDerivatives
from kanop.solvers.forcing import FNOForcing, Forcing, KolmogorovForcing
from kanop.solvers.geometry import Geometry
from kanop.solvers.grid import Grid
from kanop.solvers.linear_operator import LinearOperator, MatrixOperator
from kanop.solvers.poisson import solve_helmholtz, solve_poisson
from kanop.solvers.random_fields import GaussianRandomField
from kanop.solvers.schemes import SCHEMES
from kanop.solvers.solve import solve
from kanop.solvers.sphere import SphereGrid

__all__ = [
    "SCHEMES",
    "Advection",
    "AllenCahn",
    "BarotropicVorticity",
    "Burgers",
    "Burgers2D",
    "CellDerivatives",
    "CellNoise",
    "CosineMedium",
    "Darcy",
    "DarcySolution",
    "DataError",
    "Derivatives",
    "Diffusion",
    "Equation",
    "FNOForcing",
    "FieldSpec",
    "FisherKPP",
    "FitzHughNagumo",
    "Forcing",
    "GaussianBlobs",
    "GaussianRandomField",
    "Geometry",
    "GinzburgLandau",
    "GrayScott",
    "Grid",
    "GridDerivatives",
    "Helmholtz",
    "HeterogeneousDiffusion",
    "KanopError",
    "KolmogorovForcing",
    "KortewegDeVries",
    "KuramotoSivashinsky",
    "LinearOperator",
    "LogNormal",
    "MatrixOperator",
    "McWilliams",
    "Mixture",
    "NavierStokes2D",
    "NavierStokes3D",
    "NonlinearSchroedinger",
    "PeakedVorticity",
    "RandomField",
    "ShallowWater",
    "Smagorinsky",
    "SolenoidalNoise",
    "SolverDiverged",
    "SphereGrid",
    "SphereTransport",
    "Spiral",
    "Trajectory",
    "TruncatedFourier",
    "TwoPhase",
    "Wave",
    "darcy_flux",
    "darcy_residual",
    "solve",
    "solve_darcy",
    "solve_helmholtz",
    "solve_poisson",
]
