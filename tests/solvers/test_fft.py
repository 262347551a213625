"""Transforms by ducc0: those of torch, and only where nothing but values is asked for."""

import pytest
import torch

from kanop.solvers import Grid, NavierStokes2D, fft, solve

pytest.importorskip("ducc0")

TOLERANCE = {torch.float32: 2e-6, torch.float64: 1e-14}
SHAPES = {"1d": (3, 2, 1000), "2d": (2, 96, 101), "3d": (1, 2, 12, 10, 96)}


def close(a: torch.Tensor, b: torch.Tensor, dtype: torch.dtype) -> bool:
    return a.shape == b.shape and a.dtype == b.dtype and bool((a - b).abs().max() <= TOLERANCE[dtype] * b.abs().max())


def sample(shape, dtype):
    return torch.randn(shape, dtype=dtype, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_both_libraries_transform_alike(shape, dtype):
    dims = range(2 - len(shape), 0) if len(shape) != 3 else range(-1, 0)
    for u in (sample(shape, dtype), sample(shape[::-1], dtype).permute(*reversed(range(len(shape))))):
        assert fft._ducc(u, shape[-1]) is not None
        u_hat = fft.rfftn(u, dims)
        assert close(u_hat, torch.fft.rfftn(u, dim=tuple(dims), norm="forward"), dtype)
        assert close(fft.irfftn(u_hat, [shape[d] for d in dims], dims), u, dtype)
        z = torch.complex(u, u.flip(0)).conj()
        for inverse in (False, True):
            want = (torch.fft.ifftn if inverse else torch.fft.fftn)(z, dim=tuple(dims), norm="forward")
            assert close(fft.fftn(z, dims, inverse), want, dtype)
            wide = torch.zeros(*shape[:-1], shape[-1] + 3, dtype=z.dtype)
            fft.fftn(z, dims, inverse, out=wide[..., 3:])
            assert close(wide[..., 3:], want, dtype)
            assert not bool(wide[..., :3].any())


def test_a_flow_is_the_same_by_either_library():
    grid = Grid((96, 100))
    start = NavierStokes2D(nu=1e-3).constrain(sample((2, 1, 96, 100), torch.float64), grid)
    runs = [solve(NavierStokes2D(nu=1e-3), start, grid, [0.0, 0.1], dt=0.01).u]
    with fft.torch_alone():
        assert fft._ducc(start, 100) is None
        runs.append(solve(NavierStokes2D(nu=1e-3), start, grid, [0.0, 0.1], dt=0.01).u)
    assert not torch.equal(*runs)
    assert float((runs[0] - runs[1]).abs().max()) < 1e-12 * float(runs[1].abs().max())


def test_gradients_tangents_and_function_transforms_pass():
    u, v = sample((2, 1, 128), torch.float64), sample((2, 1, 128), torch.float64)

    def power(u):
        return fft.rfftn(u, [-1]).abs().square().sum()

    want = float((torch.autograd.grad(power(u.requires_grad_()), u)[0] * v).sum())
    assert want != 0
    assert float(torch.func.jvp(power, (u.detach(),), (v,))[1]) == pytest.approx(want, rel=1e-12)
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(u.detach(), v)
        assert float(torch.autograd.forward_ad.unpack_dual(power(dual)).tangent) == pytest.approx(want, rel=1e-12)
    assert torch.allclose(torch.vmap(power)(u.detach()), torch.stack([power(w) for w in u.detach()]))
    with torch.no_grad():
        assert float(power(u)) == pytest.approx(float(power(u.detach())))
