"""
What a trend says today: one word, the day since when, and one line for people.

Everything that is the case is said, the gravest first; the word is that of the first. Finds nothing itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from harness.history.alarm import ENOUGH, OF, Alarm
from harness.history.budget import Broken
from harness.history.margin import shift_text
from harness.history.nights import NoData
from harness.history.records import Series


class State(StrEnum):
    """The six words, the gravest first."""

    WORSE = "worse"
    OVER_BUDGET = "over budget"
    NO_DATA = "no data"
    BETTER = "better"
    TOO_FEW = "too few"
    STEADY = "steady"


@dataclass(frozen=True, slots=True, kw_only=True)
class Says:
    """One thing that is the case, since a UTC day (None: there never was a day), in words for people."""

    state: State
    since: str | None
    text: str


def of_alarm(series: Series, alarm: Alarm | None, since: str | None) -> list[Says]:
    """Say what stands, if anything; `since` is the day to which the step is dated."""
    if alarm is None:
        return []
    by = alarm.threshold if alarm.absolute else alarm.threshold / abs(alarm.level)
    text = (
        f"{shift_text(alarm.shift, alarm.absolute, series.unit)} since {since}: {alarm.beyond} of the last {OF} nights"
        f" off {value_text(alarm.level, series.unit)} by more than {shift_text(by, alarm.absolute, series.unit).lstrip('+')}"
    )
    if alarm.side == "worse":
        return [Says(state=State.WORSE, since=since, text=text)]
    return [Says(state=State.BETTER, since=since, text=f"{text}; acknowledge it to hold on to it")]


def of_budget(series: Series, broken: Broken | None) -> list[Says]:
    """Say which budget is broken, if one is."""
    if broken is None:
        return []
    text = f"{value_text(broken.value, series.unit)}, the budget is {broken.budget.bound}: {broken.budget.why}"
    return [Says(state=State.OVER_BUDGET, since=broken.since, text=text)]


def of_silence(silent: Sequence[NoData]) -> list[Says]:
    """Say that the newest nights have no value, if so, and why the last of them has none."""
    if not silent:
        return []
    count = f"{len(silent)} night{'' if len(silent) == 1 else 's'}"
    text = f"no value for {count}, since {silent[0].night}: {silent[-1].why}"
    return [Says(state=State.NO_DATA, since=silent[0].night, text=text)]


def of_rest(series: Series, nights: int, level: float | None, since: str | None, why: str) -> Says:
    """Say what is left where nothing is wrong: too few nights in this segment, which began `since` for `why`; or steady."""
    after = f" after {why}" if why else ""
    if nights < ENOUGH or level is None:
        return Says(state=State.TOO_FEW, since=since, text=f"{nights} of the {ENOUGH} nights that an alarm needs{after}")
    return Says(state=State.STEADY, since=since, text=f"steady at {value_text(level, series.unit)} since {since}{after}")


def value_text(value: float, unit: str) -> str:
    """Write a value in its base unit; ratios bare."""
    return f"{value:.4g}" if unit in ("1", "s/s") else f"{value:.4g} {unit}"
