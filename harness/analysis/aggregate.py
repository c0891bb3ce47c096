"""
From samples and scores to measurements: every metric of every cell, with its 95 % interval. A pure
function of records.

Speed keeps one value per measured iteration (its process is `repeat`), quality one per request. An
iteration that something disturbed (`machine/interference.py`) keeps its place without a value, so
that no speed rests on it. Besides the panel's metrics there are helpers that are stored and never
judged: the weights of corpus rates (`wer_words`, `cer_chars`), the median seconds of each stage
(`stage.vocoder` ...), which say where a change of latency comes from, and `disturbed_share`. Knows
no baseline and no limit.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np

from harness import statistics
from harness.analysis import speed
from harness.analysis.available_inputs import AvailableInputs, is_applicable, offer_of
from harness.analysis.caveats import takes_differ
from harness.analysis.speed import STALLS, STREAMING_METRICS, stalled
from harness.analysis.stages import ALONE, SYNCED, UNTOLD, isolated_stages, versions_apart
from harness.audio.condition import CONDITIONS
from harness.errors import HarnessError
from harness.machine.interference import interference_causes
from harness.metrics.registry import chosen, entries, full_version
from harness.records.cell import Cell
from harness.records.measurement import (
    Measurement,
    Metric,
    MetricVersion,
    Missing,
    UtteranceValue,
    Value,
    kind_of,
)
from harness.records.run import Energy, Iteration, Phase, ProcessRecord, Run

Scores = Mapping[tuple[str, str], Mapping[str, Value]]
"""(slug, request id) -> metric name -> value."""
Measurements = Mapping[str, Sequence[Measurement]]
"""Slug -> its measurements."""

PERCENTILES = {"latency_p50": 50.0, "latency_p95": 95.0, "latency_p99": 99.0}
ENERGY = "energy_per_audio_s"
STATISTICS: Mapping[str, statistics.Statistic] = {
    **{name: statistics.at_percentile(q) for name, q in PERCENTILES.items()},
    "rtf": statistics.rate,
    "rtf_median": statistics.at_percentile(50.0),
    "rtfx": statistics.inverse_rate,
    "first_audio_p50": statistics.at_percentile(50.0),
    "longest_gap_p50": statistics.at_percentile(50.0),
    "cold_start": statistics.at_percentile(50.0),
    "peak_rss": statistics.at_percentile(50.0),
    "peak_cuda_bytes": statistics.at_percentile(50.0),
    ENERGY: statistics.at_percentile(50.0),
}
"""What summarises the values of each speed metric."""
PER_PROCESS = ("cold_start", "peak_rss", "peak_cuda_bytes", ENERGY)
"""Speed metrics that have one value per process; the others have one per measured iteration."""

RELATIVE = (
    "latency_p50",
    "latency_p95",
    "latency_p99",
    "rtf",
    "rtf_median",
    "first_audio_p50",
    "longest_gap_p50",
)
"""
Their spread is taken relative to the same request: sentences are long or short by choice of the
workload and not by chance, and an iteration that is left out as disturbed must not shift the mix.
"""
PREFIXES = ("", *(condition.prefix for condition in CONDITIONS.values()))
WEIGHTS = {
    "rtf": "duration",
    **{
        f"{prefix}{name}": weight
        for name, weight in (("wer", "wer_words"), ("cer", "cer_chars"))
        for prefix in PREFIXES
    },
}
"""Sum-over-sum metrics, and the measurement that holds each utterance's weight."""
STAGE = "stage."
BY_STAGE = (STAGE, SYNCED, ALONE)
"""What the names of helpers begin with that tell seconds of a stage."""
DISTURBED = Metric(name="disturbed_share", unit="1", better="neither", version="1")
"""
Share of the measured iterations that do not count, one value per process; only where the system
tells.
"""
HELPERS = (
    DISTURBED,
    Metric(name="wer_words", unit="words", better="neither", version="1"),
    Metric(name="cer_chars", unit="characters", better="neither", version="1"),
)
PROCESS = "process"
"""Stands as the id of values that belong to a process and not to a request."""


