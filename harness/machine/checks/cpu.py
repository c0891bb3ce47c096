"""
Checks of the CPUs: frequency and governor, load by others, and the quota of a container.

A virtual machine shows no frequency control; its host decides, and the result is unknown. A host
takes time only from a guest that wants it, so the stolen share is counted of the time that was
wanted, and the doctor works for a moment between its two readings. A quota below the number of CPUs
stops every thread for the rest of a period of usually 100 ms, which no average shows. It may stand
at any group above ours, in version 1 (cpu.cfs_quota_us) or 2 (cpu.max) of the interface
(cgroups(7)).
"""

import re
from pathlib import PurePosixPath

from voxgate.harness.machine.checks.check import (
    Check,
    CheckResult,
    Facts,
    SystemRoot,
    fit,
    growth,
    number,
    unfit,
    unknown,
    word,
)

CPUS = "sys/devices/system/cpu"
NO_TURBO = f"{CPUS}/intel_pstate/no_turbo"
BOOST = f"{CPUS}/cpufreq/boost"
REACHED_SHARE = 0.9
"""
Of its limit, that a busy CPU must reach. All-core turbo and one step of the frequency table stay
above.
"""
HIDDEN = "no cpufreq: the host or the firmware sets the clock"


class Governor(Check):
    """Who chooses the frequency."""

    expects = "performance on every CPU"
    advice = "sudo cpupower frequency-set --governor performance"

    def read(self, tree: SystemRoot) -> Facts:
        """Read the governors of all CPUs, each named once."""
        matches = {
            tree.text(path) for path in tree.paths(f"{CPUS}/cpu[0-9]*/cpufreq/scaling_governor")
        }
        names = sorted(entry for entry in matches if entry)
        return {"governor": " ".join(names)} if names else {}

    def expect(self, before: Facts, after: Facts) -> CheckResult:
        """Judge the later reading."""
        governor = word(after, "governor")
        if governor is None:
            return unknown(HIDDEN)
        return fit(governor) if governor == "performance" else unfit(governor)


class Turbo(Check):
    """Whether the clock rises while the chip is cool and few cores work: then it also falls."""

    expects = "off, so that the clock does not depend on temperature and neighbours"
    advice = f"echo 1 | sudo tee /{NO_TURBO}"

    def read(self, tree: SystemRoot) -> Facts:
        """Read Intel's switch, or everybody else's."""
        off, boost = tree.number(NO_TURBO), tree.number(BOOST)
        if off is not None:
            return {"turbo": "off" if off else "on"}
        return {} if boost is None else {"turbo": "on" if boost else "off", "turbo_switch": BOOST}

    def expect(self, before: Facts, after: Facts) -> CheckResult:
        """Judge the later reading."""
        turbo = word(after, "turbo")
        if turbo is None:
            return unknown(HIDDEN)
        switch = word(after, "turbo_switch")
        return (
            fit("off")
            if turbo == "off"
            else unfit("on", f"echo 0 | sudo tee /{switch}" if switch else "")
        )


class SharedCores(Check):
    """
    Whether two CPUs of the system are two threads of one core: a neighbour takes up to half of the
    speed.
    """

    expects = "one thread per core"
    advice = f"echo off | sudo tee /{CPUS}/smt/control"

    def read(self, tree: SystemRoot) -> Facts:
        """Read which CPUs share a core (SMT, Hyper-Threading)."""
        siblings = [
            tree.text(path)
            for path in tree.paths(f"{CPUS}/cpu[0-9]*/topology/thread_siblings_list")
        ]
        shared = sum(bool(re.search(r"[,-]", sibling)) for sibling in siblings if sibling)
        return {"shared_core_cpus": shared} if siblings else {}

    def expect(self, before: Facts, after: Facts) -> CheckResult:
        """Judge the later reading."""
        shared = number(after, "shared_core_cpus")
        if shared is None:
            return unknown("the system does not tell which CPUs share a core")
        return (
            unfit(f"{shared:g} CPUs share their core with another")
            if shared
            else fit("one thread per core")
        )


