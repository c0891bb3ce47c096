"""
Verdicts in words: the shift, the decisive reasons, the stage that moved, the settings that changed.
Decides nothing.
"""

import math
import re
import shlex
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import chain

import numpy as np

from voxgate.harness import statistics
from voxgate.harness.analysis.grouping import Measurements, by_name, by_process
from voxgate.harness.analysis.metric_rules import DRIFT, STAGE, is_speed
from voxgate.harness.analysis.stages import ISOLATED, same_work, stage_facts
from voxgate.harness.judging import phrases
from voxgate.harness.judging.baseline import HEARD, Baseline
from voxgate.harness.judging.baseline_file import Kind
from voxgate.harness.judging.compare import changed_options
from voxgate.harness.judging.lacking import lacking
from voxgate.harness.records.measurement import Measurement, Missing, MissingKind
from voxgate.harness.records.run import HeardTexts
from voxgate.harness.records.verdict import (
    CellVerdict,
    Comparison,
    MetricVerdict,
    Remark,
    RemarkKind,
    Verdict,
)

GOOD = (Verdict.PASS, Verdict.IMPROVED)
REASONS_SHOWN = 3
TEXTS_SHOWN = 2
CHARACTERS_SHOWN = 120
"""Of the transcript of one request."""


def why_not(comparison: Comparison) -> str:
    """Return why a shift is not proven."""
    if comparison.low is None:
        return f"{comparison.detail or 'too few values'}, at least two are needed on both sides"
    return (
        f"the interval is too wide ({comparison.detail})"
        if comparison.detail
        else "the interval is too wide"
    )


def format_shift(comparison: Comparison, margin: float) -> str:
    """Format a shift: `latency_p50 +9.8 % [+8.1 +11.6], limit +5 %`."""
    sign = {"lower": "+", "higher": "-", "neither": "+-"}[comparison.better]
    factor, unit = phrases.scale(comparison)
    size = (
        f"{comparison.metric} {phrases.size(comparison)}, limit {sign}{margin * factor:.3g} {unit}"
    ).rstrip()
    chance = comparison.chance or 0.0
    own = f"; by chance alone takes differ by {chance * factor:.3g} {unit}".rstrip()
    return f"{size}{own}" if chance > margin else size


def sight(comparison: Comparison, line: float, bound: float) -> str:
    """
    Return the smallest regression that so many processes would have detected with 90 % power, as
    text; empty if unknown.
    """
    if comparison.error is None or comparison.freedom is None:
        return ""
    smallest = statistics.detectable(comparison.error, comparison.freedom, line, bound)
    return f"; would have seen {smallest * 100:+.1f} %"


def kinds_without_baseline(cells: Iterable[CellVerdict]) -> tuple[Kind, ...]:
    """Return which of quality and speed have blocking metrics that no baseline names."""
    lacking = {
        is_speed(metric.metric)
        for metric in chain.from_iterable(cell.metrics for cell in cells)
        if metric.verdict is Verdict.NO_BASELINE and metric.blocking
    }
    kinds: tuple[tuple[Kind, bool], ...] = (("quality", False), ("speed", True))
    return tuple(kind for kind, speed in kinds if speed in lacking)


def accept_command(folder: str, kinds: Sequence[Kind]) -> str:
    """
    Return the command that makes a run the baseline; of its speed or quality alone where the other
    has one.
    """
    only = f" --only {kinds[0]}" if len(kinds) == 1 else ""
    return f'voxgate accept {shlex.quote(folder)}{only} --why "..."'


