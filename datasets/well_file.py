"""The parts of a file in The Well's layout: axes, boundaries, fields; every complaint names file and item."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from kanop.solvers import DataError, Geometry, Grid, SphereGrid
from kanop.solvers.sphere.nodes import NODES, latitudes

__all__ = ["Entry", "Header", "open_hdf5", "read_header"]


@dataclass(frozen=True)
class Entry:
    """One stored field: its place, tensor rank, and what it varies over."""

    key: str
    name: str
    rank: int
    sample_varying: bool
    time_varying: bool
    dim_varying: tuple[bool, ...]


@dataclass(frozen=True)
class Header:
    """Everything of one file but its frames."""

    name: str
    grid: Geometry
    times: np.ndarray
    n_samples: int
    entries: tuple[Entry, ...]
    scalars: dict[str, float]

    def channels(self, time_varying: bool) -> tuple[str, ...]:
        """Channel names in The Well's order: t0, t1, t2 fields, tensor components one after the other."""
        axes = "xyz"[: self.grid.ndim]
        return tuple(
            "_".join([e.name, "".join(parts)]) if parts else e.name
            for e in self.entries
            if e.time_varying == time_varying
            for parts in itertools.product(axes, repeat=e.rank)
        )


def open_hdf5(path: Path) -> h5py.File:
    """Open for reading; a DataError says what is wrong with the file."""
    if not path.exists():
        raise DataError(f"{path} does not exist")
    try:
        return h5py.File(path, "r")
    except OSError as error:
        size = path.stat().st_size
        kind = "is empty (0 bytes)" if size == 0 else f"is no readable HDF5 file ({size} bytes; truncated or damaged)"
        raise DataError(f"{path} {kind}: copy or generate it again. HDF5 says: {error}") from error


def read_header(path: Path, file: h5py.File) -> Header:
    """Read what is required of a file in The Well's layout."""
    try:
        axes = [_word(a) for a in file["dimensions"].attrs["spatial_dims"]]
        times = np.asarray(file["dimensions"]["time"][()], np.float64)
        entries = tuple(_entries(file))
        return Header(
            name=_word(file.attrs["dataset_name"]),
            grid=_sphere(path, file) if axes == ["theta", "phi"] else _grid(path, file, axes),
            # Times of the first trajectory where they differ.
            times=np.array([_decimal(t) for t in times.reshape(-1, times.shape[-1])[0]]),
            n_samples=int(file.attrs["n_trajectories"]),
            entries=entries,
            scalars=_scalars(file),
        )
    except KeyError as error:
        raise DataError(
            f"{path} lacks an item of The Well's layout: {error.args[0]}. Expected are dimensions, "
            "boundary_conditions, scalars, "
            "t0_fields, t1_fields and t2_fields with their attributes "
            "(https://polymathic-ai.org/the_well/data_format); "
            f"the file has {', '.join(file) or 'nothing'}. For other layouts name the arrays: "
            f"layout.fields={{u: 'b t x'}}"
        ) from error


