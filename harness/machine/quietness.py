"""
Whether the machine was left alone while a run was measured, as far as the run's own records tell.

Holds the snapshots before and after a run against the doctor's checks, and the disturbances of
single iterations against their rule. Changes no verdict; `disturbed` tells `judging/decide.py` when
there is too little left to judge by.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from voxgate.harness.machine.checks.check import CheckState, Facts
from voxgate.harness.machine.doctor import make_check
from voxgate.harness.machine.interference import interference_causes
from voxgate.harness.records.cell import Cell
from voxgate.harness.records.environment import RunEnvironment, Snapshot
from voxgate.harness.records.run import Phase, Run

STATUS_BY_CHECK: Mapping[str, str] = {
    "load": "loaded",
    "stolen-time": "loaded",
    "gpu-sharing": "loaded",
    "cpu-throttling": "throttled",
    "gpu-throttling": "throttled",
    "over-current": "throttled",
    "temperature": "hot",
    "swap": "swapping",
}
"""
The checks that tell something of a whole run, with the status of a machine on which they are unfit;
the first one counts.
"""
FIGURES = ("load", "stolen-time")
"""Checks whose figures are given of a quiet machine too."""
SETTINGS = ("governor", "turbo", "power_mode", "cpu_quota", "gpu_power_limit_w", "huge_pages")
"""Settings that must not change while a run is measured."""
QUIET, UNKNOWN = "quiet", "unknown"
"""Status of a machine of which nothing bad is known."""
TOO_MANY = 1 / 3
"""
Of a cell's measured iterations, disturbed: the rest was measured between disturbances and is no
fair picture any more.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineState:
    """
    `quiet`, `loaded`, `throttled`, `hot`, `swapping`, `changed` or `unknown`, and the figures that
    say so.
    """

    status: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Disturbed:
    """Share of a cell's measured iterations that were disturbed, and the causes."""

    share: float
    reason: str
    """
    `machine not quiet: 14 of 24 iterations disturbed (12 waited for the CPU)`; empty where none
    was.
    """

    @property
    def too_many(self) -> bool:
        """Whether what is left cannot carry a verdict on speed."""
        return self.share > TOO_MANY


def fitness(environment: RunEnvironment) -> MachineState:
    """Return how quiet the machine of a run was."""
    return state_between(
        environment.machine.facts, environment.before or {}, environment.after or {}
    )


def state_between(machine: Facts, before: Snapshot, after: Snapshot) -> MachineState:
    """Return how quiet a machine was between two snapshots."""
    before = {"cores": machine["cores"], **before} if "cores" in machine else before
    answers = {name: make_check(name).expect(before, after) for name in STATUS_BY_CHECK}
    if answers["load"].state is CheckState.UNKNOWN:
        return MachineState(status=UNKNOWN, detail=answers["load"].shown)
    unfit = [name for name in STATUS_BY_CHECK if answers[name].state is CheckState.UNFIT]
    changed = _changed(before, after)
    found = [STATUS_BY_CHECK[name] for name in unfit] + ["changed"] * bool(changed) + [QUIET]
    names = dict.fromkeys((*FIGURES, *unfit))
    return MachineState(
        status=found[0], detail=", ".join([*(answers[name].shown for name in names), *changed])
    )


def disturbed(run: Run, slug: str) -> Disturbed:
    """
    Return the share of a cell's measured iterations that does not count, and the causes, the
    commonest first.
    """
    processes = [process for process in run.processes if process.cell == slug]
    iterations = [
        iteration
        for process in processes
        for iteration in process.iterations
        if iteration.phase is Phase.MEASURED
    ]
    disturbed_iterations = [
        causes for iteration in iterations if (causes := interference_causes(iteration))
    ]
    if not disturbed_iterations:
        return Disturbed(share=0.0, reason="")
    counts = Counter(cause for causes in disturbed_iterations for cause in causes)
    what = ", ".join(f"{count} {cause}" for cause, count in counts.most_common())
    count = len(disturbed_iterations)
    reason = f"machine not quiet: {count} of {len(iterations)} iterations disturbed ({what})"
    return Disturbed(share=len(disturbed_iterations) / len(iterations), reason=reason)


def _changed(before: Facts, after: Facts) -> list[str]:
    names = [
        name
        for name in SETTINGS
        if name in before and name in after and before[name] != after[name]
    ]
    return [f"{name} {before[name]} at the start, {after[name]} at the end" for name in names]


def restlessness(run: Run, cells: Sequence[Cell] | None = None) -> str:
    """
    Return why the machine was not quiet while these cells' speeds were measured; empty if it was.
    None means all cells of the run.
    """
    machine = fitness(run.environment)
    if machine.status not in (QUIET, UNKNOWN):
        return f"the machine was {machine.status} ({machine.detail})"
    shaken = [
        f"{cell.slug}: {noise.reason}"
        for cell in (run.cells if cells is None else cells)
        if (noise := disturbed(run, cell.slug)).too_many
    ]
    return shaken[0] if shaken else ""
