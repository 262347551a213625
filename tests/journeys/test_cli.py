"""The commands as a user types them: what they print, what they refuse, what they leave behind."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from kanop.builder import check_tree
from kanop.cli import COMMANDS, main
from kanop.config import CONFIGS, check_groups, choices, compose, groups
from kanop.overrides import check_overrides
from kanop.solvers import KanopError

ROOT = Path(__file__).parents[2]


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The message that ends `kanop *words`; it must be the only thing on standard error, and the exit code 2."""
    with pytest.raises(SystemExit) as end:
        main(list(words))
    message = capsys.readouterr().err
    assert end.value.code == 2
    assert message.startswith("kanop: ")
    assert "Traceback" not in message
    return message


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        ("trian data=burgers_fno", ["unknown command 'trian'", "'train'"]),
        ("train fno", ["bare word 'fno'", "operator=fno"]),
        ("train burgers", ["bare word", "data=burgers_"]),
        ("train seed", ["bare word", "seed=…"]),
        ("train operator=fnoo", ["unknown operator 'fnoo'", "did you mean 'fno'", "neuralop_fno"]),
        ("train loss=l2,h2 -m", ["unknown loss 'h2'", "'h1'"]),
        ("train operater=fno", ["unknown key 'operater'", "operator?"]),
        ("train epochs=3", ["unknown key 'epochs'", "trainer.max_epochs"]),
        ("train lr=3", ["unknown key 'lr'", "optim.lr"]),
        ("train operator.n_mode=[8]", ["unknown key", "operator.n_modes"]),
        ("train data.recipe.equation.mu=1", ["unknown key", "data.recipe.equation.nu"]),
        ("train +foo=1", ["unknown key 'foo'"]),
        ("train ~operator", ["one choice of each group"]),
        ("train operator=null", ["unknown operator"]),
        ("train seed=[", ["expected key=value", "'seed=['"]),
        ("train trainer.max_epochs=many", ["trainer.max_epochs", "expected int", "'many'"]),
        ("train operator.n_modes=8", ["operator.n_modes", "expected Sequence[int]", "got 8"]),
        ("train batch_size=big", ["batch_size", "expected int", "'big'"]),
        ("train data.sizes.train=some", ["data.sizes", "'some'"]),
        ("train data.windows.subsample=x", ["data.windows.subsample", "expected int"]),
        ("train data=arrays", ["data.path"]),
        ("train resume=nowhere", ["nowhere"]),
        ("train --config-dir=nowhere", ["--config-dir", "nowhere"]),
        ("generate data.recipe.equation.nu=-1", ["nu > 0", "-1"]),
        ("generate data=kuramoto_sivashinsky data.recipe.times=[0,20]", ["data.recipe.times", "start=…"]),
        ("generate data=mat data.path=x.mat", ["has no recipe"]),
        ("evaluate run=nowhere", ["nowhere"]),
        ("evaluate", ["run"]),
        ("report run=nowhere", ["nowhere"]),
        ("train --multrun", ["unknown switch", "'--multirun'", "key=value"]),
        ("train data=mat", ["data.path has no default; give data.path="]),
        ("list group=operators", ["unknown group", "'operator'"]),
    ],
)
def test_bad_input_ends_as_one_message(
    words: str, parts: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    message = refused(capsys, *words.split())
    for part in parts:
        assert part in message
    assert not list(tmp_path.iterdir()), "bad input left something behind"


def test_every_choice_composes_and_fits_the_classes_it_names() -> None:
    given = {"arrays": ["data.path=x.npz", "data.layout.fields={u: b t x}"], "mat": ["data.path=x.mat"]}
    given["well"] = ["data.path=x"]
    for group in groups():
        for name in choices(group):
            if group in ("problem", "network", "form", "first", "minimiser"):
                check_tree(compose("solve", [f"{group}={name}"])[group], trusted=True, where=group)
            else:
                check_groups(compose("train", [f"{group}={name}", *given.get(name, [])]))


def test_every_choice_says_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    main(["list"])
    printed = capsys.readouterr().out.splitlines()
    for group in groups():
        for name in choices(group):
            # Rows that go on from the one above are further in.
            said = [row.split(maxsplit=1)[1:] for row in printed if re.match(rf" {{3}}{re.escape(name)}(\s|$)", row)]
            assert any(said), f"{group}={name} has no line"
    assert any(row.split()[:1] == ["Burgers"] and "∂" in row for row in printed)
    assert any(row.split()[:1] == ["etdrk4"] and "order 4" in row for row in printed)


def test_an_argument_that_the_yaml_leaves_out_needs_no_plus() -> None:
    assert check_overrides("train", ["operator.position=false"]) == ["++operator.position=false"]
    assert compose("train", ["++operator.position=false"])["operator"]["position"] is False


def test_argv_is_that_of_the_job_and_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that Lightning launches reads sys.argv: it must repeat this job, not the sweep."""
    seen: list[list[str]] = []
    monkeypatch.setattr("kanop.scripts.list.list", lambda config: seen.append([*sys.argv, config["group"]]))
    monkeypatch.setattr(sys, "argv", ["before"])
    main(["list", "-m", "group=loss,schemes"], script=["kanop", "list"])
    assert seen == [["kanop", "list", f"group={g}", g] for g in ("loss", "schemes")]
    assert sys.argv == ["before"]


def test_hydra_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    main(["list", "group=loss"])
    main(["list", "-m", "group=loss,schemes"])
    assert list(tmp_path.iterdir()) == []


def test_in_a_sweep_a_job_that_fails_stops_no_other(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    done: list[str] = []

    def job(config: dict) -> None:
        if config["group"] == "loss":
            raise KanopError("this one")
        done.append(config["group"])

    monkeypatch.setattr("kanop.scripts.list.list", job)
    assert "this one" in refused(capsys, "list", "-m", "group=loss,schemes")
    assert done == ["schemes"]


def test_own_configuration_folder(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    text = "defaults: [arrays]\nname: mine\npath: mine.npz\nlayout: {fields: {w: b t x}}\n"
    (tmp_path / "data" / "mine.yaml").write_text(text)
    data = compose("train", check_overrides("train", ["data=mine"], [tmp_path]), [tmp_path])["data"]
    assert data["layout"]["fields"] == {"w": "b t x"}
    with pytest.raises(KanopError, match="did you mean 'mine'"):
        check_overrides("train", ["data=min"], [tmp_path])


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_help_names_the_groups(command: str, capfd: pytest.CaptureFixture[str]) -> None:
    with contextlib.suppress(SystemExit):
        main([command, "--help"])
    assert f"usage: kanop {command} [key=value" in capfd.readouterr().out


def test_usage_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--help"])
    printed = capsys.readouterr().out
    assert all(f"  {command} " in printed for command in COMMANDS)


def test_a_script_is_its_command() -> None:
    script = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "list.py"), "group=schemes"], capture_output=True, text=True, check=True
    )
    command = subprocess.run(
        [str(Path(sys.executable).parent / "kanop"), "list", "group=schemes"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert script.stdout == command.stdout
    assert "etdrk4" in script.stdout


def test_a_script_run_uninstalled_says_how_to_install(tmp_path: Path) -> None:
    """-S: without site-packages there is no kanop."""
    done = subprocess.run(
        [sys.executable, "-S", str(ROOT / "scripts" / "train.py")],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
    )
    assert done.returncode == 1
    assert "install kanop first" in done.stderr
    assert "Traceback" not in done.stderr


def test_every_command_has_a_script_and_a_configuration() -> None:
    for command in COMMANDS:
        assert (ROOT / "scripts" / f"{command}.py").is_file()
        assert (CONFIGS / f"{command}.yaml").is_file()


def test_ci_runs_the_test_command_of_the_readme() -> None:
    assert "make test\n" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert "\nmake test\n" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
