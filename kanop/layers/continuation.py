"""Making a field between walls periodic, so that a Fourier layer does not join the walls by a jump."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from kanop.solvers.errors import check

__all__ = ["Continuation", "restrict"]


@dataclass(frozen=True)
class Continuation:
    r"""u on [0, L] ↦ ũ on the circle of length (1 + p) L: ũ = u on [0, L], and over the strip the polynomial through
    the last and the first `order` points.

    On a fine grid it is the Hermite interpolant, so ũ has order − 1 continuous derivatives and its coefficients fall
    like |k|^{−order−1}; zeros leave a jump, |k|^{−1}.

    Parameters
    ----------
    length : p, length of the strip as a fraction of the axis (≥ 0, default 0.25); periodic axes get none
    order : points matched at either end (0 to 8, default 2); 0 fills the strip with zeros. What is rough on the scale
        of the grid grows over a strip of c points by up to (c/2)^{order−1}/(order−1)!: high orders are for smooth data.

    Raises
    ------
    KanopError : a negative length, an order outside of 0 to 8

    References
    ----------
    Bruno & Lyon 2010, J. Comput. Phys. 229, 2009 (Fourier continuation).

    Examples
    --------
    >>> strip = Continuation(length=0.5, order=2)
    >>> strip.extend(torch.arange(8.0).view(1, 1, 8), ["neumann"])[0, 0, 8:]
    tensor([6.2857, 4.5429, 2.4571, 0.7143])
    >>> strip.extend(torch.ones(1, 1, 8), ["periodic"]).shape
    torch.Size([1, 1, 8])
    """

    length: float = 0.25
    order: int = 2

    def __post_init__(self) -> None:
        check(self.length >= 0, f"padding is a fraction of the axis, at least 0, got {self.length}")
        check(0 <= self.order <= 8, f"order is the number of points matched at either end, 0 to 8, got {self.order}")

    @classmethod
    def of(cls, padding: float | Continuation) -> Continuation:
        """A strip of zeros where only its length is given."""
        return padding if isinstance(padding, Continuation) else cls(float(padding), order=0)

    def extend(self, u: Float[Tensor, "b c *x"], boundaries: Sequence[str]) -> Float[Tensor, "b c *y"]:
        """Add the strip behind every axis that has walls."""
        for axis, kind in enumerate(boundaries, start=2):
            n = u.shape[axis]
            extra = 0 if kind == "periodic" else round(self.length * n)
            if extra:
                u = torch.cat([u, self._strip(u, axis, extra)], dim=axis)
        return u

    def _strip(self, u: Tensor, axis: int, extra: int) -> Tensor:
        n = u.shape[axis]
        match = min(self.order, n)
        if not match:
            shape = list(u.shape)
            shape[axis] = extra
            return u.new_zeros(shape)
        ends = torch.cat([u.narrow(axis, n - match, match), u.narrow(axis, 0, match)], dim=axis)
        return (ends.movedim(axis, -1) @ _interpolation(extra, match, u.dtype, u.device).T).movedim(-1, axis)


def restrict(v: Float[Tensor, "b c *y"], sizes: Sequence[int]) -> Float[Tensor, "b c *x"]:
    """Undo an extension: the first `sizes` points of each axis."""
    for axis, n in enumerate(sizes, start=2):
        v = v.narrow(axis, 0, n)
    return v


@lru_cache(maxsize=128)
@torch.inference_mode(False)
def _interpolation(extra: int, match: int, dtype: torch.dtype, device: torch.device) -> Float[Tensor, "n m"]:
    """Values at 1 … extra of the Lagrange polynomials of the nodes 1 − match … 0, extra + 1 … extra + match.

    Barycentric weights in float64: monomials would lose all digits where the strip is long.
    """
    s = torch.arange(1, extra + 1, dtype=torch.float64)
    nodes = torch.cat([torch.arange(1 - match, 1), torch.arange(extra + 1, extra + match + 1)]).double()
    gaps = (nodes[:, None] - nodes).fill_diagonal_(1.0) / (extra + 2 * match)
    terms = 1 / (gaps.prod(1) * (s[:, None] - nodes))
    return (terms / terms.sum(1, keepdim=True)).to(device, dtype)
