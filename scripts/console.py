"""What the commands say: stages with their time, progress as a bar on a terminal and as plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

__all__ = ["duration", "progress", "say", "stage"]

Report = Callable[[int, int, str], None]


def say(text: str) -> None:
    """One line, never broken: paths and commands stay whole for copying."""
    from kanop.training.runs import rank

    if rank() == 0:
        Console(soft_wrap=True, highlight=False, markup=False).print(text)


def duration(seconds: float) -> str:
    """Seconds as a reader says them.

    >>> [duration(s) for s in (0.04, 2.34, 75, 7300)]
    ['0.04 s', '2.3 s', '1 min 15 s', '2 h 1 min']
    """
    if seconds < 60:
        return f"{seconds:.2g} s" if seconds < 9.95 else f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{int(seconds // 60)} min {int(seconds % 60)} s"
    return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60)} min"


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Say what begins, and how long it took."""
    say(f"── {name}")
    start = time.perf_counter()
    yield
    say(f"   {name}: {duration(time.perf_counter() - start)}")


@contextmanager
def progress(unit: str, every: float = 10.0) -> Iterator[Report]:
    """A function (done, total, message) that shows how far the work is, its rate and the time left."""
    console = Console(soft_wrap=True, highlight=False, markup=False)
    if not console.is_terminal:
        yield _Lines(unit, every)
        return
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"), TimeRemainingColumn())
    with Progress(TextColumn("{task.description}", markup=False), *columns, console=console) as bar:
        task = bar.add_task("", total=None, rate="")

        def show(done: int, total: int, message: str) -> None:
            speed = bar.tasks[0].speed
            rate = f"{speed:.3g} {unit}/s" if speed else ""
            bar.update(task, completed=done, total=total, description=message, rate=rate)

        yield show


class _Lines:
    """Plain lines, at most one every `every` seconds besides new kinds of message."""

    def __init__(self, unit: str, every: float) -> None:
        self.unit, self.every = unit, every
        self.start, self.last, self.kind = time.monotonic(), 0.0, ""
        self.first: int | None = None

    def __call__(self, done: int, total: int, message: str) -> None:
        now, kind = time.monotonic(), message.partition(":")[0]
        self.first = done if self.first is None else self.first
        if now - self.last < self.every and kind == self.kind and done < total:
            return
        self.last, self.kind = now, kind
        rate = (done - self.first) / max(now - self.start, 1e-9)
        left = f"  {rate:.3g} {self.unit}/s, {duration((total - done) / rate)} left" if rate and done < total else ""
        say(f"   {done}/{total}  {message}{left}")
