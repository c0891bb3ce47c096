"""
The command line: one function per verb. Each calls the pipeline, prints, and gives the exit code.

Exit codes, fixed: 0 pass or improved; 1 something regressed or failed; 2 wrong use or
configuration, or an accident (`harness.errors`); 3 something could not be decided; 130 interrupted.
Knows no thresholds and no tables. The last line that a verb prints without --json is its verdict;
with --json, standard output holds one JSON document and nothing else.
"""

import functools
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from harness import workflow
from harness.cli.load import load
from harness.errors import DEBUG, HarnessError, guarded, one_line, watched_output
from harness.history.address import DEFAULT_URL, VARIABLE
from harness.judging.baseline import KINDS, change_line
from harness.machine.git import trouble
from harness.machine.profiles import DEFAULT as DEFAULT_PROFILE
from harness.machine.profiles import PROFILES
from harness.records.files import write_file
from harness.records.measurement import value_to_json
from harness.records.run import OPENAI
from harness.records.verdict import judgement_to_dict
from harness.report.contents import Report
from harness.report.junit import Files, check_files, document_of, write_files
from harness.report.markdown import markdown
from harness.report.terminal import (
    evidence_lines,
    examination_lines,
    examination_to_dict,
    paired_lines,
    print_report,
)
from harness.revisions import ab as versus
from harness.revisions import ab_plan
from harness.revisions import bisect as bisection
from harness.revisions.bisect_result import evidence_rows, finding_line, search_to_dict
from harness.runner.progress import make_progress
from harness.runner.resume import SessionInterruptedError
from harness.runner.runner import TIMEOUT_S, Outcome
from harness.scoring.asr_floor import make_floor, rate_of
from harness.scoring.transcription import ENGINES
from harness.selftest.command import Interrupted, tell_quality, tell_speed
from harness.selftest.speed import SelftestPlan
from harness.selftest.speed_plan import EQUALS
from harness.workflow import RunPlan

LOG_COLUMNS = 140
"""Width of the table where there is no terminal to ask, as in the logs of CI."""
PAGE = "index.html"
INTERRUPTED = 130
COMPLETE = "_VOXGATE_COMPLETE"
"""Environment variable in which a shell asks click for completions."""

Command = Callable[..., int]

folder = click.Path(path_type=Path, file_okay=False)
file = click.Path(path_type=Path, dir_okay=False)
as_json = click.option(
    "--json", "as_json", is_flag=True, help="One JSON document on standard output."
)
baselines = click.option("--baselines", type=folder, default=workflow.BASELINES, show_default=True)
HISTORY: dict[str, Any] = {
    "envvar": VARIABLE,
    "show_envvar": True,
    "metavar": "URL",
    "help": "Append to this database.",
}
policy = click.option(
    "--policy",
    type=file,
    help="A policy file over the default one, in place of baselines/policy.toml.",
)


def planned(verb: Command) -> Command:
    """Add the argument and options that say what to measure."""
    options: tuple[Callable[[Command], Command], ...] = (
        click.argument("suite"),
        click.option(
            "--profile",
            default=DEFAULT_PROFILE,
            show_default=True,
            help="Kind of device, and how it is set up.",
        ),
        click.option("--out", type=folder, help="Run folder; runs/NNNN unless given."),
        click.option("--repeats", type=click.IntRange(1), help="Fresh processes per cell."),
        click.option(
            "--iterations", type=click.IntRange(1), help="Passes through the workload per process."
        ),
        click.option(
            "--only",
            multiple=True,
            metavar="SLUG",
            help="Cells whose slug matches, e.g. 'nfe_steps-8*'.",
        ),
        click.option(
            "--resume", is_flag=True, help="Continue an interrupted run: --out, or the latest."
        ),
        click.option(
            "--timeout",
            "timeout_s",
            type=click.FloatRange(0, min_open=True),
            default=TIMEOUT_S,
            show_default=True,
        ),
    )
    for option in reversed(options):
        verb = option(verb)
    return verb


def compared(verb: Command) -> Command:
    """Add the options that say how to compare two revisions."""
    options: tuple[Callable[[Command], Command], ...] = (
        click.option(
            "--profile",
            default=DEFAULT_PROFILE,
            show_default=True,
            help="Kind of device, and how it is set up.",
        ),
        click.option("--out", type=folder, help="Folder for all runs; runs/NNNN unless given."),
        click.option(
            "--resume", is_flag=True, help="Continue an interrupted one: --out, or the latest."
        ),
        click.option(
            "--rounds",
            type=click.IntRange(1),
            default=ab_plan.ROUNDS,
            show_default=True,
            help="Before more are added.",
        ),
        click.option(
            "--iterations", type=click.IntRange(1), help="Passes through the workload per process."
        ),
        click.option(
            "--timeout",
            "timeout_s",
            type=click.FloatRange(0, min_open=True),
            default=TIMEOUT_S,
            show_default=True,
        ),
    )
    for option in reversed(options):
        verb = option(verb)
    return verb