def aggregate(
    run: Run,
    scores: Scores,
    panel: Sequence[Metric] | None = None,
    versions: Mapping[str, str] | None = None,
) -> dict[str, tuple[Measurement, ...]]:
    """
    Compute all measurements of all cells of a run, by slug; what cannot be computed is Missing with
    its reason.

    A metric that applies to no request of a cell is not among them. `panel` is what the run's suite
    chose, unless given.

    `versions` are those that the scorer used, where they say more than the panel (which listener
    heard the words).
    """
    metrics = chosen(run.metrics, run.conditions) if panel is None else panel
    exact = [
        replace(each, version=(versions or {}).get(each.name) or full_version(each.name))
        for each in metrics
    ]
    return _with_intervals(
        {cell.slug: _measure_cell(run, cell, scores, exact) for cell in run.cells}
    )


def check_measured(run: Run, measurements: Measurements) -> None:
    """
    Raise HarnessError for measurements, as they were read from a file, that cannot be those of a
    run.

    They name its cells, their requests and rounds; times, rates and sizes are more than nothing; a
    metric has its own unit.
    """
    cells = {cell.slug: cell for cell in run.cells}
    for slug in sorted({*cells} ^ {*measurements}):
        raise HarnessError(
            f"measurements {'lack cell' if slug in cells else 'name'} {slug}, {AGAIN}"
        )
    rounds = max((process.repeat + 1 for process in run.processes), default=1)
    for slug, several in measurements.items():
        known = {PROCESS, *(request.id for request in cells[slug].workload.requests)}
        for each in several:
            if (wrong := _wrong(each, known, rounds)) is not None:
                raise HarnessError(f"measurements of {slug}: {each.metric}: {wrong}, {AGAIN}")


AGAIN = (
    "which this run does not hold together with; remove measurements.json, and it is scored again"
)


def _wrong(measurement: Measurement, known: Collection[str], rounds: int) -> str | None:
    entry = entries().get(measurement.metric)
    if entry is not None and (entry.metric.unit, entry.metric.better) != (
        measurement.unit,
        measurement.better,
    ):
        return f"unit {measurement.unit} and better {measurement.better}"
    numbers = [measurement.summary, *(each.value for each in measurement.values)]
    if measurement.metric in STATISTICS and any(
        isinstance(each, float) and each <= 0.0 for each in numbers
    ):
        return "a value of 0 or less"
    for each in measurement.values:
        if each.id not in known or each.repeat >= rounds:
            return f"a value of {each.id!r} in round {each.repeat}"
    return None


def is_known(name: str) -> bool:
    """Whether there is a metric or helper of that name."""
    return (
        name.startswith(BY_STAGE)
        or name in entries()
        or any(name == metric.name for metric in HELPERS)
    )


def is_helper(name: str) -> bool:
    """Whether the measurement only serves others, and is neither shown nor judged."""
    return name.startswith(BY_STAGE) or any(name == metric.name for metric in HELPERS)


def is_speed(name: str) -> bool:
    """Whether the metric belongs to the machine and not to the audio."""
    return (
        name in STATISTICS or name in STALLS or name.startswith(BY_STAGE) or name == DISTURBED.name
    )


def by_name(measurements: Sequence[Measurement]) -> dict[str, Measurement]:
    """Index the measurements of one cell by metric."""
    return {each.metric: each for each in measurements}


def by_process(measurement: Measurement, cell: Mapping[str, Measurement]) -> list[statistics.Group]:
    """
    Group a speed metric's values by process: (n,) each, or for a rate (n, 2) rows of value and
    weight.

    `cell` holds the cell's other measurements by name, where the weights stand. rtfx is grouped as
    rtf, its inverse.
    """
    source = cell["rtf"] if measurement.metric == "rtfx" else measurement
    values = [
        (each.repeat, each.id, each.value)
        for each in source.values
        if isinstance(each.value, float)
    ]
    repeats = sorted({repeat for repeat, _, _ in values})
    if source.metric not in WEIGHTS:
        return [
            np.array([value for repeat, _, value in values if repeat == which]) for which in repeats
        ]
    weights = weights_of(source.metric, cell)
    rows = [(repeat, (value, weights[name])) for repeat, name, value in values if name in weights]
    return [np.array([row for repeat, row in rows if repeat == which]) for which in repeats]


def usual_of(measurement: Measurement) -> dict[str, float]:
    """Give the geometric mean of each request's values."""
    logs: dict[str, list[float]] = {}
    for each in measurement.values:
        if isinstance(each.value, float):
            logs.setdefault(each.id, []).append(math.log(each.value))
    return {name: math.exp(sum(several) / len(several)) for name, several in logs.items()}


