"""Laws of operators that take a computation each: shifts, resolutions, learning, compilation."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn

from kanop.solvers import FieldSpec, KanopError, SphereGrid
from kanop.solvers.errors import check

__all__ = ["Factory", "check_compiled", "check_learns", "check_resolutions", "check_shifts", "seeded"]

Factory = Callable[[FieldSpec], nn.Module]

STEPS, HALF, RATES = 30, 0.5, (1e-2, 5e-2, 2e-3, 5e-4)


def seeded(factory: Factory, spec: FieldSpec, seed: int) -> nn.Module:
    """A new operator whose weights depend on `seed` alone; the global generator stays as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return factory(spec)


@torch.no_grad()
def check_shifts(operator: nn.Module, spec: FieldSpec, shift: int, tolerance: float) -> None:
    """G(u(· + s)) = G(u)(· + s) for shifts s by `shift` points along each periodic axis that it divides."""
    u = _noise(spec, 2)
    v = operator(u)
    kinds = ("sphere", "periodic") if isinstance(spec.grid, SphereGrid) else spec.grid.boundaries
    for axis, (n, kind) in enumerate(zip(spec.grid.shape, kinds, strict=True), start=2):
        if kind != "periodic" or n % shift:
            continue
        error = float((operator(u.roll(shift, axis)) - v.roll(shift, axis)).norm() / v.norm())
        check(
            error <= tolerance,
            f"it should commute with shifts by {shift} points along axis {axis - 2}, but differs by {error:.1e}",
        )


@torch.no_grad()
def check_resolutions(operator: nn.Module, spec: FieldSpec, tolerance: float) -> None:
    """G(u) on n points and on 3n agree where the points coincide, for a u of a few modes."""
    u = _smooth(spec, 2)
    fine = operator(spec.grid.resample(u, [3 * n for n in spec.grid.shape]))
    for axis in range(2, fine.ndim):
        fine = fine[(slice(None),) * axis + (slice(None, None, 3),)]
    v = operator(u)
    error = float((fine - v).norm() / v.norm())
    check(
        error <= tolerance,
        f"at three times the resolution the output differs by {error:.1e} at the shared points, "
        f"claimed is {tolerance:.0e}",
    )


def check_learns(factory: Factory, spec: FieldSpec) -> None:
    """30 steps of Adam on 4 pairs (u, 1 + u₀ − u₁ …) leave at most half of the squared error, at one of 4 rates.

    The wider an operator, the smaller the steps that it bears.
    """
    u = _smooth(spec, 4)
    signs = 1.0 - 2.0 * (torch.arange(spec.in_channels) % 2)
    wanted = 1 + torch.einsum("bc...,c->b...", u, signs)[:, None].expand(-1, spec.out_channels, *u.shape[2:])
    ratios = []
    for rate in RATES:
        ratios.append(_ratio(factory, spec, u, wanted, rate))
        if ratios[-1] <= HALF:
            return
    raise KanopError(
        f"{STEPS} steps of Adam should halve the loss on 4 samples, but of learning rates {RATES} "
        f"the best left {min(ratios):.2f} of it"
    )


def _ratio(factory: Factory, spec: FieldSpec, u: Tensor, wanted: Tensor, rate: float) -> float:
    student = seeded(factory, spec, seed=0).train()
    optimiser = torch.optim.Adam(student.parameters(), lr=rate)
    losses: list[float] = []
    while len(losses) <= STEPS and (not losses or min(losses) > HALF * losses[0]):
        optimiser.zero_grad()
        loss = (student(u) - wanted).square().mean()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return min(losses) / losses[0]


def check_compiled(operator: nn.Module, spec: FieldSpec, tolerance: float) -> None:
    """The graphs that `torch.compile` captures, run one by one, give the same values and gradients.

    They are run by PyTorch itself (backend aot_eager), so that no compiler of another language is needed.
    """
    u = _noise(spec, 2)
    plain, traced = copy.deepcopy(operator), copy.deepcopy(operator)
    try:
        # Tracing remarks on every cached function that it looks through.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            v = torch.compile(traced, backend="aot_eager")(u)
            v.square().mean().backward()
    except Exception as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else ""
        raise KanopError(
            f"torch.compile fails on it ({type(error).__name__}: {first}); give it the attribute compiles = False"
        ) from error
    w = plain(u)
    w.square().mean().backward()
    pairs = [(v, w), *((p.grad, q.grad) for p, q in zip(traced.parameters(), plain.parameters(), strict=True))]
    same = all(a is b or bool((a - b).abs().max() <= tolerance * (1 + b.abs().max())) for a, b in pairs)
    check(same, "torch.compile gives another result or other gradients")


def _noise(spec: FieldSpec, batch: int) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn((batch, spec.in_channels, *spec.grid.shape), generator=generator)


def _smooth(spec: FieldSpec, batch: int) -> Tensor:
    """Fields of unit size with an eighth of the modes that the grid holds, at least the first."""
    least = 4 if isinstance(spec.grid, SphereGrid) else 3
    few = spec.grid.with_shape([max(least, n // 4) for n in spec.grid.shape]).to(torch.float32)
    generator = torch.Generator().manual_seed(2)
    u = few.resample(torch.randn((batch, spec.in_channels, *few.shape), generator=generator), spec.grid.shape)
    return u / u.std()
