"""
The site in the order of its making: read the history, write every kind of page, replace the folder.

Trends are computed from the points while a forked process, which shares memory, writes the runs'
data files and the charts. Only where forking is cheap and safe (Linux); elsewhere, and on a single
CPU, one after the other.

Two pages are filled by a script: any run by its number, and the environments of any two runs.
"""

import gc
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

from voxgate.harness.errors import HarnessError
from voxgate.harness.history.database import History, open_existing
from voxgate.harness.judging.policy import Policy, policies_of
from voxgate.harness.machine.clock import now_utc_iso
from voxgate.harness.report.listening import listening_page
from voxgate.harness.report.run_page import run_page
from voxgate.harness.report.site import urls
from voxgate.harness.report.site.causes import TrendCause, causes, worse_since
from voxgate.harness.report.site.cell_page import write_cells
from voxgate.harness.report.site.folder import Folder
from voxgate.harness.report.site.history_view import (
    Book,
    LoadedHistory,
    RunAxis,
    make_book,
    read_trends,
)
from voxgate.harness.report.site.overview_page import Listen, write_overview
from voxgate.harness.report.site.run_data import write_scripted
from voxgate.harness.report.site.run_view import record
from voxgate.harness.report.site.suite_page import write_suites


def build_site_of(url: str, out: Path, baselines: Path) -> Path:
    """Write the site of the history at a URL, as of today. Raises HarnessError as `build_site`."""
    with open_existing(url) as history:
        return build_site(history, out, baselines, now_utc_iso()[:10])


def build_site(history: History, out: Path, baselines: Path, today: str) -> Path:
    """
    Write the site of a history into `out`, whole or not at all; gives its first page. `today` is a
    day, ISO, UTC.

    Raises HarnessError where `out` holds something else or cannot be written, and for a history or
    policy that cannot be read.
    """
    with _uncollected():
        return _build(history, out, baselines, today)


def _build(history: History, out: Path, baselines: Path, today: str) -> Path:
    loaded = LoadedHistory(history, today)
    book = make_book(loaded)
    policies = policies_of(baselines, {place.suite for place in book.places})
    with Folder(out, today) as folder:
        with beside(lambda: write_scripted(folder, book)):
            read = read_trends(book, loaded, today, baselines)
            found = causes(read)
            listen = _listen(history, folder, read, found, baselines)
            write_overview(folder, read, found, listen, Path.cwd())
            write_suites(folder, read, found, policies, listen)
            write_cells(folder, read)
            for place in read.places:
                _write_run(folder, read, place, policies[place.suite], listen)
        return folder.done()


@contextmanager
def _uncollected() -> Iterator[None]:
    """
    Keep the garbage collector from going through a million fresh rows again and again: 4 s of
    reading become 2.3 s.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _write_run(folder: Folder, book: Book, place: RunAxis, policy: Policy, listen: Listen) -> None:
    """Write the page of the latest run of a place."""
    run = place.runs[-1]
    shown = run_page(record(book, place, policy, listen.get(run.id, ())))
    folder.page(urls.run_page(run.id), "run.html", page=shown)


def _listen(
    history: History, folder: Folder, book: Book, found: Sequence[TrendCause], baselines: Path
) -> Listen:
    """
    Write the listening pages of the latest runs; return their addresses, or why there are none.
    """
    addresses: dict[int, list[tuple[str, str]]] = {}
    for place in book.places:
        run = place.runs[-1]
        page = listening_page(history, run, folder.draft, baselines, worse_since(found, place))
        addresses[run.id] = (
            [("Listen", page)] if isinstance(page, str) else [(f"no audio: {page.reason}", "")]
        )
        if (folder.draft / f"abx-{run.id}.html").exists():
            addresses[run.id].append(("Blind test", f"abx-{run.id}.html"))
    return addresses


@contextmanager
def beside(work: Callable[[], None]) -> Iterator[None]:
    """
    Do `work` while the block runs; both are done at its end. Raises HarnessError where the work
    failed.
    """
    if sys.platform != "linux" or len(os.sched_getaffinity(0)) < 2:
        work()
        yield
        return
    context = multiprocessing.get_context("fork")
    reader, writer = context.Pipe(duplex=False)
    process = context.Process(target=_do, args=(work, writer))
    process.start()
    writer.close()
    try:
        yield
    except BaseException:
        process.terminate()
        raise
    finally:
        process.join()
    fault = _heard(reader)
    if fault or process.exitcode != 0:
        raise HarnessError(
            fault
            or f"a part could not be written: its process ended with {process.exitcode}; try it "
            "again"
        )


def _do(work: Callable[[], None], tell: Connection) -> None:
    try:
        work()
    except HarnessError as error:
        tell.send(str(error))


def _heard(reader: Connection) -> str:
    try:
        return str(reader.recv())
    except EOFError:
        return ""
    finally:
        reader.close()
