"""The first words of the site: causes over cells, suites, machines; commits and commands."""

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from tests.harness.report.parsing import Page
from tests.harness.report.site.making import (
    EPYC,
    JETSON,
    NIGHTS,
    STEP_NIGHT,
    make_site,
    night,
)
from voxgate.harness.history.alarm import Alarm
from voxgate.harness.history.budget import Margin
from voxgate.harness.history.records import (
    EntryCell,
    HistoryEntry,
    RunRow,
    Series,
    plain_fields,
)
from voxgate.harness.history.trend import SeriesTrend, StateReason, TrendState
from voxgate.harness.records.measurement import Missing
from voxgate.harness.report.site.causes import TrendCause, causes, worse_since
from voxgate.harness.report.site.commits import bisect_command, reader, web_address
from voxgate.harness.report.site.headline import _first_steps
from voxgate.harness.report.site.history_view import Book, MetricSeries, RunAxis

EMPTY = np.zeros(0, dtype=np.int64)


def moved(
    cell: str,
    metric: str = "latency_p50",
    *,
    machine: str = EPYC,
    suite: str = "smoke",
    since: str = "2026-11-18",
    shift: float = 0.08,
    blocking: bool = True,
    state: TrendState = TrendState.WORSE,
) -> SeriesTrend:
    """A series that moved, or (steady) did not."""
    alarm = Alarm(
        side="worse",
        since=since,
        raised=since,
        level=1.0,
        threshold=0.03,
        shift=shift,
        absolute=False,
        beyond=4,
    )
    return SeriesTrend(
        series=Series(
            id=abs(hash((cell, metric, machine, suite))),
            suite=suite,
            profile="cpu",
            machine=machine,
            cell=cell,
            label=cell,
            metric=metric,
            unit="s",
            better="lower",
            version="1",
        ),
        segments=(),
        changes=(),
        cuts=(),
        alarm=None if state is TrendState.STEADY else alarm,
        budget=None,
        over_budget=False,
        no_data=(),
        nightly=True,
        latest=1.0,
        latest_at=None,
        says=(StateReason(state=state, since=since, text=""),),
        blocking=blocking,
        limit=Margin(relative=0.05),
    )


def found(*trends: SeriesTrend) -> tuple[TrendCause, ...]:
    """The causes of some series."""
    return causes(book(trends))


def book(trends: Sequence[SeriesTrend]) -> Book:
    axes: dict[tuple[str, str], dict[str, list[MetricSeries]]] = {}
    for trend in trends:
        series = trend.series
        line = MetricSeries(
            series=series,
            at=EMPTY,
            value=np.zeros(0),
            low=np.zeros(0),
            high=np.zeros(0),
            shift=np.zeros(0),
            verdicts=EMPTY,
            missing={},
            reasons={},
        )
        cells = axes.setdefault((series.suite, series.machine), {})
        cells.setdefault(series.cell, []).append(line)
    places = tuple(
        RunAxis(
            suite=suite,
            profile="cpu",
            machine=machine,
            runs=(),
            times=EMPTY,
            lines={cell: tuple(lines) for cell, lines in cells.items()},
        )
        for (suite, machine), cells in axes.items()
    )
    by_id = {trend.series.id: trend for trend in trends}
    return SimpleNamespace(  # type: ignore[return-value]
        places=places, trend=lambda line: by_id[line.series.id]
    )


def test_one_change_of_a_cell_is_one_cause_told_by_its_median() -> None:
    metrics = ("rtf", "latency_p95", "latency_p50", "first_audio_p50")
    (cause,) = found(*(moved("a", metric, shift=0.2) for metric in metrics))
    assert cause.worst.line.series.metric == "latency_p50"
    assert sorted(cause.also) == ["first_audio_p50", "latency_p95", "rtf"]


def test_the_same_options_on_machines_and_in_suites_within_three_nights_are_one_cause() -> None:
    (cause,) = found(
        moved("a", since="2026-11-16"),
        moved("a", machine=JETSON, since="2026-11-19", shift=0.11),
        moved("a", suite="options", since="2026-11-18"),
    )
    assert len(cause.moved) == 3 and cause.since == "2026-11-16"
    assert cause.worst.place.machine == JETSON, "the largest first"


@pytest.mark.parametrize(
    "other",
    [
        moved("b"),
        moved("a", machine=JETSON, since="2026-11-22"),
        moved("a", "pesq"),
        moved("a", "peak_rss"),
        moved("a", machine=JETSON, state=TrendState.BETTER),
    ],
    ids=["other options", "four nights later", "quality", "memory", "better"],
)
def test_other_options_dates_families_and_directions_are_other_causes(other: SeriesTrend) -> None:
    assert len(found(moved("a"), other)) == 2


def test_what_moves_most_cells_of_a_machine_is_one_cause_whatever_their_options() -> None:
    steady = moved("d", state=TrendState.STEADY)
    assert len(found(*map(moved, "abc"), steady)) == 1
    assert len(found(*map(moved, "ab"), steady)) == 2, "two cells are no majority to speak of"
    others = [moved(cell, state=TrendState.STEADY) for cell in "defghij"]
    assert len(found(*map(moved, "abc"), *others)) == 3, "three cells of ten"


