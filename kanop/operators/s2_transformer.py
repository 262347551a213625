"""torch-harmonics' transformer on the sphere behind our interface."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from kanop.layers.spherical_parts import spherical_part
from kanop.operators.inputs import check_input
from kanop.operators.single_precision import SinglePrecision
from kanop.solvers import FieldSpec, KanopError, SphereGrid
from kanop.solvers.errors import check, nearest

__all__ = ["S2Transformer"]

ATTENTION = ("global", "neighborhood")


class S2Transformer(SinglePrecision):
    r"""G = D ∘ A_n ∘ … ∘ A_1 ∘ E: attention of all points to all, or to near ones, weighted by the sphere's quadrature.

    E and D are convolutions with local kernels between the data's points and fewer Gauss' latitudes, A_i attention and
    a pointwise network. The library's class is tied to the points that it is made for: inputs at another resolution
    are taken there and back by their harmonics. On a CPU it is far slower than an `SFNO`.

    Parameters
    ----------
    spec : the map to learn, on a `SphereGrid` whose longitudes `scale_factor` divides
    hidden_channels : width (default 32)
    n_layers : number of blocks (default 4)
    scale_factor : points of the data over those inside, along each axis (default 2)
    attention : "global" (default) or "neighborhood", which is far slower without the library's own kernels

    Shapes
    ------
    forward (b, c_in, y, x) → (b, c_out, y, x), at any resolution

    Raises
    ------
    KanopError : data that live on no sphere, longitudes that are not divided, an input with other channels

    References
    ----------
    Bonev et al. 2025, arXiv:2505.11157; torch-harmonics 0.8, `examples.models.SphericalTransformer`.

    Examples
    --------
    >>> import torch
    >>> model = S2Transformer(FieldSpec(SphereGrid((8, 16)), ["u"]), hidden_channels=8, n_layers=1)
    >>> model(torch.randn(2, 1, 8, 16)).shape
    torch.Size([2, 1, 8, 16])
    """

    lives_on_spheres = True
    compiles = False

    def __init__(
        self,
        spec: FieldSpec,
        hidden_channels: int = 32,
        n_layers: int = 4,
        scale_factor: int = 2,
        attention: str = "global",
    ) -> None:
        super().__init__()
        grid = spec.grid
        if not isinstance(grid, SphereGrid):
            raise KanopError(f"S2Transformer lives on a sphere, the data on a box of {grid.shape} points")
        check(min(hidden_channels, n_layers, scale_factor) >= 1, "sizes of S2Transformer are at least 1")
        check(attention in ATTENTION, nearest(attention, ATTENTION, "attention"))
        check(
            grid.shape[1] % scale_factor == 0,
            f"scale_factor divides the longitudes, got {scale_factor} for {grid.shape[1]}",
        )
        self.spec, self.hidden_channels, self.n_layers = spec, hidden_channels, n_layers
        self.scale_factor, self.attention = scale_factor, attention
        make = spherical_part("SphericalTransformer", "0.8", "torch_harmonics.examples.models")
        self.model = make(
            img_size=grid.shape,
            grid={"gauss": "legendre-gauss"}.get(grid.nodes, grid.nodes),
            grid_internal="legendre-gauss",
            scale_factor=scale_factor,
            in_chans=spec.in_channels,
            out_chans=spec.out_channels,
            embed_dim=hidden_channels,
            num_layers=n_layers,
            normalization_layer="instance_norm",
            attention_mode=attention,
        )

    def forward(self, u: Float[Tensor, "b i *x"]) -> Float[Tensor, "b o *x"]:
        """Apply the operator to a batch of inputs."""
        check_input(u, self.spec, "S2Transformer")
        own, there = self.spec.grid.shape, u.shape[2:]
        if there == own:
            return self.model(u)
        outer = self.spec.grid.with_shape(there).to(u.dtype, u.device)
        return self.spec.grid.to(u.dtype, u.device).resample(self.model(outer.resample(u, own)), there)
