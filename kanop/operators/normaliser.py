"""Affine normalisation of channels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from kanop.solvers.errors import check

__all__ = ["Normaliser"]


class Normaliser(nn.Module):
    """z_c = (u_c − mean_c) / std_c: each channel to mean 0 and standard deviation 1, and back.

    Parameters
    ----------
    mean, std : one number per channel, in the unit of the field (std ≥ 0, both finite). A channel that never varies
        (std = 0) is only shifted: it normalises to 0 and comes back as its mean.

    Shapes
    ------
    forward and inverse (b, c, *x) → (b, c, *x).

    Raises
    ------
    KanopError : mean and std of different lengths, not finite, or a negative std

    Examples
    --------
    >>> norm = Normaliser(mean=[1.0, 5.0], std=[2.0, 0.0])
    >>> u = torch.tensor([[[3.0, -1.0], [5.0, 5.0]]])
    >>> norm(u).tolist(), torch.equal(norm.inverse(norm(u)), u)
    ([[[1.0, -1.0], [0.0, 0.0]]], True)
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float] | Tensor, std: Sequence[float] | Tensor) -> None:
        super().__init__()
        dtype = torch.get_default_dtype()
        for name, value in (("mean", mean), ("std", std)):
            tensor = torch.as_tensor(value).detach().to(dtype).clone().reshape(-1)
            check(bool(tensor.isfinite().all()), f"{name} must be finite, got {tensor.tolist()}")
            self.register_buffer(name, tensor)
        check(
            len(self.mean) == len(self.std) > 0,
            f"mean and std need one number per channel each, got {len(self.mean)} and {len(self.std)}",
        )
        check(bool((self.std >= 0).all()), f"std is not negative, got {self.std.tolist()}")

    @property
    def channels(self) -> int:
        """Number of channels."""
        return len(self.mean)

    def forward(self, u: Float[Tensor, "b c *x"]) -> Float[Tensor, "b c *x"]:
        """Physical → normalised."""
        mean, std = self._shaped(u)
        return (u - mean) / std

    def inverse(self, z: Float[Tensor, "b c *x"]) -> Float[Tensor, "b c *x"]:
        """Normalised → physical."""
        mean, std = self._shaped(z)
        return z * std + mean

    def _shaped(self, u: Tensor) -> tuple[Tensor, Tensor]:
        check(
            u.ndim >= 2 and u.shape[1] == self.channels,
            f"Normaliser expects (b, {self.channels}, *x), got shape {tuple(u.shape)}",
        )
        shape = (-1, *[1] * (u.ndim - 2))
        std = torch.where(self.std > 0, self.std, torch.ones_like(self.std))
        return self.mean.reshape(shape), std.reshape(shape)
