"""
Judge a run: apply the policy to comparisons. A verdict per metric, per cell and for the run, and
the exit code.

Only this folder decides. `decide.py` has the rules of one metric; a REGRESSED speed must hold again
in fresh processes (`amend.py`). Knows no file, computes no statistic; `explain.py` has the words.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from voxgate.harness.analysis.caveats import caveats, lost_watermark, not_sampled, takes_differ
from voxgate.harness.analysis.grouping import Measurements
from voxgate.harness.analysis.metric_rules import is_speed
from voxgate.harness.analysis.stages import pair_stages, stage_facts
from voxgate.harness.judging import explain, phrases
from voxgate.harness.judging.baseline import (
    Baseline,
    count_measured,
    identity,
    machine_id,
    revision,
)
from voxgate.harness.judging.compare import Comparisons, compare, unrecorded_limits
from voxgate.harness.judging.decide import decide, with_company
from voxgate.harness.judging.policy import Policy
from voxgate.harness.machine.quietness import Disturbed, disturbed
from voxgate.harness.metrics.registry import is_synthesis_time, needs_asr
from voxgate.harness.records.cell import Cell
from voxgate.harness.records.measurement import Missing
from voxgate.harness.records.run import Run, failure_of
from voxgate.harness.records.verdict import (
    EXIT_CODES,
    WORST_FIRST,
    CellVerdict,
    MetricVerdict,
    MetricVerdicts,
    Remark,
    RunVerdict,
    Verdict,
)

HEARD_MATTERS = (Verdict.REGRESSED, Verdict.FAILED, Verdict.UNRESOLVED)
"""Verdicts on a quality that are explained by the transcripts before and now."""
GOOD = (Verdict.PASS, Verdict.IMPROVED)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Evidence:
    """The inputs of a judgement, and the facts that concern the whole run."""

    run: Run
    measurements: Measurements
    comparisons: Comparisons
    baseline: Baseline
    policy: Policy
    speeds: MetricVerdicts
    """What was decided before."""
    base: Run | None
    listener: str | None
    """The one reason why no cell of the run was transcribed; None where some were."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedSpeeds:
    """
    The speeds of a run, compared and decided: the half of a judgement that needs no score of its
    audio.
    """

    comparisons: Comparisons
    verdicts: MetricVerdicts


def judge_speeds(
    run: Run, measurements: Measurements, baseline: Baseline, policy: Policy
) -> JudgedSpeeds:
    """Decide on the speeds of every cell of a run."""
    comparisons = {
        slug: tuple(each for each in compared if is_speed(each.metric))
        for slug, compared in compare(run, measurements, baseline).items()
    }
    evidence = _evidence(run, measurements, baseline, policy, comparisons)
    verdicts = {cell.slug: tuple(_judge_metrics(cell, evidence)) for cell in run.cells}
    return JudgedSpeeds(comparisons=comparisons, verdicts=verdicts)


def judge(
    run: Run,
    measurements: Measurements,
    baseline: Baseline,
    policy: Policy,
    cells: Sequence[Cell] | None = None,
    *,
    paired: bool = False,
    base: Run | None = None,
    speeds: JudgedSpeeds | None = None,
) -> RunVerdict:
    """
    Decide on a run: one verdict per metric, per cell, and for the whole.

    `cells` are those of the suite; None means the run's own and those that it notes as unmeasured.
    `paired` means that the baseline was measured in turns with the run. `base` is then that other
    run, whose stages are matched iteration by iteration to name the stage that moved. `speeds` are
    those that were judged before: of values that are still the same, nothing is judged again.

    Cells that only the baseline names are FAILED, cells that only the suite has are UNRESOLVED.
    """
    expected = {cell.slug: cell.label for cell in (run.cells if cells is None else cells)}
    expected |= run.unmeasured if cells is None else {}
    known = None if speeds is None else speeds.comparisons
    comparisons = compare(run, measurements, baseline, paired=paired, speeds=known)
    decided = {} if speeds is None else speeds.verdicts
    evidence = _evidence(run, measurements, baseline, policy, comparisons, decided, base)
    judged = [_judge_cell(cell, evidence) for cell in run.cells]
    judged += _not_measured(run, expected) + _stale(run, expected, baseline)
    judgement = RunVerdict(
        suite=run.suite,
        profile=run.profile,
        machine=machine_id(run),
        head=revision(run),
        baseline=explain.baseline_name(baseline),
        baseline_date="" if paired else baseline.date,
        baseline_commit=baseline.commit,
        cells=(),
        counts={},
        verdict=Verdict.UNRESOLVED,
        exit_code=EXIT_CODES[Verdict.UNRESOLVED],
        line="",
    )
    return with_cells(judgement, judged, run.folder)


def judge_metric(
    run: Run,
    measurements: Measurements,
    baseline: Baseline,
    policy: Policy,
    cell: str,
    metric: str,
) -> MetricVerdict:
    """Decide on one metric of one cell, against a baseline that was measured in turns with it."""
    compared = compare(run, measurements, baseline, paired=True)[cell]
    return decide(next(each for each in compared if each.metric == metric), policy[metric])


