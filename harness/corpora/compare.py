"""
Compare corpora of the same texts as systems: the second against the first, text against text.

The first system stands where a baseline stands, and the rules of judging are applied to the values
of the texts that both have: the shift with its paired bootstrap interval over texts, and the
margins of the policy for means. Two systems never perform a text alike, so a difference always
needs its interval as proof, and one text that is worse decides nothing. Scores of other versions
are refused by name.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from voxgate.harness.analysis.grouping import by_name
from voxgate.harness.analysis.metric_rules import is_helper
from voxgate.harness.corpora.scores import CorpusScores, clustered, words_of
from voxgate.harness.errors import HarnessError
from voxgate.harness.judging.compare_quality import compare_quality
from voxgate.harness.judging.decide import decide
from voxgate.harness.judging.policy import Policy
from voxgate.harness.python310 import StrEnum
from voxgate.harness.records.measurement import Measurement, MetricVersion, Missing, UtteranceValue
from voxgate.harness.records.verdict import EXIT_CODES, Comparison, MetricVerdict, Verdict

EVIDENCE = "utterances"
SHOWN = 3
NOTHING_DECIDES = (
    "; none of these metrics can decide: each is advisory or has no good direction, so name others"
)


class Winner(StrEnum):
    """Which of two systems is better in one metric, by the policy's margin."""

    FIRST = "first"
    SECOND = "second"
    NEITHER = "neither"
    """The difference is within the margin."""
    DIFFERENT = "different"
    """Beyond the margin, in a metric without a good direction."""
    UNDECIDED = "undecided"
    """Beyond the margin and not proven, or nothing to compare."""
    UNJUDGED = "unjudged"
    """The policy has no margin for the metric."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedMetric:
    """
    One metric of two systems, over the `n` texts that have a value in both, of `total` common ones.
    `lost` are texts that have a value in the first system only.
    """

    comparison: Comparison
    judged: MetricVerdict | None
    winner: Winner
    n: int
    total: int
    lost: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemComparison:
    """Two systems, the texts that both have and that only one has, and every metric of both."""

    first: str
    second: str
    texts: int
    only_first: tuple[str, ...]
    only_second: tuple[str, ...]
    metrics: tuple[ComparedMetric, ...]
    one_sided: tuple[str, ...]
    """Metrics that only one of the two was scored by."""

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of the blocking metrics that have a good direction, and of failures."""
        return Verdict.worst(
            (
                each.judged.verdict
                for each in self.metrics
                if each.judged is not None and _decides(each)
            ),
            Verdict.UNRESOLVED,
        )

    @property
    def exit_code(self) -> int:
        """1 where the second is worse or failed, 3 where something could not be decided, or 0."""
        return EXIT_CODES[self.verdict]

    @property
    def line(self) -> str:
        """The comparison in one line."""
        wins = Counter(each.winner for each in self.metrics)
        return (
            f"{self.second} against {self.first} on {self.texts} texts: better in "
            f"{wins[Winner.SECOND]} metrics, worse in {wins[Winner.FIRST]}, alike in "
            f"{wins[Winner.NEITHER]}, undecided in {wins[Winner.UNDECIDED]}"
            f"{'' if any(map(_decides, self.metrics)) else NOTHING_DECIDES}"
        )


def _decides(each: ComparedMetric) -> bool:
    judged = each.judged
    if judged is None or not judged.blocking:
        return False
    return judged.verdict is Verdict.FAILED or each.comparison.better != "neither"


def compare_systems(
    first: CorpusScores,
    second: CorpusScores,
    policy: Policy,
    metrics: Sequence[str] | None = None,
) -> SystemComparison:
    """
    Compare two systems on the texts that both have, by the named metrics or by all.

    Raises HarnessError where no text is common, and where a metric was computed by another version.
    """
    mine, theirs = _texts(first), _texts(second)
    common = mine & theirs
    if not common:
        raise HarnessError(_nothing_common(first, second))
    before, now = _asked(first, metrics), _asked(second, metrics)
    _check_versions(first.name, second.name, before, now)
    return SystemComparison(
        first=first.name,
        second=second.name,
        texts=len(common),
        only_first=tuple(sorted(mine - theirs)),
        only_second=tuple(sorted(theirs - mine)),
        metrics=tuple(
            _compared(first, second, name, common, policy) for name in before if name in now
        ),
        one_sided=tuple(name for name in (*before, *now) if (name in before) != (name in now)),
    )


def _texts(side: CorpusScores) -> set[str]:
    return {each.cluster for each in side.utterances}


def _asked(side: CorpusScores, metrics: Sequence[str] | None) -> dict[str, Measurement]:
    return {
        name: each
        for name, each in by_name(side.measurements).items()
        if not is_helper(name) and (metrics is None or name in metrics)
    }


def _nothing_common(first: CorpusScores, second: CorpusScores) -> str:
    samples = [repr(side.utterances[0].cluster[:40]) for side in (first, second)]
    return (
        f"{first.name} and {second.name} have no text in common ({samples[0]}, {samples[1]}); give "
        "both the same texts, with --texts FILE"
    )


