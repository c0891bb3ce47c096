"""All kinds of input, by name."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.fuzz import asked, files, histories, machines, runs, sound, wire
from tests.fuzz.driver import Fuzzer

KINDS: Mapping[str, Callable[[Path], Fuzzer]] = {
    each.name: each
    for each in (
        runs.Runs,
        files.Baselines,
        files.Policies,
        files.Budgets,
        files.Workloads,
        files.Projects,
        asked.Suites,
        asked.Options,
        asked.Words,
        asked.Addresses,
        asked.Dates,
        histories.Rows,
        histories.Imports,
        machines.Machines,
        wire.Answers,
        wire.Requests,
        wire.Documents,
        wire.Comments,
        sound.AudioFiles,
        sound.Weights,
        sound.Texts,
    )
}


def shares(inputs: int) -> dict[str, int]:
    """Return how many inputs of so many, or a few more, each kind gets."""
    whole = sum(kind.share for kind in KINDS.values())  # type: ignore[attr-defined]
    return {name: math.ceil(inputs * kind.share / whole) for name, kind in KINDS.items()}  # type: ignore[attr-defined]
