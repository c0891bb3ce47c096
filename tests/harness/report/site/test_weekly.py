"""The review of the last weeks, of histories in which it is known what happened."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.harness.history.entries import HOSTILE, cell, entry, value
from voxgate.harness.history.database import open_history
from voxgate.harness.history.records import Acknowledgement, HistoryEntry, digest_of
from voxgate.harness.report.site.weekly import (
    NO_RUNS,
    WeeklyReview,
    weekly_review,
)
from voxgate.harness.report.site.weekly_text import review_document, review_markdown

TODAY = "2026-10-29"
Level = Callable[[int], float]


def nights(level: Level, last: int = 28, **changes: object) -> list[HistoryEntry]:
    """One cell, a night a run; a little noise that every fortnight has alike."""
    return [
        entry(
            number,
            cell("nfe-8", value(found=level(number) * (1 + 0.002 * (number % 3)))),
            head=digest_of(number)[:7],
            **changes,
        )
        for number in range(1, last + 1)
    ]


def reviewed(
    tmp_path: Path,
    entries: Sequence[HistoryEntry],
    *notes: Acknowledgement,
    today: str = TODAY,
    weeks: int = 1,
) -> WeeklyReview:
    with open_history(f"sqlite:///{tmp_path}/history.sqlite") as history:
        for each in entries:
            history.append(each)
        for note in notes:
            history.acknowledge(note)
        return weekly_review(history, today, weeks, tmp_path / "baselines", tmp_path)


def note(since: str, created: str, **changes: str) -> Acknowledgement:
    names = dict.fromkeys(("suite", "cell", "metric", "machine"), "*")
    told = {"why": "another board", "by": "dora", **changes}
    return Acknowledgement(id=0, **names, since=f"{since}T00:00:00+00:00", created=created, **told)


def states(review: WeeklyReview) -> list[tuple[str, bool]]:
    return [(cause.view.word, cause.is_new) for cause in review.causes]


@pytest.fixture(name="step", scope="module")
def _step(tmp_path_factory: pytest.TempPathFactory) -> WeeklyReview:
    """A step in this week."""
    folder = tmp_path_factory.mktemp("step")
    return reviewed(folder, nights(lambda night: 0.4 if night < 23 else 0.5))


def test_a_step_of_this_week_is_new_and_open(step: WeeklyReview) -> None:
    review, text = step, review_markdown(step)

    assert states(review) == [("worse", True)] and review.ended == ()
    assert (review.first, review.last) == ("2026-10-22", "2026-10-29")
    assert "**1 thing got worse.** 1 changed, 0 acknowledged, 1 open, 7 runs." in text
    changed, still_open = text.split("## What was acknowledged")
    assert "slower (limit 5 %): latency\\_p50 401 → 501 ms" in changed
    assert "- **worse** (new)" in still_open and "if it is meant: `voxgate history" in still_open
    assert "| smoke | box-2c (cpu-gate) | 7 | 7 PASS |" in text


def test_a_step_that_was_seen_before_is_open_and_no_change(tmp_path: Path) -> None:
    review = reviewed(tmp_path, nights(lambda night: 0.4 if night < 15 else 0.5))

    assert states(review) == [("worse", False)] and not review.new
    assert "## What changed\n\nNothing changed." in review_markdown(review)
    assert "(since 2026-10-15, 14 nights)" in review_markdown(review)


def test_a_step_that_is_dated_before_the_week_and_seen_within_it_is_new(tmp_path: Path) -> None:
    """Two nights are no alarm yet: the review before could not tell it."""
    entries = nights(lambda night: 0.4 if night < 20 else 0.5)
    before = reviewed(tmp_path, entries[:21], today="2026-10-22")
    review = reviewed(tmp_path, entries)

    assert states(before) == [] and states(review) == [("worse", True)]
    assert review.causes[0].view.since < review.first


@pytest.mark.parametrize(
    ("level", "notes", "how"),
    [
        (lambda night: 0.4 if not 10 <= night < 24 else 0.5, (), "now "),
        (
            lambda night: 0.4 if night < 10 else 0.5,
            (note("2026-10-10", "2026-10-25T09:00:00+00:00"),),
            "acknowledged",
        ),
    ],
    ids=["back again", "acknowledged"],
)
def test_what_stood_and_stands_no_more_is_told_with_its_end(
    tmp_path: Path, level: Level, notes: tuple[Acknowledgement, ...], how: str
) -> None:
    review = reviewed(tmp_path, nights(level), *notes)

    assert [each.word for each in review.ended] == ["worse"]
    assert review.ended[0].how.startswith(how)
    assert "- **no longer worse** 2" in review_markdown(review)


def test_notes_and_baselines_of_the_week_are_acknowledged_and_older_ones_are_not(
    tmp_path: Path,
) -> None:
    entries = nights(lambda _: 0.4)
    entries[24:] = [replace(each, baseline="c0ffee1, 2026-10-24 second") for each in entries[24:]]
    entries[5:24] = [replace(each, baseline="b07e11b, other") for each in entries[5:24]]
    old = note("2026-10-05", "2026-10-06T09:00:00+00:00", why="an old one")
    new = note("2026-10-23", "2026-10-23T09:00:00+00:00", why="a fan")
    review = reviewed(tmp_path, entries, old, new)
    text = review_markdown(review)

    assert [(each.note.why, each.series) for each in review.notes] == [("a fan", 1)]
    assert "- everything from 2026-10-23 on: a fan (dora, 2026-10-23; 1 series)" in text
    assert [each.night for each in review.baselines] == ["2026-10-25"]
    assert "an old one" not in text and "b07e11b, other → c0ffee1, 2026-10-24 second" in text
    assert len(reviewed(tmp_path, (), weeks=4).baselines) == 2


def test_silence_is_open_with_the_command_that_measures(tmp_path: Path) -> None:
    text = review_markdown(reviewed(tmp_path, nights(lambda _: 0.4, last=20)))

    assert "- **no data** smoke on box-2c (cpu-gate): no value for" in text
    assert "  - measure: `voxgate check smoke --profile cpu-gate`" in text
    assert "| smoke | box-2c (cpu-gate) | 0 | none |" in text


def test_json_holds_the_same(step: WeeklyReview) -> None:
    found = json.loads(json.dumps(review_document(step)))

    assert list(found) == [
        *("first", "last", "title", "changed", "ended", "acknowledged"),
        *("baselines", "open", "silent", "runs"),
    ]
    (cause,) = found["open"]
    assert found["changed"] == [cause] and cause["new"] and cause["counts"]
    assert (cause["state"], cause["metric"]) == ("worse", "latency_p50")
    assert found["runs"][0]["verdicts"] == {"PASS": 7}


def test_an_empty_history_has_an_empty_review(tmp_path: Path) -> None:
    review = reviewed(tmp_path, ())

    assert review.title == NO_RUNS and "No suite has runs." in review_markdown(review)


def test_a_strangers_texts_are_no_markup(tmp_path: Path) -> None:
    hostile = f"`` ` x [a](http://b) @all #1 | \n## Title\n{HOSTILE}"
    entries = nights(lambda night: 0.4 if night < 23 else 0.5, suite=hostile, machine=hostile)
    entries[24:] = [replace(each, baseline=hostile) for each in entries[24:]]
    review = reviewed(
        tmp_path, entries, note("2026-10-23", "2026-10-23T09:00:00+00:00", why=hostile, by=hostile)
    )
    text = review_markdown(review)

    heads = [line for line in text.splitlines() if line.startswith("#")]
    assert heads == [
        "# Review of 2026-10-22 to 2026-10-29 (UTC)",
        *("## What changed", "## What was acknowledged", "## What is open", "## Runs"),
    ]
    assert "<script>" not in text.replace("`", "") or all(
        line.count("<script>") == 0 or "```" in line for line in text.splitlines()
    )
    assert "@all" not in "".join(line for line in text.splitlines() if "```" not in line)
