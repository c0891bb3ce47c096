"""
Aggregate iterations and scores into measurements: every metric of every cell, with its interval.

A speed metric keeps one value per measured iteration (its process is `repeat`), a quality metric
one per request. An iteration with interference (`machine/interference.py`) keeps its index without
a value, so that no speed rests on it. Besides the run's metrics there are helpers that are stored
and never judged: the weights of corpus rates (`wer_words`, `cer_chars`, `verbatim_words`),
`disturbed_share`, and the median seconds of each stage (`stage.vocoder` ...), which locate a change
of latency. A pure function of records: it knows no baseline and no limit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain

from voxgate.harness import statistics
from voxgate.harness.analysis import speed
from voxgate.harness.analysis.available_inputs import (
    absent_metrics,
    available_inputs,
)
from voxgate.harness.analysis.grouping import with_intervals
from voxgate.harness.analysis.in_process_drift import drift_measurement, with_drift_intervals
from voxgate.harness.analysis.metric_rules import (
    BY_LENGTH,
    DISTURBED,
    DRIFT,
    ENERGY,
    HELPERS,
    PER_PROCESS,
    PERCENTILES,
    PROCESS,
    STAGE,
    STATISTICS,
    TEXT_TIME,
    WEIGHTS,
)
from voxgate.harness.analysis.quality import (
    NO_TAKES,
    Scores,
    Takes,
    duration,
    quality,
    record,
)
from voxgate.harness.analysis.speed import BUDGET, STALLS, STREAMING_METRICS, summarise_stalls
from voxgate.harness.analysis.stages import UNKNOWN_WORK, isolated_stages, isolated_versions
from voxgate.harness.machine.interference import interference_causes
from voxgate.harness.metrics.registry import full_version, select_metrics
from voxgate.harness.records.cell import Cell, length_of
from voxgate.harness.records.measurement import (
    Measurement,
    Metric,
    MetricVersion,
    Missing,
    UtteranceValue,
    Value,
)
from voxgate.harness.records.run import Energy, Iteration, Phase, ProcessRecord, Run


def aggregate(
    run: Run,
    scores: Scores,
    panel: Sequence[Metric] | None = None,
    versions: Mapping[str, str] | None = None,
    takes: Takes = NO_TAKES,
) -> dict[str, tuple[Measurement, ...]]:
    """
    Compute all measurements of all cells of a run, by slug.

    A value that cannot be computed is Missing with its reason. A metric that is applicable to no
    request of a cell is left out. `panel` holds the metrics, by default those of the run's suite;
    `versions` are those of the scorer where more exact: they name the recogniser. `takes` are the
    scores of each take of the cells that sample.
    """
    metrics = select_metrics(run.metrics, run.conditions, run.models) if panel is None else panel
    exact = [
        replace(m, version=(versions or {}).get(m.name) or full_version(m.name, run.models))
        for m in metrics
    ]
    cells = {cell.slug: _measure_cell(run, cell, scores, takes, exact) for cell in run.cells}
    return with_drift_intervals(with_intervals(cells))


def _measure_cell(
    run: Run, cell: Cell, scores: Scores, takes: Takes, panel: Sequence[Metric]
) -> tuple[Measurement, ...]:
    processes = [process for process in run.processes if process.cell == cell.slug]
    no_iteration = Missing(_why_nothing(processes))
    names = {metric.name for metric in panel}
    metrics = (*panel, *(helper for helper in HELPERS if names & _weighed_by(helper.name)))
    measured = {"duration": duration(run, cell, processes, no_iteration)}
    offer = available_inputs(run, cell)
    absent = {*absent_metrics(run), *_absent_lengths(cell)}
    metrics = tuple(each for each in metrics if each.name not in absent)
    for metric in metrics:
        if metric.name == BUDGET and run.budget_s is not None:
            latency = replace(metric, name="latency_p50")
            wall = _speed(latency, processes, no_iteration, _why_none(latency.name, run))
            measured[BUDGET] = speed.share_of_budget(wall, run.budget_s)
        elif metric.name == TEXT_TIME:
            measured[TEXT_TIME] = _text_time(metric, cell, processes)
        elif metric.name in BY_LENGTH:
            latency = replace(metric, name="latency_p50")
            some = _of_length(cell, processes, BY_LENGTH[metric.name])
            wall = _speed(latency, some, no_iteration, _why_none(latency.name, run))
            measured[metric.name] = replace(wall, metric=metric.name)
        elif metric.name in STATISTICS or metric.name in STALLS:
            measured[metric.name] = _speed(
                _with_meter(metric, processes), processes, no_iteration, _why_none(metric.name, run)
            )
        elif metric.name == DRIFT:
            measured[DRIFT] = drift_measurement(metric, processes)
        elif metric.name != "duration":
            measured[metric.name] = quality(metric, cell, offer, scores, takes, no_iteration)
    there = [
        measured[metric.name]
        for metric in metrics
        if measured[metric.name].values or metric.name in ({*STATISTICS, DRIFT} - {TEXT_TIME})
    ]
    return (*there, *_stages(processes), *_isolated(processes), *_disturbed(processes))


def _absent_lengths(cell: Cell) -> set[str]:
    """Return the latencies by length that tell nothing new: a workload of one class has none."""
    there = {length_of(request.text) for request in cell.workload.requests}
    return {name for name, length in BY_LENGTH.items() if length not in there or len(there) == 1}


def _of_length(
    cell: Cell, processes: Sequence[ProcessRecord], length: str
) -> tuple[ProcessRecord, ...]:
    """Return the processes with the iterations of the texts of one class."""
    ids = {request.id for request in cell.workload.requests if length_of(request.text) == length}
    return tuple(
        replace(each, iterations=tuple(i for i in each.iterations if i.request in ids))
        for each in processes
    )


def _weighed_by(helper: str) -> set[str]:
    """Return the metrics whose weights a helper holds."""
    return {name for name, weight in WEIGHTS.items() if weight == helper}


def _why_nothing(processes: Sequence[ProcessRecord]) -> str:
    failure = next((process.failure for process in processes if process.failure), None)
    return (
        f"no measured iteration: {failure.kind}: {failure.reason}"
        if failure
        else "no measured iteration"
    )


def _measured(process: ProcessRecord) -> list[Iteration]:
    return [iteration for iteration in process.iterations if iteration.phase is Phase.MEASURED]


def _all_measured(processes: Sequence[ProcessRecord]) -> list[Iteration]:
    return list(chain.from_iterable(_measured(process) for process in processes))


def _undisturbed(iterations: Sequence[Iteration]) -> list[Iteration]:
    return [iteration for iteration in iterations if not interference_causes(iteration)]


def _speed(
    metric: Metric, processes: Sequence[ProcessRecord], no_iteration: Missing, why_none: Missing
) -> Measurement:
    iterations = _all_measured(processes)
    values = tuple(chain.from_iterable(_values_of(metric.name, process) for process in processes))
    if not iterations or not values:
        return record(metric, values, no_iteration if not iterations else why_none)
    summary = _summary(metric.name, _undisturbed(iterations), values)
    return record(metric, values, summary)


def _text_time(metric: Metric, cell: Cell, processes: Sequence[ProcessRecord]) -> Measurement:
    """Return the time of the text front-end; no values where the engine has no such stage."""
    lengths = {request.id: len(request.text) for request in cell.workload.requests}
    values: list[UtteranceValue] = []
    for process in processes:
        for each in _measured(process):
            found = speed.text_per_100_characters(each, lengths.get(each.request, 0))
            if found is not None:
                causes = interference_causes(each)
                value: Value = Missing(f"disturbed: {', '.join(causes)}") if causes else found
                values.append(UtteranceValue(id=each.request, value=value, repeat=process.repeat))
    numbers = [each.value for each in values if isinstance(each.value, float)]
    none = Missing("machine not quiet: every measured iteration was disturbed")
    summary = float(statistics.percentile(numbers, 50.0)) if numbers else none
    return record(metric, tuple(values), summary)


WHY_NOT = {"cold_start": "no process started alone", "peak_cuda_bytes": "no CUDA device"}


def _with_meter(metric: Metric, processes: Sequence[ProcessRecord]) -> Metric:
    """Add the power meter to the version of energy: another meter measures another quantity."""
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
    Return why no process has a value, as the run records it once for all: `power` of its
    environment.
    """
    nobody = {**WHY_NOT, ENERGY: run.environment.power or "no power was measured"}
    return Missing(nobody.get(name, "not recorded"))


