"""
The command line: one function per verb. Each calls the pipeline, prints, and gives the exit code.

Exit codes, fixed: 0 pass or improved; 1 something regressed or failed; 2 wrong use or configuration; 3 something could not
be decided; 130 interrupted. Knows no thresholds and no tables. The last line that a verb prints without --json is its
verdict; with --json, standard output holds one JSON document and nothing else.
"""

import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from harness import pipeline
from harness.baseline import KINDS, change_line
from harness.errors import HarnessError
from harness.judgement import judgement_to_dict
from harness.measurement import value_to_json
from harness.pipeline import Plan
from harness.profiles import DEFAULT as DEFAULT_PROFILE
from harness.progress import make_progress
from harness.report.contents import Contents
from harness.report.markdown import markdown
from harness.report.terminal import print_report
from harness.schedule import TIMEOUT_S, Outcome

LOG_COLUMNS = 140
"""Width of the table where there is no terminal to ask, as in the logs of CI."""
PAGE = "index.html"
INTERRUPTED = 130

Command = Callable[..., int]

folder = click.Path(path_type=Path, file_okay=False)
file = click.Path(path_type=Path, dir_okay=False)
as_json = click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
baselines = click.option("--baselines", type=folder, default=pipeline.BASELINES, show_default=True)
policy = click.option("--policy", type=file, help="A policy file over the default one, in place of baselines/policy.toml.")


def planned(verb: Command) -> Command:
    """Add the argument and options that say what to measure."""
    options: tuple[Callable[[Command], Command], ...] = (
        click.argument("suite"),
        click.option("--profile", default=DEFAULT_PROFILE, show_default=True, help="Kind of device, and how it is set up."),
        click.option("--out", type=folder, help="Run folder; runs/NNNN unless given."),
        click.option("--repeats", type=click.IntRange(1), help="Fresh processes per cell."),
        click.option("--iterations", type=click.IntRange(1), help="Passes through the workload per process."),
        click.option("--only", multiple=True, metavar="SLUG", help="Cells whose slug matches, e.g. 'nfe_steps-8*'."),
        click.option("--resume", is_flag=True, help="Continue an interrupted run: --out, or the latest."),
        click.option("--timeout", "timeout_s", type=click.FloatRange(0, min_open=True), default=TIMEOUT_S, show_default=True),
    )
    for option in reversed(options):
        verb = option(verb)
    return verb


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Did this change make a voice engine slower or worse, and how sure are we?"""


@cli.command()
@planned
@as_json
def run(as_json: bool, **options: Any) -> int:
    """Measure SUITE and write the run folder."""
    plan = Plan(**options)
    outcome = pipeline.measure_suite(plan, make_progress())
    if outcome.interrupted:
        return say_interrupted(plan, "run", outcome)
    for slug, failure in outcome.failures.items():
        say(f"{slug} FAILED {failure.kind}: {failure.reason}")
    failures = {slug: {"kind": failure.kind, "reason": failure.reason} for slug, failure in outcome.failures.items()}
    last = f"measured, {len(failures)} failed; judge it: voxgate gate {outcome.folder}"
    say_result(as_json, {"run": str(outcome.folder), "complete": outcome.complete, "failures": failures}, last)
    return 1 if failures else 0


@cli.command()
@click.argument("run", type=folder, required=False)
@click.option("--json", "json_file", is_flag=False, flag_value="-", metavar="[FILE]", help="JSON to FILE; to - if none.")
@baselines
@policy
def gate(run: Path | None, json_file: str | None, baselines: Path, policy: Path | None) -> int:
    """Judge RUN (the latest, if none is named) against the baselines."""
    check_json_file(json_file)
    contents = pipeline.judge_run(pipeline.latest(run), baselines, policy, score_progress())
    if json_file not in (None, "-"):
        write_json(Path(str(json_file)), judgement_to_dict(contents.judgement))
    say_judgement(contents, json_file == "-")
    return contents.judgement.exit_code


@cli.command()
@planned
@click.option(
    "--budget",
    "budget_s",
    type=click.FloatRange(0),
    default=pipeline.BUDGET_S,
    show_default=True,
    help="Seconds to go on with undecided cells, and again with suspects.",
)
@as_json
@baselines
@policy
def check(as_json: bool, baselines: Path, policy: Path | None, **options: Any) -> int:
    """Measure SUITE, score, judge and write the page: the main job."""
    plan = Plan(**options)
    outcome = pipeline.check_suite(plan, baselines, policy, make_progress())
    if outcome.interrupted:
        return say_interrupted(plan, "check", outcome)
    contents = pipeline.judge_run(outcome.folder, baselines, policy, score_progress())
    page = pipeline.write_page(contents, pipeline.REPORTS / PAGE, baselines)
    say_judgement(contents, as_json, page)
    return contents.judgement.exit_code


@cli.command()
@click.argument("run", type=folder)
@click.option("--why", required=True, help="The reason, for whoever reviews the baseline.")
@click.option("--only", type=click.Choice(KINDS), help="Accept speed alone, or quality (with the golden audio) alone.")
@click.option("--partial", is_flag=True, help="Accept an incomplete run, or one with failed cells, without those cells.")
@as_json
@baselines
def accept(run: Path, why: str, only: str | None, partial: bool, as_json: bool, baselines: Path) -> int:
    """Make RUN the baseline of its suite, and show what changes."""
    changes = pipeline.accept_run(run, why, baselines, only=only, partial=partial, progress=score_progress())
    if not as_json:
        for change in changes:
            click.echo(change_line(change))
    sides = [{side: jsonable(getattr(change, side)) for side in ("old", "new")} for change in changes]
    named = [{"cell": each.cell, "metric": each.metric, "unit": each.unit} for each in changes]
    document = {"run": str(run), "changes": [{**name, **side} for name, side in zip(named, sides, strict=True)]}
    say_result(as_json, document, f"accepted {run}, {len(changes)} values changed; review and commit {baselines}")
    return 0


@cli.command()
@click.argument("run", type=folder, required=False)
@click.option("--out", type=folder, default=pipeline.REPORTS, show_default=True)
@click.option("--markdown", "as_markdown", is_flag=True, help="Print the table as Markdown; write no page.")
@as_json
@baselines
@policy
def report(run: Path | None, out: Path, as_markdown: bool, as_json: bool, baselines: Path, policy: Path | None) -> int:
    """Write the page of RUN (the latest, if none is named)."""
    contents = pipeline.judge_run(pipeline.latest(run), baselines, policy, score_progress())
    if as_markdown:
        click.echo(markdown(contents), nl=False)
        return 0
    page = pipeline.write_page(contents, out / PAGE, baselines)
    click.echo(f"report {page}", err=as_json)
    say_result(as_json, {"page": str(page), "verdict": contents.judgement.verdict.value}, contents.judgement.line)
    return 0


def say(line: str) -> None:
    """Tell a person something beside the result."""
    click.echo(line, err=True)


def say_result(as_json: bool, document: object, last_line: str) -> None:
    """Print the result: the document, or the line."""
    click.echo(json.dumps(document, indent=1, allow_nan=False) if as_json else last_line)


def say_judgement(contents: Contents, as_json: bool, page: Path | None = None) -> None:
    """Print the report and the verdict; with JSON, the report goes to standard error."""
    print_report(contents, make_console(stderr=as_json), None if page is None else str(page))
    say_result(as_json, judgement_to_dict(contents.judgement), contents.judgement.line)


def say_interrupted(plan: Plan, verb: str, outcome: Outcome) -> int:
    """Say how to go on after Ctrl-C."""
    say(f"interrupted; nothing measured is lost, continue with: {pipeline.command(plan, verb, outcome.folder)}")
    return INTERRUPTED


def make_console(*, stderr: bool) -> Console:
    """Give a console as wide as the terminal, or as LOG_COLUMNS where there is none."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or os.environ.get("COLUMNS") else LOG_COLUMNS
    return Console(file=stream, width=width)