def _evidence(
    run: Run,
    measurements: Measurements,
    baseline: Baseline,
    policy: Policy,
    comparisons: Comparisons,
    speeds: MetricVerdicts | None = None,
    base: Run | None = None,
) -> _Evidence:
    return _Evidence(
        run=run,
        measurements=measurements,
        comparisons=comparisons,
        baseline=baseline,
        policy=policy,
        speeds=speeds or {},
        base=base,
        listener=_absent_listener(comparisons),
    )


def with_cells(
    judgement: RunVerdict, cells: Sequence[CellVerdict], folder: str | None
) -> RunVerdict:
    """
    Return the judgement with other cells, and all that follows from them: verdict, counts, exit
    code, line, and the command that accepts `folder` where a baseline is missing.

    None: there is nothing to accept. Nor is there where a cell failed, which would be refused.
    """
    verdict = Verdict.worst(cell.verdict for cell in cells)
    counts = Counter(cell.verdict for cell in cells)
    lacking = explain.kinds_without_baseline(cells)
    refused = folder is None or not lacking or counts[Verdict.FAILED]
    changed = replace(
        judgement,
        cells=tuple(cells),
        counts={name: counts[name] for name in WORST_FIRST if counts[name]},
        verdict=verdict,
        exit_code=EXIT_CODES[verdict],
        without_baseline=lacking,
        accept="" if refused else explain.accept_command(str(folder), lacking),
    )
    return replace(changed, line=phrases.line(changed))


def incomplete(judgement: RunVerdict) -> RunVerdict:
    """Return the judgement of a run that has no end: nothing passes, and every cell says why."""
    why = "the run is not complete; finish it with --resume"
    cells = [
        replace(
            cell,
            verdict=Verdict.UNRESOLVED if cell.verdict in GOOD else cell.verdict,
            reason=phrases.joined(why, cell.reason),
        )
        for cell in judgement.cells
    ]
    return with_cells(judgement, cells, folder=None)


def _judge_cell(cell: Cell, evidence: _Evidence) -> CellVerdict:
    run, measured = evidence.run, evidence.measurements.get(cell.slug, ())
    metrics = _judge_metrics(cell, evidence)
    failure = failure_of(cell.slug, run) or lost_watermark(cell, measured) or not_sampled(run, cell)
    if failure is not None:
        return _cell(cell, Verdict.FAILED, failure, metrics)
    gap = _unfinished(cell, run)
    if gap is not None:
        return _cell(cell, Verdict.UNRESOLVED, gap, metrics)
    verdict = Verdict.worst(metric.verdict for metric in metrics if metric.blocking)
    reason = explain.cell_reason(verdict, metrics)
    remarks = [*_explanations(cell, metrics, evidence), *_notices(cell, metrics, evidence)]
    judged = phrases.with_remarks(_cell(cell, verdict, reason, metrics), remarks)
    return replace(judged, reason=phrases.joined(reason, judged.notes))


def _judge_metrics(cell: Cell, evidence: _Evidence) -> list[MetricVerdict]:
    run, policy = evidence.run, evidence.policy
    limits = with_evidence(policy) if takes_differ(run, cell.slug) else policy
    decided = {each.comparison: each for each in evidence.speeds.get(cell.slug, ())}
    judged = [
        decided.get(comparison) or decide(comparison, limits[comparison.metric], evidence.listener)
        for comparison in evidence.comparisons.get(cell.slug, ())
        if comparison.metric in limits
    ]
    judged = [with_company(each, judged, limits[each.metric]) for each in judged]
    return _speed_only_counts_in_band(_quiet_only(judged, disturbed(run, cell.slug)))


def _notices(
    cell: Cell, metrics: Sequence[MetricVerdict], evidence: _Evidence
) -> tuple[Remark, ...]:
    """Return the remarks on a cell that change no verdict."""
    run, baseline = evidence.run, evidence.baseline
    compared = evidence.comparisons.get(cell.slug, ())
    return (
        *explain.drift_remarks(metrics),
        *explain.notices(cell.slug, evidence.measurements, compared, baseline, run.reference),
        *caveats(run, cell),
        *(unrecorded_limits(run, baseline) if cell.slug == run.reference else ()),
    )


def _explanations(
    cell: Cell, metrics: Sequence[MetricVerdict], evidence: _Evidence
) -> tuple[Remark, ...]:
    """Return what explains a cell's verdict: words heard, stage that moved, changed settings."""
    run, baseline = evidence.run, evidence.baseline
    blocking = [metric for metric in metrics if metric.blocking]
    broken = {each.id for each in chain.from_iterable(metric.utterances for metric in metrics)}
    slower = any(
        metric.verdict is Verdict.REGRESSED and is_synthesis_time(metric.metric)
        for metric in blocking
    )
    doubtful = any(
        metric.verdict in HEARD_MATTERS and not is_speed(metric.metric) for metric in blocking
    )
    return (
        *(explain.heard(cell.slug, run.heard, baseline, broken) if doubtful else ()),
        *(explain.stage_remark(_moved_stage(cell, evidence)) if slower else ()),
        *explain.settings(cell.slug, identity(cell, run)["effective"], baseline),
    )