def cell_reason(verdict: Verdict, metrics: Sequence[MetricVerdict]) -> str:
    """Return the decisive metrics' reasons, the largest excess first, and the advisory ones."""
    decisive = [metric for metric in metrics if metric.blocking and metric.verdict is verdict]
    if verdict is Verdict.PASS:
        reason = f"{len(decisive)} metrics within their limits"
    elif verdict is Verdict.NO_BASELINE:
        within = sum(metric.blocking and metric.verdict in GOOD for metric in metrics)
        others = f"{within} other metrics are within their limits" if within else ""
        reason = phrases.joined(lacking(decisive), others)
    elif verdict is Verdict.INCOMPARABLE:
        causes = dict.fromkeys(metric.cause or metric.reason for metric in decisive)
        reason = "; ".join(list(causes)[:REASONS_SHOWN])
    else:
        ordered = _phrases(sorted(decisive, key=_prominence, reverse=True))
        reason = "; ".join(ordered[:REASONS_SHOWN])
        reason += (
            f"; and {len(ordered) - REASONS_SHOWN} more" if len(ordered) > REASONS_SHOWN else ""
        )
    advice = [
        metric.reason
        for metric in metrics
        if not metric.blocking and metric.verdict is Verdict.REGRESSED and metric.metric != DRIFT
    ]
    return (
        "; ".join([reason, *(f"advisory: {reason}" for reason in advice)])
        or "nothing could be judged"
    )


INCOMPARABLE_AUDIO = (MissingKind.DURATIONS_DIFFER, MissingKind.TAKES_DIFFER)
"""One cause that takes the value of every metric that compares two recordings."""


def _phrases(metrics: Sequence[MetricVerdict]) -> list[str]:
    """
    Return the reasons in their order. Metrics that lack a value for the same cause are named
    together, behind the measured ones.
    """
    causes: dict[str, list[str]] = {}
    for metric in metrics:
        now = None if metric.comparison is None else metric.comparison.current
        if isinstance(now, Missing) and now.kind in INCOMPARABLE_AUDIO:
            causes.setdefault(metric.cause or metric.reason, []).append(metric.metric)
    grouped = set(chain.from_iterable(causes.values()))
    return [
        *(metric.reason for metric in metrics if metric.metric not in grouped),
        *(_together(*pair) for pair in causes.items()),
    ]


def _together(reason: str, names: Sequence[str]) -> str:
    more = f" and {len(names) - REASONS_SHOWN} more" if len(names) > REASONS_SHOWN else ""
    return f"{', '.join(names[:REASONS_SHOWN])}{more}: {reason}"


def _prominence(metric: MetricVerdict) -> float:
    """
    Return the shift as a multiple of its limit, which compares percent, decibels and semitones.
    """
    comparison = metric.comparison
    alone = metric.utterances[0].worse / metric.worst if metric.worst else 0.0
    if comparison is None or comparison.shift is None or not metric.limit:
        return math.inf
    return max(alone, abs(comparison.shift) / metric.limit)


def heard(slug: str, texts: HeardTexts, baseline: Baseline, first: Collection[str]) -> list[Remark]:
    """
    Name the requests whose transcript differs from the baseline's, by the same recogniser; those in
    `first` before the others.
    """
    stored = (
        baseline.quality.cells.get(slug, {}).get(HEARD) if baseline.quality is not None else None
    )
    if not isinstance(stored, Mapping):
        return []
    changed = []
    for request, now in sorted(texts.get(slug, {}).items(), key=lambda pair: pair[0] not in first):
        words_heard = stored.get(now.recogniser)
        before = words_heard.get(request) if isinstance(words_heard, Mapping) else None
        if isinstance(before, str) and _words(before) != _words(now.text):
            changed.append(f'{request} heard before "{_short(before)}", now "{_short(now.text)}"')
    more = [f"and {len(changed) - TEXTS_SHOWN} more"] if len(changed) > TEXTS_SHOWN else []
    return _remark(RemarkKind.HEARD, [*changed[:TEXTS_SHOWN], *more])


def _remark(kind: RemarkKind, facts: Iterable[str]) -> list[Remark]:
    """Return the remark as a list; an empty one where there is no fact."""
    kept = tuple(filter(None, facts))
    return [Remark(kind=kind, facts=kept)] if kept else []


