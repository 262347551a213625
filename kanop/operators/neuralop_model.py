"""What every model of neuraloperator needs to stand behind our interface."""

from __future__ import annotations

import contextlib
import importlib
import io
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from kanop.operators.inputs import check_input
from kanop.operators.single_precision import SinglePrecision
from kanop.solvers import FieldSpec
from kanop.solvers.errors import check

__all__ = ["NeuralopModel", "wall_padding"]


class NeuralopModel(SinglePrecision, ABC):
    r"""G(u) = M(u): a model M of `neuralop.models` as a map of (b, c_in, *x), single precision only.

    The library is loaded when the first model is built; what it prints, the filters that it adds to the process'
    warnings and the constructor's arguments that it puts into every state dict do not stay.

    Parameters
    ----------
    spec : the map to learn
    make : given the module `neuralop.models`, returns M; of its output the first channels are taken, as many as the
        map has

    Shapes
    ------
    forward (b, c_in, *x) → (b, c_out, *x)

    Raises
    ------
    KanopError : an input with other channels or axes; a change to another precision

    References
    ----------
    Kossaifi et al. 2024, arXiv 2412.10354 (the library, release 2.0.0).
    """

    @abstractmethod
    def __init__(self, spec: FieldSpec, make: Callable[[Any], nn.Module]) -> None:
        super().__init__()
        self.spec = spec
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            self.model = make(importlib.import_module("neuralop.models"))
        self.register_state_dict_post_hook(_drop_metadata)

    def forward(self, u: Float[Tensor, "b i *x"]) -> Float[Tensor, "b o *x"]:
        """Apply the operator to a batch of inputs."""
        check_input(u, self.spec, type(self).__name__)
        return self.model(u)[:, : self.spec.out_channels]


def wall_padding(spec: FieldSpec, padding: float) -> list[float] | None:
    """`padding` for the axes that have walls, 0 for periodic ones; None where there is nothing to pad.

    >>> from kanop.solvers import Grid
    >>> wall_padding(FieldSpec(Grid((8, 8), boundaries=("periodic", "neumann")), ["u"]), 0.1)
    [0.0, 0.1]
    """
    check(padding >= 0, f"padding is a fraction of the axis, at least 0, got {padding}")
    walls = [0.0 if kind == "periodic" else float(padding) for kind in spec.box.boundaries]
    return walls if any(walls) else None


def _drop_metadata(module: nn.Module, state: dict[str, Any], prefix: str, local_metadata: dict[str, Any]) -> None:
    """Not a tensor, so no safe file holds it."""
    state.pop("_metadata", None)
