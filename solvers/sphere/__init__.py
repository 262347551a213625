"""The sphere: its grids and transforms."""

from kanop.solvers.sphere.grid import SphereGrid

__all__ = ["SphereGrid"]
