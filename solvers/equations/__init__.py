"""The equations, one file each."""

from kanop.solvers.equations.burgers import Burgers

__all__ = ["Burgers"]
