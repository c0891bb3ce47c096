"""
Measure the spread of an engine by itself, and propose margins that its own takes keep.

    baselines/<suite>/policy.toml   where `voxgate calibrate SUITE --write` puts them

A run with many takes of each text is split again and again into two sets of takes: A/A comparisons,
in which any shift is chance. A margin below the largest of them would be crossed by the unchanged
engine. Of speeds the processes are split; their margins stay, since the machine spreads them and
not the engine. Compares as `compare.py` does; the verdicts are `decide.py`'s.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from voxgate.harness.analysis.caveats import not_sampled
from voxgate.harness.analysis.grouping import (
    Measurements,
    by_name,
    by_process,
    relative_to_typical,
    typical_values,
    weights_of,
)
from voxgate.harness.analysis.metric_rules import RELATIVE, STATISTICS, WEIGHTS, is_speed
from voxgate.harness.errors import HarnessError
from voxgate.harness.judging.baseline import machine_id
from voxgate.harness.judging.compare_takes import compare_takes
from voxgate.harness.judging.decide import decide, margin_of
from voxgate.harness.judging.judge import with_evidence
from voxgate.harness.judging.policy import (
    SCHEMA_VERSION,
    Policy,
    limit_text,
    read_policy,
    shown_metrics,
)
from voxgate.harness.records.files import read_bytes, write_file
from voxgate.harness.records.measurement import Measurement, UtteranceValue, values_by_id
from voxgate.harness.records.run import Run, failure_of
from voxgate.harness.records.verdict import Limit, Verdict
from voxgate.harness.statistics import SEED

COMPARISONS = 300
SLACK = 1.25
"""Times the largest shift that was seen: half the time, as many more comparisons hold a larger."""
FEWEST = 4
"""Takes of each text: two sets of two."""
DIGITS = 2
"""Significant digits of a proposed margin, rounded up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """One metric: its margin, and how far the engine's own takes lie apart."""

    metric: str
    unit: str
    """Of margins and spread: `%`, or the metric's own."""
    margin: float
    """As the policy has it, in `unit`."""
    spread: float
    """The largest shift of the A/A comparisons, either way, over all cells, in `unit`."""
    alarms: int
    """Of the A/A comparisons that would be REGRESSED with the margin as it is."""
    comparisons: int
    proposed: float | None
    """A wider margin, in `unit`; None where the margin holds, and for a speed."""
    limit: Limit | None
    """The line of the policy with what is wider; None where all holds."""
    worst: float | None = None
    """The policy's limit of one utterance, in the metric's own unit."""
    gap: float = 0.0
    """The largest gap between all takes of an utterance on one side and all on the other."""
    proposed_worst: float | None = None
    """A wider limit of one utterance; None where that holds."""
    takes: int = 0
    """Of each text on each side; 0 of a speed, whose processes were split."""

    @property
    def is_speed(self) -> bool:
        """Whether the margin stays, because the machine spreads the metric."""
        return is_speed(self.metric)


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationPlan:
    """How the A/A comparisons are made."""

    takes: int | None = None
    """Of both sides together, as far as the run has them; None for all."""
    comparisons: int = COMPARISONS
    slack: float = SLACK


def calibrate(
    run: Run, measurements: Measurements, policy: Policy, plan: CalibrationPlan
) -> tuple[Calibration, ...]:
    """
    Compare takes with takes of the same run, and propose margins for what they cross.

    Raises HarnessError for a run that is not complete, has a failed cell, or has too little of
    everything to be split.
    """
    _check(run)
    found: dict[str, list[Calibration]] = {}
    for cell in run.cells:
        named = by_name(measurements.get(cell.slug, ()))
        for name, measured in named.items():
            if (limit := policy.get(name)) is None or limit.against == "limit":
                continue
            made = _of_speed if is_speed(name) else _of_quality
            if (row := made(cell.slug, measured, named, limit, plan)) is not None:
                found.setdefault(name, []).append(row)
    if not found:
        raise HarnessError(
            f"{run.folder} has nothing to split: it needs {FEWEST} takes of each text "
            "(sampled=True), or 4 processes of a cell; give --takes or --repeats"
        )
    return tuple(_widest(rows) for rows in found.values())


