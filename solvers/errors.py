"""The errors that kanop raises, and the words that they share."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from torch import Tensor

__all__ = ["DataError", "KanopError", "SolverDiverged", "check", "nearest"]


class KanopError(ValueError):
    """Bad input or a failed computation: what was expected, what came, what to do."""


class DataError(KanopError):
    """A data file that is missing, broken, tampered with or of another kind than asked for."""


class SolverDiverged(KanopError):
    """The solution stopped being finite, or no step small enough met the tolerance.

    Attributes
    ----------
    sample : index in the batch of the first sample that diverged
    time : time of the last good state
    dt : the step that failed
    hint : what to change
    """

    def __init__(self, sample: int, time: float, dt: float, hint: str) -> None:
        self.sample, self.time, self.dt, self.hint = sample, time, dt, hint
        super().__init__(f"sample {sample} diverged after t = {time:.6g} with dt = {dt:.3g}: {hint}")

    def __reduce__(self) -> tuple:
        return type(self), (self.sample, self.time, self.dt, self.hint)


def check(condition: bool | Tensor, message: str, error: type[KanopError] = KanopError) -> None:
    """Raise `error(message)` unless `condition` holds."""
    if not condition:
        raise error(message)


def nearest(name: str, choices: Iterable[str], what: str) -> str:
    """Return the sentence that answers an unknown `name`: the nearest choices, then all of them.

    >>> nearest("etdrk5", ["etdrk2", "etdrk4"], "scheme")
    "unknown scheme 'etdrk5'; did you mean 'etdrk4' or 'etdrk2'? choices: etdrk2, etdrk4"
    """
    options = sorted(choices)
    close = difflib.get_close_matches(name, options, n=2, cutoff=0.5)
    guess = f"; did you mean {' or '.join(repr(c) for c in close)}?" if close else ";"
    return f"unknown {what} {name!r}{guess} choices: {', '.join(options) or '(none)'}"
