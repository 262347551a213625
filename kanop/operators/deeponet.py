"""DeepONet: the output as a sum of learnt functions of the point, with coefficients read off the input."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from kanop.operators.inputs import check_input
from kanop.solvers import FieldSpec, Grid
from kanop.solvers.errors import check

__all__ = ["DeepONet", "point_features"]


class DeepONet(nn.Module):
    r"""G(u)_o(y) = p^{−1/2} Σ_{k ≤ p} b_{ok}(u) t_k(y) + c_o: a branch network b of the input, a trunk t of the point.

    The branch sees u at a fixed grid of sensors. An input at another resolution is resampled there by its own
    trigonometric series, exactly if the sensors resolve it; the trunk takes any point. So the output is one function,
    whatever the resolution of the input.

    Parameters
    ----------
    spec : the map to learn; gives channels, number of axes and boundaries
    sensors : points per axis at which the branch sees the input (default: those of `spec.box`)
    hidden_channels : width of both networks (default 128)
    n_layers : linear maps in each network (≥ 1, default 3); with 1, G is linear in u up to the constants
    n_basis : p, number of trunk functions (default 128)

    Shapes
    ------
    forward (b, c_in, *x) → (b, c_out, *x), at any resolution.

    Raises
    ------
    KanopError : another number of sensors than axes, sizes below 1; an input with other channels or axes

    References
    ----------
    Lu et al. 2021, Nat. Mach. Intell. 3, 218 (arXiv 1910.03193), eq. 2; Lu et al. 2022, arXiv 2111.05512 (several
    outputs with one trunk; periodic axes as cosine and sine).

    Examples
    --------
    >>> from kanop.solvers import FieldSpec, Grid
    >>> model = DeepONet(FieldSpec(Grid((32,)), ["u"]), hidden_channels=16, n_basis=8)
    >>> model(torch.randn(2, 1, 32)).shape, model(torch.randn(2, 1, 77)).shape
    (torch.Size([2, 1, 32]), torch.Size([2, 1, 77]))
    """

    resolution_tolerance = 1e-5

    def __init__(
        self,
        spec: FieldSpec,
        sensors: Sequence[int] | None = None,
        hidden_channels: int = 128,
        n_layers: int = 3,
        n_basis: int = 128,
    ) -> None:
        super().__init__()
        self.spec, self.sensors = spec, tuple(int(n) for n in sensors or spec.box.shape)
        d = spec.box.ndim
        check(len(self.sensors) == d, f"DeepONet needs one number of sensors per axis ({d}), got {self.sensors}")
        for name, value in (("hidden_channels", hidden_channels), ("n_layers", n_layers), ("n_basis", n_basis)):
            check(value >= 1, f"{name} is at least 1, got {value}")
        check(min(self.sensors) >= 1, f"sensors are at least 1 per axis, got {self.sensors}")
        self.hidden_channels, self.n_layers, self.n_basis = hidden_channels, n_layers, n_basis
        inner = [hidden_channels] * (n_layers - 1)
        seen = spec.in_channels * math.prod(self.sensors)
        features = sum(2 if kind == "periodic" else 1 for kind in spec.box.boundaries)
        self.branch = _network([seen, *inner, spec.out_channels * n_basis])
        self.trunk = _network([features, *inner, n_basis]).append(nn.GELU())
        self.bias = nn.Parameter(torch.zeros(spec.out_channels))

    def forward(self, u: Float[Tensor, "b i *x"]) -> Float[Tensor, "b o *x"]:
        """Apply the operator to a batch of inputs."""
        check_input(u, self.spec, "DeepONet")
        grid = self.spec.box.with_shape(u.shape[2:])
        seen = u if grid.shape == self.sensors else grid.resample(u, self.sensors)
        coefficients = self.branch(seen.flatten(1)).unflatten(1, (-1, self.n_basis)) / math.sqrt(self.n_basis)
        functions = self.trunk(point_features(grid, u))
        v = torch.matmul(coefficients, functions.T) + self.bias[:, None]
        return v.unflatten(-1, u.shape[2:])


def point_features(grid: Grid, like: Tensor) -> Float[Tensor, "n f"]:
    """Every point of the grid, row-major: cos and sin of 2πx/L on periodic axes, 2x/L − 1 between walls.

    >>> grid = Grid((4, 2), boundaries=("periodic", "neumann"))
    >>> point_features(grid, torch.zeros(1))[1].round(decimals=6).tolist()
    [1.0, 0.0, 0.5]
    """
    features = []
    for x, start, length, kind in zip(grid.mesh(), grid.origin, grid.lengths, grid.boundaries, strict=True):
        t = (x - start) / length
        angle = 2 * math.pi * t
        features += [angle.cos(), angle.sin()] if kind == "periodic" else [2 * t - 1]
    return torch.stack(features, -1).flatten(0, -2).to(like)


def _network(sizes: Sequence[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for i, o in pairwise(sizes):
        layers += [nn.Linear(i, o), nn.GELU()]
    return nn.Sequential(*layers[:-1])
