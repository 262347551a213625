"""Recorded steps: the results of launched ones, whatever the equation, the scheme, the frames and the lengths."""

from __future__ import annotations

import importlib
import math
from dataclasses import dataclass
from functools import partial

import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from kanop.solvers import (
    AllenCahn,
    Burgers,
    CosineMedium,
    FNOForcing,
    Forcing,
    GinzburgLandau,
    GrayScott,
    Grid,
    HeterogeneousDiffusion,
    KanopError,
    KuramotoSivashinsky,
    NavierStokes2D,
    NavierStokes3D,
    NonlinearSchroedinger,
    SolverDiverged,
    Wave,
    marching,
    replay,
    solve,
)

SOLVE = importlib.import_module("kanop.solvers.solve")  # the name is the function's, too
PERIOD = 2 * math.pi


@dataclass(frozen=True)
class Pulsating(Forcing):
    """A force that a recording with the time of its first step would get wrong."""

    def __call__(self, t, *x):
        return (
            3 * torch.cos(PERIOD * (x[0] + 2 * x[1])) * (torch.sin(40 * t) if torch.is_tensor(t) else math.sin(40 * t))
        )


FLOW = NavierStokes2D(1e-3, forcing=Pulsating())
CASES = {
    "burgers": (Burgers(0.01), Grid((64,))),
    "walls": (AllenCahn(1e-3, 1.0), Grid((24,), boundaries="neumann")),
    "blocks": (Wave(0.5), Grid((16, 12))),
    "complex": (NonlinearSchroedinger(dispersion=0.01), Grid((32,))),
    "ginzburg-landau": (GinzburgLandau(0.5, -1.5, 0.02), Grid((32,))),
    "chemistry": (GrayScott(0.04, 0.06, 1e-3, 1e-3), Grid((16, 16))),
    "chaos": (KuramotoSivashinsky("combustion"), Grid((16, 16), (20.0, 20.0))),
    "steady force": (NavierStokes2D(1e-3, forcing=FNOForcing()), Grid((16, 16))),
    "force in time": (FLOW, Grid((16, 16))),
    "three axes": (NavierStokes3D(0.02), Grid((8, 8, 8))),
    "coupled modes": (HeterogeneousDiffusion(CosineMedium(0.05, 0.5, 1.0), 2.0), Grid((32,), (PERIOD,))),
}
DT = 1 / 64


def start(equation, grid, samples=3):
    noise = torch.randn(samples, len(equation.channels), *grid.shape, generator=torch.Generator().manual_seed(0))
    size = sum((m**2).reshape(k.shape) for m, k in zip(grid.modes, grid.k, strict=True))
    return equation.constrain(grid.to_physical(torch.exp(-0.3 * size) * grid.to_spectral(noise.to(grid.dtype))), grid)


class Repeats:
    """What stands for a graph on a CPU: it works on the same tensors again, and is counted."""

    def __init__(self):
        self.made, self.replays = 0, 0

    def capture(self, body):
        self.made += 1
        for _ in range(3):  # as before a capture; it must leave no trace
            body()

        def again():
            self.replays += 1
            body()

        return again


@pytest.fixture
def repeats(monkeypatch):
    """mode="graph" without CUDA, and without the operations of a graph."""
    found = Repeats()
    monkeypatch.setattr(marching, "recorder", lambda device: partial(replay.Static, capture=found.capture))
    monkeypatch.setattr(SOLVE, "check_mode", lambda *_: None)
    return found


def same(equation, grid, tolerance, **given):
    """Frames on steps and between them, by both modes."""
    u0, times = start(equation, grid), [0, 5 * DT, 12.5 * DT, 12.75 * DT, 20 * DT]
    given = {"dt": DT, **given}
    eager, graph = (solve(equation, u0, grid, times, mode=mode, **given) for mode in ("eager", "graph"))
    assert torch.equal(eager.steps, graph.steps)
    scale = eager.u.abs().max()
    assert not torch.equal(eager.u[:, 0], eager.u[:, -1])
    assert (graph.u - eager.u).abs().max() <= tolerance * scale


