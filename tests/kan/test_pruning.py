"""Pruning cuts what says least, says what it costs, and what is cut stays cut: in training, on disk, for good."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import nn

from kanop.kan import (
    KAN,
    BSpline,
    Chebyshev,
    GaussianRBF,
    KANLinear,
    edge_functions,
    edge_importance,
    mask_edges,
    prune,
    settle,
)
from kanop.solvers import KanopError


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def data(n=300, i=3):
    torch.manual_seed(0)
    return torch.randn(n, i)


@pytest.mark.parametrize("base", [True, False])
def test_importance_is_the_spread_of_the_edge_function(base):
    layer = KANLinear(3, 4, GaussianRBF(5, -1.0, 1.0), base=base).double()
    x = data(3000).double()
    values = edge_functions(layer, x)
    torch.testing.assert_close(edge_importance(layer, x), values.std(0, correction=0))
    torch.testing.assert_close(edge_importance(layer, x, "magnitude"), values.square().mean(0).sqrt())


def test_the_least_important_edges_are_cut_and_the_cost_is_told():
    model, x = KAN((3, 6, 2), Chebyshev(4)), data()
    weights = [edge_importance(model.layers[0], x), edge_importance(model.layers[1], model.layers[0](x))]
    before = model(x)
    report = prune(model, x, share=0.5)
    assert dict(report.kept) == {"layers.0": 9, "layers.1": 6}
    assert dict(report.edges) == {"layers.0": 18, "layers.1": 12}
    assert report.change == pytest.approx(((model(x) - before).norm() / before.norm()).item(), rel=1e-5)
    assert "9 of 18" in str(report)
    for layer, weight in zip(model.layers, weights, strict=True):
        cut = edge_functions(layer, x[:, :1].expand(-1, layer.in_features)).abs().amax(0) == 0
        assert weight[cut].max() <= weight[~cut].min()


def test_a_threshold_counts_from_the_most_important_edge():
    layer, x = KANLinear(3, 4, Chebyshev(4)), data()
    weight = edge_importance(layer, x)
    report = prune(layer, x, threshold=0.6)
    assert report.kept[""] == int((weight >= 0.6 * weight.max()).sum())
    assert 0 < report.kept[""] < 12


def test_an_edge_that_is_constant_costs_nothing():
    """Where an input never changes its edges are constants: these move to the bias."""
    layer, x = KANLinear(3, 2, GaussianRBF(4, -1.0, 1.0), base=False), data()
    x[:, 1] = 0.7
    before = layer(x)
    assert edge_functions(layer, x)[..., 1].abs().min() > 1e-3
    report = prune(layer, x, threshold=1e-3)
    assert report.kept[""] == 4
    assert report.change < 1e-5
    torch.testing.assert_close(layer(x), before)


def test_what_is_cut_stays_cut_in_training_and_with_further_cuts():
    model, x = KAN((3, 6, 2), Chebyshev(4)), data()
    prune(model, x, share=0.5)
    cut = model.layers[0].weight.abs().amax(1) == 0
    optimiser = torch.optim.AdamW(model.parameters(), lr=0.05)
    for _ in range(3):
        optimiser.zero_grad()
        (model(x) - x[:, :2]).square().mean().backward()
        optimiser.step()
    assert cut.sum() == 9
    assert torch.equal(model.layers[0].weight.abs().amax(1) == 0, cut)
    assert torch.equal(model.layers[0].base_weight == 0, cut)
    report = prune(model, x, share=0.75)
    assert report.kept["layers.0"] == 18 - round(0.75 * 18)
    assert (model.layers[0].weight.abs().amax(1) == 0)[cut].all()


def test_a_mask_takes_nothing_back():
    layer = KANLinear(2, 2, Chebyshev(2))
    mask_edges(layer, torch.tensor([[True, False], [True, True]]))
    mask_edges(layer, torch.tensor([[True, True], [False, True]]))
    assert (layer.weight.abs().amax(1) > 0).tolist() == [[True, False], [False, True]]


def test_masks_are_part_of_the_state():
    model, x = KAN((3, 6, 2), Chebyshev(4)), data()
    prune(model, x, share=0.5)
    again = KAN((3, 6, 2), Chebyshev(4))
    for layer in again.layers:
        mask_edges(layer, torch.ones(layer.out_features, layer.in_features, dtype=torch.bool))
    again.load_state_dict(model.state_dict())
    torch.testing.assert_close(again(x), model(x))
    torch.testing.assert_close(copy.deepcopy(model)(x), model(x))


def test_settled_zeros_load_into_a_plain_model():
    model, x = KAN((3, 6, 2), Chebyshev(4)), data()
    plain = KAN((3, 6, 2), Chebyshev(4))
    prune(model, x, share=0.5)
    want = model(x)
    settle(model)
    torch.testing.assert_close(model(x), want)
    plain.load_state_dict(model.state_dict())
    torch.testing.assert_close(plain(x), want)
    assert all(isinstance(layer.weight, nn.Parameter) for layer in model.layers)


def test_a_pruned_layer_is_settled_before_it_is_refined():
    layer, x = KANLinear(3, 4, BSpline(4)), data().clamp(-1, 1)
    prune(layer, x, share=0.5)
    cut, want = layer.weight.abs().amax(1) == 0, layer(x)
    for fit in (lambda: layer.refine(8), lambda: layer.fit_map(x)):
        with pytest.raises(KanopError, match="settle it first"):
            fit()
    settle(layer)
    layer.refine(8)
    layer.fit_map(x)
    torch.testing.assert_close(layer(x), want, atol=1e-4, rtol=1e-4)
    assert torch.equal(layer.weight.abs().amax(1) < 1e-12, cut)


@pytest.mark.parametrize(
    ("fail", "message"),
    [
        (lambda layer, x: prune(layer, x), "give share or threshold"),
        (lambda layer, x: prune(layer, x, share=0.1, threshold=0.1), "give share or threshold"),
        (lambda layer, x: prune(layer, x, share=1.0), "below 1"),
        (lambda layer, x: prune(layer, x, threshold=-0.1), "below 1"),
        (lambda layer, x: prune(nn.Linear(3, 2), x, share=0.1), "no KANLinear in this Linear"),
        (lambda layer, x: prune(layer, x, share=0.1, measure="deviaton"), "did you mean 'deviation'"),
        (lambda layer, x: prune(layer, x[:0], share=0.1), "no data"),
        (lambda layer, x: prune(layer, x * math.nan, share=0.1), "not finite"),
        (lambda layer, x: mask_edges(layer, torch.ones(3, 2, dtype=torch.bool)), r"has shape \(2, 3\)"),
    ],
)
def test_what_makes_no_sense_is_refused(fail, message):
    with pytest.raises(KanopError, match=message):
        fail(KANLinear(3, 2, Chebyshev(2)), data())