def relative(measurement: Measurement, usual: Mapping[str, float]) -> Measurement:
    """
    Divide every value by what is usual for its request; leave out requests of which that is not
    known.
    """
    values = [
        replace(each, value=each.value / usual[each.id])
        for each in measurement.values
        if isinstance(each.value, float) and each.id in usual
    ]
    return replace(measurement, values=tuple(values))


def weights_of(metric: str, cell: Mapping[str, Measurement]) -> dict[str, float]:
    """Give each utterance's weight in a sum-over-sum metric: its audio seconds, its words."""
    weights = cell.get(WEIGHTS[metric])
    return (
        {each.id: each.value for each in weights.values if isinstance(each.value, float)}
        if weights
        else {}
    )


def _measure_cell(
    run: Run, cell: Cell, scores: Scores, panel: Sequence[Metric]
) -> tuple[Measurement, ...]:
    processes = [process for process in run.processes if process.cell == cell.slug]
    lost = Missing(_why_nothing(processes))
    names = {metric.name for metric in panel}
    metrics = (*panel, *(helper for helper in HELPERS if names & _weighed_by(helper.name)))
    measured = {"duration": _duration(cell, processes, lost, takes_differ(run, cell.slug))}
    offer = offer_of(run, cell)
    for metric in metrics:
        if metric.name in STATISTICS or metric.name in STALLS:
            measured[metric.name] = _speed(
                _exact(metric, processes), processes, lost, _why_none(metric.name, run)
            )
        elif metric.name != "duration":
            measured[metric.name] = _quality(metric, cell, offer, scores, lost)
    there = [
        measured[metric.name]
        for metric in metrics
        if measured[metric.name].values or metric.name in STATISTICS
    ]
    return (*there, *_stages(processes), *_apart(processes), *_disturbed(processes))


def _weighed_by(helper: str) -> set[str]:
    """Name the metrics whose weights a helper holds."""
    return {name for name, weight in WEIGHTS.items() if weight == helper}


def _why_nothing(processes: Sequence[ProcessRecord]) -> str:
    failure = next((process.failure for process in processes if process.failure), None)
    return (
        f"no measured iteration: {failure.kind}: {failure.reason}"
        if failure
        else "no measured iteration"
    )


def _measured(process: ProcessRecord) -> list[Iteration]:
    return [sample for sample in process.samples if sample.phase is Phase.MEASURED]


def _quiet(samples: Sequence[Iteration]) -> list[Iteration]:
    return [sample for sample in samples if not interference_causes(sample)]


def _speed(
    metric: Metric, processes: Sequence[ProcessRecord], lost: Missing, why_none: Missing
) -> Measurement:
    samples = [sample for process in processes for sample in _measured(process)]
    values = tuple(value for process in processes for value in _values_of(metric.name, process))
    if not samples or not values:
        return _record(metric, values, lost if not samples else why_none)
    summary = _summary(metric.name, _quiet(samples), values)
    return _record(metric, values, summary)


WHY_NOT = {"cold_start": "no process started alone", "peak_cuda_bytes": "no CUDA device"}


def _exact(metric: Metric, processes: Sequence[ProcessRecord]) -> Metric:
    """Name the meter in the version of energy: what another meter reads is another quantity."""
    meters = dict.fromkeys(
        process.energy.meter for process in processes if isinstance(process.energy, Energy)
    )
    return (
        replace(metric, version=str(MetricVersion.parse(metric.version).depending_on(*meters)))
        if metric.name == ENERGY
        else metric
    )


def _why_none(name: str, run: Run) -> Missing:
    """
    Say why no process has a value, as a run notes it once for all: `power` of its environment.
    """
    nobody = {**WHY_NOT, ENERGY: str(run.environment.get("power", "no power was measured"))}
    return Missing(nobody.get(name, "not recorded"))


def _summary(name: str, samples: Sequence[Iteration], values: Sequence[UtteranceValue]) -> Value:
    """
    Summarise a speed metric; those with one value per process by their median. Only what was left
    alone counts.
    """
    if not samples and name not in PER_PROCESS:
        return Missing("machine not quiet: every measured iteration was disturbed")
    wall_s, audio_s = [sample.wall_s for sample in samples], [sample.audio_s for sample in samples]
    if name in PERCENTILES:
        return speed.latency_percentile(wall_s, PERCENTILES[name])
    rates = {"rtf": speed.rtf, "rtf_median": speed.rtf_median, "rtfx": speed.rtfx}
    if name in rates:
        return rates[name](wall_s, audio_s)
    if name in STALLS:
        return stalled(name, samples)
    numbers = [each.value for each in values if isinstance(each.value, float)]
    if not numbers:
        return _per_iteration(name, samples[0]) if name in STREAMING_METRICS else values[0].value
    return float(statistics.percentile(numbers, 50.0))


