"""
The rows and lines that every format lays out: the main table, the stages of a cell, energy, floor
and gain.

Knows which metrics the table shows; computes nothing, and knows no format.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from voxgate.harness.analysis.grouping import by_name
from voxgate.harness.analysis.metric_rules import DRIFT, ENERGY, STAGE, TEXT_TIME, is_speed
from voxgate.harness.analysis.speed import BUDGET
from voxgate.harness.analysis.stages import ISOLATED, SYNCHRONISED
from voxgate.harness.records.measurement import Measurement, MetricVersion, Missing
from voxgate.harness.records.verdict import CellVerdict, Verdict
from voxgate.harness.report.contents import NoFloor, Report, failed_option, measured_iterations
from voxgate.harness.report.findings import (
    Change,
    broken_metrics,
    cell_change,
    own_causes,
    own_reasons,
)
from voxgate.harness.report.format import MISSING, plain, shown, shown_unit, shown_value


@dataclass(frozen=True, slots=True, kw_only=True)
class TableColumn:
    """
    One metric of the table; `rank` orders what a narrow terminal leaves out, the highest first.
    """

    metric: str
    title: str
    interval: bool
    rank: int


COLUMNS = (
    TableColumn(metric="latency_p50", title="p50 ms", interval=True, rank=0),
    TableColumn(metric="latency_p95", title="p95 ms", interval=True, rank=5),
    TableColumn(metric="rtf", title="rtf", interval=False, rank=1),
    TableColumn(metric="rtfx", title="rtfx", interval=False, rank=7),
    TableColumn(metric="peak_rss", title="rss MiB", interval=False, rank=8),
    TableColumn(metric="snr", title="snr dB", interval=False, rank=4),
    TableColumn(metric="pesq", title="pesq", interval=False, rank=3),
    TableColumn(metric="stoi", title="stoi", interval=False, rank=6),
    TableColumn(metric="wer", title="wer %", interval=True, rank=2),
)


METERED = TableColumn(metric=ENERGY, title="J per audio s", interval=False, rank=9)
"""Shown where any cell has a value: most machines have no power meter."""
DRIFTING = TableColumn(metric=DRIFT, title="drift %/100", interval=True, rank=10)
"""Shown where the later calls of any cell are slower than its limit allows."""
BUDGETED = (
    TableColumn(metric=BUDGET, title="budget", interval=False, rank=1),
    TableColumn(metric="cold_start", title="cold ms", interval=False, rank=5),
)
"""
Shown where the suite has a budget: whether a warm request keeps it, and the first one of a process
from its start.
"""
OF_LIVE = (
    TableColumn(metric="live_latency_p50", title="live p50 ms", interval=True, rank=1),
    TableColumn(metric="live_latency_p95", title="live p95 ms", interval=False, rank=5),
    TableColumn(metric="live_algorithmic", title="held ms", interval=False, rank=6),
    TableColumn(metric="live_underruns", title="silent", interval=False, rank=6),
)
OF_REELS = (
    TableColumn(metric="caption_drift", title="captions ms", interval=False, rank=6),
    TableColumn(metric="speaker_confusion", title="confused", interval=False, rank=7),
)
OF_CONVERSIONS = (
    TableColumn(metric="similarity_margin", title="margin", interval=False, rank=4),
    TableColumn(metric="source_f0_correlation", title="melody", interval=False, rank=6),
)
"""Shown where any cell converts live audio, speaks reels, converts recordings."""
OF_WATERMARKS = (
    TableColumn(metric="watermark_detected", title="mark found", interval=False, rank=6),
    TableColumn(metric="watermark_compressed", title="after mp3", interval=False, rank=8),
    TableColumn(metric="watermark_snr", title="mark dB", interval=False, rank=7),
)
"""
Shown where any cell has a watermark: all other columns are of the audio before it, and would say
that it costs nothing.
"""
OF_SOME = (*OF_LIVE, *OF_REELS, *OF_CONVERSIONS, *OF_WATERMARKS)
OF_SOME_CELLS = frozenset(column.metric for column in OF_SOME)
"""What a cell without a reel, a source, or a watermark, does not lack."""
EXPLAINING = (Verdict.FAILED, Verdict.REGRESSED, Verdict.UNRESOLVED)
"""Verdicts whose reason names what the deciding metrics lack."""
UNREMARKABLE = ("quiet", "unknown")
"""States of the machine that need no figures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRow:
    """One cell: one text per column, with its interval in `full` and without in `short`."""

    cell: str
    label: str
    full: tuple[str, ...]
    short: tuple[str, ...]
    verdict: Verdict
    causes: tuple[str, ...]
    """What got worse, a sentence each."""
    reasons: tuple[str, ...]
    """Further lines for people; empty for a cell that passed with nothing to remark."""
    missing: Mapping[str, str]
    """Column's title -> why there is no value."""
    explained: frozenset[str]
    """Titles of columns whose missing value the reasons explain."""
    change: Change | None
    """None where nothing was compared."""
    broken: frozenset[str]
    """Titles of columns whose value broke its limit and counts for the verdict."""


