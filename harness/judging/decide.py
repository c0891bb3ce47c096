"""
The only place that decides. Applies the policy to comparisons: a verdict per metric, per cell, for
the run, and the exit code.

REGRESSED needs size and evidence: the shift lies beyond the line in the bad direction, it is proven
to be more than noise, and for speed both must hold again in fresh processes (`confirm.py`). PASS of
a speed needs evidence too: that a regression beyond the limit is excluded. What lacks either is
UNRESOLVED: nothing is passed in silence. Knows no file and computes no statistic; `explain.py`
finds the words. Every constant is argued in docs/how-verdicts-are-made.md.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from harness.analysis.caveats import doubts, takes_differ
from harness.analysis.grouping import Measurements
from harness.analysis.metric_rules import PERCENTILES, is_speed
from harness.judging import explain, phrases
from harness.judging.baseline import Baseline, identity, machine_id, revision
from harness.judging.compare import compare, untold
from harness.judging.explain import notices
from harness.judging.policy import Policy
from harness.machine.quietness import Disturbed, disturbed
from harness.metrics.registry import is_synthesis_time, needs_asr
from harness.records.cell import Cell
from harness.records.measurement import Missing, MissingKind, lacks_package
from harness.records.run import Phase, Run, failure_of
from harness.records.verdict import (
    EXIT_CODES,
    WORST_FIRST,
    CellVerdict,
    Comparison,
    Limit,
    MetricVerdict,
    RunVerdict,
    Verdict,
)
from harness.statistics import samples_needed

LINE_SHARE = 0.7
"""
A speed is decided at 0.7 of its limit: at 3.5 % where the limit is 5 %. Deciding at the limit
itself would find a true regression of just that size every other time.
"""
EVIDENCE_SHARE = 2.5
"""
A regression is proven when the one-sided 95 % bound of the shift exceeds line / 2.5. Demanding
bound > line would find a true regression of the limit's size far too seldom; demanding bound > 0
would report every drift of the machine.
"""
TAIL_SAMPLES = 200
"""
Below so many on either side, a tail percentile informs and does not block: p95 calls the same
engine more than 5 % slower in 17 % of comparisons at 50 samples, 8 % at 100 and 4 % at 200
(tests/harness/judging/test_why_the_rules.py).
"""

OTHER_VOICE = (Verdict.REGRESSED, Verdict.FAILED, Verdict.UNRESOLVED)
"""Verdicts on a quality beside which it helps to know which words were heard before and now."""


def judge(
    run: Run,
    measurements: Measurements,
    baseline: Baseline,
    policy: Policy,
    cells: Sequence[Cell] | None = None,
    *,
    paired: bool = False,
) -> RunVerdict:
    """
    Decide on a run. `cells` are those of the suite (where they are not given, the run's own and
    those that it notes as unmeasured); `paired` says that the baseline was measured in turns with
    the run.

    Cells that only the baseline names are FAILED, cells that only the suite has are UNRESOLVED.
    """
    expected = {cell.slug: cell.label for cell in (run.cells if cells is None else cells)}
    expected |= run.unmeasured if cells is None else {}
    comparisons = compare(run, measurements, baseline, paired=paired)
    listener = _absent_listener(comparisons)
    judged = [
        _judge_cell(cell, run, measurements, comparisons, baseline, policy, listener)
        for cell in run.cells
    ]
    judged += _not_measured(run, expected) + _stale(run, expected, baseline)
    judgement = RunVerdict(
        suite=run.suite,
        profile=run.profile,
        machine=machine_id(run),
        head=revision(run),
        baseline=explain.baseline_name(baseline),
        cells=(),
        counts={},
        verdict=Verdict.UNRESOLVED,
        exit_code=EXIT_CODES[Verdict.UNRESOLVED],
        line="",
    )
    return with_cells(judgement, judged, run.folder)


def with_cells(judgement: RunVerdict, cells: Sequence[CellVerdict], folder: str) -> RunVerdict:
    """Give a judgement other cells, and with them its verdict, counts, exit code and line."""
    verdict = min(
        (cell.verdict for cell in cells), key=WORST_FIRST.index, default=Verdict.UNRESOLVED
    )
    counts = Counter(cell.verdict for cell in cells)
    accept = explain.accept_command(folder, [metric for cell in cells for metric in cell.metrics])
    return replace(
        judgement,
        cells=tuple(cells),
        counts={name: counts[name] for name in WORST_FIRST if counts[name]},
        verdict=verdict,
        exit_code=EXIT_CODES[verdict],
        line=phrases.line(counts, verdict, accept),
    )


def incomplete(judgement: RunVerdict, folder: str) -> RunVerdict:
    """
    Return the judgement of a run that was not measured to its end: nothing is passed, and every
    cell says so.
    """
    why = "the run is not complete; finish it with --resume"
    good = (Verdict.PASS, Verdict.IMPROVED)
    cells = [
        replace(
            cell,
            verdict=Verdict.UNRESOLVED if cell.verdict in good else cell.verdict,
            reason="; ".join(filter(None, [why, cell.reason])),
        )
        for cell in judgement.cells
    ]
    return with_cells(judgement, cells, folder)


def decide(comparison: Comparison, limit: Limit, listener: str | None = None) -> MetricVerdict:
    """
    Decide on one metric of one cell; `listener` is the reason why nothing could be heard in the
    whole run, if so.

    A metric with no value on either side is UNRESOLVED without blocking: the reviewer accepted the
    gap.
    """
    return replace(
        _decide(comparison, limit, listener), good_enough=_good_enough(comparison, limit)
    )


def _good_enough(comparison: Comparison, limit: Limit) -> bool:
    now = comparison.current
    if limit.floor is None:
        return True
    return isinstance(now, float) and (
        now <= limit.floor if comparison.better == "lower" else now >= limit.floor
    )


def _decide(comparison: Comparison, limit: Limit, listener: str | None) -> MetricVerdict:
    before, now = comparison.baseline, comparison.current
    blocking = limit.blocking
    if comparison.incomparable:
        verdict, reason = Verdict.INCOMPARABLE, "; ".join(comparison.incomparable)
    elif isinstance(before, Missing) and _is_unjudged(before) and not lacks_package(now):
        verdict, reason = Verdict.NO_BASELINE, before.reason
    elif isinstance(before, Missing) and isinstance(now, Missing) and not _is_unjudged(before):
        verdict, reason, blocking = (
            Verdict.UNRESOLVED,
            f"no value, as in the baseline: {now.reason}",
            False,
        )
    elif isinstance(before, Missing) and isinstance(now, float):
        verdict, reason = _decide_new(before)
    elif isinstance(now, Missing):
        verdict, reason = _decide_missing(comparison.metric, now, listener)
    else:
        return _decide_size(comparison, limit)
    return _verdict(comparison, verdict, f"{comparison.metric}: {reason}", blocking)


def _is_unjudged(before: Missing) -> bool:
    """Whether the baseline has no entry, in place of an entry without a value."""
    return before.kind in (MissingKind.NO_BASELINE, MissingKind.OLDER_BASELINE)


def _decide_new(before: Missing) -> tuple[Verdict, str]:
    """Decide where only the run has a value."""
    if lacks_package(before):
        return (
            Verdict.UNRESOLVED,
            f"the baseline was made without it ({before.reason}); accept a run",
        )
    return Verdict.NO_BASELINE, f"the baseline has no value ({before.reason})"


def _decide_missing(metric: str, now: Missing, listener: str | None) -> tuple[Verdict, str]:
    if now.kind is MissingKind.NO_GOLDEN:
        return (
            Verdict.NO_BASELINE,
            "scored before the golden audio was accepted; score the run again",
        )
    if needs_asr(metric) and listener is not None:
        return Verdict.UNRESOLVED, listener
    if lacks_package(now):
        return Verdict.UNRESOLVED, now.reason
    if now.kind is MissingKind.DURATIONS_DIFFER:
        return Verdict.REGRESSED, now.reason
    if now.kind is MissingKind.TAKES_DIFFER:
        return (
            Verdict.UNRESOLVED,
            f"{now.reason}, which was not so in the baseline; if that is meant, accept a run",
        )
    return Verdict.FAILED, f"no value, though the baseline has one: {now.reason}"


def _decide_size(comparison: Comparison, limit: Limit) -> MetricVerdict:
    """Decide where both sides have a value: how far beyond the limit, and is it proven?"""
    blocking, advice = _may_block(comparison, limit)
    if comparison.shift is None:
        reason = f"{comparison.metric}: nothing to compare{advice}"
        return _verdict(comparison, Verdict.UNRESOLVED, reason, blocking)
    margin = _margin(comparison, limit)
    worse, at_least, at_most = _worse(comparison)
    shown = f"{explain.shown(comparison, margin)}{advice}"
    if limit.evidence == "processes":
        return _decide_speed(comparison, limit, (worse, at_least, at_most), shown, blocking)
    if worse > margin:
        if _proven(comparison, limit):
            return _verdict(comparison, Verdict.REGRESSED, shown, blocking, margin)
        return _verdict(
            comparison,
            Verdict.UNRESOLVED,
            f"{shown}, not proven: {explain.why_not(comparison)}",
            blocking,
            margin,
        )
    better = -worse > margin and _proven(comparison, limit)
    return _verdict(
        comparison, Verdict.IMPROVED if better else Verdict.PASS, shown, blocking, margin
    )


def _decide_speed(
    comparison: Comparison,
    limit: Limit,
    worse: tuple[float, float | None, float | None],
    shown: str,
    blocking: bool,
) -> MetricVerdict:
    """
    Decide between noise and change: REGRESSED and IMPROVED need size and proof, PASS that the limit
    is excluded.
    """
    margin = _margin(comparison, limit)
    line = LINE_SHARE * margin
    bound = line / EVIDENCE_SHARE
    size, at_least, at_most = worse
    if size > line and at_least is not None and at_least > bound:
        return _verdict(comparison, Verdict.REGRESSED, shown, blocking, margin)
    seen = explain.sight(comparison, line, bound)
    if size > line:
        reason = f"{shown}, not proven: {explain.why_not(comparison)}{seen}"
    elif at_most is None or at_most >= margin:
        reason = (
            f"{shown}, a regression beyond the limit is not excluded: {explain.why_not(comparison)}"
            f"{seen}"
        )
    else:
        better = -size > line and -at_most > bound
        return _verdict(
            comparison,
            Verdict.IMPROVED if better else Verdict.PASS,
            f"{shown}{seen}",
            blocking,
            margin,
        )
    return _verdict(comparison, Verdict.UNRESOLVED, reason, blocking, margin)


def _may_block(comparison: Comparison, limit: Limit) -> tuple[bool, str]:
    """
    Say whether the metric counts: a percentile needs enough samples on both sides
    (`samples_needed`).
    """
    q = PERCENTILES.get(comparison.metric)
    count = min(comparison.n_current, comparison.n_baseline)
    needed = 0 if q is None or q <= 50.0 else max(TAIL_SAMPLES, samples_needed(q))
    if not limit.blocking or count >= needed:
        return limit.blocking, ""
    return False, f" (advisory: {count} samples, {needed - count} more needed to block)"


def _margin(comparison: Comparison, limit: Limit) -> float:
    """
    Give the margin in the shift's own scale; where relative and absolute are given, the greater.
    """
    assert isinstance(comparison.baseline, float), (
        "sizes are judged only where there is a baseline value"
    )
    base = abs(comparison.baseline)
    relative, absolute = limit.relative or 0.0, limit.absolute or 0.0
    if comparison.absolute:
        return max(relative * base, absolute)
    return max(relative, absolute / base if base > 0.0 else math.inf)


def _worse(comparison: Comparison) -> tuple[float, float | None, float | None]:
    """
    Give shift and one-sided bounds with + as worse; for a metric with no good direction, either way
    is worse.
    """
    shift, at_least, at_most = comparison.shift or 0.0, comparison.at_least, comparison.at_most
    if comparison.better == "lower" or (comparison.better == "neither" and shift >= 0.0):
        return shift, at_least, at_most
    return -shift, None if at_most is None else -at_most, None if at_least is None else -at_least


def _proven(comparison: Comparison, limit: Limit) -> bool:
    """Say whether a quality has the evidence that the policy asks for."""
    if limit.evidence == "none":
        return True
    low, high = comparison.low, comparison.high
    return low is not None and high is not None and (low > 0.0 or high < 0.0)


def _verdict(
    comparison: Comparison,
    verdict: Verdict,
    reason: str,
    blocking: bool,
    limit: float | None = None,
) -> MetricVerdict:
    return MetricVerdict(
        metric=comparison.metric,
        verdict=verdict,
        reason=reason,
        comparison=comparison,
        blocking=blocking,
        limit=limit,
    )


def _judge_cell(
    cell: Cell,
    run: Run,
    measurements: Measurements,
    comparisons: Mapping[str, Sequence[Comparison]],
    baseline: Baseline,
    policy: Policy,
    listener: str | None,
) -> CellVerdict:
    limits = _with_evidence(policy) if takes_differ(run, cell.slug) else policy
    judged = [
        decide(each, limits[each.metric], listener)
        for each in comparisons.get(cell.slug, ())
        if each.metric in limits
    ]
    metrics = _speed_only_counts_in_band(_quiet_only(judged, disturbed(run, cell.slug)))
    failure = failure_of(cell.slug, run)
    if failure is not None:
        return _cell(cell, Verdict.FAILED, failure, metrics)
    gap = _unfinished(cell, run)
    if gap is not None:
        return _cell(cell, Verdict.UNRESOLVED, gap, metrics)
    counting = [each for each in metrics if each.blocking]
    verdict = min(
        (each.verdict for each in counting), key=WORST_FIRST.index, default=Verdict.UNRESOLVED
    )
    reason = explain.cell_reason(verdict, metrics, run.folder)
    told = _notes(cell, run, measurements, metrics, baseline)
    useless = notices(
        cell.slug, measurements, comparisons.get(cell.slug, ()), baseline, run.reference
    )
    told_too = (
        *useless,
        *doubts(run, cell),
        *(untold(run, baseline) if cell.slug == run.reference else ()),
    )
    return replace(
        _cell(cell, verdict, "; ".join(filter(None, [reason, told])), metrics),
        notes=told,
        notices=told_too,
    )


def _notes(
    cell: Cell,
    run: Run,
    measurements: Measurements,
    metrics: Sequence[MetricVerdict],
    baseline: Baseline,
) -> str:
    """Say beside the reason what a reader should know of the cell; empty where there is nothing."""
    slower = any(
        each.verdict is Verdict.REGRESSED and is_synthesis_time(each.metric)
        for each in metrics
        if each.blocking
    )
    doubtful = any(
        each.blocking and each.verdict in OTHER_VOICE and not is_speed(each.metric)
        for each in metrics
    )
    notes = [
        explain.heard(cell.slug, run.heard, baseline) if doubtful else "",
        explain.attribution(cell.slug, measurements[cell.slug], baseline) if slower else "",
        explain.settings(cell.slug, identity(cell, run)["effective"], baseline),
    ]
    return "; ".join(filter(None, notes))


def _with_evidence(policy: Policy) -> Policy:
    """
    Demand proof over utterances of every quality: where each take differs, size alone is chance as
    well.
    """
    return {
        name: replace(each, evidence="utterances") if each.evidence == "none" else each
        for name, each in policy.items()
    }


def _cell(
    cell: Cell, verdict: Verdict, reason: str, metrics: Sequence[MetricVerdict]
) -> CellVerdict:
    return CellVerdict(
        cell=cell.slug, label=cell.label, verdict=verdict, reason=reason, metrics=tuple(metrics)
    )


def _quiet_only(metrics: Sequence[MetricVerdict], noise: Disturbed) -> list[MetricVerdict]:
    """
    Leave the speeds of a cell undecided that was disturbed too often: what is left over is chosen
    by the disturbance.
    """

    def undone(each: MetricVerdict) -> MetricVerdict:
        measured = is_speed(each.metric) and each.verdict not in (
            Verdict.NO_BASELINE,
            Verdict.INCOMPARABLE,
        )
        return (
            replace(each, verdict=Verdict.UNRESOLVED, reason=f"{each.metric}: {noise.why}")
            if measured
            else each
        )

    return [undone(each) for each in metrics] if noise.too_many else list(metrics)


def _speed_only_counts_in_band(metrics: Sequence[MetricVerdict]) -> list[MetricVerdict]:
    """
    Void the speed verdicts of a cell whose quality is out of band: being quick at less work is not
    being quick.
    """
    bad = (Verdict.REGRESSED, Verdict.FAILED)
    broken = next(
        (
            each
            for each in metrics
            if each.blocking and each.verdict in bad and not is_speed(each.metric)
        ),
        None,
    )
    if broken is None:
        return list(metrics)
    why = f"speed does not count: {broken.metric} {broken.verdict}"

    def voided(each: MetricVerdict) -> MetricVerdict:
        hollow = is_speed(each.metric) and each.verdict in (Verdict.PASS, Verdict.IMPROVED)
        return (
            replace(each, verdict=Verdict.INCOMPARABLE, reason=f"{each.reason}; {why}")
            if hollow
            else each
        )

    return [voided(each) for each in metrics]


def _unfinished(cell: Cell, run: Run) -> str | None:
    """Say what is missing of a cell's processes that did not fail, or None."""
    processes = [process for process in run.processes if process.cell == cell.slug]
    if not any(
        sample.phase is Phase.MEASURED for process in processes for sample in process.samples
    ):
        return "nothing was measured; continue the run with --resume"
    repeats = [str(process.repeat) for process in processes if not process.finished]
    return (
        f"repeat {', '.join(repeats)} did not finish; continue the run with --resume"
        if repeats
        else None
    )


