"""What operators are compared on, small enough for a CPU, and how wide a budget of parameters lets them be."""

from __future__ import annotations

from typing import Any, NamedTuple

__all__ = ["PROBLEMS", "Problem", "choices", "count", "sized"]


class Problem(NamedTuple):
    """Words of `kanop train`, modes an axis to choose from, most parameters, frames of a rollout and its start.

    `degrees`: what spherical operators choose from instead.
    """

    words: tuple[str, ...]
    modes: tuple[int, ...]
    parameters: int
    steps: int = 0
    start: int = 0
    degrees: tuple[int, ...] = ()


PROBLEMS = {
    # u(0) → u(1) at 256 of 8192 points.
    "burgers": Problem(("data=burgers_fno", "data.windows.subsample=32"), (64, 32, 16), 100_000),
    # a → u, made on 43² cells.
    "darcy": Problem(
        (
            "data=darcy_fno",
            "data.name=darcy_43",
            "data.recipe.grid.shape=[43,43]",
            "data.sizes={train: 1000, valid: 100, test: 200}",
        ),
        (24, 16, 8),
        100_000,
    ),
    # Ten frames of vorticity → the next one, ν = 1e-3, at 32² of 64² points; rolled out over the other 40.
    "navier_stokes": Problem(
        (
            "data=navier_stokes_fno",
            "data.name=navier_stokes_32",
            "data.recipe.grid.shape=[64,64]",
            "data.recipe.store.factor=2",
            "data.sizes={train: 100, valid: 10, test: 20}",
        ),
        (16, 12, 8),
        100_000,
        steps=40,
    ),
    # u(t) → u(t + 1) in chaos, at 512 points; rolled out from t = 60 over 20 frames.
    "kuramoto_sivashinsky": Problem(("data=kuramoto_sivashinsky",), (128, 64, 32), 50_000, steps=20, start=60),
}
# Operators that take a number of modes: fewer are more channels, or more steps.
MODAL = ("fno", "ffno", "tfno", "kan_fno", "kan_spectral")
SPHERICAL = ("sfno", "kan_sfno", "local_sfno")


def choices(operator: str, problem: Problem) -> tuple[int | None, ...]:
    """The modes an axis, or the largest degrees, that an operator may keep: None where it takes no such number."""
    if operator in SPHERICAL:
        return problem.degrees
    return problem.modes if operator in MODAL else (None,)


def sized(operator: str, problem: Problem, modes: int | None) -> list[str]:
    """The words that make `operator` as wide as the problem's parameters allow."""
    from kanop.builder import build
    from kanop.config import compose
    from kanop.datasets.subsampling import subsampled
    from kanop.solvers import FieldSpec
    from kanop.solvers.errors import check

    words = [f"operator={operator}"]
    config = compose("train", [*problem.words, *words])
    if operator in SPHERICAL:
        words.append(f"operator.degree={modes}")
        config = compose("train", [*problem.words, *words])
    elif modes is not None:
        axes = len(config["data"]["recipe"]["grid"]["shape"])
        words.append(f"++operator.n_modes=[{','.join([str(modes)] * axes)}]")
        config = compose("train", [*problem.words, *words])
    recipe = build(config["data"]["recipe"], trusted=True)
    windows = config["data"]["windows"]
    grid, _ = subsampled(recipe.stored_grid, windows["subsample"])
    spec = FieldSpec(grid, recipe.fields, recipe.constants, n_in=windows["n_in"], n_out=windows["n_out"])

    def parameters(width: int) -> int:
        return count(build({**config["operator"], "hidden_channels": width}, trusted=True, spec=spec))

    # Even widths: norms and skips of some operators halve them.
    low, high = 1, 2
    check(
        parameters(2 * low) <= problem.parameters,
        f"{operator} has more than {problem.parameters} parameters at width 2",
    )
    while parameters(2 * high) <= problem.parameters:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if parameters(2 * middle) <= problem.parameters else (low, middle)
    return [*words, f"operator.hidden_channels={2 * low}"]


def count(module: Any) -> int:
    """Parameters, complex ones as two."""
    return sum(p.numel() * (2 if p.is_complex() else 1) for p in module.parameters())
