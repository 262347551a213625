"""Floor 3: univariate bases, and layers that learn a function on every edge or node."""

from kanop.kan.basis import Basis
from kanop.kan.chebyshev import Chebyshev
from kanop.kan.fourier import Fourier
from kanop.kan.linear import KANLinear
from kanop.kan.network import KAN
from kanop.kan.rbf import GaussianRBF

__all__ = ["KAN", "Basis", "Chebyshev", "Fourier", "GaussianRBF", "KANLinear"]
