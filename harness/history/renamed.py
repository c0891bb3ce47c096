"""
Machines that have a new name: what is set on a machine became part of it, and its lines through
time begin anew.

The old lines lack every night from then on. Nobody can tell for sure that it is the same machine,
so a person says so.
"""

import shlex
from collections.abc import Iterable, Mapping, Sequence

from harness.history.records import RunRow, Series


def renamed(runs: Sequence[RunRow], silent: Iterable[Series]) -> tuple[str, ...]:
    """
    Return, a line for each suite, how to go on with series that lack data because their machine is
    called otherwise now.
    """
    first: dict[tuple[str, str], RunRow] = {}
    for run in runs:
        machine = run.environment.get("machine")
        former = machine.get("former_id") if isinstance(machine, Mapping) else None
        if isinstance(former, str):
            first.setdefault((run.suite, former), run)
    places = dict.fromkeys((each.suite, each.machine) for each in silent)
    return tuple(
        _told(suite, machine, first[suite, machine])
        for suite, machine in places
        if (suite, machine) in first
    )


def _told(suite: str, machine: str, run: RunRow) -> str:
    since = run.created[:10]
    command = (
        f"voxgate history acknowledge {shlex.quote(suite)} --machine {shlex.quote(machine)} "
        f"--since {since}"
    )
    return (
        f"{machine} is called {run.machine} since {since} ({suite}): what is set on it is part of "
        "its name. "
        f'If it is the same, end the old lines: {command} --why "..."'
    )
