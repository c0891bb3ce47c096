"""
The page of one run: its record (`run_record.py`), laid out as sections.

`run_page` makes the view of a record, and `templates/run.html` lays that out. A new section is one
line in SECTIONS and one macro of its name in `templates/sections.html`.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import chain

from voxgate.harness.analysis.metric_rules import is_helper
from voxgate.harness.metrics.registry import family_of
from voxgate.harness.records.measurement import Measurement, Missing
from voxgate.harness.records.verdict import Verdict
from voxgate.harness.report.badges import Badge, meaning, of_verdict
from voxgate.harness.report.format import plain, shown, shown_unit, shown_value
from voxgate.harness.report.run_record import JudgedMeasurement, RecordedCell, RunRecord
from voxgate.harness.report.tables import (
    StageLine,
    TableColumn,
    shared_remarks,
    stage_lines,
)

NOT_JUDGED = "not judged"


@dataclass(frozen=True, slots=True, kw_only=True)
class TableValue:
    """One value of the main table; `missing` is the reason why there is none."""

    text: str
    interval: str
    missing: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricLine:
    """One metric of one cell, as text; `family` is the heading that it stands under."""

    name: str
    family: str
    unit: str
    value: str
    baseline: str
    verdict: str
    reason: str
    missing: bool
    spread: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CellSection:
    """
    One cell, as the page shows it; `is_open` unfolds its details. `remarks` are those that no other
    cell shares.
    """

    cell: RecordedCell
    remarks: tuple[str, ...]
    mark: Badge
    values: tuple[TableValue, ...]
    metrics: tuple[MetricLine, ...]
    profiled: tuple[StageLine, ...]
    is_open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One section: its anchor (also the name of its macro), its link, its heading."""

    name: str
    link: str
    title: str
    is_shown: Callable[[RunRecord], bool] = lambda _: True


