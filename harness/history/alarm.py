"""
The nightly alarm: three of the last four nights on the same side, far from the median of the
twenty-one before them.

One bad night raises nothing and one good one ends nothing. An alarm stands, against the level at
which it was raised, until three of four nights are back or somebody acknowledges the change: a
lasting regression must not become the new normal. `docs/how-trends-are-read.md` has the error
rates. Two-sided: worse is an alarm, better is news, and news moves no level either. Pure; knows no
calendar: nights without a value are not in its arrays.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from voxgate.harness.history.budget import Margin, shift_of
from voxgate.harness.history.records import Array, Whole
from voxgate.harness.history.series import Nights
from voxgate.harness.records.measurement import Better

OF = 4
NEEDED = 3
"""
Nights that must agree, of the last `OF`. Two of two would miss a step that one lucky night hides;
one is a bad night.
"""
REFERENCE = 21
"""
Nights whose median is the level: three weeks, so that weekends have their weight, and ten bad
nights do not move it.
"""
LEAST_REFERENCE = 7
"""
Nights that a level needs at least: a week. With fewer, its own error is as large as the shift to
detect.
"""
MADS = 3.0
"""
A night is off the level when it is this many MADs (median absolute deviations of the reference
nights) from it, and more than the margin. Three are two standard deviations of normal noise: not
much for one night, but three of four must agree.
"""
BLOCK = 256
ENOUGH = LEAST_REFERENCE + OF
"""Nights with a value that a series needs before it can be judged."""

Side = Literal["worse", "better"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """
    A standing shift. `since` is the first night off the level, `raised` the night that made it an
    alarm.

    `level` and `threshold` are in the metric's unit; `shift` is that of the last four nights'
    median from the level, relative or (`absolute`) in the unit; `beyond` counts how many of those
    nights are off.
    """

    side: Side
    since: str
    raised: str
    level: float
    threshold: float
    shift: float
    absolute: bool
    beyond: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """
    An alarm in numbers of nights: the first off the level, the one that raised it, the first that
    was back (None: it stands).

    `level` and `threshold` are those that the nights are compared with, `sign` is the side on which
    they are off.
    """

    first: int
    raised: int
    level: float
    threshold: float
    sign: float
    back: int | None = None


def alarm_of(nights: Nights, margin: Margin, better: Better) -> Alarm | None:
    """Return the alarm that stands after the last night; None if there is none."""
    values = nights.values
    watch = next(iter(watches(values, margin)[-1:]), None)
    if watch is None or watch.back is not None:
        return None
    last = values[max(watch.first, len(values) - OF) :]
    shift, absolute = shift_of(watch.level, float(np.median(last)), margin)
    return Alarm(
        side="better" if {"lower": -1.0, "higher": 1.0}.get(better) == watch.sign else "worse",
        since=str(nights.days[watch.first]),
        raised=str(nights.days[watch.raised]),
        level=watch.level,
        threshold=watch.threshold,
        shift=shift,
        absolute=absolute,
        beyond=int(np.sum(_off(values[-OF:], watch))),
    )


def watches(values: Array, margin: Margin) -> list[Watch]:
    """
    Return every alarm that was raised, night by night; only the last can still stand.

    The nights of a past alarm are left out of every later level.
    """
    spans: list[Watch] = []
    calm, start = np.arange(len(values)), 0
    while (raised := _first_raised(values[calm], margin, start)) is not None:
        watch = replace(raised, first=int(calm[raised.first]), raised=int(calm[raised.raised]))
        ended = _ended(values, watch)
        if ended is None:
            return [*spans, watch]
        window = np.arange(ended - OF + 1, ended + 1)
        back = int(window[np.argmin(_off(values[window], watch))])
        spans.append(replace(watch, back=back))
        calm = calm[(calm < watch.first) | (calm >= back)]
        start = int(np.searchsorted(calm, ended))
    return spans


def _first_raised(values: Array, margin: Margin, start: int) -> Watch | None:
    """
    Return the first alarm whose four nights end at `start` or later. Nights are examined in blocks,
    for speed alone.
    """
    ends = np.arange(max(start, ENOUGH - 1), len(values))
    for block in np.split(ends, range(BLOCK, len(ends), BLOCK)):
        first = _raised_in(values, margin, block)
        if first is not None:
            return first
    return None


def _raised_in(values: Array, margin: Margin, ends: Whole) -> Watch | None:
    """Return the first alarm among those whose four nights end at `ends`."""
    levels, mads = _levels(values, ends)
    thresholds = np.maximum(margin.of(levels), MADS * mads)
    windows = ends[:, None] + np.arange(1 - OF, 1)
    off = values[windows] - levels[:, None]
    for_sign = {sign: sign * off > thresholds[:, None] for sign in (1.0, -1.0)}
    raised = {
        sign: np.flatnonzero(beyond.sum(axis=1) >= NEEDED) for sign, beyond in for_sign.items()
    }
    sign = min(raised, key=lambda side: raised[side][0] if len(raised[side]) else len(ends))
    if not len(raised[sign]):
        return None
    which = raised[sign][0]
    return Watch(
        first=int(windows[which][np.argmax(for_sign[sign][which])]),
        raised=int(ends[which]),
        level=float(levels[which]),
        threshold=float(thresholds[which]),
        sign=sign,
    )


def _levels(values: Array, ends: Whole) -> tuple[Array, Array]:
    """
    Return the median and the MAD of the nights before each window of four; at the start there are
    fewer than REFERENCE.
    """
    padded = np.concatenate((np.full(REFERENCE, np.inf), values))
    before = padded[ends[:, None] - OF + 1 + np.arange(REFERENCE)]
    counts = np.minimum(ends - OF + 1, REFERENCE)
    levels = _medians(before, counts)
    return levels, _medians(np.abs(before - levels[:, None]), counts)


def _medians(rows: Array, counts: Whole) -> Array:
    """
    Return the median of each row's finite numbers, of which there are `counts`; infinity sorts
    behind them.
    """
    ordered, row = np.sort(rows, axis=1), np.arange(len(rows))
    return (ordered[row, (counts - 1) // 2] + ordered[row, counts // 2]) / 2.0


def _ended(values: Array, watch: Watch) -> int | None:
    """Return the night on which three of four are back; None while the alarm stands."""
    off = _off(values, watch)
    for night in range(watch.raised + 1, len(values)):
        if np.sum(~off[night - OF + 1 : night + 1]) >= NEEDED:
            return night
    return None


def _off(values: Array, watch: Watch) -> npt.NDArray[np.bool_]:
    return np.asarray(watch.sign * (values - watch.level) > watch.threshold)
