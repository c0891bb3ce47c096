"""
`voxgate history ...`: bring runs into the history, take them out, look at them, and say what is
known about a change.

As in `main.py`, a verb calls, prints and gives the exit code; the last line is the result. `import`
goes on after a file that cannot be read, and ends with 2 then. `status` ends with 1 where a metric
that blocks is worse or a budget is broken, 3 where a series lacks data.
"""

import getpass
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import click

from voxgate.harness.analysis.metric_rules import is_helper
from voxgate.harness.cli.options import Count, as_json, baselines, database
from voxgate.harness.cli.output import say_result
from voxgate.harness.errors import HarnessError
from voxgate.harness.history.database import open_existing, open_history
from voxgate.harness.history.dates import Believed, left_out_line, untrue
from voxgate.harness.history.exporters import FORMATS, export
from voxgate.harness.history.exporters.tables import Choice
from voxgate.harness.history.importers import detect
from voxgate.harness.history.importers.common import ImportFault
from voxgate.harness.history.records import ANY, Acknowledgement, RunRow, utc_iso
from voxgate.harness.history.segments import concerns, renamed
from voxgate.harness.history.trend import (
    SeriesTrend,
    TrendState,
    idle_rules,
    trends,
)
from voxgate.harness.machine.clock import now_utc_iso
from voxgate.harness.report.format import NO_DATA, silence_lines

SHOWN = 20
MOST_WEEKS = 520
SHORT = (TrendState.STEADY, TrendState.TOO_FEW, TrendState.NO_DATA)
"""States whose series have no line each."""

Tally = Counter[Literal["imported", "there already", "failed"]]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def history() -> None:
    """
    Look at all runs over time: which metric is getting worse, where, since when?

    `voxgate check` appends every run to a database; these verbs read it and add to it.

    \b
    Example: voxgate history status
    """


@history.command("import", short_help="Import run folders, other tools' results, votes.")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--machine",
    metavar="NAME",
    help="Machine on which other tools' files were measured, in place of the one that they name.",
)
@database
@as_json
@baselines
def bring_in(
    paths: tuple[Path, ...], machine: str | None, url: str, as_json: bool, baselines: Path
) -> int:
    """
    Import run folders, pytest-benchmark's JSON, asv's results, a performance_history.json, the JSON
    of `voxgate history export`, and votes of a listening test.

    What is there already is left alone. Exit code 2 where a file could not be read; the others are
    imported all the same.

    \b
    Example: voxgate history import runs/0042 old/.benchmarks
    """
    tally: Tally = Counter()
    faults: list[ImportFault] = []
    with open_history(url) as opened:
        for path in paths:
            for each in detect.import_path(opened, path, machine, baselines, now_utc_iso()):
                if isinstance(each, ImportFault):
                    faults.append(each)
                    click.echo(_plain(f"{each.where} FAILED: {each.reason}"), err=True)
                tally["failed" if isinstance(each, ImportFault) else each] += 1
    line = (
        f"{tally['imported']} imported, {tally['there already']} there already, {tally['failed']} "
        "failed"
    )
    counts = dict.fromkeys(("imported", "there already", "failed"), 0) | dict(tally)
    failures = [{"where": each.where, "reason": each.reason} for each in faults]
    say_result(as_json, {**counts, "failures": failures}, line)
    return 2 if faults else 0


@history.command("export", short_help="Export as CSV, Parquet, JSON or for another tool.")
@click.argument("form", metavar=f"[{'|'.join(FORMATS)}]", type=click.Choice(FORMATS))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="File to write, for otava a folder; standard output unless given.",
)
@click.option("--suite", default=ANY, show_default=True, help="Suites whose name matches.")
@click.option("--profile", default=ANY, show_default=True, help="Profiles whose name matches.")
@click.option("--machine", default=ANY, show_default=True, help="Machines whose name matches.")
@database
def take_out(form: str, out: Path | None, url: str, **patterns: str) -> int:
    """
    Export the history: csv, parquet, json (for import), bencher, otava, openmetrics, textfile.

    \b
    Example: voxgate history export csv --suite smoke --out smoke.csv
    """
    choice = Choice(**patterns, today=now_utc_iso()[:10])
    with open_existing(url) as opened:
        written = export(opened, form, choice, out)
    if isinstance(written, Path):
        click.echo(f"wrote {written}", err=True)
    elif form == "parquet" and sys.stdout.isatty():
        raise HarnessError("parquet is no text; name a file with --out")
    else:
        click.echo(written, nl=False)
    return 0


