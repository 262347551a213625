"""`Windows`: pairs (n_in frames and constants → n_out frames) over all trajectories and starting frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor
from torch.utils.data import Dataset

from kanop.datasets.source import Source
from kanop.datasets.statistics import Moments
from kanop.datasets.subsampling import subsampled, thinned
from kanop.solvers import DataError, FieldSpec
from kanop.solvers.errors import check

__all__ = ["Statistics", "Windows"]

# Data below this many bytes, after sub-sampling, are kept in memory.
MEMORY_BYTES = 2 * 2**30
BLOCK_BYTES = 64 * 2**20


@dataclass(frozen=True)
class Statistics:
    """Mean and standard deviation of each channel over samples, windows and points, for a `Normaliser`.

    Attributes
    ----------
    input_mean, input_std : (c_in,) of what the operator takes
    output_mean, output_std : (c_out,) of what it returns
    increment_mean, increment_std : (c_out,) of what it returns minus the last frame that it takes; None if
        n_in = 0

    A channel that never varies gets the standard deviation 1, so that it can be divided by.
    """

    input_mean: Float[Tensor, " c_in"]
    input_std: Float[Tensor, " c_in"]
    output_mean: Float[Tensor, " c_out"]
    output_std: Float[Tensor, " c_out"]
    increment_mean: Float[Tensor, " c_out"] | None = None
    increment_std: Float[Tensor, " c_out"] | None = None


class Windows(Dataset):
    r"""(u(t), …, u(t + (n_in−1)s), a) → (u(t + n_in s), …): the windows of all trajectories, in float32.

    Window number i is trajectory i // w from its frame i mod w, w = T − s (n_in + n_out − 1). Small data live
    in memory, large ones are read from disk window by window, with equal results.

    Parameters
    ----------
    source : the trajectories
    n_in : frames given; 0 for a map from the constants alone; default 1, or 0 if the source has a single
        frame
    n_out : frames to predict, ≥ 1
    stride : s ≥ 1, stored frames from one frame of a window to the next
    subsample : take every k-th point (see `subsampled`)
    memory : bytes up to which data are kept in memory; default 2 GiB

    Attributes
    ----------
    spec : `FieldSpec` of the windows: sub-sampled grid in float32, channel names, dt = s·dt of the source

    Raises
    ------
    DataError : trajectories too short, frames at unequal times, a value that is not finite (when it is read)
    KanopError : a `subsample` that does not divide the grid
    """

    def __init__(
        self,
        source: Source,
        n_in: int | None = None,
        n_out: int = 1,
        stride: int = 1,
        subsample: int = 1,
        memory: int = MEMORY_BYTES,
    ) -> None:
        n_in = (1 if source.n_frames > 1 else 0) if n_in is None else n_in
        check(stride >= 1, f"expected stride >= 1, got {stride}")
        grid, self._points = subsampled(source.grid, subsample, source.nodes)
        self.source, self.stride, self.subsample = source, stride, subsample
        self.per_trajectory = source.n_frames - stride * (n_in + n_out - 1)
        check(
            self.per_trajectory >= 1,
            f"{source.name} has {source.n_frames} frames a trajectory, a window of n_in={n_in}, "
            f"n_out={n_out}, stride={stride} "
            f"needs {stride * (n_in + n_out - 1) + 1}; take fewer frames or a smaller stride",
            DataError,
        )
        regular = source.dt is not None or self.per_trajectory == 1
        check(
            regular,
            f"{source.name}: the frames are not equally spaced in time: {source.times.tolist()[:6]} …",
            DataError,
        )
        dt = None if source.dt is None or n_in == 0 else source.dt * stride
        self.spec = FieldSpec(grid.to(dtype=torch.float32), source.fields, source.constants, n_in, n_out, dt)
        frame = 4 * grid.points[0].new_empty(grid.shape, device="meta").numel()
        per_sample = frame * (source.n_frames * len(source.fields) + len(source.constants))
        self._fits = per_sample * source.n_samples <= memory
        self._chunk = max(1, BLOCK_BYTES // (per_sample * subsample**grid.ndim))
        self._memory_bytes = memory
        self._statistics: Statistics | None = None
        # Windows of the same frames with other outputs share what is held here.
        self._held: list[tuple[Tensor, Tensor]] = []

    def __len__(self) -> int:
        return self.source.n_samples * self.per_trajectory

    def __getitem__(self, i: int) -> tuple[Float[Tensor, "c_in *x"], Float[Tensor, "c_out *x"]]:
        given, target = self.__getitems__([range(len(self))[i]])
        return given[0], target[0]

    def __getitems__(self, indices: Sequence[int]) -> tuple[Float[Tensor, "b c_in *x"], Float[Tensor, "b c_out *x"]]:
        """The windows number `indices`, stacked: what a loader calls for a batch."""
        index = torch.as_tensor(indices, dtype=torch.long)
        sample, start = index // self.per_trajectory, index % self.per_trajectory
        n_in, frames = self.spec.n_in, self.spec.n_in + self.spec.n_out
        if self._fits:
            u, a = self._memory()
            chosen = u[sample[:, None], start[:, None] + self.stride * torch.arange(frames)]
            given = a[sample]
        else:
            chosen, given = self._from_disk(sample.tolist(), start.tolist(), frames)
        parts = [rearrange(chosen[:, :n_in], "b t c ... -> b (t c) ...")] if n_in else []
        if self.spec.constants:
            parts.append(given)
        return torch.cat(parts, 1), rearrange(chosen[:, n_in:], "b t c ... -> b (t c) ...")

    def load(self) -> None:
        """Read everything now, if it is to be kept in memory: before worker processes fork and would each do it."""
        if self._fits:
            self._memory()

    def blocks(self) -> Iterator[tuple[Float[Tensor, "b t c *x"], Float[Tensor, "b k *x"]]]:
        """Sub-sampled trajectories and constants in order, some at a time."""
        if self._held:
            yield from self._held
            return
        for start in range(0, self.source.n_samples, self._chunk):
            stop = min(start + self._chunk, self.source.n_samples)
            yield (
                self._thin(self.source.block(start, stop)),
                self._thin(self.source.constant_block(start, stop)),
            )

    def with_outputs(self, n_out: int) -> Windows:
        """The windows of the same frames with another number to predict; what is kept in memory is kept once."""
        other = Windows(self.source, self.spec.n_in, n_out, self.stride, self.subsample, self._memory_bytes)
        other._held = self._held
        return other

    def statistics(self) -> Statistics:
        """Mean and standard deviation of every channel over all windows, accumulated in double precision."""
        if self._statistics is None:
            self._statistics = self._measured()
        return self._statistics

    def _measured(self) -> Statistics:
        n_in, n_out, s, w = self.spec.n_in, self.spec.n_out, self.stride, self.per_trajectory
        frames, constants = Moments(), Moments()
        lags = [Moments() for _ in range(n_out if n_in else 0)]
        for u, a in self.blocks():
            u = u.flatten(3)
            frames.add(u)
            if self.spec.constants:
                constants.add(a.flatten(2))
            for p, lag in enumerate(lags, start=1):
                last = (n_in - 1) * s
                lag.add(u[:, last + p * s : last + p * s + w].double() - u[:, last : last + w].double())
        position = [frames.over(slice(p * s, p * s + w)) for p in range(n_in + n_out)]
        inputs = position[:n_in] + ([constants.each()] if self.spec.constants else [])
        increments = [lag.over(slice(None)) for lag in lags]
        return Statistics(*_joined(inputs), *_joined(position[n_in:]), *(_joined(increments) if lags else ()))

    def _thin(self, u: Tensor) -> Tensor:
        return thinned(u, self._points).float()

    def _memory(self) -> tuple[Tensor, Tensor]:
        if not self._held:
            blocks = list(self.blocks())
            self._held.append((torch.cat([u for u, _ in blocks]), torch.cat([a for _, a in blocks])))
        return self._held[0]

    def _from_disk(self, samples: list[int], starts: list[int], frames: int) -> tuple[Tensor, Tensor]:
        reach = self.stride * (frames - 1) + 1
        read = self.source.block
        u = [read(i, i + 1, slice(t, t + reach, self.stride)) for i, t in zip(samples, starts, strict=True)]
        a = [self.source.constant_block(i, i + 1) for i in samples]
        return self._thin(torch.cat(u)), self._thin(torch.cat(a))


def _joined(parts: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """(c,) mean and (c,) standard deviation, in channel order."""
    mean, std = torch.cat([m for m, _ in parts]), torch.cat([s for _, s in parts])
    still = std <= 1e-7 * mean.abs().clamp_min(1e-30)
    return mean.float(), torch.where(still, 1.0, std).float()
