"""
Measurements against a baseline: how far did each metric move, and how sure is that? Decides
nothing, knows no limit.

Speed is compared process against process: unpaired with a stored baseline, round by round where
both sides were measured in turns. Quality is compared utterance against utterance (paired by
request id). What may not be compared carries the reasons.
"""

import math
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from harness import statistics
from harness.analysis.grouping import (
    Measurements,
    by_name,
    by_process,
    relative,
    usual_of,
    weights_of,
)
from harness.analysis.metric_rules import RELATIVE, STATISTICS, WEIGHTS, is_helper, is_speed
from harness.judging.baseline import Baseline, identity, machine_id
from harness.judging.baseline_file import BaselineFile
from harness.machine.checks.limits import NONE as NO_LIMIT
from harness.machine.identity import comparable, unrecorded
from harness.metrics.registry import base_name
from harness.records.cell import Cell
from harness.records.measurement import (
    Measurement,
    Missing,
    MissingKind,
    UtteranceValue,
    Value,
    kind_of,
)
from harness.records.run import Run
from harness.records.verdict import Comparison

ABSENT = Missing("no baseline", MissingKind.NO_BASELINE)
"""Stands where the baseline has no entry; an entry without a value carries its own reason."""
OLDER = Missing(
    "the baseline is older than this metric; accept a run to judge it from then on",
    MissingKind.OLDER_BASELINE,
)
"""Stands where the baseline has entries for the cell, but none for the metric."""
GONE = Missing(
    "the run does not measure it any more; accept a run if that is meant", MissingKind.NOT_MEASURED
)
"""Stands where the baseline has an entry, and the run has no such metric."""

INAUDIBLE_DB = 60.0
"""
Ratios in dB count as at most this. A difference 60 dB below the speech lies under the noise of a
quiet room and is masked by the speech itself; what happens up there (exact on the machine of the
baseline, 90 dB on a CPU that adds in another order, about 90 dB after rounding to 16 bits) is
arithmetic and not sound.
"""
MATCHED = "latency_p50"
"""
The shift of the median latency is the median of the ratios of the same request (where both sides
were measured in turns, at the same time): a median over requests of unlike length would rest on the
two in the middle.
"""
RATIOS = (
    "pesq",
    "pesq_c2",
    "stoi",
    "estoi",
    "wer",
    "cer",
    "wer_macro",
    "cer_macro",
    "duration",
    "chars_per_s",
    "speech_rate",
)
"""
Metrics of quality whose shift is a share of the baseline: their zero means nothing, and they are
read and limited in percent.

The shift of every other one is a difference in its own unit. Decibels, loudness, cents and
semitones are logarithms already; event rates, counts, shares and times of silence are zero in good
audio, where any fault would be infinitely more; similarities and correlations have no zero that
means nothing. So are plug-ins' metrics, of which no more is known than the unit.
"""


Priors = tuple[statistics.Prior, statistics.Prior]
"""Of the baseline's side and of ours; the same twice for pairs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """The values of one speed metric of one cell, one group per process on either side."""

    before: Sequence[statistics.Group]
    now: Sequence[statistics.Group]
    statistic: statistics.Statistic | None
    """None: pairs, matched value by value."""
    paired: bool


def compare(
    run: Run, measurements: Measurements, baseline: Baseline, *, paired: bool = False
) -> dict[str, tuple[Comparison, ...]]:
    """
    Compare every metric of every cell of the run that has measurements; helpers are left out. By
    slug.

    `paired` says that the baseline was measured in turns with the run: repeat i of both is one
    round.
    """
    cells = [cell for cell in run.cells if cell.slug in measurements]
    pairings = {
        cell.slug: _pairings(
            by_name(measurements[cell.slug]), _stored(baseline.speed, cell), paired
        )
        for cell in cells
    }
    priors = _priors(list(pairings.values()), paired)
    return {
        cell.slug: _compare_cell(
            run, cell, measurements[cell.slug], baseline, pairings[cell.slug], priors
        )
        for cell in cells
    }


def _stored(file: BaselineFile | None, cell: Cell) -> Mapping[str, Measurement]:
    return {} if file is None else file.measurements.get(cell.slug, {})


def _compare_cell(
    run: Run,
    cell: Cell,
    current: Sequence[Measurement],
    baseline: Baseline,
    pairings: Mapping[str, Pairing],
    priors: Mapping[str, Priors],
) -> tuple[Comparison, ...]:
    named = by_name(current)
    answer = []
    for measurement in current:
        if is_helper(measurement.metric):
            continue
        file = baseline.speed if is_speed(measurement.metric) else baseline.quality
        stored = _stored(file, cell)
        reasons = () if file is None or not stored else _incomparable(run, cell, file)
        pairing = pairings.get(measurement.metric)
        speed = None if pairing is None else (pairing, priors[measurement.metric])
        answer.append(_compare_metric(cell.slug, measurement.metric, stored, named, reasons, speed))
    return (*answer, *_gone(run, cell, named, baseline.quality))


def _gone(
    run: Run, cell: Cell, current: Mapping[str, Measurement], file: BaselineFile | None
) -> list[Comparison]:
    """Give what the baseline knows of the cell's quality and the run says nothing about."""
    stored = _stored(file, cell)
    if file is None or not stored:
        return []
    reasons = _incomparable(run, cell, file)
    lost = [
        each
        for name, each in stored.items()
        if name not in current and not is_helper(name) and not is_speed(name)
    ]
    return [
        _comparison(cell.slug, each, each.summary, GONE, 0, len(each.values), incomparable=reasons)
        for each in lost
    ]


