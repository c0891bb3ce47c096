"""
The review of the last weeks: what changed, what was acknowledged, what is open.

The history is read as it is, and as it was when the weeks began; what moved in the one and not in
the other changed. So a step of the last night before, which takes some nights to be believed, is
told in the week in which it is seen, and none falls between two reviews. Groups by causes, as the
site does, and decides nothing anew.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

from voxgate.harness.history.database import History
from voxgate.harness.history.records import Acknowledgement
from voxgate.harness.history.segments import concerns
from voxgate.harness.report.site.causes import TrendCause, causes
from voxgate.harness.report.site.commits import reader
from voxgate.harness.report.site.headline import (
    FirstStep,
    TrendCauseLine,
    TrendCauseView,
    cause_line,
    cause_view,
    headline,
)
from voxgate.harness.report.site.history_view import Book, LoadedHistory, make_book, read_trends

NOT_JUDGED = "not judged"
NO_RUNS = "No run is in this history yet."


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewedCause:
    """A cause that stands; `is_new` if it did not when the weeks began."""

    view: TrendCauseView
    counts: bool
    is_new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedCause:
    """A cause that stood when the weeks began, and how it ended."""

    line: TrendCauseLine
    word: str
    how: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewedNote:
    """An acknowledgement of these weeks, and how many series it concerns."""

    note: Acknowledgement
    series: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MovedBaseline:
    """Another baseline than the night before."""

    suite: str
    machine: str
    night: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewedRuns:
    """The runs of one suite on one machine, by verdict."""

    suite: str
    profile: str
    machine: str
    verdicts: Mapping[str, int]

    @property
    def count(self) -> int:
        """How many there are."""
        return sum(self.verdicts.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class WeeklyReview:
    """The review; `first` and `last` are UTC days, both included."""

    first: str
    last: str
    title: str
    causes: tuple[ReviewedCause, ...]
    """All that stand, the gravest first."""
    ended: tuple[EndedCause, ...]
    notes: tuple[ReviewedNote, ...]
    baselines: tuple[MovedBaseline, ...]
    silent: tuple[FirstStep, ...]
    runs: tuple[ReviewedRuns, ...]

    @property
    def new(self) -> tuple[ReviewedCause, ...]:
        """The causes of these weeks."""
        return tuple(cause for cause in self.causes if cause.is_new)


def weekly_review(
    history: History, today: str, weeks: int, baselines: Path, project: Path
) -> WeeklyReview:
    """
    Return the review of the weeks up to `today`, an ISO day; commits are read from the repository
    in `project`. Raises HarnessError for a history, policy or budget that cannot be read.
    """
    first = (date.fromisoformat(today) - timedelta(weeks=weeks)).isoformat()
    loaded = LoadedHistory(history, today)
    earlier = loaded.before(first)
    now = read_trends(make_book(loaded), loaded, today, baselines)
    then = read_trends(make_book(earlier), earlier, first, baselines)
    found, stood = causes(now), causes(then)
    read = reader(project)
    known = {each for cause in stood for each in _moves(cause)}
    told = headline(now, found, read) if now.runs else None
    notes = [note for note in loaded.acknowledgements() if note.created >= first]
    return WeeklyReview(
        first=first,
        last=today,
        title=NO_RUNS if told is None else told.title,
        causes=tuple(
            ReviewedCause(
                view=cause_view(now, cause, "", read),
                counts=cause.counts,
                is_new=known.isdisjoint(_moves(cause)),
            )
            for cause in found
        ),
        ended=tuple(_ended(now, stood, found, notes)),
        notes=tuple(_reviewed(now, note) for note in notes),
        baselines=tuple(_baselines(now, first)),
        silent=() if told is None else told.silent,
        runs=tuple(_runs(now, first)),
    )


def _reviewed(book: Book, note: Acknowledgement) -> ReviewedNote:
    return ReviewedNote(note=note, series=sum(concerns(note, each) for each in book.series))


def _moves(cause: TrendCause) -> set[tuple[int, str]]:
    """Return the series behind a cause with the way in which they moved."""
    return {(each.line.series.id, cause.state.value) for each in cause.everything}


def _ended(
    now: Book,
    stood: Sequence[TrendCause],
    found: Sequence[TrendCause],
    notes: Sequence[Acknowledgement],
) -> Iterator[EndedCause]:
    """Return the causes of which no series moves any more as it did."""
    standing = {each for cause in found for each in _moves(cause)}
    for cause in stood:
        if standing.isdisjoint(_moves(cause)):
            series = cause.worst.line.series
            known = any(concerns(note, series) for note in notes)
            how = "acknowledged" if known else f"now {now.trends[series.id].state.value}"
            yield EndedCause(line=cause_line(cause), word=cause.state.value, how=how)


def _baselines(book: Book, first: str) -> Iterator[MovedBaseline]:
    for place in book.places:
        judged = [run for run in place.runs if run.baseline]
        for old, new in pairwise(judged):
            if new.created >= first and new.baseline != old.baseline:
                yield MovedBaseline(
                    suite=place.suite,
                    machine=place.machine,
                    night=new.created[:10],
                    before=old.baseline,
                    after=new.baseline,
                )


def _runs(book: Book, first: str) -> Iterator[ReviewedRuns]:
    for place in book.places:
        new = [run for run in place.runs if run.created >= first]
        yield ReviewedRuns(
            suite=place.suite,
            profile=place.profile,
            machine=place.machine,
            verdicts=dict(Counter(run.verdict or NOT_JUDGED for run in new)),
        )
