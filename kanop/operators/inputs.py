"""What every operator demands of its input."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from kanop.solvers import FieldSpec, KanopError
from kanop.solvers.errors import check

__all__ = ["channel_names", "check_input", "check_modes"]

# Modes an axis where none are asked for, in one, two and three dimensions: those of the FNO paper's first two.
MODES = (32, 24, 12)


def channel_names(spec: FieldSpec) -> list[str]:
    """Names of the input channels, frame by frame, then the constants.

    >>> from kanop.solvers import Grid
    >>> channel_names(FieldSpec(Grid((8,)), ["u", "v"], ["a"], n_in=2))
    ['u(t-1)', 'v(t-1)', 'u(t)', 'v(t)', 'a']
    """
    frames = [f"t-{j}" if j else "t" for j in range(spec.n_in - 1, -1, -1)]
    return [f"{field}({t})" for t in frames for field in spec.fields] + list(spec.constants)


def check_input(u: Tensor, spec: FieldSpec, who: str) -> None:
    """Raise KanopError unless `u` is (b, c_in, *x) with the channels and axes of `spec`; any resolution goes."""
    d, c = spec.grid.ndim, spec.in_channels
    if u.ndim != d + 2 or u.shape[1] != c:
        names = ", ".join(channel_names(spec))
        axes = f"{d} axis" if d == 1 else f"{d} axes"
        raise KanopError(
            f"{who} expects (b, {c}, *x): {c} channels ({names}) on {axes} of any length, got shape {tuple(u.shape)}"
        )


def check_modes(n_modes: Sequence[int] | None, spec: FieldSpec, who: str) -> tuple[int, ...]:
    """`n_modes` as a tuple; raise KanopError unless it has one entry an axis, none above what the grid holds.

    None takes half of what each axis holds, at most 32 in one dimension, 24 in two and 12 in three.
    """
    shape = tuple(spec.grid.shape)
    if n_modes is None:
        n_modes = [max(1, min(n // 2, MODES[len(shape) - 1])) for n in shape]
    modes = tuple(int(n) for n in n_modes)
    check(
        len(modes) == len(shape),
        f"{who} needs one number of modes per axis of the grid {shape}, got n_modes={modes}; "
        f"for example n_modes={[modes[0] if modes else 16] * len(shape)}",
    )
    check(
        all(1 <= m <= n for m, n in zip(modes, shape, strict=True)),
        f"{who}: n_modes={modes} on a grid of {shape} points; n_modes counts both signs, so an axis of n points "
        f"holds 1 to n modes and the largest allowed here is n_modes={shape}",
    )
    return modes
