"""
Compare measurements with a baseline: the shift of each metric, and its uncertainty. Decides
nothing, knows no limit.

Speed is compared process against process (`compare_speed.py`), quality utterance against utterance
(`compare_quality.py`). Pairs that may not be compared carry the reasons.
"""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace

from voxgate.harness.analysis.grouping import Measurements, by_name, weights_of
from voxgate.harness.analysis.metric_rules import DRIFT, WEIGHTS, is_helper, is_speed
from voxgate.harness.judging.baseline import Baseline, identity, machine_id
from voxgate.harness.judging.baseline_file import BaselineFile
from voxgate.harness.judging.compare_quality import compare_quality, numeric_values
from voxgate.harness.judging.compare_speed import (
    Pairing,
    Priors,
    compare_speed,
    pairings_of,
    priors_of,
)
from voxgate.harness.judging.compare_takes import compare_takes, has_takes
from voxgate.harness.judging.shift import empty_comparison
from voxgate.harness.machine.checks.limits import NONE as NO_LIMIT
from voxgate.harness.machine.identity import comparable, unrecorded
from voxgate.harness.machine.profiles import name_of_changed
from voxgate.harness.metrics.registry import needs_parity
from voxgate.harness.records.cell import Cell
from voxgate.harness.records.measurement import Measurement, Missing, MissingKind
from voxgate.harness.records.run import Run
from voxgate.harness.records.verdict import Comparison, Remark, RemarkKind

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
SAMPLED = Missing(
    "the cell is sampled, and has no second recording of the same performance",
    MissingKind.TAKES_DIFFER,
)
"""Stands there in place of GONE for a metric that needs one."""


Comparisons = Mapping[str, tuple[Comparison, ...]]
"""By the slug of the cell."""