def _moved_stage(cell: Cell, evidence: _Evidence) -> tuple[str, ...]:
    if evidence.base is not None:
        return stage_facts(pair_stages(evidence.base, evidence.run, cell.slug))
    return explain.attribution(cell.slug, evidence.measurements[cell.slug], evidence.baseline)


def with_evidence(policy: Policy) -> Policy:
    """
    Demand proof over utterances of every quality: where each take differs, size alone may be
    chance.
    """
    return {
        name: replace(limit, evidence="utterances") if limit.evidence == "none" else limit
        for name, limit in policy.items()
    }


def _cell(
    cell: Cell, verdict: Verdict, reason: str, metrics: Sequence[MetricVerdict]
) -> CellVerdict:
    return CellVerdict(
        cell=cell.slug, label=cell.label, verdict=verdict, reason=reason, metrics=tuple(metrics)
    )


def _quiet_only(metrics: Sequence[MetricVerdict], noise: Disturbed) -> list[MetricVerdict]:
    """
    Make the speeds of a cell UNRESOLVED if too many of its iterations were disturbed: the
    undisturbed ones are no random selection.
    """
    return [_undecided_by(noise, metric) for metric in metrics] if noise.too_many else list(metrics)


def _undecided_by(noise: Disturbed, metric: MetricVerdict) -> MetricVerdict:
    not_compared = (Verdict.NO_BASELINE, Verdict.INCOMPARABLE)
    if not is_speed(metric.metric) or metric.verdict in not_compared:
        return metric
    reason = f"{metric.metric}: {noise.reason}"
    return replace(metric, verdict=Verdict.UNRESOLVED, reason=reason, cause=noise.reason)


def _speed_only_counts_in_band(metrics: Sequence[MetricVerdict]) -> list[MetricVerdict]:
    """
    Make the good speed verdicts of a cell INCOMPARABLE if its quality is out of band: to be faster
    at less work is not to be faster.
    """
    bad = (Verdict.REGRESSED, Verdict.FAILED)
    out_of_band = [
        metric
        for metric in metrics
        if metric.blocking and metric.verdict in bad and not is_speed(metric.metric)
    ]
    if not out_of_band:
        return list(metrics)
    why = f"speed does not count: {out_of_band[0].metric} {out_of_band[0].verdict}"
    return [
        remarked(metric, why, Verdict.INCOMPARABLE)
        if is_speed(metric.metric) and metric.verdict in GOOD
        else metric
        for metric in metrics
    ]


def remarked(metric: MetricVerdict, remark: str, verdict: Verdict) -> MetricVerdict:
    """Return a metric's verdict replaced by another, with a remark behind its reason."""
    return replace(
        metric,
        verdict=verdict,
        reason=f"{metric.reason}; {remark}",
        cause=f"{metric.cause}; {remark}" if metric.cause else "",
    )


def _unfinished(cell: Cell, run: Run) -> str | None:
    """Return why a cell without failure is not finished; None if it is."""
    processes = [process for process in run.processes if process.cell == cell.slug]
    if not count_measured(processes):
        return "nothing was measured; continue the run with --resume"
    repeats = [str(process.repeat) for process in processes if not process.finished]
    return (
        f"repeat {', '.join(repeats)} did not finish; continue the run with --resume"
        if repeats
        else None
    )


def _absent_listener(comparisons: Comparisons) -> str | None:
    """
    Return the one reason why no cell has the transcripts that its baseline has; None if any has, or
    if the reasons differ.
    """
    values = [
        comparison.current
        for comparison in chain.from_iterable(comparisons.values())
        if needs_asr(comparison.metric) and isinstance(comparison.baseline, float)
    ]
    reasons = {value.reason if isinstance(value, Missing) else None for value in values}
    return reasons.pop() if len(reasons) == 1 else None


def _not_measured(run: Run, expected: Mapping[str, str]) -> list[CellVerdict]:
    measured = {cell.slug for cell in run.cells}
    reason = "the suite has this cell, the run does not; run the suite again"
    return [
        CellVerdict(cell=slug, label=label, verdict=Verdict.UNRESOLVED, reason=reason, metrics=())
        for slug, label in expected.items()
        if slug not in measured
    ]


def _stale(run: Run, expected: Mapping[str, str], baseline: Baseline) -> list[CellVerdict]:
    expected_slugs = {*(cell.slug for cell in run.cells), *expected}
    named: dict[str, str] = {}
    for file in baseline.files:
        named.update(dict.fromkeys(file.cells.keys() - expected_slugs, file.path))
    return [
        CellVerdict(
            cell=slug,
            label=slug,
            verdict=Verdict.FAILED,
            reason=f"{path} names cell {slug}, which the suite does not have; accept a run "
            "again or remove its lines",
            metrics=(),
        )
        for slug, path in sorted(named.items())
    ]
