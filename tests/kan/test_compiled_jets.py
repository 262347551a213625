"""Jets compile in one graph, forward and backward, and give what they give without a compiler.

In a process of its own: tracing meets the run-time type checks of the tests, which no user has.
"""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Iterator

import pytest
import torch
from torch import nn

import kanop.kan
from kanop.kan import KAN, Basis, Chebyshev, Fourier, activations, jet

F64 = torch.float64
FEATURES = 8


def bases() -> Iterator[nn.Module]:
    """A network of every basis: a layer of many outputs, and one of few, which takes another way."""
    for name in kanop.kan.__all__:
        cls = getattr(kanop.kan, name)
        if isinstance(cls, type) and issubclass(cls, Basis) and not inspect.isabstract(cls):
            yield KAN((2, 3, 1), cls(), interval=(-1.0, 1.0))


def nodes() -> Iterator[nn.Module]:
    """A perceptron with every activation that has second derivatives."""
    one, two = (FEATURES,), (FEATURES, FEATURES)
    names = set(activations.__all__) - {"Activation", "TropicalActivation"}
    given = dict.fromkeys(names, one) | dict.fromkeys(("FAN", "KAF", "Siren"), two)
    given["SelectablePool"] = (FEATURES, [Chebyshev(3), Fourier(1)])
    for name, arguments in sorted(given.items()):
        module = getattr(activations, name)(*arguments)
        yield nn.Sequential(nn.Linear(2, FEATURES), module, nn.Tanh(), nn.Linear(FEATURES, 1))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["bases", "nodes"])
def test_a_residual_compiles_in_one_graph(kind):
    done = subprocess.run([sys.executable, __file__, kind], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("same") >= 9


def compare(network: nn.Module) -> None:
    torch.manual_seed(0)
    network, x = network.double(), torch.rand(6, 2, dtype=F64)

    def loss():
        u = jet(network, x, (0, 1), [(0, 0), [(0, 0), (1, 1)]])
        return (u.first[1] + u.value * u.first[0] - 0.01 * u.second[0] + 0.02 * u.second[1]).square().mean()

    torch.compiler.reset()
    compiled = torch.compile(loss, backend="aot_eager", fullgraph=True)
    got, want = (torch.autograd.grad(f(), list(network.parameters()), materialize_grads=True) for f in (compiled, loss))
    torch.testing.assert_close(got, want, rtol=1e-9, atol=1e-11)
    print(network[1] if isinstance(network, nn.Sequential) else network.basis, "same")


if __name__ == "__main__":
    for model in {"bases": bases, "nodes": nodes}[sys.argv[1]]():
        compare(model)
