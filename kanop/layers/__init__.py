"""Floor 3: layers that operators are made of. Each works on fields (b, c, *x) at any resolution."""

from kanop.layers.continuation import Continuation, restrict
from kanop.layers.factorised_conv import FactorisedConv
from kanop.layers.grid_conv import GridConv
from kanop.layers.kan_multiplier import KANMultiplier
from kanop.layers.kan_pointwise import KANPointwise
from kanop.layers.local_integral import LocalIntegral
from kanop.layers.low_rank_integral import LowRankIntegral
from kanop.layers.mirror import mirror
from kanop.layers.neighbours import neighbours
from kanop.layers.pointwise import Pointwise, SoftGate
from kanop.layers.position_kan import PositionKAN
from kanop.layers.pseudo_differential import PseudoDifferential
from kanop.layers.spectral_conv import SpectralConv, set_precision
from kanop.layers.sphere_conv import DegreeFilter
from kanop.layers.sphere_local import LocalKernels, SphereLocalConv

__all__ = [
    "Continuation",
    "DegreeFilter",
    "FactorisedConv",
    "GridConv",
    "KANMultiplier",
    "KANPointwise",
    "LocalIntegral",
    "LocalKernels",
    "LowRankIntegral",
    "Pointwise",
    "PositionKAN",
    "PseudoDifferential",
    "SoftGate",
    "SpectralConv",
    "SphereLocalConv",
    "mirror",
    "neighbours",
    "restrict",
    "set_precision",
]
