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
from voxgate.harness.judging.shift import spread_of
from voxgate.harness.records.codec import from_json, to_json
from voxgate.harness.records.constraints import NON_EMPTY, OmitDefault, Range, Unique
from voxgate.harness.records.measurement import Measurement, Missing, UtteranceValue
from voxgate.harness.records.verdict import Spread

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
    spoken: Annotated[str, OmitDefault()] = ""
    """The words to be heard, where they were told."""
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
    One metric of one corpus: `measurement` with its mean and interval, and its spread over
    recordings. `n` of `total` recordings have a value.
    """

    measurement: Measurement
    spread: Spread | None
    """None where fewer than two recordings have a value."""
    is_flat: bool
    """Whether all values are the same, so that none is the worst."""
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
        return _row(replace(measurement, summary=why, low=None, high=None), held)
    if weights is None:
        mean = statistics.paired_bootstrap([value for value, _ in rows])
    else:
        rates, words = zip(*rows, strict=True)
        mean = statistics.paired_rate_difference([0.0] * len(rows), rates, words)
    low = mean.low
    if low is not None and min(value for value, _ in rows) >= 0.0:
        low = max(low, 0.0)  # the mean of what is never negative is not either
    summary = replace(measurement, summary=mean.point, low=low, high=mean.high)
    return _row(summary, held)


def _row(measurement: Measurement, held: Sequence[UtteranceValue]) -> MetricSummary:
    numbers = {float(value.value) for value in held if isinstance(value.value, float)}
    return MetricSummary(
        measurement=measurement,
        spread=spread_of(measurement),
        is_flat=len(numbers) < 2,
        n=len(held),
        total=len(measurement.values),
    )


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
    held, spread = measurement.summary, summary.spread
    return {
        "metric": measurement.metric,
        "unit": measurement.unit,
        "better": measurement.better,
        "version": measurement.version,
        "mean": None if isinstance(held, Missing) else held,
        **({"missing": held.reason} if isinstance(held, Missing) else {}),
        "low": measurement.low,
        "high": measurement.high,
        "p5": None if spread is None else spread.p5,
        "p95": None if spread is None else spread.p95,
        "worst": None if spread is None or summary.is_flat else spread.worst,
        "worst_value": None if spread is None or summary.is_flat else spread.value,
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
    """
    Raise HarnessError for a metric that stands there twice, a value of no recording, and names that
    would steer a terminal.
    """
    words = [scores.name, *(f"{each.metric}{each.unit}" for each in scores.measurements)]
    odd = next((word for word in words if not word.isprintable()), None)
    if odd is not None:
        raise HarnessError(f"{where}: {odd!r:.60} is no name of a system or metric")
    names = {each.name for each in scores.utterances}
    metrics = [each.metric for each in scores.measurements]
    for measurement in scores.measurements:
        ids = [value.id for value in measurement.values]
        if metrics.count(measurement.metric) > 1 or len(set(ids)) < len(ids):
            raise HarnessError(f"{where}: {measurement.metric} has two values of one recording")
        if not names.issuperset(ids):
            raise HarnessError(f"{where}: {measurement.metric} has a value of no recording")
