"""The equations, one file each."""

from kanop.solvers.equations.advection import Advection
from kanop.solvers.equations.allen_cahn import AllenCahn
from kanop.solvers.equations.barotropic_vorticity import BarotropicVorticity
from kanop.solvers.equations.burgers import Burgers
from kanop.solvers.equations.burgers_2d import Burgers2D
from kanop.solvers.equations.darcy import Darcy
from kanop.solvers.equations.diffusion import Diffusion
from kanop.solvers.equations.fisher_kpp import FisherKPP
from kanop.solvers.equations.fitzhugh_nagumo import FitzHughNagumo
from kanop.solvers.equations.ginzburg_landau import GinzburgLandau
from kanop.solvers.equations.gray_scott import GrayScott
from kanop.solvers.equations.helmholtz import Helmholtz
from kanop.solvers.equations.heterogeneous_diffusion import CosineMedium, HeterogeneousDiffusion
from kanop.solvers.equations.kdv import KortewegDeVries
from kanop.solvers.equations.kuramoto_sivashinsky import KuramotoSivashinsky
from kanop.solvers.equations.navier_stokes import NavierStokes2D
from kanop.solvers.equations.navier_stokes_3d import NavierStokes3D, Smagorinsky
from kanop.solvers.equations.schroedinger import NonlinearSchroedinger
from kanop.solvers.equations.shallow_water import ShallowWater
from kanop.solvers.equations.sphere_transport import SphereTransport
from kanop.solvers.equations.wave import Wave

__all__ = [
    "Advection",
    "AllenCahn",
    "BarotropicVorticity",
    "Burgers",
    "Burgers2D",
    "CosineMedium",
    "Darcy",
    "Diffusion",
    "FisherKPP",
    "FitzHughNagumo",
    "GinzburgLandau",
    "GrayScott",
    "Helmholtz",
    "HeterogeneousDiffusion",
    "KortewegDeVries",
    "KuramotoSivashinsky",
    "NavierStokes2D",
    "NavierStokes3D",
    "NonlinearSchroedinger",
    "ShallowWater",
    "Smagorinsky",
    "SphereTransport",
    "Wave",
]