def _absent_listener(comparisons: Mapping[str, Sequence[Comparison]]) -> str | None:
    """
    Give the one reason why no cell has the words that its baseline has; None if any has, or if the
    reasons differ.
    """
    heard = [each for several in comparisons.values() for each in several if needs_asr(each.metric)]
    values = [each.current for each in heard if isinstance(each.baseline, float)]
    reasons = {value.reason if isinstance(value, Missing) else None for value in values}
    return reasons.pop() if len(reasons) == 1 else None


def _not_measured(run: Run, expected: Mapping[str, str]) -> list[CellVerdict]:
    there = {cell.slug for cell in run.cells}
    reason = "the suite has this cell, the run does not; run the suite again"
    return [
        CellVerdict(cell=slug, label=label, verdict=Verdict.UNRESOLVED, reason=reason, metrics=())
        for slug, label in expected.items()
        if slug not in there
    ]


def _stale(run: Run, expected: Mapping[str, str], baseline: Baseline) -> list[CellVerdict]:
    there = {*(cell.slug for cell in run.cells), *expected}
    named = {slug: file for file in baseline.files for slug in file.cells if slug not in there}
    return [
        CellVerdict(
            cell=slug,
            label=slug,
            verdict=Verdict.FAILED,
            reason=f"{file.path} names cell {slug}, which the suite does not have; accept a run "
            "again or remove its lines",
            metrics=(),
        )
        for slug, file in sorted(named.items())
    ]
