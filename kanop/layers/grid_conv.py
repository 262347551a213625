"""Convolutions over grid points that know what lies beyond each end of an axis."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from kanop.solvers import KanopError
from kanop.solvers.errors import check

__all__ = ["GridConv", "surround"]

CONVS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}


def surround(u: Float[Tensor, "b c *x"], boundaries: Sequence[str], width: int) -> Float[Tensor, "b c *y"]:
    """u with `width` more points at both ends of each axis, as its boundary condition continues it.

    Periodic: the other end. Neumann: the mirror image, which has no slope at the wall. Dirichlet: zeros.

    >>> u = torch.tensor([[[1.0, 2.0, 3.0]]])
    >>> [surround(u, [kind], 1)[0, 0].int().tolist() for kind in ("periodic", "neumann", "dirichlet")]
    [[3, 1, 2, 3, 1], [1, 1, 2, 3, 3], [0, 1, 2, 3, 0]]
    """
    for axis, kind in enumerate(boundaries, start=2):
        left = width
        # One pass reaches as far as the axis is long; the longer field goes on by the same rule.
        while left > 0:
            n = u.shape[axis]
            reach = left if kind == "dirichlet" else min(left, n)
            u = torch.cat(_ends(u, axis, reach, kind), dim=axis)
            left -= reach
    return u


def _ends(u: Tensor, axis: int, reach: int, kind: str) -> list[Tensor]:
    n = u.shape[axis]
    if kind == "dirichlet":
        shape = list(u.shape)
        shape[axis] = reach
        zeros = u.new_zeros(shape)
        return [zeros, u, zeros]
    first, last = u.narrow(axis, 0, reach), u.narrow(axis, n - reach, reach)
    return [last, u, first] if kind == "periodic" else [first.flip(axis), u, last.flip(axis)]


class GridConv(nn.Module):
    r"""v(x_j) = Σ_{|m_i| ≤ r} W_m u(x_{j + dm}) + b, the field continued beyond walls and around periodic axes.

    The kernel lives on grid points, so it is another operator at another resolution.

    Parameters
    ----------
    in_channels, out_channels : channels before and after
    boundaries : "periodic", "neumann" or "dirichlet" for each of 1 to 3 axes (`Grid.boundaries`); see `surround`
    kernel : points of the kernel per axis, 2r + 1, odd (default 3)
    dilation : d, distance of its points (default 1)

    Shapes
    ------
    forward (b, in, *x) → (b, out, *x)

    Raises
    ------
    KanopError : an even kernel, sizes below 1; an input with other channels or axes

    Examples
    --------
    >>> conv = GridConv(1, 2, ("periodic", "dirichlet"), dilation=4)
    >>> conv(torch.randn(3, 1, 9, 8)).shape
    torch.Size([3, 2, 9, 8])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        boundaries: Sequence[str],
        kernel: int = 3,
        dilation: int = 1,
    ) -> None:
        super().__init__()
        check(kernel >= 1 and kernel % 2 == 1, f"kernel is an odd number of points, got {kernel}")
        check(dilation >= 1, f"dilation is at least 1, got {dilation}")
        self.in_channels, self.boundaries = in_channels, tuple(boundaries)
        self.width = dilation * (kernel // 2)
        self.conv = CONVS[len(self.boundaries)](in_channels, out_channels, kernel, dilation=dilation)

    def forward(self, u: Float[Tensor, "b i *x"]) -> Float[Tensor, "b o *x"]:
        """Apply the convolution."""
        d = len(self.boundaries)
        if u.ndim != d + 2 or u.shape[1] != self.in_channels:
            raise KanopError(
                f"GridConv expects (b, {self.in_channels}, *x) with {d} axes x, got shape {tuple(u.shape)}"
            )
        return self.conv(surround(u, self.boundaries, self.width))
