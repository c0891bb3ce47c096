"""
The main table as text: one row per cell, in the order of the judgement, ready to be laid out by any
format.

Knows which metrics the table shows; knows no format.

The stages of a cell as text, one line each: as the whole was measured, as the pass of its own saw
them, and alone.

Knows which measurements hold them; knows no format.

The line below the table that stands a word error rate on its floor: what the same judge makes of
somebody known to speak well.

Knows which cell's rates it stands beside; whether it may, `harness/scoring/asr_floor.py` knows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from harness.analysis.aggregate import ENERGY, STAGE, by_name
from harness.analysis.stages import ALONE, SYNCED
from harness.judging import explain
from harness.judging.tradeoff import fastest_passing
from harness.machine.quietness import fitness
from harness.metrics.registry import is_synthesis_time
from harness.records.measurement import Measurement, MetricVersion, Missing
from harness.records.verdict import CellVerdict, Verdict
from harness.report.contents import Report, cell_of, differences
from harness.report.format import MISSING, plain, shown, shown_unit, shown_value
from harness.scoring.asr_floor import floor_for_workload


@dataclass(frozen=True, slots=True, kw_only=True)
class TableColumn:
    """One metric of the table; `rank` orders what a narrow place leaves out, the highest first."""

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
    reasons: tuple[str, ...]
    """Lines for people; empty for a cell that passed with nothing to remark."""
    missing: Mapping[str, str]
    """Column's title -> why there is no value."""


def columns(contents: Report) -> tuple[TableColumn, ...]:
    """Give the columns of the table."""
    return (*COLUMNS, METERED) if energy_line(contents) else COLUMNS


def energy_line(contents: Report) -> str:
    """Say what the energy is and which meter told it; empty where no cell has a value."""
    found = [
        each
        for several in contents.measurements.values()
        for each in several
        if each.metric == ENERGY
    ]
    meters = dict.fromkeys(
        "; ".join(MetricVersion.parse(measurement.version).dependencies)
        for measurement in found
        if isinstance(measurement.summary, float)
    )
    return plain(f"{METERED.title}: energy beyond idle; {', '.join(meters)}") if meters else ""


def rows(contents: Report) -> tuple[TableRow, ...]:
    """Give one row per judged cell."""
    shown_columns = columns(contents)
    return tuple(_row(contents, cell, shown_columns) for cell in contents.judgement.cells)


def heading(contents: Report) -> tuple[str, ...]:
    """
    Give what stands above the table: suite, profile, machine and how quiet it was, head, baseline.
    """
    judgement = contents.judgement
    state = fitness(contents.run.environment)
    parts = (
        judgement.suite,
        judgement.profile,
        f"machine {judgement.machine} "
        f"({state.word if state.word in UNREMARKABLE else f'{state.word}: {state.why}'})",
        f"head {judgement.head}",
        f"baseline {judgement.baseline}",
    )
    return tuple(plain(part) for part in parts)


def accept_hint(contents: Report) -> tuple[str, ...]:
    """
    Give sentence and command, a line each, for a run that has no speed baseline on its machine;
    empty otherwise.
    """
    without = any(
        each.verdict is Verdict.NO_BASELINE and is_synthesis_time(each.metric)
        for cell in contents.judgement.cells
        for each in cell.metrics
    )
    if not without:
        return ()
    command = accept_command(contents)
    told = command in contents.judgement.line  # which follows as the last word
    sentence = "no speed baseline on this machine yet"
    return (sentence,) if told else (f"{sentence}; if this run is good:", f"   {command}")


def accept_command(contents: Report) -> str:
    """Give the command that makes this run the baseline."""
    return explain.accept_command(
        contents.run.folder, [each for cell in contents.judgement.cells for each in cell.metrics]
    )


def gain_line(contents: Report) -> str:
    """
    Name the fastest cell fit to ship and its gain over the reference; empty where none is or it is
    the reference.
    """
    best = fastest_passing(contents.judgement, contents.measurements, contents.run.reference)
    if best is None or best.times is None or best.cell == contents.run.reference:
        return ""
    bounds = "" if best.low is None or best.high is None else f" [{best.low:.3g} {best.high:.3g}]"
    return (
        f"fastest cell fit to ship: {plain(best.label)}, {best.times:.3g}{bounds} times as fast as "
        "the reference"
    )