def _values_of(name: str, process: ProcessRecord) -> list[UtteranceValue]:
    """Give the values that one process adds to a speed metric."""
    if name not in PER_PROCESS:
        return [
            UtteranceValue(id=s.request, value=_per_iteration(name, s), repeat=process.repeat)
            for s in _measured(process)
        ]
    cold = process.cold
    found: Mapping[str, Value | None] = {
        "cold_start": None
        if cold is None
        else cold.import_s + cold.load_s + cold.first_synthesis_s,
        "peak_rss": process.peak_rss_bytes,
        "peak_cuda_bytes": process.peak_cuda_bytes,
        ENERGY: speed.energy_per_audio_s(process.energy)
        if isinstance(process.energy, Energy)
        else process.energy,
    }
    whole = found[name]
    if not whole:
        return []
    value = whole if isinstance(whole, Missing) else float(whole)
    return [UtteranceValue(id=PROCESS, value=value, repeat=process.repeat)]


def _per_iteration(name: str, sample: Iteration) -> Value:
    disturbing = interference_causes(sample)
    if disturbing:
        return Missing(f"disturbed: {', '.join(disturbing)}")
    if name in PERCENTILES:
        return sample.wall_s
    if name in STREAMING_METRICS:
        return STREAMING_METRICS[name](sample)
    over, under = (
        (sample.audio_s, sample.wall_s) if name == "rtfx" else (sample.wall_s, sample.audio_s)
    )
    return over / under if under > 0.0 else Missing("the iteration made no audio")


def _with_intervals(cells: Measurements) -> dict[str, tuple[Measurement, ...]]:
    """
    Give the speeds of all cells their intervals over processes; what cells have in common of the
    noise, they share.
    """
    groups = {
        slug: {each.metric: _grouped(each, by_name(several)) for each in several}
        for slug, several in cells.items()
    }
    logs = {
        name: [
            statistics.log_statistics(cell[name], STATISTICS[name])
            for cell in groups.values()
            if cell.get(name)
        ]
        for name in STATISTICS
    }
    priors = {name: statistics.prior_of(several) for name, several in logs.items()}

    def bounded(slug: str, each: Measurement) -> Measurement:
        if not groups[slug][each.metric] or not isinstance(each.summary, float):
            return each
        found = statistics.interval(
            groups[slug][each.metric], STATISTICS[each.metric], prior=priors[each.metric]
        )
        scale = each.summary / found.point  # the groups may be relative
        low, high = (None if bound is None else bound * scale for bound in (found.low, found.high))
        return replace(each, low=low, high=high)

    return {slug: tuple(bounded(slug, each) for each in several) for slug, several in cells.items()}


def _grouped(measurement: Measurement, cell: Mapping[str, Measurement]) -> list[statistics.Group]:
    """
    Group a speed by process, relative to the request where that is its way; empty for what is no
    speed.
    """
    if measurement.metric not in STATISTICS:
        return []
    same = (
        relative(measurement, usual_of(measurement))
        if measurement.metric in RELATIVE
        else measurement
    )
    return by_process(same, cell)


def _stages(processes: Sequence[ProcessRecord]) -> list[Measurement]:
    """Give the median seconds of every stage, one value per process."""
    names = dict.fromkeys(
        name
        for process in processes
        for sample in _quiet(_measured(process))
        for name in sample.stages_s
    )
    return [_stage(name, processes) for name in names]


def _stage(name: str, processes: Sequence[ProcessRecord]) -> Measurement:
    quiet = {process.repeat: _quiet(_measured(process)) for process in processes}
    seconds = {
        repeat: [s.stages_s[name] for s in several if name in s.stages_s]
        for repeat, several in quiet.items()
    }
    medians = {
        repeat: (float(statistics.percentile(several, 50.0)),)
        for repeat, several in seconds.items()
        if several
    }
    return _seconds(f"{STAGE}{name}", medians)


def _apart(processes: Sequence[ProcessRecord]) -> list[Measurement]:
    """Give what the passes over the stages told."""
    versions = versions_apart(processes)
    return [
        _seconds(name, several, versions.get(name, UNTOLD))
        for name, several in isolated_stages(processes).items()
    ]


