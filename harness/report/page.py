"""
One HTML file of a run: the table, the reasons, the charts and the audio. It needs only a browser.

Every text is escaped by the template engine. A content security policy allows only the page's own
style and script, named by their hashes. The layout is in templates/.

The audio is golden, reference and every cell, per utterance, each different clip once, up to a
budget of bytes.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from voxgate.harness.analysis.metric_rules import STAGE, is_helper
from voxgate.harness.judging.tradeoff import Tradeoff
from voxgate.harness.metrics.registry import family_of
from voxgate.harness.records.cell import Request
from voxgate.harness.records.environment import RunEnvironment, facts_of
from voxgate.harness.records.measurement import Measurement, Missing
from voxgate.harness.records.run import OptionCheck
from voxgate.harness.records.verdict import CellVerdict, MetricVerdict, Verdict
from voxgate.harness.report import charts
from voxgate.harness.report.contents import (
    GOLDEN,
    AudioLoader,
    OptionDifference,
    Report,
    cell_of,
    effective_of,
    effects_of,
    measured_count,
)
from voxgate.harness.report.format import shown, shown_unit, shown_value
from voxgate.harness.report.tables import (
    StageLine,
    TableRow,
    accept_command,
    accept_hint,
    columns,
    energy_line,
    floor_line,
    gain_text,
    grouped_missing,
    rows,
    stage_lines,
)

TEMPLATES = Path(__file__).with_name("templates")
MEANING = {
    Verdict.PASS: "Nothing got slower or worse.",
    Verdict.IMPROVED: "Something got better, and nothing got slower or worse.",
    Verdict.REGRESSED: "Something got slower or worse.",
    Verdict.FAILED: "Something could not be measured as asked.",
    Verdict.UNRESOLVED: "Nothing is proven worse, but something could not be decided.",
    Verdict.NO_BASELINE: "Nothing is proven worse, but there is no baseline to compare with.",
    Verdict.INCOMPARABLE: "Nothing is proven worse, but something cannot be compared with the "
    "baseline.",
}


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """
    One stage of a cell: its seconds as text, and its place in the bar in percent of the longest
    cell's bar.
    """

    name: str
    shown: str
    color: int
    start: float
    width: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CellDetails:
    """All that the page says of one cell."""

    row: TableRow
    kind: str
    missing: tuple[str, ...]
    asked: Mapping[str, object]
    effective: Mapping[str, object]
    effects: tuple[OptionCheck, ...]
    differences: tuple[OptionDifference, ...]
    metrics: tuple[MetricLine, ...]
    stages: tuple[Stage, ...]
    apart: tuple[StageLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class InlineChart:
    """A chart in both themes as data URIs, with the words for those who do not see it."""

    light: str
    dark: str
    alt: str
    caption: str


def page(contents: Report, load: AudioLoader) -> str:
    """Write the page; `load` gives its audio."""
    judgement, run = contents.judgement, contents.run
    style, script = (_template(name) for name in ("page.css", "page.js"))
    voices = listening(contents, load)
    template = _environment().from_string(_template("page.html"))
    return template.render(
        csp=_policy(style, script),
        style=style,
        script=script,
        judgement=judgement,
        kind=charts.kind(judgement.verdict),
        meaning=MEANING[judgement.verdict],
        run=run,
        machine=contents.machine,
        columns=columns(contents),
        energy=energy_line(contents),
        floor=floor_line(contents),
        cells=cell_details(contents),
        hint=accept_command(contents) if accept_hint(contents) else "",
        fastest=contents.fastest,
        gain=gain_text(contents),
        pictures=[_picture(data) for data in contents.tradeoffs],
        listening=voices,
        voices=[
            {"id": utterance.id, "text": utterance.text, "takes": list(utterance.takes.items())}
            for utterance in voices.utterances
        ],
        labels=_labels(contents),
        facts=_facts(run.environment),
        iterations=measured_count(run),
    )


def cell_details(contents: Report) -> tuple[CellDetails, ...]:
    """Return the details of every cell."""
    stages = _stages(contents)
    return tuple(
        _details(contents, row, cell, stages.get(cell.cell, ()))
        for row, cell in zip(rows(contents), contents.judgement.cells, strict=True)
    )


def _details(
    contents: Report, row: TableRow, judged: CellVerdict, stages: tuple[Stage, ...]
) -> CellDetails:
    cell = cell_of(contents.run, judged.cell)
    return CellDetails(
        row=row,
        kind=charts.kind(judged.verdict),
        missing=grouped_missing(row),
        asked=cell.options if cell is not None else {},
        effective=effective_of(contents.run, judged.cell),
        effects=effects_of(contents.run, judged.cell),
        differences=contents.differences.get(judged.cell, ()),
        metrics=_metrics(judged, contents.measurements.get(judged.cell, ())),
        stages=stages,
        apart=stage_lines(contents.measurements.get(judged.cell, ())),
    )


def _metrics(cell: CellVerdict, measurements: Sequence[Measurement]) -> tuple[MetricLine, ...]:
    judged = {metric.metric: metric for metric in cell.metrics}
    visible = [measurement for measurement in measurements if not is_helper(measurement.metric)]
    return tuple(_metric_line(each, judged.get(each.metric)) for each in visible)


def _metric_line(measurement: Measurement, judged: MetricVerdict | None) -> MetricLine:
    name, unit, summary = measurement.metric, measurement.unit, measurement.summary
    comparison = judged.comparison if judged is not None else None
    verdict = "not judged" if judged is None else judged.verdict.value.replace("_", " ")
    return MetricLine(
        name=name,
        family=family_of(name),
        unit=shown_unit(name, unit),
        value=f"missing: {summary.reason}" if isinstance(summary, Missing) else shown(measurement),
        baseline="none" if comparison is None else shown_value(name, unit, comparison.baseline),
        verdict=verdict if judged is None or judged.blocking else f"{verdict} (advisory)",
        reason=judged.reason if judged is not None else "",
        missing=isinstance(summary, Missing),
    )


def _stages(contents: Report) -> dict[str, tuple[Stage, ...]]:
    """Lay out the stages of every cell on one scale, so that bars can be compared."""
    seconds = {slug: _stages_s(measured) for slug, measured in contents.measurements.items()}
    names = list(dict.fromkeys(chain.from_iterable(seconds.values())))
    longest = max((sum(_numbers(stages).values()) for stages in seconds.values()), default=0.0)
    return {
        slug: _bar(_numbers(stages), names, longest)
        for slug, stages in seconds.items()
        if longest > 0.0
    }


def _stages_s(measured: Sequence[Measurement]) -> dict[str, float | Missing]:
    return {
        measurement.metric.removeprefix(STAGE): measurement.summary
        for measurement in measured
        if _is_stage(measurement)
    }


def _is_stage(measurement: Measurement) -> bool:
    return measurement.metric.startswith(STAGE)


def _numbers(stages: Mapping[str, float | Missing]) -> dict[str, float]:
    return {name: value for name, value in stages.items() if isinstance(value, float)}


def _bar(stages: Mapping[str, float], names: Sequence[str], longest: float) -> tuple[Stage, ...]:
    bar, start = [], 0.0
    for name, value in stages.items():
        width = 100.0 * value / longest
        shown_ms = f"{shown_value('stage', 's', value)} ms"
        bar.append(
            Stage(name=name, shown=shown_ms, color=names.index(name) % 6, start=start, width=width)
        )
        start += width
    return tuple(bar)


def _picture(data: Tradeoff) -> InlineChart:
    alt, caption = charts.tradeoff_words(data)
    return InlineChart(
        light=_data_uri(charts.tradeoff_chart(data, charts.LIGHT)),
        dark=_data_uri(charts.tradeoff_chart(data, charts.DARK)),
        alt=alt,
        caption=caption,
    )


def _labels(contents: Report) -> dict[str, str]:
    """Name every voice for people: slug or GOLDEN -> label."""
    labels = {row.cell: row.label for row in rows(contents)}
    return {
        GOLDEN: "golden",
        **{cell.slug: labels.get(cell.slug, cell.label) for cell in contents.run.cells},
    }


def _facts(environment: RunEnvironment) -> tuple[tuple[str, str, str], ...]:
    """Flatten machine and toolchain into (group, name, value)."""
    groups = {
        "machine": facts_of(environment.machine),
        "toolchain": facts_of(environment.toolchain),
    }
    rows: list[tuple[str, str, str]] = []
    for group, facts in groups.items():
        rows += [(group, name, _fact(value)) for name, value in facts.items()]
    return tuple(rows)


def _fact(value: object) -> str:
    return (", ".join(map(str, value)) or "none") if isinstance(value, list) else str(value)


def _policy(style: str, script: str) -> str:
    return (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; img-src data:; "
        "media-src data:; base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _data_uri(svg: bytes) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"


def _template(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


def _environment() -> Environment:
    return Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )


BUDGET_BYTES = 10 * 2**20
"""Of audio before base64 makes it a third larger; keeps a page with its pictures below 15 MB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageUtterance:
    """One request and its recordings: slug or `golden` -> clip id."""

    id: str
    text: str
    takes: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """
    The clips of a page (id -> data URI), and how many utterances the workload has beyond those
    shown.
    """

    utterances: tuple[PageUtterance, ...]
    clips: Mapping[str, str]
    left_out: int


