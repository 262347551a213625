"""The laws that every univariate basis obeys."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from kanop.kan import Basis, KANLinear
from kanop.solvers.errors import check

__all__ = ["check_basis"]

CELLS = 1200
# Points of Gauss' rule in a cell; of a smooth function its error is rounding.
NODES, WEIGHTS = (torch.from_numpy(values) for values in np.polynomial.legendre.leggauss(8))
HIGHEST = 3
FAR = (10.0, 100.0, 1e3, 1e4)


def check_basis(basis: Basis) -> None:
    """B_1 … B_K with their derivatives in closed form: raise KanopError, naming the law, unless a basis obeys them all.

    1. `functions(t, r)` gives `size` tensors like t, in the precision of t, the same in float32 as in float64.
    2. Derivatives are continuous up to order `smoothness`, and not one order further where it is finite.
    3. The functions of order r = 1, 2, 3 are the derivatives of those of order r − 1: integrals over 1200 cells.
    4. `expand` is `functions` after `squash`, and its first and second derivatives by autograd are exact.
    5. Values and two derivatives are finite for |x| up to 1e4, in float32.
    6. `derivatives` (by `fill`, where there is one) gives what `functions` gives, for several orders at once.
    7. `second_moment` is the mean of E[B_m(squash(x))²] for a standard normal x.
    8. Six layers of `KANLinear` at their initial weights keep the spread of a standard normal input within ½ to 2.

    Parameters
    ----------
    basis : any `Basis`, yours too; left as it came

    Raises
    ------
    KanopError : with the law that is broken and by how much

    Examples
    --------
    >>> from kanop.kan import Fourier
    >>> check_basis(Fourier(3))
    """
    edges = _edges(basis)
    _check_shapes(basis, edges)
    _check_smoothness(basis, edges)
    for order in range(1, HIGHEST + 1):
        _check_derivative(basis, edges, order)
    _check_expand(basis)
    _check_far(basis)
    _check_fill(basis, edges)
    _check_second_moment(basis)
    _check_spread(basis)


def _edges(basis: Basis) -> Tensor:
    """Values t between which the functions are looked at: the domain, or eight standard deviations of the input."""
    low, high = (float(end) for end in basis.domain)
    low, high = (max(low, -8.0), min(high, 8.0)) if math.isinf(high - low) else (low, high)
    # No knot of a uniform grid falls on an edge.
    inset = (high - low) * math.sqrt(2) * 1e-4
    x = torch.linspace(low + inset, high - 0.7 * inset, CELLS + 1, dtype=torch.float64)
    return basis.squash(x)


def _values(basis: Basis, t: Tensor, order: int) -> Tensor:
    with torch.no_grad():
        return torch.stack(list(basis.functions(t, order)))


def _check_shapes(basis: Basis, t: Tensor) -> None:
    for order in range(HIGHEST + 1):
        values = list(basis.functions(t, order))
        what = f"functions(t, {order})"
        check(len(values) == basis.size, f"{what} should hold size = {basis.size} functions, got {len(values)}")
        for dtype in (torch.float64, torch.float32):
            for m, value in enumerate(basis.functions(t.to(dtype), order)):
                where = f"{what}[{m}]"
                check(
                    value.shape == t.shape, f"{where} should have the shape {tuple(t.shape)}, got {tuple(value.shape)}"
                )
                check(value.dtype == dtype, f"{where} should keep {dtype}, got {value.dtype}")
                check(bool(value.isfinite().all()), f"{where} is not finite within the domain")
        if order <= basis.smoothness:
            _check_rounding(basis, t, order)


def _check_rounding(basis: Basis, t: Tensor, order: int) -> None:
    rounded = t.float()
    exact, single = _values(basis, rounded.double(), order), _values(basis, rounded, order).double()
    size = exact.abs().amax(-1, keepdim=True)
    worst = float(((single - exact).abs() / (size + 1e-30)).amax())
    check(worst < 1e-4, f"functions(t, {order}) in float32 and float64 differ by {worst:.1e} of their size")


def _check_derivative(basis: Basis, edges: Tensor, order: int) -> None:
    """Compare ∫ B^(r) over every cell with the difference of B^(r−1), as a mean slope."""
    width = edges.diff()
    nodes = edges[:-1, None] + width[:, None] * (NODES + 1) / 2
    integral = (_values(basis, nodes, order) * WEIGHTS / 2).sum(-1)
    lower = _values(basis, edges, order - 1)
    size = integral.abs().amax() + 1e-12 * (lower.abs().amax() / width.abs().amin()) + 1e-300
    error = (integral - lower.diff(dim=-1) / width).abs().amax(0) / size
    # Where a derivative of some order jumps inside a cell, Gauss' rule errs; a function has some three such points.
    allowed = 0.0 if math.isinf(basis.smoothness) else min(0.5, 3 * basis.size / CELLS)
    broken = float((error > 1e-7).double().mean())
    check(
        broken <= allowed,
        f"functions(t, {order}) are not the derivatives of functions(t, {order - 1}): they differ on "
        f"{100 * broken:.1f} % of the domain, by up to {float(error.amax()):.1e} of their size",
    )
    if order <= basis.smoothness:
        worst, where = float(error.amax()), float(edges[int(error.argmax())])
        check(worst < 1e-2, f"functions(t, {order}) differ from the derivative by {worst:.1e} near t = {where:.4g}")


def _check_smoothness(basis: Basis, edges: Tensor) -> None:
    # Beyond the third order an analytic basis need not go.
    last = HIGHEST if math.isinf(basis.smoothness) else min(int(basis.smoothness), HIGHEST) + 1
    for order in range(last + 1):
        jump, where = _largest_jump(basis, edges, order)
        if order <= basis.smoothness:
            law = f"smoothness = {basis.smoothness}, but the derivatives of order {order} jump"
            check(jump < 1e-6, f"{law} by {jump:.1e} of their size at t = {where:.4g}")
        else:
            law = f"smoothness = {basis.smoothness}, but the derivatives of order {order} are continuous too"
            check(jump > 1e-4, f"{law}; say {order} or more (math.inf for analytic functions)")


def _largest_jump(basis: Basis, edges: Tensor, order: int) -> tuple[float, float]:
    """The largest jump of the derivatives over their size, and where: every cell is halved towards its larger step."""
    size = _values(basis, edges, order).abs().amax()
    # One row a function: each follows its own jumps.
    coarse = edges[::4]
    left, right = (e.expand(basis.size, -1) for e in (coarse[:-1], coarse[1:]))

    def own(t: Tensor) -> Tensor:
        return torch.diagonal(_values(basis, t, order), dim1=0, dim2=1).T

    a, b = own(left), own(right)
    for _ in range(50):
        middle = (left + right) / 2
        m = own(middle)
        first = (m - a).abs() > (b - m).abs()
        left, right = torch.where(first, left, middle), torch.where(first, middle, right)
        a, b = torch.where(first, a, m), torch.where(first, m, b)
    jumps = (b - a).abs() / (size + 1e-300)
    worst = int(jumps.argmax())
    return float(jumps.flatten()[worst]), float(left.flatten()[worst])


def _check_fill(basis: Basis, t: Tensor) -> None:
    far = basis.squash(torch.tensor([sign * size for size in FAR for sign in (1, -1)], dtype=t.dtype))
    for dtype, tolerance in ((torch.float64, 1e-10), (torch.float32, 1e-4)):
        for orders in ([0], [0, 1, 2], [1], [2, 3]):
            near, beyond = (basis.derivatives(at.to(dtype).reshape(-1, 1), orders) for at in (t, far))
            law = f"derivatives(t, {orders}) in {dtype}"
            check(bool(beyond.isfinite().all()), f"{law} are not finite at |x| up to {FAR[-1]:g}")
            for order, rows in zip(orders, near, strict=True):
                want = _values(basis, t.to(dtype).reshape(-1, 1), order)
                _require_equal(rows, want, f"{law} differ from functions(t, {order})", tolerance)


def _check_expand(basis: Basis) -> None:
    low, high = (max(min(float(end), 4.0), -4.0) for end in basis.domain)
    x = torch.linspace(low, high, 62, dtype=torch.float64)[1:-1].reshape(4, 15, 1).requires_grad_()
    t = basis.squash(x)
    values = basis.expand(x)
    want = (4, 15, basis.size, 1)
    check(tuple(values.shape) == want, f"expand of (4, 15, 1) should have shape {want}, got {tuple(values.shape)}")
    _require_equal(values, torch.stack(list(basis.functions(t)), -2), "expand is not functions after squash")
    # A fixed direction in the K functions, so that no two errors cancel.
    weight = torch.cos(torch.arange(1, basis.size + 1, dtype=torch.float64))[:, None]
    first, second = (torch.stack(list(basis.functions(t, r)), -2) for r in (1, 2))
    (slope,) = torch.autograd.grad((values * weight).sum(), x, create_graph=True)
    s1, s2 = basis.squash(x, 1)[..., None, :], basis.squash(x, 2)[..., None, :]
    _require_equal(slope, (first * s1 * weight).sum(-2), "the first derivative of expand by autograd is wrong")
    (curve,) = torch.autograd.grad(slope.sum(), x)
    exact = ((second * s1**2 + first * s2) * weight).sum(-2)
    _require_equal(curve, exact, "the second derivative of expand by autograd is wrong")


def _require_equal(a: Tensor, b: Tensor, law: str, tolerance: float = 1e-10) -> None:
    worst = float(((a - b).abs().amax() / (b.abs().amax() + 1e-30)).detach())
    check(worst < tolerance, f"{law}: by {worst:.1e} of its size")


def _check_far(basis: Basis) -> None:
    for size in FAR:
        x = torch.tensor([[-size], [size]], requires_grad=True)
        values = basis.expand(x)
        (slope,) = torch.autograd.grad(values.sum(), x, create_graph=True)
        (curve,) = torch.autograd.grad(slope.sum(), x, allow_unused=True)
        for what, value in (("values", values), ("derivatives", slope), ("second derivatives", curve)):
            check(
                value is None or bool(value.isfinite().all()), f"the {what} at |x| = {size:g} are not finite in float32"
            )


def _check_second_moment(basis: Basis) -> None:
    # Quantiles of equal probability: no quadrature, and no noise either.
    levels = (torch.arange(20000, dtype=torch.float64) + 0.5) / 20000
    x = math.sqrt(2) * torch.erfinv(2 * levels - 1)
    exact = float(_values(basis, basis.squash(x), 0).square().mean())
    law = "second_moment is the mean of E[B_m(squash(x))²] for a standard normal x"
    check(abs(basis.second_moment / exact - 1) < 1e-2, f"{law}: expected {exact:.5g}, got {basis.second_moment:.5g}")


def _check_spread(basis: Basis) -> None:
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        layers = nn.Sequential(*(KANLinear(32, 32, basis) for _ in range(6)))
        y = layers(torch.randn(1000, 32))
    spread = float(y.std())
    check(0.5 < spread < 2, f"after six initial layers a spread of 1 should be within 0.5 to 2, got {spread:.2g}")