def _seconds(
    name: str, by_repeat: Mapping[int, Sequence[float]], version: str = UNTOLD
) -> Measurement:
    """
    Give seconds that belong to processes; the summary is the median of the processes' medians.
    """
    values = tuple(
        UtteranceValue(id=PROCESS, value=value, repeat=r)
        for r, several in by_repeat.items()
        for value in several
    )
    medians = [float(statistics.percentile(list(several), 50.0)) for several in by_repeat.values()]
    metric = Metric(name=name, unit="s", better="lower", version=version)
    return _record(metric, values, float(statistics.percentile(medians, 50.0)))


def _disturbed(processes: Sequence[ProcessRecord]) -> list[Measurement]:
    """
    Give the share of disturbed iterations, one value per process and over all; nothing where no
    system told.
    """
    told = {
        process.repeat: [s for s in _measured(process) if s.disturbance] for process in processes
    }
    known = {
        repeat: [bool(interference_causes(sample)) for sample in samples]
        for repeat, samples in told.items()
        if samples
    }
    if not known:
        return []
    values = tuple(
        UtteranceValue(id=PROCESS, value=sum(each) / len(each), repeat=repeat)
        for repeat, each in known.items()
    )
    count = sum(len(each) for each in known.values())
    return [_record(DISTURBED, values, sum(sum(each) for each in known.values()) / count)]


def _duration(
    cell: Cell, processes: Sequence[ProcessRecord], lost: Missing, several: bool
) -> Measurement:
    """
    Give the audio seconds of each request, as its first measured iteration made them, or their mean
    over all where an engine without a seed made others each time; the summary is the mean over
    requests.
    """
    made_s: dict[str, list[float]] = {}
    for process in processes:
        for sample in _measured(process):
            made_s.setdefault(sample.request, []).append(sample.audio_s)
    found = {name: sum(s) / len(s) if several else s[0] for name, s in made_s.items()}
    values = tuple(
        UtteranceValue(id=r.id, value=found.get(r.id, lost)) for r in cell.workload.requests
    )
    metric = Metric(name="duration", unit="s", better="neither", version=full_version("duration"))
    return _summarise(metric, values, None)


def _quality(
    metric: Metric, cell: Cell, offer: AvailableInputs, scores: Scores, lost: Missing
) -> Measurement:
    def score(request: str) -> Value:
        return scores.get((cell.slug, request), {}).get(
            metric.name, lost if (cell.slug, request) not in scores else NOT_SCORED
        )

    requests = [
        request.id
        for request in cell.workload.requests
        if is_applicable(metric.name, request.id, offer)
    ]
    values = tuple(UtteranceValue(id=request, value=score(request)) for request in requests)
    if metric.name not in WEIGHTS:
        return _summarise(metric, values, None)
    words = {
        request: scores.get((cell.slug, request), {}).get(WEIGHTS[metric.name], NOT_SCORED)
        for request in requests
    }
    return _summarise(metric, values, words)


NOT_SCORED = Missing("not scored")


def _summarise(
    metric: Metric, values: tuple[UtteranceValue, ...], words: Mapping[str, Value] | None
) -> Measurement:
    """
    Summarise one value per utterance: the mean, or the corpus rate. One gap leaves none, since it
    would flatter the mean.
    """
    numbers = [each.value for each in values if isinstance(each.value, float)]
    gaps = [each.value for each in values if isinstance(each.value, Missing)]
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
        return _record(
            metric, values, Missing(_partly(len(gaps), len(values), reason), kind_of(gaps))
        )
    if weights is None:
        found = statistics.paired_bootstrap(numbers)
    else:
        found = statistics.paired_rate_difference([0.0] * len(numbers), numbers, weights)
    low = found.low
    if low is not None and metric.better == "lower" and metric.unit in ("1", "1/s"):
        low = max(low, 0.0)  # shares and rates of what goes wrong, which nothing brings below zero
    return _record(metric, values, found.point, low, found.high)


def _partly(gaps: int, count: int, reason: str) -> str:
    return reason if gaps in (0, count) else f"{gaps} of {count} utterances have no value: {reason}"


def _record(
    metric: Metric,
    values: tuple[UtteranceValue, ...],
    summary: Value,
    low: float | None = None,
    high: float | None = None,
) -> Measurement:
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
