"""Means and standard deviations of data that does not fit into memory, in double precision."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["Moments", "folder_statistics"]

# The Well's own normalisation raises standard deviations to this.
WELL_FLOOR = 1e-4


@dataclass
class Moments:
    """Mean and squared deviations of blocks that come one after the other (Chan, Golub, LeVeque 1983)."""

    count: int = 0
    mean: Tensor = field(default_factory=lambda: torch.zeros(()))
    m2: Tensor = field(default_factory=lambda: torch.zeros(()))

    def add(self, u: Float[Tensor, "b *kept n"]) -> None:
        """Take in a block: statistics are over its first and last axis, for each of the axes between."""
        u = u.double()
        count = u.shape[0] * u.shape[-1]
        mean = u.mean((0, -1))
        m2 = ((u - mean[..., None]) ** 2).sum((0, -1))
        total = self.count + count
        shift = mean - self.mean
        self.mean = self.mean + shift * (count / total)
        self.m2 = self.m2 + m2 + shift**2 * (self.count * count / total)
        self.count = total

    def over(self, rows: slice | Sequence[int]) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation over `rows` of the first kept axis: Var = mean Var + Var of means."""
        means, variances = self.mean[rows], self.m2[rows] / self.count
        return means.mean(0), (variances.mean(0) + means.var(0, unbiased=False)).sqrt()

    def each(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation, one value for each kept axis."""
        return self.mean, (self.m2 / self.count).sqrt()


def folder_statistics(
    blocks: Iterable[tuple[Float[Tensor, "b t c *x"], Float[Tensor, "b a *x"]]],
    fields: Sequence[str],
    constants: Sequence[str] = (),
) -> Mapping[str, dict[str, float]]:
    """mean, std, rms of fields and constants, and of u(t+1) − u(t), by name: the content of The Well's `stats.yaml`.

    A set of single frames has no u(t+1): its differences are 0, as The Well's normalisation asks for them anyway.
    """
    frames, deltas, given = Moments(), Moments(), Moments()
    for block, fixed in blocks:
        u = block.double().flatten(3)
        frames.add(u)
        deltas.add(u.diff(dim=1) if u.shape[1] > 1 else torch.zeros_like(u))
        if constants:
            given.add(fixed.double().flatten(2))
    table: dict[str, dict[str, float]] = {}
    _enter(table, "", fields, frames.over(slice(None)))
    _enter(table, "_delta", fields, deltas.over(slice(None)))
    if constants:
        _enter(table, "", constants, given.each())
    return table


def _enter(
    table: dict[str, dict[str, float]], suffix: str, names: Sequence[str], moments: tuple[Tensor, Tensor]
) -> None:
    mean, std = moments
    rms = torch.sqrt(mean**2 + std**2)
    floored = {"mean": mean, "std": std.clamp_min(WELL_FLOOR), "rms": rms.clamp_min(WELL_FLOOR)}
    for word, values in floored.items():
        table.setdefault(word + suffix, {}).update(zip(names, values.tolist(), strict=True))
