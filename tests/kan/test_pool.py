"""A pool of bases keeps, feature by feature, what the function is made of, and loses nothing when pruned."""

from __future__ import annotations

import pytest
import torch

from kanop.kan import Chebyshev, Fourier, GaussianRBF
from kanop.kan.activations import SelectablePool


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def test_pool_selects_what_made_the_function():
    """A node that is a wave keeps the Fourier basis, one that is a polynomial the Chebyshev basis."""
    pool = SelectablePool(2, [Chebyshev(4), Fourier(2), GaussianRBF(4)])
    with torch.no_grad():
        pool.weights.fill_(0.01)
        pool.weights[1, 0] = pool.weights[0, 1] = 1.0
    assert pool.phase == "full"
    pool.select(keep=1)
    assert pool.phase == "selected"
    assert pool.mask.int().T.tolist() == [[0, 1, 0], [1, 0, 0]]
    x = torch.randn(6, 2)
    alone = Fourier(2).expand(x)[..., 0] @ pool.coefficients[1][:, 0]
    torch.testing.assert_close(pool(x)[:, 0], alone)
    smaller = pool.pruned()
    assert [type(basis) for basis in smaller.bases] == [Chebyshev, Fourier]
    torch.testing.assert_close(smaller(x), pool(x))


def test_pool_starts_with_unit_mean_square():
    """In the mean over many features, whatever the scale of the bases and their domains."""
    pool = SelectablePool(3000, [Chebyshev(4), GaussianRBF(4, -0.1, 0.1)])
    assert pool.second_moment == pytest.approx(1, rel=0.05)


def test_pool_never_takes_back_what_it_dropped():
    pool = SelectablePool(1, [Chebyshev(2), Fourier(1)])
    pool.select(1)
    kept = pool.mask.clone()
    with torch.no_grad():
        pool.weights[~kept] = 100.0
    pool.select(1)
    assert torch.equal(pool.mask, kept)
    again = SelectablePool(1, [Chebyshev(2), Fourier(1)])
    again.load_state_dict(pool.state_dict())
    assert again.phase == "selected"
