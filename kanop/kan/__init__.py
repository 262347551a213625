"""Floor 3: univariate bases, and layers that learn a function on every edge or node."""

from kanop.kan.basis import Basis
from kanop.kan.bspline import BSpline
from kanop.kan.bspline_rbf import BSplineRBF
from kanop.kan.chebyshev import Chebyshev
from kanop.kan.convolution import KANConv1d, KANConv2d, KANConv3d
from kanop.kan.formulas import Formula, nearest_formula
from kanop.kan.fourier import Fourier
from kanop.kan.hermite import Hermite
from kanop.kan.input_map import OutOfDomain
from kanop.kan.jacobi import Jacobi
from kanop.kan.jets import Jet, check_smoothness, jet
from kanop.kan.legendre import Legendre
from kanop.kan.linear import KANLinear
from kanop.kan.network import KAN
from kanop.kan.pruning import Pruning, edge_importance, mask_edges, prune, settle
from kanop.kan.rbf import GaussianRBF
from kanop.kan.reading import edge_functions, plot_edges
from kanop.kan.relu_power import ReLUPower
from kanop.kan.sine import Sine
from kanop.kan.wavelets import Wavelet

__all__ = [
    "KAN",
    "BSpline",
    "BSplineRBF",
    "Basis",
    "Chebyshev",
    "Formula",
    "Fourier",
    "GaussianRBF",
    "Hermite",
    "Jacobi",
    "Jet",
    "KANConv1d",
    "KANConv2d",
    "KANConv3d",
    "KANLinear",
    "Legendre",
    "OutOfDomain",
    "Pruning",
    "ReLUPower",
    "Sine",
    "Wavelet",
    "check_smoothness",
    "edge_functions",
    "edge_importance",
    "jet",
    "mask_edges",
    "nearest_formula",
    "plot_edges",
    "prune",
    "settle",
]
