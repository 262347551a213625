"""Floor 3: univariate bases, and layers that learn a function on every edge or node."""

from kanop.kan.basis import Basis
from kanop.kan.bspline import BSpline
from kanop.kan.bspline_rbf import BSplineRBF
from kanop.kan.chebyshev import Chebyshev
from kanop.kan.convolution import KANConv1d, KANConv2d, KANConv3d
from kanop.kan.fourier import Fourier
from kanop.kan.hermite import Hermite
from kanop.kan.input_map import OutOfDomain
from kanop.kan.jacobi import Jacobi
from kanop.kan.jets import Jet, check_smoothness, jet
from kanop.kan.legendre import Legendre
from kanop.kan.linear import KANLinear
from kanop.kan.network import KAN
from kanop.kan.rbf import GaussianRBF
from kanop.kan.relu_power import ReLUPower
from kanop.kan.sine import Sine
from kanop.kan.wavelets import Wavelet

__all__ = [
    "KAN",
    "BSpline",
    "BSplineRBF",
    "Basis",
    "Chebyshev",
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
    "ReLUPower",
    "Sine",
    "Wavelet",
    "check_smoothness",
    "jet",
]
