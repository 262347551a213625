"""Spectral convolutions and solver steps by every path, precision and mode, on the device that the command names.

A spectral convolution in the plane, forward and backward, takes turns with neuraloperator's and with the bare pair of
transforms of the same field (rfft2 and irfft2, forward and backward), both in full precision. Its error is that of the
value and of the gradient to the field, against float64. A solver's step is ETDRK4 in double precision.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from kanop.scripts.benchmarks.alone import alone
from kanop.scripts.benchmarks.timing import in_turns, ratio
from kanop.solvers.errors import check

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["CELLS", "run", "table"]

CONV, STEP = "SpectralConv 2D", "Navier-Stokes 2D step"
# Path, precision, compiled; on a CPU there is neither TF32 nor an FFT of half precision.
WAYS = {
    "cpu": [("dft", "full", False), ("dft", "full", True), ("dft", "bf16", False), ("fft", "full", False)],
    "cuda": [
        *(("dft", precision, compiled) for compiled in (False, True) for precision in ("full", "tf32", "bf16", "half")),
        ("fft", "full", False),
        ("fft", "half", False),
    ],
}
# The 12 modes of the FNO paper; with both signs they are 24.
SIZES = {"width": 32, "n_modes": 24, "batch": 8, "threads": 1}
CELLS: list[dict[str, Any]] = [
    *(
        {"problem": CONV, "device": device, "points": n, "path": path, "precision": low, "compiled": code, **SIZES}
        for device, ways in WAYS.items()
        for n in (64, 128)
        for path, low, code in ways
    ),
    *({"problem": STEP, "device": "cuda", "points": n, "batch": b, "threads": 1} for n in (64, 256) for b in (1, 16)),
]
# Asked of what a CPU takes by default at these sizes: over neuraloperator's, over the transforms.
ASKED = {"neuralop": 0.5, "transforms": 1.0}

ROUNDS = 15
# Calls between two looks at the clock: a GPU is waited for only there.
REPEATS = {"cpu": 1, "cuda": 20}
DT, SHORT, LONG = 1 / 256, 64, 320
# Rounding of neuraloperator's layer in float32, and of steps in float64.
SAME = {CONV: 1e-5, STEP: 1e-10}


def run(cell: dict[str, Any]) -> dict[str, Any]:
    """Medians and ratios, taken in turns in one process."""
    return alone(measure, cell)


def measure(cell: dict[str, Any]) -> dict[str, Any]:
    """The numbers of a cell, with the name of its GPU."""
    import torch

    torch.manual_seed(0)
    numbers = (_conv if cell["problem"] == CONV else _step)(cell)
    return numbers | ({"on": torch.cuda.get_device_name()} if cell["device"] == "cuda" else {})


def _conv(cell: dict[str, Any]) -> dict[str, Any]:
    import torch

    layers = _layers(cell)
    u, g = (torch.randn(cell["batch"], cell["width"], cell["points"], cell["points"]) for _ in range(2))
    errors = _errors(layers, u, g)
    ours, theirs, u, g = layers["kanop"], layers["neuralop"], u.to(cell["device"]), g.to(cell["device"])
    call = torch.compile(ours) if cell["compiled"] else ours
    calls: dict[str, Callable[[], Any]] = {
        "kanop": partial(_pass, call, list(ours.parameters()), u, g),
        "neuralop": partial(_pass, theirs, list(theirs.parameters()), u, g),
        "transforms": partial(_pass, _transforms, [], u, g),
    }
    repeats = REPEATS[cell["device"]]
    wall, processor = in_turns(_timed(calls, cell["device"], repeats), ROUNDS)
    middle, quartiles = ratio(wall["kanop"], wall["neuralop"])
    return {
        "ms": {name: 1e3 * statistics.median(values) / repeats for name, values in wall.items()},
        "over neuralop": middle,
        "quartiles": quartiles,
        "processor ratio": ratio(processor["kanop"], processor["neuralop"])[0],
        "over transforms": ratio(wall["kanop"], wall["transforms"])[0],
        "peak MB": {name: _peak(call, cell["device"]) / 1e6 for name, call in calls.items()},
        "error": errors["kanop"],
        "error of neuralop": errors["neuralop"],
    }


def _layers(cell: dict[str, Any]) -> dict[str, nn.Module]:
    """Ours, neuraloperator's, and ours in float64 on the CPU, with the same weights."""
    from neuralop.layers.spectral_convolution import SpectralConv as Peer

    from kanop.layers import SpectralConv

    width, modes = cell["width"], (cell["n_modes"], cell["n_modes"])
    theirs, exact = Peer(width, width, modes), SpectralConv(width, width, modes).double()
    exact.set_kernel(theirs.weight.to_tensor())
    exact.load_state_dict({"weight": exact.weight, "bias": theirs.bias.flatten()})
    ours = SpectralConv(width, width, modes, path=cell["path"], precision=cell["precision"])
    ours.load_state_dict(exact.state_dict())
    return {"kanop": ours.to(cell["device"]), "neuralop": theirs.to(cell["device"]), "exact": exact}