def _word(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _decimal(value: float) -> float:
    """The shortest decimal that single precision rounds to `value`: 0.01 for a stored 0.0099999998."""
    return float(str(np.float32(value))) if np.float32(value) == value else float(value)


def _entries(file: h5py.File) -> list[Entry]:
    out = []
    for rank in range(3):
        group = file[f"t{rank}_fields"]
        for name in map(_word, group.attrs["field_names"]):
            data = group[name]
            varies = tuple(bool(v) for v in data.attrs["dim_varying"])
            flags = bool(data.attrs["sample_varying"]), bool(data.attrs["time_varying"])
            out.append(Entry(f"t{rank}_fields/{name}", name, rank, *flags, varies))
    return out


def _scalars(file: h5py.File) -> dict[str, float]:
    group = file["scalars"]
    values = {name: group[name] for name in map(_word, group.attrs["field_names"])}
    return {name: _decimal(float(data[()])) for name, data in values.items() if data.shape == ()}


def _grid(path: Path, file: h5py.File, axes: list[str]) -> Grid:
    kinds = _boundaries(file, axes)
    shape, lengths, origin = [], [], []
    for axis, kind in zip(axes, kinds, strict=True):
        x = np.asarray(file["dimensions"][axis][()], np.float64)
        x = x.reshape(-1, x.shape[-1])[0]
        n = len(x)
        spacing = (x[-1] - x[0]) / (n - 1) if n > 1 else 1.0
        gaps = np.diff(x)
        if spacing <= 0 or (n > 1 and np.abs(gaps - spacing).max() > 1e-2 * spacing):
            raise DataError(
                f"{path}: the points of axis {axis!r} are not uniform (spacing {gaps.min():.4g} … "
                f"{gaps.max():.4g}); "
                "kanop reads uniform grids: interpolate the data first"
            )
        shape.append(n)
        lengths.append(_decimal(float(np.float32(n * spacing))))
        corner = x[0] - (0 if kind == "periodic" else spacing / 2)
        # Points are stored in single precision: a corner at zero comes back as rounding.
        origin.append(0.0 if abs(corner) < 1e-5 * lengths[-1] else _decimal(float(np.float32(corner))))
    return Grid(shape, lengths, kinds, origin)


def _sphere(path: Path, file: h5py.File) -> SphereGrid:
    """The grid of angles θ from the north pole and longitudes φ: that kind of nodes whose latitudes they are."""
    theta, phi = (np.asarray(file["dimensions"][axis][()], np.float64) for axis in ("theta", "phi"))
    theta, phi = (x.reshape(-1, x.shape[-1])[0] for x in (theta, phi))
    shape = len(theta), len(phi)
    even = np.abs(phi - 2 * np.pi / shape[1] * np.arange(shape[1])).max() < 1e-3 / shape[1]
    if not even:
        raise DataError(
            f"{path}: expected longitudes phi in radians from 0 eastwards in equal steps of 2π/{shape[1]}, got "
            f"{phi[0]:.4g}, {phi[1]:.4g}, … {phi[-1]:.4g}{_degrees(phi)}: reorder the data"
        )
    found = {kind: np.arccos(latitudes(kind, shape[0])[0].numpy().clip(-1, 1)) for kind in NODES}
    for kind, want in found.items():
        if np.abs(theta - want).max() < 1e-3 / shape[0]:
            return SphereGrid(shape, kind, radius=float(file.attrs.get("radius", 1.0)))
    turned = any(np.abs(theta[::-1] - want).max() < 1e-3 / shape[0] for want in found.values())
    raise DataError(
        f"{path}: the angles theta, {theta[0]:.4g}, {theta[1]:.4g}, … {theta[-1]:.4g}{_degrees(theta)}, are "
        + ("from south to north: turn the data over" if turned else f"those of none of {', '.join(NODES)} nodes")
        + "; expected are angles from the north pole in radians, 0 … π: interpolate data on other latitudes first"
    )


def _degrees(angles: np.ndarray) -> str:
    return " (these look like degrees)" if np.abs(angles).max() > 7 else ""


def _boundaries(file: h5py.File, axes: list[str]) -> list[str]:
    """One word an axis; sides of unknown kind are read as Neumann, whose series assumes no value there."""
    kinds = dict.fromkeys(axes, "neumann")
    for name, entry in file["boundary_conditions"].items():
        mask, dims = entry["mask"][()], [_word(d) for d in entry.attrs["associated_dims"]]
        kind = _word(entry.attrs["bc_type"]).upper()
        for i, axis in enumerate(dims):
            ends = mask.take([0, -1], i).any()
            if kind == "PERIODIC" and ends:
                kinds[axis] = "periodic"
            elif kind == "WALL" and "dirichlet" in name.lower():
                kinds[axis] = "dirichlet"
    return list(kinds.values())
