"""
Is this machine ready to measure under a profile? Before a run: refused, or told what disturbs.
"""

import os
import re
from collections.abc import Callable, Collection, Mapping

from voxgate.harness.machine import doctor
from voxgate.harness.machine.checks import check
from voxgate.harness.machine.checks.check import CheckState, SystemRoot
from voxgate.harness.machine.checks.cpu import RunQueue
from voxgate.harness.machine.clock import sleep
from voxgate.harness.machine.doctor import Examination
from voxgate.harness.machine.identity import machine
from voxgate.harness.machine.profiles import DEFAULT, Profile, allowed_cpus, get_profile

SAMPLE_S = 0.25
"""Between the two readings that tell which processes are at work."""
TICKS_PER_S = 100
"""Of the times in /proc/PID/stat, on every Linux that voxgate runs on."""
LEAST_SHARE = 0.1
"""Of a CPU: processes that use less are not named."""
NAMED = 4


def ready_profile(name: str) -> Profile:
    """
    Return a profile that this machine may measure under.

    Raises HarnessError for an unknown profile, or where the machine rules it out.
    """
    profile = get_profile(name)
    doctor.refuse_unfit(profile.name, profile.requires, check.here())
    return profile


def examine(name: str = DEFAULT) -> Examination:
    """
    Check whether this machine is fit for a profile. Raises HarnessError for an unknown profile.
    """
    chosen = get_profile(name)
    cpus = allowed_cpus()
    cpu = cpus[-1] if chosen.pin and cpus else None
    return doctor.examine(
        chosen.name, str(machine()["id"]), chosen.requires, check.here(), lambda: doctor.busy(cpu)
    )


def disturbance(tree: SystemRoot | None = None, wait: Callable[[float], None] = sleep) -> str:
    """
    Return, before anything is measured, why this machine is busy, by whom, and what to do; empty
    where it is not, or does not tell.
    """
    tree = tree or check.here()
    facts = RunQueue().read(tree)
    answer = RunQueue().expect(facts, facts)
    if answer.state is not CheckState.UNFIT:
        return ""
    before = _cpu_ticks(tree)
    wait(SAMPLE_S)
    names = _busiest(before, _cpu_ticks(tree))
    by = f"; at work: {', '.join(names)}" if names else ""
    return (
        f"this machine is busy ({answer.shown}{by}); speeds may stay undecided: end these "
        "processes, or wait until `voxgate doctor` finds the load fit"
    )


def _cpu_ticks(tree: SystemRoot) -> dict[int, tuple[str, int]]:
    """Return the name and the CPU time so far, in clock ticks, of every process, by its number."""
    ticks: dict[int, tuple[str, int]] = {}
    for path in tree.paths("proc/[0-9]*/stat"):
        found = re.match(r"(\d+) \((.*)\) \S(?: -?\d+){10} (\d+) (\d+) ", tree.text(path) or "")
        if found is not None:
            name = "".join(each if each.isprintable() else "?" for each in found[2])
            ticks[int(found[1])] = name, int(found[3]) + int(found[4])
    return ticks


def _busiest(
    before: Mapping[int, tuple[str, int]],
    after: Mapping[int, tuple[str, int]],
    own: Collection[int] = (os.getpid(), os.getppid()),
) -> list[str]:
    """Return the processes that used most of a CPU in between: `pytest (pid 12) 90 % of a CPU`."""
    used = {
        pid: ticks - before[pid][1]
        for pid, (_, ticks) in after.items()
        if pid in before and pid not in own
    }
    whole = SAMPLE_S * TICKS_PER_S
    order = sorted(used, key=lambda pid: -used[pid])
    return [
        f"{after[pid][0]} (pid {pid}) {used[pid] / whole * 100:.0f} % of a CPU"
        for pid in order[:NAMED]
        if used[pid] > LEAST_SHARE * whole
    ]
