"""The section of reels on a run's page: captions of the reference cell, as text."""

from dataclasses import replace
from pathlib import Path

from tests.harness.fake_runs import CELLS, REQUESTS, good_run
from tests.harness.report.making import HOSTILE, contents, silence
from voxgate.harness.records.cell import Request, RequestSegment, Workload
from voxgate.harness.records.run import CaptionTimes, Run
from voxgate.harness.report.contents import reel_tables
from voxgate.harness.report.page import page

SEGMENTS = (
    RequestSegment(speaker="slt", text="Good evening."),
    RequestSegment(speaker="rms", text=HOSTILE),
)
TIMES = (CaptionTimes(start_s=0.0, end_s=0.9), CaptionTimes(start_s=1.15, end_s=2.0))


def with_reel(captions: tuple[CaptionTimes, ...] | None) -> Run:
    run = good_run()
    first, *others = run.cells[0].workload.requests
    reel = Request(id=REQUESTS[0], text=first.text, segments=SEGMENTS)
    workload = Workload(name="w", requests=(reel, *others))
    processes = [
        replace(
            process,
            iterations=tuple(
                replace(each, captions=captions if each.request == reel.id else None)
                for each in process.iterations
            ),
        )
        for process in run.processes
    ]
    cells = tuple(replace(cell, workload=workload) for cell in CELLS)
    return replace(run, cells=cells, processes=tuple(processes))


def test_the_page_lists_the_captions_of_a_reel() -> None:
    run = with_reel(TIMES)
    (table,) = reel_tables(run)
    assert table.request == REQUESTS[0]
    assert table.rows[0] == ("0.00", "0.90", "slt", "Good evening.")

    html = page(contents(run), silence)
    assert "captions of the reference cell" in html and "1.15" in html
    assert HOSTILE not in html


def test_without_captions_there_is_no_section(tmp_path: Path) -> None:
    for run in (good_run(), with_reel(None)):
        assert reel_tables(run) == ()
        assert "captions of the reference cell" not in page(contents(run), silence)