class Frequency(Check):
    """Whether a busy CPU runs as fast as it may."""

    expects = f"a busy CPU reaches {REACHED_SHARE:.0%} of its limit"
    advice = (
        "sudo turbostat --quiet --interval 1    # what holds the clock down: power, heat, or the "
        "governor"
    )

    def read(self, tree: SystemRoot) -> Facts:
        """Read the clock of the fastest CPU and its limit, in Hz (cpufreq counts kHz)."""
        folders = [
            path.rpartition("/")[0]
            for path in tree.paths(f"{CPUS}/cpu[0-9]*/cpufreq/scaling_cur_freq")
        ]
        clocks = [
            (tree.number(f"{folder}/scaling_cur_freq"), tree.number(f"{folder}/scaling_max_freq"))
            for folder in folders
        ]
        pairs = [(now, limit) for now, limit in clocks if now is not None and limit]
        if not pairs:
            return {}
        now, limit = max(pairs)
        return {"cpu_hz": now * 1000, "cpu_limit_hz": limit * 1000}

    def expect(self, before: Facts, after: Facts) -> CheckResult:
        """Judge the later reading, which comes right after work."""
        now, limit = number(after, "cpu_hz"), number(after, "cpu_limit_hz")
        if now is None or limit is None:
            return unknown(HIDDEN)
        figures = f"{now / 1e9:.2f} of {limit / 1e9:.2f} GHz"
        return fit(figures) if now >= REACHED_SHARE * limit else unfit(figures)


LOAD_SHARE = 0.5
"""
A load average above half of the cores before anything was started means that somebody else is, or
was, at work.
"""
PRESSURE_SHARE = 0.1
"""
Share of the last ten seconds in which some task waited for a CPU; starting this program alone makes
a few per cent.
"""
STOLEN_SHARE = 0.02
"""CPU time taken by the host; 2 % is as much as the quietest processes differ among themselves."""
WAITED_SHARE = 0.02
"""Time that a busy process waited for a CPU; the same 2 %."""
MIN_TICKS = 20
"""Of wanted CPU time, below which a share in steps of one tick says nothing."""
MIN_BUSY_S = 0.1
"""Of own work, below which the share of waiting says nothing."""


class RunQueue(Check):
    """Load of others when measuring begins."""

    expects = (
        f"a load below {LOAD_SHARE:g} per CPU or nobody else at work any more, and no task waiting "
        "for a CPU"
    )
    advice = "top -o %CPU    # and end or wait for what uses the CPUs"

    def read(self, tree: SystemRoot) -> Facts:
        """Read load average, pressure, and the number of CPUs."""
        load = re.match(r"([\d.]+) \S+ \S+ (\d+)/", tree.text("proc/loadavg") or "")
        pressure = re.match(r"some avg10=([\d.]+)", tree.text("proc/pressure/cpu") or "")
        cores = len(re.findall(r"^cpu\d", tree.text("proc/stat") or "", flags=re.MULTILINE))
        facts: dict[str, object] = {}
        if load is not None:  # this process is one of those that run
            facts = {
                "load_1min": float(load.group(1)),
                "others_running": max(0, int(load.group(2)) - 1),
            }
        facts |= {} if pressure is None else {"pressure_share": float(pressure.group(1)) / 100}
        return facts | ({"cores": cores} if cores else {})

    def expect(self, before: Facts, after: Facts) -> CheckResult:
        """Judge the first reading alone: the second holds our own work."""
        load, cores, pressure = (
            number(before, name) for name in ("load_1min", "cores", "pressure_share")
        )
        if load is None or cores is None:
            return unknown("the system does not tell its load")
        figures = f"load {load:g} on {cores:g} cores at the start"
        waiting = pressure is not None and pressure > PRESSURE_SHARE
        if waiting:
            figures += f", tasks waited for a CPU in {(pressure or 0.0) * 100:.0f} % of the time"
        if (
            not waiting
            and LOAD_SHARE * cores < load <= cores
            and number(before, "others_running") == 0
        ):
            # the average forgets within minutes, such as an own earlier run
            return fit(f"{figures}, of work that has ended")
        return unfit(figures) if waiting or load > LOAD_SHARE * cores else fit(figures)


