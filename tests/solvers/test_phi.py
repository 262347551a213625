"""φ-functions against 60-digit arithmetic."""

import mpmath
import pytest
import torch

from kanop.solvers.phi import expm1, phi


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
