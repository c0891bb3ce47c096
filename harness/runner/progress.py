"""
Show the progress of a run: a bar on a terminal, now and then a plain line elsewhere.

Drawn only between measurements, by the caller of `step`: there is no thread that could wake while a
worker is measured.
"""

import sys
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as RichBar

from voxgate.harness.machine.clock import Clock, WallClock
from voxgate.harness.machine.readiness import disturbance

PLAIN_EVERY_S = 10.0
MEASURING = "measuring"
ScoreProgress = Callable[[int, int], None]
"""Called with (scores done, scores to compute)."""


class Progress(Protocol):
    """Somewhere to report to."""

    def phase(self, name: str) -> None:
        """Name what is done from now on: `measuring round 1 of 3`, `scoring`, `judging`."""

    def start(self, total: int, phase: str = MEASURING) -> None:
        """Begin a phase of which `total` steps are to come."""

    def step(self, text: str, eta_s: float | None) -> None:
        """One step is done; `eta_s` seconds are left, None if that cannot be said yet."""

    def end(self) -> None:
        """No more steps will come, whether all were done or not."""


class TimeEstimate:
    """
    Foretells how long is left from the steps done so far; steps of one kind take about the same
    time.
    """

    def __init__(self, steps: Mapping[str, int]) -> None:
        self._left = dict(steps)
        self._done = dict.fromkeys(steps, 0)
        self._spent_s = dict.fromkeys(steps, 0.0)

    def done(self, kind: str, duration_s: float) -> None:
        """Count one step."""
        self._left[kind] -= 1
        self._done[kind] += 1
        self._spent_s[kind] += duration_s

    def skip(self, kind: str, count: int) -> None:
        """Drop steps that will not be run."""
        self._left[kind] -= count

    def eta_s(self) -> float | None:
        """Return the remaining seconds; None while a kind that is still to come was never seen."""
        kinds = [kind for kind, count in self._left.items() if count > 0]
        if any(not self._done[kind] for kind in kinds):
            return None
        return sum(self._left[kind] * self._spent_s[kind] / self._done[kind] for kind in kinds)


class Silent:
    """Reports nothing."""

    def phase(self, name: str) -> None:
        """Go on to something else."""

    def start(self, total: int, phase: str = MEASURING) -> None:
        """Begin."""

    def step(self, text: str, eta_s: float | None) -> None:
        """Go on."""

    def end(self) -> None:
        """End."""


class Bar:
    """A bar with phase, time since the command began and time left, redrawn in place."""

    def __init__(self, console: Console | None = None, clock: Clock | None = None) -> None:
        self._clock = clock or WallClock()
        self._began_s = self._clock.seconds()
        columns = (
            TextColumn("{task.fields[phase]}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[elapsed]}"),
            TextColumn("{task.fields[left]}"),
            TextColumn("{task.description}"),
        )
        self._bar = RichBar(
            *columns, console=console or Console(stderr=True), auto_refresh=False, transient=True
        )
        self._task = self._bar.add_task("", total=None, left="", phase=MEASURING, elapsed="")

    def phase(self, name: str) -> None:
        """Name the phase, and show it at once."""
        self._bar.update(self._task, phase=name, description="", left="", **self._elapsed())
        self._bar.start()
        self._bar.refresh()

    def start(self, total: int, phase: str = MEASURING) -> None:
        """Draw the empty bar, anew for every run and for the rounds that are added to one."""
        self._bar.update(self._task, total=total, completed=0, phase=phase, **self._elapsed())
        self._bar.start()

    def step(self, text: str, eta_s: float | None) -> None:
        """Move the bar."""
        self._bar.update(
            self._task, advance=1, description=text, left=left(eta_s), **self._elapsed()
        )
        self._bar.refresh()

    def end(self) -> None:
        """Remove the bar."""
        self._bar.stop()

    def _elapsed(self) -> dict[str, Any]:
        return {"elapsed": elapsed(self._clock.seconds() - self._began_s)}