def _errors(layers: Mapping[str, nn.Module], u: Tensor, g: Tensor) -> dict[str, float]:
    """Largest relative L2 difference of value and input gradient to the exact layer's."""
    import torch

    results = {}
    for name, layer in layers.items():
        weight = next(layer.parameters())
        x, h = (t.to(weight.device, torch.float64 if name == "exact" else t.dtype, copy=True) for t in (u, g))
        v = layer(x.requires_grad_())
        results[name] = [t.detach().cpu().double() for t in (v, *torch.autograd.grad(v, x, h))]
    exact = results.pop("exact")
    found = {
        name: max(float((a - b).norm() / b.norm()) for a, b in zip(pair, exact, strict=True))
        for name, pair in results.items()
    }
    check(found["neuralop"] <= SAME[CONV], f"the layers do not compute the same, they differ by {found}")
    return found


def _step(cell: dict[str, Any]) -> dict[str, Any]:
    """The time of a step is that of a long run less that of a short one, which records too, over the steps between."""
    from kanop.scripts.benchmarks.starts import problem, relative
    from kanop.solvers import solve

    device = cell["device"]
    equation, grid, u0 = problem("Navier-Stokes 2D", cell["points"], cell["batch"])
    grid, u0 = grid.to(device=device), u0.to(device)

    def go(mode: str, steps: int) -> Tensor:
        return solve(equation, u0, grid, [0.0, steps * DT], dt=DT, mode=mode).u[:, 1]

    difference = relative(go("graph", LONG), go("eager", LONG))
    check(difference <= SAME[STEP], f"launched and replayed steps differ by {difference:.1e}")
    calls = {(mode, steps): partial(go, mode, steps) for mode in ("eager", "graph") for steps in (SHORT, LONG)}
    wall, _ = in_turns(_timed(calls, device, 1), ROUNDS)
    a_step = {
        mode: [(a - b) / (LONG - SHORT) for a, b in zip(wall[mode, LONG], wall[mode, SHORT], strict=True)]
        for mode in ("eager", "graph")
    }
    middle, quartiles = ratio(a_step["graph"], a_step["eager"])
    ms = {mode: 1e3 * statistics.median(values) for mode, values in a_step.items()}
    return {"ms a step": ms, "graph over eager": middle, "quartiles": quartiles, "difference": difference}


def _transforms(u: Tensor) -> Tensor:
    import torch

    return torch.fft.irfft2(torch.fft.rfft2(u), s=u.shape[-2:])


def _pass(layer: Callable[[Tensor], Tensor], parameters: Sequence[Tensor], u: Tensor, g: Tensor) -> None:
    import torch

    u = u.detach().requires_grad_()
    torch.autograd.grad(layer(u), [u, *parameters], g)


def _timed(calls: Mapping[Any, Callable[[], Any]], device: str, repeats: int) -> Mapping[Any, Callable[[], Any]]:
    """Calls as they are timed, after some that are not."""
    import torch

    def timed(call: Callable[[], Any]) -> None:
        for _ in range(repeats):
            call()
        if device == "cuda":
            torch.cuda.synchronize()

    ready = {name: partial(timed, call) for name, call in calls.items()}
    for call in 3 * list(ready.values()):
        call()
    return ready


def _peak(call: Callable[[], Any], device: str) -> float:
    """The most bytes that a call holds at a time, beyond what was held before."""
    import torch

    from kanop.scripts.benchmarks.kan_layer import allocated

    if device == "cpu":
        return allocated(call)
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    call()
    return float(torch.cuda.max_memory_allocated() - before)


HEAD = (
    "| device | points | path | precision | compiled | ms: kanop | neuralop | transforms "
    "| kanop / neuralop (quartiles) | asked | kanop / transforms | asked | peak MB: kanop | neuralop | error |"
)
STEP_HEAD = "| device | points | batch | ms a step: launched | replayed | replayed / launched (quartiles) |"


def table(rows: Sequence[dict[str, Any]]) -> str:
    """A line a cell: convolutions with what is asked of them, then steps."""
    convs, steps = ([row for row in rows if row["problem"] == problem] for problem in (CONV, STEP))
    return "\n".join(
        [HEAD, "|---" * 15 + "|", *_conv_lines(convs), "", STEP_HEAD, "|---" * 6 + "|", *_step_lines(steps)]
    )


def _conv_lines(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    for row in rows:
        number = row["numbers"]
        ms, peak, (low, high) = number["ms"], number["peak MB"], number["quartiles"]
        asks = row["device"] == "cpu" and (row["path"], row["precision"], row["compiled"]) == WAYS["cpu"][0]
        entries = [row["device"], row["points"], row["path"], row["precision"], "yes" if row["compiled"] else ""]
        entries += [f"{ms[name]:.3g}" for name in ("kanop", "neuralop", "transforms")]
        entries += [f"{number['over neuralop']:.2f} ({low:.2f} to {high:.2f})"]
        entries += [f"≤ {ASKED['neuralop']:g}" if asks else "", f"{number['over transforms']:.2f}"]
        entries += [f"< {ASKED['transforms']:g}" if asks else ""]
        entries += [f"{peak[name]:.1f}" for name in ("kanop", "neuralop")] + [f"{number['error']:.1e}"]
        yield "| " + " | ".join(map(str, entries)) + " |"


def _step_lines(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    for row in rows:
        number = row["numbers"]
        low, high = number["quartiles"]
        entries = [row["device"], row["points"], row["batch"]]
        entries += [f"{number['ms a step'][mode]:.3g}" for mode in ("eager", "graph")]
        entries += [f"{number['graph over eager']:.2f} ({low:.2f} to {high:.2f})"]
        yield "| " + " | ".join(map(str, entries)) + " |"
