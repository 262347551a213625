"""Solve a problem with a network: stage after stage, within a time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from kanop.kinn.architectures import MLP, Architecture
from kanop.kinn.minimisers import Adam, Minimiser
from kanop.kinn.problem import Problem
from kanop.kinn.quasi_newton import SSBroyden
from kanop.kinn.strong import Strong
from kanop.kinn.unknowns import Unknowns
from kanop.solvers.errors import check

__all__ = ["Solution", "solve_problem"]

Report = Callable[[int, float, float, Unknowns], None]


@dataclass(frozen=True)
class Solution:
    """What was found.

    Attributes
    ----------
    unknowns : (n, 1 + d) points (t, x, …) ↦ (n, fields)
    history : (seconds, loss) after every iteration
    reasons : why each stage stopped
    """

    unknowns: Unknowns
    history: list[tuple[float, float]]
    reasons: list[str]

    @property
    def parameters(self) -> int:
        """How many numbers were sought."""
        return sum(p.numel() for p in self.unknowns.parameters())


def solve_problem(
    problem: Problem,
    network: Architecture | None = None,
    form: Strong | None = None,
    stages: Sequence[Minimiser] | None = None,
    seconds: float = math.inf,
    seed: int = 0,
    harmonics: int = 1,
    report: Report | None = None,
) -> Solution:
    r"""min over N of the residual of u = g + φ N, in double precision.

    Parameters
    ----------
    problem : what to solve
    network : what kind of N (default `MLP()`)
    form : how the residual is measured (default `Strong()`)
    stages : minimisers, one after the other (default `Adam()`, then `SSBroyden()`)
    seconds : after which it ends (default: when the stages do)
    seed : of weights and points
    harmonics : waves that periodic axes give to the network (≥ 1, default 1)
    report : called with iteration, seconds, loss and the unknowns after every iteration

    Raises
    ------
    KanopError : functions that are not smooth enough for the equation, a loss that is not finite at the start

    Examples
    --------
    >>> from kanop.kinn import Box
    >>> from kanop.solvers import Helmholtz
    >>> problem = Problem(Helmholtz(source=lambda x: torch.exp(x)), Box([0.0], [1.0]))
    >>> solution = solve_problem(problem, MLP(8, 1), Strong(64), [Adam(20), SSBroyden(200)])
    >>> x = torch.linspace(0, 1, 11, dtype=torch.float64)
    >>> u = solution.unknowns(torch.stack([0 * x, x], 1))[:, 0].detach()
    >>> bool((u - (1 + (math.e - 1) * x - torch.exp(x))).abs().max() < 1e-4)
    True
    """
    check(seconds > 0, f"a time is positive, got {seconds}")
    form, stages = form or Strong(), stages or (Adam(), SSBroyden())
    unknowns = problem.unknowns(network or MLP(), harmonics, seed)
    objective = form.objective(problem, unknowns, torch.Generator().manual_seed(seed))
    begin, history, reasons = time.monotonic(), [], []

    def watch(loss: float) -> str | None:
        spent = time.monotonic() - begin
        history.append((spent, loss))
        if report is not None:
            report(len(history), spent, loss, unknowns)
        return f"the time of {seconds:g} s is over" if spent > seconds else None

    for stage in stages:
        why = stage.run(objective, watch)
        reasons.append(f"{type(stage).__name__}: {why}")
        if time.monotonic() - begin > seconds:
            break
    return Solution(unknowns.eval(), history, reasons)