class Lines:
    """Plain lines, at most one every ten seconds: fit for logs."""

    def __init__(self, out: TextIO | None = None, clock: Clock | None = None) -> None:
        self._out = out or sys.stderr
        self._clock = clock or WallClock()
        self._began_s = self._clock.seconds()
        self._phase = MEASURING
        self._total = self._done = 0
        self._next_s = float("-inf")

    def phase(self, name: str) -> None:
        """Show that something else is done from now on."""
        self._phase = name
        self._say(f"{self._done}/{self._total}" if self._total else "")

    def start(self, total: int, phase: str = MEASURING) -> None:
        """Set the number of steps, anew for every run and for the rounds that are added to one."""
        self._phase, self._total, self._done = phase, total, 0
        self._say(f"0/{total}")
        self._next_s = self._clock.seconds() + PLAIN_EVERY_S

    def step(self, text: str, eta_s: float | None) -> None:
        """Count; say so if the last line is old enough."""
        self._done += 1
        if self._clock.seconds() >= self._next_s:
            self._say(" ".join(filter(None, (f"{self._done}/{self._total}", left(eta_s), text))))
            self._next_s = self._clock.seconds() + PLAIN_EVERY_S

    def end(self) -> None:
        """Show the number of finished steps, if the phase has steps."""
        if self._total:
            self._say(f"{self._done}/{self._total} done")
        self._total = self._done = 0

    def _say(self, line: str) -> None:
        took = elapsed(self._clock.seconds() - self._began_s)
        print(" ".join(filter(None, (self._phase, line, f"({took})"))), file=self._out, flush=True)


def make_progress(is_terminal: Callable[[], bool] = sys.stderr.isatty) -> Progress:
    """Return a bar on a terminal, lines elsewhere."""
    return Bar() if is_terminal() else Lines()


class Cautioned:
    """A display that first prints what speaks against measuring: once, before the first step."""

    def __init__(
        self, display: Progress, find: Callable[[], str] = disturbance, out: TextIO | None = None
    ) -> None:
        self._display, self._find, self._out = display, find, out or sys.stderr
        self._begun = False

    def phase(self, name: str) -> None:
        """Pass it on."""
        self._display.phase(name)

    def start(self, total: int, phase: str = MEASURING) -> None:
        """Look at the machine before its own work makes it busy, and begin."""
        if not self._begun and (why := self._find()):
            print(f"voxgate: {why}", file=self._out, flush=True)
        self._begun = True
        self._display.start(total, phase)

    def step(self, text: str, eta_s: float | None) -> None:
        """Pass it on."""
        self._display.step(text, eta_s)

    def end(self) -> None:
        """Pass it on."""
        self._display.end()


def measuring_progress() -> Progress:
    """Return the display of a run on this machine."""
    return Cautioned(make_progress())


def score_progress(progress: Progress | None = None, then: str = "") -> ScoreProgress:
    """
    Return the progress of scoring, from its first score on, in a display of its own if none is
    given; `then` is the phase that follows.
    """
    display, under_way = progress or make_progress(), False

    def show(done: int, total: int) -> None:
        nonlocal under_way
        if not under_way:
            display.start(total, "scoring")
            under_way = True
        display.step("", None)
        if done >= total:
            display.end()
            under_way = False
            if then:
                display.phase(then)

    return show


def left(eta_s: float | None) -> str:
    """Return the remaining time: `1 m 05 s left`; empty if unknown."""
    return "" if eta_s is None else f"{_for_people(eta_s)} left"


def elapsed(duration_s: float) -> str:
    """Return the time since the begin: `1 m 05 s elapsed`."""
    return f"{_for_people(duration_s)} elapsed"


def _for_people(duration_s: float) -> str:
    minutes, seconds = divmod(round(duration_s), 60)
    return f"{minutes} m {seconds:02} s" if minutes else f"{seconds} s"


Log = Callable[[str], None]
"""Takes a line for people."""
