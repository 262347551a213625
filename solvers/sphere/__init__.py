"""The sphere: its grids and transforms, surfaces, winds and states."""

from kanop.solvers.sphere.cases import Jet
from kanop.solvers.sphere.flows import Deformation, Flow, SolidRotation
from kanop.solvers.sphere.grid import SphereGrid
from kanop.solvers.sphere.random_states import RandomJet, RandomShallowWater
from kanop.solvers.sphere.surfaces import Cone, Surface

__all__ = [
    "Cone",
    "Deformation",
    "Flow",
    "Jet",
    "RandomJet",
    "RandomShallowWater",
    "SolidRotation",
    "SphereGrid",
    "Surface",
]
