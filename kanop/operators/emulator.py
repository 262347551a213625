"""An operator with its normalisation: what is trained, exported and rolled out."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from kanop.operators.inputs import check_input
from kanop.operators.normaliser import Normaliser
from kanop.solvers import FieldSpec
from kanop.solvers.errors import check

__all__ = ["Emulator"]


class Emulator(nn.Module):
    r"""û = N_out⁻¹ ∘ G ∘ N_in(u), or u_last + that: an operator in physical units.

    Parameters
    ----------
    operator : maps normalised (b, c_in, *x) to normalised (b, c_out, *x)
    spec : the map: which channels go in and out
    input_norm : normaliser of the c_in input channels
    output_norm : normaliser of the c_out output channels; of the *change* if `increment`
    increment : predict the change from the last given frame instead of the frame (default False; needs n_in ≥ 1).
        Of n_out frames, each is given as its change from that same last frame.

    Shapes
    ------
    forward (b, c_in, *x) → (b, c_out, *x), at any resolution that the operator takes.

    Raises
    ------
    KanopError : normalisers of other channel numbers; `increment` without a given frame; an input with other
        channels or axes

    Examples
    --------
    >>> import torch
    >>> from kanop.solvers import FieldSpec, Grid
    >>> spec = FieldSpec(Grid((8,)), ["u"])
    >>> same = Normaliser([0.0], [1.0])
    >>> Emulator(nn.Identity(), spec, same, same, increment=True)(torch.ones(1, 1, 8)).unique().tolist()
    [2.0]
    """

    def __init__(
        self,
        operator: nn.Module,
        spec: FieldSpec,
        input_norm: Normaliser,
        output_norm: Normaliser,
        increment: bool = False,
    ) -> None:
        super().__init__()
        for name, norm, count in (
            ("input_norm", input_norm, spec.in_channels),
            ("output_norm", output_norm, spec.out_channels),
        ):
            check(
                norm.channels == count,
                f"{name} needs {count} channels for this FieldSpec, got {norm.channels}",
            )
        check(
            not increment or spec.n_in >= 1,
            "increment=True predicts the change from the last given frame, but the FieldSpec has n_in=0; "
            "use increment=False",
        )
        self.operator, self.spec, self.increment = operator, spec, increment
        self.input_norm, self.output_norm = input_norm, output_norm

    def forward(self, u: Float[Tensor, "b i *x"]) -> Float[Tensor, "b o *x"]:
        """Predict the next `n_out` frames, in physical units."""
        check_input(u, self.spec, "Emulator")
        out = self.output_norm.inverse(self.operator(self.input_norm(u)))
        if not self.increment:
            return out
        c = len(self.spec.fields)
        last = u[:, (self.spec.n_in - 1) * c : self.spec.n_in * c]
        return out + last.repeat(1, self.spec.n_out, *[1] * self.spec.grid.ndim)
