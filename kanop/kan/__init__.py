"""Floor 3: univariate bases, and layers that learn a function on every edge or node."""

from kanop.kan.basis import Basis
from kanop.kan.fourier import Fourier
from kanop.kan.linear import KANLinear

__all__ = ["Basis", "Fourier", "KANLinear"]