def writing(verb: Command) -> Command:
    """
    Add the options that name files for a CI system; the verb gets them as `files`, checked before
    any work.
    """

    @click.option("--comment", type=file, help="Write the comment for a pull request, as Markdown.")
    @click.option("--junit", type=file, help="Write JUnit XML, a test case per cell.")
    @functools.wraps(verb)
    def with_files(*, comment: Path | None, junit: Path | None, **options: Any) -> int:
        return verb(files=check_files(Files(comment=comment, junit=junit)), **options)

    return with_files


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="voxgate", prog_name="voxgate", message="%(prog)s %(version)s")
@click.option(
    "--debug",
    is_flag=True,
    help=f"Show the traceback of an unexpected exception, as {DEBUG}=1 does.",
)
def cli(debug: bool) -> None:
    """Did this change make a voice engine slower or worse, and how sure are we?"""
    if debug:
        os.environ[DEBUG] = "1"  # and workers inherit it


@cli.command()
@planned
@as_json
def run(as_json: bool, **options: Any) -> int:
    """
    Measure SUITE and write the run folder. What is scored of the audio, and by which judge of
    words, SUITE says.
    """
    plan = RunPlan(**options)
    say_if_git_refuses()
    outcome = workflow.measure_suite(plan, make_progress())
    if outcome.interrupted:
        return say_interrupted(plan, "run", outcome)
    for slug, failure in outcome.failures.items():
        say(f"{slug} FAILED {failure.kind}: {failure.reason}")
    failures = {
        slug: {"kind": failure.kind, "reason": failure.reason}
        for slug, failure in outcome.failures.items()
    }
    last = f"measured, {len(failures)} failed; judge it: voxgate gate {outcome.folder}"
    say_result(
        as_json,
        {"run": str(outcome.folder), "complete": outcome.complete, "failures": failures},
        last,
    )
    return 1 if failures else 0


@cli.command()
@writing
@click.argument("run", type=folder, required=False)
@click.option(
    "--json",
    "json_file",
    is_flag=False,
    flag_value="-",
    metavar="[FILE]",
    help="JSON to FILE; to - if none.",
)
@click.option("--history", **HISTORY)
@baselines
@policy
def gate(
    run: Path | None,
    json_file: str | None,
    files: Files,
    history: str | None,
    baselines: Path,
    policy: Path | None,
) -> int:
    """Judge RUN (the latest, if none is named) against the baselines."""
    check_json_file(json_file)
    contents = workflow.judge_run(workflow.latest(run), baselines, policy, score_progress())
    if history is not None:
        remember(contents, history)
    if json_file not in (None, "-"):
        write_json(Path(str(json_file)), judgement_to_dict(contents.judgement))
    write_files(files, document_of(contents), contents.judgement)
    say_judgement(contents, json_file == "-")
    return contents.judgement.exit_code


@cli.command()
@writing
@planned
@click.option(
    "--budget",
    "budget_s",
    type=click.FloatRange(0),
    default=workflow.BUDGET_S,
    show_default=True,
    help="Seconds to go on with undecided cells, and again with suspects.",
)
@click.option("--history", default=DEFAULT_URL, show_default=True, **HISTORY)
@as_json
@baselines
@policy
def check(
    as_json: bool, files: Files, history: str, baselines: Path, policy: Path | None, **options: Any
) -> int:
    """Measure SUITE, score, judge and write the page: the main job."""
    plan = RunPlan(**options)
    say_if_git_refuses()
    outcome = workflow.check_suite(plan, baselines, policy, make_progress())
    if outcome.interrupted:
        return say_interrupted(plan, "check", outcome)
    contents = workflow.judge_run(outcome.folder, baselines, policy, score_progress())
    remember(contents, history)
    page = workflow.write_page(contents, workflow.REPORTS / PAGE, baselines)
    write_files(files, document_of(contents), contents.judgement)
    say_judgement(contents, as_json, page)
    return contents.judgement.exit_code


