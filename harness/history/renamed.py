"""
Renamed machines: settings became part of a machine's name, so its series begin anew.

The old series lack every night from then on. That it is the same machine cannot be proven, so a
person declares it.
"""

import shlex
from collections.abc import Iterable, Mapping, Sequence

from voxgate.harness.history.records import RunRow, Series


def renamed(runs: Sequence[RunRow], silent: Iterable[Series]) -> tuple[str, ...]:
    """
    Return, a line for each suite, how to continue series that lack data because their machine has
    another name now.
    """
    first: dict[tuple[str, str], RunRow] = {}
    for run in runs:
        machine = run.environment.get("machine")
        former = machine.get("former_id") if isinstance(machine, Mapping) else None
        if isinstance(former, str):
            first.setdefault((run.suite, former), run)
    places = dict.fromkeys((trend.suite, trend.machine) for trend in silent)
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
