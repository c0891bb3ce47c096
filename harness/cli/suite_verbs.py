"""
The verbs that measure a suite and judge it: run, gate, check, accept, report.
"""

from pathlib import Path
from typing import Any

import click

from voxgate.harness import workflow
from voxgate.harness.cli.options import (
    HISTORY,
    Amount,
    as_json,
    baselines,
    folder,
    planned,
    policy,
    writing,
)
from voxgate.harness.cli.output import (
    check_json_file,
    jsonable,
    remember,
    say,
    say_if_git_refuses,
    say_interrupted,
    say_judgement,
    say_result,
    say_unread_texts,
    write_json,
)
from voxgate.harness.errors import HarnessError
from voxgate.harness.history.address import DEFAULT_URL
from voxgate.harness.judging.accept import BaselineChange, change_line
from voxgate.harness.judging.baseline import KINDS
from voxgate.harness.judging.judge_run import CheckInputs
from voxgate.harness.records.verdict import judgement_to_dict
from voxgate.harness.report.junit import Files, document_of, write_files
from voxgate.harness.report.markdown import markdown
from voxgate.harness.report.page import write_page
from voxgate.harness.runner.progress import measuring_progress, score_progress
from voxgate.harness.runner.run_folder import run_or_latest
from voxgate.harness.runner.run_plan import BUDGET_S, RunPlan

PAGE = "index.html"


@click.command()
@planned
@as_json
def run(as_json: bool, **options: Any) -> int:
    """
    Measure SUITE into a run folder. Nothing is scored or judged: `voxgate gate` does that.

    Exit code 1 where a cell failed. SUITE is the name of a file in suites/, without .py, or a path.

    \b
    Example: voxgate run smoke --repeats 8
    """
    plan = RunPlan(**options)
    say_if_git_refuses()
    say_unread_texts(plan.suite)
    outcome = workflow.measure_suite(plan, measuring_progress())
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


