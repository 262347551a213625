"""`kanop verify equation=NAME`, `operator=NAME` or `basis=NAME`: its laws, and the order of schemes on an equation."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kanop.solvers import Equation, FieldSpec, Geometry
    from kanop.testing import Convergence


def verify(config: dict[str, Any]) -> None:
    """Check one equation, operator or basis of KAN layers, ours or the user's; a broken law ends with its name."""
    from kanop.config import choices
    from kanop.solvers.errors import check

    kinds = {"equation": verify_equation, "operator": verify_operator, "basis": verify_basis}
    given = [name for name in kinds if config.get(name) is not None]
    check(
        len(given) < 2,
        f"verify takes one of {', '.join(f'{name}=NAME' for name in kinds)}, got both {' and '.join(given)}",
    )
    check(
        bool(given),
        f"verify needs equation=NAME, one of {', '.join(sorted(_shipped()))}, or package.module.Class; "
        f"or operator=NAME, one of {', '.join(choices('operator'))}, or +operator._target_=package.module.Class; "
        f"or basis=NAME, one of {', '.join(sorted(_bases()))}, or package.module.Class",
    )
    kinds[given[0]](config)


def verify_equation(config: dict[str, Any]) -> None:
    """Check an equation, and draw the convergence of the schemes on it."""
    from kanop.scripts.console import say, stage
    from kanop.solvers.errors import check
    from kanop.testing import check_equation, check_order, observed_order

    constants = config["constants"] or {}
    check(isinstance(constants, dict), f"constants are pairs, as constants={{nu: 0.1}}, got constants={constants}")
    equation = make_equation(str(config["equation"]), constants)
    grid = _grid(equation, config["points"], config["lengths"])
    with stage(f"laws of {equation}"):
        check_equation(equation, grid, config["seed"])
    with stage("order of the schemes"):
        results = observed_order(equation, grid, config["seed"])
    for result in results:
        errors = ", ".join(f"{error:.1e}" for error in result.errors)
        order = "exact, or below rounding" if result.slope is None else f"order {result.slope:.2f} of {result.nominal}"
        say(f"   {result.scheme}  {order}; errors under halvings of dt: {errors}")
    path = Path(config["picture"] or f"{type(equation).__name__.lower()}-order.png")
    _draw(results, str(equation), path)
    say(f"wrote {path}")
    check_order(results)
    say(f"{type(equation).__name__} keeps every law")


def verify_operator(config: dict[str, Any]) -> None:
    """Check an operator on grids of 1 to 3 dimensions, on spheres, or on the grid that is given."""
    from kanop.builder import check_tree, locate
    from kanop.scripts.console import say, stage
    from kanop.solvers import KanopError
    from kanop.solvers.errors import check
    from kanop.testing import operator_laws

    tree = config["operator"]
    found = locate(str(tree["_target_"]), where="operator")
    specs = _specs(config, getattr(found, "lives_on_spheres", False))
    check_tree(tree, trusted=True, where="operator", spec=specs[0])
    name, tried, refusal = str(tree["_target_"]).rpartition(".")[2], 0, ""
    for spec in specs:
        where = f"{' × '.join(map(str, spec.grid.shape))} points, {', '.join(dict.fromkeys(spec.grid.boundaries))}"
        try:
            _factory(tree)(spec)
        except KanopError as error:
            refusal = str(error)
            say(f"── {name} is not for {where}: {refusal}")
            continue
        with stage(f"laws of {name} on {where}"):
            # Tracing takes many times as long as all else, and does not depend on the grid.
            for law in operator_laws(_factory(tree), spec, compiled=config["compile"] and not tried):
                say(f"   {'holds' if law.claimed else 'not claimed'}: {law.name}")
        tried += 1
    check(tried > 0, refusal)
    say(f"{name} keeps every law that it claims")


def verify_basis(config: dict[str, Any]) -> None:
    """Check the functions that a KAN layer is made of."""
    from kanop.builder import build, check_tree, locate
    from kanop.kan import Basis
    from kanop.scripts.console import say, stage
    from kanop.solvers.errors import check, nearest
    from kanop.testing import check_basis

    given, arguments, shipped = config["basis"], config["constants"] or {}, _bases()
    check(isinstance(arguments, dict), f"constants are pairs, as constants={{degree: 5}}, got constants={arguments}")
    if isinstance(given, str):
        plain = given.lower().replace("_", "")
        check("." in given or plain in shipped, nearest(plain, shipped, "basis"))
        given = {"_target_": given if "." in given else f"kanop.kan.{shipped[plain].__name__}"}
    check(
        isinstance(given, dict) and "_target_" in given,
        f"basis is a name, or {{_target_: package.module.Class}} with its arguments, got basis={given}",
    )
    tree = {**given, **arguments}
    name = str(tree["_target_"])
    check(
        _concrete(locate(name, where="basis"), Basis), f"basis={name} is no subclass of kanop.kan.Basis with functions"
    )
    check_tree(tree, trusted=True, where="basis")
    basis = build(tree, trusted=True)
    with stage(f"laws of {basis}"):
        check_basis(basis)
    say(f"{type(basis).__name__} keeps every law")


