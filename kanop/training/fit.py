"""Old address of `kanop.training.fitting`: shadows the function `kanop.training.fit` once imported; use that instead."""

from kanop.training.fitting import Fitted, fit

__all__ = ["Fitted", "fit"]