def _summary(name: str, iterations: Sequence[Iteration], values: Sequence[UtteranceValue]) -> Value:
    """
    Summarise a speed metric over its undisturbed iterations; per-process metrics by their
    median.
    """
    if not iterations and name not in PER_PROCESS:
        return Missing("machine not quiet: every measured iteration was disturbed")
    wall_s, audio_s = (
        [iteration.wall_s for iteration in iterations],
        [iteration.audio_s for iteration in iterations],
    )
    if name in PERCENTILES:
        return speed.latency_percentile(wall_s, PERCENTILES[name])
    rates = {"rtf": speed.rtf, "rtf_median": speed.rtf_median, "rtfx": speed.rtfx}
    if name in rates:
        return rates[name](wall_s, audio_s)
    if name in STALLS:
        return summarise_stalls(name, iterations)
    numbers = [value.value for value in values if isinstance(value.value, float)]
    if not numbers:
        return _per_iteration(name, iterations[0]) if name in STREAMING_METRICS else values[0].value
    return float(statistics.percentile(numbers, 50.0))


def _values_of(name: str, process: ProcessRecord) -> list[UtteranceValue]:
    """Return the values that one process adds to a speed metric."""
    if name not in PER_PROCESS:
        return [
            UtteranceValue(id=s.request, value=_per_iteration(name, s), repeat=process.repeat)
            for s in _measured(process)
        ]
    cold = process.cold
    values: Mapping[str, Value | None] = {
        "cold_start": None
        if cold is None
        else cold.import_s + cold.load_s + cold.first_synthesis_s,
        "peak_rss": process.peak_rss_bytes,
        "peak_cuda_bytes": process.peak_cuda_bytes,
        ENERGY: speed.energy_per_audio_s(process.energy)
        if isinstance(process.energy, Energy)
        else process.energy,
    }
    whole = values[name]
    if not whole:
        return []
    value = whole if isinstance(whole, Missing) else float(whole)
    return [UtteranceValue(id=PROCESS, value=value, repeat=process.repeat)]