@history.command("list")
@click.option("--suite", help="Only this suite.")
@click.option("--limit", type=Count(1), default=SHOWN, show_default=True, help="The newest N runs.")
@database
@as_json
def show(suite: str | None, limit: int, url: str, as_json: bool) -> int:
    """
    List the newest runs, oldest first.

    \b
    Example: voxgate history list --suite smoke --limit 5
    """
    with open_existing(url) as opened:
        runs = opened.runs(suite, limit)
    if not as_json:
        for run in runs:
            click.echo(_run_line(run))
    say_result(as_json, list(map(_run_facts, runs)), f"{len(runs)} runs")
    return 0


def _run_facts(run: RunRow) -> dict[str, object]:
    names = (name for name in RunRow.__dataclass_fields__ if name != "environment")
    return {name: getattr(run, name) for name in names}


@history.command(short_help="Note that a change is known and accepted.")
@click.argument("suite")
@click.option("--cell", default=ANY, show_default=True, help="Cells whose slug matches.")
@click.option("--metric", default=ANY, show_default=True, help="Metrics whose name matches.")
@click.option("--machine", default=ANY, show_default=True, help="Machines whose name matches.")
@click.option(
    "--since", required=True, metavar="DATE", help="Day or time at which the change began, UTC."
)
@click.option("--why", required=True, help="The reason, kept with the note.")
@click.option("--by", help="Name of whoever accepts it; your user name unless given.")
@database
def acknowledge(url: str, by: str | None, since: str, why: str, **pattern: str) -> int:
    """
    Note that a change in SUITE is known and accepted: from --since on, its trends are compared with
    the new level, and no alarm is raised for the step.

    \b
    Example: voxgate history acknowledge smoke --since 2026-11-20 --why "new board"
    """
    if not why.strip():
        raise HarnessError("--why is empty; say why the change is accepted")
    moment = utc_iso(since)
    if untrue(moment, now_utc_iso()):
        raise HarnessError(f"nothing is measured at {moment}; give --since the day of the change")
    word = Acknowledgement(
        id=0, **pattern, since=moment, why=why, by=by or _user(), created=now_utc_iso()
    )
    with open_existing(url) as opened:
        matched = any(concerns(word, series) for series in opened.series())
        new = opened.acknowledge(word)
    if not matched:
        patterns = (
            f"suite {word.suite}, cell {word.cell}, metric {word.metric}, machine {word.machine}"
        )
        click.echo(f"voxgate: no series of the history matches {patterns} yet", err=True)
    click.echo(
        f"acknowledged from {moment} on: {why}" if new else f"acknowledged already from {moment} on"
    )
    return 0


@history.command(short_help="Check all trends: is anything worse, over budget or silent?")
@database
@as_json
@baselines
def status(url: str, as_json: bool, baselines: Path) -> int:
    """
    Check every metric of every cell over time: is it worse than it was, over its budget, or silent?

    Exit code 1 where a metric that blocks is worse or a budget is broken, 3 where data are lacking.

    \b
    Example: voxgate history status --json
    """
    with open_existing(url) as opened:
        today = now_utc_iso()[:10]
        found = _of_interest(trends(opened, today, baselines))
        idle = idle_rules(baselines, opened.series())
        believed = Believed(opened, today)
        misdated = [left_out_line(run) for run in believed.left_out()]
        silent = [each.series for each in found if each.state is TrendState.NO_DATA]
        moved = renamed(believed.runs(), silent) if silent else ()
    for text in (*idle, *misdated, *moved):
        click.echo(_plain(f"voxgate: {text}"), err=True)
    rows = [_row(trend) for trend in found]
    if not as_json:
        for text in _status_lines(found, rows):
            click.echo(_plain(text))
    counts = Counter(trend.state for trend in found)
    say_result(as_json, rows, _status_line(counts, rows))
    if any(trend.counts for trend in found):
        return 1
    return 3 if counts[TrendState.NO_DATA] else 0


