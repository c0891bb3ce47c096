"""
The listening page of a run: every take of every utterance, switched in place, at one level.

Chooses the contents; `templates/listen.html` lays them out, and `deck.js` and `listen.js` play
them.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from voxgate.harness.history.records import RunRow
from voxgate.harness.records.files import write_file
from voxgate.harness.records.measurement import Missing
from voxgate.harness.report.listening.abx import write_test
from voxgate.harness.report.listening.assets import AssetFolder, minute, png_uri, render
from voxgate.harness.report.listening.differences import UtteranceRow, View, line, view
from voxgate.harness.report.listening.recordings import RunRecordings, Runs, load_recordings
from voxgate.harness.report.listening.spectrogram import DIFFERENCE_DB, RANGE_DB, legend
from voxgate.harness.report.listening.utterance import UtteranceVoices, utterance
from voxgate.harness.runner.recordings import When, takes

BUDGET_BYTES = 100 * 2**20
"""
Of sounds and pictures beside one page; further utterances are left out, and counted on the page.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where the takes of one column come from, for people."""

    when: When
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """
    What was prepared of a run: the utterances to hear, the same ones to see, and how many more
    there are.
    """

    utterances: tuple[UtteranceVoices, ...]
    views: tuple[View, ...]
    left_out: int


def listening_page(history: Runs, run: RunRow, out: Path, baselines: Path) -> str | Missing:
    """
    Write `listen-<run id>.html`, its blind test `abx-<run id>.html` and their clips into `out`;
    return the name of the page.

    Missing where there is no audio. Raises HarnessError for a damaged baseline, and for a folder
    that cannot be written.
    """
    heard = load_recordings(history, run, baselines)
    if isinstance(heard, Missing):
        return heard
    material = _material(heard, AssetFolder(out), BUDGET_BYTES)
    if not material.views:
        return Missing(f"run {run.id} kept no audio")
    test = write_test(heard, material.utterances, out)
    text = _text(heard, material, test)
    write_file(
        out / f"listen-{run.id}.html", text, "choose another --out", parents=True, durable=False
    )
    return f"listen-{run.id}.html"


def _material(heard: RunRecordings, assets: AssetFolder, budget_bytes: int) -> Material:
    """
    Prepare the utterances that have a take, until the budget is spent. Their sounds are let go one
    by one.
    """
    utterances, views, silent = [], [], 0
    requests = heard.recordings.requests
    for request in requests:
        if assets.size_bytes > budget_bytes:
            break
        spoken = utterance(request, takes(heard.recordings, request.id), assets)
        silent += spoken.duration_s == 0.0
        if spoken.duration_s > 0.0:
            views.append(view(spoken, heard.recordings.current.run.reference, assets))
            utterances.append(UtteranceVoices(request=request, voices=spoken.voices, sounds=()))
    return Material(
        utterances=tuple(utterances),
        views=tuple(views),
        left_out=len(requests) - len(views) - silent,
    )


def _text(heard: RunRecordings, material: Material, test: str | Missing) -> str:
    labels = {cell.slug: cell.label for cell in heard.recordings.cells}
    lines = _ordered(
        [line(spoken, labels, heard.recordings.current.run.reference) for spoken in material.views]
    )
    sources = _sources(heard)
    return render(
        "listen.html",
        ("deck.js", "listen.js"),
        run=heard.run,
        sources=sources,
        views=material.views,
        lines=lines,
        left_out=material.left_out,
        data=_data(labels, material.views, lines[0].id),
        test=test,
        power_legend=png_uri(legend(signed=False)),
        signed_legend=png_uri(legend(signed=True)),
        range_db=RANGE_DB,
        difference_db=DIFFERENCE_DB,
    )


def _ordered(lines: Sequence[UtteranceRow]) -> list[UtteranceRow]:
    """
    Sort the utterances by how much they changed, most first; ties keep the order of the workload.
    """
    return sorted(lines, key=lambda row: -row.change_db)


def _data(labels: dict[str, str], views: Sequence[View], first: str) -> dict[str, object]:
    """
    Return the data of the page's script: cells, utterances, and the id of the first utterance to
    show.
    """
    cells = [{"slug": slug, "label": label} for slug, label in labels.items()]
    return {"cells": cells, "utterances": [asdict(spoken) for spoken in views], "first": first}


def _sources(heard: RunRecordings) -> tuple[Source, ...]:
    """Return where golden, previous and current come from, or that there is none."""
    accepted, before, run = heard.accepted, heard.previous, heard.run
    golden = "none is accepted yet"
    if accepted is not None:
        golden = f"{accepted.commit}, accepted {minute(accepted.created)}: {accepted.why}"
    previous = "no earlier run of this suite, profile and machine has kept its folder"
    if before is not None:
        previous = f"{before.head}, {minute(before.created)}"
    return (
        Source(when="golden", what=golden),
        Source(when="previous", what=previous),
        Source(when="current", what=f"{run.head}, {minute(run.created)}"),
    )
