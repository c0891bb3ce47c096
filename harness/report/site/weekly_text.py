"""
The review of the last weeks as Markdown, for an issue, a chat or a mail, and as JSON.

Everything from outside is escaped or stands in a span of code that it cannot end.
"""

import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from voxgate.harness.history.database import History
from voxgate.harness.history.records import plain_fields
from voxgate.harness.report.format import escaped, plain
from voxgate.harness.report.site.commits import CommitRange
from voxgate.harness.report.site.headline import FirstStep, TrendCauseView
from voxgate.harness.report.site.weekly import (
    EndedCause,
    MovedBaseline,
    ReviewedCause,
    ReviewedNote,
    ReviewedRuns,
    WeeklyReview,
    weekly_review,
)

NAMED_CELLS = 4
NAMED_COMMITS = 5


def weekly_texts(
    history: History, today: str, weeks: int, baselines: Path, project: Path
) -> tuple[dict[str, object], str]:
    """Return the review as JSON values and as Markdown. Raises HarnessError as the review does."""
    review = weekly_review(history, today, weeks, baselines, project)
    return review_document(review), review_markdown(review)


def review_markdown(review: WeeklyReview) -> str:
    """Return the review, ending in a newline."""
    changed = [_changed(cause.view) for cause in review.new]
    told = [*changed, *map(_ended, review.ended)]
    noted = [*map(_note, review.notes), *map(_baseline, review.baselines)]
    still_open = [*map(_open, review.causes), *map(_silence, review.silent)]
    return "\n".join(
        [
            f"# Review of {review.first} to {review.last} (UTC)",
            "",
            f"**{_text(review.title)}** {_counts(review, len(noted))}",
            *_section("What changed", told, "Nothing changed."),
            *_section("What was acknowledged", noted, "Nothing was acknowledged or accepted."),
            *_section("What is open", still_open, "Nothing is open."),
            *_section("Runs", _table(review.runs), "No suite has runs."),
            "",
        ]
    )


def _counts(review: WeeklyReview, noted: int) -> str:
    counted = (
        f"{len(review.new) + len(review.ended)} changed",
        f"{noted} acknowledged",
        f"{len(review.causes) + len(review.silent)} open",
        f"{sum(each.count for each in review.runs)} runs",
    )
    return f"{', '.join(counted)}."


def _section(title: str, lines: Sequence[str], otherwise: str) -> list[str]:
    return ["", f"## {title}", "", *(lines or [otherwise])]


def _changed(view: TrendCauseView) -> str:
    more = [
        _where(view),
        f"since {view.since}",
        f"with it: {view.also}" if view.also else "",
    ]
    commits = "" if view.commits is None else _commits(view.commits)
    facts = [f"{name} {old} → {new}" for name, old, new in view.environment]
    environment = f"environment: {_text('; '.join(facts))}" if facts else ""
    told = "; ".join(filter(None, [*map(_text, more), environment]))
    return f"- **{_text(view.word)}** {_told(view)}; {told}{commits}"


def _told(view: TrendCauseView) -> str:
    return _text(f"{view.told}: {view.values}" if view.values else view.told)


def _where(view: TrendCauseView) -> str:
    shown = [f"{cell.text} on {cell.machine}" for cell in view.cells[:NAMED_CELLS]]
    left = len(view.cells) - len(shown)
    return ", ".join(shown) + (f" and {left} more" if left else "")


def _commits(commits: CommitRange) -> str:
    """Return the commits of a cause as lines below it."""
    names = [_code(each) for each in (commits.good, commits.bad) if each]
    counted = "" if commits.count is None else f"{commits.count} commits "
    note = f" ({_text(commits.note)})" if commits.note else ""
    link = f", [compared]({commits.compare})" if commits.compare else ""
    lines = [f"\n  - {counted}{' to '.join(names) or 'commits'}{note}{link}"]
    for each in commits.commits[:NAMED_COMMITS]:
        lines.append(f"\n    - {_code(each.commit)} {_text(f'{each.subject} ({each.author})')}")
    left = len(commits.commits) - NAMED_COMMITS
    return "".join([*lines, *([f"\n    - and {left} more"] if left > 0 else [])])