def _incomparable(run: Run, cell: Cell, file: BaselineFile) -> tuple[str, ...]:
    """
    Say why the cell's numbers and the file's must not be compared: other work, another machine,
    another profile.
    """
    reasons: list[str] = []
    asked, stored = identity(cell, run), file.cells[cell.slug]
    if asked["digest"] != stored["digest"]:
        names = [
            name for name in ("target", "pipeline", "workload") if asked[name] != stored.get(name)
        ]
        reasons += [
            f"{name} {stored.get(name)} in the baseline, {asked[name]} now" for name in names
        ]
        reasons += changed_options(stored.get("options", {}), asked["options"])
        reasons = reasons or [f"digest {stored['digest']} in the baseline, {asked['digest']} now"]
    if file.kind == "speed":
        here = run.environment.machine.facts
        reasons += comparable(file.environment, here)
        if file.machine != machine_id(run) and comparable(file.environment, here):
            reasons.append(f"set it back, or accept it as it is: {accept_speed(run)}")
        if file.profile != run.profile:
            reasons.append(f"profile {file.profile} in the baseline, {run.profile} now")
    return tuple(reasons)


def accept_speed(run: Run) -> str:
    """Return the command that makes a run this machine's speed baseline."""
    return f'voxgate accept {shlex.quote(run.folder)} --only speed --why "..."'


def untold(run: Run, baseline: Baseline) -> tuple[str, ...]:
    """
    Return, in one sentence, which limits of the machine only the run or only the speed baseline
    tells: an older record.
    """
    machine = run.environment.machine.facts
    if baseline.speed is None or not machine:
        return ()
    known = {**baseline.speed.environment, **machine}
    names = [
        name for name in unrecorded(baseline.speed.environment, machine) if known[name] != NO_LIMIT
    ]
    if not names:
        return ()
    told = (
        f"{', '.join(names)} of the machine {'is' if len(names) == 1 else 'are'} told by one of "
        "baseline and run only"
    )
    return (
        f"{told}, so speeds are compared as if it were the same; to hold them too: "
        f"{accept_speed(run)}",
    )


def changed_options(before: Mapping[str, object], now: Mapping[str, object]) -> list[str]:
    """Say which options differ: `nfe_steps was 8, is 32`."""
    names = [name for name in sorted({*before, *now}) if before.get(name) != now.get(name)]
    return [
        f"{name} was {before.get(name, 'unset')}, is {now.get(name, 'unset')}" for name in names
    ]


def _compare_metric(
    cell: str,
    metric: str,
    stored: Mapping[str, Measurement],
    current: Mapping[str, Measurement],
    reasons: tuple[str, ...],
    speed: tuple[Pairing, Priors] | None,
) -> Comparison:
    now, before = current[metric], stored.get(metric)
    if before is None:
        return _comparison(
            cell,
            now,
            OLDER if stored else ABSENT,
            now.summary,
            len(now.values),
            0,
            incomparable=reasons,
        )
    if before.version != now.version and _numbers(before) and _numbers(now):
        reasons = (
            *reasons,
            f"{metric} version {before.version} in the baseline, {now.version} now",
        )
    counts = len(now.values), len(before.values)
    if reasons:
        return _comparison(cell, now, before.summary, now.summary, *counts, incomparable=reasons)
    if is_speed(metric):
        return _compare_speed(cell, now, before, speed)
    return _compare_quality(
        cell, now, before, weights_of(metric, current) if metric in WEIGHTS else None
    )


