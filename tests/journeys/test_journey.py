"""From data to report through the commands, small: what each leaves behind and says next."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

import kanop
from kanop.cli import main

GRID = [
    "data.recipe.grid.shape=[32]",
    "data.recipe.dt=0.05",
    "data.sizes={train: 6, valid: 2, test: 2}",
    "data.batch_size=2",
    "data.shard_size=4",
    "data.windows.subsample=1",
]
SMALL = [
    "operator.n_modes=[8]",
    "operator.hidden_channels=8",
    "operator.n_layers=1",
    "trainer.max_epochs=1",
    "trainer.device=cpu",
    "batch_size=4",
]
FRAMES = ["data=burgers_demo", "data.recipe.times.count=5", *GRID]
ROLLOUT = [*FRAMES, *SMALL]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small rollout data, made once."""
    folder = tmp_path_factory.mktemp("made")
    main(["generate", *FRAMES, f"data.path={folder / 'burgers_demo'}"])
    return folder


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, as a user has it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KANOP_DATA", raising=False)
    return tmp_path


@pytest.fixture
def stocked(home: Path, made: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same with the small rollout data at hand."""
    monkeypatch.setenv("KANOP_DATA", str(made))
    return home


def readme_block(language: str) -> str:
    """The first block of the README in that language."""
    text = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    return text.split(f"```{language}\n")[1].split("```")[0]


def refusal(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit) as end:
        main(list(words))
    assert end.value.code == 2
    return capsys.readouterr().err


def test_train_makes_missing_data_then_evaluate_and_report(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["train", *ROLLOUT, "strategy=unrolled", "strategy.steps=2", "increment=true"])
    said = capsys.readouterr().out
    assert "generating data/burgers_demo: 10 trajectories of 5 frames" in said
    assert "training FNO:" in said
    run = Path("runs/burgers_demo-fno-l2")
    assert f"kanop evaluate run={run}" in said
    for name in ("config.yaml", "model.safetensors", "metrics.csv"):
        assert (run / name).is_file()

    main(["evaluate", f"run={run}", "budget=0.5"])
    assert (run / "evaluation.json").is_file()
    assert "one_step" in capsys.readouterr().out
    assert "samples: expected int, got 'many'" in refusal(capsys, "evaluate", f"run={run}", "samples=many")
    assert "samples is at least 1, got 0" in refusal(capsys, "evaluate", f"run={run}", "samples=0")
    assert "such as cpu, cuda" in refusal(capsys, "evaluate", f"run={run}", "device=gpu")
    main(["report", f"run={run}"])
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "kanop train data=burgers_demo" in page, "the command that repeats the run"
    assert f"kanop evaluate run={run} budget=0.5" in page, "with the options that made the numbers"
    assert {path.name for path in home.iterdir()} == {"data", "runs"}


def test_a_loaded_run_rolls_out(stocked: Path, made: Path) -> None:
    main(["train", *ROLLOUT, "name=mine"])
    emulator = kanop.load("runs/mine")
    source = kanop.open_data(made / "burgers_demo", "test")
    trajectory = kanop.rollout(emulator, source.frames(0, 0, 1), steps=3)
    assert trajectory.u.shape[-3:] == (4, 1, 32)


@pytest.mark.parametrize("operator", ["fno", "neuralop_fno"])
def test_a_sweep_over_losses_gives_each_job_its_own_run(operator: str, home: Path) -> None:
    main(["train", "-m", "data=burgers_fno", *GRID, *SMALL, f"operator={operator}", "loss=l2,h1,h-1"])
    for loss in ("l2", "h1", "h-1"):
        config = yaml.safe_load((home / f"runs/burgers_fno-{operator}-{loss}" / "config.yaml").read_text())
        assert config["loss"]["s"] == {"l2": 0.0, "h1": 1.0, "h-1": -1.0}[loss]
        assert config["command"].endswith(f"loss={loss}")


def test_a_steady_problem_goes_the_whole_way(home: Path) -> None:
    sizes = ["data.sizes={train: 6, valid: 2, test: 2}", "data.batch_size=2", "data.shard_size=4"]
    grid = ["data=darcy_fno", "data.recipe.grid.shape=[21,21]", "data.windows.subsample=3"]
    main(["train", *grid, *sizes, *SMALL, "operator.n_modes=[4,4]", "name=darcy"])
    main(["evaluate", "run=runs/darcy", "budget=1"])
    main(["report", "run=runs/darcy"])
    page = (home / "runs/darcy/report.html").read_text()
    assert "−∇·(a∇u) = f" in page
    assert "7 × 7" in page


def test_two_runs_of_one_name_get_two_folders(stocked: Path) -> None:
    for _ in range(2):
        main(["train", *ROLLOUT, "name=twin"])
    assert sorted(path.name for path in Path("runs").iterdir()) == ["twin", "twin-2"]


def test_resume_takes_the_runs_own_configuration(stocked: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["train", *ROLLOUT, "name=run"])
    before = torch.load("runs/run/checkpoints/last.ckpt", weights_only=True)["global_step"]
    main(["train", "resume=runs/run"])
    assert torch.load("runs/run/checkpoints/last.ckpt", weights_only=True)["global_step"] == before
    capsys.readouterr()
    message = refusal(capsys, "train", "resume=runs/run", "optim.lr=0.5")
    assert "optim.lr" in message
    assert "0.5" in message
    assert "operator" in refusal(capsys, "train", "resume=runs/run", "operator=neuralop_fno")


def test_a_run_is_fine_tuned_on_rollouts_in_a_new_folder(stocked: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["train", *ROLLOUT, "name=run", "increment=true"])
    told = [*FRAMES, "start=runs/run", "batch_size=4", "trainer.device=cpu", "trainer.max_epochs=1"]
    main(["train", *told, "strategy=unrolled", "strategy.steps=3", "optim.lr=1e-6"])
    one, tuned = kanop.load("runs/run"), kanop.load("runs/run-tuned")
    u = torch.randn(1, 1, 32, generator=torch.Generator().manual_seed(0))
    assert tuned.increment
    with torch.no_grad():
        change = float((tuned(u) - one(u)).norm() / one(u).norm())
    assert 0 < change < 1e-3
    main(["train", "resume=runs/run-tuned"])
    capsys.readouterr()
    message = refusal(capsys, "train", *told, "operator.n_modes=[4]")
    assert "start=runs/run brings its own operator: leave out operator.n_modes=[4]" in message
    assert "was trained on n_in = 1, the data have n_in = 2" in refusal(capsys, "train", *told, "data.windows.n_in=2")
    assert "no model.safetensors in nowhere" in refusal(capsys, "train", *FRAMES, "start=nowhere")


def test_other_settings_in_the_same_data_folder_are_refused(stocked: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["generate", *FRAMES])
    message = refusal(capsys, "generate", *FRAMES, "data.recipe.equation.nu=0.5")
    assert "nu" in message
    assert "0.5" in message


def test_data_go_to_the_folder_of_the_environment(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KANOP_DATA", str(home / "elsewhere"))
    main(["generate", *FRAMES])
    assert (home / "elsewhere" / "burgers_demo" / "manifest.json").is_file()


def test_own_arrays_in_five_lines(home: Path) -> None:
    np.savez("mine.npz", w=np.random.default_rng(0).normal(size=(10, 4, 16)).astype("float32"))
    Path("my/data").mkdir(parents=True)
    Path("my/data/mine.yaml").write_text(readme_block("yaml"))
    main(["train", "--config-dir", "my", "data=mine", *SMALL])
    assert kanop.load("runs/mine-fno-l2").spec.fields == ("w",)
    main(["evaluate", "run=runs/mine-fno-l2"])


def test_the_fno_papers_file_trains_at_once(home: Path) -> None:
    from scipy.io import savemat

    rng = np.random.default_rng(0)
    savemat("burgers.mat", {"a": rng.normal(size=(10, 16)), "u": rng.normal(size=(10, 16))})
    main(["train", "data=mat", "data.path=burgers.mat", *SMALL])
    assert kanop.load("runs/mat-fno-l2").spec.grid.shape == (16,)


def test_cuda_without_cuda_is_one_message_before_any_work(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    message = refusal(capsys, "train", *ROLLOUT, "trainer.device=cuda")
    assert "device=cpu" in message
    assert "Traceback" not in message
    assert list(home.iterdir()) == []


def test_modes_above_nyquist_are_one_message_before_any_work(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    message = refusal(capsys, "train", *ROLLOUT, "operator.n_modes=[64]")
    assert "n_modes" in message
    assert "32" in message
    assert list(home.iterdir()) == []


@pytest.mark.slow
def test_the_demo_ends_in_a_report_and_within_one_per_cent(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["demo"])
    said = capsys.readouterr().out
    (line,) = [line for line in said.splitlines() if line.startswith("one-step relative L2 error")]
    assert float(line.split()[4].rstrip("%;")) <= 1.0
    assert Path(said.splitlines()[-1].removeprefix("open ")).is_file()
    assert all(f"{i}/4" in said for i in range(1, 5))
    names: dict[str, Any] = {}
    exec(readme_block("python"), names)  # what the README does with the demo's run
    assert names["rolled"].u.shape == (1, 21, 1, 256)
    assert names["truth"].u.shape == (4, 2, 1, 8192)