class StolenTime(Check):
    """CPU time that the host of a virtual machine gave to others."""

    expects = f"at most {STOLEN_SHARE:.0%} of the CPU time stolen by the host"
    advice = (
        "mpstat -P ALL 1 10    # steal stays high: move to another host, or a machine with CPUs of "
        "its own"
    )

    def read(self, tree: SystemRoot) -> Facts:
        """Read the ticks of all CPUs since the start: all, idle, stolen."""
        matches = re.match(r"cpu +([\d ]+)", tree.text("proc/stat") or "")
        # user nice system idle iowait irq softirq steal guest guest_nice (proc(5)); guest time is
        # part of user
        ticks = [int(part) for part in matches.group(1).split()] if matches else []
        if len(ticks) < 8:
            return {}
        return {
            "ticks": sum(ticks[:8]),
            "idle_ticks": ticks[3] + ticks[4],
            "stolen_ticks": ticks[7],
        }

    def expect(self, before: Facts, after: Facts) -> CheckResult:
        """Judge the share of the wanted time in between."""
        share = stolen_share(before, after)
        if share is None:
            return unknown("stolen time not known")
        figures = f"{share * 100:.1f} % of the CPU time stolen by the host"
        return unfit(figures) if share > STOLEN_SHARE else fit(figures)


class Contention(Check):
    """Time that this process, at work, waited for the CPU it measures on."""

    expects = f"a busy process waits less than {WAITED_SHARE:.0%} of its time"
    advice = (
        "ps -eo psr,pcpu,comm --sort -pcpu | head    # and move what runs on that CPU with taskset "
        "-p"
    )

    def read(self, tree: SystemRoot) -> Facts:
        """Read this process's own time at work and in the queue (proc(5): nanoseconds)."""
        matches = re.match(r"(\d{1,19}) (\d{1,19})\b", tree.text("proc/self/schedstat") or "")
        return (
            {}
            if matches is None
            else {
                "own_work_s": int(matches.group(1)) / 1e9,
                "own_wait_s": int(matches.group(2)) / 1e9,
            }
        )

    def expect(self, before: Facts, after: Facts) -> CheckResult:
        """Judge the share of waiting in between, if there was work at all."""
        work_s, wait_s = growth(before, after, "own_work_s"), growth(before, after, "own_wait_s")
        if work_s is None or wait_s is None:
            return unknown("the kernel keeps no schedstat")
        if work_s + wait_s < MIN_BUSY_S:
            return unknown("nothing of ours ran meanwhile")
        share = wait_s / (work_s + wait_s)
        figures = f"a busy process waited {share * 100:.1f} % of its time for its CPU"
        return unfit(figures) if share > WAITED_SHARE else fit(figures)


def stolen_share(before: Facts, after: Facts) -> float | None:
    """
    Return the share of the requested CPU time that the host took between two readings; None if
    unknown.
    """
    ticks, stolen = growth(before, after, "ticks"), growth(before, after, "stolen_ticks")
    if ticks is None or stolen is None:
        return None
    used_ticks = ticks - (growth(before, after, "idle_ticks") or 0.0)
    return stolen / used_ticks if used_ticks >= MIN_TICKS else None


MOUNTS = ("sys/fs/cgroup", "sys/fs/cgroup/unified")
"""Where version 2 is mounted: alone, or beside version 1."""
NONE = "none"


