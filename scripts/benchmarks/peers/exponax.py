"""exponax (JAX): one compiled program a scheme, batched by `vmap` or `lax.map`, in double precision."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["BATCHINGS", "Runner", "burgers", "kuramoto_sivashinsky", "navier_stokes", "runner"]

BATCHINGS = ("vmap", "lax.map")

# (dt, order) ↦ a stepper of exponax.
Maker = Callable[[float, int], Any]

# (end time, steps, order) ↦ the states (b, *x) at the end.
Runner = Callable[[float, int, int], np.ndarray]


def navier_stokes(n: int, nu: float, force: np.ndarray) -> Maker:
    """Vorticity on the unit torus under a steady force (n, n).

    Its steppers take u = (ψ_y, −ψ_x) from +Δψ = w, so they advance w = −ω: the force changes sign here, as start and
    end do in `runner`.
    """
    import equinox as eqx
    import jax.numpy as jnp
    from exponax.stepper import NavierStokesVorticity

    class Forced(eqx.Module):
        convection: Any
        force_hat: Any

        def __call__(self, w_hat: Any) -> Any:
            return self.convection(w_hat) + self.force_hat

    force_hat = jnp.fft.rfft2(-jnp.asarray(force))[None]

    def make(dt: float, order: int) -> Any:
        stepper = NavierStokesVorticity(2, 1.0, n, dt, diffusivity=nu, order=order, dealiasing_fraction=_same_modes(n))
        forced = Forced(stepper._integrator._nonlinear_fun, force_hat)
        return eqx.tree_at(lambda s: s._integrator._nonlinear_fun, stepper, forced)

    return make


def burgers(n: int, nu: float, length: float, conservative: bool = True) -> Maker:
    """Burgers' equation with ∂(u²/2)/∂x, or with its default u ∂u/∂x, which transforms once more."""
    from exponax.stepper import Burgers

    def make(dt: float, order: int) -> Any:
        return Burgers(
            1, length, n, dt, diffusivity=nu, conservative=conservative, order=order, dealiasing_fraction=_same_modes(n)
        )

    return make


def kuramoto_sivashinsky(n: int, length: float) -> Maker:
    """The Kuramoto-Sivashinsky equation in conservative form."""
    from exponax.stepper import KuramotoSivashinskyConservative

    def make(dt: float, order: int) -> Any:
        return KuramotoSivashinskyConservative(1, length, n, dt, order=order, dealiasing_fraction=_same_modes(n))

    return make


def runner(make: Maker, u0: np.ndarray, batching: str, sign: float = 1.0) -> Runner:
    """Runs of one problem: compiled at the first call of an order, for any step and number of steps.

    Parameters
    ----------
    make : of the three above
    u0 : (b, *x) states at the start
    batching : "vmap" steps the batch together, "lax.map" takes one sample after the other
    sign : -1 where the peer's field is minus ours
    """
    import equinox as eqx
    import jax
    import jax.numpy as jnp
    from exponax import fft, ifft

    start = jnp.asarray(sign * u0)[:, None]
    dims, points = start.ndim - 2, start.shape[-1]
    steppers: dict[tuple[float, int], Any] = {}
    programs: dict[int, Any] = {}

    def program(static: Any) -> Any:
        @jax.jit
        def integrate(arrays: Any, u: Any, steps: Any) -> Any:
            stepper = eqx.combine(arrays, static)

            def one(u: Any) -> Any:
                u_hat = fft(u, num_spatial_dims=dims)
                u_hat = jax.lax.fori_loop(0, steps, lambda _, v: stepper.step_fourier(v), u_hat)
                return ifft(u_hat, num_spatial_dims=dims, num_points=points)

            return jax.vmap(one)(u) if batching == "vmap" else jax.lax.map(one, u)

        return integrate

    def run(end: float, steps: int, order: int) -> np.ndarray:
        dt = end / steps
        if (dt, order) not in steppers:
            # Coefficients are data of the program, the step size is not: one program serves every step size.
            arrays, static = eqx.partition(make(dt, order), eqx.is_array)
            steppers[dt, order] = arrays
            programs.setdefault(order, program(static))
        return sign * np.asarray(programs[order](steppers[dt, order], start, steps))[:, 0]

    return run


def _same_modes(n: int) -> float:
    """The fraction with which exponax keeps our modes, 3|m| < n; at its 2/3 it keeps one less on each side."""
    return ((n - 1) // 3 + 1.5) / (n // 2)
