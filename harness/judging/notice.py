"""
A stage that got faster by itself while the whole did not: what copies, conversions or a lost fusion around it ate up.

Never a verdict. The stage alone is what the stage passes measured; the whole is rtf, as it is judged. Where both sides have
several processes, an interval must exclude chance; where one has a single process, its median must lie beyond all times of
the other side.

Only the same work is compared: calls of as many rows and frames, and as many of them in the synthesis. A shorter chunk is
sooner done by any engine, and no proportion says how much sooner (a call has costs that do not depend on its length, and
attention grows with its square), so between calls of different length nothing is said. Nor is anything where one side does
not tell how much work it was, as run folders and baselines of before schema 6 do not.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from harness import statistics
from harness.analysis.aggregate import Measurements, by_name, by_process
from harness.analysis.stages_apart import ALONE, same_work
from harness.judging import phrases
from harness.judging.baseline import Baseline
from harness.records.measurement import Measurement, Missing
from harness.records.verdict import Comparison

FASTER = 0.05
"""Of its time must a stage alone have lost, to be spoken of."""
WHOLE = "rtf"
MEDIAN = statistics.at_percentile(50.0)
Named = Mapping[str, Measurement]


def notices(
    slug: str, measurements: Measurements, comparisons: Sequence[Comparison], baseline: Baseline, reference: str
) -> tuple[str, ...]:
    """Say of one cell which stages are faster alone, and of no use: against the baseline, and against the reference cell."""
    now = by_name(measurements[slug])
    stored: Named = baseline.speed.measurements.get(slug, {}) if baseline.speed is not None else {}
    whole = next((each for each in comparisons if each.metric == WHOLE), None)
    told = [] if whole is None else _useless(stored, now, _moved(whole), "the baseline")
    if slug != reference and reference in measurements:
        beside = by_name(measurements[reference])
        told += _useless(beside, now, _whole(beside, now), "the reference cell")
    return tuple(told)


def _useless(before: Named, now: Named, whole: statistics.Shift | None, against: str) -> list[str]:
    if whole is None or _is_faster(whole, 0.0):
        return []
    names = [
        name for name in now if name.startswith(ALONE) and name in before and same_work(before[name].version, now[name].version)
    ]
    shifts = {name: _alone(before[name], now[name]) for name in names}
    return [
        _sentence(name, before, now, shift, whole, against)
        for name, shift in shifts.items()
        if shift is not None and _is_faster(shift, FASTER)
    ]


def _alone(before: Measurement, now: Measurement) -> statistics.Shift | None:
    """Compare a stage alone; None where two single processes overlap, of which nobody knows how much they differ by chance."""
    sides = [_by_repeat(each) for each in (before, now)]
    if not all(sides):
        return None
    shift = statistics.shift(sides[0], sides[1], MEDIAN)
    apart = float(MEDIAN(np.concatenate(sides[1]))) < min(float(np.min(each)) for each in sides[0])
    return shift if shift.high is not None or apart else None


def _by_repeat(measurement: Measurement) -> list[statistics.Array]:
    values = [(each.repeat, each.value) for each in measurement.values if isinstance(each.value, float) and each.value > 0.0]
    repeats = sorted({repeat for repeat, _ in values})
    return [np.array([value for repeat, value in values if repeat == which]) for which in repeats]


def _whole(before: Named, now: Named) -> statistics.Shift | None:
    """Compare the whole of two cells of one run; None where one has no speed."""
    sides = [by_process(named[WHOLE], named) if _has_whole(named) else [] for named in (before, now)]
    return statistics.shift(sides[0], sides[1], statistics.rate) if all(sides) else None


def _has_whole(named: Named) -> bool:
    return WHOLE in named and isinstance(named[WHOLE].summary, float)


def _moved(whole: Comparison) -> statistics.Shift | None:
    if whole.shift is None or whole.incomparable:
        return None
    return statistics.Shift(point=whole.shift, low=whole.low, high=whole.high)


def _is_faster(shift: statistics.Shift, least: float) -> bool:
    """Whether time was lost, more than the least, and not by chance as far as that is known."""
    return shift.point < -least and (shift.high is None or shift.high < 0.0)


def _sentence(name: str, before: Named, now: Named, alone: statistics.Shift, whole: statistics.Shift, against: str) -> str:
    times_ms = " -> ".join(f"{_number(side[name]) * 1e3:.3g}" for side in (before, now))
    factors = " -> ".join(f"{_number(side[WHOLE]):.3f}" for side in (before, now))
    stage = name.removeprefix(ALONE)
    return (
        f"{stage} alone {phrases.share(alone.point, alone.low, alone.high)} against {against} ({times_ms} ms a call), "
        f"but the whole {phrases.share(whole.point, whole.low, whole.high)} (rtf {factors})"
    )


def _number(measurement: Measurement) -> float:
    return float("nan") if isinstance(measurement.summary, Missing) else measurement.summary
