"""
Options that several verbs share.

Nothing here measures or judges; a default is read from the module that owns it.
"""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from voxgate.harness.history.address import DEFAULT_URL, VARIABLE
from voxgate.harness.judging.baseline import BASELINES
from voxgate.harness.machine.profiles import DEFAULT as DEFAULT_PROFILE
from voxgate.harness.records.run import MOST_ROUNDS
from voxgate.harness.report.junit import Files, check_file, check_files
from voxgate.harness.runner.runner import TIMEOUT_S

Command = Callable[..., int]

MOST = 1_000_000
"""Largest count that an option takes; beyond, a typing error would fill memory or the disk."""
MOST_SECONDS = 1e8
"""Three years: the largest number with a fraction. No clock of the system can wait much longer."""


class Count(click.IntRange):
    """A whole number from `least` to `most`; the help shows only the lower bound."""

    name = "number"

    def __init__(self, least: int, most: int = MOST) -> None:
        super().__init__(least)
        self.most = most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number; fail for one out of bounds."""
        number = super().convert(value, param, ctx)
        if number > self.most:
            self.fail(f"{value} is more than {self.most}.", param, ctx)
        return number


class Amount(click.FloatRange):
    """A finite number of at least 0, or above 0; the help shows only the lower bound."""

    name = "number"

    def __init__(self, *, positive: bool = True) -> None:
        super().__init__(0, min_open=positive)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number; fail for NaN and for one out of bounds."""
        number = super().convert(value, param, ctx)
        if not number <= MOST_SECONDS:
            self.fail(f"{value} is no number up to {MOST_SECONDS:.0f}.", param, ctx)
        return number


folder = click.Path(path_type=Path, file_okay=False)


file = click.Path(path_type=Path, dir_okay=False)


as_json = click.option(
    "--json", "as_json", is_flag=True, help="One JSON document on standard output."
)


baselines = click.option(
    "--baselines",
    type=folder,
    default=BASELINES,
    show_default=True,
    help="Folder of the accepted baselines.",
)


database = click.option(
    "--history",
    "url",
    envvar=VARIABLE,
    default=DEFAULT_URL,
    show_default=True,
    show_envvar=True,
    metavar="URL",
    help="The database: sqlite:///FILE or postgresql://USER@HOST/NAME.",
)

HISTORY: dict[str, Any] = {
    "envvar": VARIABLE,
    "show_envvar": True,
    "metavar": "URL",
    "help": "Append the result to this history database.",
}


policy = click.option(
    "--policy",
    type=file,
    help="File of limits that replace default ones, in place of policy.toml in the baselines.",
)

profile = click.option(
    "--profile",
    default=DEFAULT_PROFILE,
    show_default=True,
    metavar="NAME",
    help="Kind of device, and how it is set up: a name that `voxgate doctor --help` lists, or the "
    "path of a .toml file.",
)

only = click.option(
    "--only",
    multiple=True,
    metavar="PATTERN",
    help="Only cells whose name matches, e.g. 'nfe_steps-8*'; may be repeated. The reference "
    "cell is always measured.",
)

iterations = click.option(
    "--iterations",
    type=Count(1),
    help="Times that each process speaks all texts; as the suite has it unless given.",
)


timeout = click.option(
    "--timeout",
    "timeout_s",
    type=Amount(),
    default=TIMEOUT_S,
    show_default=True,
    help="Seconds that loading the engine, or one synthesis, may take before the cell fails.",
)


html_page = click.option(
    "--html",
    type=file,
    callback=lambda _context, _option, path: check_file(path),
    help="Write the result to FILE as a page that needs only a browser.",
)


def planned(verb: Command) -> Command:
    """Add the argument and options that say what to measure."""
    options: tuple[Callable[[Command], Command], ...] = (
        click.argument("suite"),
        profile,
        click.option(
            "--out", type=folder, help="Folder for the run; the next runs/NNNN unless given."
        ),
        click.option(
            "--repeats",
            type=Count(1, MOST_ROUNDS),
            help="Fresh processes per cell; as the suite has it unless given.",
        ),
        iterations,
        only,
        click.option(
            "--resume",
            is_flag=True,
            help="Continue an interrupted run: that of --out, or the latest.",
        ),
        click.option(
            "--spans",
            is_flag=True,
            help="Keep when each iteration and each stage ran, for `voxgate report --spans`; costs "
            "microseconds, and the run says that it was on.",
        ),
        timeout,
    )
    for option in reversed(options):
        verb = option(verb)
    return verb


def writing(verb: Command) -> Command:
    """
    Add the options that name files for a CI system; the verb gets them as `files`, checked before
    any work.
    """

    @click.option(
        "--comment", type=file, help="Write a pull request's comment to FILE, as Markdown."
    )
    @click.option("--junit", type=file, help="Write JUnit XML to FILE, a test case per cell.")
    @click.option(
        "--pictures",
        type=folder,
        help="Write PNG pictures for a comment to this folder: the shifts, and the spectrograms of "
        "both voices at the worst moment.",
    )
    @functools.wraps(verb)
    def with_files(
        *, comment: Path | None, junit: Path | None, pictures: Path | None, **options: Any
    ) -> int:
        files = Files(comment=comment, junit=junit, pictures=pictures)
        return verb(files=check_files(files), **options)

    return with_files