def _compare_speed(
    cell: str, now: Measurement, before: Measurement, speed: tuple[Pairing, Priors] | None
) -> Comparison:
    empty = _comparison(
        cell,
        now,
        before.summary,
        now.summary,
        *(sum(map(_is_number, each.values)) for each in (now, before)),
    )
    if speed is None:
        return empty
    pairing, priors = speed
    groups_before, groups, statistic = pairing.before, pairing.now, pairing.statistic
    if pairing.paired:
        shift = statistics.paired_shift(groups_before, groups, statistic, prior=priors[0])
        return _moved(
            replace(empty, detail=f"{len(groups)} pairs of processes"), shift, absolute=False
        )
    assert statistic is not None, "only pairs are matched value by value"
    shift = statistics.shift(groups_before, groups, statistic, priors=priors)
    return _moved(
        replace(empty, detail=f"{len(groups)} processes against {len(groups_before)}"),
        shift,
        absolute=False,
    )


def _pairings(
    current: Mapping[str, Measurement], stored: Mapping[str, Measurement], paired: bool
) -> dict[str, Pairing]:
    """Group the values of every speed metric that has values on both sides."""
    if paired:  # all of them first: some are grouped by the values of another
        both = {
            name: matched(stored[name], now)
            for name, now in current.items()
            if name in STATISTICS and name in stored
        }
        stored = {**stored, **{name: before for name, (before, _) in both.items()}}
        current = {**current, **{name: now for name, (_, now) in both.items()}}
    found = {}
    for name, now in current.items():
        before = stored.get(name)
        if (
            name not in STATISTICS
            or before is None
            or isinstance(now.summary, Missing)
            or isinstance(before.summary, Missing)
        ):
            continue
        if name in RELATIVE and not paired:
            before, now = (relative(each, usual_of(before)) for each in (before, now))
        sides = by_process(before, stored), by_process(now, current)
        if all(sides):
            statistic = None if paired and name == MATCHED else STATISTICS[name]
            found[name] = Pairing(before=sides[0], now=sides[1], statistic=statistic, paired=paired)
    return found


def _priors(cells: Sequence[Mapping[str, Pairing]], paired: bool) -> dict[str, Priors]:
    """
    Learn from all cells together how much processes (or rounds) differ, by metric: of the
    baseline's side and of ours.
    """
    found = {}
    for name in {name for cell in cells for name in cell}:
        several = [cell[name] for cell in cells if name in cell]
        if paired:
            prior = statistics.prior_of(
                [statistics.log_ratios(each.before, each.now, each.statistic) for each in several]
            )
            found[name] = (prior, prior)
        else:
            statistic = STATISTICS[name]
            sides = ([each.before for each in several], [each.now for each in several])
            before, now = (
                statistics.prior_of(
                    [statistics.log_statistics(groups, statistic) for groups in side]
                )
                for side in sides
            )
            found[name] = (before, now)
    return found


def matched(before: Measurement, now: Measurement) -> tuple[Measurement, Measurement]:
    """
    Put the values of both sides in the same order, by round, request and lap; what one side lacks
    (interrupted, disturbed) is left out on the other too, so that both did the same work.
    """
    sides = [_by_place(each) for each in (before, now)]
    places = sorted(sides[0].keys() & sides[1].keys())
    old, new = (
        replace(each, values=tuple(side[p] for p in places))
        for each, side in zip((before, now), sides, strict=True)
    )
    return old, new


def _by_place(measurement: Measurement) -> dict[tuple[int, str, int], UtteranceValue]:
    """Index values by round, request and lap."""
    laps: Counter[tuple[int, str]] = Counter()
    found: dict[tuple[int, str, int], UtteranceValue] = {}
    for each in measurement.values:
        place = (each.repeat, each.id)
        if _is_number(each):
            found[(*place, laps[place])] = each
        laps[place] += 1
    return found


def _is_number(value: UtteranceValue) -> bool:
    return isinstance(value.value, float)