@cli.command()
@click.argument("run", type=folder)
@click.option("--why", required=True, help="The reason, for whoever reviews the baseline.")
@click.option(
    "--only",
    type=click.Choice(KINDS),
    help="Accept speed alone, or quality (with the golden audio) alone.",
)
@click.option(
    "--partial",
    is_flag=True,
    help="Accept an incomplete run, or one with failed cells, without those cells.",
)
@click.option("--loaded", is_flag=True, help="Accept speeds of a machine that was not quiet.")
@as_json
@baselines
def accept(
    run: Path,
    why: str,
    only: str | None,
    partial: bool,
    loaded: bool,
    as_json: bool,
    baselines: Path,
) -> int:
    """Make RUN the baseline of its suite, and show what changes."""
    changes = workflow.accept_run(
        run, why, baselines, only=only, partial=partial, loaded=loaded, progress=score_progress()
    )
    if not as_json:
        for change in changes:
            click.echo(change_line(change))
    sides = [
        {side: jsonable(getattr(change, side)) for side in ("old", "new")} for change in changes
    ]
    named = [{"cell": each.cell, "metric": each.metric, "unit": each.unit} for each in changes]
    document = {
        "run": str(run),
        "changes": [{**name, **side} for name, side in zip(named, sides, strict=True)],
    }
    say_result(
        as_json,
        document,
        f"accepted {run}, {len(changes)} values changed; review and commit {baselines}",
    )
    return 0


@cli.command()
@click.argument("run", type=folder, required=False)
@click.option("--out", type=folder, help="Folder; reports unless given, with --site reports/site.")
@click.option(
    "--markdown", "as_markdown", is_flag=True, help="Print the table as Markdown; write no page."
)
@click.option(
    "--site",
    is_flag=True,
    help="Write the site of the whole history: trends of every cell, in place of one run's page.",
)
@click.option(
    "--history",
    **HISTORY
    | {"default": DEFAULT_URL, "show_default": True, "help": "The database that --site shows."},
)
@as_json
@baselines
@policy
def report(
    run: Path | None,
    out: Path | None,
    as_markdown: bool,
    site: bool,
    history: str,
    as_json: bool,
    baselines: Path,
    policy: Path | None,
) -> int:
    """Write the page of RUN (the latest, if none is named), or the site of all runs."""
    if site and (run is not None or as_markdown):
        raise HarnessError(
            "--site shows the whole history; leave RUN and --markdown out, or leave --site out"
        )
    if site:
        first = workflow.write_site(history, out or workflow.REPORTS / "site", baselines)
        say_result(as_json, {"page": str(first)}, f"site {first}")
        return 0
    contents = workflow.judge_run(workflow.latest(run), baselines, policy, score_progress())
    if as_markdown:
        click.echo(markdown(contents), nl=False)
        return 0
    page = workflow.write_page(contents, (out or workflow.REPORTS) / PAGE, baselines)
    click.echo(f"report {page}", err=as_json)
    say_result(
        as_json,
        {"page": str(page), "verdict": contents.judgement.verdict.value},
        contents.judgement.line,
    )
    return 0


@cli.command()
@click.option(
    "--profile", default=DEFAULT_PROFILE, show_default=True, help=f"One of {', '.join(PROFILES)}."
)
@as_json
def doctor(profile: str, as_json: bool) -> int:
    """Say whether this machine is fit to measure on, and why not. Changes nothing."""
    found = workflow.examine(profile)
    if not as_json:
        for line in examination_lines(found):
            click.echo(line)
    say_result(as_json, examination_to_dict(found), found.line)
    return found.exit_code


@cli.command()
@click.argument("workload")
@click.option(
    "--recordings", type=folder, help="A folder of <request id>.wav or .flac, in place of flite."
)
@click.option("--speaker", help="Who speaks in the recordings; their folder's name unless given.")
@click.option(
    "--judge",
    type=click.Choice(ENGINES),
    default=OPENAI,
    show_default=True,
    help="Who listens; as the suite has it.",
)
@as_json
def floor(
    workload: str, recordings: Path | None, speaker: str | None, judge: str, as_json: bool
) -> int:
    """
    How well is flite, or a recording, understood on WORKLOAD? Writes the floor that reports show
    beside word errors.
    """
    path, made = make_floor(workload, recordings, speaker, score_progress(), judge)
    rates = {name: rate_of(made, name).point for name in made.versions}
    document = {
        "floor": str(path),
        "speaker": made.speaker,
        "rates": rates,
        "versions": dict(made.versions),
    }
    shown = ", ".join(f"{name} {100.0 * rate:.1f} %" for name, rate in rates.items())
    say_result(
        as_json,
        document,
        f"floor {shown}: {made.speaker} on {len(made.utterances)} texts; review and commit {path}",
    )
    return 0


