"""
The qualities of a cell: one value for each request, or of a cell that samples one for each take of
each request, with their summary and its interval.

Requests stand for all texts, and takes are nested in them: a summary is over the means of the
requests' takes.
"""

from collections.abc import Mapping, Sequence
from itertools import chain
from types import MappingProxyType

from voxgate.harness import statistics
from voxgate.harness.analysis.available_inputs import AvailableInputs, is_applicable
from voxgate.harness.analysis.caveats import takes_differ
from voxgate.harness.analysis.metric_rules import WEIGHTS
from voxgate.harness.metrics.registry import full_version
from voxgate.harness.records.cell import Cell
from voxgate.harness.records.measurement import (
    Measurement,
    Metric,
    Missing,
    UtteranceValue,
    Value,
    kind_of,
    values_by_id,
)
from voxgate.harness.records.run import Phase, ProcessRecord, Run

Scores = Mapping[tuple[str, str], Mapping[str, Value]]
"""(slug, request id) -> metric name -> value."""
Takes = Mapping[tuple[str, str], Sequence[Mapping[str, Value]]]
"""Of cells that sample: (slug, request id) -> the scores of each take."""
NO_TAKES: Takes = MappingProxyType({})
NOT_SCORED = Missing("not scored")


def duration(
    run: Run, cell: Cell, processes: Sequence[ProcessRecord], no_iteration: Missing
) -> Measurement:
    """
    Return the audio seconds of each request, summarised by their mean over requests.

    A request counts by its first measured iteration, or by the mean over all where an engine
    without a seed varies its takes. Of a cell that samples, every take has its own.
    """
    sampled = cell.slug in run.takes
    iterations = chain.from_iterable(process.iterations for process in processes)
    made_s: dict[str, list[float]] = {}
    for iteration in sorted(iterations, key=lambda each: each.take):
        if iteration.audio_file is not None if sampled else iteration.phase is Phase.MEASURED:
            made_s.setdefault(iteration.request, []).append(iteration.audio_s)
    if not sampled:
        is_varying = takes_differ(run, cell.slug)
        made_s = {name: [sum(s) / len(s) if is_varying else s[0]] for name, s in made_s.items()}
    values: list[UtteranceValue] = []
    for request in cell.workload.requests:
        values += numbered(request.id, made_s.get(request.id, [no_iteration]))
    metric = Metric(name="duration", unit="s", better="neither", version=full_version("duration"))
    return summarise(metric, tuple(values), None)


def numbered(request: str, values: Sequence[Value]) -> list[UtteranceValue]:
    """Return the values of the takes of one request."""
    return [UtteranceValue(id=request, value=v, repeat=take) for take, v in enumerate(values)]


def quality(
    metric: Metric,
    cell: Cell,
    offer: AvailableInputs,
    scores: Scores,
    takes: Takes,
    no_iteration: Missing,
) -> Measurement:
    """Return one metric of the audio of a cell."""

    def score(request: str) -> list[Value]:
        of_takes = takes.get((cell.slug, request), ())
        if known := [each[metric.name] for each in of_takes if metric.name in each]:
            return known
        return [
            scores.get((cell.slug, request), {}).get(
                metric.name, no_iteration if (cell.slug, request) not in scores else NOT_SCORED
            )
        ]

    requests = [
        request.id
        for request in cell.workload.requests
        if is_applicable(metric.name, request.id, offer)
    ]
    values: list[UtteranceValue] = []
    for request in requests:
        values += numbered(request, score(request))
    if metric.name not in WEIGHTS:
        return summarise(metric, tuple(values), None)
    words = {
        request: scores.get((cell.slug, request), {}).get(WEIGHTS[metric.name], NOT_SCORED)
        for request in requests
    }
    return summarise(metric, tuple(values), words)


def summarise(
    metric: Metric, values: tuple[UtteranceValue, ...], words: Mapping[str, Value] | None
) -> Measurement:
    """
    Summarise one value per utterance, or the mean of its takes: the mean, or the corpus rate.

    A single missing value leaves no summary, since leaving it out would flatter the mean.
    """
    numbers = [sum(of_one) / len(of_one) for of_one in values_by_id(values).values()]
    gaps = [value.value for value in values if isinstance(value.value, Missing)]
    weights = (
        None
        if words is None
        else [weight for weight in words.values() if isinstance(weight, float)]
    )
    if (
        gaps
        or not numbers
        or (weights is not None and (len(weights) < len(numbers) or sum(weights) <= 0.0))
    ):
        reason = gaps[0].reason if gaps else "no words to count"
        return record(
            metric, values, Missing(_partly(len(gaps), len(values), reason), kind_of(gaps))
        )
    if weights is None:
        estimate = statistics.paired_bootstrap(numbers)
    else:
        estimate = statistics.paired_rate_difference([0.0] * len(numbers), numbers, weights)
    low = estimate.low
    if low is not None and metric.better == "lower" and metric.unit in ("1", "1/s"):
        low = max(low, 0.0)  # shares and rates of faults cannot be negative
    return record(metric, values, estimate.point, low, estimate.high)


def _partly(gaps: int, count: int, reason: str) -> str:
    return reason if gaps in (0, count) else f"{gaps} of {count} utterances have no value: {reason}"


def record(
    metric: Metric,
    values: tuple[UtteranceValue, ...],
    summary: Value,
    low: float | None = None,
    high: float | None = None,
) -> Measurement:
    """Return the measurement of a metric."""
    return Measurement(
        metric=metric.name,
        unit=metric.unit,
        better=metric.better,
        version=metric.version,
        values=values,
        summary=summary,
        low=low,
        high=high,
    )