def _check(run: Run) -> None:
    if not run.complete:
        raise HarnessError(f"{run.folder} is not complete; finish it with --resume")
    for cell in run.cells:
        if (failure := failure_of(cell.slug, run) or not_sampled(run, cell)) is not None:
            raise HarnessError(
                f"cell {cell.slug} failed ({failure}), so its spread is not known; mend it and run "
                "again"
            )


def _widest(rows: Sequence[Calibration]) -> Calibration:
    """Return the row of the cell with the largest spread, with the alarms of all cells."""
    widest = max(rows, key=lambda row: row.spread)
    return replace(
        widest,
        alarms=sum(row.alarms for row in rows),
        comparisons=sum(row.comparisons for row in rows),
    )


def _of_quality(
    cell: str,
    measured: Measurement,
    named: Mapping[str, Measurement],
    limit: Limit,
    plan: CalibrationPlan,
) -> Calibration | None:
    takes = values_by_id(measured.values)
    fewest = min(map(len, takes.values()), default=0)
    if fewest < FEWEST or not isinstance(measured.summary, float):
        return None
    side = min(plan.takes or fewest, fewest) // 2
    weights = weights_of(measured.metric, named) if measured.metric in WEIGHTS else None
    judged = with_evidence({measured.metric: limit})[measured.metric]
    spread, gap, alarms, absolute = 0.0, 0.0, 0, True
    for before, now in _splits(measured, takes, side, plan.comparisons):
        point = compare_takes(cell, now, before, weights, bounded=False)
        size, absolute = abs(point.shift or 0.0), point.absolute
        spread, gap = max(spread, size), max(gap, *(each.worse for each in point.changes[:1]))
        if size > margin_of(point, limit) or gap > (limit.worst or math.inf):
            verdict = decide(compare_takes(cell, now, before, weights), judged).verdict
            alarms += verdict is Verdict.REGRESSED
    whole = replace(point, baseline=measured.summary)
    margin, wider = margin_of(whole, limit), _rounded_up(spread * plan.slack)
    scale, unit = (1.0, measured.unit) if absolute else (100.0, "%")
    worst = _rounded_up(gap * plan.slack) if gap * plan.slack > (limit.worst or math.inf) else None
    proposed = wider if margin < wider else None
    return Calibration(
        metric=measured.metric,
        unit=unit,
        margin=margin * scale,
        spread=spread * scale,
        alarms=alarms,
        comparisons=plan.comparisons,
        proposed=None if proposed is None else proposed * scale,
        limit=_widened(limit, proposed, worst, absolute=absolute),
        worst=limit.worst,
        gap=gap,
        proposed_worst=worst,
        takes=side,
    )


def _splits(
    measured: Measurement, takes: Mapping[str, Sequence[float]], side: int, count: int
) -> Iterator[tuple[Measurement, Measurement]]:
    """Draw two sets of takes of each text that have none in common, as two measurements."""
    rng = np.random.default_rng(SEED)
    for _ in range(count):
        before: list[UtteranceValue] = []
        now: list[UtteranceValue] = []
        for name, values in takes.items():
            drawn = rng.permutation(len(values))[: 2 * side]
            for place, take in enumerate(drawn):
                half = before if place < side else now
                half.append(UtteranceValue(id=name, value=values[take], repeat=place % side))
        yield replace(measured, values=tuple(before)), replace(measured, values=tuple(now))