class CpuQuota(Check):
    """CPU time available to this control group."""

    expects = "no quota below the number of CPUs"
    advice = "docker update --cpus 0 CONTAINER    # or pin whole CPUs with --cpuset-cpus"

    def read(self, tree: SystemRoot) -> Facts:
        """Read the smallest quota above us, in CPUs."""
        folders = group_folders(tree)
        quotas = [quota for folder in folders if (quota := _quota(tree, folder)) is not None]
        return {"cpu_quota": min(quotas) if quotas else NONE} if folders else {}

    def expect(self, before: Facts, after: Facts) -> CheckResult:
        """Hold it against the number of CPUs."""
        quota, cores = number(after, "cpu_quota"), number(after, "cores")
        if after.get("cpu_quota") == NONE:
            return fit(NONE)
        if quota is None or cores is None:
            return unknown("the system does not tell our control group")
        figures = f"{quota:g} of {cores:g} CPUs"
        return unfit(figures) if quota < cores else fit(figures)


class CpuThrottling(Check):
    """Number of times this control group was stopped for having used up its quota."""

    expects = "never stopped by the quota"
    advice = CpuQuota.advice

    def read(self, tree: SystemRoot) -> Facts:
        """Read the counts of all groups above us: periods in which it was stopped, and seconds."""
        stats = (tree.text(f"{folder}/cpu.stat") or "" for folder in group_folders(tree))
        tables = (dict(re.findall(r"^(\w+) (\d+)$", stat, flags=re.MULTILINE)) for stat in stats)
        counted = [entry for entry in tables if "nr_throttled" in entry]
        if not counted:
            return {}
        seconds = [
            int(entry.get("throttled_usec", 0)) / 1e6 + int(entry.get("throttled_time", 0)) / 1e9
            for entry in counted
        ]
        return {
            "throttled_periods": sum(int(entry["nr_throttled"]) for entry in counted),
            "throttled_s": sum(seconds),
        }

    def expect(self, before: Facts, after: Facts) -> CheckResult:
        """Judge what was added in between; a group without a quota is never stopped."""
        periods = growth(before, after, "throttled_periods")
        stopped_s = growth(before, after, "throttled_s")
        if after.get("cpu_quota") == NONE:
            return fit("no quota")
        if periods is None or stopped_s is None:
            return unknown("the system does not count it")
        return (
            unfit(f"stopped {periods:.0f} times, {stopped_s:.1f} s in all, by the CPU quota")
            if periods
            else fit("never")
        )


def group_folders(tree: SystemRoot) -> tuple[str, ...]:
    """
    Name the folders of our control groups that may hold a CPU quota, ours first, its ancestors
    behind it.
    """
    folders = []
    for line in (tree.text("proc/self/cgroup") or "").splitlines():
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        if controllers and "cpu" not in controllers.split(","):
            continue
        mounts = (f"sys/fs/cgroup/{controllers}", "sys/fs/cgroup/cpu") if controllers else MOUNTS
        folders += [
            _below(mount, group) for mount in dict.fromkeys(mounts) for group in _ancestry(path)
        ]
    return tuple(dict.fromkeys(folders))


def _ancestry(path: str) -> list[PurePosixPath]:
    group = PurePosixPath("/") / path
    return [group, *group.parents]


def _below(mount: str, group: PurePosixPath) -> str:
    return str(PurePosixPath(mount) / group.relative_to("/"))


def _quota(tree: SystemRoot, folder: str) -> float | None:
    """Return the quota of one group in CPUs; None if it has none."""
    quota, _, period = (tree.text(f"{folder}/cpu.max") or "").partition(" ")
    if quota.isdecimal() and period.isdigit() and int(period):
        return int(quota) / int(period)
    quota_us, period_us = (
        tree.number(f"{folder}/cpu.cfs_{name}_us") for name in ("quota", "period")
    )
    return quota_us / period_us if quota_us is not None and quota_us > 0 and period_us else None
