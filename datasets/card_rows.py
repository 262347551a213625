"""The table of a card: for every property of a data set its value in words."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from kanop.datasets.manifest import describe, grid_of
from kanop.datasets.problem import Problem
from kanop.datasets.recipe import Recipe
from kanop.datasets.steady import SteadyRecipe
from kanop.solvers import Geometry, Grid, SphereGrid

__all__ = ["rows"]


def rows(manifest: Mapping[str, Any], recipe: Problem) -> dict[str, str]:
    """Property → value, in the order of the card."""
    config, grid = manifest["config"], grid_of(manifest["grid"])
    equation = recipe.equation
    made: dict[str, str] = {}
    if isinstance(recipe, SteadyRecipe):
        made = _steady(manifest, recipe)
    elif isinstance(recipe, Recipe):
        made = _trajectory(manifest, recipe)
    return {
        "equation": _formula(equation),
        "constants": _constants(describe(equation)),
        "domain": _domain(grid),
        "units": getattr(equation, "units", "as the equation is written: lengths, times and fields without dimension"),
        "fields": ", ".join(manifest["fields"]),
        "stored": f"{_points(grid.shape)} points, {config['dtype']}: {recipe.store.words}",
        **made,
        "trajectories" if len(manifest["times"]) > 1 else "samples": _sizes(config["sizes"]),
        "seed": f"{config['seed']}; sample i of a split is a pure function of (recipe, seed, split, i)",
        "made with": ", ".join(f"{k} {v}" for k, v in manifest["versions"].items()),
        "licence": "CC-BY-4.0",
    }


def _trajectory(manifest: Mapping[str, Any], recipe: Recipe) -> dict[str, str]:
    certificate, tail, times = manifest["certificate"], manifest["diagnostics"]["spectrum_tail"], manifest["times"]
    burn_in = f", integrated for {recipe.burn_in:g} before the first frame" if recipe.burn_in else ""
    between = f", {times[1] - times[0]:.6g} between the first two" if len(times) > 2 else ""
    error = "{:.1e} over all frames, {:.1e} at the second: against"
    return {
        "inputs": call(describe(recipe.initial)) + burn_in,
        "frames": f"{len(times)}, from t = {times[0]:g} to {times[-1]:g}{between}",
        "solved": f"{_points(recipe.grid.shape)} points, {_dtype(recipe)}, {recipe.scheme}, dt = {_steps(recipe.dt)}",
        "dealiasing": f"exact for products of degree {recipe.equation.degree}",
        "spectrum tail": f"largest {tail['largest']:.1e}, median {tail['median']:.1e}; {tail['flagged']} of "
        f"{tail['count']} frames above {tail['limit']:g}",
        "certified temporal error": error.format(certificate["temporal"], certificate["temporal_next"])
        + " half the step",
        "certified spatial error": error.format(certificate["spatial"], certificate["spatial_next"])
        + " twice the points",
        "certified on": f"{certificate['samples']} training samples from their first frame: relative L2 "
        "of the worst field, largest of them",
    }


def _steady(manifest: Mapping[str, Any], recipe: SteadyRecipe) -> dict[str, str]:
    certificate, numbers = manifest["certificate"], manifest["diagnostics"]
    errors = zip(certificate["shapes"], certificate["errors"], strict=True)
    measured = ", ".join(f"{error:.1e} at {_points(shape)}" for shape, error in errors)
    asked = "the solver's own, 10⁻² (h/L)²" if recipe.tolerance is None else f"{recipe.tolerance:g}"
    residual, balance = numbers["residual"], numbers["flux_balance"]
    return {
        "given": f"{', '.join(manifest['constants'])}: {call(describe(recipe.coefficient))}, at the cell centres",
        "solved": f"{_points(recipe.grid.shape)} cells, {_dtype(recipe)}, finite volumes with harmonic face averages",
        "residual": f"‖f + ∇·(a∇u)‖/‖f‖: largest {residual['largest']:.1e}, median {residual['median']:.1e}; "
        f"tolerance {asked}",
        "flux balance": f"|f − outflow|/|f| of the worst cell: largest {balance['largest']:.1e}, "
        f"median {balance['median']:.1e}",
        "certified error": f"{measured}: against three times the points an axis",
        "order of the error": f"{certificate['order']:.2f} in the size of the cells, over these grids",
        "certified on": f"{certificate['samples']} training samples: relative L2, largest of them",
    }


def call(description: Any) -> str:
    """GaussianRandomField(sigma=25, …) for a described dataclass, without what is None.

    >>> call({"_target_": "kanop.solvers.Grid", "shape": [8], "origin": None})
    'Grid(shape=[8])'
    """
    if not isinstance(description, Mapping):
        return str(description)
    named = {k: v for k, v in description.items() if k != "_target_" and v is not None}
    arguments = ", ".join(f"{k}={call(v)}" for k, v in named.items())
    return f"{description.get('_target_', '').rsplit('.', 1)[-1]}({arguments})"


def _formula(equation: Any) -> str:
    """The first sentence of its docstring."""
    line = inspect.cleandoc(type(equation).__doc__ or type(equation).__name__).split("\n")[0]
    return line.split(". ")[0].rstrip(".")


def _constants(equation: Mapping[str, Any]) -> str:
    named = {k: v for k, v in equation.items() if k != "_target_" and v is not None}
    values = {k: f"{v:.6g}" if isinstance(v, float | int) else call(v) for k, v in named.items()}
    return ", ".join(f"{k} = {v}" for k, v in values.items()) or "none"


def _domain(grid: Geometry) -> str:
    if isinstance(grid, SphereGrid):
        return f"sphere of radius {grid.radius:g}; {grid.nodes} latitudes from north to south, longitudes from 0"
    assert isinstance(grid, Grid)
    sides = zip(grid.origin, grid.lengths, grid.boundaries, strict=True)
    return " × ".join(f"[{o:g}, {o + length:.6g}] {kind}" for o, length, kind in sides)


def _dtype(recipe: Problem) -> str:
    return str(recipe.grid.dtype).removeprefix("torch.")


def _points(shape: Any) -> str:
    return " × ".join(map(str, shape))


def _sizes(sizes: Mapping[str, int]) -> str:
    return ", ".join(f"{n} {split}" for split, n in sizes.items())


def _steps(dt: Any) -> str:
    return f"{dt:.6g}" if isinstance(dt, float) else ", ".join(f"{h:.6g} until t = {until:g}" for until, h in dt)