def _per_iteration(name: str, iteration: Iteration) -> Value:
    disturbing = interference_causes(iteration)
    if disturbing:
        return Missing(f"disturbed: {', '.join(disturbing)}")
    if name in PERCENTILES:
        return iteration.wall_s
    if name in STREAMING_METRICS:
        return STREAMING_METRICS[name](iteration)
    over, under = (
        (iteration.audio_s, iteration.wall_s)
        if name == "rtfx"
        else (iteration.wall_s, iteration.audio_s)
    )
    return over / under if under > 0.0 else Missing("the iteration made no audio")


def _stages(processes: Sequence[ProcessRecord]) -> list[Measurement]:
    """Return the median seconds of every stage, one value per process."""
    names: dict[str, None] = {}
    for iteration in _undisturbed(_all_measured(processes)):
        names.update(dict.fromkeys(iteration.stages_s))
    return [_stage(name, processes) for name in names]


def _stage(name: str, processes: Sequence[ProcessRecord]) -> Measurement:
    medians: dict[int, tuple[float]] = {}
    for process in processes:
        quiet = _undisturbed(_measured(process))
        stage_s = [iteration.stages_s[name] for iteration in quiet if name in iteration.stages_s]
        if stage_s:
            medians[process.repeat] = (float(statistics.percentile(stage_s, 50.0)),)
    return _seconds(f"{STAGE}{name}", medians)


def _isolated(processes: Sequence[ProcessRecord]) -> list[Measurement]:
    """Return the seconds from the stage profiles of the processes."""
    versions = isolated_versions(processes)
    return [
        _seconds(name, by_repeat, versions.get(name, UNKNOWN_WORK))
        for name, by_repeat in isolated_stages(processes).items()
    ]


def _seconds(
    name: str, by_repeat: Mapping[int, Sequence[float]], version: str = UNKNOWN_WORK
) -> Measurement:
    """
    Return seconds that belong to processes, summarised by the median of the processes' medians.
    """
    values: list[UtteranceValue] = []
    for repeat, seconds in by_repeat.items():
        values += [UtteranceValue(id=PROCESS, value=value, repeat=repeat) for value in seconds]
    medians = [float(statistics.percentile(list(seconds), 50.0)) for seconds in by_repeat.values()]
    metric = Metric(name=name, unit="s", better="lower", version=version)
    return record(metric, tuple(values), float(statistics.percentile(medians, 50.0)))


def _disturbed(processes: Sequence[ProcessRecord]) -> list[Measurement]:
    """
    Return the share of disturbed iterations, one value per process and over all.

    Empty where the system reports no interference counters.
    """
    values: list[UtteranceValue] = []
    count = disturbed = 0
    for process in processes:
        observed = [iteration for iteration in _measured(process) if iteration.disturbance]
        if observed:
            affected = len(observed) - len(_undisturbed(observed))
            share = affected / len(observed)
            values.append(UtteranceValue(id=PROCESS, value=share, repeat=process.repeat))
            count, disturbed = count + len(observed), disturbed + affected
    return [record(DISTURBED, tuple(values), disturbed / count)] if values else []
