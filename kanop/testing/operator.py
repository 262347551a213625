"""The laws that every operator obeys."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from kanop.solvers import FieldSpec, Grid, KanopError
from kanop.solvers.errors import check
from kanop.testing.claims import Factory, check_compiled, check_learns, check_resolutions, check_shifts, seeded

__all__ = ["Law", "check_operator", "operator_laws"]

# Rounding in float32 through some ten layers.
TOLERANCE = 1e-4


class Law(NamedTuple):
    """A law that was found to hold, or that the operator does not claim."""

    name: str
    claimed: bool


def check_operator(
    factory: Factory, spec: FieldSpec | None = None, float64: bool | None = None, compiled: bool = False
) -> None:
    """G: (b, c_in, *x) → (b, c_out, *x): raise KanopError, naming the law, unless an operator obeys them all.

    The laws: the output has the channels of the FieldSpec and the points of the input, at another resolution too; a
    sample's result depends on that sample only; every parameter that is not frozen gets a gradient; a state dict of
    plain tensors and a deep copy hold the whole operator; float64 works; other numbers of channels or axes are refused
    with a KanopError; 30 steps of Adam halve the loss on 4 samples; and what the operator claims by attributes:

    - `shift_equivariance`: it commutes with shifts by multiples of so many points along periodic axes that this number
      divides (0, the default: with none);
    - `resolution_tolerance`: a smooth periodic input gives at three times the resolution the same output at the shared
      points, to this relative L2 error (0, the default: no claim);
    - `single_precision`: True if it refuses float64 (default False);
    - `compiles`: False if `torch.compile` cannot take it (default True).

    Parameters
    ----------
    factory : makes a new operator for a FieldSpec
    spec : the map to try (default: two fields and one constant on 24 periodic points, one frame in and out)
    float64 : whether the operator works in double precision (default: what it claims)
    compiled : also compare with `torch.compile`, which takes some seconds (default False)

    Examples
    --------
    >>> from kanop.operators import FNO
    >>> check_operator(lambda spec: FNO(spec, n_modes=[8], hidden_channels=4, n_layers=1))
    """
    for _ in operator_laws(factory, spec, float64, compiled):
        pass


def operator_laws(
    factory: Factory, spec: FieldSpec | None = None, float64: bool | None = None, compiled: bool = False
) -> Iterator[Law]:
    """The laws of `check_operator`, each as soon as it is found to hold; raises at the first that is broken."""
    if spec is None:
        spec = FieldSpec(Grid((24,)), ["u", "v"], ["a"])
    operator = seeded(factory, spec, seed=0)
    _check_shapes(operator, spec)
    yield Law("the output has the points of the input, at two resolutions", True)
    _check_samples(operator, spec)
    yield Law("samples do not mix, and two calls agree", True)
    _check_gradients(operator, spec)
    yield Law("every parameter gets a gradient", True)
    _check_state(factory, operator, spec)
    yield Law("a safe file and a copy hold the whole operator", True)
    _check_refusals(operator, spec)
    yield Law("other channels and axes are refused", True)
    double = not getattr(operator, "single_precision", False) if float64 is None else float64
    if double:
        _check_double(operator, spec)
    yield Law("float64 agrees with float32", double)
    shift = int(getattr(operator, "shift_equivariance", 0))
    if shift:
        check_shifts(operator, spec, shift, TOLERANCE)
    yield Law(f"commutes with shifts{f' by {shift} points' if shift else ''} along periodic axes", shift > 0)
    tolerance = float(getattr(operator, "resolution_tolerance", 0.0))
    if set(spec.grid.boundaries) == {"periodic"}:
        if tolerance:
            check_resolutions(operator, spec, tolerance)
        yield Law("is one function at every resolution", tolerance > 0)
    check_learns(factory, spec)
    yield Law("30 steps halve the loss on 4 samples", True)
    if compiled:
        compiles = bool(getattr(operator, "compiles", True))
        if compiles:
            check_compiled(operator, spec, TOLERANCE)
        yield Law("torch.compile changes nothing", compiles)


def _input(spec: FieldSpec, batch: int = 3, factor: int = 1, dtype: torch.dtype = torch.float32) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    shape = (batch, spec.in_channels, *(factor * n for n in spec.grid.shape))
    return torch.randn(shape, generator=generator, dtype=dtype)


def _close(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and bool((a - b).abs().max() <= TOLERANCE * (1 + b.abs().max()))


def _check_shapes(operator: nn.Module, spec: FieldSpec) -> None:
    for factor, what in ((1, "at its own resolution"), (2, "at twice its resolution")):
        u = _input(spec, factor=factor)
        v = operator(u)
        want = (len(u), spec.out_channels, *u.shape[2:])
        check(tuple(v.shape) == want, f"{what} the output should have shape {want}, got {tuple(v.shape)}")
        check(bool(v.isfinite().all()), f"{what} the output is not finite")


@torch.no_grad()
def _check_samples(operator: nn.Module, spec: FieldSpec) -> None:
    u = _input(spec)
    v = operator(u)
    check(torch.equal(v, operator(u)), "two calls with one input should agree; is there noise outside of training?")
    for i in range(len(u)):
        check(_close(operator(u[i : i + 1])[0], v[i]), f"sample {i} alone gives another result than in a batch")


def _check_gradients(operator: nn.Module, spec: FieldSpec) -> None:
    operator.zero_grad()
    operator(_input(spec)).square().mean().backward()
    sizes = {n: 0.0 if p.grad is None else float(p.grad.abs().sum()) for n, p in _trained(operator)}
    idle = [n for n, size in sizes.items() if size == 0]
    check(not idle, f"these parameters get no gradient: {', '.join(idle)}")
    bad = [n for n, size in sizes.items() if not math.isfinite(size)]
    check(not bad, f"the gradients of these parameters are not finite: {', '.join(bad)}")
    operator.zero_grad()


def _trained(operator: nn.Module) -> list[tuple[str, nn.Parameter]]:
    return [(name, p) for name, p in operator.named_parameters() if p.requires_grad]


@torch.no_grad()
def _check_state(factory: Factory, operator: nn.Module, spec: FieldSpec) -> None:
    state = operator.state_dict()
    other = [name for name, value in state.items() if not isinstance(value, Tensor)]
    check(not other, f"the state dict holds things that are no tensors: {', '.join(other)}")
    u = _input(spec)
    again = seeded(factory, spec, seed=1)
    again.load_state_dict(load(save(state)))
    check(_close(again(u), operator(u)), "an operator loaded from the saved state gives another result")
    check(torch.equal(copy.deepcopy(operator)(u), operator(u)), "a deep copy gives another result")


def _check_refusals(operator: nn.Module, spec: FieldSpec) -> None:
    u = _input(spec)
    for what, wrong in (("one channel too many", torch.cat([u, u[:, :1]], 1)), ("one axis too many", u[..., None])):
        try:
            operator(wrong)
        except KanopError:
            continue
        except Exception as error:
            raise KanopError(f"{what}: expected a KanopError, got {type(error).__name__}: {error}") from error
        raise KanopError(f"{what}: expected a KanopError, but the operator took it")


@torch.no_grad()
def _check_double(operator: nn.Module, spec: FieldSpec) -> None:
    double = copy.deepcopy(operator).double()
    u = _input(spec, dtype=torch.float64)
    v = double(u)
    check(v.dtype == torch.float64, f"in float64 the output should be float64, got {v.dtype}")
    check(_close(v, operator(u.float()).double()), "float64 and float32 give different results")
