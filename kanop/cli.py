"""`kanop <command> key=value …`: finds the command, checks its words, and lets Hydra compose and sweep."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import shlex
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from kanop.solvers.errors import KanopError, nearest

__all__ = ["COMMANDS", "main"]

COMMANDS = {
    "generate": "solve a recipe's equation and write the data set",
    "train": "fit an operator to a data set (made first where it is missing)",
    "evaluate": "measure a run: errors, spectra, resolutions, speed-up at equal error",
    "report": "write a run's report: one HTML file that works offline",
    "demo": "generate, train, evaluate and report, small, in about two minutes",
    "solve": "solve an equation by a physics-informed network, and compare it with the reference",
    "verify": "check the laws of an equation or an operator, yours too, and the order of the schemes",
    "benchmark": "run the cells of a benchmark that are not there yet, and print its table",
    "gallery": "solve and draw one picture an equation",
    "list": "name everything that can be chosen, with its one line of maths",
}
_QUIET = ("hydra/job_logging=none", "hydra/hydra_logging=none")
_SWITCHES = ("-m", "--multirun", "-h", "--help", "-c", "--cfg", "--resolve", "-p", "--package", "--config-dir")
_BAD_INPUT = 2
_INTERRUPTED = 130


def main(words: Sequence[str] | None = None, script: Sequence[str] | None = None) -> None:
    """Run one command.

    Parameters
    ----------
    words : the command and its `key=value` words; default: those of this process
    script : how a child process starts the same command; default: this process' program and the command
    """
    words = list(sys.argv[1:] if words is None else words)
    with _clean_errors():
        if not words or words[0] in ("-h", "--help", "help"):
            print(_usage())
        elif words[0] in ("-V", "--version"):
            import kanop

            print(f"kanop {kanop.__version__}")
        elif words[0] not in COMMANDS:
            raise KanopError(nearest(words[0], COMMANDS, "command"))
        else:
            _command(words[0], words[1:], list(script or [sys.argv[0], words[0]]))


def _usage() -> str:
    lines = [f"  {name:<10} {what}" for name, what in COMMANDS.items()]
    return "\n".join(
        [
            "usage: kanop <command> [key=value …] [-m] [--config-dir FOLDER] [--help]",
            "",
            *lines,
            "",
            "for example: kanop train data=burgers_fno operator=fno loss=h1 trainer.max_epochs=50",
            "sweep with -m: kanop train -m operator=fno,neuralop_fno loss=l2,h1",
        ]
    )


@contextlib.contextmanager
def _clean_errors() -> Iterator[None]:
    """Bad input ends as one message and exit code 2; anything else keeps its traceback, for it is a defect of ours."""
    try:
        yield
    except KanopError as error:
        _say(error)
        raise SystemExit(_BAD_INPUT) from None
    except BrokenPipeError:  # `kanop list | head`: the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt as error:  # training says how to go on
        print(f"kanop: {str(error) or 'interrupted'}", file=sys.stderr)
        raise SystemExit(_INTERRUPTED) from None


def _command(command: str, words: list[str], script: list[str]) -> None:
    from kanop.overrides import check_overrides

    flags = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    flags.add_argument("--config-dir", "-cd", type=Path)
    options, rest = flags.parse_known_args(words)
    if options.config_dir is not None and not options.config_dir.is_dir():
        raise KanopError(f"--config-dir names no folder: {options.config_dir}")
    folders = [options.config_dir] if options.config_dir is not None else []
    own = [f"--config-dir={options.config_dir.resolve()}"] if folders else []
    overrides = check_overrides(command, [word for word in rest if not word.startswith("-")], folders)
    switches = [word for word in rest if word.startswith("-")]
    for word in switches:
        name = word.partition("=")[0]
        if name not in _SWITCHES:
            raise KanopError(f"{nearest(name, _SWITCHES, 'switch')}; everything else is key=value")
    function = getattr(importlib.import_module(f"kanop.scripts.{command}"), command)
    _hydra(command, [*own, *switches], overrides, function, [*script, *own])


def _hydra(
    command: str,
    switches: list[str],
    overrides: list[str],
    function: Callable[[dict[str, Any]], None],
    script: list[str],
) -> None:
    """Call `function` once a job.

    `sys.argv` is Hydra's while it parses, and that of the one job while the job runs: a process that Lightning launches
    repeats this job, not the sweep.
    """
    import hydra
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import DictConfig, OmegaConf
    from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

    from kanop.config import CONFIGS

    before, failed = sys.argv, []
    folders = [switch for switch in switches if switch.startswith("--config-dir")]

    def job(tree: DictConfig) -> None:
        words = list(HydraConfig.get().overrides.task)
        sys.argv = [*script, *words]
        try:
            config = OmegaConf.to_container(tree, resolve=True, throw_on_missing=True)
            # Where Lightning finds Hydra configured it starts ranks in Hydra's way, which wants Hydra's own folder.
            HydraConfig.instance().cfg = None
            function({**config, "command": shlex.join(["kanop", command, *folders, *words]), "words": words})  # type: ignore[dict-item]
        except MissingMandatoryValue as error:
            failed.append(_say(KanopError(f"{error.full_key} has no default; give {error.full_key}=…")))
        except (KanopError, OmegaConfBaseException) as error:  # the other jobs of a sweep go on
            failed.append(_say(error))

    # Hydra's sweeper writes a multirun.yaml: into a folder that goes away.
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        # Lightning uses what torch has since deprecated, and minds short epochs: no user can act on either.
        warnings.filterwarnings("ignore", message=".*LeafSpec.*deprecated")
        warnings.filterwarnings("ignore", message="The number of training batches")
        own = [*_QUIET, f"hydra.sweep.dir='{folder}'", f"hydra.job.name={command}"]
        try:
            sys.argv = [f"kanop {command}", *switches, *own, *overrides]
            hydra.main(version_base="1.3", config_path=str(CONFIGS), config_name=command)(job)()
        finally:
            sys.argv = before
    if failed:
        raise SystemExit(_BAD_INPUT)


def _say(error: Exception) -> str:
    """The one message that bad input ends with, on standard error."""
    message = f"kanop: {error}"
    print(message, file=sys.stderr)
    return message
