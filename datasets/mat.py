"""The `.mat` files of the FNO paper: (a, u), (coeff, sol), and vorticity trajectories (a, u, t)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from kanop.datasets.arrays import ArrayLayout, ArraySource
from kanop.datasets.well_file import open_hdf5
from kanop.solvers import DataError
from kanop.solvers.errors import check

__all__ = ["mat_source", "read_mat"]

PAIRS = (("a", "u"), ("coeff", "sol"))


def read_mat(path: Path) -> dict[str, np.ndarray]:
    """Numeric arrays of a MATLAB file, version 5 (scipy) or 7.3 (HDF5, whose axes come reversed)."""
    check(path.exists(), f"{path} does not exist", DataError)
    if h5py.is_hdf5(path):
        with open_hdf5(path) as file:
            return {k: d[()].T for k, d in file.items() if isinstance(d, h5py.Dataset) and d.dtype.kind in "fiub"}
    import scipy.io

    try:
        content = scipy.io.loadmat(path)
    except Exception as error:  # scipy raises a dozen kinds on damaged files
        raise DataError(
            f"{path} ({path.stat().st_size} bytes) is no readable .mat file, neither version 5 nor 7.3: "
            f"{error}; "
            "it may be truncated, copy it again"
        ) from error
    return {k: v for k, v in content.items() if not k.startswith("__") and getattr(v, "dtype", None) is not None}


def mat_source(path: Path, layout: ArrayLayout | None) -> ArraySource:
    """Input → solution maps (n_in = 0) or, where u has one axis more than a, trajectories that start with a.

    The defaults of `layout` hold with these changes: the square of (coeff, sol), Darcy's, has Dirichlet
    walls and cell centres, which is where the published solver puts its samples. They are commonly taken for nodes
    on the walls, of which every 5th of 421 is taken: for that say boundaries="dirichlet_nodes".
    """
    arrays = read_mat(path)
    pair = next((p for p in PAIRS if all(key in arrays for key in p)), None)
    if pair is None:
        there = ", ".join(f"{k} {v.shape}" for k, v in arrays.items()) or "no numeric arrays"
        raise DataError(
            f"{path}: expected the arrays a and u, or coeff and sol, as in the FNO paper's files; the file "
            f"has {there}. "
            "For other names say what is what: layout.fields={u: {array: NAME, axes: 'b x'}}, "
            "layout.constants={a: …}"
        )
    a, u = (np.asarray(arrays[key]) for key in pair)
    layout = layout or ArrayLayout(fields={})
    grid, nodes = layout.grid(a.shape[1:], "dirichlet" if pair[0] == "coeff" else "periodic")
    names = ("a", "u")
    if a.shape == u.shape:
        return ArraySource({names[1]: u[:, None]}, {names[0]: a}, grid, [0.0], path.name, nodes)
    check(
        u.shape[:-1] == a.shape,
        f"{path}: expected {pair[1]} of shape {a.shape} (a map) or {(*a.shape, 'T')} (trajectories, time "
        f"last), got {u.shape}",
        DataError,
    )
    frames = np.concatenate([a[:, None], np.moveaxis(u, -1, 1)], 1)
    return ArraySource({names[1]: frames}, {}, grid, _times(arrays, layout, u.shape[-1]), path.name, nodes)


def _times(arrays: dict[str, Any], layout: ArrayLayout, count: int) -> np.ndarray:
    """0 for a, then the file's own t, or equal steps where it has none."""
    t = np.asarray(arrays.get("t", ()), np.float64).ravel()
    return np.concatenate([[0.0], t]) if len(t) == count else layout.dt * np.arange(count + 1)