def _bases() -> dict[str, type]:
    """The bases that ship, by their names in small letters."""
    from kanop import kan

    return {name.lower(): found for name in kan.__all__ if _concrete(found := getattr(kan, name), kan.Basis)}


def _factory(tree: Mapping[str, Any]) -> Callable[[FieldSpec], Any]:
    """Makes the operator of a configuration for any grid: `n_modes` as given, one number an axis, where they fit."""
    from kanop.builder import build

    def make(spec: FieldSpec) -> Any:
        arguments, modes = dict(tree), tree.get("n_modes")
        if isinstance(modes, list) and modes:
            each = (modes * spec.grid.ndim)[: spec.grid.ndim]
            arguments["n_modes"] = [min(m, n) for m, n in zip(each, spec.grid.shape, strict=True)]
        return build(arguments, trusted=True, spec=spec)

    return make


def _specs(config: Mapping[str, Any], spheres: bool) -> list[FieldSpec]:
    """Grids of one to three dimensions; or spheres, for operators that live there alone."""
    from kanop.solvers import FieldSpec, Grid, SphereGrid

    grids: list[Geometry]
    if spheres:
        grids = [SphereGrid(config["points"] or (16, 32)), SphereGrid(config["points"] or (17, 32), "equiangular")]
    elif config["points"]:
        grids = [Grid(config["points"], config["lengths"], config["boundaries"] or "periodic")]
    else:
        walls = config["boundaries"] or ("periodic", "dirichlet")
        grids = [*(Grid(shape) for shape in ((32,), (16, 12), (8, 6, 8))), Grid((12, 16), None, walls)]
    return [FieldSpec(grid, ["u", "v"], ["a"]) for grid in grids]


def _shipped() -> dict[str, type]:
    """Names of the equations that ship: their modules' and their classes', in small letters."""
    from kanop import solvers

    classes = [found for n in solvers.__all__ if _concrete(found := getattr(solvers, n), solvers.Equation)]
    named = {cls.__module__.rpartition(".")[2].replace("_", ""): cls for cls in classes}
    return named | {cls.__name__.lower(): cls for cls in classes}


def make_equation(name: str, constants: dict[str, Any]) -> Equation:
    """The equation of a class of kanop.solvers or of its module (kdv), whatever the case, or of a dotted path."""
    from kanop import solvers
    from kanop.solvers.errors import check, nearest

    shipped = _shipped()
    if "." in name:
        found = _imported(name)
        check(_concrete(found, solvers.Equation), f"equation={name} is no subclass of kanop.solvers.Equation")
    else:
        plain = name.lower().replace("_", "")
        check(plain in shipped, nearest(plain, shipped, "equation"))
        found = shipped[plain]
    parameters = inspect.signature(found).parameters
    for key in constants:
        check(key in parameters, nearest(key, parameters, f"constant of {found.__name__}"))
    missing = [n for n, p in parameters.items() if p.default is p.empty and n not in constants]
    check(not missing, f"{found.__name__} needs constants={{{', '.join(f'{n}: …' for n in missing)}}}")
    return found(**constants)


def _concrete(thing: Any, base: type) -> bool:
    return inspect.isclass(thing) and issubclass(thing, base) and not inspect.isabstract(thing)


def _imported(path: str) -> Any:
    from kanop.solvers.errors import KanopError

    module, _, name = path.rpartition(".")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise KanopError(f"equation={path} cannot be imported: {error}; is its folder on PYTHONPATH?") from None


def _grid(equation: Equation, points: Sequence[int] | None, lengths: Sequence[float] | None) -> Geometry:
    from kanop.solvers import Grid
    from kanop.solvers.errors import check
    from kanop.testing.equation import default_grid

    default = default_grid(equation)
    if isinstance(default, Grid):
        return Grid(points or default.shape, lengths)
    check(lengths is None, f"lengths are sides of a box, and {type(equation).__name__} lives on the unit sphere")
    return default.with_shape(points) if points else default


def _draw(results: Sequence[Convergence], title: str, path: Path) -> None:
    """Errors over dt in logarithmic axes, each scheme with its nominal slope."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4.5), layout="constrained")
    axes = figure.subplots()
    for result in results:
        (line,) = axes.loglog(result.dt, [max(e, 1e-17) for e in result.errors], "o-", label=result.scheme)
        guide = [result.errors[0] * (h / result.dt[0]) ** result.nominal for h in result.dt]
        axes.loglog(result.dt, [max(g, 1e-17) for g in guide], ":", color=line.get_color(), linewidth=1)
    axes.set(xlabel="time step dt", ylabel="relative L2 error", title=title)
    axes.legend(title="dotted: nominal order")
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    try:
        from kanop.cli import main
    except ModuleNotFoundError as error:
        raise SystemExit(f"{error}; install kanop first: `make dev`, or `pip install -e .` in its folder") from None
    import sys

    main(["verify", *sys.argv[1:]], script=[sys.argv[0]])
