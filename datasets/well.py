"""Data sets in The Well's layout, our own and foreign ones, read from disk as asked for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from kanop.datasets.durable import checksum
from kanop.datasets.manifest import grid_of, load_manifest
from kanop.datasets.source import Source
from kanop.datasets.store import DIAGNOSTICS
from kanop.datasets.well_file import Entry, Header, open_hdf5, read_header
from kanop.solvers import DataError
from kanop.solvers.errors import check, nearest

__all__ = ["WellSource"]

# Up to this many bytes a split's checksums are compared whenever it is opened; sizes always are.
VERIFY_BYTES = 4 * 2**30
_VERIFIED: set[tuple[str, int, int, str]] = set()


class WellSource(Source):
    """Trajectories in `path`/data/`split`/*.hdf5.

    Parameters
    ----------
    path : the data set's folder
    split : "train", "valid" or "test"
    verify : compare SHA-256 with the manifest: True always, False never, None (default) up to 4 GiB a split.
        Once a process and file; sizes are compared in any case. Folders without manifest.json (foreign ones)
        have nothing to compare with.

    Raises
    ------
    DataError : no files, an unfinished generation, an empty, truncated or changed file, files of different
        resolution or fields
    """

    def __init__(self, path: str | Path, split: str = "train", verify: bool | None = None) -> None:
        self.folder = Path(path)
        self.manifest = load_manifest(self.folder)
        self._paths = _files(self.folder, split)
        if self.manifest is not None:
            _verify(self.folder, self.manifest, split, self._paths, verify)
        self._open: dict[Path, h5py.File] = {}
        self._process = os.getpid()
        headers = [read_header(p, self._file(p)) for p in self._paths]
        _check_alike(self._paths, headers)
        first = headers[0]
        self._headers = headers
        self._first = np.cumsum([0, *(h.n_samples for h in headers)])
        self.name = first.name
        self.fields, self.constants = first.channels(True), first.channels(False)
        self.n_samples = int(self._first[-1])
        self.grid, self.times, self.scalars = first.grid, torch.from_numpy(first.times), first.scalars
        if self.manifest is not None:
            # The files keep points and times in single precision; the manifest has them exactly.
            self.grid = grid_of(self.manifest["grid"])
            self.times = torch.tensor(self.manifest["times"], dtype=torch.float64)
            self.scalars = dict(self.manifest["scalars"])

    def origin_of(self, sample: int) -> str:
        """File and number in the file."""
        i = int(np.searchsorted(self._first, sample, side="right")) - 1
        return f"{self._paths[i]}, trajectory {sample - int(self._first[i])}"

    def diagnostic(self, name: str) -> Float[Tensor, "b *t"]:
        """What was recorded while the data were made: "spectrum_tail" (b, t), or "residual" (b,), "flux_balance" (b,).

        >>> # frames whose spectrum does not fit on the solver's grid:
        >>> # (source.diagnostic("spectrum_tail") > 1e-3).nonzero()
        """
        parts = []
        for path in self._paths:
            there = self._file(path).get(DIAGNOSTICS, {})
            if name not in there:
                raise DataError(f"{path}: {nearest(name, list(there), 'diagnostic')}")
            parts.append(torch.from_numpy(there[name][()]))
        return torch.cat(parts)

    def _frames(self, start: int, stop: int, frames: slice) -> Float[Tensor, "b t c *x"]:
        return self._read(start, stop, frames, True)

    def _constants(self, start: int, stop: int) -> Float[Tensor, "b c *x"]:
        if not self.constants:
            return torch.empty((stop - start, 0, *self.grid.shape))
        return self._read(start, stop, slice(None), False)[:, 0]

    def _read(self, start: int, stop: int, frames: slice, time_varying: bool) -> Tensor:
        self._check_range(start, stop)
        parts = []
        for i, path in enumerate(self._paths):
            a, b = max(start, int(self._first[i])), min(stop, int(self._first[i + 1]))
            if a < b:
                local = slice(a - int(self._first[i]), b - int(self._first[i]))
                parts.append(self._read_file(path, self._headers[i], local, frames, time_varying))
        return torch.cat(parts)

    def _read_file(self, path: Path, header: Header, samples: slice, frames: slice, time_varying: bool) -> Tensor:
        file = self._file(path)
        entries = [e for e in header.entries if e.time_varying == time_varying]
        try:
            return torch.cat([self._components(file, e, samples, frames) for e in entries], 2)
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error}; copy or generate it again") from error

    def _components(self, file: h5py.File, entry: Entry, samples: slice, frames: slice) -> Tensor:
        """(b, t, components, *x) of one stored field, repeated over whatever it does not vary over."""
        index = ((samples,) if entry.sample_varying else ()) + ((frames,) if entry.time_varying else ())
        data = torch.from_numpy(np.asarray(file[entry.key][index]))
        if not entry.time_varying:
            data = data.unsqueeze(1 if entry.sample_varying else 0)
        if not entry.sample_varying:
            data = data.unsqueeze(0)
        data = rearrange(
            data.flatten(data.ndim - entry.rank) if entry.rank else data[..., None], "b t ... c -> b t c ..."
        )
        shape = [n if varies else -1 for n, varies in zip(self.grid.shape, entry.dim_varying, strict=True)]
        full = [n if s == -1 else s for n, s in zip(self.grid.shape, shape, strict=True)]
        return data.expand(samples.stop - samples.start, data.shape[1], data.shape[2], *full)

    def _file(self, path: Path) -> h5py.File:
        # HDF5 handles do not survive a fork.
        if self._process != os.getpid():
            self._open, self._process = {}, os.getpid()
        if path not in self._open:
            self._open[path] = open_hdf5(path)
        return self._open[path]

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_open": {}}


def _files(folder: Path, split: str) -> list[Path]:
    where = folder / "data" / split
    paths = sorted([*where.glob("*.hdf5"), *where.glob("*.h5")])
    if not paths:
        there = sorted(p.name for p in (folder / "data").glob("*") if p.is_dir())
        raise DataError(
            f"no *.hdf5 in {where}; "
            + (f"splits there: {', '.join(there)}" if there else f"{folder} has no folder data/")
        )
    return paths


def _verify(folder: Path, manifest: dict[str, Any], split: str, paths: list[Path], verify: bool | None) -> None:
    config = manifest["config"]
    again = "start the same generate command again: it makes that file anew"
    total = sum(config["sizes"].values())
    done = sum(e["stop"] - e["start"] for e in manifest["shards"].values())
    check(
        manifest["complete"],
        f"{folder} is not finished ({done} of {total} trajectories); start the same generate command again, "
        "it goes on from there",
        DataError,
    )
    entries = {folder / key: e for key, e in manifest["shards"].items() if e["split"] == split}
    for path in paths:
        check(path in entries, f"{path} is not in {folder / 'manifest.json'}; move it away", DataError)
    for path, entry in entries.items():
        check(path.exists(), f"{path} is missing; {again}", DataError)
        size = path.stat().st_size
        check(
            size == entry["bytes"],
            f"{path} has {size} bytes, the manifest says {entry['bytes']}: truncated or changed. Delete it and {again}",
            DataError,
        )
    if verify or (verify is None and sum(e["bytes"] for e in entries.values()) <= VERIFY_BYTES):
        for path, entry in entries.items():
            mark = (str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns, entry["sha256"])
            if mark in _VERIFIED:
                continue
            check(
                checksum(path) == entry["sha256"],
                f"{path} is not the file that was generated (its SHA-256 differs from the manifest's). "
                f"Delete it and {again}",
                DataError,
            )
            _VERIFIED.add(mark)


def _check_alike(paths: list[Path], headers: list[Header]) -> None:
    first = headers[0]
    for path, header in zip(paths[1:], headers[1:], strict=True):
        for what, a, b in (
            ("resolution", first.grid.shape, header.grid.shape),
            ("boundaries", first.grid.boundaries, header.grid.boundaries),
            (
                "fields",
                first.channels(True) + first.channels(False),
                header.channels(True) + header.channels(False),
            ),
            ("number of frames", len(first.times), len(header.times)),
        ):
            check(
                a == b,
                f"files of one folder must agree: {paths[0].name} has {what} {a}, {path.name} has {b} (in "
                f"{path.parent}); "
                "put them into different folders",
                DataError,
            )
