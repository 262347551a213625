"""`open_data`: whatever a path holds, as a source of trajectories."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from kanop.datasets.arrays import ArrayLayout, ArraySource, from_arrays, suggestion
from kanop.datasets.mat import mat_source, read_mat
from kanop.datasets.source import Source
from kanop.datasets.splits import SPLITS, split_ranges
from kanop.datasets.well import WellSource
from kanop.datasets.well_file import open_hdf5
from kanop.solvers import DataError
from kanop.solvers.errors import check, nearest

__all__ = ["open_data", "open_splits"]


def open_data(
    path: str | Path,
    split: str = "train",
    layout: ArrayLayout | Mapping[str, Any] | None = None,
    verify: bool | None = None,
) -> Source:
    """Open one split of a folder in The Well's layout, a `.npz` or `.h5` of named arrays, or an FNO `.mat`.

    Parameters
    ----------
    path : a folder with data/train, data/valid, data/test, or a file
    split : "train" (default), "valid" or "test"; of a file, a range of its trajectories
        (`ArrayLayout.splits`)
    layout : for files: which arrays are which (`ArrayLayout` or a plain mapping). The FNO `.mat` names need
        none
    verify : for folders with a manifest: compare checksums (see `WellSource`)

    Raises
    ------
    DataError : nothing there, unreadable, unknown or inconsistent content: the message says what to do
    """
    check(split in SPLITS, nearest(split, SPLITS, "split"))
    path = Path(path)
    if path.is_dir():
        return WellSource(path, split, verify)
    return open_splits(path, layout, verify, (split,))[split]


def open_splits(
    path: str | Path,
    layout: ArrayLayout | Mapping[str, Any] | None = None,
    verify: bool | None = None,
    splits: tuple[str, ...] = SPLITS,
) -> dict[str, Source]:
    """The splits that `path` has, by name; a file is read once. Arguments as in `open_data`."""
    path = Path(path)
    if not path.exists():
        raise DataError(f"{path} does not exist; generate it (kanop generate) or give the path of your data")
    if path.is_dir():
        there = [s for s in splits if (path / "data" / s).is_dir()] or list(splits[:1])
        return {split: WellSource(path, split, verify) for split in there}
    whole = _open_file(path, None if layout is None else ArrayLayout.of(layout))
    shares = None if layout is None else ArrayLayout.of(layout).splits
    ranges = split_ranges(whole.n_samples, shares, path.name)
    parts = {split: whole.part(*ranges[split]) for split in splits if ranges[split][0] < ranges[split][1]}
    for split in splits:
        check(
            len(splits) > 1 or split in parts,
            f"{path.name}: the split {split!r} is empty; give layout.splits",
            DataError,
        )
    return dict(parts)


def _open_file(path: Path, layout: ArrayLayout | None) -> ArraySource:
    kind = path.suffix.lower()
    if kind == ".mat" and (layout is None or not layout.fields):
        return mat_source(path, layout)
    readers = {".mat": read_mat, ".npz": _read_npz, ".h5": _read_hdf5, ".hdf5": _read_hdf5}
    if kind not in readers:
        raise DataError(f"{path}: expected a folder or one of {', '.join(readers)}; write arrays with numpy.savez")
    arrays = readers[kind](path)
    if layout is None or not layout.fields:
        raise DataError(f"{path}: say which arrays are the fields; {suggestion(arrays)}")
    return from_arrays(arrays, layout, path.name)


def _read_hdf5(path: Path) -> dict[str, Any]:
    """Every dataset of the file by its path; each is read when it is converted to an array."""
    found: dict[str, Any] = {}
    open_hdf5(path).visititems(lambda key, item: found.update({key: item}) if isinstance(item, h5py.Dataset) else None)
    return found


def _read_npz(path: Path) -> dict[str, Any]:
    """Arrays of a `.npz` file; pickled objects are refused."""
    try:
        with np.load(path, allow_pickle=False) as file:
            if isinstance(file, np.ndarray):
                return {"u": file}
            return {key: file[key] for key in file.files}
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path} is no readable .npz file of plain arrays: {error}") from error