@pytest.mark.parametrize("name", CASES)
def test_every_kind_of_equation_is_replayed_exactly(name, repeats, tolerances):
    same(*CASES[name], tolerances[torch.float64]["tight"])
    assert (repeats.made, repeats.replays) == (1, 20)


@pytest.mark.parametrize(
    ("scheme", "replays"), [("etdrk1", 20), ("etdrk4", 20), ("ark3", 20), ("ark4", 20), ("sbdf2", 19), ("sbdf3", 18)]
)
def test_every_kind_of_scheme_is_replayed_exactly(scheme, replays, repeats, tolerances):
    """A multistep scheme needs its memory first; single precision carries what rounding lost, to the last bit."""
    same(FLOW, Grid((16, 16)), tolerances[torch.float64]["tight"], scheme=scheme)
    assert (repeats.made, repeats.replays) == (1, replays)
    same(CASES["steady force"][0], Grid((16, 16), dtype="float32"), 0, scheme=scheme)
    assert (repeats.made, repeats.replays) == (2, 2 * replays)


def test_lengths_that_come_rarely_are_launched_and_each_other_one_is_recorded(repeats, tolerances):
    dt = [(4 * DT, DT), (10 * DT, DT / 2), (20 * DT, DT)]  # 4 + 10 steps of one length, 12 of another
    same(FLOW, Grid((16, 16)), tolerances[torch.float64]["tight"], dt=dt, scheme="sbdf2")
    assert (repeats.made, repeats.replays) == (2, 14 + 12 - 3)
    same(FLOW, Grid((16, 16)), tolerances[torch.float64]["tight"], dt=3 * DT)  # 7 steps, the last one shorter
    assert repeats.made == 2


def test_parts_of_a_batch_share_a_recording(repeats, monkeypatch, tolerances):
    grid = Grid((16, 16))
    monkeypatch.setattr(SOLVE, "CHUNK", 2 * 16 * 6 * 16)  # two samples of the kept columns
    same(FLOW, grid, tolerances[torch.float64]["tight"])
    assert (repeats.made, repeats.replays) == (2, 40)  # of two samples, and of the third


def test_more_lengths_than_a_cache_holds_do_not_cost_a_recording_its_coefficients(monkeypatch):
    kept = []

    def record(step, inputs):
        stepper = step.func.__self__.stepper
        kept.append((stepper, stepper.coefficients(DT)))
        return lambda time, *state: state

    monkeypatch.setattr(marching, "recorder", lambda device: record)
    monkeypatch.setattr(SOLVE, "check_mode", lambda *_: None)
    between = [DT * (i + (i + 1) / 82) for i in range(80)]  # each needs coefficients of its own
    equation, grid = Burgers(0.01), Grid((16,))
    solve(equation, start(equation, grid), grid, [0, *between, 80 * DT], dt=DT, mode="graph")
    ((stepper, table),) = kept
    assert stepper.coefficients(DT) is table


class Waits(TorchDispatchMode):
    """Notes where a device would be waited for: numbers of tensors, and sizes that depend on numbers."""

    def __init__(self):
        super().__init__()
        self.found = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func.__name__.split(".")[0] in ("_local_scalar_dense", "nonzero", "masked_select", "unique_dim"):
            self.found.append(func.__name__)
        return func(*args, **(kwargs or {}))


class Copies(TorchFunctionMode):
    """Notes what would lie on the host, to be copied from there: tensors of numbers, and those without a device."""

    def __init__(self):
        super().__init__()
        self.found = []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        made = func in (torch.arange, torch.empty, torch.eye, torch.full, torch.linspace, torch.ones, torch.zeros)
        if ("device" in (kwargs or {})) != made and (made or func in (torch.tensor, torch.as_tensor)):
            self.found.append(func.__name__)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("name", CASES)