@history.command("report", short_help="Review the last weeks, as Markdown.")
@click.option(
    "--weeks", type=Count(1, MOST_WEEKS), default=1, show_default=True, help="How many, up to now."
)
@database
@as_json
@baselines
def review(url: str, as_json: bool, baselines: Path, weeks: int) -> int:
    """
    Print a review of the last weeks as Markdown: what changed, what was acknowledged, what is open.

    A change is told in the week in which the trends first show it, however far back it is dated.
    Exit code 0 whatever the review finds; `voxgate history status` judges.

    \b
    Example: voxgate history report --weeks 1 > review.md
    """
    from voxgate.harness.report.site.weekly_text import weekly_texts

    with open_existing(url) as opened:
        found, text = weekly_texts(opened, now_utc_iso()[:10], weeks, baselines, Path.cwd())
    say_result(as_json, found, text.rstrip("\n"))
    return 0


def _row(trend: SeriesTrend) -> dict[str, object]:
    """Return a trend as JSON values."""
    names = ("suite", "profile", "machine", "cell", "metric")
    return {
        **{name: getattr(trend.series, name) for name in names},
        "state": trend.state.value,
        "since": trend.since,
        "reason": trend.reason,
        "blocking": trend.blocking,
    }


def _status_lines(
    found: Sequence[SeriesTrend], rows: Sequence[Mapping[str, object]]
) -> Iterator[str]:
    """Return a line for each series that moved, and one for all that a missed night silenced."""
    for trend, row in zip(found, rows, strict=True):
        if trend.state in SHORT:
            continue
        kind = "" if trend.blocking or trend.counts else " (advisory)"
        where = " ".join(str(value) for value in list(row.values())[:5])
        yield f"{trend.state.upper()}{kind} {where}: {trend.reason}"
    lost = [row for row in rows if row["state"] == NO_DATA]
    yield from (f"{NO_DATA.upper()} {text}" for text in silence_lines(lost))


def _status_line(counts: Counter[TrendState], rows: Sequence[Mapping[str, object]]) -> str:
    """Return the counts; after a missed night with the command that measures."""
    line = ", ".join(f"{counts[state]} {state.value}" for state in TrendState if counts[state])
    lost = [row for row in rows if row["state"] == NO_DATA]
    if len(lost) < 2:
        return line or "no series"
    first = lost[0]
    command = f"voxgate check {first['suite']} --profile {first['profile']}"
    return f"{line}; next: {command}   # on {first['machine']}"


def _run_line(run: RunRow) -> str:
    moment = run.created[:16].replace("T", " ")
    unfinished = "" if run.complete else " (incomplete)"
    return _plain(
        f"{run.id:>5}  {moment}  {run.suite}  {run.profile}  {run.machine}  {run.head}  {run.line}"
        f"{unfinished}"
    )


def _plain(line: str) -> str:
    """Keep texts from outside on one line, and from steering a terminal."""
    return "".join(each if each.isprintable() else " " for each in line)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


def _of_interest(found: Iterable[SeriesTrend]) -> list[SeriesTrend]:
    """
    Leave out helpers, and metrics that never had a value in a cell that has others: memory of a GPU
    that is not there.
    """
    shown = [each for each in found if not is_helper(each.series.metric)]
    measured = {_cell_of(each) for each in shown if each.latest is not None}
    return [each for each in shown if each.latest is not None or _cell_of(each) not in measured]


def _cell_of(trend: SeriesTrend) -> tuple[str, ...]:
    series = trend.series
    return series.suite, series.profile, series.machine, series.cell
