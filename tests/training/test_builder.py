"""What a tree of `_target_`s may name, and what its arguments may be."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pytest
import torch
from torch import nn

from kanop.builder import build, check_tree, locate
from kanop.hints import accepts
from kanop.kan import Chebyshev, KANLinear
from kanop.operators import FNO, Normaliser
from kanop.solvers import FieldSpec, Grid, KanopError
from kanop.training.describe import describe

GRID = {"_target_": "kanop.Grid", "shape": [8]}
SPEC = {"_target_": "kanop.FieldSpec", "grid": GRID, "fields": ["u"]}

ATTACKS = [
    "torch.nn.modules.module.torch.hub.load",
    "torch.nn.modules.module.torch.utils.data.DataLoader",
    "torch.nn.functional.relu",
    "torch.nn.Module.__init_subclass__",
    "torch.nn.modules.linear.__builtins__",
    "os.system",
    "builtins.eval",
    "subprocess.Popen",
    "torch.load",
    "torch.optim.AdamW",
    "kanop.builder.importlib.import_module",
    "kanop.builder.build",
    "kanop.training.exports.Path",
    "kanop.solvers.grid.Grid.to",
    "kanop.__main__.main",
    "kanopevil.Model",
    "torch.nnevil.Model",
    "neuralop.models.fno.partial",
    "Grid",
    "kanop..Grid",
    "",
]


@pytest.mark.parametrize("target", ATTACKS)
def test_nothing_but_admitted_classes(target):
    before = set(sys.modules)
    with pytest.raises(KanopError, match=r"_target_|unknown class of"):
        check_tree({"_target_": target}, trusted=False)
    assert not {"kanopevil", "subprocess_evil"} & (set(sys.modules) - before)


@pytest.mark.parametrize(
    "tree",
    [
        {**GRID, "_partial_": True},
        {**GRID, "_args_": [[8]]},
        {"_target_": ["kanop.Grid"]},
        {**SPEC, "grid": {"_target_": "os.getcwd"}},
        {**SPEC, "fields": [{"_target_": "builtins.list"}]},
        {"a": {"b": [{"_target_": "os.system", "command": "true"}]}},
    ],
)
def test_attacks_inside_a_tree(tree):
    with pytest.raises(KanopError, match=r"refused|_target_"):
        build(tree, trusted=False)


def test_a_dataclass_from_elsewhere_that_kanop_merely_holds(monkeypatch):
    @dataclass
    class Elsewhere:
        command: str = "true"

    import kanop.solvers

    monkeypatch.setattr(kanop.solvers, "Elsewhere", Elsewhere, raising=False)
    with pytest.raises(KanopError, match="is refused"):
        build({"_target_": "kanop.solvers.Elsewhere"}, trusted=False)


def test_nothing_is_built_before_all_is_checked():
    made = []

    class Loud(nn.Module):
        def __init__(self, child: nn.Module | None = None):
            super().__init__()
            made.append(self)

    name = f"{Loud.__module__}.{Loud.__qualname__}"
    tree = {"_target_": name, "child": {"_target_": name, "child": {"_target_": "os.system"}}}
    with pytest.raises(KanopError, match=r"child\.child: _target_ 'os.system' is refused"):
        build(tree, trusted=False, allow=[Loud])
    assert not made
    build({"_target_": name, "child": {"_target_": name}}, trusted=False, allow=[Loud])
    assert len(made) == 2


def test_trees_build_what_they_name():
    spec = build(SPEC, trusted=False)
    assert spec == FieldSpec(Grid((8,)), ["u"])
    model = build({"_target_": "kanop.FNO", "n_modes": [4], "hidden_channels": 4}, trusted=True, spec=spec)
    assert isinstance(model, FNO)
    assert model(torch.zeros(1, 1, 8)).shape == (1, 1, 8)
    linear = {"_target_": "torch.nn.Linear", "in_features": 2, "out_features": 3}
    assert isinstance(build(linear, trusted=False), nn.Linear)
    assert build([{"x": 1}, "text", None], trusted=False) == [{"x": 1}, "text", None]


def test_the_user_s_own_configuration_may_name_any_class():
    assert build({"_target_": "fractions.Fraction", "numerator": 1}, trusted=True) == 1
    with pytest.raises(KanopError, match="is a function, expected a class"):
        build({"_target_": "os.path.join"}, trusted=True)


FNO_NODE = {"_target_": "kanop.operators.FNO", "n_modes": [4]}


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ({**FNO_NODE, "hidden_chanels": 8}, r"did you mean 'hidden_channels'"),
        ({**FNO_NODE, "n_modes": 4}, r"operator.n_modes: expected Sequence\[int\] \| None, got 4 \(int\)"),
        ({**FNO_NODE, "n_modes": [4.5]}, r"expected Sequence\[int\] \| None, got \[4.5\] \(list\)"),
        ({**FNO_NODE, "n_layers": "2"}, r"operator.n_layers: expected int, got '2' \(str\)"),
        ({**FNO_NODE, "position": 1}, r"operator.position: expected bool, got 1 \(int\)"),
        ({**FNO_NODE, "n_layers": True}, r"operator.n_layers: expected int, got True \(bool\)"),
        ({"_target_": "kanop.operators.FNO"}, r"FNO needs n_modes, which is not given"),
        ({**FNO_NODE, "spec": SPEC}, r"spec is set by kanop itself"),
        ({"_target_": "kanop.operators.FNOO"}, r"unknown class of kanop.operators 'FNOO'; did you mean 'FNO'"),
        ({"_target_": "kanop.operator.FNO"}, r"names no module that can be imported"),
    ],
)
def test_arguments_are_compared_with_the_signature(tree, words):
    with pytest.raises(KanopError, match=words):
        check_tree(tree, trusted=True, where="operator", spec=FieldSpec(Grid((8,)), ["u"]))


def test_a_node_must_become_what_the_argument_is():
    with pytest.raises(KanopError, match="grid: expected Geometry, got a FieldSpec"):
        check_tree({**SPEC, "grid": SPEC}, trusted=False)


def test_locate_finds_a_class():
    assert locate("kanop.operators.Normaliser") is Normaliser


@pytest.mark.parametrize(
    ("hint", "good", "bad"),
    [
        (int, [1], [1.0, True, "1", None]),
        (float, [1, 1.0], [True, "1", None]),
        (bool, [True], [1, "yes"]),
        (str, ["a"], [1, ["a"]]),
        (int | None, [1, None], ["a"]),
        (Sequence[int], [[1], (1, 2), []], [1, "ab", [1.5], [True]]),
        (tuple[float, float], [[0.9, 0.99]], [[0.9], [0.9, "a"]]),
        (tuple[int, ...], [[], [1, 2, 3]], [[1.5]]),
        (Sequence[float] | None, [None, [1]], [["a"]]),
        (str | Sequence[str], ["a", ["a"]], [[1], 1]),
        (Literal["a", "b"], ["a"], ["c"]),
        (dict[str, int], [{"a": 1}], [{"a": "b"}, [1]]),
        (torch.Tensor, [torch.ones(1)], [[1.0]]),
    ],
)
def test_hints(hint, good, bad):
    assert [value for value in good if not accepts(hint, value)] == []
    assert [value for value in bad if accepts(hint, value)] == []


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    "make", [lambda bias: nn.Linear(2, 3, bias), lambda bias: KANLinear(2, 3, Chebyshev(4), bias=bias)]
)
def test_a_described_layer_is_built_again_with_and_without_bias(make, bias):
    layer = make(bias)
    again = build(describe(layer), trusted=False)
    again.load_state_dict(layer.state_dict())
    assert (again.bias is not None) == bias
    u = torch.randn(5, 2)
    assert torch.equal(again(u), layer(u))
