"""Physics-informed networks: derivatives by automatic differentiation."""

from kanop.kinn.derivatives import AutogradDerivatives

__all__ = ["AutogradDerivatives"]