def _ended(cause: EndedCause) -> str:
    line = cause.line
    told = f"{line.told}, {line.where}, since {line.since}; {cause.how}"
    return f"- **no longer {_text(cause.word)}** {_text(told)}"


def _note(each: ReviewedNote) -> str:
    note = each.note
    names = (note.suite, note.cell, note.metric, note.machine)
    kinds = ("suite", "cell", "metric", "machine")
    which = " ".join(
        f"{kind} {_code(name)}" for kind, name in zip(kinds, names, strict=True) if name != "*"
    )
    told = f"{note.why} ({note.by}, {note.created[:10]}; {each.series} series)"
    return f"- {which or 'everything'} from {note.since[:10]} on: {_text(told)}"


def _baseline(moved: MovedBaseline) -> str:
    where = f"baseline of {moved.suite} on {moved.machine}, first used {moved.night}"
    return f"- {_text(f'{where}: {moved.before} → {moved.after}')}"


def _open(cause: ReviewedCause) -> str:
    view = cause.view
    age = "new" if cause.is_new else f"since {view.since}, {view.nights}"
    lines = [f"- **{_text(view.word)}** ({age}) {_text(f'{view.told}; {_where(view)}')}"]
    if view.bisect:
        lines.append(f"  - find the commit: {_code(view.bisect)}")
    if view.acknowledge:
        lines.append(f"  - if it is meant: {_code(view.acknowledge)}")
    return "\n".join(lines)


def _silence(step: FirstStep) -> str:
    return f"- **no data** {_text(step.text)}\n  - measure: {_code(step.command)}"


def _table(runs: Sequence[ReviewedRuns]) -> list[str]:
    if not runs:
        return []
    rows = [_row(each) for each in runs]
    return ["| suite | machine (profile) | runs | verdicts |", "| --- | --- | ---: | --- |", *rows]


def _row(each: ReviewedRuns) -> str:
    verdicts = ", ".join(f"{count} {word}" for word, count in each.verdicts.items()) or "none"
    texts = (each.suite, f"{each.machine} ({each.profile})", str(each.count), verdicts)
    return f"| {' | '.join(map(_text, texts))} |"


def _code(text: str) -> str:
    """Return a text as a span of code, in more backticks than stand in it."""
    line = plain(text)
    longest = max((len(run) for run in re.findall("`+", line)), default=0)
    fence = "`" * (longest + 1)
    space = " " if longest else ""
    return f"{fence}{space}{line}{space}{fence}"


def _text(text: str) -> str:
    """Return a text as one line that is no markup."""
    return escaped(plain(text))


def review_document(review: WeeklyReview) -> dict[str, object]:
    """Return the review as JSON values."""
    causes = [_cause_document(cause) for cause in review.causes]
    return {
        "first": review.first,
        "last": review.last,
        "title": review.title,
        "changed": [cause for cause in causes if cause["new"]],
        "ended": [
            {**asdict(each.line), "state": each.word, "how": each.how} for each in review.ended
        ],
        "acknowledged": [
            {**plain_fields(each.note, "id"), "series": each.series} for each in review.notes
        ],
        "baselines": [asdict(each) for each in review.baselines],
        "open": causes,
        "silent": [{"text": each.text, "command": each.command} for each in review.silent],
        "runs": [asdict(each) for each in review.runs],
    }


def _cause_document(cause: ReviewedCause) -> dict[str, object]:
    view = cause.view
    return {
        "state": view.word,
        "counts": cause.counts,
        "new": cause.is_new,
        "change": view.told,
        "values": view.values,
        "metric": view.metric,
        "also": view.also,
        "since": view.since,
        "cells": [
            {"cell": each.text, "machine": each.machine, "change": each.change}
            for each in view.cells
        ],
        "commits": None if view.commits is None else _commits_document(view.commits),
        "bisect": view.bisect,
        "acknowledge": view.acknowledge,
    }


def _commits_document(commits: CommitRange) -> dict[str, object]:
    names = ("good", "bad", "count", "compare", "note")
    named = {name: getattr(commits, name) for name in names}
    return {**named, "commits": [asdict(each) for each in commits.commits]}
