"""Every basis that ships obeys the laws of `check_basis`; the check itself finds those that do not."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest
import torch

import kanop.kan
from kanop.builder import build
from kanop.kan import (
    Basis,
    BSpline,
    BSplineRBF,
    Chebyshev,
    Fourier,
    GaussianRBF,
    Hermite,
    Jacobi,
    Legendre,
    ReLUPower,
    Sine,
    Wavelet,
)
from kanop.solvers import KanopError
from kanop.testing import check_basis
from kanop.training.describe import describe

BASES = [
    BSpline(),
    BSpline(cells=2, degree=1, low=0.0, high=2.0),
    BSpline(cells=8, degree=4),
    BSplineRBF(),
    BSplineRBF(cells=3, degree=2, low=-2.0, high=2.0),
    Chebyshev(),
    Fourier(),
    GaussianRBF(),
    Hermite(),
    Hermite(1),
    Jacobi(),
    Jacobi(4, alpha=-0.5, beta=0.7),
    Legendre(),
    Legendre(2),
    ReLUPower(),
    ReLUPower(power=1, cells=4, overlap=1),
    ReLUPower(power=2, cells=4, overlap=0, low=0.0, high=3.0),
    Sine(),
    Wavelet(),
    Wavelet("morlet", translations=3),
    Wavelet("dog", translations=1, dilations=[0.7, 1.5, 3.0]),
]


def names() -> list[str]:
    return [f"{i}-{type(basis).__name__}" for i, basis in enumerate(BASES)]


@pytest.mark.parametrize("basis", BASES, ids=names())
def test_conforms(basis):
    check_basis(basis)


@pytest.mark.parametrize("basis", BASES, ids=names())
def test_a_description_rebuilds_it(basis):
    again = build(describe(basis), trusted=False)
    t = torch.linspace(-1, 1, 5)
    for a, b in zip(again.functions(t), basis.functions(t), strict=True):
        assert torch.equal(a, b)


COMPILE = """
import runpy, sys, torch
from kanop.kan import KANLinear
for basis in runpy.run_path(sys.argv[1])["BASES"]:
    torch.compiler.reset()
    layer, x = KANLinear(3, 2, basis), torch.randn(5, 3, requires_grad=True)
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    ours, theirs = (torch.autograd.grad(f(x).square().sum(), [x, *layer.parameters()]) for f in (layer, compiled))
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5, msg=lambda text: f"{basis}: {text}")
"""


@pytest.mark.slow
def test_every_layer_compiles_in_one_graph():
    """In a process of its own: the checks of shapes that tests switch on cannot be compiled."""
    done = subprocess.run([sys.executable, "-c", COMPILE, __file__], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_basis_is_tried():
    ours = {
        value
        for value in vars(kanop.kan).values()
        if isinstance(value, type) and issubclass(value, Basis) and value is not Basis
    }
    assert ours == {type(basis) for basis in BASES}


class Wrong(Basis):
    """sin x, cos x, with one fault."""

    size, smoothness, domain = 2, math.inf, (-math.inf, math.inf)

    def __init__(self, fault: str) -> None:
        super().__init__()
        self.fault = fault
        if fault == "rough":
            self.smoothness = 1
        if fault == "moment":
            self.second_moment = 0.4

    def functions(self, t, order=0):
        values = [torch.sin(t + (order + m) * math.pi / 2) for m in range(2)]
        if self.fault == "size":
            return values[1:]
        if self.fault == "dtype":
            return [values[0].float(), values[1]]
        if self.fault == "precision":
            return [v.half().float() for v in values] if t.dtype == torch.float32 else values
        if self.fault == "derivative" and order == 2:
            return [values[0], 1.0001 * values[1]]
        if self.fault == "local" and order == 1:
            return [values[0], (1 - 1e-4 * torch.exp(-(((t - 1) / 0.02) ** 2))) * values[1]]
        if self.fault == "third" and order == 3:
            return [-v for v in values]
        if self.fault == "jump":
            return [v + (0.1 * torch.sign(t) if order == 0 else 0) for v in values]
        if self.fault == "kink":
            return [v + (t * t.abs() / 2, t.abs(), t.sign(), 0 * t, 0 * t)[order] for v in values]
        if self.fault == "growth":
            return [*values[:1], math.perm(12, order) * t ** (12 - order)]
        if self.fault == "square":
            return [*values[:1], math.perm(2, order) * t ** max(2 - order, 0)]
        return values

    def derivatives(self, t, orders, out=None):
        made = super().derivatives(t, orders, out)
        if self.fault == "fill" and len(orders) > 1:
            made[1] *= 1.001
        return made

    def expand(self, x):
        if self.fault == "expand":
            return 1.001 * super().expand(x)
        if self.fault == "layout":
            return super().expand(x).transpose(-1, -2)
        if self.fault == "first":
            y = super().expand(x)
            return y.detach() + 0.5 * (y - y.detach())
        if self.fault == "second":
            return Saved.apply(x)
        return super().expand(x)


class Saved(torch.autograd.Function):
    """Keeps the cosine for its backward, so that the second derivative is lost."""

    @staticmethod
    def forward(ctx, x):
        sine, cosine = torch.sin(x), torch.cos(x)
        ctx.save_for_backward(sine.detach(), cosine.detach(), x)
        return torch.stack([sine, cosine], -2)

    @staticmethod
    def backward(ctx, gradient):
        sine, cosine, x = ctx.saved_tensors
        return gradient[..., 0, :] * cosine - gradient[..., 1, :] * sine + 0 * x


@pytest.mark.parametrize(
    ("fault", "law"),
    [
        ("size", "should hold size = 2"),
        ("dtype", "should keep torch.float64"),
        ("precision", "float32 and float64 differ"),
        ("derivative", r"functions\(t, 2\) are not the derivatives"),
        ("local", r"functions\(t, 1\) are not the derivatives .* 0.* % of"),
        ("third", r"functions\(t, 3\) are not the derivatives"),
        ("jump", "derivatives of order 0 jump"),
        ("kink", "derivatives of order 2 jump"),
        ("rough", "derivatives of order 2 are continuous too"),
        ("fill", r"derivatives\(t, \[0, 1, 2\]\) in torch.float64 differ from functions\(t, 1\)"),
        ("expand", "expand is not functions after squash"),
        ("layout", r"should have shape \(4, 15, 2, 1\)"),
        ("first", "first derivative of expand"),
        ("second", "second derivative of expand"),
        ("growth", "not finite in float32"),
        ("moment", "second_moment is the mean"),
        ("square", "after six initial layers"),
    ],
)
def test_the_check_names_the_broken_law(fault, law):
    with pytest.raises(KanopError, match=law):
        check_basis(Wrong(fault))


def test_a_basis_without_fault_passes():
    check_basis(Wrong("none"))