def test_a_step_asks_the_device_for_nothing(name, monkeypatch):
    equation, grid = CASES[name]
    seen, waits, copies = [], Waits(), Copies()

    def record(step, inputs):
        step(*inputs)  # tables are made once

        def watched(*now):
            watched.count += 1
            with waits, copies:
                return step(*now)

        watched.count = 0
        seen.append(watched)

        return watched

    monkeypatch.setattr(marching, "recorder", lambda device: record)
    monkeypatch.setattr(SOLVE, "check_mode", lambda *_: None)
    for scheme in ("ark4", "sbdf3") if name == "coupled modes" else ("etdrk4", "sbdf3"):
        solve(equation, start(equation, grid), grid, [0, 12 * DT], dt=DT, scheme=scheme, mode="graph")
    assert [watched.count for watched in seen] == [12, 10]
    assert waits.found + copies.found == []


def test_a_solution_that_blows_up_is_found_as_before(repeats):
    equation, grid = Burgers(1e-4), Grid((64,))
    errors = []
    for mode in ("eager", "graph"):
        with pytest.raises(SolverDiverged) as error:
            solve(equation, 30 * start(equation, grid), grid, [0, 50], dt=0.5, scheme="etdrk2", mode=mode)
        errors.append(str(error.value))
    assert errors[0] == errors[1]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"mode": "graf", "dt": 0.1}, "unknown mode 'graf'; did you mean 'graph'"),
        ({"mode": "graph", "dt": 0.1}, r"replays CUDA graphs, and the grid is on cpu: give Grid\(…, device='cuda'\)"),
        ({"mode": "graph", "tolerance": 1e-3}, "repeats steps of one length: give dt"),
        ({"mode": "graph", "cfl": 0.5}, "repeats steps of one length: give dt"),
    ],
)
def test_bad_input_is_named(given, message):
    equation, grid = Burgers(0.01), Grid((16,))
    with pytest.raises(KanopError, match=message):
        solve(equation, start(equation, grid), grid, [0, 1], **given)


def test_gradients_are_refused():
    grid = Grid((16,))
    u0, nu = start(Burgers(0.01), grid), torch.tensor(0.01, dtype=torch.float64, requires_grad=True)
    for equation, u in ((Burgers(nu), u0), (Burgers(0.01), u0.clone().requires_grad_())):
        with pytest.raises(KanopError, match="carries no gradients: take mode='eager'"):
            solve(equation, u, grid, [0, 1], dt=0.1, mode="graph")


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("scheme", [None, "sbdf3"])
@pytest.mark.parametrize("name", CASES)
def test_cuda_replays_what_it_launches_and_what_a_cpu_computes(name, scheme, dtype, tolerances):
    equation, grid = CASES[name]
    u0, times = start(equation, grid), [0, 5 * DT, 12.5 * DT, 20 * DT]
    exact = solve(equation, u0, grid, times, dt=DT, scheme=scheme).u
    device = grid.to(dtype=dtype, device="cuda")
    runs = [solve(equation, u0, device, times, dt=DT, scheme=scheme, mode=mode).u for mode in ("eager", "graph")]
    scale = exact.abs().max()
    assert (runs[1] - runs[0]).abs().max() <= tolerances[dtype]["tight"] * scale
    assert (runs[1].cpu().double() - exact).abs().max() <= tolerances[dtype]["loose"] * scale


@pytest.mark.gpu
def test_nothing_waits_between_two_looks():
    grid = Grid((32, 32), device="cuda")
    stepper = SOLVE.Stepper(FLOW, grid)
    u_hat = grid.to_spectral(start(FLOW, Grid((32, 32))).cuda())
    move = replay.Replayed(stepper, [DT] * 32, replay.recorder(u_hat.device))
    state = move((stepper.kept(u_hat), None), 0.0, DT)
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        for i in range(1, 32):
            state = move(state, i * DT, DT)
    finally:
        torch.cuda.set_sync_debug_mode("default")