def _row(contents: Report, cell: CellVerdict, shown_columns: Sequence[TableColumn]) -> TableRow:
    named = by_name(contents.measurements.get(cell.cell, ()))
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
        reasons=_reasons(contents, cell),
        missing={title: reason for title, reason in missing.items() if reason},
    )


def _text(named: Mapping[str, Measurement], metric: str, *, interval: bool) -> str:
    return shown(named[metric], interval=interval) if metric in named else MISSING


def _why_missing(named: Mapping[str, Measurement], metric: str) -> str:
    if metric not in named:
        return "not measured"
    summary = named[metric].summary
    return summary.reason if isinstance(summary, Missing) else ""


def _reasons(contents: Report, cell: CellVerdict) -> tuple[str, ...]:
    """
    Give the verdict's reason, what was not in effect as long as the reason does not say so already,
    and notices.
    """
    lines = [] if cell.verdict is Verdict.PASS else [plain(cell.reason)]
    for each in map(plain, differences(contents.run, cell.cell)):
        if not any(_same(each, line) for line in lines):
            lines.append(each)
    lines += [plain(f"notice: {each}") for each in cell.notices]
    return tuple(lines)


def _same(difference: str, line: str) -> bool:
    option = difference.removeprefix("asked ").partition(",")[0]
    return option in line


def grouped_missing(row: TableRow) -> tuple[str, ...]:
    """
    Say why values are missing, one line per reason, unless the row's reasons say it:
    `wer missing: no weights`.
    """
    titles: dict[str, list[str]] = {}
    for title, reason in row.missing.items():
        titles.setdefault(reason, []).append(title)
    known = " ".join(row.reasons)
    fresh = {reason: several for reason, several in titles.items() if not _told(reason, known)}
    return tuple(f"{', '.join(several)} missing: {reason}" for reason, several in fresh.items())


def _told(reason: str, known: str) -> bool:
    return reason in known or reason.removeprefix("no measured iteration: ") in known


NOTHING = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class StageLine:
    """One stage: milliseconds as text, `-` where there is no such value."""

    name: str
    measured: str
    synced: str
    alone: str


def stage_lines(measurements: Sequence[Measurement]) -> tuple[StageLine, ...]:
    """Give the stages of a cell; empty where no pass looked at them."""
    columns = {prefix: _column(measurements, prefix) for prefix in (STAGE, SYNCED, ALONE)}
    if not columns[SYNCED]:
        return ()
    names = dict.fromkeys(name for prefix in (SYNCED, STAGE, ALONE) for name in columns[prefix])
    return tuple(_line(name, columns) for name in names)


def _column(measurements: Sequence[Measurement], prefix: str) -> dict[str, str]:
    found = [
        each
        for each in measurements
        if each.metric.startswith(prefix) and not isinstance(each.summary, Missing)
    ]
    return {
        each.metric.removeprefix(prefix): shown_value("stage", each.unit, each.summary)
        for each in found
    }


def _line(name: str, columns: Mapping[str, Mapping[str, str]]) -> StageLine:
    measured, synced, alone = (
        columns[prefix].get(name, NOTHING) for prefix in (STAGE, SYNCED, ALONE)
    )
    return StageLine(name=name, measured=measured, synced=synced, alone=alone)


RATES = ("wer", "cer")


def floor_line(contents: Report) -> str:
    """
    Give the floor under the reference cell's rates, or why there is none beside them; empty where
    nobody made one.
    """
    cell, floor = cell_of(contents.run, contents.run.reference), contents.floor
    if floor is None or cell is None:
        return ""
    named = by_name(contents.measurements.get(cell.slug, ()))
    texts = []
    for measured in (
        named[name]
        for name in RATES
        if name in named and not isinstance(named[name].summary, Missing)
    ):
        found = floor_for_workload(floor, cell.workload, measured, contents.run.judge)
        if isinstance(found, Missing):
            return plain(f"no floor beside {measured.metric}: {found.reason}")
        rate = replace(measured, summary=found.point, low=found.low, high=found.high)
        texts.append(f"{rate.metric} {shown(rate)} {shown_unit(rate.metric, rate.unit)}")
    many = len(cell.workload.requests)
    return (
        plain(
            f"floor: {', '.join(texts)}: {floor.speaker} on the same {many} texts, by the same "
            "judge"
        )
        if texts
        else ""
    )
