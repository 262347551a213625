"""Maps of inputs onto the domain of a basis: fitted with the function kept, and the share outside is reported."""

from __future__ import annotations

import warnings

import pytest
import torch

from kanop.kan import BSpline, KANLinear, OutOfDomain

F64 = torch.float64


def test_inputs_outside_are_reported_once_with_their_share():
    layer, x = KANLinear(2, 2, BSpline(), interval=(-1.0, 1.0)), torch.linspace(-4, 4, 1001)[:, None].expand(-1, 2)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(20):
            layer(x)
    assert [str(w.message)[:17] for w in caught if w.category is OutOfDomain] == ["75% of the inputs"]
    assert layer.map.outside(x) == pytest.approx(0.75, abs=1e-3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        KANLinear(2, 2, BSpline()).eval()(3 * x)
        layer.fit_map(x)
        layer(x)
        late = KANLinear(2, 2, BSpline())
        late(torch.zeros(5, 2))
    assert layer.map.outside(x) == 0
    with pytest.warns(OutOfDomain):
        late(x)


@pytest.mark.parametrize(("low", "high", "trainable"), [(-0.2, 0.3, False), (-1.0, 2.0, True)])
def test_a_fitted_map_keeps_the_function_on_the_range_of_the_data(low, high, trainable):
    layer = KANLinear(1, 2, BSpline(30, 3, -1.0, 2.0), base=False, bias=False, trainable_map=trainable).double()
    x = torch.linspace(low, high, 997, dtype=F64)[:, None]
    before = layer(x).detach()
    error = layer.fit_map(x)
    change = float((layer(x) - before).detach().abs().max() / before.abs().max())
    assert 0 < change <= 1.05 * error < 0.1
    assert layer.map.outside(x) == 0
    assert torch.allclose(layer.map(x[[0, -1]]).flatten(), torch.tensor([-1.0, 2.0], dtype=F64))
    assert isinstance(layer.map.scale, torch.nn.Parameter) == trainable


def test_a_constant_input_is_mapped_to_the_middle_with_its_scale():
    layer, x = KANLinear(1, 2, BSpline(5, 3)).double(), torch.full((9, 1), 0.7, dtype=F64)
    before = layer(x).detach()
    layer.fit_map(x)
    assert torch.allclose(layer(x), before, atol=1e-12)
    assert torch.allclose(layer.map(x), torch.zeros(9, 1, dtype=F64), atol=1e-15)
    assert float(layer.map.scale) == 0.5


def test_a_fitted_map_keeps_what_both_bases_hold_exactly():
    layer = KANLinear(1, 1, BSpline(5, 3), base=False, bias=False).double()
    # t = Σ_m (mean of the k inner knots) N_m(t), Marsden's identity.
    knots = torch.arange(-3, 9, dtype=F64) * 0.4 - 1
    greville = torch.stack([knots[m + 1 : m + 4].mean() for m in range(8)])
    layer.weight.data.copy_(greville.view(1, 8, 1))
    x = torch.linspace(0.3, 5.0, 50, dtype=F64)[:, None]
    before = layer(x)
    assert torch.allclose(before, x / 2, atol=1e-13)
    assert layer.fit_map(x) < 1e-12
    far = torch.tensor([[-100.0], [100.0]], dtype=F64)
    assert torch.allclose(layer(far), far / 2, rtol=1e-10)
