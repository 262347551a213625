"""One KAN layer forward and backward: ours, its bare matmul, efficient-kan's formulation and pykan, in turn."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from kanop.scripts.benchmarks.alone import alone
from kanop.scripts.benchmarks.timing import in_turns, ratio

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["BASES", "CELLS", "allocated", "needs", "run", "table"]

# Bases with their arguments, and what is asked of a layer over the matmul of its size, eager and compiled.
BASES: dict[str, tuple[dict[str, Any], float | None]] = {
    "Chebyshev": ({"degree": 8}, 1.7),
    "Fourier": ({"harmonics": 4}, 1.7),
    "GaussianRBF": ({"centres": 8}, 2.0),
    "BSpline": ({"cells": 5, "degree": 3}, 2.0),
    "BSplineRBF": ({}, None),
    "Hermite": ({}, None),
    "Jacobi": ({}, None),
    "Legendre": ({}, None),
    "ReLUPower": ({}, None),
    "Sine": ({}, None),
    "Wavelet": ({}, None),
}
COMPILED = 1.6
CELLS = [
    {"basis": name, "arguments": arguments, "compiled": compiled, "rows": 4096, "width": 64, "threads": 1}
    for compiled in (False, True)
    for name, (arguments, _) in BASES.items()
]
ROUNDS = 15


def needs(cell: dict[str, Any]) -> Sequence[str]:
    """Packages that the cell compares with."""
    return ("kan",)


def run(cell: dict[str, Any]) -> dict[str, Any]:
    """Medians of a forward and backward pass with the gradient of the inputs, in turns in one process."""
    return alone(measure, cell)


def measure(cell: dict[str, Any]) -> dict[str, Any]:
    """Ours without the base branch is held against the matmul, ours with it against the peers, which have one."""
    import torch

    import kanop.kan
    from kanop.scripts.benchmarks.peers import efficient_kan, pykan

    torch.manual_seed(0)
    width, rows = cell["width"], cell["rows"]
    basis = getattr(kanop.kan, cell["basis"])(**cell["arguments"])
    ours: list[Callable[..., Tensor]] = [
        kanop.kan.KANLinear(width, width, basis, base=base).train() for base in (False, True)
    ]
    parameters = [list(layer.parameters()) for layer in ours]  # type: ignore[attr-defined]
    if cell["compiled"]:
        ours = [torch.compile(layer) for layer in ours]
    x, g = torch.randn(rows, width), torch.randn(rows, width)
    wide, matrix = torch.randn(rows, basis.size * width), torch.randn(width, basis.size * width, requires_grad=True)
    calls: dict[str, Callable[[], Any]] = {
        "matmul": partial(_pass, lambda x: torch.nn.functional.linear(x, matrix), [matrix], wide, g),
        "kanop": partial(_pass, ours[0], parameters[0], x, g),
        "kanop with base": partial(_pass, ours[1], parameters[1], x, g),
    }
    for name, peer in (("efficient-kan", efficient_kan.layer(width, width)), ("pykan", pykan.layer(width, width))):
        calls[name] = partial(_pass, peer, [p for p in peer.parameters() if p.requires_grad], x, g)
    for call in calls.values():
        call()
    return _numbers(calls, basis.size)


def _numbers(calls: dict[str, Callable[[], Any]], size: int) -> dict[str, Any]:
    wall, processor = in_turns(calls, ROUNDS)
    peak = {name: allocated(call) / 1e6 for name, call in calls.items()}
    middle, quartiles = ratio(wall["kanop"], wall["matmul"])
    return {
        "functions": size,
        "ms": {name: 1e3 * statistics.median(values) for name, values in wall.items()},
        "over matmul": middle,
        "quartiles": quartiles,
        "processor ratio": ratio(processor["kanop"], processor["matmul"])[0],
        "over efficient-kan": ratio(wall["kanop with base"], wall["efficient-kan"])[0],
        "over pykan": ratio(wall["kanop with base"], wall["pykan"])[0],
        "peak MB": peak,
        "memory over efficient-kan": peak["kanop with base"] / peak["efficient-kan"],
    }


def _pass(layer: nn.Module | Callable[..., Tensor], parameters: Sequence[Tensor], x: Tensor, g: Tensor) -> None:
    import torch

    x = x.detach().requires_grad_()
    torch.autograd.grad(layer(x), [x, *parameters], g, allow_unused=True)


def allocated(call: Callable[[], Any]) -> float:
    """The most bytes that torch holds at a time for a call, beyond what it held before."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as trace:
        call()
    held = most = 0
    events = [event for event in trace.profiler.kineto_results.events() if event.name() == "[memory]"]
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += event.nbytes()
        most = max(most, held)
    return float(most)


HEAD = (
    "| basis | functions | compiled | ms: matmul | kanop | efficient-kan | pykan | kanop / matmul (quartiles) | asked "
    "| kanop / efficient-kan | kanop / pykan | peak MB: kanop | efficient-kan | pykan |"
)


def table(rows: Sequence[dict[str, Any]]) -> str:
    """One line a cell, with what is asked of it; beside the peers, which have a base branch, ours has one too."""
    return "\n".join([HEAD, "|---" * 14 + "|", *_lines(rows)])


def _lines(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    for row in rows:
        number = row["numbers"]
        ms, peak, (low, high) = number["ms"], number["peak MB"], number["quartiles"]
        asked = COMPILED if row["compiled"] else BASES[row["basis"]][1]
        entries = [row["basis"], number["functions"], "yes" if row["compiled"] else ""]
        entries += [f"{ms[name]:.3g}" for name in ("matmul", "kanop", "efficient-kan", "pykan")]
        entries += [f"{number['over matmul']:.2f} ({low:.2f} to {high:.2f})", "" if asked is None else f"≤ {asked:g}"]
        entries += [f"{number[f'over {name}']:.3f}" for name in ("efficient-kan", "pykan")]
        entries += [f"{peak[name]:.1f}" for name in ("kanop with base", "efficient-kan", "pykan")]
        yield "| " + " | ".join(map(str, entries)) + " |"
