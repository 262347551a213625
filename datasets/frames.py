"""`Frames`: equally spaced frames, after a time that is not recorded."""

from __future__ import annotations

import math
from dataclasses import dataclass

from kanop.solvers.errors import check

__all__ = ["Frames"]


@dataclass(frozen=True)
class Frames:
    r"""t_i = start + i (stop − start)/(count − 1), i = 0 … count − 1; the random state is that of start − burn_in.

    Parameters
    ----------
    start, stop : times of the first and the last frame, in the equation's unit of time
    count : number of frames, ≥ 2
    burn_in : time ≥ 0 that is integrated and not recorded: a forced or chaotic flow then starts on its attractor

    Raises
    ------
    KanopError : stop ≤ start, fewer than two frames, a negative burn_in

    Examples
    --------
    >>> Frames(0, 1, 3, burn_in=10).times
    (0.0, 0.5, 1.0)
    """

    start: float
    stop: float
    count: int
    burn_in: float = 0.0

    def __post_init__(self) -> None:
        for name in ("start", "stop", "burn_in"):
            object.__setattr__(self, name, float(getattr(self, name)))
        rising = -math.inf < self.start < self.stop < math.inf
        check(rising, f"expected increasing times start < stop, got {self.start:g} and {self.stop:g}")
        check(self.count >= 2, f"expected count >= 2 frames, got {self.count}")
        check(0 <= self.burn_in < math.inf, f"expected burn_in >= 0, got {self.burn_in}")

    @property
    def times(self) -> tuple[float, ...]:
        """The times of the frames; the last one is `stop` exactly."""
        inner = (self.start + (self.stop - self.start) * i / (self.count - 1) for i in range(self.count - 1))
        return (*inner, self.stop)
