"""
The command line: a table of verbs, each imported when it is called.

A verb calls `workflow`, prints, and returns the exit code: 0 pass or improved; 1 something
regressed or failed; 2 wrong use or configuration, or an accident (`voxgate.harness.errors`); 3
something could not be decided; 130 interrupted. The last line that a verb prints without --json is
its verdict; with --json, standard output holds one JSON document and nothing else.
"""

import os
import sys
from collections.abc import Sequence
from importlib import import_module

import click

from voxgate.harness.errors import DEBUG, SessionInterruptedError, guarded, one_line, watched_output

INTERRUPTED = 130
COMPLETE = "_VOXGATE_COMPLETE"
"""Environment variable in which a shell asks click for completions."""

VERBS = {
    "init": ("init", "Start here: write a first suite and its CI into your engine's repository."),
    "check": ("suite_verbs", "Measure a suite, judge it against its baseline, write a page."),
    "accept": ("suite_verbs", "Make a run the baseline that later checks compare with."),
    "ab": ("revision_verbs", "Compare two git revisions on this machine; needs no baseline."),
    "bisect": ("revision_verbs", "Find the commit that made a suite slower or worse."),
    "run": ("suite_verbs", "Measure a suite, and judge nothing: the first half of check."),
    "gate": ("suite_verbs", "Judge a run that was measured before: the second half of check."),
    "report": ("suite_verbs", "Write the HTML page of a run, or the site of all runs."),
    "score": ("score", "Score a folder of recordings with their texts, or compare several."),
    "history": ("history", "List, import and export all runs; is anything getting worse?"),
    "load": ("load", "Measure a server under many requests at once."),
    "doctor": (
        "machine_verbs",
        "Check whether this machine is quiet and steady enough to measure.",
    ),
    "floor": ("machine_verbs", "Measure the recogniser's error rate on known-good speech."),
    "calibrate": ("calibrate", "Measure how far an engine's own takes differ; propose margins."),
    "selftest": ("machine_verbs", "Measure how far this machine's verdicts can be trusted."),
}
"""Verb -> the module in this folder that holds it under that name, and its line in the overview."""


class VerbGroup(click.Group):
    """The verbs by name; only the one that is called is imported."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the table."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a verb. Returns None for a name that is none."""
        if cmd_name not in VERBS:
            return None
        module = import_module(f"voxgate.harness.cli.{VERBS[cmd_name][0]}")
        verb: click.Command = getattr(module, cmd_name)
        return verb

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the overview from the table, so that help imports no verb."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in VERBS.items()])


@click.group(cls=VerbGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="voxgate", prog_name="voxgate", message="%(prog)s %(version)s")
@click.option(
    "--debug",
    is_flag=True,
    help=f"Show the traceback of an unexpected exception, as {DEBUG}=1 does.",
)
def cli(debug: bool) -> None:
    """
    Measure how fast and how good a voice engine is, compare that with a reviewed baseline or with
    another revision, and fail where it got worse.

    A suite is a file in suites/: which configurations of the engine speak which texts; SUITE is
    its name. Each configuration is a cell. A run is one measurement of a suite, kept in runs/NNNN.

    \b
    Exit codes:
      0    pass or improved
      1    something regressed or failed
      2    wrong use or configuration
      3    nothing regressed, but something could not be decided
      130  interrupted

    \b
    Example: voxgate init, then the command that it prints
    """
    if debug:
        os.environ[DEBUG] = "1"  # and workers inherit it


def invoke(arguments: Sequence[str] | None = None) -> int:
    """
    Run one command and return its exit code: what goes wrong is one line on standard error, never a
    traceback.
    """
    return guarded("voxgate", lambda: _run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    if COMPLETE in os.environ:
        return _complete(arguments)
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
        click.echo(
            f"interrupted; nothing measured is lost, continue with: {one_line(str(error))}",
            err=True,
        )
        return INTERRUPTED
    except click.Abort:
        click.echo("interrupted", err=True)
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return 2


def _complete(arguments: Sequence[str] | None) -> int:
    """Answer a shell that asks for completions. Click ends that by SystemExit: no accident."""
    try:
        cli.main(args=arguments, prog_name="voxgate", standalone_mode=False)
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def main() -> None:
    """Run the command of this process."""
    sys.stdout = watched_output(sys.stdout)
    sys.exit(invoke())
