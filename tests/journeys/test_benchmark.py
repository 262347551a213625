"""`kanop benchmark`: cells one by one, suites with a page, peers that are not there; no timing is tested."""

from __future__ import annotations

import json
import math
import os
import sys
from functools import partial
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pytest
import torch

from kanop.cli import main
from kanop.scripts import benchmark
from kanop.scripts.benchmarks import alone, curves, solver_memory, solver_profile, solver_step, work_precision
from kanop.scripts.benchmarks.starts import peer_of, problem, relative
from kanop.solvers import SCHEMES, KanopError, solve


def stand_in(name: str, cells: list[dict], ran: list[dict]) -> ModuleType:
    """A benchmark whose cells cost nothing."""
    module = ModuleType(f"kanop.scripts.benchmarks.{name}", f"The stand-in {name}.")
    module.CELLS = cells
    module.needs = lambda cell: cell.get("beside", ())

    def run(cell: dict) -> dict:
        ran.append(cell)
        return {"value": 2 * cell["size"]}

    module.run = run
    module.table = lambda rows: "\n".join(f"| {row['size']} | {row['numbers']['value']} |" for row in rows)
    module.draw = lambda rows, path: Path(path).write_bytes(b"\x89PNG")
    return module


@pytest.fixture
def ran(monkeypatch, tmp_path):
    """A suite of two stand-ins; the list of the cells that ran."""
    ran: list[dict] = []
    toys = {
        "first": stand_in("first", [{"size": 1, "threads": 1}, {"size": 2, "threads": 1}], ran),
        "second": stand_in("second", [{"size": 3, "threads": 2, "beside": ["no_such_package"]}], ran),
    }
    for name, module in toys.items():
        monkeypatch.setitem(sys.modules, f"kanop.scripts.benchmarks.{name}", module)
    monkeypatch.setattr(benchmark, "names", lambda: list(toys))
    monkeypatch.setitem(benchmark.SUITES, "toys", tuple(toys))
    monkeypatch.chdir(tmp_path)
    return ran


def test_a_suite_runs_every_cell_once_and_writes_its_page(ran, capsys):
    main(["benchmark", "suite=toys", "folder=out"])
    out = capsys.readouterr().out
    assert [cell["size"] for cell in ran] == [1, 2]
    assert "2 of 2 cells done" in out
    assert "0 of 1 cells done" in out
    rows = [json.loads(line) for line in Path("out/first.jsonl").read_text().splitlines()]
    assert [row["numbers"]["value"] for row in rows] == [2, 4]
    assert all(row["machine"] and row["versions"]["torch"] == torch.__version__ for row in rows)
    page = Path("out/toys.md").read_text()
    for part in ("## first", "The stand-in first.", "| 2 | 4 |", "![first](first.png)", "1 thread;", torch.__version__):
        assert part in page
    assert "![second]" not in page  # nothing to draw
    main(["benchmark", "suite=toys", "folder=out"])
    assert len(ran) == 2


def test_a_cell_beside_an_absent_peer_stays_empty_and_says_what_to_install(ran, capsys):
    main(["benchmark", "name=second", "folder=out"])
    out = capsys.readouterr().out
    assert "cells beside no_such_package stay empty: pip install 'kanop[bench]'" in out
    assert not ran
    assert not Path("out/second.jsonl").exists()


def test_run_false_prints_and_writes_nothing(ran, capsys):
    main(["benchmark", "suite=toys", "folder=out", "run=false"])
    assert "0 of 2 cells done" in capsys.readouterr().out
    assert not ran
    assert not Path("out").exists()


