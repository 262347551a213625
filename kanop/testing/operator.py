"""The laws that every operator obeys."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from kanop.solvers import FieldSpec, Grid, KanopError
from kanop.solvers.errors import check

__all__ = ["check_operator"]

# Rounding in float32 through some ten layers.
TOLERANCE = 1e-4


def check_operator(
    factory: Callable[[FieldSpec], nn.Module], spec: FieldSpec | None = None, float64: bool = True
) -> None:
    """G: (b, c_in, *x) → (b, c_out, *x): raise KanopError, naming the law, unless an operator obeys them all.

    The laws: the output has the channels of the FieldSpec and the points of the input, at another resolution too; a
    sample's result depends on that sample only; every parameter is trained; a state dict of plain tensors and a
    deep copy hold the whole operator; float64 works; other numbers of channels or axes are refused with a KanopError.

    Parameters
    ----------
    factory : makes a new operator for a FieldSpec
    spec : the map to try (default: two fields and one constant on 24 periodic points, one frame in and out)
    float64 : whether the operator claims to work in double precision (default)

    Examples
    --------
    >>> from kanop.operators import FNO
    >>> check_operator(lambda spec: FNO(spec, n_modes=[8], hidden_channels=4, n_layers=1))
    """
    if spec is None:
        spec = FieldSpec(Grid((24,)), ["u", "v"], ["a"])
    operator = factory(spec)
    _check_shapes(operator, spec)
    _check_samples(operator, spec)
    _check_gradients(operator, spec)
    _check_state(factory, operator, spec)
    _check_refusals(operator, spec)
    if float64:
        _check_double(operator, spec)


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
    idle = [n for n, p in operator.named_parameters() if p.grad is None or not bool(p.grad.abs().sum() > 0)]
    check(not idle, f"these parameters get no gradient: {', '.join(idle)}")
    bad = [n for n, p in operator.named_parameters() if not bool(p.grad.abs().sum().isfinite())]  # type: ignore[union-attr]
    check(not bad, f"the gradients of these parameters are not finite: {', '.join(bad)}")
    operator.zero_grad()


@torch.no_grad()
def _check_state(factory: Callable[[FieldSpec], nn.Module], operator: nn.Module, spec: FieldSpec) -> None:
    state = operator.state_dict()
    other = [name for name, value in state.items() if not isinstance(value, Tensor)]
    check(not other, f"the state dict holds things that are no tensors: {', '.join(other)}")
    u = _input(spec)
    again = factory(spec)
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