SECTIONS = (
    Section(name="cells", link="Cells", title="Cells"),
    Section(
        name="changes",
        link="Changes",
        title="What changed",
        is_shown=lambda record: bool(record.pictures.forest or record.pictures.curves),
    ),
    Section(
        name="tradeoff",
        link="Speed and quality",
        title="Speed against quality",
        is_shown=lambda record: bool(record.pictures.paretos or record.pictures.qualities),
    ),
    Section(
        name="streams",
        link="Streams",
        title="Streams",
        is_shown=lambda record: record.pictures.streaming is not None,
    ),
    Section(
        name="listen",
        link="Listen",
        title="Listen",
        is_shown=lambda record: record.player is not None,
    ),
    Section(name="reels", link="Reels", title="Reels", is_shown=lambda record: bool(record.reels)),
    Section(name="stages", link="Stages", title="Where the time goes"),
    Section(name="details", link="Details", title="Details"),
    Section(name="environment", link="Environment", title="Environment"),
)
"""The sections in their order; `templates/sections.html` has a macro of each name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPage:
    """The view of a run; `facts` are (name, emphasised, text)."""

    record: RunRecord
    mark: Badge
    meaning: str
    facts: tuple[tuple[str, str, str], ...]
    legend: tuple[str, ...]
    cells: tuple[CellSection, ...]
    shared: tuple[str, ...]
    """Remarks on several cells."""
    sections: tuple[Section, ...]


MEANINGS = {
    "caption_drift": "how far captions stand from the words",
    "speaker_confusion": "share of segments that are nearer to the voice of another speaker",
    "similarity_margin": "how much nearer the voice is to the target than to the source, below 0 "
    "nearer to the source",
    "source_f0_correlation": "how alike the pitch of audio and source moves, 1 at most",
    "live_latency_p50": "from the coming in of a sample to its going out, median",
    "live_latency_p95": "the same, 95th percentile",
    "live_algorithmic": "what of the live latency is no computation",
    "live_underruns": "share of time in which a player of live audio runs dry",
    "watermark_detected": "share of utterances whose watermark is found",
    "watermark_compressed": "the same after compression as mp3",
    "watermark_snr": "how far the mark lies below the speech",
}
"""Of the columns that only some suites have, for the legend, by metric."""


def run_page(record: RunRecord) -> RunPage:
    """Return the view of a run."""
    shared = shared_remarks([(cell.label, (*cell.reasons, *cell.notes)) for cell in record.cells])
    known = {remark.text for remark in shared}
    return RunPage(
        record=record,
        mark=of_verdict(record.verdict),
        meaning=meaning(record.verdict),
        facts=_facts(record),
        legend=_legend(record),
        cells=tuple(_cell(cell, record.columns, known) for cell in record.cells),
        shared=tuple(map(str, shared)),
        sections=tuple(section for section in SECTIONS if section.is_shown(record)),
    )


def _facts(record: RunRecord) -> tuple[tuple[str, str, str], ...]:
    return (
        ("measured", "", f"{record.head}, {record.created}"),
        ("machine", "", f"{record.machine} ({record.state.status}: {record.state.detail})"),
        ("baseline", "", record.baseline or "none"),
        ("run", "", record.run),
        *_fastest(record),
    )


def _fastest(record: RunRecord) -> tuple[tuple[str, str, str], ...]:
    """Return the fastest cell fit to ship as a fact; none where no cell has a speed."""
    title, best = "fastest cell fit to ship", record.fastest
    every = chain.from_iterable(cell.measured for cell in record.cells)
    if best is None and not any(each.measurement.metric == "rtf" for each in every):
        return ()
    if best is None:
        return ((title, "", "none is"),)
    return ((title, best.label, f", rtf {best.rtf:.3g}{record.gain and f', {record.gain}'}"),)


def _legend(record: RunRecord) -> tuple[str, ...]:
    against = [name for name in ("snr", "pesq", "stoi") if _has_column(record, name)]
    return (
        "Brackets hold 95 % intervals"
        + (f"; {_listed(against)} are against the reference cell" if len(against) > 1 else ""),
        *_meanings(record),
        *record.remarks,
    )


def _meanings(record: RunRecord) -> tuple[str, ...]:
    told = [
        f"{column.title}: {MEANINGS[column.metric]}"
        for column in record.columns
        if column.metric in MEANINGS
    ]
    return ("; ".join(told),) if told else ()


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _has_column(record: RunRecord, metric: str) -> bool:
    return any(column.metric == metric for column in record.columns)


def _cell(
    cell: RecordedCell,
    columns: Sequence[TableColumn],
    shared: Collection[str],
) -> CellSection:
    named = {each.measurement.metric: each.measurement for each in cell.measured}
    return CellSection(
        cell=cell,
        remarks=tuple(each for each in (*cell.reasons, *cell.notes) if each not in shared),
        mark=of_verdict(cell.verdict),
        values=tuple(_value(named.get(column.metric), column) for column in columns),
        metrics=_metrics(cell.measured),
        profiled=stage_lines(list(named.values())),
        is_open=bool(cell.reasons) and cell.verdict != Verdict.NO_BASELINE,
    )


def _value(measurement: Measurement | None, column: TableColumn) -> TableValue:
    if measurement is None:
        return TableValue(text="", interval="", missing="not measured")
    summary = measurement.summary
    if isinstance(summary, Missing):
        return TableValue(text="", interval="", missing=plain(summary.reason))
    text = shown(measurement, interval=False)
    whole = shown(measurement, interval=column.interval)
    return TableValue(text=text, interval=whole.removeprefix(text).strip(), missing="")


def _metrics(measured: Sequence[JudgedMeasurement]) -> tuple[MetricLine, ...]:
    """Return the metrics for people, family by family, each family where its first one stands."""
    lines = [_metric(each) for each in measured if not is_helper(each.measurement.metric)]
    families = list(dict.fromkeys(line.family for line in lines))
    return tuple(sorted(lines, key=lambda line: families.index(line.family)))


def _metric(judged: JudgedMeasurement) -> MetricLine:
    measurement = judged.measurement
    name, unit, summary = measurement.metric, measurement.unit, measurement.summary
    missing = isinstance(summary, Missing)
    return MetricLine(
        name=name,
        family=family_of(name),
        unit=shown_unit(name, unit),
        value=shown_value(name, unit, summary) if missing else shown(measurement),
        baseline=judged.baseline,
        verdict=(judged.verdict or NOT_JUDGED).replace("_", " "),
        reason=judged.reason,
        missing=missing,
        spread=judged.spread,
    )
