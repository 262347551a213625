"""Checks for your own classes: each raises KanopError naming the law that is broken."""

from kanop.testing.basis import check_basis
from kanop.testing.equation import check_equation
from kanop.testing.loss import check_loss
from kanop.testing.operator import Law, check_operator, operator_laws
from kanop.testing.order import Convergence, check_order, observed_order

__all__ = [
    "Convergence",
    "Law",
    "check_basis",
    "check_equation",
    "check_loss",
    "check_operator",
    "check_order",
    "observed_order",
    "operator_laws",
]
