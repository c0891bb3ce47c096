"""
One examination of a machine: what a profile requires, what was found, and the verdict on it. Starts
no engine, sets nothing.

Exit codes: 0 fit; 2 the profile is for another device; 3 something is unfit, or not known though it
must be.

The table of checks, by the name that profiles and people use, in the order of reading; and one
reading of them all.

To add a check: write its class in a file of this package, and one line here.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from voxgate.harness.errors import HarnessError
from voxgate.harness.machine.checks.calendar import SystemClockCheck
from voxgate.harness.machine.checks.check import Check, CheckResult, CheckState, Facts, SystemRoot
from voxgate.harness.machine.checks.cpu import (
    Contention,
    CpuQuota,
    CpuThrottling,
    Frequency,
    Governor,
    RunQueue,
    SharedCores,
    StolenTime,
    Turbo,
)
from voxgate.harness.machine.checks.gpu import (
    Gpu,
    GpuClock,
    GpuPersistence,
    GpuPowerSensor,
    GpuSharing,
    GpuThrottling,
)
from voxgate.harness.machine.checks.jetson import (
    Board,
    LockedCpu,
    LockedGpu,
    LockedMemory,
    PowerMode,
)
from voxgate.harness.machine.checks.jetson_power import Fan, OverCurrent, Rails
from voxgate.harness.machine.checks.memory import FreeMemory, Glibc, HugePages, Swap, Temperature
from voxgate.harness.machine.clock import WallClock
from voxgate.harness.python310 import StrEnum

WORK_S = 1.0
"""
How long the doctor keeps a CPU busy between its two readings: a hundred ticks, so that 2 % are two
of them.
"""
DEVICES = ("board", "gpu")
"""Checks that tell whether a profile is for this kind of device at all."""


class Action(StrEnum):
    """Consequence for a run on a machine where a requirement does not hold."""

    REFUSE = "refuse"
    MARK = "mark"


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One thing that must hold under a profile."""

    check: str
    action: Action = Action.MARK
    want: str = ""
    """Narrows what the check expects: a board, a power mode."""
    known: bool = True
    """
    Whether not knowing counts against the machine; a virtual one hides its clocks from everybody.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedRequirement:
    """One requirement and what was found."""

    requirement: Requirement
    answer: CheckResult
    expects: str
    advice: str
    """The command that sets it right; empty where nothing is wrong."""

    @property
    def counts(self) -> bool:
        """Whether it speaks against the machine."""
        state = self.answer.state
        return state is CheckState.UNFIT or (state is CheckState.UNKNOWN and self.requirement.known)

    @property
    def line(self) -> str:
        """Name the check and what it shows."""
        return f"{self.requirement.check}: {self.answer.shown}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """
    All findings on one machine under one profile: what is unfit first, then what is unknown, then
    the rest.
    """

    profile: str
    machine: str
    findings: tuple[CheckedRequirement, ...]

    @property
    def exit_code(self) -> int:
        """Exit code 0, 2 or 3, as the module says."""
        against = [finding for finding in self.findings if finding.counts]
        elsewhere = any(
            each.requirement.check in DEVICES and each.answer.state is CheckState.UNFIT
            for each in against
        )
        return 0 if not against else 2 if elsewhere else 3

    @property
    def line(self) -> str:
        """The verdict in one line."""
        if self.exit_code == 2:
            device = next(
                finding
                for finding in self.findings
                if finding.counts and finding.requirement.check in DEVICES
            )
            return f"profile {self.profile} is for another device: {device.answer.shown}"
        against = "; ".join(finding.line for finding in self.findings if finding.counts)
        number = {
            state: sum(finding.answer.state is state for finding in self.findings)
            for state in CheckState
        }
        counts = ", ".join(f"{count} {state}" for state, count in number.items() if count)
        words = f"{'not fit' if against else 'fit'} to measure with {self.profile} ({counts})"
        return f"{words}: {against}" if against else words


def examine(
    profile: str,
    machine: str,
    requirements: Sequence[Requirement],
    tree: SystemRoot,
    work: Callable[[], None],
) -> Examination:
    """
    Read everything, do some work, read everything again, and judge. Raises HarnessError for an
    unknown check.
    """
    before = snapshot(tree)
    work()
    after = snapshot(tree)
    findings = [_finding(requirement, before, after) for requirement in requirements]
    order = list(CheckState)
    ordered = sorted(
        findings, key=lambda finding: (not finding.counts, order.index(finding.answer.state))
    )
    return Examination(profile=profile, machine=machine, findings=tuple(ordered))


def refuse_unfit(profile: str, requirements: Sequence[Requirement], tree: SystemRoot) -> None:
    """
    Raise HarnessError, before any work, if something is unfit without which the profile means
    nothing.
    """
    strict = [requirement for requirement in requirements if requirement.action is Action.REFUSE]
    if not strict:
        return
    facts = snapshot(tree)
    wrong = [
        finding
        for each in strict
        if (finding := _finding(each, facts, facts)).answer.state is CheckState.UNFIT
    ]
    if wrong:
        reasons = "; ".join(
            f"{each.line} (expected {each.expects}; {each.advice})" for each in wrong
        )
        raise HarnessError(f"this machine is not fit for profile {profile}: {reasons}")


def busy(cpu: int | None) -> None:
    """
    Keep a CPU at work for WORK_S: this one, or whichever the system chooses. The rights of the
    process stay as they were.
    """
    allowed = os.sched_getaffinity(0) if cpu is not None else set()
    try:
        if cpu is not None:
            os.sched_setaffinity(0, {cpu})
        clock = WallClock()
        until_s = clock.seconds() + WORK_S
        while clock.seconds() < until_s:
            pass
    finally:
        if cpu is not None:
            os.sched_setaffinity(0, allowed)


def _finding(requirement: Requirement, before: Facts, after: Facts) -> CheckedRequirement:
    check = make_check(requirement.check, requirement.want)
    answer = check.expect(before, after)
    advice = "" if answer.state is CheckState.FIT else answer.advice or check.advice
    return CheckedRequirement(
        requirement=requirement, answer=answer, expects=check.expects, advice=advice
    )


CHECKS: Mapping[str, type[Check]] = MappingProxyType(
    {
        "board": Board,
        "power-mode": PowerMode,
        "cpu-clocks": LockedCpu,
        "gpu-clocks": LockedGpu,
        "memory-clock": LockedMemory,
        "gpu": Gpu,
        "gpu-clock": GpuClock,
        "gpu-power": GpuPowerSensor,
        "gpu-throttling": GpuThrottling,
        "gpu-sharing": GpuSharing,
        "gpu-persistence": GpuPersistence,
        "load": RunQueue,
        "stolen-time": StolenTime,
        "contention": Contention,
        "cpu-quota": CpuQuota,
        "cpu-throttling": CpuThrottling,
        "governor": Governor,
        "turbo": Turbo,
        "shared-cores": SharedCores,
        "frequency": Frequency,
        "temperature": Temperature,
        "over-current": OverCurrent,
        "rails": Rails,
        "fan": Fan,
        "memory": FreeMemory,
        "swap": Swap,
        "huge-pages": HugePages,
        "glibc": Glibc,
        "clock": SystemClockCheck,
    }
)


def make_check(name: str, want: str = "") -> Check:
    """Return a check by name. Raises HarnessError for an unknown name."""
    if name not in CHECKS:
        raise HarnessError(f"unknown check {name!r}; known are {', '.join(CHECKS)}")
    return CHECKS[name](want)


def snapshot(tree: SystemRoot) -> dict[str, object]:
    """Read the facts of all checks at this moment."""
    facts: dict[str, object] = {}
    for kind in CHECKS.values():
        facts |= kind().read(tree)
    return facts
