"""Reading the learned functions of a layer back: their values, and a picture of each."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from kanop.kan.linear import KANLinear
from kanop.solvers.errors import check

__all__ = ["edge_functions", "plot_edges"]

# Panels of a picture: more could not be read.
PANELS = 100


@torch.no_grad()
def edge_functions(
    layer: KANLinear,
    x: Float[Tensor, "n i"] | Float[Tensor, " n"],
    outputs: Sequence[int] | None = None,
    inputs: Sequence[int] | None = None,
) -> Float[Tensor, "n p q"]:
    r"""φ_oi(x_i) = Σ_m c_omi B_m(t_i) + w_oi σ(x_i) for the edges asked for; summed over i, with the bias, the layer.

    Parameters
    ----------
    layer : whose edges are read
    x : points for every input of the layer, (n, in_features), or one set for all, (n,)
    outputs, inputs : numbers of the edges' ends (default: all of them)

    Returns
    -------
    values (n, outputs, inputs), in the precision of x

    Raises
    ------
    KanopError : no such output or input, points of another shape

    Examples
    --------
    >>> from kanop.kan import Chebyshev
    >>> edge_functions(KANLinear(3, 2, Chebyshev(4)), torch.zeros(5), inputs=[1]).shape
    torch.Size([5, 2, 1])
    """
    rows = _chosen(outputs, layer.out_features, "output")
    columns = _chosen(inputs, layer.in_features, "input")
    check(
        x.ndim == 1 or (x.ndim == 2 and x.shape[1] == layer.in_features),
        f"x is (n,), or (n, {layer.in_features}) for this layer, got shape {tuple(x.shape)}",
    )
    full = x[:, None].expand(-1, layer.in_features) if x.ndim == 1 else x
    weight = layer.weight[rows][:, :, columns].to(x)
    # A copy: to read is not to train, so nobody counts calls or warns.
    t = deepcopy(layer.map).to(x).eval()(full)[:, columns]
    values = torch.einsum("nki,oki->noi", layer.basis.expand(t), weight)
    if layer.base_weight is not None:
        values = values + F.silu(full[:, columns])[:, None] * layer.base_weight[rows][:, columns].to(x)
    return values


def plot_edges(
    layer: KANLinear,
    x: Float[Tensor, "n i"] | None = None,
    outputs: Sequence[int] | None = None,
    inputs: Sequence[int] | None = None,
) -> Any:
    """A matplotlib figure: a row for every output, a column for every input, φ_oi over the range of its input.

    Parameters
    ----------
    layer : whose edges are drawn
    x : data of the layer's inputs; each panel spans those of its input and marks their middle half (default: the
        layer's interval)
    outputs, inputs : numbers of the edges' ends (default: all of them; at most 100 panels)

    Raises
    ------
    KanopError : no such edge, too many panels

    Examples
    --------
    >>> from kanop.kan import Chebyshev
    >>> len(plot_edges(KANLinear(3, 2, Chebyshev(4))).axes)
    6
    """
    from matplotlib.figure import Figure

    rows, columns = _chosen(outputs, layer.out_features, "output"), _chosen(inputs, layer.in_features, "input")
    check(
        len(rows) * len(columns) <= PANELS,
        f"{len(rows)} × {len(columns)} edges are more than {PANELS} panels; name fewer outputs or inputs",
    )
    low, high = (torch.full((layer.in_features,), float(end)) for end in layer.interval)
    if x is not None:
        low, high = x.detach().amin(0), x.detach().amax(0)
    points = low + (high - low) * torch.linspace(0, 1, 200)[:, None]
    values = edge_functions(layer, points, rows, columns)
    figure = Figure(figsize=(1.6 * len(columns) + 0.6, 1.3 * len(rows) + 0.5), layout="constrained")
    axes = figure.subplots(len(rows), len(columns), squeeze=False)
    for r, o in enumerate(rows):
        for c, i in enumerate(columns):
            panel = axes[r][c]
            panel.plot(points[:, i].numpy(), values[:, r, c].numpy())
            panel.set_title(f"φ({o}, {i})", fontsize=8)
            panel.tick_params(labelsize=6)
            if x is not None:
                panel.axvspan(
                    *(float(q) for q in x[:, i].detach().float().quantile(torch.tensor([0.25, 0.75]))), alpha=0.15
                )
    return figure


def _chosen(numbers: Sequence[int] | None, count: int, what: str) -> list[int]:
    chosen = list(range(count)) if numbers is None else [int(n) for n in numbers]
    for n in chosen:
        check(0 <= n < count, f"the layer has {what}s 0 to {count - 1}, got {what} {n}")
    return chosen
