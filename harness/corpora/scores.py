"""
The scores of a corpus: every value of every recording, and per metric mean, interval, tail and
worst recording.

Recordings of the same text are one cluster: another take of a text says little new about all texts.
A mean is that of the clusters' means, a rate such as WER the sum of errors over the sum of words,
and the bootstrap draws clusters. Metrics without a value for some recordings are summarised over
the others, with the count beside them.

Also the JSON of one or several corpora, as `voxgate score --json` writes it and reads it again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

from voxgate.harness import statistics
from voxgate.harness.analysis.grouping import by_name, weights_of
from voxgate.harness.analysis.metric_rules import WEIGHTS, is_helper
from voxgate.harness.corpora.corpus import cluster_key
from voxgate.harness.errors import HarnessError
from voxgate.harness.records.codec import from_json, to_json
from voxgate.harness.records.constraints import NON_EMPTY, OmitDefault, Range, Unique
from voxgate.harness.records.measurement import Measurement, Missing, UtteranceValue, Value

SCHEMA = "voxgate-score/1"
"""Of the JSON. History: 1, 2026-11, first."""
SYSTEMS = "systems"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredUtterance:
    """One recording that was scored: its text, its transcript, and why it has no values, if so."""

    name: Annotated[str, NON_EMPTY]
    text: Annotated[str, OmitDefault()] = ""
    """Empty where no text was found."""
    language: Annotated[str, OmitDefault()] = "en"
    audio_s: Annotated[float, Range(least=0.0)]
    heard: Annotated[str, OmitDefault()] = ""
    problem: Annotated[str, OmitDefault()] = ""
    """Why the audio cannot be scored at all; empty where it can."""

    @property
    def cluster(self) -> str:
        """The key of its cluster."""
        return cluster_key(self.name, self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusScores:
    """All scores of one folder. Each measurement has a value per recording that it applies to."""

    name: Annotated[str, NON_EMPTY]
    texts: str
    """Where the texts came from, and in which form."""
    utterances: Annotated[tuple[ScoredUtterance, ...], NON_EMPTY, Unique("name")]
    measurements: tuple[Measurement, ...]
    unspoken: Annotated[tuple[str, ...], OmitDefault()] = ()
    """The ids of the texts that have no recording."""
    left_out: Annotated[Mapping[str, str], OmitDefault()] = field(default_factory=dict)
    """The name of a file that was not read -> why."""
    notes: Annotated[tuple[str, ...], OmitDefault()] = ()

    @property
    def broken(self) -> tuple[ScoredUtterance, ...]:
        """The recordings that cannot be scored."""
        return tuple(each for each in self.utterances if each.problem)

    @property
    def without_text(self) -> tuple[ScoredUtterance, ...]:
        """The recordings that have no text."""
        return tuple(each for each in self.utterances if not each.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricSummary:
    """
    One metric of one corpus: `measurement` with its mean and interval, the 5th and 95th percentile
    over recordings, and the worst one. `n` of `total` recordings have a value.
    """

    measurement: Measurement
    p5: float | None
    p95: float | None
    worst: str
    worst_value: float | None
    n: int
    total: int


def summaries(scores: CorpusScores) -> tuple[MetricSummary, ...]:
    """Summarise every metric, without the helpers that only hold weights."""
    named = by_name(scores.measurements)
    clusters = {each.name: each.cluster for each in scores.utterances}
    return tuple(
        _summary(each, clusters, _weights(each.metric, named))
        for each in scores.measurements
        if not is_helper(each.metric)
    )


def clustered(
    measurement: Measurement, clusters: Mapping[str, str], weights: Mapping[str, float] | None
) -> dict[str, tuple[float, float]]:
    """
    Return value and weight of each cluster that has values: their mean, and its own count; of a
    rate the weighted mean, and the sum of the weights.
    """
    held: dict[str, list[tuple[float, float]]] = {}
    for value in measurement.values:
        weight = 1.0 if weights is None else weights.get(value.id, 0.0)
        if isinstance(value.value, float) and value.id in clusters and weight > 0.0:
            held.setdefault(clusters[value.id], []).append((value.value, weight))
    return {key: _weighted(rows) for key, rows in held.items()}


def _weighted(rows: Sequence[tuple[float, float]]) -> tuple[float, float]:
    total = sum(weight for _, weight in rows)
    return sum(value * weight for value, weight in rows) / total, total


def words_of(scores: CorpusScores, metric: str) -> dict[str, float] | None:
    """Return the words (characters) of each cluster's text for a rate; None for other metrics."""
    weights = _weights(metric, by_name(scores.measurements))
    if weights is None:
        return None
    clusters = {each.name: each.cluster for each in scores.utterances}
    return {clusters[name]: count for name, count in weights.items() if name in clusters}


def _weights(metric: str, named: Mapping[str, Measurement]) -> Mapping[str, float] | None:
    return weights_of(metric, named) if metric in WEIGHTS else None


