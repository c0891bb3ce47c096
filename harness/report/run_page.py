"""
The page of one run: its record (`run_record.py`), laid out as sections.

`run_page` makes the view of a record, and `templates/run.html` lays that out. A new section is one
line in SECTIONS and one macro of its name in `templates/sections.html`.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from voxgate.harness.analysis.metric_rules import is_helper
from voxgate.harness.metrics.registry import family_of
from voxgate.harness.records.measurement import Measurement, Missing
from voxgate.harness.records.verdict import Verdict
from voxgate.harness.report.badges import Badge, meaning, of_verdict
from voxgate.harness.report.findings import (
    Finding,
    headline,
)
from voxgate.harness.report.format import plain, shown, shown_unit, shown_value
from voxgate.harness.report.run_record import JudgedMeasurement, RecordedCell, RunRecord
from voxgate.harness.report.tables import (
    StageLine,
    TableColumn,
    shared_remarks,
    stage_lines,
)
from voxgate.harness.report.tiles import Tile, tiles

NOT_JUDGED = "not judged"
FIRST = 8
"""Metrics of a cell that are shown before all others."""
CAUSES = 5
"""Things that got worse that a header lists; further ones are folded."""
NAMED = 4
"""Cells that a cause names."""
STANDING_OUT = (
    *("REGRESSED", "FAILED", "UNRESOLVED", "IMPROVED", "INCOMPARABLE"),
    *("REGRESSED (advisory)", "FAILED (advisory)"),
)
"""Verdicts on metrics that a reader wants to see first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableValue:
    """One value of the main table; `missing` is the reason why there is none."""

    text: str
    interval: str
    missing: str
    is_broken: bool = False
    """Whether it broke its limit and counts for the verdict."""


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
    stands_out: bool
    """Whether it is worse, better, or open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellSection:
    """
    One cell, as the page shows it; `is_open` unfolds its details. `remarks` are those that no other
    cell shares.
    """

    anchor: str
    """Of its details."""
    cell: RecordedCell
    remarks: tuple[str, ...]
    mark: Badge
    values: tuple[TableValue, ...]
    metrics: tuple[MetricLine, ...]
    first: tuple[MetricLine, ...]
    """Those that stand out, at most FIRST: what tells the cell, what broke its limit, the rest."""
    stand_out: int
    """The number of all that stand out."""
    profiled: tuple[StageLine, ...]
    is_open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One section: its anchor (also the name of its macro), its link, its heading."""

    name: str
    link: str
    title: str
    is_shown: Callable[[RunRecord], bool] = lambda _: True
    is_folded: Callable[[RunRecord], bool] = lambda _: False
    """Whether a reader unfolds it: what deviates is shown, all else waits."""
    count: Callable[[RunRecord], int | None] = lambda _: None
    """Beside its link."""


def is_red(record: RunRecord) -> bool:
    """Whether something got worse: then only that is unfolded."""
    return bool(record.causes)


