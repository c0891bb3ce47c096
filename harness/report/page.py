"""
The page of a judged run as one HTML file: style, script, charts and audio inlined. It needs only a
browser.

It is the site's page of a run with more to show: gains, limits, what was left out, and the voices.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from voxgate.harness.audio.kept_audio import check_audio
from voxgate.harness.judging.baseline import BASELINES, golden_dir
from voxgate.harness.records.environment import facts_of
from voxgate.harness.records.files import write_file
from voxgate.harness.records.measurement import Measurement
from voxgate.harness.records.run import OptionCheck
from voxgate.harness.records.verdict import CellVerdict, MetricVerdict
from voxgate.harness.report.charts import inlined_chart
from voxgate.harness.report.contents import (
    Report,
    TakesOf,
    cell_of,
    effective_of,
    effects_of,
    measured_count,
    reel_tables,
)
from voxgate.harness.report.format import flat_facts, shown_value
from voxgate.harness.report.html import standalone
from voxgate.harness.report.run_page import (
    CheckLine,
    JudgedMeasurement,
    RecordedCell,
    RunRecord,
    run_page,
)
from voxgate.harness.report.tables import (
    TableRow,
    budget_line,
    columns,
    energy_line,
    floor_line,
    gain_text,
    grouped_missing,
    next_step,
    rows,
)
from voxgate.harness.report.worst_utterances import (
    broken_utterances,
    heard_first,
    red_cells,
    spread_text,
)
from voxgate.harness.runner.recordings import recordings_of, takes


def write_page(contents: Report, path: Path, baselines: Path = BASELINES) -> Path:
    """Write the page, whole or not at all. Raises HarnessError if it cannot be written."""
    check_audio(contents.run)
    recordings = recordings_of(contents.run, golden_dir(baselines, contents.run.suite))
    text = page(contents, partial(takes, recordings))
    write_file(path, text, "choose another --out", parents=True)
    return path


def page(contents: Report, takes_of: TakesOf) -> str:
    """Write the page; `takes_of` returns the recordings of an utterance."""
    # only when a page is written: what draws spectrograms takes long to load
    from voxgate.harness.report.listening.player import SCRIPTS

    return standalone("run.html", SCRIPTS, page=run_page(record_of(contents, takes_of)))


def record_of(contents: Report, takes_of: TakesOf) -> RunRecord:
    """Return the record of a judged run."""
    from voxgate.harness.report.listening.player import run_player

    judgement, run = contents.judgement, contents.run
    state = f"{measured_count(run)} measured iterations{'' if run.complete else ', not complete'}"
    return RunRecord(
        title=f"{judgement.verdict.value.replace('_', ' ')}: {judgement.suite}",
        suite=judgement.suite,
        profile=judgement.profile,
        machine=judgement.machine,
        state=contents.machine,
        verdict=judgement.verdict.value,
        question=run.question,
        line=judgement.line,
        head=judgement.head,
        created=run.created,
        baseline=judgement.baseline,
        run=f"{run.folder}: {state}",
        columns=columns(contents),
        cells=_cells(contents),
        fastest=contents.fastest,
        gain=gain_text(contents),
        charts=tuple(map(inlined_chart, contents.tradeoffs)),
        environment=flat_facts(facts_of(run.environment)),
        remarks=tuple(
            filter(None, (budget_line(contents), energy_line(contents), floor_line(contents)))
        ),
        next_step=next_step(contents),
        excluded=run.excluded,
        player=run_player(
            run,
            takes_of,
            first=heard_first(judgement.cells),
            wanted=red_cells(judgement.cells),
        ),
        reels=reel_tables(run),
    )


def _cells(contents: Report) -> tuple[RecordedCell, ...]:
    return tuple(
        _cell(contents, row, judged)
        for row, judged in zip(rows(contents), contents.judgement.cells, strict=True)
    )


def _cell(contents: Report, row: TableRow, judged: CellVerdict) -> RecordedCell:
    cell = cell_of(contents.run, judged.cell)
    return RecordedCell(
        label=row.label,
        verdict=judged.verdict.value,
        reasons=row.reasons,
        notes=grouped_missing(row),
        measured=_judged(judged, contents.measurements.get(judged.cell, ())),
        requested=cell.requested if cell is not None else {},
        effective=effective_of(contents.run, judged.cell),
        checks=tuple(map(_check, effects_of(contents.run, judged.cell))),
        broken=broken_utterances(judged),
    )


def _check(check: OptionCheck) -> CheckLine:
    return CheckLine(
        option=check.option,
        requested="" if check.requested is None else str(check.requested),
        observed=check.observed,
        in_effect=check.in_effect,
        reason=check.reason,
        is_fact=check.requested is None and check.in_effect is None,
    )


def _judged(
    cell: CellVerdict, measurements: Sequence[Measurement]
) -> tuple[JudgedMeasurement, ...]:
    verdicts: Mapping[str, MetricVerdict] = {metric.metric: metric for metric in cell.metrics}
    return tuple(_with_verdict(each, verdicts.get(each.metric)) for each in measurements)


def _with_verdict(measurement: Measurement, judged: MetricVerdict | None) -> JudgedMeasurement:
    if judged is None:
        return JudgedMeasurement(measurement=measurement, baseline="none")
    name, unit, comparison = measurement.metric, measurement.unit, judged.comparison
    return JudgedMeasurement(
        measurement=measurement,
        verdict=judged.verdict.value + ("" if judged.blocking else " (advisory)"),
        baseline="none" if comparison is None else shown_value(name, unit, comparison.baseline),
        reason=judged.reason,
        spread=spread_text(judged),
    )
