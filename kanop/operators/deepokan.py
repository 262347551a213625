"""DeepOKAN: a DeepONet whose two networks are KANs of radial basis functions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from kanop.kan import Basis, GaussianRBF, KANLinear
from kanop.operators.deeponet import point_features
from kanop.operators.inputs import check_input
from kanop.solvers import FieldSpec
from kanop.solvers.errors import check

__all__ = ["DeepOKAN"]

# [−1, 1] with a margin, so that a map which is learnt does not at once push its ends out of the domain.
UNIT = (-1.25, 1.25)


class DeepOKAN(nn.Module):
    r"""G(u)_o(y) = p^{−1/2} Σ_{k ≤ p} b_{ok}(u) t_k(y) + c_o: branch b and trunk t are KANs, with tanh between layers.

    The branch sees u at a fixed grid of sensors, resampled there by its own trigonometric series; the trunk takes any
    point, so the output is one function whatever the resolution. tanh keeps hidden values within the functions' domain,
    and where that is bounded, each input's map into it is learnt (the paper's trainable grid).

    Parameters
    ----------
    spec : the map to learn; gives channels, number of axes and boundaries
    basis : functions of both networks (default `GaussianRBF(8)`)
    sensors : points per axis at which the branch sees the input (default: those of `spec.box`)
    hidden_channels : width of both networks (default 64)
    n_layers : KAN layers in each network (≥ 1, default 3)
    n_basis : p, number of trunk functions (default 64)

    Shapes
    ------
    forward (b, c_in, *x) → (b, c_out, *x), at any resolution

    Raises
    ------
    KanopError : another number of sensors than axes, sizes below 1; an input with other channels or axes

    References
    ----------
    Abueidda, Pantidis & Mobasher 2025 (DeepOKAN), arXiv 2405.19143; Lu et al. 2021, arXiv 1910.03193.

    Examples
    --------
    >>> from kanop.solvers import FieldSpec, Grid
    >>> model = DeepOKAN(FieldSpec(Grid((32,)), ["u"]), hidden_channels=8, n_basis=8)
    >>> model(torch.randn(2, 1, 32)).shape, model(torch.randn(2, 1, 77)).shape
    (torch.Size([2, 1, 32]), torch.Size([2, 1, 77]))
    """

    resolution_tolerance = 1e-4

    def __init__(
        self,
        spec: FieldSpec,
        basis: Basis | None = None,
        sensors: Sequence[int] | None = None,
        hidden_channels: int = 64,
        n_layers: int = 3,
        n_basis: int = 64,
    ) -> None:
        super().__init__()
        self.spec, self.basis = spec, GaussianRBF() if basis is None else basis
        self.sensors = tuple(int(n) for n in (spec.box.shape if sensors is None else sensors))
        d = spec.box.ndim
        check(len(self.sensors) == d, f"DeepOKAN needs one number of sensors per axis ({d}), got {self.sensors}")
        check(min(self.sensors) >= 1, f"sensors are at least 1 per axis, got {self.sensors}")
        for name, value in (("hidden_channels", hidden_channels), ("n_layers", n_layers), ("n_basis", n_basis)):
            check(value >= 1, f"{name} is at least 1, got {value}")
        self.hidden_channels, self.n_layers, self.n_basis = hidden_channels, n_layers, n_basis
        inner = [hidden_channels] * (n_layers - 1)
        seen = spec.in_channels * math.prod(self.sensors)
        features = sum(2 if kind == "periodic" else 1 for kind in spec.box.boundaries)
        # Normalised fields, within two standard deviations.
        self.branch = _network([seen, *inner, spec.out_channels * n_basis], self.basis, (-2.0, 2.0))
        self.trunk = _network([features, *inner, n_basis], self.basis, UNIT)
        self.bias = nn.Parameter(torch.zeros(spec.out_channels))

    def forward(self, u: Float[Tensor, "b i *x"]) -> Float[Tensor, "b o *x"]:
        """Apply the operator to a batch of inputs."""
        check_input(u, self.spec, "DeepOKAN")
        grid = self.spec.box.with_shape(u.shape[2:])
        seen = u if grid.shape == self.sensors else grid.resample(u, self.sensors)
        coefficients = self.branch(seen.flatten(1)).unflatten(1, (-1, self.n_basis)) / math.sqrt(self.n_basis)
        functions = self.trunk(point_features(grid, u))
        v = torch.matmul(coefficients, functions.T) + self.bias[:, None]
        return v.unflatten(-1, u.shape[2:])


def _network(sizes: Sequence[int], basis: Basis, interval: tuple[float, float]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for i, o in pairwise(sizes):
        layers += [nn.Tanh()] if layers else []
        within = UNIT if layers else interval
        layers.append(KANLinear(i, o, basis, base=False, interval=within, trainable_map=True))
    return nn.Sequential(*layers)