def _check_versions(
    first: str, second: str, before: Mapping[str, Measurement], now: Mapping[str, Measurement]
) -> None:
    """Raise HarnessError that names the metrics whose numbers are of other versions."""
    other = [
        (name, _differing(before[name].version, now[name].version))
        for name in before
        if name in now
        and before[name].version != now[name].version
        and _has_numbers(before[name])
        and _has_numbers(now[name])
    ]
    if not other:
        return
    named = "; ".join(f"{name} ({parts})" for name, parts in other[:SHOWN])
    more = f" and {len(other) - SHOWN} more" if len(other) > SHOWN else ""
    raise HarnessError(
        f"{first} and {second} were scored by other versions of {named}{more}; score both again, "
        "or choose other --metrics"
    )


def _differing(first: str, second: str) -> str:
    one, other = MetricVersion.parse(first), MetricVersion.parse(second)
    sides = ("; ".join(a.parts_beyond(b)) or str(a) for a, b in ((one, other), (other, one)))
    return " against ".join(sides)


def _has_numbers(measurement: Measurement) -> bool:
    return any(isinstance(each.value, float) for each in measurement.values)


def _compared(
    first: CorpusScores, second: CorpusScores, name: str, common: set[str], policy: Policy
) -> ComparedMetric:
    sides = [_by_text(side, name, common) for side in (first, second)]
    shared = sorted(sides[0].keys() & sides[1].keys())
    before, now = (
        _measurement(first, name, sides[0], shared),
        _measurement(second, name, sides[1], shared),
    )
    weights = words_of(first, name)
    comparison = compare_quality(second.name, now, before, weights)
    judged = _judged(comparison, policy, name, n=len(shared))
    return ComparedMetric(
        comparison=comparison,
        judged=judged,
        winner=_winner(judged),
        n=len(shared),
        total=len(common),
        lost=tuple(sorted(sides[0].keys() - sides[1].keys())),
    )


def _judged(comparison: Comparison, policy: Policy, name: str, *, n: int) -> MetricVerdict | None:
    limit = policy.get(name)
    if limit is None or not n:
        return None
    return decide(comparison, replace(limit, evidence=EVIDENCE, worst=None, count=0))


def _by_text(scores: CorpusScores, name: str, common: set[str]) -> dict[str, float]:
    """Return the mean value of each common text that has one."""
    clusters = {each.name: each.cluster for each in scores.utterances if each.cluster in common}
    measurement = by_name(scores.measurements)[name]
    return {key: value for key, (value, _) in clustered(measurement, clusters, None).items()}


def _measurement(
    scores: CorpusScores, name: str, values: Mapping[str, float], shared: Sequence[str]
) -> Measurement:
    held = by_name(scores.measurements)[name]
    numbers = [values[key] for key in shared]
    return replace(
        held,
        values=tuple(UtteranceValue(id=key, value=values[key]) for key in shared),
        summary=sum(numbers) / len(numbers) if numbers else Missing("no text has a value"),
    )


def _winner(judged: MetricVerdict | None) -> Winner:
    if judged is None or judged.comparison is None:
        return Winner.UNJUDGED
    if judged.comparison.better == "neither" and judged.verdict is Verdict.REGRESSED:
        return Winner.DIFFERENT
    return {
        Verdict.PASS: Winner.NEITHER,
        Verdict.IMPROVED: Winner.SECOND,
        Verdict.REGRESSED: Winner.FIRST,
        Verdict.FAILED: Winner.FIRST,
    }.get(judged.verdict, Winner.UNDECIDED)


def comparison_to_dict(comparison: SystemComparison) -> dict[str, Any]:
    """Return plain JSON values."""
    return {
        "first": comparison.first,
        "second": comparison.second,
        "texts": comparison.texts,
        "only_first": list(comparison.only_first),
        "only_second": list(comparison.only_second),
        "one_sided_metrics": list(comparison.one_sided),
        "verdict": comparison.verdict.value,
        "line": comparison.line,
        "metrics": [_to_json(each) for each in comparison.metrics],
    }


def _to_json(each: ComparedMetric) -> dict[str, Any]:
    comparison, judged = each.comparison, each.judged
    values = (comparison.baseline, comparison.current)
    first, second = (None if isinstance(value, Missing) else value for value in values)
    return {
        "metric": comparison.metric,
        "unit": comparison.unit,
        "better": comparison.better,
        "first": first,
        "second": second,
        "shift": comparison.shift,
        "low": comparison.low,
        "high": comparison.high,
        "relative": not comparison.absolute,
        "winner": each.winner.value,
        "verdict": None if judged is None else judged.verdict.value,
        "limit": None if judged is None else judged.limit,
        "blocking": judged is not None and judged.blocking,
        "reason": "" if judged is None else judged.reason,
        "n": each.n,
        "total": each.total,
        "lost": list(each.lost),
    }
