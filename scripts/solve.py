"""`kanop solve problem=NAME network=NAME`: solve an equation by a network, and compare it with the reference."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kanop.kinn import Problem, Solution
    from kanop.kinn.cases import Reference


def solve(config: dict[str, Any]) -> None:
    """Write weights, history, numbers and a picture of solution, residual and error to a new run folder."""
    import torch
    import yaml

    from kanop.builder import build, check_tree
    from kanop.config import choices
    from kanop.datasets.durable import write_durably
    from kanop.kinn import solve_problem
    from kanop.scripts.console import duration, progress, say, stage
    from kanop.solvers.errors import check
    from kanop.training import new_run

    names = ("problem", "network", "form", "first", "minimiser")
    known = ", ".join(sorted(choices("problem")))
    check(config.get("problem") is not None, f"solve needs problem=NAME, one of {known}")
    for name in names:
        check_tree(config[name], trusted=True, where=name)
    case, network, form, first, then = (build(config[name], trusted=True) for name in names)
    problem = case.problem()
    check(config["seconds"] > 0, f"a time is positive, got seconds={config['seconds']}")
    # What does not fit is met before anything is made.
    form.objective(problem, problem.unknowns(network, config["harmonics"]), torch.Generator().manual_seed(0))
    with stage("reference"):
        reference = case.reference()
    say(f"   {len(reference.points):,} points, relative error {reference.error:.1e}")
    run = new_run(config["runs"], config["name"])
    say(f"   run folder {run}")
    kept = {key: value for key, value in config.items() if key != "words"}
    write_durably(run / "config.yaml", yaml.safe_dump(kept, sort_keys=False, allow_unicode=True).encode())
    told = [0.0, 0.0]

    with progress("iterations") as show:

        def report(iteration: int, spent: float, loss: float, unknowns: Any) -> None:
            if spent - told[0] > 5 or iteration == 1:
                told[:] = [spent, reference.distance(unknowns)]
                left = duration(max(0.0, config["seconds"] - spent))
                show(iteration, 0, f"loss 10^{loss:.2f}, error {told[1]:.2e}, at most {left} left: ")

        with stage(f"{type(network).__name__} for {type(case).__name__}"):
            solution = solve_problem(
                problem, network, form, [first, then], config["seconds"], config["seed"], config["harmonics"], report
            )
    for reason in solution.reasons:
        say(f"   {reason}")
    _write(run, problem, solution, reference)


def _write(run: Path, problem: Problem, solution: Solution, reference: Reference) -> None:
    from safetensors.torch import save

    from kanop.datasets.durable import write_durably
    from kanop.scripts.console import say

    error = reference.distance(solution.unknowns)
    seconds = solution.history[-1][0] if solution.history else 0.0
    state = {name: value.contiguous() for name, value in solution.unknowns.state_dict().items()}
    write_durably(run / "model.safetensors", save(state, metadata={"format": "pt"}))
    rows = ["seconds,loss", *(f"{s:.3f},{loss:.6f}" for s, loss in solution.history)]
    write_durably(run / "history.csv", ("\n".join(rows) + "\n").encode())
    numbers = {
        "relative L2 error": error,
        "error of the reference": reference.error,
        "parameters": solution.parameters,
        "iterations": len(solution.history),
        "seconds": round(seconds, 1),
        "stopped": solution.reasons,
    }
    write_durably(run / "result.json", (json.dumps(numbers, indent=1, ensure_ascii=False) + "\n").encode())
    _draw(run / "solution.png", problem, solution, reference)
    say(f"   relative L2 error {error:.2e} with {solution.parameters:,} parameters after {seconds:.0f} s")
    say(f"wrote {run / 'solution.png'}, {run / 'result.json'}")


def _draw(path: Path, problem: Problem, solution: Solution, reference: Reference) -> None:
    """Solution, residual and error over the first two of (t, x, …) that vary, and the loss."""
    import torch
    from matplotlib.figure import Figure

    from kanop.kinn.strong import residual_size

    points, first = reference.points, int(problem.times is None)
    with torch.no_grad():
        u = solution.unknowns(points)[:, 0]
    residual = residual_size(problem, solution.unknowns, points)
    names = ("t", "x", "y", "z")[first:]
    figure = Figure(figsize=(14, 3.4), layout="constrained")
    axes = figure.subplots(1, 4)
    shown = ((problem.fields[0], u), ("|residual|", residual), ("|error|", (u - reference.values[:, 0]).abs()))
    for place, (title, values) in zip(axes, shown, strict=False):
        if points.shape[1] - first == 1:
            place.plot(points[:, first], values)
        else:
            colours = place.scatter(points[:, first], points[:, first + 1], c=values, s=2, marker="s", rasterized=True)
            figure.colorbar(colours, ax=place)
            place.set_ylabel(names[1])
        place.set(title=title, xlabel=names[0])
    times, losses = zip(*solution.history, strict=True)
    axes[3].plot(times, losses)
    axes[3].set(title="log₁₀ of the residual's size", xlabel="seconds")
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    try:
        from kanop.cli import main
    except ModuleNotFoundError as error:
        raise SystemExit(f"{error}; install kanop first: `make dev`, or `pip install -e .` in its folder") from None
    import sys

    main(["solve", *sys.argv[1:]], script=[sys.argv[0]])