def stage_remark(facts: Iterable[str]) -> list[Remark]:
    """Return the remark on the stage that moved, from its `stage_facts`; none without any."""
    return _remark(RemarkKind.STAGE, facts)


def drift_remarks(metrics: Iterable[MetricVerdict]) -> list[Remark]:
    """Return the notice of a cell whose later calls are slower; it stands beside any verdict."""
    drifting = [m.reason for m in metrics if m.metric == DRIFT and m.verdict is Verdict.REGRESSED]
    meaning = "later calls of one process are slower than earlier ones"
    return _remark(RemarkKind.IN_PROCESS_DRIFT, [f"{meaning}: {reason}" for reason in drifting])


def _words(text: str) -> list[str]:
    """Return the words of a transcript, without case and punctuation."""
    return re.findall(r"\w+", text.casefold())


def _short(text: str) -> str:
    line = " ".join(
        "".join(character if character.isprintable() else " " for character in text).split()
    )
    return line if len(line) <= CHARACTERS_SHOWN else f"{line[: CHARACTERS_SHOWN - 3]}..."


def attribution(
    slug: str, measurements: Sequence[Measurement], baseline: Baseline
) -> tuple[str, ...]:
    """
    Return the facts of the stage that moved most against the baseline, which keeps the medians of
    stages; empty where unknown.
    """
    stored = baseline.speed.measurements.get(slug, {}) if baseline.speed is not None else {}
    return stage_facts([(_stages_s(stored.values()), _stages_s(measurements))])


def _stages_s(measurements: Iterable[Measurement]) -> dict[str, float]:
    return {
        measurement.metric.removeprefix(STAGE): measurement.summary
        for measurement in measurements
        if measurement.metric.startswith(STAGE) and isinstance(measurement.summary, float)
    }


def settings(slug: str, now: Mapping[str, object], baseline: Baseline) -> list[Remark]:
    """
    Name the options whose effective value differs from the baseline's: a changed default explains a
    changed number.
    """
    file = baseline.speed or baseline.quality
    stored = file.cells.get(slug, {}) if file is not None else {}
    before = stored.get("effective", {})
    if not before or not now:
        return []
    new = set(now) - set(before)
    if len(new) <= REASONS_SHOWN:
        changed = changed_options(before, now)
    else:  # an engine that learned to do more
        changed = changed_options(
            before, {name: value for name, value in now.items() if name not in new}
        )
        changed.append(f"{len(new)} options that the baseline does not record")
    return _remark(RemarkKind.SETTINGS, changed)


def baseline_name(baseline: Baseline) -> str:
    """Return the name of the baseline: `b07e11a, 2026-11-20 "bf16 vocoder"`."""
    file = baseline.speed or baseline.quality
    if file is None:
        return "none"
    missing = "" if baseline.speed else "; no speed baseline for this machine"
    return f'{file.commit}, {file.created[:10]} "{file.why}"{missing}'


FASTER = 0.05
"""Least share of its time that an isolated stage must have lost for a notice."""
WHOLE = "rtf"
MEDIAN = statistics.at_percentile(50.0)
Named = Mapping[str, Measurement]


