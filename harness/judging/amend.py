"""
Amend verdicts after judging, for what shows only then: fresh processes, a control that moved, a gap
that nobody accepted, cells that only one of two revisions has.

Confirmation is one of them: which cells need more rounds, which look slower, and whether fresh
processes confirm that. A speed regression counts only if processes measured after it show it again.

`amend_verdicts` changes metric verdicts and derives the cell and run verdicts again. Nothing
outside of this folder changes a verdict.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from voxgate.harness import statistics
from voxgate.harness.analysis.metric_rules import DRIFT, is_speed
from voxgate.harness.judging import explain, phrases
from voxgate.harness.judging.decide import EVIDENCE_SHARE
from voxgate.harness.judging.judge import remarked, with_cells
from voxgate.harness.judging.policy import Policy
from voxgate.harness.metrics.registry import needs_asr
from voxgate.harness.records.cell import Cell
from voxgate.harness.records.measurement import Missing, MissingKind
from voxgate.harness.records.run import Run, failure_of
from voxgate.harness.records.verdict import (
    LINE_SHARE,
    CellVerdict,
    MetricVerdict,
    MetricVerdicts,
    RunVerdict,
    Verdict,
)

COMPARED = (Verdict.REGRESSED, Verdict.IMPROVED, Verdict.PASS)
"""Verdicts on a speed that rest on a comparison, and fall with it."""

Amendment = Callable[[str, MetricVerdict], MetricVerdict]
"""Slug of a cell, verdict on one of its metrics -> the verdict that replaces it."""


def amend_verdicts(
    judgement: RunVerdict, amendment: Amendment, folder: str, why: str = ""
) -> RunVerdict:
    """
    Apply an amendment to every metric verdict, and derive the cell and run verdicts again.

    A cell keeps a verdict that does not come from its metrics: it failed, or was not finished. An
    amended cell whose new verdict comes from an amended metric gets `why` as its reason where
    given, else the reasons of its metrics.
    """
    cells = [_amend_cell(cell, amendment, why) for cell in judgement.cells]
    return with_cells(judgement, cells, folder)


def _amend_cell(cell: CellVerdict, amendment: Amendment, why: str) -> CellVerdict:
    metrics = tuple(amendment(cell.cell, metric) for metric in cell.metrics)
    amended = replace(cell, metrics=metrics)
    if cell.verdict is not _worst_blocking(cell.metrics):
        return amended
    verdict = _worst_blocking(metrics, default=cell.verdict)
    pairs = list(zip(cell.metrics, metrics, strict=True))
    if verdict is cell.verdict and all(old.reason == new.reason for old, new in pairs):
        return amended
    caused = any(new.verdict is verdict for old, new in pairs if old != new)
    reason = why if why and caused else explain.cell_reason(verdict, metrics)
    kept = amended if verdict is Verdict.REGRESSED and not why else phrases.unexplained(amended)
    return replace(kept, verdict=verdict, reason=phrases.joined(reason, kept.notes))


def _worst_blocking(metrics: Iterable[MetricVerdict], default: Verdict | None = None) -> Verdict:
    return Verdict.worst((metric.verdict for metric in metrics if metric.blocking), default)


def invalidate_speed(judgement: RunVerdict, why: str, folder: str) -> RunVerdict:
    """Make every verdict on a speed UNRESOLVED, with the reason; those on quality stay."""

    def invalidate(_: str, metric: MetricVerdict) -> MetricVerdict:
        if not is_speed(metric.metric) or metric.verdict not in COMPARED:
            return metric
        return remarked(metric, why, Verdict.UNRESOLVED)

    return amend_verdicts(judgement, invalidate, folder, why)


def block_on_gaps(judgement: RunVerdict, policy: Policy, folder: str) -> RunVerdict:
    """
    Make a blocking metric without a value on either side count, as UNRESOLVED.

    In a stored baseline a reviewer accepted such a gap. Between two revisions nobody did, and a
    machine so busy that no iteration counts must not look like a pass.
    """

    def block(_: str, metric: MetricVerdict) -> MetricVerdict:
        limit = policy.get(metric.metric)
        blocks = limit is not None and limit.blocking and is_gap(metric)
        return replace(metric, blocking=True) if blocks else metric

    return amend_verdicts(judgement, block, folder)


def is_gap(metric: MetricVerdict) -> bool:
    """
    Whether both sides lack a value that every cell has where it can be measured at all: times, and
    transcripts.
    """
    comparison = metric.comparison
    if comparison is None or not (is_speed(metric.metric) or needs_asr(metric.metric)):
        return False
    return (
        isinstance(comparison.baseline, Missing)
        and comparison.baseline.kind is not MissingKind.NO_BASELINE
        and isinstance(comparison.current, Missing)
    )


def untimed_cells(judgement: RunVerdict, policy: Policy) -> frozenset[str]:
    """Return the slugs of the cells with a blocking speed that has no value on either side."""
    return frozenset(
        cell.cell
        for cell in judgement.cells
        for metric in cell.metrics
        if policy[metric.metric].blocking and is_speed(metric.metric) and is_gap(metric)
    )


def fail_where_base_failed(judgement: RunVerdict, base: Run, head: Run) -> RunVerdict:
    """
    Make the cells FAILED that only BASE cannot run, with its failure as the reason: nothing was
    compared, and nobody accepted that. A cell that HEAD cannot run keeps its own failure.
    """
    cells = [_fail_if_base_failed(cell, base, head) for cell in judgement.cells]
    return with_cells(judgement, cells, folder=None)


def _fail_if_base_failed(cell: CellVerdict, base: Run, head: Run) -> CellVerdict:
    failure = failure_of(cell.cell, base)
    if failure is None or failure_of(cell.cell, head) is not None:
        return cell
    reason = f"BASE cannot run this cell: {failure}"
    kept = phrases.unexplained(cell)
    return replace(kept, verdict=Verdict.FAILED, reason=reason, metrics=())


def add_unshared_cells(
    judgement: RunVerdict,
    *,
    added: Sequence[Cell],
    removed: Sequence[Cell],
    changed: Mapping[str, Sequence[str]],
    labels: Mapping[str, str],
) -> RunVerdict:
    """
    Add the cells that were not measured because the two suites do not share them: in HEAD only, in
    BASE only, or of one name with different requests (slug -> differences).
    """
    added_reason, removed_reason = (
        "new in HEAD: BASE's suite has no such cell",
        "HEAD's suite lost this cell",
    )
    unshared = [
        *(_unmeasured(cell.slug, cell.label, Verdict.NO_BASELINE, added_reason) for cell in added),
        *(_unmeasured(cell.slug, cell.label, Verdict.FAILED, removed_reason) for cell in removed),
    ]
    for slug, differences in changed.items():
        reason = f"HEAD's suite asks for something else: {'; '.join(differences)}"
        unshared.append(_unmeasured(slug, labels[slug], Verdict.INCOMPARABLE, reason))
    return with_cells(judgement, [*judgement.cells, *unshared], folder=None)


def _unmeasured(slug: str, label: str, verdict: Verdict, reason: str) -> CellVerdict:
    return CellVerdict(cell=slug, label=label, verdict=verdict, reason=reason, metrics=())


FALSE_SHARE = 0.05
"""
Of the regressions that are confirmed in a suite, at most this share may be false (Benjamini &
Hochberg 1995).
"""

MetricKey = tuple[str, str]
"""Slug of a cell, name of a metric."""


def undecided(speeds: MetricVerdicts) -> frozenset[str]:
    """
    Return the slugs of the cells that more rounds could decide: those with a blocking speed that
    has a baseline and is UNRESOLVED.
    """
    return frozenset(slug for slug, metrics in speeds.items() if any(map(_decidable, metrics)))


def suspects(speeds: MetricVerdicts) -> frozenset[str]:
    """
    Return the slugs of the cells whose speed is REGRESSED so far, to be measured again before that
    is reported.
    """
    return frozenset(slug for slug, metrics in speeds.items() if any(map(_suspicious, metrics)))


def confirmed(first: RunVerdict, second: MetricVerdicts, folder: str) -> RunVerdict:
    """
    Return the first judgement with its suspects decided by the verdicts on fresh processes.

    A suspect speed stays REGRESSED if the fresh processes show the size again, and proof that
    stands when as many suspects were tried: Benjamini-Hochberg over all of them. Else the fresh
    processes' own verdict counts, where it is PASS, and UNRESOLVED if it is not. Only fresh data
    count, because the first were selected for looking slow.
    """
    fresh = _by_key(second)
    tried = [key for key, metric in _by_key(first.metrics).items() if _suspicious(metric)]
    p_values = [_p_value(fresh[key]) if key in fresh else 1.0 for key in tried]
    proven = dict(zip(tried, statistics.benjamini_hochberg(p_values, FALSE_SHARE), strict=True))

    def confirm(slug: str, metric: MetricVerdict) -> MetricVerdict:
        key = (slug, metric.metric)
        return _confirm(metric, fresh.get(key), proven[key]) if key in proven else metric

    return amend_verdicts(first, confirm, folder)


def _by_key(verdicts: MetricVerdicts) -> dict[MetricKey, MetricVerdict]:
    return {
        (slug, metric.metric): metric for slug, metrics in verdicts.items() for metric in metrics
    }


def _confirm(first: MetricVerdict, fresh: MetricVerdict | None, proven: bool) -> MetricVerdict:
    if fresh is None or fresh.comparison is None:
        return replace(
            first,
            verdict=Verdict.UNRESOLVED,
            reason=f"{first.reason}, not confirmed: measured once only",
        )
    size = phrases.size(fresh.comparison)
    if proven and fresh.verdict is Verdict.REGRESSED:
        return replace(first, reason=f"{first.reason}, confirmed in fresh processes: {size}")
    verdict = (
        Verdict.PASS if fresh.verdict in (Verdict.PASS, Verdict.IMPROVED) else Verdict.UNRESOLVED
    )
    return replace(
        first, verdict=verdict, reason=f"{first.reason}, not confirmed in fresh processes: {size}"
    )


def _suspicious(metric: MetricVerdict) -> bool:
    """Whether fresh processes must confirm it; a drift was proven within each process already."""
    slower = metric.blocking and is_speed(metric.metric) and metric.verdict is Verdict.REGRESSED
    return slower and metric.metric != DRIFT


def _decidable(metric: MetricVerdict) -> bool:
    unresolved = metric.verdict is Verdict.UNRESOLVED
    return metric.blocking and is_speed(metric.metric) and unresolved and _has_shift(metric)


def _has_shift(metric: MetricVerdict) -> bool:
    return metric.comparison is not None and metric.comparison.shift is not None


def _p_value(metric: MetricVerdict) -> float:
    """
    Return the p-value of "the shift is no more than the evidence line"; 1.0 where nothing was
    compared.
    """
    comparison = metric.comparison
    if comparison is None or comparison.shift is None or metric.limit is None:
        return 1.0
    sign = 1.0 if comparison.better == "lower" else -1.0
    shift = statistics.Shift(
        point=comparison.shift, error=comparison.error, freedom=comparison.freedom
    )
    if sign < 0.0:  # a rate that falls: look at its inverse
        shift = replace(shift, point=1.0 / (1.0 + comparison.shift) - 1.0)
    return statistics.p_beyond(shift, LINE_SHARE * metric.limit / EVIDENCE_SHARE)