def test_only_picks_cells_of_a_suite(ran):
    main(["benchmark", "suite=toys", "folder=out", "only={size: 2}"])
    assert [cell["size"] for cell in ran] == [2]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "give name=… or suite=…; a benchmark is one of"),
        (["name=solver", "suite=solvers"], "give name=… or suite=…"),
        (["suite=solver"], "did you mean"),
        (["name=solver_stop"], "did you mean"),
    ],
)
def test_bad_input_is_one_line(tmp_path, monkeypatch, capsys, words, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        main(["benchmark", *words])
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("name", benchmark.names())
def test_every_benchmark_has_distinct_cells_and_prints_an_empty_table(name):
    bench = benchmark.find(name)
    assert len({json.dumps(cell, sort_keys=True) for cell in bench.CELLS}) == len(bench.CELLS)
    assert bench.table([]).startswith("|")


def test_a_suite_names_benchmarks():
    assert set(benchmark.SUITES["solvers"]) <= set(benchmark.names())


@pytest.mark.parametrize("error", [8e-3, 3e-5, 1e-9])
def test_a_power_law_is_read_off_exactly_between_runs_and_beyond_the_finest(error):
    order, cost = 3, 0.02
    curve = [(n, cost * n, 0.7 * n**-order) for n in (4, 8, 32, 128)]
    assert math.isclose(curves.at_error(curve, error), cost * (0.7 / error) ** (1 / order), rel_tol=1e-12)


def test_no_time_is_claimed_for_steps_larger_than_the_coarsest_stable_ones():
    assert math.isclose(curves.at_error([(8, 1.0, math.inf), (16, 2.0, 1e-6), (32, 4.0, 1e-8)], 1e-4), 2.0)


def test_runs_that_blew_up_are_not_read():
    assert curves.at_error([(1, 1.0, math.inf), (2, 2.0, math.nan), (4, 4.0, 1e-3)], 1e-4) is None
    assert math.isclose(curves.at_error([(1, 1.0, math.inf), (2, 2.0, 1e-2), (4, 4.0, 1e-4)], 1e-4), 4.0)


def test_a_cell_has_its_own_process_with_its_threads():
    there = "dict(pid=os.getpid(), threads=torch.get_num_threads(), omp=os.environ['OMP_NUM_THREADS'])"
    found = alone.alone(
        partial(eval, f"(os := __import__('os'), torch := __import__('torch'), {there})[-1]"), {"threads": 1}
    )
    assert found["pid"] != os.getpid()
    assert (found["threads"], found["omp"]) == (1, "1")
    assert "JAX_ENABLE_X64" not in os.environ


def test_the_peak_of_a_call_is_what_it_held_at_once():
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("no /proc here")
    size = 2**26

    def call() -> torch.Tensor:
        first = torch.ones(size, dtype=torch.uint8)
        second = first + 1
        del first
        return second + 1

    torch.ones(4 * size, dtype=torch.uint8)  # a higher peak, before
    solver_memory.peak_bytes(call)
    assert 2 * size <= solver_memory.peak_bytes(call) + 2**22
    assert solver_memory.peak_bytes(call) <= 2 * size + 2**24


def test_transforms_are_timed_and_given_back():
    before = torch.fft.rfft
    with solver_profile._timed() as spent:
        torch.fft.irfft(torch.fft.rfft(torch.ones(8)))
    assert len(spent) == 2
    assert torch.fft.rfft is before


def test_fields_that_differ_end_a_cell():
    runs = {"kanop": lambda steps: torch.ones(3), "exponax vmap": lambda steps: torch.ones(3) + 1e-6}
    with pytest.raises(KanopError, match="do not solve the same equations"):
        solver_step._same(runs, 1)


@pytest.mark.parametrize(
    ("name", "points", "dt", "batching"),
    [
        ("Navier-Stokes 2D", 32, 0.02, "vmap"),
        ("Navier-Stokes 2D", 32, 0.02, "lax.map"),
        ("Burgers", 128, 1e-3, "vmap"),
        ("Kuramoto-Sivashinsky", 128, 0.05, "lax.map"),
    ],
)
def test_exponax_steps_the_same_equations(name, points, dt, batching):
    pytest.importorskip("exponax", reason="exponax is not installed")
    import jax

    from kanop.scripts.benchmarks.peers import exponax as peer

    jax.config.update("jax_enable_x64", True)
    equation, grid, u0 = problem(name, points, 2)
    solution = solve(equation, u0, grid, [0, 10 * dt], dt=dt).u[:, :, 0]
    make, sign = peer_of(equation, grid)
    theirs = torch.from_numpy(peer.runner(make, solution[:, 0].numpy(), batching, sign)(10 * dt, 10, 4))
    assert relative(theirs, solution[:, 1]) < 1e-12
    if grid.ndim == 2:  # its vorticity is minus ours: unflipped, another flow
        other = torch.from_numpy(peer.runner(make, solution[:, 0].numpy(), batching, -sign)(10 * dt, 10, 4))
        assert relative(other, solution[:, 1]) > 1e-3


@pytest.mark.parametrize("scheme", ["RK2-CN", "RK4-CN"])
def test_torch_cfd_converges_to_the_same_flow_at_second_order(scheme):
    pytest.importorskip("torch_cfd", reason="torch-cfd is not installed")
    from kanop.scripts.benchmarks.peers import torch_cfd as peer

    equation, grid, u0 = problem("Navier-Stokes 2D", 64, 2)
    solution = solve(equation, u0, grid, [0, 1], dt=1 / 64).u[:, :, 0]
    run = peer.navier_stokes(solution[:, 0], equation.nu, equation.forcing(0.0, *grid.mesh()))
    errors = [relative(run(1.0, steps, scheme), solution[:, 1]) for steps in (16, 32, 64)]
    slopes = [math.log2(a / b) for a, b in pairwise(errors)]
    assert all(abs(slope - peer.ORDERS[scheme]) < 0.1 for slope in slopes)
    assert torch.get_default_dtype() == torch.float32


def test_every_scheme_of_ours_has_step_numbers():
    for steps in work_precision.STEPS.values():
        assert {min(scheme.order, 4) for scheme in SCHEMES.values()} <= set(steps)
