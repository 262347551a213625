"""Cutting the edges of KAN layers that say little, and what that costs."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

from kanop.kan.linear import KANLinear
from kanop.solvers.errors import KanopError, check, nearest

__all__ = ["EdgeMask", "Pruning", "edge_importance", "mask_edges", "prune", "settle"]

MEASURES = ("deviation", "magnitude")
# Rows of data whose functions are held at a time.
ROWS = 1024


@dataclass(frozen=True)
class Pruning:
    """What was cut, and what it costs.

    Attributes
    ----------
    kept, edges : by the name of each layer, how many edges are left, of how many
    change : ‖y' − y‖/‖y‖ of the model's output on the data
    """

    kept: Mapping[str, int]
    edges: Mapping[str, int]
    change: float

    def __str__(self) -> str:
        lines = [f"{name or 'layer'}: {self.kept[name]} of {self.edges[name]} edges left" for name in self.kept]
        return "\n".join([*lines, f"the output on the data changed by {self.change:.2e} of its size"])


class EdgeMask(nn.Module):
    """C_omi → μ_oi C_omi: a parametrisation of a layer's weights, whose mask μ is part of the state dict."""

    mask: Tensor

    def __init__(self, mask: Bool[Tensor, "o i"]) -> None:
        super().__init__()
        self.register_buffer("mask", mask)

    def forward(self, weight: Float[Tensor, "o *k i"]) -> Float[Tensor, "o *k i"]:
        """Cut the edges."""
        return weight * (self.mask if weight.ndim == 2 else self.mask[:, None])

    def right_inverse(self, weight: Float[Tensor, "o *k i"]) -> Float[Tensor, "o *k i"]:
        """What is assigned is masked when it is read."""
        return weight


@torch.no_grad()
def edge_importance(layer: KANLinear, x: Float[Tensor, "*n i"], measure: str = "deviation") -> Float[Tensor, "o i"]:
    r"""√Var[φ_oi(x_i)] over the data, or √E[φ_oi(x_i)²], for every edge.

    From the covariance of the functions of each input, C Σ_i Cᵀ, so that no tensor of shape (n, o, i) is made.

    Parameters
    ----------
    layer : whose edges are weighed
    x : data of the layer's inputs
    measure : "deviation" (default: a constant belongs to the bias) or "magnitude"

    Raises
    ------
    KanopError : an unknown measure, no data

    Examples
    --------
    >>> from kanop.kan import Chebyshev
    >>> edge_importance(KANLinear(3, 2, Chebyshev(4)), torch.randn(100, 3)).shape
    torch.Size([2, 3])
    """
    check(measure in MEASURES, nearest(measure, MEASURES, "measure"))
    mean, square = _moments(layer, x)
    c = _coefficients(layer)
    if measure == "deviation":
        square = square - mean[:, :, None] * mean[:, None, :]
    return torch.einsum("oki,ikl,oli->oi", c, square, c).clamp(min=0).sqrt().to(layer.weight)


def mask_edges(layer: KANLinear, keep: Bool[Tensor, "o i"]) -> None:
    """Cut the edges where `keep` is False; those that were cut before stay so.

    A new layer takes the state dict of a pruned one after `mask_edges(layer, torch.ones(o, i, dtype=torch.bool))`.

    Raises
    ------
    KanopError : a mask of another shape
    """
    shape = (layer.out_features, layer.in_features)
    check(tuple(keep.shape) == shape, f"a mask of this layer has shape {shape}, got {tuple(keep.shape)}")
    for name in ("weight", "base_weight"):
        if getattr(layer, name) is None:
            continue
        if not parametrize.is_parametrized(layer, name):
            ones = torch.ones(shape, dtype=torch.bool, device=layer.weight.device)
            parametrize.register_parametrization(layer, name, EdgeMask(ones))
        layer.parametrizations[name][0].mask.logical_and_(keep.to(layer.weight.device))  # type: ignore[index, union-attr]