SECTIONS = (
    Section(
        name="cells", link="Cells", title="Cells", count=lambda record: len(record.cells) or None
    ),
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
        is_folded=is_red,
    ),
    Section(
        name="streams",
        link="Streams",
        title="Streams",
        is_shown=lambda record: record.pictures.streaming is not None,
        is_folded=is_red,
    ),
    Section(
        name="listen",
        link="Listen",
        title="Listen",
        is_shown=lambda record: record.player is not None,
        count=lambda record: len(record.player.views) or None if record.player else None,
    ),
    Section(name="reels", link="Reels", title="Reels", is_shown=lambda record: bool(record.reels)),
    Section(name="stages", link="Stages", title="Where the time goes", is_folded=is_red),
    Section(name="details", link="Details", title="Details"),
    Section(name="environment", link="Environment", title="Environment"),
)
"""The sections in their order; `templates/sections.html` has a macro of each name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingView:
    """One thing that got worse, with the cells that it concerns."""

    sentence: str
    since: str
    cells: tuple[CellSection, ...]
    """The worst first, as many as are named."""
    more: int
    """Further cells."""
    all_cells: bool
    """Whether it concerns every cell, of several."""
    blocking: bool
    is_heard: bool = False
    """Whether its first cell is played from here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPage:
    """The view of a run; `facts` are (name, text)."""

    record: RunRecord
    mark: Badge
    meaning: str
    """The page in one sentence."""
    causes: tuple[FindingView, ...]
    """Those that count."""
    further: tuple[FindingView, ...]
    """Those that are folded: more than a reader takes in at once, and those that only inform."""
    tiles: tuple[Tile, ...]
    facts: tuple[tuple[str, str], ...]
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
    cells = tuple(
        _cell(number, cell, record.columns, known) for number, cell in enumerate(record.cells, 1)
    )
    views = _heard_once([_cause(line, cells) for line in record.causes])
    counting = [view for view in views if view.blocking]
    return RunPage(
        record=record,
        mark=of_verdict(record.verdict),
        meaning=_meaning(record),
        causes=tuple(counting[:CAUSES]),
        further=(*counting[CAUSES:], *(view for view in views if not view.blocking)),
        tiles=tiles(record),
        facts=_facts(record),
        legend=_legend(record),
        cells=cells,
        shared=tuple(map(str, shared)),
        sections=tuple(section for section in SECTIONS if section.is_shown(record)),
    )


def _meaning(record: RunRecord) -> str:
    """Return how many things got worse, what a first run is, or what the verdict means."""
    step = record.next_step
    first = f"{step.headline}." if step is not None and step.headline else ""
    return headline(record.causes) or first or meaning(record.verdict)


def _cause(line: Finding, cells: Sequence[CellSection]) -> FindingView:
    by_slug = {each.cell.slug: each for each in cells}
    found = [by_slug[slug] for slug in line.slugs if slug in by_slug]
    return FindingView(
        sentence=line.sentence,
        since=line.since,
        cells=tuple(found[:NAMED]),
        more=len(line.slugs) - len(found[:NAMED]),
        all_cells=len(cells) > NAMED and len(line.slugs) == len(cells),
        blocking=line.blocking,
    )


def _heard_once(views: Sequence[FindingView]) -> list[FindingView]:
    """Leave the button that plays a cell to the first cause that names it first."""
    seen: set[str] = set()
    heard = []
    for view in views:
        first = view.cells[0].anchor if view.cells else ""
        heard.append(replace(view, is_heard=bool(first) and first not in seen))
        seen.add(first)
    return heard


def _facts(record: RunRecord) -> tuple[tuple[str, str], ...]:
    return (
        ("measured", f"{record.head}, {record.created}"),
        ("machine", record.machine),
        ("quietness", f"{record.state.status}: {record.state.detail}"),
        ("baseline", record.baseline or "none"),
        ("run", record.run),
    )


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
    number: int,
    cell: RecordedCell,
    columns: Sequence[TableColumn],
    shared: Collection[str],
) -> CellSection:
    named = {each.measurement.metric: each.measurement for each in cell.measured}
    metrics = _metrics(cell.measured)
    first = _first(cell, metrics)
    return CellSection(
        anchor=f"cell-{number}",
        cell=cell,
        remarks=tuple(each for each in (*cell.reasons, *cell.notes) if each not in shared),
        mark=of_verdict(cell.verdict),
        values=tuple(
            replace(
                _value(named.get(column.metric), column),
                is_broken=column.metric in cell.broken_metrics,
            )
            for column in columns
        ),
        metrics=metrics,
        first=first[:FIRST],
        stand_out=len(first),
        profiled=stage_lines(list(named.values())),
        is_open=bool(cell.told or cell.reasons) and cell.verdict != Verdict.NO_BASELINE,
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


def _first(cell: RecordedCell, metrics: Sequence[MetricLine]) -> tuple[MetricLine, ...]:
    telling = "" if cell.change is None else cell.change.metric
    found = [line for line in metrics if line.stands_out]
    found.sort(key=lambda line: (line.name != telling, line.name not in cell.broken_metrics))
    return tuple(found)


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
        stands_out=judged.verdict in STANDING_OUT,
    )
