"""
The verb load: send many requests at once to a server, and report latency and errors.

As in `main.py`, the verb calls, prints and returns the exit code; the last line is the result.
Ctrl-C ends the load, not the report: the responses until then are summarised.
"""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from voxgate.harness.cli.options import (
    HISTORY,
    Amount,
    Count,
    as_json,
    baselines,
    html_page,
    policy,
    writing,
)
from voxgate.harness.cli.output import INTERRUPTED, LOG_COLUMNS, remember, say_result
from voxgate.harness.errors import RUNS, HarnessError
from voxgate.harness.load.as_run import judge_pair
from voxgate.harness.load.page import keep_report
from voxgate.harness.load.plan import DURATION_S, Extent, LoadPlan, parse_levels
from voxgate.harness.load.records import HEADER
from voxgate.harness.load.report import LoadReport, lines, report_of, report_to_dict
from voxgate.harness.load.run import run_sides
from voxgate.harness.records.run import MOST_ROUNDS
from voxgate.harness.records.verdict import RunVerdict, judgement_to_dict
from voxgate.harness.report.contents import Report
from voxgate.harness.report.junit import Files, document_of, write_files
from voxgate.harness.runner.run_folder import next_run_folder
from voxgate.harness.targets.http.client import FORMS
from voxgate.harness.workflow import accept_run, judge_run

LOADS = RUNS / "load"
ENDING_OPTIONS = ("gate", "why", "loaded", "history", "html", "files", "baselines", "policy")
SERVER_OPTIONS = ("max_batch", "window_ms", "queue")


@click.command()
@click.argument("suite")
@click.option(
    "--closed",
    metavar="N,N,...",
    help="Numbers of clients, one level each: a client asks again when it has its answer.",
)
@click.option(
    "--open",
    "rate_per_s",
    type=float,
    metavar="RATE",
    help="Requests per second, sent whether or not earlier ones are answered.",
)
@click.option(
    "--duration",
    "duration_s",
    type=Amount(),
    help=f"Seconds per level; {DURATION_S:g} unless given.",
)
@click.option("--requests", type=Count(1), help="Requests per level, in place of --duration.")
@click.option(
    "--limit-ms",
    type=Amount(),
    help="Latency limit in ms; later responses are no goodput, and too many of them exit code 1.",
)
@click.option(
    "--soak",
    "soak_min",
    type=Amount(),
    metavar="MINUTES",
    help="Minutes to hold one level; reports drift of latency and memory.",
)
@click.option(
    "--url", help="Address of a server that runs already; unless given, one is started per cell."
)
@click.option(
    "--only",
    multiple=True,
    metavar="PATTERN",
    help="Only cells whose name matches, e.g. 'nfe_steps-8*'; may be repeated.",
)
@click.option(
    "--profile",
    default="cpu",
    show_default=True,
    help="How the server is set up; cpu-gate gives it a CPU of its own.",
)
@click.option(
    "--whole",
    is_flag=True,
    help="Ask for whole audio, which voxgate's own server speaks in batches; else for a stream.",
)
@click.option(
    "--form",
    type=click.Choice(FORMS),
    default="wav",
    show_default=True,
    help="Audio format of the responses.",
)
@click.option(
    "--timeout",
    "timeout_s",
    type=Amount(),
    default=60.0,
    show_default=True,
    help="Seconds to wait for a response.",
)
@click.option(
    "--seed",
    type=int,
    default=0,
    show_default=True,
    help="Seed of the order of texts and of the arrival times.",
)
@click.option("--max-batch", type=int, help="Largest batch of the server that is started.")
@click.option(
    "--window-ms", type=float, help="Batching window of the server that is started, in ms."
)
@click.option("--queue", type=int, help="Queue length of the server that is started.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder; runs/load/NNNN unless given.",
)
@click.option(
    "--repeats",
    type=Count(1, MOST_ROUNDS),
    default=1,
    show_default=True,
    help="Turns through all levels, each with a fresh server; a verdict needs some, such as 5.",
)
@click.option(
    "--against",
    metavar="URL",
    help="A second server: both are loaded in turns, and --url is judged against this one.",
)
@click.option("--gate", is_flag=True, help="Judge the latencies against the load's baseline.")
@click.option(
    "--accept", "why", metavar="REASON", help="Make the load's latencies its baseline, and say why."
)
@click.option(
    "--loaded", is_flag=True, help="Accept latencies of a machine that was not quiet before."
)
@click.option("--history", **HISTORY)
@html_page
@writing
@baselines
@policy
@as_json
def load(
    suite: str,
    closed: str | None,
    rate_per_s: float | None,
    duration_s: float | None,
    requests: int | None,
    limit_ms: float | None,
    soak_min: float | None,
    only: tuple[str, ...],
    out: Path | None,
    against: str | None,
    as_json: bool,
    **options: Any,
) -> int:
    """
    Measure latency, first audio, goodput and memory of a server that speaks SUITE's workload.

    A server is started for each cell unless --url names one. Exit code 1 where requests fail or
    are too late. The load's folder is a run folder too, so gate, accept, report and history read
    it; with --gate, --junit, --comment, --history or --against it is judged here, and the exit
    code is the verdict's.

    \b
    Example: voxgate load serving --closed 1,4 --repeats 5 --limit-ms 2000 --gate
    """
    asked = {name: options.pop(name) for name in ENDING_OPTIONS}
    server = {name: options.pop(name) for name in SERVER_OPTIONS}
    plan = LoadPlan(
        suite=suite,
        levels=parse_levels(closed, rate_per_s),
        extent=extent_of(duration_s, requests, soak_min),
        soak=soak_min is not None,
        limit_s=None if limit_ms is None else limit_ms / 1e3,
        only=only,
        server={name: value for name, value in server.items() if value is not None},
        **options,
    )
    sides = sides_of(plan, against, out if out is not None else next_run_folder(LOADS))
    base = sides[0][1] if against is not None else None
    ending = Ending(folder=sides[-1][1], base=base, as_json=as_json, **asked)
    try:
        run_sides(sides, lambda line: click.echo(line, err=True))
    except KeyboardInterrupt:
        return show(ending.folder, as_json=as_json, interrupted=True, html=ending.html)
    return end(ending)


