"""
The verbs that compare git revisions: ab, bisect.
"""

from collections.abc import Callable
from typing import Any

import click

from voxgate.harness.cli.options import (
    Amount,
    Command,
    Count,
    as_json,
    folder,
    iterations,
    only,
    profile,
    timeout,
    writing,
)
from voxgate.harness.cli.output import make_console, say, say_result
from voxgate.harness.report.junit import Files, write_files
from voxgate.harness.report.terminal import evidence_lines, paired_lines
from voxgate.harness.revisions import ab as versus
from voxgate.harness.revisions import ab_plan
from voxgate.harness.revisions import bisect as bisection
from voxgate.harness.revisions.bisect_result import evidence_rows, finding_line, search_to_dict
from voxgate.harness.revisions.paired_run import BASE
from voxgate.harness.runner.progress import measuring_progress, score_progress


def compared(verb: Command) -> Command:
    """Add the options that say how to compare two revisions."""
    options: tuple[Callable[[Command], Command], ...] = (
        profile,
        click.option(
            "--out",
            type=folder,
            help="Folder for the runs of both sides; the next runs/NNNN unless given.",
        ),
        click.option(
            "--resume",
            is_flag=True,
            help="Continue an interrupted comparison: that of --out, or the latest.",
        ),
        click.option(
            "--rounds",
            type=Count(1),
            default=ab_plan.ROUNDS,
            show_default=True,
            help="Fresh processes per cell and side, before more are added.",
        ),
        iterations,
        timeout,
    )
    for option in reversed(options):
        verb = option(verb)
    return verb


@click.command()
@writing
@click.argument("base")
@click.argument("head")
@click.argument("suite")
@compared
@only
@click.option(
    "--budget",
    "budget_s",
    type=Amount(positive=False),
    default=ab_plan.BUDGET_S,
    show_default=True,
    help="Seconds to add processes while something is undecided.",
)
@as_json
def ab(as_json: bool, files: Files, **options: Any) -> int:
    """
    Compare two git revisions in turns on this machine: is HEAD slower or worse than BASE?

    BASE and HEAD are commits, branches or tags; `.` is the working tree as it stands. Both speak
    the texts of SUITE in turns, so no stored baseline and no quiet machine is needed.

    \b
    Example: voxgate ab origin/main . smoke
    """
    result = versus.compare_revisions(
        ab_plan.ABPlan(**options), measuring_progress(), score_progress(), say
    )
    console, sides = make_console(stderr=as_json), (result.base.label, result.head.label)
    for line in paired_lines(
        result.contents, sides, result.control.shift, result.notes, console.width
    ):
        console.print(line, soft_wrap=True, highlight=False, markup=False)
    console.print(f"report {result.page}", soft_wrap=True, highlight=False, markup=False)
    document = versus.result_to_dict(result)
    beside = result.folder
    write_files(files, document, result.contents, beside / "baselines", beside / BASE)
    say_result(as_json, document, result.contents.judgement.line)
    return result.contents.judgement.exit_code


@click.command()
@click.argument("good")
@click.argument("bad")
@click.argument("suite")
@compared
@click.option(
    "--cell",
    metavar="SLUG",
    help="Search by this cell alone (beside the reference cell); by all cells unless given.",
)
@click.option(
    "--metric",
    metavar="NAME",
    help="Search by this metric, e.g. latency_p50; unless given, by the speed and the quality that "
    "regressed most clearly.",
)
@click.option(
    "--budget",
    "budget_s",
    type=Amount(positive=False),
    default=bisection.BUDGET_S,
    show_default=True,
    help="Seconds to add processes at one commit while it is undecided.",
)
@as_json
def bisect(
    good: str, bad: str, cell: str | None, metric: str | None, as_json: bool, **options: Any
) -> int:
    """
    Find the commit after GOOD, up to BAD, that made SUITE slower or worse.

    It halves the range again and again, comparing each commit with GOOD as `voxgate ab` does, and
    prints the evidence of every step. Exit code 0 where the commit is found, else 3.

    \b
    Example: voxgate bisect v1.4 HEAD smoke --cell nfe_steps-8
    """
    plan = ab_plan.ABPlan(base=good, head=bad, **options)
    search = bisection.bisect(plan, cell, metric, measuring_progress(), score_progress(), say)
    console = make_console(stderr=as_json)
    for line in [*map(finding_line, search.findings), *evidence_lines(evidence_rows(search))]:
        console.print(line, soft_wrap=True, highlight=False, markup=False)
    say_result(as_json, search_to_dict(search), search.line)
    return search.exit_code