def _compare_quality(
    cell: str, now: Measurement, before: Measurement, words: Mapping[str, float] | None
) -> Comparison:
    """
    Compare over the utterances that have a value on both sides; one that lost its value makes the
    current side Missing.
    """
    counts = len(now.values), len(before.values)
    old, new = _numbers(before), _numbers(now)
    lost = [each.id for each in before.values if each.id in old and each.id not in new]
    if lost:
        return _comparison(cell, now, _value(before, old), _why_lost(lost, now), *counts)
    names = list(old)
    if not names:
        return _comparison(cell, now, before.summary, now.summary, *counts)
    if words is not None:
        return _compare_rate(cell, now, before, words)
    cap = INAUDIBLE_DB if now.unit == "dB" else math.inf
    difference = statistics.paired_bootstrap(
        [min(new[name], cap) - min(old[name], cap) for name in names]
    )
    detail = (
        ""
        if len(names) == len(now.values)
        else f"{len(names)} of {len(now.values)} utterances have a value on both sides"
    )
    values = _value(before, old), _value(now, {name: new[name] for name in names})
    return _scaled(
        _comparison(cell, now, *values, *counts, detail=detail),
        difference,
        sum(old.values()) / len(old),
    )


def _compare_rate(
    cell: str, now: Measurement, before: Measurement, words: Mapping[str, float]
) -> Comparison:
    """Compare two corpus rates over the same utterances, each weighted by its words."""
    counts = len(now.values), len(before.values)
    old, new = _numbers(before), _numbers(now)
    weights = {name: words[name] for name in old if name in words}
    total = sum(weights.values())
    if len(weights) < len(old) or total <= 0.0:
        return _comparison(
            cell,
            now,
            before.summary,
            Missing(f"no {WEIGHTS[now.metric]}; score the run again"),
            *counts,
        )
    difference = statistics.paired_rate_difference(
        [old[n] for n in weights], [new[n] for n in weights], list(weights.values())
    )
    base, rate = (
        sum(side[name] * weight for name, weight in weights.items()) / total for side in (old, new)
    )
    detail = f"{rate * total:.0f} errors in {total:.0f}, {base * total:.0f} in the baseline"
    return _scaled(_comparison(cell, now, base, rate, *counts, detail=detail), difference, base)


def _scaled(comparison: Comparison, difference: statistics.Shift, base: float) -> Comparison:
    """
    Add a difference, in its own unit, or relative to the baseline's mean (taken as fixed) where
    that has a sense.
    """
    absolute = base <= 0.0 or base_name(comparison.metric) not in RATIOS
    scale = 1.0 if absolute else base
    low, high, at_least, at_most = (
        None if bound is None else bound / scale
        for bound in (difference.low, difference.high, difference.at_least, difference.at_most)
    )
    shift = statistics.Shift(
        point=difference.point / scale, low=low, high=high, at_least=at_least, at_most=at_most
    )
    return _moved(comparison, shift, absolute=absolute)


def _moved(comparison: Comparison, shift: statistics.Shift, *, absolute: bool) -> Comparison:
    return replace(
        comparison,
        shift=shift.point,
        low=shift.low,
        high=shift.high,
        at_least=shift.at_least,
        at_most=shift.at_most,
        absolute=absolute,
        error=shift.error,
        freedom=shift.freedom,
    )


def _numbers(measurement: Measurement) -> dict[str, float]:
    """Give the values that are numbers, by request."""
    return {each.id: each.value for each in measurement.values if isinstance(each.value, float)}


def _value(side: Measurement, known: Mapping[str, float]) -> Value:
    """Give the summary, or where gaps left none, the mean of what is known."""
    return sum(known.values()) / len(known) if isinstance(side.summary, Missing) else side.summary


def _why_lost(lost: Sequence[str], now: Measurement) -> Missing:
    gaps = {each.id: each.value for each in now.values if isinstance(each.value, Missing)}
    known = [gaps.get(name, Missing("not measured")) for name in lost]
    reason = known[0].reason
    if len(lost) < len(now.values):
        reason = f"{len(lost)} of {len(now.values)} utterances, {lost[0]}: {reason}"
    return Missing(reason, kind_of(known))


def _comparison(
    cell: str,
    now: Measurement,
    before: Value,
    current: Value,
    n_current: int,
    n_baseline: int,
    *,
    incomparable: tuple[str, ...] = (),
    detail: str = "",
) -> Comparison:
    """Make a comparison that has no shift yet."""
    return Comparison(
        cell=cell,
        metric=now.metric,
        unit=now.unit,
        better=now.better,
        baseline=before,
        current=current,
        shift=None,
        low=None,
        high=None,
        n_baseline=n_baseline,
        n_current=n_current,
        incomparable=incomparable,
        detail=detail,
    )
