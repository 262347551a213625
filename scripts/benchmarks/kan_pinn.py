"""One training step of a physics-informed network: the residual of Burgers' equation at points, and its gradient."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from kanop.scripts.benchmarks.alone import alone
from kanop.scripts.benchmarks.kan_layer import BASES, allocated
from kanop.scripts.benchmarks.timing import in_turns, ratio

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["CELLS", "needs", "run", "table"]

PEERS = ("efficient-kan", "pykan")
CELLS = [
    {"method": method, "points": 4096, "width": 64, "threads": 1}
    for method in ("Chebyshev", "BSpline", "GaussianRBF", "Fourier", *PEERS)
]
# The slowest peer takes some three seconds a step.
ROUNDS = {"pykan": 5}
NU = 0.01 / 3.14159
# Points that a compiled residual takes at a time where it goes in pieces: what they need fits a cache.
PIECE = 512


def needs(cell: dict[str, Any]) -> Sequence[str]:
    """Packages that the cell compares with."""
    return ("kan",) if cell["method"] == "pykan" else ()


def run(cell: dict[str, Any]) -> dict[str, Any]:
    """Medians of a step by every way of taking derivatives, beside a tanh perceptron's, in turns in one process."""
    return alone(measure, cell)


def measure(cell: dict[str, Any]) -> dict[str, Any]:
    """u_t + u u_x − ν u_xx of 2-64-64-1 by nested autograd and by jets, eager and compiled; a peer has nested alone.

    The perceptron has the same ways, and each network is counted by its best.
    """
    import torch
    from torch import nn

    torch.manual_seed(0)
    width = cell["width"]
    x = 2 * torch.rand(cell["points"], 2) - 1
    perceptron = nn.Sequential(nn.Linear(2, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 1))
    network = _network(cell["method"], width)
    calls = {f"MLP {way}": call for way, call in _ways(perceptron, x).items()}
    ways = (
        _ways(network, x)
        if cell["method"] not in PEERS
        else {"nested": lambda: _gradients(_nested(network, x), network)}
    )
    calls |= {f"KAN {way}": call for way, call in ways.items()}
    exact = calls["KAN nested"]()
    difference = max(_difference(call(), exact) for call in ways.values())
    for call in calls.values():
        call()
    return {**_numbers(calls, ROUNDS.get(cell["method"], 11)), "difference": difference}


def _difference(gradients: Sequence[Tensor], exact: Sequence[Tensor]) -> float:
    size = max(float(b.abs().max()) for b in exact)
    return max(float((a - b).abs().max()) for a, b in zip(gradients, exact, strict=True)) / size


def _numbers(calls: dict[str, Callable[[], Any]], rounds: int) -> dict[str, Any]:
    wall, processor = in_turns(calls, rounds)
    median = {name: statistics.median(values) for name, values in wall.items()}
    best = {
        kind: min((name for name in calls if name.startswith(kind)), key=lambda n: median[n]) for kind in ("MLP", "KAN")
    }
    middle, quartiles = ratio(wall[best["KAN"]], wall[best["MLP"]])
    return {
        "ms": {name: 1e3 * value for name, value in median.items()},
        "best": best,
        "ratio": middle,
        "quartiles": quartiles,
        "processor ratio": ratio(processor[best["KAN"]], processor[best["MLP"]])[0],
        "peak MB": {name: allocated(call) / 1e6 for name, call in calls.items()},
    }


def _network(method: str, width: int) -> nn.Module:
    from torch import nn

    import kanop.kan
    from kanop.scripts.benchmarks.peers import efficient_kan, pykan

    if method in PEERS:
        layer = efficient_kan.layer if method == "efficient-kan" else pykan.layer
        return nn.Sequential(layer(2, width), layer(width, width), layer(width, 1))
    basis = getattr(kanop.kan, method)(**BASES[method][0])
    return kanop.kan.KAN((2, width, width, 1), basis, base=False, interval=(-1.0, 1.0))


def _ways(network: nn.Module, x: Tensor) -> dict[str, Callable[[], Sequence[Tensor]]]:
    import torch

    # For each number of points by itself: what serves any number is slower.
    compiled = torch.compile(_jets, dynamic=False)
    return {
        "nested": lambda: _gradients(_nested(network, x), network),
        "jets": lambda: _gradients(_jets(network, x), network),
        "jets compiled": lambda: _gradients(compiled(network, x), network),
        "jets compiled in pieces": lambda: _in_pieces(compiled, network, x),
    }


def _in_pieces(loss: Callable[..., Tensor], network: nn.Module, x: Tensor) -> Sequence[Tensor]:
    """The gradient of a mean over points as the mean of its pieces', which are of equal length."""
    import torch

    parts = [_gradients(loss(network, piece), network) for piece in x.split(PIECE)]
    return [torch.stack(gradients).mean(0) for gradients in zip(*parts, strict=True)]


def _gradients(loss: Tensor, network: nn.Module) -> Sequence[Tensor]:
    import torch

    parameters = [p for p in network.parameters() if p.requires_grad]
    return torch.autograd.grad(loss, parameters, materialize_grads=True)


def _nested(network: nn.Module, x: Tensor) -> Tensor:
    import torch

    x = x.detach().requires_grad_()
    u = network(x)
    (first,) = torch.autograd.grad(u.sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first[:, 0].sum(), x, create_graph=True)
    return (first[:, 1:] + u * first[:, :1] - NU * second[:, :1]).square().mean()


def _jets(network: nn.Module, x: Tensor) -> Tensor:
    from kanop.kan import jet

    u = jet(network, x, (0, 1), [(0, 0)])
    return (u.first[1] + u.value * u.first[0] - NU * u.second[0]).square().mean()


WAYS = ("nested", "jets", "jets compiled", "jets compiled in pieces")
HEAD = (
    f"| network | ms: {' | '.join(WAYS)} | MLP, best | KAN / MLP, both by their best way (quartiles) | asked "
    "| peak MB |"
)


def table(rows: Sequence[dict[str, Any]]) -> str:
    """One line a cell, with what is asked of it."""
    return "\n".join([HEAD, "|---" * 9 + "|", *_lines(rows)])


def _lines(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    for row in rows:
        number = row["numbers"]
        ms, best, (low, high) = number["ms"], number["best"], number["quartiles"]
        entries = [row["method"]]
        entries += [f"{ms[f'KAN {way}']:.3g}" if f"KAN {way}" in ms else "" for way in WAYS]
        entries += [f"{ms[best['MLP']]:.3g} ({best['MLP'].removeprefix('MLP ')})"]
        entries += [f"{number['ratio']:.2f} ({low:.2f} to {high:.2f})", "" if row["method"] in PEERS else "≤ 6"]
        yield "| " + " | ".join([*entries, f"{number['peak MB'][best['KAN']]:.0f}"]) + " |"