def notices(
    slug: str,
    measurements: Measurements,
    comparisons: Sequence[Comparison],
    baseline: Baseline,
    reference: str,
) -> list[Remark]:
    """
    Return the notices on a cell about stages that are faster in isolation while the whole is not:
    against the baseline, and against the reference cell.

    Usually copies, conversions or a lost fusion around the stage cost as much as it gained. A
    notice is never a verdict. The isolated time is that of the stage profile; the whole is rtf, as
    judged. Where both sides have several processes, the interval must exclude chance; where one has
    a single process, its median must lie beyond all times of the other side.

    Only equal work is compared: calls with as many rows and frames, and as many of them in the
    synthesis. A shorter chunk is faster on any engine, and by no fixed proportion (a call has costs
    that do not depend on its length, and attention grows with its square), so calls of different
    length get no notice. Neither do records without the amount of work, as in run folders and
    baselines before schema 6.
    """
    now = by_name(measurements[slug])
    stored: Named = baseline.speed.measurements.get(slug, {}) if baseline.speed is not None else {}
    whole = next((comparison for comparison in comparisons if comparison.metric == WHOLE), None)
    sentences = [] if whole is None else _useless(stored, now, _moved(whole), "the baseline")
    if slug != reference and reference in measurements:
        beside = by_name(measurements[reference])
        sentences += _useless(beside, now, _whole(beside, now), "the reference cell")
    return [Remark(kind=RemarkKind.ISOLATED_STAGE, facts=(each,)) for each in sentences]


def _useless(before: Named, now: Named, whole: statistics.Shift | None, against: str) -> list[str]:
    if whole is None or _is_faster(whole, 0.0):
        return []
    names = [
        name
        for name in now
        if name.startswith(ISOLATED)
        and name in before
        and same_work(before[name].version, now[name].version)
    ]
    shifts = {name: _alone(before[name], now[name]) for name in names}
    return [
        _sentence(name, before, now, shift, whole, against)
        for name, shift in shifts.items()
        if shift is not None and _is_faster(shift, FASTER)
    ]


def _alone(before: Measurement, now: Measurement) -> statistics.Shift | None:
    """
    Return the shift of an isolated stage; None where two single processes overlap, because their
    spread is unknown.
    """
    sides = [_by_repeat(side) for side in (before, now)]
    if not all(sides):
        return None
    shift = statistics.shift(sides[0], sides[1], MEDIAN)
    apart = float(MEDIAN(np.concatenate(sides[1]))) < min(
        float(np.min(times)) for times in sides[0]
    )
    return shift if shift.high is not None or apart else None


def _by_repeat(measurement: Measurement) -> list[statistics.Array]:
    times_s: dict[int, list[float]] = {}
    for value in measurement.values:
        if isinstance(value.value, float) and value.value > 0.0:
            times_s.setdefault(value.repeat, []).append(value.value)
    return [np.array(times_s[repeat]) for repeat in sorted(times_s)]


def _whole(before: Named, now: Named) -> statistics.Shift | None:
    """Return the shift of rtf between two cells of one run; None where one has no speed."""
    sides = [
        by_process(named[WHOLE], named) if _has_whole(named) else [] for named in (before, now)
    ]
    return statistics.shift(sides[0], sides[1], statistics.rate) if all(sides) else None


def _has_whole(named: Named) -> bool:
    return WHOLE in named and isinstance(named[WHOLE].summary, float)


def _moved(whole: Comparison) -> statistics.Shift | None:
    if whole.shift is None or whole.incomparable:
        return None
    return statistics.Shift(point=whole.shift, low=whole.low, high=whole.high)


def _is_faster(shift: statistics.Shift, least: float) -> bool:
    """Whether the time fell by more than `least`, and beyond chance as far as that is known."""
    return shift.point < -least and (shift.high is None or shift.high < 0.0)


def _sentence(
    name: str,
    before: Named,
    now: Named,
    alone: statistics.Shift,
    whole: statistics.Shift,
    against: str,
) -> str:
    times_ms = " -> ".join(f"{_number(side[name]) * 1e3:.3g}" for side in (before, now))
    factors = " -> ".join(f"{_number(side[WHOLE]):.3f}" for side in (before, now))
    stage = name.removeprefix(ISOLATED)
    return (
        f"{stage} alone {phrases.share(alone.point, alone.low, alone.high)} against {against} "
        f"({times_ms} ms a call), but the whole "
        f"{phrases.share(whole.point, whole.low, whole.high)} (rtf {factors})"
    )


def _number(measurement: Measurement) -> float:
    return float("nan") if isinstance(measurement.summary, Missing) else measurement.summary
