"""
The verb load: send many requests at once to a server, and report latency and errors.

As in `main.py`, the verb calls, prints and returns the exit code; the last line is the result.
Ctrl-C ends the load, not the report: the responses until then are summarised.
"""

import json
import shutil
from pathlib import Path

import click

from voxgate.harness.cli.options import Amount, Count
from voxgate.harness.cli.output import INTERRUPTED, LOG_COLUMNS
from voxgate.harness.errors import RUNS, HarnessError
from voxgate.harness.load.plan import DURATION_S, Extent, LoadPlan, parse_levels
from voxgate.harness.load.records import HEADER, REPORT
from voxgate.harness.load.report import lines, report_of, report_to_dict
from voxgate.harness.load.run import run_load
from voxgate.harness.records.files import write_file
from voxgate.harness.runner.run_folder import next_run_folder
from voxgate.harness.targets.http.client import FORMS

LOADS = RUNS / "load"
SERVER_OPTIONS = ("max_batch", "window_ms", "queue")


@click.command()
@click.argument("suite")
@click.option(
    "--closed",
    metavar="N,N,...",
    help="Clients that each wait for their answer before they ask again.",
)
@click.option(
    "--open",
    "rate_per_s",
    type=float,
    metavar="RATE",
    help="Requests per second, whether or not earlier ones are done.",
)
@click.option(
    "--duration",
    "duration_s",
    type=Amount(),
    help=f"Seconds per level; {DURATION_S:g} unless given.",
)
@click.option("--requests", type=Count(1), help="Requests per level.")
@click.option(
    "--limit-ms",
    type=Amount(),
    help="Latency limit in ms: responses within it count as goodput.",
)
@click.option(
    "--soak",
    "soak_min",
    type=Amount(),
    metavar="MINUTES",
    help="Minutes to hold one level; reports drift of latency and memory.",
)
@click.option("--url", help="A server that runs already; else one is started for each cell.")
@click.option(
    "--only",
    multiple=True,
    metavar="SLUG",
    help="Cells whose slug matches, e.g. 'nfe_steps-8*'; else all.",
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
    help="Ask for whole audio, which our server speaks in batches; else for a stream.",
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
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
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
    as_json: bool,
    **options: object,
) -> int:
    """
    Measure latency, first audio, goodput and memory of a server that speaks SUITE's workload.

    A server is started for each cell unless --url names one. Exit code 1 where requests fail or
    are too late.

    \b
    Example: voxgate load serving --closed 1,2,4 --limit-ms 2000
    """
    server = {name: options.pop(name) for name in SERVER_OPTIONS}
    plan = LoadPlan(
        suite=suite,
        levels=parse_levels(closed, rate_per_s),
        extent=extent_of(duration_s, requests, soak_min),
        soak=soak_min is not None,
        limit_s=None if limit_ms is None else limit_ms / 1e3,
        only=only,
        server={name: value for name, value in server.items() if value is not None},  # type: ignore[misc]
        **options,  # type: ignore[arg-type]
    )
    folder = out if out is not None else next_run_folder(LOADS)
    interrupted = False
    try:
        run_load(plan, folder, lambda line: click.echo(line, err=True))
    except KeyboardInterrupt:
        interrupted = True
    return show(folder, as_json=as_json, interrupted=interrupted)


def extent_of(duration_s: float | None, requests: int | None, soak_min: float | None) -> Extent:
    """Return the length of a level. Raises HarnessError for a soak with a second length."""
    if soak_min is not None:
        if duration_s is not None or requests is not None:
            raise HarnessError("--soak says how long already; leave --duration and --requests out")
        return Extent(duration_s=60.0 * soak_min)
    if duration_s is None and requests is None:
        return Extent(duration_s=DURATION_S)
    return Extent(duration_s=duration_s, requests=requests)


def show(folder: Path, *, as_json: bool, interrupted: bool) -> int:
    """Report the load in a folder, keep the report there, print it; return the exit code."""
    if interrupted and not (folder / HEADER).is_file():
        raise click.Abort
    report = report_of(folder)
    document = {**report_to_dict(report), "interrupted": interrupted}
    write_file(
        folder / REPORT,
        json.dumps(document, indent=1, allow_nan=False),
        "make room, then ask again",
    )
    for line in lines(report, shutil.get_terminal_size((LOG_COLUMNS, 24)).columns):
        click.echo(line, err=as_json)
    last = (
        f"interrupted; what was answered until then is kept in {folder}"
        if interrupted
        else report.line
    )
    click.echo(json.dumps(document, indent=1, allow_nan=False) if as_json else last)
    if interrupted:
        return INTERRUPTED
    return 1 if report.troubles else 0
