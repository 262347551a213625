"""Minimisers of one scalar of all parameters: what they are given, first-order ones, and L-BFGS."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from kanop.solvers.errors import check

__all__ = ["LBFGS", "SOAP", "Adam", "Minimiser", "Objective", "Watch", "check_steps"]

Watch = Callable[[float], str | None]
"""Told the loss after every iteration; says why to stop, or None."""


class Objective(ABC):
    """A loss of the parameters of a module, of points that can be drawn anew."""

    module: nn.Module

    @abstractmethod
    def loss(self) -> Tensor:
        """The loss at the parameters as they are."""

    @abstractmethod
    def redraw(self) -> None:
        """Take other points; a loss without points stays as it is."""

    def parameters(self) -> list[nn.Parameter]:
        """What is to be found."""
        return [p for p in self.module.parameters() if p.requires_grad]

    def vector(self) -> Float[Tensor, " p"]:
        """All parameters, in double precision."""
        return parameters_to_vector(self.parameters()).detach().double()

    def put(self, vector: Float[Tensor, " p"]) -> None:
        """Set all parameters."""
        vector_to_parameters(vector.to(self.parameters()[0].dtype), self.parameters())

    def slope(self, vector: Float[Tensor, " p"]) -> tuple[float, Float[Tensor, " p"]]:
        """The loss and its gradient at `vector`, where the parameters are put; infinite where it is not finite."""
        self.put(vector)
        loss = self.loss()
        parts = torch.autograd.grad(loss, self.parameters(), allow_unused=True)
        pairs = zip(parts, self.parameters(), strict=True)
        gradient = torch.cat([(torch.zeros_like(p) if g is None else g).flatten() for g, p in pairs]).double()
        good = bool(torch.isfinite(loss)) and bool(torch.isfinite(gradient).all())
        return (float(loss.detach()), gradient) if good else (math.inf, torch.zeros_like(gradient))


class Minimiser(ABC):
    """One stage of a minimisation."""

    @abstractmethod
    def run(self, objective: Objective, watch: Watch) -> str:
        """Lower the loss; leave the best parameters that were found, and say why it stopped."""


@dataclass(frozen=True)
class Adam(Minimiser):
    """Adam, its rate falling to zero along half a cosine (Kingma and Ba 2015, arXiv:1412.6980).

    Parameters
    ----------
    steps : how many (≥ 1; default 1000)
    lr : rate at the start (default 5e-3)
    redraw : steps from one drawing of points to the next (default 50)
    """

    steps: int = 1000
    lr: float = 5e-3
    redraw: int = 50

    def __post_init__(self) -> None:
        check_steps(self.steps, self.redraw)

    def run(self, objective: Objective, watch: Watch) -> str:
        optimiser = torch.optim.Adam(objective.parameters(), self.lr)
        return _descend(optimiser, self.steps, self.redraw, objective, watch)


@dataclass(frozen=True)
class SOAP(Minimiser):
    """Adam in the eigenbasis of Shampoo's preconditioner (Vyas et al. 2024, arXiv:2409.11321), its rate as Adam's here.

    Parameters
    ----------
    steps, lr, redraw : as of `Adam` (default 1000, 3e-3, 50)
    """

    steps: int = 1000
    lr: float = 3e-3
    redraw: int = 50

    def __post_init__(self) -> None:
        check_steps(self.steps, self.redraw)

    def run(self, objective: Objective, watch: Watch) -> str:
        from pytorch_optimizer import SOAP as Soap

        return _descend(Soap(objective.parameters(), self.lr), self.steps, self.redraw, objective, watch)


@dataclass(frozen=True)
class LBFGS(Minimiser):
    """Quasi-Newton with a short memory and Wolfe's strong conditions, by scipy.

    Parameters
    ----------
    iterations : how many (≥ 1; default 5000)
    memory : pairs that are kept (default 100)
    redraw : iterations from one drawing of points to the next (default 500)
    """

    iterations: int = 5000
    memory: int = 100
    redraw: int = 500

    def __post_init__(self) -> None:
        check_steps(self.iterations, self.redraw)

    def run(self, objective: Objective, watch: Watch) -> str:
        from scipy.optimize import OptimizeResult, minimize

        good, done = objective.vector(), 0
        why: str | None = None

        def slope(at: Any) -> tuple[float, Any]:
            loss, gradient = objective.slope(torch.from_numpy(at))
            return loss, gradient.numpy()

        def callback(intermediate_result: OptimizeResult) -> None:
            nonlocal good, why
            good = torch.from_numpy(intermediate_result.x.copy())
            why = watch(float(intermediate_result.fun))
            if why is not None:
                raise StopIteration

        limits = {"maxcor": self.memory, "maxls": 50, "maxfun": 10**9, "ftol": 0.0, "gtol": 0.0}
        while done < self.iterations:
            if done:
                objective.redraw()
            chunk = min(self.redraw, self.iterations - done)
            options = {**limits, "maxiter": chunk}
            made = minimize(slope, good.numpy(), jac=True, method="L-BFGS-B", callback=callback, options=options)
            done += made.nit
            objective.put(good)
            if why is not None:
                return _settled(objective, good, why)
            if made.nit < chunk:
                return _settled(objective, good, f"no step lowers the loss after {done} iterations: {made.message}")
        return _settled(objective, good, f"all {self.iterations} iterations done")


def _descend(optimiser: torch.optim.Optimizer, steps: int, redraw: int, objective: Objective, watch: Watch) -> str:
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    good, why = objective.vector(), None
    for step in range(steps):
        if step and step % redraw == 0:
            objective.redraw()
        optimiser.zero_grad()
        loss = objective.loss()
        if not bool(torch.isfinite(loss)):
            break
        good = objective.vector()
        loss.backward()
        optimiser.step()
        schedule.step()
        why = watch(float(loss.detach()))
        if why is not None:
            break
    return _settled(objective, good, why or f"all {steps} steps done")


def _settled(objective: Objective, good: Tensor, why: str) -> str:
    """Why it stopped, and back to the last good state where the one that was reached is none."""
    with torch.no_grad():
        fine = all(bool(p.isfinite().all()) for p in objective.parameters())
    if fine and bool(torch.isfinite(objective.loss().detach())):
        return why
    objective.put(good)
    return "the loss was not finite: the last good state is kept"


def check_steps(steps: int, redraw: int) -> None:
    """Both are at least 1."""
    check(min(steps, redraw) >= 1, f"steps and redraw are at least 1, got {steps} and {redraw}")
