"""Run folders: one process makes each, by an exclusive `mkdir`, and tells the other ranks of its launch."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kanop.datasets.durable import exclusive
from kanop.solvers import KanopError
from kanop.solvers.errors import check

__all__ = ["lock", "new_run", "rank"]

_launches = itertools.count()
_stores: list[Any] = []
_TIMEOUT = 300.0


def new_run(base: str | Path, name: str) -> Path:
    """Make `base/name`, or `base/name-2`, `base/name-3`, …: the first that nobody has, also when many try at once.

    Under torchrun every rank calls this and gets the folder that rank 0 made.

    Raises
    ------
    KanopError : a name that leaves `base`
    """
    check(Path(name).name == name and name not in ("", ".", ".."), f"a run's name is one plain word, got {name!r}")
    return Path(_shared(lambda: _first_free(Path(base), name)))


def rank() -> int:
    """This process' place among those of its launch; 0 where it is alone."""
    for name in ("RANK", "LOCAL_RANK"):
        if name in os.environ:
            return int(os.environ[name])
    alone = os.environ.get("SLURM_PROCID", "0") == "0"
    check(
        alone,
        "several ranks of one job start through torchrun: srun torchrun --nproc_per_node=… scripts/train.py",
    )
    return 0


@contextmanager
def lock(run: Path) -> Iterator[None]:
    """Hold `run` for this process: the system frees it when the process ends, however it ends.

    Raises
    ------
    DataError : another process holds it
    """
    if rank() != 0:
        yield
        return
    with exclusive(run):
        yield


def _first_free(base: Path, name: str) -> Path:
    base.mkdir(parents=True, exist_ok=True)
    for i in itertools.count(1):
        path = base / (name if i == 1 else f"{name}-{i}")
        try:
            path.mkdir()
        except FileExistsError:
            continue
        return path
    raise AssertionError


def _shared(make: Any) -> str:
    """What rank 0 makes, or the error it met, on every rank of this launch."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or "MASTER_PORT" not in os.environ:
        return str(make())
    store, key = _store(), f"kanop/run/{next(_launches)}"
    if rank() == 0:
        try:
            path = make()
        except KanopError as error:
            store.set(key, f"error {error}")
            raise
        store.set(key, f"made {path.resolve()}")
        return str(path.resolve())
    said, _, value = store.get(key).decode().partition(" ")
    check(said == "made", value)
    return value


def _store() -> Any:
    """The launch's key-value store: torchrun's agent keeps one; else rank 0 opens it where the process group will."""
    if not _stores:
        from datetime import timedelta

        from torch.distributed import PrefixStore, TCPStore

        address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
        agent = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
        store = TCPStore(
            address,
            port,
            is_master=not agent and rank() == 0,
            timeout=timedelta(seconds=_TIMEOUT),
            wait_for_workers=False,
            multi_tenant=True,
        )
        # An agent that restarts its ranks keeps its store: each attempt has its own keys.
        _stores.append(PrefixStore(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"), store))
    return _stores[0]