def _of_speed(
    cell: str,
    measured: Measurement,
    named: Mapping[str, Measurement],
    limit: Limit,
    plan: CalibrationPlan,
) -> Calibration | None:
    statistic = STATISTICS.get(measured.metric)
    if statistic is None or not isinstance(measured.summary, float):
        return None
    if measured.metric in RELATIVE:
        measured = relative_to_typical(measured, typical_values(measured))
    groups = by_process(measured, named)
    half = len(groups) // 2
    if half < 2:
        return None
    rng, spread = np.random.default_rng(SEED), 0.0
    for _ in range(plan.comparisons):
        drawn = [groups[place] for place in rng.permutation(len(groups))]
        before, now = (
            float(statistic(np.concatenate(part)))
            for part in (drawn[:half], drawn[half : 2 * half])
        )
        spread = max(spread, abs(now / before - 1.0))
    return Calibration(
        metric=measured.metric,
        unit="%",
        margin=100.0 * (limit.relative or 0.0),
        spread=100.0 * spread,
        alarms=0,
        comparisons=plan.comparisons,
        proposed=None,
        limit=None,
    )


def _widened(
    limit: Limit, margin: float | None, worst: float | None, *, absolute: bool
) -> Limit | None:
    """Return the limit with what is wider; of two margins the greater counts, so one is enough."""
    changes: dict[str, float] = {}
    if margin is not None:
        changes["absolute" if absolute else "relative"] = margin
    if worst is not None:
        changes["worst"] = worst
    return replace(limit, **changes) if changes else None  # type: ignore[arg-type]


def _rounded_up(value: float) -> float:
    """
    Round up to DIGITS significant digits.

    >>> _rounded_up(0.01234), _rounded_up(0.0)
    (0.013, 0.0)
    """
    if value <= 0.0:
        return 0.0
    digits = DIGITS - 1 - math.floor(math.log10(value))
    step = 10.0**digits
    return round(math.ceil(round(value * step, 9)) / step, max(digits, 0))


def write_margins(
    path: Path, rows: Sequence[Calibration], run: Run, plan: CalibrationPlan
) -> tuple[str, ...]:
    """
    Write the proposed margins into a suite's policy, whose other lines stay; return the metrics.

    Raises HarnessError for a file that cannot be read or written, and for a line of it that spans
    several.
    """
    found = {row.metric: row for row in rows if row.limit is not None}
    if not found:
        return ()
    known = read_policy(path, shown_metrics()) if path.exists() else {}
    head = f"schema_version = {SCHEMA_VERSION}\n\n[metrics]\n"
    text = read_bytes(path).decode() if path.exists() else head
    lines = {name: f"{name} = {_line(row, run, plan)}" for name, row in found.items()}
    for name in sorted(known.keys() & lines.keys()):
        there = re.findall(rf"(?m)^{name}[ \t]*=.*\}}.*$", text)
        if len(there) != 1:
            raise HarnessError(
                f"{path}: the line of {name} is not one line of its own; write it by hand: "
                f"{lines[name]}"
            )
        text = text.replace(there[0], lines.pop(name))
    added = "".join(f"{line}\n" for line in lines.values())
    text = re.sub(r"(?m)^\[metrics\].*\n", lambda head: f"{head[0]}{added}", text, count=1)
    write_file(path, text, "make room, or make it writable", parents=True)
    read_policy(path, shown_metrics())
    return tuple(found)


def _line(row: Calibration, run: Run, plan: CalibrationPlan) -> str:
    assert row.limit is not None, "only what is widened is written"
    texts = len(run.cells[0].workload.requests)
    return (
        f"{limit_text(row.limit)}  # calibrated {run.created[:10]} on {machine_id(run)}: spread "
        f"{row.spread:.3g} {row.unit} in {row.comparisons} comparisons of {row.takes} takes of "
        f"{texts} texts, times {plan.slack:g}"
    )


def calibration_to_dict(row: Calibration) -> dict[str, object]:
    """Return plain JSON values; `line` is the policy's line with the wider margin."""
    return {
        "metric": row.metric,
        "unit": row.unit,
        "margin": row.margin,
        "spread": row.spread,
        "alarms": row.alarms,
        "comparisons": row.comparisons,
        "proposed": row.proposed,
        "worst": row.worst,
        "gap": row.gap,
        "proposed_worst": row.proposed_worst,
        "line": None if row.limit is None else limit_text(row.limit),
    }
