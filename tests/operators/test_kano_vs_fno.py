"""On an operator with a variable coefficient, KANO's few dozen numbers beat an FNO's hundred thousands."""

from __future__ import annotations

import pytest

from kanop.scripts.benchmarks.position_operator import measure


@pytest.mark.slow
@pytest.mark.parametrize("potential", ["1 - cos x", "(x - L/2)^2"])
def test_kano_reaches_a_hundredth_of_the_error_with_a_hundredth_of_the_parameters(potential):
    methods = ("fno", "kano, splines of degree 2")
    fno, kano = (measure({"potential": potential, "method": method, "seed": 0}) for method in methods)
    assert kano["parameters"] <= 0.01 * fno["parameters"]
    assert fno["error"] < 0.05
    assert kano["error"] <= 0.01 * fno["error"]