@cli.command()
@click.argument("suite", required=False)
@click.option(
    "--minutes",
    type=click.FloatRange(0),
    default=10.0,
    show_default=True,
    help="To measure; 0: judge what is there.",
)
@click.option(
    "--profile",
    default=DEFAULT_PROFILE,
    show_default=True,
    help="Kind of device, and how it is set up.",
)
@click.option(
    "--only",
    multiple=True,
    metavar="SLUG",
    help="Cells whose slug matches; else those that fit into the time.",
)
@click.option(
    "--size",
    "sizes",
    multiple=True,
    type=click.FloatRange(0, min_open=True),
    help="A slow-down in per cent; repeat.",
)
@click.option(
    "--stage", metavar="NAME", help="The stage to slow down; the longest one unless given."
)
@click.option(
    "--equals",
    type=click.IntRange(2),
    default=EQUALS,
    show_default=True,
    help="Sides that are left as they are.",
)
@click.option("--out", type=folder, help="Folder; runs/selftest/NNNN unless given.")
@click.option("--resume", is_flag=True, help="Continue a selftest of speed: --out, or the latest.")
@click.option("--loaded", is_flag=True, help="Beside a process that keeps one core busy.")
@click.option(
    "--quality", is_flag=True, help="Plant faults into the audio, in place of slow-downs."
)
@click.option(
    "--recordings",
    type=folder,
    help="With --quality: real speech to plant faults into as well, and its texts.toml.",
)
@click.option(
    "--picture", type=file, help="With --quality: draw which metric sees which fault, as PNG."
)
@click.option("--markdown", "as_markdown", is_flag=True, help="Print Markdown.")
@as_json
def selftest(
    suite: str | None,
    sizes: tuple[float, ...],
    quality: bool,
    as_markdown: bool,
    as_json: bool,
    **options: Any,
) -> int:
    """
    Measure how far this machine's verdicts can be trusted: false alarms, and slow-downs found in
    SUITE (smoke), or which metric sees which fault in its audio (sensitivity).
    """
    asked = suite or ("sensitivity" if quality else "smoke")
    question = SelftestPlan(suite=asked, sizes=tuple(size / 100.0 for size in sizes), **options)
    told = (
        tell_quality(question, make_progress(), score_progress())
        if quality
        else tell_speed(question, make_progress())
    )
    if isinstance(told, Interrupted):
        say(f"interrupted; {told.advice}")
        return INTERRUPTED
    say_result(as_json, told.document, (told.markdown if as_markdown else told.text).rstrip())
    return told.exit_code


@cli.command()
@writing
@click.argument("base")
@click.argument("head")
@click.argument("suite")
@compared
@click.option(
    "--only", multiple=True, metavar="SLUG", help="Cells whose slug matches, e.g. 'nfe_steps-8*'."
)
@click.option(
    "--budget",
    "budget_s",
    type=click.FloatRange(0),
    default=ab_plan.BUDGET_S,
    show_default=True,
    help="Seconds.",
)
@as_json
def ab(as_json: bool, files: Files, **options: Any) -> int:
    """
    Is HEAD slower or worse than BASE in SUITE? Two git revisions (. is the working tree), measured
    in turns here.
    """
    result = versus.compare_revisions(
        ab_plan.ABPlan(**options), make_progress(), score_progress(), say
    )
    console, sides = make_console(stderr=as_json), (result.base.label, result.head.label)
    for line in paired_lines(
        result.contents, sides, result.control.shift, result.notes, console.width
    ):
        console.print(line, soft_wrap=True, highlight=False, markup=False)
    console.print(f"report {result.page}", soft_wrap=True, highlight=False, markup=False)
    document = versus.result_to_dict(result)
    write_files(files, document, result.contents.judgement)
    say_result(as_json, document, result.contents.judgement.line)
    return result.contents.judgement.exit_code


@cli.command()
@click.argument("good")
@click.argument("bad")
@click.argument("suite")
@compared
@click.option(
    "--cell", metavar="SLUG", help="Search by this cell and the reference's voice; else by all."
)
@click.option(
    "--metric",
    metavar="NAME",
    help="Search by this metric; else one speed and one quality, if both regressed.",
)
@click.option(
    "--budget",
    "budget_s",
    type=click.FloatRange(0),
    default=bisection.BUDGET_S,
    show_default=True,
    help="Seconds per step.",
)
@as_json
def bisect(
    good: str, bad: str, cell: str | None, metric: str | None, as_json: bool, **options: Any
) -> int:
    """
    Which commit after GOOD, up to BAD, made SUITE slower or worse? Ends with 0 where the commit is
    found, else 3.
    """
    plan = ab_plan.ABPlan(base=good, head=bad, **options)
    search = bisection.bisect(plan, cell, metric, make_progress(), score_progress(), say)
    console = make_console(stderr=as_json)
    for line in [*map(finding_line, search.findings), *evidence_lines(evidence_rows(search))]:
        console.print(line, soft_wrap=True, highlight=False, markup=False)
    say_result(as_json, search_to_dict(search), search.line)
    return search.exit_code