def score_progress() -> pipeline.ScoreProgress | None:
    """Give a counter in place on a terminal; None elsewhere."""
    if not sys.stderr.isatty():
        return None
    return lambda done, total: click.echo(f"\rscoring {done}/{total}{'' if done < total else chr(10)}", err=True, nl=False)


def check_json_file(name: str | None) -> None:
    """Raise HarnessError where a run folder was taken for the JSON file: `gate --json runs/0001`."""
    if name is not None and Path(name).is_dir():
        raise HarnessError(f"--json {name} is a folder; write `voxgate gate {name} --json`, or name a file")


def write_json(path: Path, document: object) -> None:
    """Write a JSON document. Raises HarnessError if the file cannot be written."""
    try:
        path.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise HarnessError(f"cannot write {path}: {error.strerror}; name another --json FILE") from error


def jsonable(value: Any) -> Any:
    """Give a value, or the absence of an entry, as JSON."""
    return None if value is None else value_to_json(value)


def invoke(arguments: Sequence[str] | None = None) -> int:
    """Run one command; gives the exit code, and turns a user's mistake into one line on standard error."""
    try:
        return int(cli.main(args=arguments, prog_name="voxgate", standalone_mode=False) or 0)
    except HarnessError as error:
        say(f"voxgate: {' '.join(str(error).split())}")
        return 2
    except click.Abort:
        say("interrupted")
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return 2


def main() -> None:
    """Run the command of this process."""
    sys.exit(invoke())
