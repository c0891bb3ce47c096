"""
Scored corpora as text: the rows of their tables, a terminal's lines, and CSV with a row per
recording. Names and texts come from outside: on a terminal they are one printable line, in CSV no
formula.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from voxgate.harness.analysis.grouping import by_name
from voxgate.harness.analysis.metric_rules import is_helper
from voxgate.harness.corpora.compare import (
    ComparedMetric,
    SystemComparison,
    Winner,
    comparison_to_dict,
)
from voxgate.harness.corpora.preference import Ranking, ranking_to_dict
from voxgate.harness.corpora.scores import (
    CorpusScores,
    MetricSummary,
    ScoredUtterance,
    scores_to_dict,
)
from voxgate.harness.corpora.systems import ScoreReport, System
from voxgate.harness.history.exporters.tables import table_text
from voxgate.harness.judging import phrases
from voxgate.harness.judging.policy import Policy
from voxgate.harness.judging.shift import spread_of
from voxgate.harness.metrics.registry import family_of
from voxgate.harness.records.measurement import Measurement, Missing
from voxgate.harness.records.verdict import Spread, Verdict
from voxgate.harness.report.format import plain, plain_columns, shown, shown_unit, shown_value

NAMES = 5
"""Of recordings or texts that one line names."""
CHARACTERS = 48
"""Of a name on a terminal."""
NONE = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryRow:
    """One metric of one corpus as text; `worst` is the name of a recording."""

    metric: str
    family: str
    unit: str
    mean: str
    reason: str
    """Why recordings have no value: how many, and the first reason; empty where all have one."""
    p5: str
    p95: str
    worst_value: str
    worst: str
    count: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedRow:
    """One metric of two systems as text."""

    metric: str
    family: str
    unit: str
    first: str
    second: str
    shift: str
    better: str
    limit: str
    reason: str
    """Why nothing is decided, or the second system fails; empty for any other."""
    count: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorstUtterance:
    """One recording, and the metrics in which it is among the worst ones."""

    utterance: ScoredUtterance
    metrics: tuple[str, ...]
    values: tuple[str, ...]
    """`metric value unit` of each."""


def summary_rows(system: System) -> tuple[SummaryRow, ...]:
    """Return the table of one corpus."""
    return tuple(map(_summary_row, system.summaries))


def _summary_row(summary: MetricSummary) -> SummaryRow:
    measured = summary.measurement
    name, unit = measured.metric, measured.unit

    def text(value: float) -> str:
        return shown_value(name, unit, value)

    spread = summary.spread
    worst = None if summary.is_flat else spread
    low, high = (NONE, NONE) if spread is None else (text(spread.p5), text(spread.p95))
    return SummaryRow(
        metric=name,
        family=family_of(name),
        unit=shown_unit(name, unit),
        mean=shown(measured),
        reason=_gaps(summary),
        p5=low,
        p95=high,
        worst_value=NONE if worst is None else text(worst.value),
        worst=worst.worst if worst is not None else "",
        count=f"{summary.n} / {summary.total}",
    )


def _gaps(summary: MetricSummary) -> str:
    values = [each.value for each in summary.measurement.values]
    reasons = [value.reason for value in values if isinstance(value, Missing)]
    if not reasons:
        return "" if values else "it applies to no recording"
    return reasons[0] if len(reasons) == len(values) else f"{len(reasons)} without: {reasons[0]}"


def compared_rows(comparison: SystemComparison) -> tuple[ComparedRow, ...]:
    """Return the table of two systems."""
    return tuple(_compared_row(each, comparison) for each in comparison.metrics)


def _compared_row(each: ComparedMetric, comparison: SystemComparison) -> ComparedRow:
    held = each.comparison
    name, unit = held.metric, held.unit
    lost = f"{len(each.lost)} texts have no value in {comparison.second}" if each.lost else ""
    return ComparedRow(
        metric=name,
        family=family_of(name),
        unit=shown_unit(name, unit),
        first=_value(name, unit, held.baseline),
        second=_value(name, unit, held.current),
        shift=NONE if held.shift is None else phrases.size(held),
        better={
            Winner.FIRST: comparison.first,
            Winner.SECOND: comparison.second,
            Winner.NEITHER: "alike",
            Winner.DIFFERENT: "they differ",
            Winner.UNDECIDED: "undecided",
            Winner.UNJUDGED: "not judged",
        }[each.winner],
        limit=_limit(each),
        reason=phrases.joined(_why(each), lost),
        count=f"{each.n} / {each.total}",
    )


def _limit(each: ComparedMetric) -> str:
    """Return the margin of the policy, as text."""
    if each.judged is None or each.judged.limit is None:
        return ""
    factor, unit = phrases.scale(each.comparison)
    return f"{each.judged.limit * factor:.3g} {unit}".strip()


def _why(each: ComparedMetric) -> str:
    judged = each.judged
    if judged is None:
        return ""
    told = each.winner is Winner.UNDECIDED or judged.verdict is Verdict.FAILED
    return judged.reason if told else ""


def _value(name: str, unit: str, value: float | Missing) -> str:
    return NONE if isinstance(value, Missing) else shown_value(name, unit, value)


def worst_first(scores: CorpusScores, policy: Policy) -> tuple[WorstUtterance, ...]:
    """
    Sort the recordings: first those that cannot be scored, then by the number of blocking metrics
    with a good direction in which they are among the worst 5 %.
    """
    marked: dict[str, list[tuple[str, str]]] = {each.name: [] for each in scores.utterances}
    for measured in scores.measurements:
        limit = policy.get(measured.metric)
        if limit is None or not limit.blocking or measured.better == "neither":
            continue
        unit, spread = shown_unit(measured.metric, measured.unit), spread_of(measured)
        for each in measured.values:
            if isinstance(each.value, float) and _stands_out(each.value, measured, spread):
                value = shown_value(measured.metric, measured.unit, each.value)
                marked[each.id].append((measured.metric, f"{measured.metric} {value} {unit}"))
    worst = [
        WorstUtterance(
            utterance=each,
            metrics=tuple(name for name, _ in marked[each.name]),
            values=tuple(text.strip() for _, text in marked[each.name]),
        )
        for each in scores.utterances
    ]
    return tuple(sorted(worst, key=lambda each: (not each.utterance.problem, -len(each.metrics))))


def _stands_out(value: float, measured: Measurement, spread: Spread | None) -> bool:
    """Whether a value is among the worst 5 %."""
    if spread is None:
        return False
    return value < spread.p5 if measured.better == "higher" else value > spread.p95


def coverage_lines(scores: CorpusScores) -> tuple[str, ...]:
    """Return what was scored and what was not, each group counted and named."""
    total = len(scores.utterances)
    audio_s = sum(each.audio_s for each in scores.utterances)
    lines = [
        f"{scores.name}: {total - len(scores.broken)} of {total} recordings scored, "
        f"{audio_s:.0f} s of audio; texts: {scores.texts}"
    ]
    broken = [f"{each.name} ({each.problem})" for each in scores.broken]
    texts = len({each.cluster for each in scores.utterances if each.text})
    groups = (
        (("recording cannot be scored", "recordings cannot be scored"), broken),
        (
            ("recording has no text", "recordings have no text"),
            [each.name for each in scores.without_text] if texts else [],
        ),
        (("text has no recording", "texts have no recording"), scores.unspoken),
        (
            ("file is not read", "files are not read"),
            [f"{name} ({why})" for name, why in scores.left_out.items()],
        ),
    )
    lines += [_counted(what, names) for what, names in groups if names]
    if 0 < texts < total - len(scores.without_text):
        lines.append(
            f"{total - len(scores.without_text)} recordings of {texts} texts: those of one text "
            "are one cluster"
        )
    return tuple(plain(line) for line in (*lines, *scores.notes))


def _counted(what: tuple[str, str], names: Sequence[str]) -> str:
    """Count names by one of two nouns, the second for several, and list the first of them."""
    more = f" and {len(names) - NAMES} more" if len(names) > NAMES else ""
    return f"{len(names)} {what[len(names) > 1]}: {'; '.join(names[:NAMES])}{more}"


def corpus_lines(system: System) -> list[str]:
    """Lay the table of one corpus out for a terminal."""
    head = ("metric", "unit", "mean [95 %]", "p5", "p95", "worst", "n / total", "recording")
    rows = [
        (
            row.metric,
            row.unit,
            row.mean,
            row.p5,
            row.p95,
            row.worst_value,
            row.count,
            _short(phrases.joined(row.worst, row.reason)),
        )
        for row in summary_rows(system)
    ]
    return [*coverage_lines(system.scores), *plain_columns([head, *rows], left=(0, 1, 7))]


def comparison_lines(comparison: SystemComparison) -> list[str]:
    """Lay the comparison of two systems out for a terminal."""
    first, second = _short(comparison.first), _short(comparison.second)
    head = ("metric", "unit", first, second, "shift [95 %]", "n / total", "better")
    rows = [
        (
            row.metric,
            row.unit,
            row.first,
            row.second,
            row.shift,
            row.count,
            _short(row.better),
        )
        for row in compared_rows(comparison)
    ]
    return [*common_lines(comparison), *plain_columns([head, *rows], left=(0, 1, 6))]


def common_lines(comparison: SystemComparison) -> tuple[str, ...]:
    """Return what both systems have, and what only one has."""
    first, second = comparison.first, comparison.second
    only = (
        (first, comparison.only_first),
        (second, comparison.only_second),
    )
    lines = [
        f"{second} against {first}: {comparison.texts} texts in both, of "
        f"{comparison.texts + len(comparison.only_first)} and "
        f"{comparison.texts + len(comparison.only_second)}"
    ]
    lines += [
        _counted((f"text only in {name}", f"texts only in {name}"), texts)
        for name, texts in only
        if texts
    ]
    if comparison.one_sided:
        lines.append(
            _counted(
                ("metric only in one of the two", "metrics only in one of the two"),
                comparison.one_sided,
            )
        )
    return tuple(map(plain, lines))


def ranking_lines(ranking: Ranking) -> list[str]:
    """Lay the ranking by votes out for a terminal."""
    head = ("system", "votes", "against", "strength [95 %]")
    rows = [
        (
            _short(each.name),
            f"{each.votes:g}",
            f"{each.against:g}",
            strength_text(each.strength, each.low, each.high),
        )
        for each in ranking.systems
    ]
    return [ranking_line(ranking), *plain_columns([head, *rows])]


def ranking_line(ranking: Ranking) -> str:
    """Return what the ranking rests on."""
    unused = f"; {ranking.ignored} other answers are not used" if ranking.ignored else ""
    return (
        f"{ranking.votes} preferences of {ranking.listeners} listeners; strengths are log odds of "
        f"mean 0, intervals over {ranking.drawn}{unused}"
    )


def strength_text(strength: float, low: float | None, high: float | None) -> str:
    """Format a strength: `+0.53 [+0.10 +0.98]`."""
    bounds = "" if low is None or high is None else f" [{low:+.2f} {high:+.2f}]"
    return f"{strength:+.2f}{bounds}"


def _short(text: str) -> str:
    line = plain(text)
    return line if len(line) <= CHARACTERS else f"{line[: CHARACTERS - 1]}…"


def csv_of(systems: Sequence[CorpusScores]) -> str:
    """Return a row per recording: text, transcript, fault, and a column per metric."""
    frames = [_frame(scores) for scores in systems]
    return table_text(pd.concat(frames, ignore_index=True))


def _frame(scores: CorpusScores) -> pd.DataFrame:
    columns: dict[str, list[object]] = {
        "system": [scores.name] * len(scores.utterances),
        "recording": [each.name for each in scores.utterances],
        "text": [each.text for each in scores.utterances],
        "heard": [each.heard for each in scores.utterances],
        "audio_s": [each.audio_s for each in scores.utterances],
        "problem": [each.problem for each in scores.utterances],
    }
    for name, measured in by_name(scores.measurements).items():
        if not is_helper(name):
            values = {each.id: each.value for each in measured.values}
            columns[name] = [
                value if isinstance(value := values.get(each.name), float) else None
                for each in scores.utterances
            ]
    return pd.DataFrame(columns)


def report_lines(report: ScoreReport) -> list[str]:
    """Lay everything out for a terminal, but for the last line."""
    lines: list[str] = []
    for system in report.systems:
        lines += [*corpus_lines(system), ""]
    for comparison in report.comparisons:
        lines += [*comparison_lines(comparison), ""]
    if report.ranking is not None:
        lines += [*ranking_lines(report.ranking), ""]
    return [*lines, *map(plain, report.faults), *filter(None, (report.effort.line,))]


def document_of(report: ScoreReport) -> dict[str, Any]:
    """Return everything as plain JSON values, the scores in the form that is read again."""
    effort = report.effort
    return {
        **scores_to_dict((system.scores, system.summaries) for system in report.systems),
        "comparisons": list(map(comparison_to_dict, report.comparisons)),
        "ranking": None if report.ranking is None else ranking_to_dict(report.ranking),
        "faults": list(report.faults),
        "effort": {
            "audio_s": effort.audio_s,
            "wall_s": effort.wall_s,
            "cached": effort.cached,
            "computed": effort.computed,
        },
        "exit_code": report.exit_code,
        "line": report.line,
    }
