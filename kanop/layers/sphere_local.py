"""Convolutions with kernels on a disc about each point of the sphere."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from kanop.layers.spherical_parts import spherical_part
from kanop.solvers import SphereGrid
from kanop.solvers.errors import check, nearest

__all__ = ["LocalKernels", "SphereLocalConv"]

BASES = ("piecewise linear", "morlet", "zernike")


@dataclass(frozen=True)
class LocalKernels:
    """Kernels ψ_1 … ψ_K on a disc about each point.

    Parameters
    ----------
    shape : of torch-harmonics' basis: radii counted across the disc and angles ("piecewise linear": (3, 4) is the
        centre and four points around), waves in both directions ("morlet"), or one number, of degrees ("zernike")
    basis : "piecewise linear" (default), "morlet" or "zernike"
    reach : radius of the disc in distances between latitudes (default 2; at least 1)
    differences : take out what each kernel makes of a constant, so that it answers to slopes alone: a differential
        kernel instead of an integral one (default False)

    Raises
    ------
    KanopError : an unknown basis, sizes below 1

    References
    ----------
    Ocampo, Price, McEwen 2022, arXiv:2209.13603; Liu-Schiaffini et al. 2024, arXiv:2402.16845.
    """

    shape: Sequence[int] = (3, 4)
    basis: str = "piecewise linear"
    reach: float = 2.0
    differences: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", tuple(self.shape))
        check(self.basis in BASES, nearest(self.basis, BASES, "basis of local kernels"))
        check(len(self.shape) in (1, 2) and min(self.shape) >= 1, f"shape is one or two sizes, got {self.shape}")
        check(self.reach >= 1, f"reach is at least 1 distance between latitudes, got {self.reach}")


class SphereLocalConv(nn.Module):
    """v_o(x) = Σ_c Σ_k W_ock ∫ ψ_k(x, y) u_c(y) dy, or ∫ ψ_k(x, y) (u_c(y) − u_c(x)) dy for differences.

    The kernels are torch-harmonics'; as they reach over few latitudes and turn with the longitude, the convolution is
    a narrow matrix for each wave of the longitudes. Kernels are aligned with
    north: the layer commutes with turns about the axis alone.

    Parameters
    ----------
    in_channels, out_channels : channels before and after, at least 1
    grid : the points, in two dimensions of a `SphereGrid`; the layer works on these alone
    kernels : sets of kernels, at least one

    Shapes
    ------
    forward (b, in, y, x) → (b, out, y, x)

    Examples
    --------
    >>> layer = SphereLocalConv(2, 3, SphereGrid((8, 16)), [LocalKernels()])
    >>> layer(torch.zeros(5, 2, 8, 16)).shape
    torch.Size([5, 3, 8, 16])
    """

    tables: Tensor
    rows: Tensor

    def __init__(self, in_channels: int, out_channels: int, grid: SphereGrid, kernels: Sequence[LocalKernels]) -> None:
        super().__init__()
        check(min(in_channels, out_channels) >= 1, f"channels are at least 1, got {in_channels} and {out_channels}")
        check(len(kernels) >= 1, "expected at least one set of kernels")
        tables, rows = _tables(grid.shape, grid.nodes, tuple(kernels))
        # A function of the arguments: not saved with the weights.
        self.register_buffer("tables", tables, persistent=False)
        self.register_buffer("rows", rows, persistent=False)
        fan = in_channels * tables.shape[2]
        self.weight = nn.Parameter(torch.randn(fan, out_channels) / math.sqrt(fan))

    def forward(self, u: Float[Tensor, "b i y x"]) -> Float[Tensor, "b o y x"]:
        """Apply the convolution."""
        b, columns = len(u), u.shape[-1]
        u_hat = torch.fft.rfft(u)[:, :, self.rows]
        near = rearrange(u_hat, "b i y n m -> (m y) n (b i)")
        tables = rearrange(self.tables.to(near.dtype), "m y k n -> (m y) k n")
        w = torch.view_as_real(tables @ near)
        w = rearrange(w, "my k (b i) two -> (my b two) (i k)", b=b) @ self.weight.to(u.dtype)
        v_hat = rearrange(w, "(m y b two) o -> b o y m two", b=b, two=2, y=u.shape[-2])
        return torch.fft.irfft(torch.view_as_complex(v_hat.contiguous()), n=columns)


@lru_cache(maxsize=16)
def _tables(shape: tuple[int, int], nodes: str, kernels: tuple[LocalKernels, ...]) -> tuple[Tensor, Tensor]:
    """Matrices from near rows to kernels, (m, y, K, near), and those rows (y, near)."""
    psi = torch.cat([_answers(shape, nodes, each) for each in kernels])
    y = torch.arange(shape[0])
    touched = psi.abs().amax((0, 3)) > 0
    first = torch.where(touched, y, shape[0]).amin(1)
    last = torch.where(touched, y, -1).amax(1)
    width = int((last - first).max()) + 1
    rows = torch.minimum(first, torch.tensor(shape[0] - width))[:, None] + torch.arange(width)
    near = torch.gather(psi, 2, rows[None, :, :, None].expand(len(psi), -1, -1, shape[1]))
    return rearrange(torch.fft.rfft(near), "k y n m -> m y k n").contiguous(), rows


def _answers(shape: tuple[int, int], nodes: str, kernels: LocalKernels) -> Float[Tensor, "k y n x"]:
    """What each kernel makes, at all points, of a unit impulse at the first longitude of row n."""
    kind = {"gauss": "legendre-gauss", "lobatto": "lobatto", "equiangular": "equiangular"}[nodes]
    cutoff = kernels.reach * math.pi / (shape[0] - 1)
    # The norm's default differs between versions.
    points = {"grid_in": kind, "grid_out": kind, "theta_cutoff": cutoff, "basis_norm_mode": "mean"}
    with torch.random.fork_rng(devices=[]):
        layer = spherical_part("DiscreteContinuousConvS2", "0.7")(
            1, 1, shape, shape, kernels.shape, kernels.basis, bias=False, **points
        )
    impulses = torch.zeros(shape[0], 1, *shape)
    impulses[torch.arange(shape[0]), 0, torch.arange(shape[0]), 0] = 1
    answers = []
    for k in range(layer.kernel_size):
        with torch.no_grad():
            layer.weight.zero_()
            layer.weight[..., k] = 1
            answers.append(layer(impulses)[:, 0])
    psi = rearrange(torch.stack(answers).double(), "k n y x -> k y n x")
    if kernels.differences:
        y = torch.arange(shape[0])
        psi[:, y, y, 0] -= psi.sum((2, 3))
    return psi
