"""One shard of frames in The Well's HDF5 layout, byte for byte the same whenever it is written."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence

import h5py
import numpy as np
from jaxtyping import Float
from torch import Tensor

from kanop.solvers import Geometry, SphereGrid

__all__ = ["AXES", "DIAGNOSTICS", "shard_bytes"]

AXES = ("x", "y", "z")
DIAGNOSTICS = "diagnostics"


def shard_bytes(
    name: str,
    grid: Geometry,
    times: Sequence[float],
    fields: Mapping[str, Float[Tensor, "b t *x"]],
    scalars: Mapping[str, float],
    dtype: str = "float32",
    constants: Mapping[str, Float[Tensor, "b *x"]] | None = None,
    diagnostics: Mapping[str, Float[Tensor, "b *t"]] | None = None,
) -> bytes:
    """The HDF5 file of trajectories u(b, t, *x), with the groups and attributes that The Well's files have.

    `constants` are fields that do not vary in time; `diagnostics`, numbers per sample or per sample and frame, go
    into a group of that name, which readers of The Well's layout pass over.

    Format: https://polymathic-ai.org/the_well/data_format. Made in memory, so that no half-written file can
    exist; h5py writes no times, and attributes go in a fixed order, so equal frames give equal bytes.
    """
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", libver=("earliest", "v108")) as file:
        file.attrs["dataset_name"] = name
        file.attrs["grid_type"] = "spherical" if isinstance(grid, SphereGrid) else "cartesian"
        file.attrs["n_spatial_dims"] = grid.ndim
        file.attrs["n_trajectories"] = len(next(iter(fields.values())))
        file.attrs["simulation_parameters"] = _names(list(scalars))
        for key, value in scalars.items():
            file.attrs[key] = value
        if isinstance(grid, SphereGrid):
            file.attrs["radius"] = grid.radius
        _write_dimensions(file.create_group("dimensions"), grid, times)
        _write_boundaries(file.create_group("boundary_conditions"), grid)
        _write_scalars(file.create_group("scalars"), scalars)
        varying = {name: (values, True) for name, values in fields.items()}
        given = {name: (values, False) for name, values in (constants or {}).items()}
        for rank in range(3):
            _write_fields(file.create_group(f"t{rank}_fields"), varying | given if rank == 0 else {}, grid, dtype)
        for name, values in (diagnostics or {}).items():
            file.create_dataset(f"{DIAGNOSTICS}/{name}", data=values.cpu().numpy().astype(np.float32))
    return buffer.getvalue()


def _names(names: Sequence[str]) -> np.ndarray:
    return np.array(names, dtype=h5py.string_dtype())


def _axes(grid: Geometry) -> tuple[Sequence[str], Sequence[Tensor]]:
    """Names and coordinates of the axes; on a sphere the angle θ from the north pole and the longitude φ."""
    if isinstance(grid, SphereGrid):
        latitude, longitude = grid.points
        return ("theta", "phi"), (math.pi / 2 - latitude, longitude)
    return AXES[: grid.ndim], grid.points


def _write_dimensions(group: h5py.Group, grid: Geometry, times: Sequence[float]) -> None:
    axes, coordinates = _axes(grid)
    group.attrs["spatial_dims"] = _names(axes)
    time = group.create_dataset("time", data=np.asarray(times, np.float32))
    time.attrs["sample_varying"] = False
    time.attrs["time_varying"] = True
    for axis, points in zip(axes, coordinates, strict=True):
        data = group.create_dataset(axis, data=points.cpu().numpy().astype(np.float32))
        data.attrs["sample_varying"] = False
        data.attrs["time_varying"] = False


def _write_boundaries(group: h5py.Group, grid: Geometry) -> None:
    kinds = ("open", "periodic") if isinstance(grid, SphereGrid) else grid.boundaries
    for axis, kind, n in zip(_axes(grid)[0], kinds, grid.shape, strict=True):
        word = kind if kind in ("periodic", "open") else "wall"
        entry = group.create_group(f"{axis}_{word}" + ("" if word == kind else f"_{kind}"))
        entry.attrs["associated_dims"] = _names([axis])
        entry.attrs["associated_fields"] = _names([])
        entry.attrs["bc_type"] = word.upper()
        entry.attrs["sample_varying"] = False
        entry.attrs["time_varying"] = False
        # Both ends: a side whose entry is False would be read as open.
        mask = np.zeros(n, dtype=bool)
        mask[[0, -1]] = True
        entry.create_dataset("mask", data=mask)


def _write_scalars(group: h5py.Group, scalars: Mapping[str, float]) -> None:
    group.attrs["field_names"] = _names(list(scalars))
    for name, value in scalars.items():
        data = group.create_dataset(name, data=np.float32(value))
        data.attrs["sample_varying"] = False
        data.attrs["time_varying"] = False


def _write_fields(group: h5py.Group, fields: Mapping[str, tuple[Tensor, bool]], grid: Geometry, dtype: str) -> None:
    group.attrs["field_names"] = _names(list(fields))
    for name, (values, varies) in fields.items():
        data = group.create_dataset(name, data=values.cpu().numpy().astype(dtype))
        data.attrs["dim_varying"] = np.ones(grid.ndim, dtype=bool)
        data.attrs["sample_varying"] = True
        data.attrs["time_varying"] = varies