def compare(
    run: Run,
    measurements: Measurements,
    baseline: Baseline,
    *,
    paired: bool = False,
    speeds: Comparisons | None = None,
) -> Comparisons:
    """
    Compare every metric of every cell of the run that has measurements, without helpers.

    `paired` means that the baseline was measured in turns with the run: repeat i of both is one
    round. `speeds` are comparisons of speeds that were made before, from the same records; those of
    the same value are returned as they are.
    """
    cells = [cell for cell in run.cells if cell.slug in measurements]
    pairings = {
        cell.slug: pairings_of(
            by_name(measurements[cell.slug]), _stored(baseline.speed, cell), paired
        )
        for cell in cells
    }
    priors = priors_of(list(pairings.values()), paired)
    return {
        cell.slug: _compare_cell(
            run,
            cell,
            measurements[cell.slug],
            baseline,
            _speed_of(pairings.get(cell.slug, {}), priors),
            {each.metric: each for each in (speeds or {}).get(cell.slug, ())},
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
    speeds: Mapping[str, tuple[Pairing, Priors]],
    compared: Mapping[str, Comparison],
) -> tuple[Comparison, ...]:
    named = by_name(current)
    answer = []
    for measurement in current:
        if is_helper(measurement.metric):
            continue
        known = compared.get(measurement.metric)
        if known is not None and known.current == measurement.summary:
            answer.append(known)
            continue
        file = baseline.speed if is_speed(measurement.metric) else baseline.quality
        stored = _stored(file, cell)
        reasons = () if file is None or not stored else _incomparable(run, cell, file)
        speed = speeds.get(measurement.metric)
        answer.append(_compare_metric(cell.slug, measurement.metric, stored, named, reasons, speed))
    return (*answer, *_gone(run, cell, named, baseline.quality))


def _speed_of(
    pairings: Mapping[str, Pairing], priors: Mapping[str, Priors]
) -> dict[str, tuple[Pairing, Priors]]:
    return {name: (pairing, priors[name]) for name, pairing in pairings.items()}


def _gone(
    run: Run, cell: Cell, current: Mapping[str, Measurement], file: BaselineFile | None
) -> list[Comparison]:
    """Return comparisons for the quality metrics that the baseline has and the run lacks."""
    stored = _stored(file, cell)
    if file is None or not stored:
        return []
    reasons = _incomparable(run, cell, file)
    missing = [
        measurement
        for name, measurement in stored.items()
        if name not in current and not is_helper(name) and not is_speed(name)
    ]
    return [
        empty_comparison(
            cell.slug,
            measurement,
            measurement.summary,
            SAMPLED if cell.slug in run.takes and needs_parity(measurement.metric) else GONE,
            0,
            len(measurement.values),
            incomparable=reasons,
        )
        for measurement in missing
    ]


def _incomparable(run: Run, cell: Cell, file: BaselineFile) -> tuple[str, ...]:
    """
    Return why the numbers of cell and file must not be compared: other work, another machine,
    another profile.
    """
    reasons: list[str] = []
    requested, stored = identity(cell, run), file.cells[cell.slug]
    if requested["digest"] != stored["digest"]:
        names = [
            name
            for name in ("target", "pipeline", "workload", "command")
            if requested.get(name) != stored.get(name)
        ]
        reasons += [
            f"{name} {stored.get(name)} in the baseline, {requested.get(name)} now"
            for name in names
        ]
        reasons += changed_options(stored.get("options", {}), requested["options"])
        reasons = reasons or [
            f"digest {stored['digest']} in the baseline, {requested['digest']} now"
        ]
    if file.kind == "speed":
        facts = run.environment.machine.facts
        reasons += comparable(file.environment, facts)
        if file.machine != machine_id(run) and comparable(file.environment, facts):
            reasons.append(f"set it back, or accept it as it is: {accept_speed(run)}")
        if file.profile != run.profile:
            changed = name_of_changed(file.profile, run.profile)
            cause = f": the file of profile {changed} was changed" if changed else ""
            reasons.append(f"profile {file.profile} in the baseline, {run.profile} now{cause}")
    return tuple(reasons)


def accept_speed(run: Run) -> str:
    """Return the command that makes a run this machine's speed baseline."""
    return f'voxgate accept {shlex.quote(run.folder)} --only speed --why "..."'


def unrecorded_limits(run: Run, baseline: Baseline) -> tuple[Remark, ...]:
    """
    Return a notice of the machine limits that only one of run and speed baseline records, being the
    older one.
    """
    machine = run.environment.machine.facts
    if baseline.speed is None or not machine:
        return ()
    facts = {**baseline.speed.environment, **machine}
    names = [
        name for name in unrecorded(baseline.speed.environment, machine) if facts[name] != NO_LIMIT
    ]
    if not names:
        return ()
    verb = "is" if len(names) == 1 else "are"
    statement = f"{', '.join(names)} of the machine {verb} recorded by one of baseline and run only"
    text = (
        f"{statement}, so speeds are compared as if it were the same; to hold them too: "
        f"{accept_speed(run)}"
    )
    return (Remark(kind=RemarkKind.UNRECORDED_LIMIT, facts=(text,)),)


def changed_options(before: Mapping[str, object], now: Mapping[str, object]) -> list[str]:
    """Return the options that differ: `nfe_steps was 8, is 32`."""
    names = [name for name in sorted({*before, *now}) if before.get(name) != now.get(name)]
    return [
        f"{name} was {before.get(name, 'unset')}, is {now.get(name, 'unset')}" for name in names
    ]


def _within_processes(cell: str, now: Measurement) -> Comparison:
    """
    Return the drift as the comparison that it is: later calls of a process against its earlier
    ones. No baseline has a part in it.
    """
    count = len(now.values)
    empty = empty_comparison(cell, now, 0.0, now.summary, count, 0, detail=f"{count} processes")
    if isinstance(now.summary, Missing):
        return empty
    return replace(empty, shift=now.summary, low=now.low, high=now.high, absolute=True)


def _compare_metric(
    cell: str,
    metric: str,
    stored: Mapping[str, Measurement],
    current: Mapping[str, Measurement],
    reasons: tuple[str, ...],
    speed: tuple[Pairing, Priors] | None,
) -> Comparison:
    now, before = current[metric], stored.get(metric)
    if metric == DRIFT:
        return _within_processes(cell, now)
    if before is None:
        return empty_comparison(
            cell,
            now,
            OLDER if stored else ABSENT,
            now.summary,
            len(now.values),
            0,
            incomparable=reasons,
        )
    if before.version != now.version and numeric_values(before) and numeric_values(now):
        reasons = (
            *reasons,
            f"{metric} version {before.version} in the baseline, {now.version} now",
        )
    counts = len(now.values), len(before.values)
    if reasons:
        return empty_comparison(
            cell, now, before.summary, now.summary, *counts, incomparable=reasons
        )
    if is_speed(metric):
        return compare_speed(cell, now, before, speed)
    weights = weights_of(metric, current) if metric in WEIGHTS else None
    if has_takes(now, before):
        return compare_takes(cell, now, before, weights)
    return compare_quality(cell, now, before, weights)