def columns(contents: Report) -> tuple[TableColumn, ...]:
    """Return the columns of the table."""
    every = chain.from_iterable(contents.measurements.values())
    measured = {each.metric for each in every}
    budgeted = BUDGETED if contents.run.budget_s is not None else ()
    special = tuple(each for each in OF_SOME if each.metric in measured)
    metered = (METERED,) if energy_line(contents) else ()
    drifting = (DRIFTING,) if _is_drifting(contents) else ()
    return (*COLUMNS[:1], *budgeted, *COLUMNS[1:], *special, *metered, *drifting)


def _is_drifting(contents: Report) -> bool:
    verdicts = chain.from_iterable(cell.metrics for cell in contents.judgement.cells)
    return any(
        verdict.metric == DRIFT and verdict.verdict is Verdict.REGRESSED for verdict in verdicts
    )


def budget_line(contents: Report) -> str:
    """Return the suite's budget; empty where it has none."""
    budget_s = contents.run.budget_s
    return (
        ""
        if budget_s is None
        else f"budget: {budget_s:g} s of wall time for a request, warm; beside it the share used"
    )


def text_line(contents: Report) -> str:
    """
    Return the time of the text front-end in the reference cell, or the first cell that has one;
    empty where no engine times that stage.
    """
    slugs = (contents.run.reference, *contents.measurements)
    found = (by_name(contents.measurements.get(slug, ())).get(TEXT_TIME) for slug in slugs)
    measured = next((each for each in found if each and isinstance(each.summary, float)), None)
    if measured is None:
        return ""
    unit = shown_unit(measured.metric, measured.unit)
    return f"text front-end: {shown(measured)} {unit} for each 100 characters"


def energy_line(contents: Report) -> str:
    """
    Return the name of the energy metric and of the power meter; empty where no cell has a value.
    """
    every = chain.from_iterable(contents.measurements.values())
    energies = [measurement for measurement in every if measurement.metric == ENERGY]
    meters = dict.fromkeys(
        "; ".join(MetricVersion.parse(measurement.version).dependencies)
        for measurement in energies
        if isinstance(measurement.summary, float)
    )
    return plain(f"{METERED.title}: energy beyond idle; {', '.join(meters)}") if meters else ""


def rows(contents: Report) -> tuple[TableRow, ...]:
    """Return one row per judged cell."""
    shown_columns = columns(contents)
    return tuple(_row(contents, cell, shown_columns) for cell in contents.judgement.cells)


def heading(contents: Report) -> tuple[str, ...]:
    """Return the heading: suite, profile, machine and how quiet it was, head, baseline."""
    judgement = contents.judgement
    state = contents.machine
    parts = (
        judgement.suite,
        judgement.profile,
        f"machine {judgement.machine} "
        f"({state.status if state.status in UNREMARKABLE else f'{state.status}: {state.detail}'})",
        f"head {judgement.head}",
        f"baseline {judgement.baseline}",
    )
    return tuple(plain(part) for part in parts)


def _row(contents: Report, cell: CellVerdict, shown_columns: Sequence[TableColumn]) -> TableRow:
    named = by_name(contents.measurements.get(cell.cell, ()))
    explained, broken = _explained(contents, cell), broken_metrics(cell)
    reference = " (reference)" if cell.cell == contents.run.reference else ""
    missing = {column.title: plain(_why_missing(named, column.metric)) for column in shown_columns}
    return TableRow(
        cell=cell.cell,
        label=plain(cell.label) + reference,
        full=tuple(
            _text(named, column.metric, interval=column.interval) for column in shown_columns
        ),
        short=tuple(_text(named, column.metric, interval=False) for column in shown_columns),
        verdict=cell.verdict,
        causes=own_causes(cell),
        reasons=_reasons(contents, cell),
        missing={title: reason for title, reason in missing.items() if reason},
        explained=frozenset(each.title for each in shown_columns if each.metric in explained),
        change=cell_change(cell),
        broken=frozenset(each.title for each in shown_columns if each.metric in broken),
    )


def _text(named: Mapping[str, Measurement], metric: str, *, interval: bool) -> str:
    if metric not in named:
        return NOTHING if metric in OF_SOME_CELLS else MISSING
    return shown(named[metric], interval=interval)


def _why_missing(named: Mapping[str, Measurement], metric: str) -> str:
    if metric not in named:
        return "" if metric in OF_SOME_CELLS else "not measured"
    summary = named[metric].summary
    return summary.reason if isinstance(summary, Missing) else ""


