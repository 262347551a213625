"""Importing and reading loads neither lightning nor matplotlib."""

from __future__ import annotations

import subprocess
import sys


def test_reading_needs_no_lightning_and_no_matplotlib() -> None:
    code = (
        "import sys, numpy as np, kanop.datasets as d\n"
        "w = d.Windows(d.from_arrays({'u': np.ones((2, 3, 4))}, {'fields': {'u': 'b t x'}})); w[0]\n"
        "d.Recipe, d.generate, d.open_data, d.Loader\n"
        "assert callable(d.generate) and callable(d.estimate)\n"
        "bad = [m for m in ('lightning', 'pytorch_lightning', 'matplotlib', 'wandb', 'neuralop') if m in sys.modules]\n"
        "assert not bad, bad\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_public_name_is_there() -> None:
    import kanop.datasets

    for name in kanop.datasets.__all__:
        assert getattr(kanop.datasets, name).__doc__