def test_blocking_comes_first_then_the_size_over_the_limit_then_the_newest() -> None:
    order = found(
        moved("fluke", shift=0.9, blocking=False, since="2026-11-20"),
        moved("old", shift=0.08, since="2026-10-01"),
        moved("new", shift=0.08, since="2026-11-18"),
        moved("large", shift=0.2, since="2026-10-10"),
        moved("good", shift=-0.5, state=TrendState.BETTER, since="2026-11-10"),
    )
    assert [cause.worst.line.series.cell for cause in order] == [
        *("large", "new", "old", "fluke", "good")
    ]
    assert order[0].worst.over == pytest.approx(4.0)
    assert [cause.counts for cause in order] == [True, True, True, False, False]


# the commits --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """Four commits by two authors."""
    folder = tmp_path_factory.mktemp("repository")

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", *words], cwd=folder, check=True, capture_output=True, text=True
        ).stdout

    git("init", "-q")
    git("remote", "add", "origin", "git@github.com:someone/voice.git")
    commits = []
    for number, author in enumerate(("Ann", "Ann", "Bob <b>", "Ann")):
        name = ["-c", f"user.name={author}", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
        git(*name, "commit", "-q", "--allow-empty", "-m", f"Change {number} <i>of the vocoder</i>")
        commits.append(git("rev-parse", "HEAD").strip())
    return folder, commits


def test_commits_between_two_nights_are_named_with_author_and_compared_on_the_web(
    repository: tuple[Path, list[str]],
) -> None:
    folder, commits = repository
    first, last = commits[0][:7], commits[-1][:7]
    between = reader(folder)(first, last)
    assert between.count == 3 and between.note == ""
    assert [each.subject[:8] for each in between.commits] == ["Change 3", "Change 2", "Change 1"]
    assert between.commits[1].author == "Bob b"
    assert between.compare == f"https://github.com/someone/voice/compare/{first}...{last}"
    command = bisect_command("smoke", "cpu", "nfe_steps-8", "latency_p50", between)
    assert command == (
        f"voxgate bisect {first} {last} smoke --profile cpu --cell nfe_steps-8 --metric latency_p50"
    )


def test_a_strangers_subject_becomes_one_printable_line(
    repository: tuple[Path, list[str]], tmp_path: Path
) -> None:
    shutil.copytree(repository[0], tmp_path / "copy")
    words = ["git", "-c", "user.name=a\u2028b", "-c", "user.email=a@b.c", "commit", "-q"]
    subject = f"one\u2028two\x1b[31m \u202e{'x' * 300}\rmore"
    command = [*words, "--allow-empty", "--cleanup=verbatim", "-m", subject]
    subprocess.run(command, cwd=tmp_path / "copy", check=True)
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"],
        cwd=tmp_path / "copy",
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    (newest, *_) = reader(tmp_path / "copy")(repository[1][-1], head).commits
    assert newest.author == "a b" and newest.subject.startswith("one two [31m xxx")
    assert newest.subject.isprintable() and len(newest.subject) < 170


def test_commits_that_are_not_at_hand_are_told_and_never_guessed(
    repository: tuple[Path, list[str]], tmp_path: Path
) -> None:
    folder, commits = repository
    read = reader(folder)
    assert read("1234567", "89abcde").note == "this repository does not have these commits"
    assert read("1234567", "89abcde").compare == ""
    assert "outside of the repository" in reader(tmp_path)("1234567", "89abcde").note
    assert "was kept for ''" in read("", "1234567").note
    backwards = read(commits[-1][:7], commits[0][:7])
    assert "lies before" in backwards.note and backwards.count == 0
    assert bisect_command("smoke", "cpu", "a", "rtf", backwards) == ""


def test_changes_that_nobody_committed_are_told(repository: tuple[Path, list[str]]) -> None:
    folder, commits = repository
    head = commits[0][:7]
    same = reader(folder)(head, head)
    dirty = reader(folder)(head, f"{head} + 2 files")
    assert same.note == "the same commit on both" and "uncommitted" in dirty.note
    assert bisect_command("smoke", "cpu", "a", "rtf", dirty) == ""
    later = reader(folder)(f"{head} + 1 file", commits[1][:7])
    assert later.count == 1 and later.note == "measured with uncommitted changes"


@pytest.mark.parametrize("head", ["--output=x", "HEAD", "$(id)", "a b", "1234567; rm -rf /"])
def test_a_head_that_is_no_commit_reaches_neither_git_nor_a_command(
    repository: tuple[Path, list[str]], head: str
) -> None:
    between = reader(repository[0])(head, "1234567")
    assert between.commits == () and between.compare == "" and "no commit was kept" in between.note
    assert bisect_command("smoke", "cpu", "a", "rtf", between) == ""


@pytest.mark.parametrize(
    ("remote", "page"),
    [
        ("git@github.com:o/n.git", "https://github.com/o/n"),
        ("https://user:secret@gitlab.com/a/b/c.git", "https://gitlab.com/a/b/c"),
        ("ssh://git@host.org:2222/o/n", "https://host.org/o/n"),
        ("https://host.org:8443/o/n/", "https://host.org:8443/o/n"),
        ("/srv/git/n.git", ""),
        ("file:///srv/n.git", ""),
        ("javascript://host/%0aalert(1)", ""),
        ('https://host/"><script>', ""),
        ("https://host:port/o/n", ""),
        ("", ""),
    ],
)
def test_web_page_of_a_remote_has_no_secret_and_is_of_the_web(remote: str, page: str) -> None:
    assert web_address(remote) == page


# the page -----------------------------------------------------------------------------------------


def faulty() -> list[HistoryEntry]:
    """The nights of the EPYC, with another toolchain from the step's night on."""
    rng = np.random.default_rng(7)
    entries = [night(number, EPYC, rng) for number in range(NIGHTS)]
    for number, entry in enumerate(entries):
        tools = dict(cast("dict[str, object]", entry.environment["toolchain"]))
        tools["torch"] = "2.13" if number < STEP_NIGHT else "2.14 <x>"
        entries[number] = replace(entry, environment={**entry.environment, "toolchain": tools})
    return entries


def test_a_cause_names_the_environment_that_changed_and_the_commands(tmp_path: Path) -> None:
    text = Page(make_site(tmp_path, faulty(), budgets="").text()).text()
    assert "Environment: toolchain · torch 2.13 → 2.14 <x>" in text
    assert "--cell nfe_steps-8 --metric latency_p50" in text and "voxgate bisect" in text
    assert "voxgate history acknowledge smoke --cell nfe_steps-8" in text
    assert "toolchain · commit" not in text, "the commits are told by their own line"


def test_first_days_tell_what_to_do_next(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    made = make_site(tmp_path, [night(number, EPYC, rng) for number in range(3)], budgets="")
    text = Page(made.text()).text()
    assert (
        "Too early to see a trend: 3 of the 11 nights that it takes, 3 cells on 1 machine." in text
    )
    assert "8 more make a trend: voxgate check smoke --profile cpu-gate" in text
    assert "voxgate accept" not in text
    assert 'class="open"' in made.text().partition("<main")[0]


@pytest.mark.parametrize(
    ("source", "verdict", "told"),
    [
        ("voxgate", "NO_BASELINE", 'voxgate accept runs/0001 --why "first"'),
        ("pytest-benchmark", None, "Import every night; 10 more make a trend"),
    ],
)
def test_first_steps_fit_the_run(source: str, verdict: str | None, told: str) -> None:
    run = replace(run_row(night(0, EPYC, np.random.default_rng(1))), source=source, verdict=verdict)
    axis = SimpleNamespace(runs=(run,))
    steps = _first_steps(SimpleNamespace(places=(axis,), latest={1}), 1)  # type: ignore[arg-type]
    assert told in " ".join(f"{step.text} {step.command}" for step in steps)


def run_row(entry: HistoryEntry) -> RunRow:
    return RunRow(id=1, **plain_fields(entry, "cells"))


def test_lost_metrics_are_told_from_a_silent_machine(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    entries = [night(number, JETSON, rng) for number in range(NIGHTS - 12, NIGHTS)]
    unheard = [replace(entries[-1], cells=tuple(map(without_wer, entries[-1].cells)))]
    text = Page(make_site(tmp_path / "a", entries[:-1] + unheard, budgets="").text()).text()
    assert "Nothing got worse: 3 cells on 1 machine; 1 metric without data." in text
    assert "(cpu-gate): wer in 3 of 3 cells: no value for 1 night" in text
    text = Page(make_site(tmp_path / "b", entries[:-2], budgets="").text()).text()
    assert "No data from 1 machine: nothing is known of the last nights." in text
    assert "no run. Next, there: voxgate check smoke --profile cpu-gate" in text


def without_wer(cell: EntryCell) -> EntryCell:
    lost = {"value": Missing("no ASR weights"), "verdict": None}
    values = (replace(each, **lost) if each.metric == "wer" else each for each in cell.values)
    return replace(cell, values=tuple(values))


def test_what_is_heard_is_compared_with_the_night_before_the_sound_got_worse() -> None:
    """The pace says nothing of the audio, unless nothing else moved; other machines say nothing."""
    made = book(
        [
            moved("a", since="2026-11-02"),
            moved("a", "pesq", since="2026-11-10"),
            moved("b", "pesq", since="2026-11-14"),
            moved("a", machine=JETSON, since="2026-11-25"),
            moved("a", suite="steady", state=TrendState.STEADY),
        ]
    )
    since = {
        (place.suite, place.machine): worse_since(causes(made), place) for place in made.places
    }
    assert since == {
        ("smoke", EPYC): "2026-11-10",
        ("smoke", JETSON): "2026-11-25",
        ("steady", EPYC): "",
    }
