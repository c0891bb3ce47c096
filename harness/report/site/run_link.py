"""
A run in a list: when, which revision, what came of it, and where its page is.
"""

from collections.abc import Collection
from dataclasses import dataclass

from harness.history.records import RunRow
from harness.report.site import urls
from harness.report.site.history_view import Book
from harness.report.site.marks import Mark, of_verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLink:
    """One line of a list."""

    address: str
    when: str
    head: str
    mark: Mark
    line: str
    complete: bool


def run_address(book: Book, run: int) -> str:
    """Give the page of a run: its own for one of the latest, else the page of any run."""
    return urls.run_page(run) if run in book.latest else urls.any_run(run)


def run_links(book: Book, runs: Collection[RunRow]) -> tuple[RunLink, ...]:
    """Give lines for runs, in their order."""
    return tuple(
        RunLink(
            address=run_address(book, run.id),
            when=when(run.created),
            head=run.head,
            mark=of_verdict(run.verdict),
            line=run.line,
            complete=run.complete,
        )
        for run in runs
    )


def when(created: str) -> str:
    """Give a time to the minute: `2026-11-20 02:00`."""
    return created[:16].replace("T", " ")