def _summary(
    measurement: Measurement, clusters: Mapping[str, str], weights: Mapping[str, float] | None
) -> MetricSummary:
    held = [value for value in measurement.values if isinstance(value.value, float)]
    rows = list(clustered(measurement, clusters, weights).values())
    if not held or not rows:
        gaps = [value.value for value in measurement.values if isinstance(value.value, Missing)]
        why = gaps[0] if gaps else Missing("no recording has a value")
        return _row(replace(measurement, summary=why, low=None, high=None), None, held)
    if weights is None:
        mean = statistics.paired_bootstrap([value for value, _ in rows])
    else:
        rates, words = zip(*rows, strict=True)
        mean = statistics.paired_rate_difference([0.0] * len(rows), rates, words)
    low = mean.low
    if low is not None and min(value for value, _ in rows) >= 0.0:
        low = max(low, 0.0)  # the mean of what is never negative is not either
    summary = replace(measurement, summary=mean.point, low=low, high=mean.high)
    return _row(summary, worst_of(measurement), held)


def _row(
    measurement: Measurement, worst: UtteranceValue | None, held: Sequence[UtteranceValue]
) -> MetricSummary:
    numbers = [float(value.value) for value in held if isinstance(value.value, float)]
    p5, p95 = (float(statistics.percentile(numbers, q)) if numbers else None for q in (5.0, 95.0))
    return MetricSummary(
        measurement=measurement,
        p5=p5,
        p95=p95,
        worst="" if worst is None else worst.id,
        worst_value=worst.value if worst is not None and isinstance(worst.value, float) else None,
        n=len(numbers),
        total=len(measurement.values),
    )


def worst_of(measurement: Measurement) -> UtteranceValue | None:
    """
    Return the worst value; for a metric without a good direction, the one farthest from the median.
    None where all are alike.
    """
    bad = badness(measurement)
    held = [each for each in measurement.values if isinstance(each.value, float)]
    worst = max(held, key=bad, default=None)
    return None if worst is None or bad(worst) == min(map(bad, held)) else worst


def badness(measurement: Measurement) -> "Badness":
    """Return the function by which values that are numbers are sorted, the worst last."""
    numbers = [each.value for each in measurement.values if isinstance(each.value, float)]
    if measurement.better != "neither" or not numbers:
        sign = -1.0 if measurement.better == "higher" else 1.0
        return Badness(sign=sign, middle=None)
    return Badness(sign=1.0, middle=float(statistics.percentile(numbers, 50.0)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Badness:
    """How bad a value is: larger is worse."""

    sign: float
    middle: float | None

    def __call__(self, value: UtteranceValue) -> float:
        """Return the badness of a value."""
        assert isinstance(value.value, float), "only numbers are sorted"
        return self.sign * value.value if self.middle is None else abs(value.value - self.middle)


def scores_to_dict(
    systems: Iterable[tuple[CorpusScores, Sequence[MetricSummary]]],
) -> dict[str, Any]:
    """Return corpora as plain JSON values, each with its summary for those who read no Python."""
    return {
        "schema": SCHEMA,
        SYSTEMS: [
            {"scores": to_json(scores), "summary": list(map(_to_json, summary))}
            for scores, summary in systems
        ],
    }


def _to_json(summary: MetricSummary) -> dict[str, Any]:
    measurement = summary.measurement
    held = measurement.summary
    return {
        "metric": measurement.metric,
        "unit": measurement.unit,
        "better": measurement.better,
        "version": measurement.version,
        "mean": None if isinstance(held, Missing) else held,
        **({"missing": held.reason} if isinstance(held, Missing) else {}),
        "low": measurement.low,
        "high": measurement.high,
        "p5": summary.p5,
        "p95": summary.p95,
        "worst": summary.worst or None,
        "worst_value": summary.worst_value,
        "n": summary.n,
        "total": summary.total,
    }


def scores_from_dict(data: Mapping[str, Any], where: str) -> tuple[CorpusScores, ...]:
    """
    Read the corpora of `scores_to_dict`; summaries are computed anew. Raises HarnessError for
    anything else.
    """
    held = data.get(SYSTEMS)
    if data.get("schema") != SCHEMA or not isinstance(held, list) or not held:
        raise HarnessError(
            f"{where} holds no scores of schema {SCHEMA}; write them with `voxgate score FOLDER "
            "--json`"
        )
    systems = tuple(
        from_json(CorpusScores, _scores(each), f"{where}: {SYSTEMS}[{number}]")
        for number, each in enumerate(held)
    )
    for each in systems:
        _check_values(each, where)
    return systems


def _scores(system: object) -> object:
    return system.get("scores") if isinstance(system, Mapping) else system


def _check_values(scores: CorpusScores, where: str) -> None:
    """Raise HarnessError for a metric that stands there twice, and a value of no recording."""
    names = {each.name for each in scores.utterances}
    metrics = [each.metric for each in scores.measurements]
    for measurement in scores.measurements:
        ids = [value.id for value in measurement.values]
        if metrics.count(measurement.metric) > 1 or len(set(ids)) < len(ids):
            raise HarnessError(f"{where}: {measurement.metric} has two values of one recording")
        if not names.issuperset(ids):
            raise HarnessError(f"{where}: {measurement.metric} has a value of no recording")


def value_of(measurement: Measurement, name: str) -> Value | None:
    """Return the value of one recording; None where the metric does not apply to it."""
    return next((each.value for each in measurement.values if each.id == name), None)