def _reasons(contents: Report, cell: CellVerdict) -> tuple[str, ...]:
    """
    Return what explains the causes or the verdict's reason, the options not in effect that it does
    not name, and notices.
    """
    failed = failed_option(contents.run, cell.cell)
    unlike = [
        difference
        for difference in contents.differences.get(cell.cell, ())
        if difference.option != failed
    ]
    lines = list(own_reasons(cell))
    lines += map(str, unlike)
    lines += [f"notice: {notice}" for notice in cell.notices]
    return tuple(map(plain, lines))


def _explained(contents: Report, cell: CellVerdict) -> frozenset[str]:
    """
    Return the metrics whose missing value the cell's reason explains: those that decide the
    verdict, every speed where a process failed, and all where nothing was measured for that.
    """
    deciding = {
        metric.metric
        for metric in cell.metrics
        if metric.blocking and metric.verdict is cell.verdict and cell.verdict in EXPLAINING
    }
    processes = [process for process in contents.run.processes if process.cell == cell.cell]
    if not any(process.failure for process in processes):
        return frozenset(deciding)
    nothing = not any(map(measured_iterations, processes))
    measured = (measurement.metric for measurement in contents.measurements.get(cell.cell, ()))
    return frozenset(deciding | {metric for metric in measured if nothing or is_speed(metric)})


def grouped_missing(row: TableRow) -> tuple[str, ...]:
    """
    Return why values are missing, one line per reason: `wer missing: no weights`; without those
    that the row's reasons explain.
    """
    titles: dict[str, list[str]] = {}
    for title, reason in row.missing.items():
        if title not in row.explained:
            titles.setdefault(reason, []).append(title)
    return tuple(f"{', '.join(names)} missing: {reason}" for reason, names in titles.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedRemark:
    """One remark on several cells, which is shown once."""

    text: str
    labels: tuple[str, ...]
    all_cells: bool

    def __str__(self) -> str:
        names = "" if self.all_cells else f" ({', '.join(self.labels)})"
        return f"{'all ' if self.all_cells else ''}{len(self.labels)} cells{names}: {self.text}"


def shared_remarks(remarks: Sequence[tuple[str, Collection[str]]]) -> tuple[SharedRemark, ...]:
    """Return the remarks that several cells share, from (label, remarks) of every cell."""
    labels: dict[str, list[str]] = {}
    for label, texts in remarks:
        for text in dict.fromkeys(texts):
            labels.setdefault(text, []).append(label)
    return tuple(
        SharedRemark(text=text, labels=tuple(names), all_cells=len(names) == len(remarks))
        for text, names in labels.items()
        if len(names) > 1
    )


NOTHING = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class StageLine:
    """One stage: milliseconds as text, `-` where there is no such value."""

    name: str
    measured: str
    synced: str
    alone: str


def stage_lines(measurements: Sequence[Measurement]) -> tuple[StageLine, ...]:
    """Return the stages of a cell; empty where no pass profiled them."""
    columns = {prefix: _column(measurements, prefix) for prefix in (STAGE, SYNCHRONISED, ISOLATED)}
    if not columns[SYNCHRONISED]:
        return ()
    names = dict.fromkeys((*columns[SYNCHRONISED], *columns[STAGE], *columns[ISOLATED]))
    return tuple(_line(name, columns) for name in names)


def _column(measurements: Sequence[Measurement], prefix: str) -> dict[str, str]:
    stages = [
        measurement
        for measurement in measurements
        if measurement.metric.startswith(prefix) and not isinstance(measurement.summary, Missing)
    ]
    return {
        stage.metric.removeprefix(prefix): shown_value("stage", stage.unit, stage.summary)
        for stage in stages
    }


def _line(name: str, columns: Mapping[str, Mapping[str, str]]) -> StageLine:
    measured, synced, alone = (
        columns[prefix].get(name, NOTHING) for prefix in (STAGE, SYNCHRONISED, ISOLATED)
    )
    return StageLine(name=name, measured=measured, synced=synced, alone=alone)


def floor_line(contents: Report) -> str:
    """
    Return the floor under the reference cell's rates, or the reason why none stands beside them;
    empty where nobody made one.
    """
    floor = contents.floor
    if floor is None:
        return ""
    if isinstance(floor, NoFloor):
        return plain(f"no floor beside {floor.metric}: {floor.why.reason}")
    texts = [
        f"{rate.metric} {shown(rate)} {shown_unit(rate.metric, rate.unit)}" for rate in floor.rates
    ]
    said = f"{floor.speaker} on the same {floor.texts} texts, by the same judge"
    return plain(f"floor: {', '.join(texts)}: {said}")
