"""neuraloperator behind our interface: loaded late, leaves no trace in the process, never loses half of its weights."""

from __future__ import annotations

import subprocess
import sys
import warnings

import pytest
import torch

from kanop.operators import NeuralopFNO
from kanop.solvers import FieldSpec, Grid, KanopError

SPEC = FieldSpec(Grid((16,)), ["u"])

PROBE = """
import sys, warnings
from kanop.operators import NeuralopFNO
from kanop.solvers import FieldSpec, Grid
assert not [m for m in ("neuralop", "wandb", "matplotlib", "lightning") if m in sys.modules], "loaded too early"
before = list(warnings.filters)
NeuralopFNO(FieldSpec(Grid((16,)), ["u"]), (8,), 4)
assert "neuralop" in sys.modules
assert warnings.filters == before, "its filters stay"
"""


def test_is_loaded_at_the_first_construction_and_leaves_nothing_behind():
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_double_precision_is_refused_before_it_drops_imaginary_parts():
    model = NeuralopFNO(SPEC, (8,), 4)
    before = model.model.fno_blocks.convs[0].weight.to_tensor().clone()
    with pytest.raises(KanopError, match="float32 only"):
        model.double()
    assert torch.equal(model.model.fno_blocks.convs[0].weight.to_tensor(), before)
    assert model.to("cpu") is model


def test_walls_are_padded():
    model = NeuralopFNO(FieldSpec(Grid((16, 16), boundaries=("periodic", "dirichlet")), ["u"]), (8, 8), 4)
    assert model.model.domain_padding.domain_padding == [0.0, 0.125]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert model(torch.randn(1, 1, 16, 24)).shape == (1, 1, 16, 24)