@click.command()
@writing
@click.argument("run", type=folder, required=False)
@click.option(
    "--json",
    "json_file",
    is_flag=False,
    flag_value="-",
    metavar="[FILE]",
    help="Write the verdict as JSON to FILE; to standard output where no FILE is named.",
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
    """
    Score and judge a run that was measured before; the latest one unless RUN, its folder, is named.

    \b
    Example: voxgate gate runs/0042 --json verdict.json
    """
    check_json_file(json_file)
    contents = workflow.judge_run(run_or_latest(run), baselines, policy, score_progress())
    if history is not None:
        remember(contents, history)
    if json_file not in (None, "-"):
        write_json(Path(str(json_file)), judgement_to_dict(contents.judgement))
    write_files(files, document_of(contents), contents, baselines)
    say_judgement(contents, json_file == "-")
    return contents.judgement.exit_code


@click.command()
@writing
@planned
@click.option(
    "--budget",
    "budget_s",
    type=Amount(positive=False),
    default=BUDGET_S,
    show_default=True,
    help="Seconds to go on with undecided cells, and as many to measure slower ones again.",
)
@click.option("--history", default=DEFAULT_URL, show_default=True, **HISTORY)
@as_json
@baselines
@policy
def check(
    as_json: bool, files: Files, history: str, baselines: Path, policy: Path | None, **options: Any
) -> int:
    """
    Measure SUITE, score its audio, judge both against the baseline, and write reports/index.html.

    SUITE is the name of a file in suites/, without .py, or a path. While the budget lasts, cells
    that are undecided get more processes, and cells that look slower are measured again. The first
    time there is no baseline: exit code 3, and the command that accepts the run as one.

    \b
    Example: voxgate check smoke --budget 120
    """
    plan = RunPlan(**options)
    say_if_git_refuses()
    say_unread_texts(plan.suite)
    inputs = CheckInputs(plan.suite, baselines, policy)
    progress = measuring_progress()
    outcome = workflow.check_suite(plan, progress=progress, inputs=inputs)
    if outcome.interrupted:
        return say_interrupted(plan, "check", outcome)
    try:
        contents = workflow.judge_run(
            outcome.folder, baselines, progress=score_progress(progress, "judging"), inputs=inputs
        )
        remember(contents, history)
        progress.phase("writing the page")
        page = write_page(contents, workflow.REPORTS / PAGE, baselines)
    finally:
        progress.end()
    write_files(files, document_of(contents), contents, baselines)
    say_judgement(contents, as_json, page)
    return contents.judgement.exit_code


@click.command()
@click.argument("run", type=folder)
@click.option("--why", required=True, help="The reason, kept in the baseline for its reviewers.")
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
@click.option("--loaded", is_flag=True, help="Accept speeds even though the machine was busy.")
@as_json
@baselines
@policy
def accept(
    run: Path,
    why: str,
    only: str | None,
    partial: bool,
    loaded: bool,
    as_json: bool,
    baselines: Path,
    policy: Path | None,
) -> int:
    """
    Make RUN, a run folder, the baseline of its suite, and print the old and the new values.

    It writes files to the folder of baselines: review and commit them like code.

    \b
    Example: voxgate accept runs/0042 --why "bf16 vocoder"
    """
    changes = workflow.accept_run(
        run,
        why,
        baselines,
        only=only,
        partial=partial,
        loaded=loaded,
        policy=policy,
        progress=score_progress(),
    )
    if not as_json:
        for change in changes:
            click.echo(change_line(change))
    document = {"run": str(run), "changes": list(map(change_facts, changes))}
    say_result(
        as_json,
        document,
        f"accepted {run}, {len(changes)} values changed; review and commit {baselines}",
    )
    return 0


def change_facts(change: BaselineChange) -> dict[str, object]:
    """Return one changed value of a baseline as JSON."""
    return {
        "cell": change.cell,
        "metric": change.metric,
        "unit": change.unit,
        "old": jsonable(change.old),
        "new": jsonable(change.new),
    }


@click.command()
@click.argument("run", type=folder, required=False)
@click.option("--out", type=folder, help="Folder; reports, or reports/site, unless given.")
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
@click.option(
    "--spans",
    metavar="URL",
    help="Send the spans of a run that was measured with --spans to this address by OTLP over "
    "HTTP, such as http://127.0.0.1:4318; write no page.",
)
@as_json
@baselines
@policy
def report(
    run: Path | None,
    out: Path | None,
    spans: str | None,
    as_markdown: bool,
    site: bool,
    history: str,
    as_json: bool,
    baselines: Path,
    policy: Path | None,
) -> int:
    """
    Write the HTML page of a run (the latest unless RUN is named), or the site of all runs.

    \b
    Example: voxgate report --site --out reports/site
    """
    if spans is not None and (site or as_markdown):
        raise HarnessError("--spans sends the spans of one run; leave --site and --markdown out")
    if site and (run is not None or as_markdown):
        raise HarnessError(
            "--site shows the whole history; leave RUN and --markdown out, or leave --site out"
        )
    if site:
        from voxgate.harness.report.site.build import build_site_of

        first = build_site_of(history, out or workflow.REPORTS / "site", baselines)
        say_result(as_json, {"page": str(first)}, f"site {first}")
        return 0
    if spans is not None:
        count = workflow.send_spans(run_or_latest(run), spans)
        say_result(as_json, {"spans": count}, f"sent {count} spans to {spans}")
        return 0
    contents = workflow.judge_run(run_or_latest(run), baselines, policy, score_progress())
    if as_markdown:
        click.echo(markdown(contents), nl=False)
        return 0
    page = write_page(contents, (out or workflow.REPORTS) / PAGE, baselines)
    click.echo(f"report {page}", err=as_json)
    say_result(
        as_json,
        {"page": str(page), "verdict": contents.judgement.verdict.value},
        contents.judgement.line,
    )
    return 0
