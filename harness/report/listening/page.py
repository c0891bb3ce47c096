"""
The listening page of a run: the player, and where its takes come from.
"""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from voxgate.harness.history.records import RunRow
from voxgate.harness.records.files import write_file
from voxgate.harness.records.measurement import Missing
from voxgate.harness.report.html import standalone
from voxgate.harness.report.listening.abx import write_test
from voxgate.harness.report.listening.assets import AssetFolder
from voxgate.harness.report.listening.player import (
    BUDGET_BYTES,
    SCRIPTS,
    Material,
    player,
    prepared,
)
from voxgate.harness.report.listening.recordings import RunRecordings, Runs, load_recordings, minute
from voxgate.harness.runner.recordings import takes


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnSource:
    """Where the takes of one column come from, for people."""

    when: str
    what: str


def listening_page(
    history: Runs, run: RunRow, out: Path, baselines: Path, worse_since: str = ""
) -> str | Missing:
    """
    Write `listen-<run id>.html`, its blind test `abx-<run id>.html` and their clips into `out`;
    return the name of the page. What is worse since a day is compared with the run before it.

    Missing where there is no audio. Raises HarnessError for a damaged baseline, and for a folder
    that cannot be written.
    """
    heard = load_recordings(history, run, baselines, worse_since)
    if isinstance(heard, Missing):
        return heard
    recordings = heard.recordings
    material = prepared(
        recordings.requests,
        recordings.current.run.reference,
        partial(takes, recordings),
        AssetFolder(out),
        BUDGET_BYTES,
    )
    if not material.views:
        return Missing(f"run {run.id} kept no audio")
    test = write_test(heard, material.utterances, out, material.views)
    text = _text(heard, material, test)
    write_file(
        out / f"listen-{run.id}.html", text, "choose another --out", parents=True, durable=False
    )
    return f"listen-{run.id}.html"


def _text(heard: RunRecordings, material: Material, test: str | Missing) -> str:
    reference = heard.recordings.current.run.reference
    names = {} if heard.earlier is None else {"previous": heard.earlier.name}
    material = replace(material, names=names)
    return standalone(
        "listen.html",
        SCRIPTS,
        loads_assets=True,
        run=heard.run,
        sources=_sources(heard),
        player=player(material, heard.recordings.cells, reference),
        test=test,
    )


def _sources(heard: RunRecordings) -> tuple[ColumnSource, ...]:
    """Return where golden, previous, current and marked come from, or that there is none."""
    accepted, before, run = heard.accepted, heard.earlier, heard.run
    golden = "none is accepted yet"
    if accepted is not None:
        golden = f"{accepted.commit}, accepted {minute(accepted.created)}: {accepted.why}"
    previous = "no earlier run of this suite, profile and machine has kept its folder"
    if before is not None:
        previous = f"{before.run.head}, {minute(before.run.created)}"
        if before.passed_by:
            runs = "1 run lies" if before.passed_by == 1 else f"{before.passed_by} runs lie"
            previous = f"{previous}, before it got worse: {runs} between"
    marked = ColumnSource(when="marked", what="current with its watermark, as a user hears it")
    return (
        ColumnSource(when="golden", what=golden),
        ColumnSource(when="previous" if before is None else before.name, what=previous),
        ColumnSource(when="current", what=f"{run.head}, {minute(run.created)}"),
        *([marked] if heard.recordings.current.marked else []),
    )
