"""Fused sums equal the plain formula, with exact first and second derivatives."""

from __future__ import annotations

import torch

from kanop.layers import Pointwise, SoftGate
from kanop.layers.fused import GatedPointwise

F64 = torch.float64


def arguments():
    sizes = [(2, 3, 5), (4, 3), (4,), (4,), (2, 4, 5)]
    return [torch.randn(size, dtype=F64, requires_grad=True) for size in sizes]


def test_gated_pointwise_is_its_formula():
    a, weight, bias, gate, u = arguments()
    want = torch.einsum("oi,bin->bon", weight, a) + bias[:, None] + gate[:, None] * u
    assert torch.allclose(GatedPointwise.apply(a, weight, bias, gate, u), want, atol=1e-13)


def test_gated_pointwise_has_first_and_second_derivatives():
    assert torch.autograd.gradcheck(GatedPointwise.apply, arguments())
    assert torch.autograd.gradgradcheck(GatedPointwise.apply, arguments())


def test_pointwise_is_a_convolution_of_size_one():
    layer, u = Pointwise(3, 4).double(), torch.randn(2, 3, 5, 6, dtype=F64)
    want = torch.nn.functional.conv2d(u, layer.weight[..., None, None], layer.bias)
    assert torch.allclose(layer(u), want, atol=1e-13)
    plain = Pointwise(3, 4, bias=False).double()
    assert torch.allclose(plain(u), torch.einsum("oi,bixy->boxy", plain.weight, u), atol=1e-13)


def test_soft_gate_starts_as_the_identity():
    u = torch.randn(2, 3, 5, 6)
    assert torch.equal(SoftGate(3)(u), u)
