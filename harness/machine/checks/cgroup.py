"""
Knobs: the CPU quota of a container, and how often it stopped us.

A quota below the number of CPUs stops every thread for the rest of a period of usually 100 ms, which no average shows. It may
stand at any group above ours, in version 1 (cpu.cfs_quota_us) or 2 (cpu.max) of the interface (cgroups(7)).
"""

import re
from pathlib import PurePosixPath

from harness.machine.checks.check import Answer, Facts, Knob, fit, growth, number, unfit, unknown
from harness.machine.checks.tree import Tree

MOUNTS = ("sys/fs/cgroup", "sys/fs/cgroup/unified")
"""Where version 2 is mounted: alone, or beside version 1."""
NONE = "none"


class CpuQuota(Knob):
    """How much CPU time our group may use."""

    expects = "no quota below the number of CPUs"
    advice = "docker update --cpus 0 CONTAINER    # or pin whole CPUs with --cpuset-cpus"

    def read(self, tree: Tree) -> Facts:
        """Read the smallest quota above us, in CPUs."""
        folders = group_folders(tree)
        quotas = [quota for folder in folders if (quota := _quota(tree, folder)) is not None]
        return {"cpu_quota": min(quotas) if quotas else NONE} if folders else {}

    def expect(self, before: Facts, after: Facts) -> Answer:
        """Hold it against the number of CPUs."""
        quota, cores = number(after, "cpu_quota"), number(after, "cores")
        if after.get("cpu_quota") == NONE:
            return fit(NONE)
        if quota is None or cores is None:
            return unknown("the system does not tell our control group")
        shown = f"{quota:g} of {cores:g} CPUs"
        return unfit(shown) if quota < cores else fit(shown)


class CpuThrottling(Knob):
    """How often our group was stopped for having used up its quota."""

    expects = "never stopped by the quota"
    advice = CpuQuota.advice

    def read(self, tree: Tree) -> Facts:
        """Read the counts of all groups above us: periods in which it was stopped, and seconds."""
        stats = [text for folder in group_folders(tree) if (text := tree.text(f"{folder}/cpu.stat"))]
        found = [dict(re.findall(r"^(\w+) (\d+)$", text, flags=re.MULTILINE)) for text in stats]
        counted = [each for each in found if "nr_throttled" in each]
        if not counted:
            return {}
        seconds = [int(each.get("throttled_usec", 0)) / 1e6 + int(each.get("throttled_time", 0)) / 1e9 for each in counted]
        return {"throttled_periods": sum(int(each["nr_throttled"]) for each in counted), "throttled_s": sum(seconds)}

    def expect(self, before: Facts, after: Facts) -> Answer:
        """Judge what was added in between; a group without a quota is never stopped."""
        periods, stopped_s = growth(before, after, "throttled_periods"), growth(before, after, "throttled_s")
        if after.get("cpu_quota") == NONE:
            return fit("no quota")
        if periods is None or stopped_s is None:
            return unknown("the system does not count it")
        return unfit(f"stopped {periods:.0f} times, {stopped_s:.1f} s in all, by the CPU quota") if periods else fit("never")


def group_folders(tree: Tree) -> tuple[str, ...]:
    """Name the folders of our control groups that may hold a CPU quota, ours first, its ancestors behind it."""
    folders = []
    for line in (tree.text("proc/self/cgroup") or "").splitlines():
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        if controllers and "cpu" not in controllers.split(","):
            continue
        mounts = (f"sys/fs/cgroup/{controllers}", "sys/fs/cgroup/cpu") if controllers else MOUNTS
        folders += [_below(mount, group) for mount in dict.fromkeys(mounts) for group in _ancestry(path)]
    return tuple(dict.fromkeys(folders))


def _ancestry(path: str) -> list[PurePosixPath]:
    group = PurePosixPath("/") / path
    return [group, *group.parents]


def _below(mount: str, group: PurePosixPath) -> str:
    return str(PurePosixPath(mount) / group.relative_to("/"))


def _quota(tree: Tree, folder: str) -> float | None:
    """Give the quota of one group in CPUs; None if it has none."""
    quota, _, period = (tree.text(f"{folder}/cpu.max") or "").partition(" ")
    if quota.isdigit() and period.isdigit() and int(period):
        return int(quota) / int(period)
    quota_us, period_us = (tree.number(f"{folder}/cpu.cfs_{name}_us") for name in ("quota", "period"))
    return quota_us / period_us if quota_us is not None and quota_us > 0 and period_us else None