@cli.command(add_help_option=False, context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def history(arguments: tuple[str, ...]) -> int:
    """Every run that was ever appended: import, export, list, acknowledge, status."""
    # and with it databases and tables, which no other command waits for
    from harness.cli import history as history_cli

    with history_cli.history.make_context("voxgate history", list(arguments)) as context:
        return int(history_cli.history.invoke(context) or 0)


cli.add_command(load)


def remember(contents: Report, url: str) -> None:
    """Append a judged run to the history, and say if that cannot be."""
    if trouble := workflow.remember(contents, url):
        say(f"voxgate: {trouble}")


def say(line: str) -> None:
    """Tell a person something beside the result."""
    click.echo(line, err=True)


def say_if_git_refuses() -> None:
    """
    Tell a person that a run will name no commit though it lies in a repository, with git's own
    reason.
    """
    why = trouble(Path.cwd())
    if why:
        say(f"voxgate: {why}; the run will name no commit")


def say_result(as_json: bool, document: object, last_line: str) -> None:
    """Print the result: the document, or the line."""
    click.echo(json.dumps(document, indent=1, allow_nan=False) if as_json else last_line)


def say_judgement(contents: Report, as_json: bool, page: Path | None = None) -> None:
    """Print the report and the verdict; with JSON, the report goes to standard error."""
    print_report(contents, make_console(stderr=as_json), None if page is None else str(page))
    say_result(as_json, judgement_to_dict(contents.judgement), contents.judgement.line)


def say_interrupted(plan: RunPlan, verb: str, outcome: Outcome) -> int:
    """Say how to go on after Ctrl-C."""
    say(
        "interrupted; nothing measured is lost, continue with: "
        f"{workflow.command(plan, verb, outcome.folder)}"
    )
    return INTERRUPTED


def make_console(*, stderr: bool) -> Console:
    """Give a console as wide as the terminal, or as LOG_COLUMNS where there is none."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or os.environ.get("COLUMNS") else LOG_COLUMNS
    return Console(file=stream, width=width)


def score_progress() -> workflow.ScoreProgress | None:
    """Give a counter in place on a terminal; None elsewhere."""
    if not sys.stderr.isatty():
        return None
    return lambda done, total: click.echo(
        f"\rscoring {done}/{total}{'' if done < total else chr(10)}", err=True, nl=False
    )


def check_json_file(name: str | None) -> None:
    """
    Raise HarnessError where a run folder was taken for the JSON file: `gate --json runs/0001`.
    """
    if name is not None and Path(name).is_dir():
        raise HarnessError(
            f"--json {name} is a folder; write `voxgate gate {name} --json`, or name a file"
        )


def write_json(path: Path, document: object) -> None:
    """Write a JSON document. Raises HarnessError if the file cannot be written."""
    write_file(
        path, json.dumps(document, indent=1, allow_nan=False) + "\n", "name another --json FILE"
    )


def jsonable(value: Any) -> Any:
    """Give a value, or the absence of an entry, as JSON."""
    return None if value is None else value_to_json(value)


def invoke(arguments: Sequence[str] | None = None) -> int:
    """
    Run one command and return its exit code: what goes wrong is one line on standard error, never a
    traceback.
    """
    return guarded("voxgate", lambda: _run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    if COMPLETE in os.environ:
        cli.main(args=arguments, prog_name="voxgate", standalone_mode=False)
        return 0
    # not cli.main, which takes a torn file's EOFError for Ctrl-D, and ends with 1 where any pipe is
    # broken
    try:
        with cli.make_context(
            "voxgate", list(sys.argv[1:] if arguments is None else arguments)
        ) as context:
            return int(cli.invoke(context) or 0)
    except click.exceptions.Exit as end:
        return end.exit_code
    except SessionInterruptedError as error:
        say(f"interrupted; nothing measured is lost, continue with: {one_line(str(error))}")
        return INTERRUPTED
    except click.Abort:
        say("interrupted")
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return 2


def main() -> None:
    """Run the command of this process."""
    sys.stdout = watched_output(sys.stdout)
    sys.exit(invoke())