def listening(contents: Report, load: AudioLoader, budget_bytes: int = BUDGET_BYTES) -> Listening:
    """Collect the audio of the first utterances, as many as fit into `budget_bytes`."""
    requests = _requests(contents)
    clips: dict[str, bytes] = {}
    utterances: list[PageUtterance] = []
    for request in requests:
        sources = _clips(contents, load, request)
        fresh = {_clip_id(data): data for data in sources.values()}
        if sum(map(len, {**clips, **fresh}.values())) > budget_bytes:
            break
        clips.update(fresh)
        takes = {source: _clip_id(data) for source, data in sources.items()}
        utterances.append(PageUtterance(id=request.id, text=request.text, takes=takes))
    audible = tuple(spoken for spoken in utterances if spoken.takes)
    uris = {
        name: f"data:audio/wav;base64,{base64.b64encode(data).decode()}"
        for name, data in clips.items()
    }
    return Listening(utterances=audible, clips=uris, left_out=len(requests) - len(utterances))


def _requests(contents: Report) -> Sequence[Request]:
    cell = cell_of(contents.run, contents.run.reference) or next(iter(contents.run.cells), None)
    return cell.workload.requests if cell is not None else ()


def _clips(contents: Report, load: AudioLoader, request: Request) -> dict[str, bytes]:
    sources = dict.fromkeys(
        [GOLDEN, contents.run.reference, *(cell.slug for cell in contents.run.cells)]
    )
    clips = {source: load(source, request.id) for source in sources}
    return {source: data for source, data in clips.items() if data is not None}


def _clip_id(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
