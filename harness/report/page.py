"""
The page of a judged run as one HTML file: style, script, charts and audio inlined. It needs only a
browser.

It is the site's page of a run with more to show: gains, limits, what was left out, and the voices.
"""

from functools import partial
from pathlib import Path

from voxgate.harness.audio.kept_audio import check_audio
from voxgate.harness.judging.baseline import BASELINES, golden_dir
from voxgate.harness.records.files import write_file
from voxgate.harness.report.contents import Report, TakesOf
from voxgate.harness.report.html import standalone
from voxgate.harness.report.run_page import run_page
from voxgate.harness.report.run_record import record_of
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