def sides_of(plan: LoadPlan, against: str | None, folder: Path) -> list[tuple[LoadPlan, Path]]:
    """
    Return the plan, or that of each of two servers, with the folder of each. Raises HarnessError
    where only one server is named.
    """
    if against is None:
        return [(plan, folder)]
    if plan.url is None:
        raise HarnessError("--against needs the server that is judged, too; name it with --url")
    return [(replace(plan, url=against), folder / "base"), (plan, folder / "head")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What to do with a load that ended."""

    folder: Path
    base: Path | None
    """The load of the other server; None where there is none."""
    gate: bool
    why: str | None
    loaded: bool
    history: str | None
    html: Path | None
    """The file to write the page of the load into."""
    files: Files
    baselines: Path
    policy: Path | None
    as_json: bool

    @property
    def judged(self) -> bool:
        """Whether anything that was asked for needs a verdict."""
        asked = (self.gate, self.base is not None, self.history is not None, self.files != Files())
        return any(asked)


def end(ending: Ending) -> int:
    """Report the load, judge and accept it where that was asked for; return the exit code."""
    if not ending.judged and ending.why is None:
        return show(ending.folder, as_json=ending.as_json, interrupted=False, html=ending.html)
    report = keep_report(ending.folder, interrupted=False, html=ending.html)
    document: dict[str, object] = {**report_to_dict(report), "interrupted": False}
    for each in (ending.base, ending.folder):
        if each is not None:
            print_load(report_of(each), err=ending.as_json)
    code, line = (1 if report.troubles else 0), report.line
    if ending.judged:
        verdict = tell_verdict(ending)
        document |= {"judgement": judgement_to_dict(verdict)}
        code, line = code or verdict.exit_code, line if code else verdict.line
    if ending.why is not None:
        changes = accept_run(
            ending.folder,
            ending.why,
            ending.baselines,
            loaded=ending.loaded,
            policy=ending.policy,
        )
        document |= {"accepted": len(changes)}
        code = 1 if report.troubles else 0
        line = (
            f"accepted {ending.folder}, {len(changes)} values changed; review and commit "
            f"{ending.baselines}"
        )
    say_result(ending.as_json, document, line)
    return code


def tell_verdict(ending: Ending) -> RunVerdict:
    """Judge a load, print the verdict, write the files and the history."""
    contents = judged_load(ending)
    write_files(ending.files, document_of(contents), contents, ending.baselines)
    if ending.history is not None:
        remember(contents, ending.history)
    for cell in contents.judgement.cells:
        click.echo(f"{cell.label}   {cell.verdict}: {cell.reason}", err=ending.as_json)
    return contents.judgement


def judged_load(ending: Ending) -> Report:
    """Judge a load against its baseline, or against the one of the other server."""
    if ending.base is None:
        return judge_run(ending.folder, ending.baselines, ending.policy)
    return judge_pair(ending.base, ending.folder, ending.baselines, ending.policy)


def extent_of(duration_s: float | None, requests: int | None, soak_min: float | None) -> Extent:
    """Return the length of a level. Raises HarnessError for a soak with a second length."""
    if soak_min is not None:
        if duration_s is not None or requests is not None:
            raise HarnessError("--soak says how long already; leave --duration and --requests out")
        return Extent(duration_s=60.0 * soak_min)
    if duration_s is None and requests is None:
        return Extent(duration_s=DURATION_S)
    return Extent(duration_s=duration_s, requests=requests)


def show(folder: Path, *, as_json: bool, interrupted: bool, html: Path | None) -> int:
    """Report the load in a folder, keep the report there, print it; return the exit code."""
    if interrupted and not (folder / HEADER).is_file():
        raise click.Abort
    report = keep_report(folder, interrupted=interrupted, html=html)
    print_load(report, err=as_json)
    last = (
        f"interrupted; what was answered until then is kept in {folder}"
        if interrupted
        else report.line
    )
    say_result(as_json, {**report_to_dict(report), "interrupted": interrupted}, last)
    if interrupted:
        return INTERRUPTED
    return 1 if report.troubles else 0


def print_load(report: LoadReport, *, err: bool) -> None:
    """Print the table of a load."""
    for line in lines(report, shutil.get_terminal_size((LOG_COLUMNS, 24)).columns):
        click.echo(line, err=err)
