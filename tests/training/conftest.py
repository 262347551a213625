"""The small training job, in this process or in one forked from it, which saves importing everything again."""

from __future__ import annotations

import importlib.util
import multiprocessing
import sys
from pathlib import Path

import pytest

JOB = Path(__file__).with_name("job.py")


def _load():
    spec = importlib.util.spec_from_file_location("kanop_test_job", JOB)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def job():
    return sys.modules.get("kanop_test_job") or _load()


@pytest.fixture(scope="session")
def forked(job):
    """Run the job in a process of its own; return its exit code."""

    def run(**settings):
        process = multiprocessing.get_context("fork").Process(target=job.main, args=(settings,))
        process.start()
        process.join()
        return process.exitcode

    return run
