"""Fused sums equal the plain formula, with exact first and second derivatives."""

from __future__ import annotations

import torch

from kanop.layers import Pointwise, SoftGate
from kanop.layers.fused import ContiguousGradient, GatedPointwise

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


def test_contiguous_gradient_changes_where_gradients_lie_and_nothing_else():
    seen, g = [], torch.randn(4, 3, dtype=torch.float64)
    u = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    before = u * 1
    before.register_hook(lambda gradient: seen.append(gradient.is_contiguous()))
    v = ContiguousGradient.apply(before)
    assert torch.equal(v, u)
    v.T.backward(g)
    assert seen == [True]
    assert torch.equal(u.grad, g.T)
    assert torch.autograd.gradgradcheck(ContiguousGradient.apply, u.detach().requires_grad_())
