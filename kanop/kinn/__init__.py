"""Physics-informed networks: equations solved by networks, from the same residual as everything else."""

from kanop.kinn.architectures import MLP, Architecture, FourierMLP, KANet, ModifiedMLP
from kanop.kinn.derivatives import AutogradDerivatives
from kanop.kinn.domains import Box, Disc, Domain, Polygon
from kanop.kinn.jet_derivatives import JetDerivatives
from kanop.kinn.minimisers import LBFGS, SOAP, Adam, Minimiser, Objective
from kanop.kinn.problem import Problem
from kanop.kinn.quasi_newton import SSBroyden
from kanop.kinn.solving import Solution, solve_problem
from kanop.kinn.strong import Strong
from kanop.kinn.unknowns import Unknowns

__all__ = [
    "LBFGS",
    "MLP",
    "SOAP",
    "Adam",
    "Architecture",
    "AutogradDerivatives",
    "Box",
    "Disc",
    "Domain",
    "FourierMLP",
    "JetDerivatives",
    "KANet",
    "Minimiser",
    "ModifiedMLP",
    "Objective",
    "Polygon",
    "Problem",
    "SSBroyden",
    "Solution",
    "Strong",
    "Unknowns",
    "solve_problem",
]
