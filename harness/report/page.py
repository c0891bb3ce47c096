"""
The page of a judged run as one HTML file: style, script, charts and audio inlined. It needs only a
browser.

It is the site's page of a run with more to show: gains, limits, what was left out, and the voices.
"""

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType

from voxgate.harness.audio.kept_audio import check_audio
from voxgate.harness.errors import HarnessError
from voxgate.harness.judging.baseline import BASELINES, golden_dir, load_baseline, machine_id
from voxgate.harness.records.files import write_file
from voxgate.harness.records.run import Run
from voxgate.harness.report.contents import Report, TakesOf
from voxgate.harness.report.html import standalone
from voxgate.harness.report.run_page import run_page
from voxgate.harness.report.run_record import record_of
from voxgate.harness.runner.recordings import recordings_of, takes
from voxgate.harness.runner.run_folder import load_run

OF_PAIR: Mapping[str, str] = MappingProxyType({"previous": "base", "current": "head"})
OF_ACCEPTED: Mapping[str, str] = MappingProxyType({"previous": "accepted"})
"""Words for people, by the takes that they stand for."""
MOST_FOLDERS = 500
"""Run folders, the newest first, among which the accepted one is looked for."""


def write_page(
    contents: Report, path: Path, baselines: Path = BASELINES, base: Path | None = None
) -> Path:
    """
    Write the page, whole or not at all. Raises HarnessError if it cannot be written.

    The old voices are those of the run in `base` or, where none is named, of the accepted run, if
    its folder is still beside this one.
    """
    takes_of, names = voices_of(contents.run, baselines, base)
    write_file(path, page(contents, takes_of, names), "choose another --out", parents=True)
    return path


def voices_of(
    run: Run, baselines: Path = BASELINES, base: Path | None = None
) -> tuple[TakesOf, Mapping[str, str]]:
    """
    Return the recordings of each utterance of a run, beside those of the run in `base` or else of
    the accepted run, and words for them. Raises HarnessError for audio that is not what was
    measured.
    """
    check_audio(run)
    names, golden = OF_PAIR, golden_dir(baselines, run.suite)
    if base is None:
        names, base = OF_ACCEPTED, accepted_folder(run, baselines)
    return partial(takes, recordings_of(run, golden, base)), names


def accepted_folder(run: Run, baselines: Path) -> Path | None:
    """
    Find the folder of the run whose quality was accepted, beside the folder of a run of its suite;
    None where it is this run, is gone, or holds other audio than it measured.
    """
    accepted = load_baseline(baselines, run.suite, machine_id(run)).quality
    if accepted is None or accepted.created == run.created:
        return None
    told = re.compile(rf'"created": ?"{re.escape(accepted.created)}"')
    beside = Path(run.folder).parent.glob("*/run.json")
    for path in sorted(beside, reverse=True)[:MOST_FOLDERS]:
        try:
            if told.search(path.read_text(encoding="utf-8")):
                found = load_run(path.parent)
                if (found.suite, found.created) == (run.suite, accepted.created):
                    check_audio(found)
                    return path.parent
        except (OSError, UnicodeDecodeError, HarnessError):
            continue  # somebody else's folder, or one without the audio that was accepted
    return None


def page(contents: Report, takes_of: TakesOf, names: Mapping[str, str] = OF_ACCEPTED) -> str:
    """
    Write the page; `takes_of` returns the recordings of an utterance, and `names` are words for
    them.
    """
    # only when a page is written: what draws spectrograms takes long to load
    from voxgate.harness.report.listening.player import SCRIPTS

    return standalone("run.html", SCRIPTS, page=run_page(record_of(contents, takes_of, names)))
