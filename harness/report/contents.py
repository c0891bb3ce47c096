"""
The record that every report draws from: a judged run, and all that is computed from it.

`build_report` computes once; terminal, Markdown, page and comment only format. Audio comes through
a function, so that no report needs to know where it is kept.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from voxgate.harness.analysis.grouping import Measurements, by_name
from voxgate.harness.analysis.metric_rules import is_helper
from voxgate.harness.judging.baseline import Baseline
from voxgate.harness.judging.policy import Policy
from voxgate.harness.judging.tradeoff import RTF, SpeedGain, Tradeoff, fastest_passing, tradeoff
from voxgate.harness.machine.quietness import MachineState, fitness
from voxgate.harness.records.cell import Cell, RequestSegment
from voxgate.harness.records.measurement import Measurement, Missing, value_to_json
from voxgate.harness.records.run import (
    CaptionTimes,
    FailureKind,
    OptionCheck,
    Phase,
    ProcessRecord,
    Run,
)
from voxgate.harness.records.verdict import RunVerdict
from voxgate.harness.report.format import plain
from voxgate.harness.runner.recordings import Take
from voxgate.harness.scoring.asr_floor import Floor, floor_for_workload

LIVE_LATENCY = "live_latency_p50"
PLOTTED = (
    ("pesq", RTF),
    ("wer", RTF),
    ("wer", LIVE_LATENCY),
    ("similarity_margin", LIVE_LATENCY),
    ("mel_distance", LIVE_LATENCY),
)
"""Metrics of quality, and of speed, that are drawn against each other."""
RATES = ("wer", "cer")
"""Metrics that have a floor."""

TakesOf = Callable[[str], Sequence[Take]]
"""Request id -> the recordings of that utterance, or why there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorRates:
    """The recogniser's error rates on speech that is known to be good, of the reference cell."""

    speaker: str
    texts: int
    """Number of requests that the speaker said."""
    rates: tuple[Measurement, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NoFloor:
    """The reason why a floor cannot stand beside a measured rate."""

    metric: str
    why: Missing


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionDifference:
    """An option that was not in effect as it was requested."""

    option: str
    requested: object
    effective: object
    reason: str = ""
    """What was observed; empty where the target resolved the option otherwise."""

    def __str__(self) -> str:
        why = f": {self.reason}" if self.reason else ""
        return f"asked {self.option}={self.requested}, in effect {self.effective}{why}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All that a report shows; made by `build_report`."""

    run: Run
    measurements: Mapping[str, Sequence[Measurement]]
    judgement: RunVerdict
    machine: MachineState
    """How quiet the machine was."""
    fastest: SpeedGain | None
    """The fastest cell fit to ship, against the reference; None where none is fit."""
    tradeoffs: tuple[Tradeoff, ...]
    """Speed against quality, for the metrics in PLOTTED that two cells have."""
    floor: FloorRates | NoFloor | None = None
    """None where nobody made a floor for the workload."""
    differences: Mapping[str, tuple[OptionDifference, ...]] = field(default_factory=dict)
    """Slug -> options not in effect as requested; empty tuples where all were."""
    before: Measurements = field(default_factory=dict)
    """Slug -> what the run was compared with."""
    floors: Mapping[str, float] = field(default_factory=dict)
    """Metric -> the worst value that the policy calls good enough to ship."""

    def times_and_summaries(self, slug: str) -> tuple[list[float], dict[str, Any]]:
        """
        Return the seconds of every measured iteration of a cell and a summary of every metric: a
        number, or the reason why there is none.
        """
        named = by_name(self.measurements.get(slug, ()))
        latency = named.get("latency_p50")
        values = () if latency is None else latency.values
        return [each.value for each in values if isinstance(each.value, float)], {
            name: value_to_json(each.summary) for name, each in named.items() if not is_helper(name)
        }


def build_report(
    run: Run,
    measurements: Mapping[str, Sequence[Measurement]],
    judgement: RunVerdict,
    floor: Floor | None = None,
    before: Measurements | None = None,
    policy: Policy | None = None,
) -> Report:
    """
    Return the report of a judged run, with everything that renderers would have to compute;
    `before` is what it was compared with, as far as pictures show it.
    """
    floors = {name: limit.min_acceptable for name, limit in (policy or {}).items()}
    return Report(
        run=run,
        measurements=measurements,
        judgement=judgement,
        machine=fitness(run.environment),
        fastest=fastest_passing(judgement, measurements, run.reference),
        tradeoffs=tradeoffs_of(judgement, measurements),
        floor=_floor_rates(run, measurements, floor),
        differences={cell.slug: differences(run, cell.slug) for cell in run.cells},
        before=before or {},
        floors={name: value for name, value in floors.items() if value is not None},
    )


def measured_before(baseline: Baseline) -> Measurements:
    """Return the measurements of a baseline, speed and quality together, by slug."""
    measured: dict[str, list[Measurement]] = defaultdict(list)
    for file in baseline.files:
        for slug, named in file.measurements.items():
            measured[slug] += named.values()
    return measured


def tradeoffs_of(
    judgement: RunVerdict, measurements: Mapping[str, Sequence[Measurement]]
) -> tuple[Tradeoff, ...]:
    """Return the pairs in PLOTTED that at least two cells have."""
    plotted = [tradeoff(judgement, measurements, *pair) for pair in PLOTTED]
    return tuple(data for data in plotted if data is not None)


def cell_of(run: Run, slug: str) -> Cell | None:
    """Return a cell of the run; None for a cell that only the suite or the baseline has."""
    return next((cell for cell in run.cells if cell.slug == slug), None)


def effects_of(run: Run, slug: str) -> tuple[OptionCheck, ...]:
    """Return the option checks of a cell, from its last process that has any."""
    checks = [
        process.effects for process in run.processes if process.cell == slug and process.effects
    ]
    return checks[-1] if checks else ()


def effective_of(run: Run, slug: str) -> Mapping[str, object]:
    """Return every option of a cell as the target resolved it; empty where nothing was loaded."""
    resolved = [
        process.effective for process in run.processes if process.cell == slug and process.effective
    ]
    return resolved[-1] if resolved else {}


def differences(run: Run, slug: str) -> tuple[OptionDifference, ...]:
    """Return the options of a cell that were observed or resolved otherwise than requested."""
    cell = cell_of(run, slug)
    if cell is None:
        return ()
    unlike = {
        check.option: OptionDifference(
            option=check.option,
            requested=check.requested,
            effective=check.observed,
            reason=check.reason,
        )
        for check in effects_of(run, slug)
        if check.in_effect is False
    }
    effective = effective_of(run, slug)
    for name, requested in cell.options.items():
        if name in effective and effective[name] != requested and name not in unlike:
            unlike[name] = OptionDifference(
                option=name, requested=requested, effective=effective[name]
            )
    return tuple(unlike.values())


def failed_option(run: Run, slug: str) -> str:
    """Return the option whose check failed the cell; empty where another cause did, or none."""
    for process in run.processes:
        failure = process.failure
        if process.cell == slug and failure and failure.kind is not FailureKind.NOT_IN_EFFECT:
            return ""
        failed = [check.option for check in process.effects if check.in_effect is False]
        if process.cell == slug and failed:
            return failed[0]
    return ""


def all_differences(run: Run) -> dict[str, list[str]]:
    """Return the differences of every cell that has any, one line of text each."""
    unlike = {cell.slug: differences(run, cell.slug) for cell in run.cells}
    return {slug: list(map(str, options)) for slug, options in unlike.items() if options}


def measured_count(run: Run) -> int:
    """Return the number of measured iterations."""
    return sum(map(measured_iterations, run.processes))


def measured_iterations(process: ProcessRecord) -> int:
    """Return the number of measured iterations of one process."""
    return sum(iteration.phase is Phase.MEASURED for iteration in process.iterations)


def _floor_rates(
    run: Run, measurements: Mapping[str, Sequence[Measurement]], floor: Floor | None
) -> FloorRates | NoFloor | None:
    """Compute the floor under the reference cell's rates, or the reason why there is none."""
    cell = cell_of(run, run.reference)
    if floor is None or cell is None:
        return None
    named = by_name(measurements.get(cell.slug, ()))
    rates = []
    for metric in RATES:
        measured = named.get(metric)
        if measured is None or isinstance(measured.summary, Missing):
            continue
        rate = floor_for_workload(floor, cell.workload, measured, run.judge)
        if isinstance(rate, Missing):
            return NoFloor(metric=metric, why=rate)
        rates.append(replace(measured, summary=rate.point, low=rate.low, high=rate.high))
    texts = len(cell.workload.requests)
    return FloorRates(speaker=floor.speaker, texts=texts, rates=tuple(rates)) if rates else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReelTable:
    """A reel as the reference cell spoke it: (start, end, speaker, text) of each segment."""

    request: str
    rows: tuple[tuple[str, str, str, str], ...]


def reel_tables(run: Run) -> tuple[ReelTable, ...]:
    """Return the captions of each reel of the run, by the first process that tells them."""
    spoken: dict[str, Sequence[CaptionTimes]] = {}
    for process in run.processes:
        if process.cell == run.reference:
            for iteration in process.iterations:
                spoken.setdefault(iteration.request, iteration.captions or ())
    cell = next((each for each in run.cells if each.slug == run.reference), None)
    reels = [] if cell is None else [each for each in cell.workload.requests if each.segments]
    return tuple(
        ReelTable(request=reel.id, rows=tuple(map(_caption, spoken[reel.id], reel.segments)))
        for reel in reels
        if spoken.get(reel.id)
    )


def _caption(times: CaptionTimes, segment: RequestSegment) -> tuple[str, str, str, str]:
    bounds = (f"{times.start_s:.2f}", f"{times.end_s:.2f}")
    return (*bounds, plain(segment.speaker), plain(segment.text))
