"""φ-functions against 60-digit arithmetic."""

import mpmath
import pytest
import torch

from kanop.solvers.phi import block_phi, expm1, phi


def reference(j: int, z: complex) -> complex:
    with mpmath.workdps(60):
        z = mpmath.mpc(z)
        if abs(z) < 1e-3:
            return complex(mpmath.nsum(lambda n: z**n / mpmath.factorial(n + j), [0, 30]))
        tail = sum(z**n / mpmath.factorial(n) for n in range(j))
        return complex((mpmath.exp(z) - tail) / z**j)


MODULI = [1e-12, 1e-7, 1e-3, 0.1, 0.9, 1.99, 2.01, 3.0, 10.0, 123.4, 1e4, 1e6]


@pytest.mark.parametrize("j", [1, 2, 3, 4])
@pytest.mark.parametrize("direction", [-1, 1j, -1j, complex(-0.6, 0.8), complex(-0.1, -0.995)])
def test_phi_to_1e_13(j, direction):
    z = torch.tensor([r * direction for r in MODULI], dtype=torch.complex128)
    if direction == -1:
        z = z.real
    expected = torch.tensor([reference(j, complex(v)) for v in z.tolist()], dtype=torch.complex128)
    error = (phi(j, z) - expected).abs() / expected.abs()
    assert float(error.max()) < 1e-13


def test_phi_at_zero_is_one_over_factorial():
    zero = torch.zeros(1, dtype=torch.float64)
    assert [float(phi(j, zero)) for j in range(5)] == [1, 1, 1 / 2, 1 / 6, 1 / 24]


def test_complex_expm1_keeps_small_arguments():
    z = torch.tensor([1e-12j, complex(1e-9, -1e-9)], dtype=torch.complex128)
    expected = torch.tensor([complex(mpmath.expm1(mpmath.mpc(v))) for v in z.tolist()], dtype=torch.complex128)
    assert float(((expm1(z) - expected).abs() / expected.abs()).max()) < 1e-15


def block_reference(j: int, block: list[list[complex]]) -> torch.Tensor:
    """φ_j(Z) is the corner of the exponential of [[Z, 1, 0 …], [0, 0, 1 …], …] (Saad 1992), here in 60 digits."""
    c = len(block)
    with mpmath.workdps(60):
        big = mpmath.zeros(c * (j + 1))
        for r in range(c):
            for s in range(c):
                big[r, s] = mpmath.mpc(block[r][s])
        for r in range(c * j):
            big[r, r + c] = 1
        corner = mpmath.expm(big)[:c, c * j :]
        return torch.tensor([[complex(corner[r, s]) for s in range(c)] for r in range(c)], dtype=torch.complex128)


BLOCKS = {
    "defective": [[0, 1], [0, 0]],
    "wave": [[0, 1], [-4, 0]],
    "badly scaled wave": [[0, 1], [-1e8, 0]],
    "damped rotation": [[-0.3, -1], [1, -0.3]],
    "stiff and not": [[-1, 0.5], [1e-3, -1e-4]],
    "nearly defective": [[-1, 1], [1e-9, -1]],
    "complex": [[-0.5 + 1j, 0.25], [0.1j, -1j]],
    "three": [[-1, 0.2, 0], [0, -0.5, 1], [0.3, 0, -2]],
    "four": [[0, 1, 0, 0], [-1, 0, 0.1, 0], [0.2, 0, -0.5, 1], [0, 0.1, -1, -0.5]],
}


@pytest.mark.parametrize("j", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("name", BLOCKS)
def test_phi_of_blocks_to_the_condition_of_the_exponential(j, name):
    for size in (1e-12, 1e-3, 0.9, 3.0, 47.0, 1e3):
        block = [[size * v for v in row] for row in BLOCKS[name]]
        dtype = torch.complex128 if name == "complex" else torch.float64
        z = torch.tensor(block, dtype=dtype)[..., None]
        expected = block_reference(j, block)
        error = (block_phi(j, z)[..., 0] - expected).abs()
        # e^λ of a rounded λ is off by |λ|ε; a row of a badly scaled block is as large as the ratio of its scales.
        radius = float(torch.linalg.eigvals(z[..., 0].to(torch.complex128)).abs().max())
        ratio = 1e4 if name == "badly scaled wave" else 1.0
        weight = torch.tensor([[1.0, ratio], [1 / ratio, 1.0]]) if len(block) == 2 else 1.0
        scale = float((expected.abs() * weight).max())
        assert float((error * weight).max()) <= 2e-14 * max(5.0, radius) * scale, (size, error)


def test_a_stiff_partner_costs_no_digits():
    stiff = torch.tensor([-3e5, -1e6, -20.0, -1e3], dtype=torch.float64)
    mild = torch.tensor([-1.0, 1e-9, 0.4, -0.9], dtype=torch.float64)
    zero = torch.zeros_like(mild)
    blocks = torch.stack([torch.stack([stiff, zero]), torch.stack([zero, mild])])
    for j in range(5):
        value = block_phi(j, blocks)
        torch.testing.assert_close(value[1, 1], phi(j, mild), rtol=1e-13, atol=0)
        torch.testing.assert_close(value[0, 0], phi(j, stiff), rtol=1e-13, atol=0)
        assert float((value[0, 1].abs() + value[1, 0].abs()).max()) == 0


def test_phi_of_a_block_of_eigenvectors_is_phi_of_the_eigenvalues():
    generator = torch.Generator().manual_seed(0)
    for c in (2, 3, 4):
        vectors = torch.linalg.qr(torch.randn(c, c, generator=generator, dtype=torch.float64))[0]
        values = torch.tensor([-30.0, -1.0, 0.5, -1e-6], dtype=torch.float64)[:c]
        for j in range(5):
            expected = vectors @ torch.diag(phi(j, values)) @ vectors.T
            z = (vectors @ torch.diag(values) @ vectors.T)[..., None]
            torch.testing.assert_close(block_phi(j, z)[..., 0], expected, rtol=0, atol=1e-13)
