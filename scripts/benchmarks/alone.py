"""A cell in a process of its own, held to as many cores as it has threads."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any

__all__ = ["alone"]


def alone(measure: Callable[[dict[str, Any]], dict[str, Any]], cell: dict[str, Any]) -> dict[str, Any]:
    """measure(cell) in a fresh process: thread pools are made once a process, and memory has its peak there."""
    threads = int(cell["threads"])
    context = multiprocessing.get_context("spawn")
    with _environment(threads), ProcessPoolExecutor(1, context, initializer=_hold, initargs=(threads,)) as pool:
        return pool.submit(measure, cell).result()


def _hold(threads: int) -> None:
    import torch

    parent = multiprocessing.parent_process()
    if parent is not None:
        # A measurement whose command was killed would go on, unseen, beside the next one.
        threading.Thread(target=_follow, args=(parent,), daemon=True).start()
    torch.set_num_threads(threads)
    # JAX sizes its pool by the cores it may use, whatever its flags say.
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, cores[-threads:])


def _follow(parent: Any) -> None:
    parent.join()
    os._exit(1)


@contextmanager
def _environment(threads: int) -> Iterator[None]:
    """What libraries read once, when they are loaded."""
    one = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1" if threads == 1 else ""
    wanted = {
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "OPENBLAS_NUM_THREADS": str(threads),
        "XLA_FLAGS": one,
        "JAX_PLATFORMS": "cpu",
        "JAX_ENABLE_X64": "1",
    }
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