@torch.no_grad()
def prune(
    model: nn.Module,
    x: Float[Tensor, "..."],
    share: float | None = None,
    threshold: float | None = None,
    measure: str = "deviation",
) -> Pruning:
    """Cut, in every `KANLinear` of a model, the least important edges; their means go into the biases.

    Masks are part of the state dict and stay through further training; `settle` turns them into zeros for good.

    Parameters
    ----------
    model : a `KANLinear`, or whatever holds some
    x : data for the model, on which edges are weighed and the cost is told
    share : of the edges of each layer to cut, from 0 to below 1
    threshold : cut edges below this part of the most important one of their layer; give one of the two
    measure : see `edge_importance`

    Raises
    ------
    KanopError : neither or both of share and threshold, a model without KANLinear, values that are not finite

    Examples
    --------
    >>> from kanop.kan import KAN, Chebyshev
    >>> report = prune(KAN((2, 8, 1), Chebyshev(4)), torch.randn(100, 2), share=0.5)
    >>> dict(report.kept)
    {'layers.0': 8, 'layers.1': 4}
    """
    check((share is None) != (threshold is None), f"give share or threshold, got {share} and {threshold}")
    check(share is None or 0 <= share < 1, f"share is from 0 to below 1, got {share}")
    check(threshold is None or 0 <= threshold < 1, f"threshold is from 0 to below 1, got {threshold}")
    layers = {name: layer for name, layer in model.named_modules() if isinstance(layer, KANLinear)}
    check(bool(layers), f"there is no KANLinear in this {type(model).__name__}")
    before, inputs = _run(model, x, layers)
    for name, layer in layers.items():
        importance = edge_importance(layer, inputs[name], measure)
        check(bool(importance.isfinite().all()), f"edges of {name or 'the layer'} are not finite; did the run diverge?")
        keep = _kept(importance, share, threshold)
        if layer.bias is not None:
            mean, _ = _moments(layer, inputs[name])
            means = torch.einsum("oki,ik->oi", _coefficients(layer), mean)
            layer.bias.add_((means * ~keep).sum(1).to(layer.bias))
        mask_edges(layer, keep)
    after, _ = _run(model, x, {})
    kept = {name: int(_mask(layer).sum()) for name, layer in layers.items()}
    edges = {name: layer.in_features * layer.out_features for name, layer in layers.items()}
    return Pruning(kept, edges, float((after - before).norm() / before.norm()))


def settle(model: nn.Module) -> None:
    """Turn the masks of every pruned layer into zeros of its weights: the same function, plain parameters again."""
    for layer in model.modules():
        if isinstance(layer, KANLinear):
            for name in ("weight", "base_weight"):
                if parametrize.is_parametrized(layer, name):
                    parametrize.remove_parametrizations(layer, name)


def _mask(layer: KANLinear) -> Tensor:
    return layer.parametrizations["weight"][0].mask  # type: ignore[index, union-attr]


def _kept(importance: Tensor, share: float | None, threshold: float | None) -> Tensor:
    if threshold is not None:
        return importance >= threshold * importance.max()
    ranks = importance.flatten().argsort().argsort().view_as(importance)
    return ranks >= round((share or 0.0) * importance.numel())


def _run(model: nn.Module, x: Tensor, layers: Mapping[str, KANLinear]) -> tuple[Tensor, dict[str, Tensor]]:
    """The model's output, and what each of these layers was given for it."""
    inputs: dict[str, Tensor] = {}
    hooks = [
        layer.register_forward_pre_hook(lambda _, given, name=name: inputs.__setitem__(name, given[0].detach()))
        for name, layer in layers.items()
    ]
    try:
        y = model(x)
    finally:
        for hook in hooks:
            hook.remove()
    idle = [name for name in layers if name not in inputs]
    check(not idle, f"these layers take no part in the model's output: {', '.join(idle)}")
    return y, inputs


def _coefficients(layer: KANLinear) -> Tensor:
    """c_omi and w_oi as (o, K + 1, i), in double precision."""
    weight = layer.weight.detach().double()
    return weight if layer.base_weight is None else torch.cat([weight, layer.base_weight.detach().double()[:, None]], 1)


def _moments(layer: KANLinear, x: Tensor) -> tuple[Tensor, Tensor]:
    """E[B_m] (i, K + 1) and E[B_m B_l] (i, K + 1, K + 1) over the data, σ(x) as the last function."""
    rows = x.detach().reshape(-1, layer.in_features)
    if not len(rows):
        raise KanopError("there are no data to weigh edges on")
    size = layer.basis.size + (layer.base_weight is not None)
    mean = torch.zeros(layer.in_features, size, dtype=torch.float64, device=rows.device)
    square = torch.zeros(layer.in_features, size, size, dtype=torch.float64, device=rows.device)
    into = deepcopy(layer.map).eval()
    for chunk in rows.split(ROWS):
        values = layer.basis.expand(into(chunk.to(layer.weight))).double()
        if layer.base_weight is not None:
            values = torch.cat([values, F.silu(chunk.double())[:, None]], 1)
        mean += values.sum(0).T
        square += torch.einsum("nki,nli->ikl", values, values)
    return mean / len(rows), square / len(rows)
