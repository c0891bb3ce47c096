"""
Knobs: what others do to the CPUs. Their tasks, the host's other guests, and how long a busy process of ours waits for a CPU.

A host takes time only from a guest that wants it, so the stolen share is counted of the time that was wanted, and the doctor
works for a moment between its two readings.
"""

import re

from harness.machine.checks.check import Answer, Facts, Knob, fit, growth, number, unfit, unknown
from harness.machine.checks.tree import Tree

LOAD_SHARE = 0.5
"""A load average above half of the cores before anything was started means that somebody else is, or was, at work."""
PRESSURE_SHARE = 0.1
"""Share of the last ten seconds in which some task waited for a CPU; starting this program alone makes a few per cent."""
STOLEN_SHARE = 0.02
"""CPU time taken by the host; 2 % is as much as the quietest processes differ among themselves."""
WAITED_SHARE = 0.02
"""Time that a busy process waited for a CPU; the same 2 %."""
MIN_TICKS = 20
"""Of wanted CPU time, below which a share in steps of one tick says nothing."""
MIN_BUSY_S = 0.1
"""Of own work, below which the share of waiting says nothing."""


class RunQueue(Knob):
    """Load of others when measuring begins."""

    expects = f"a load below {LOAD_SHARE:g} per CPU or nobody else at work any more, and no task waiting for a CPU"
    advice = "top -o %CPU    # and end or wait for what uses the CPUs"

    def read(self, tree: Tree) -> Facts:
        """Read load average, pressure, and the number of CPUs."""
        load = re.match(r"([\d.]+) \S+ \S+ (\d+)/", tree.text("proc/loadavg") or "")
        pressure = re.match(r"some avg10=([\d.]+)", tree.text("proc/pressure/cpu") or "")
        cores = len(re.findall(r"^cpu\d", tree.text("proc/stat") or "", flags=re.MULTILINE))
        facts: dict[str, object] = {}
        if load is not None:  # this process is one of those that run
            facts = {"load_1min": float(load.group(1)), "others_running": max(0, int(load.group(2)) - 1)}
        facts |= {} if pressure is None else {"pressure_share": float(pressure.group(1)) / 100}
        return facts | ({"cores": cores} if cores else {})

    def expect(self, before: Facts, after: Facts) -> Answer:
        """Judge the first reading alone: the second holds our own work."""
        load, cores, pressure = (number(before, name) for name in ("load_1min", "cores", "pressure_share"))
        if load is None or cores is None:
            return unknown("the system does not tell its load")
        shown = f"load {load:g} on {cores:g} cores at the start"
        waiting = pressure is not None and pressure > PRESSURE_SHARE
        if waiting:
            shown += f", tasks waited for a CPU in {(pressure or 0.0) * 100:.0f} % of the time"
        if not waiting and LOAD_SHARE * cores < load <= cores and number(before, "others_running") == 0:
            return fit(f"{shown}, of work that has ended")  # the average forgets within minutes, such as an own earlier run
        return unfit(shown) if waiting or load > LOAD_SHARE * cores else fit(shown)


class StolenTime(Knob):
    """CPU time that the host of a virtual machine gave to others."""

    expects = f"at most {STOLEN_SHARE:.0%} of the CPU time stolen by the host"
    advice = "mpstat -P ALL 1 10    # steal stays high: move to another host, or a machine with CPUs of its own"

    def read(self, tree: Tree) -> Facts:
        """Read the ticks of all CPUs since the start: all, idle, stolen."""
        found = re.match(r"cpu +([\d ]+)", tree.text("proc/stat") or "")
        # user nice system idle iowait irq softirq steal guest guest_nice (proc(5)); guest time is part of user
        ticks = [int(each) for each in found.group(1).split()] if found else []
        if len(ticks) < 8:
            return {}
        return {"ticks": sum(ticks[:8]), "idle_ticks": ticks[3] + ticks[4], "stolen_ticks": ticks[7]}

    def expect(self, before: Facts, after: Facts) -> Answer:
        """Judge the share of the wanted time in between."""
        share = stolen_share(before, after)
        if share is None:
            return unknown("stolen time not known")
        shown = f"{share * 100:.1f} % of the CPU time stolen by the host"
        return unfit(shown) if share > STOLEN_SHARE else fit(shown)


class Contention(Knob):
    """How long this process, at work, waited for the CPU that measures."""

    expects = f"a busy process waits less than {WAITED_SHARE:.0%} of its time"
    advice = "ps -eo psr,pcpu,comm --sort -pcpu | head    # and move what runs on that CPU with taskset -p"

    def read(self, tree: Tree) -> Facts:
        """Read this process's own time at work and in the queue (proc(5): nanoseconds)."""
        found = re.match(r"(\d+) (\d+)", tree.text("proc/self/schedstat") or "")
        return {} if found is None else {"own_work_s": int(found.group(1)) / 1e9, "own_wait_s": int(found.group(2)) / 1e9}

    def expect(self, before: Facts, after: Facts) -> Answer:
        """Judge the share of waiting in between, if there was work at all."""
        work_s, wait_s = growth(before, after, "own_work_s"), growth(before, after, "own_wait_s")
        if work_s is None or wait_s is None:
            return unknown("the kernel keeps no schedstat")
        if work_s + wait_s < MIN_BUSY_S:
            return unknown("nothing of ours ran meanwhile")
        share = wait_s / (work_s + wait_s)
        shown = f"a busy process waited {share * 100:.1f} % of its time for its CPU"
        return unfit(shown) if share > WAITED_SHARE else fit(shown)


def stolen_share(before: Facts, after: Facts) -> float | None:
    """Give the share of the wanted CPU time that the host took between two readings; None where that is not known."""
    ticks, stolen = growth(before, after, "ticks"), growth(before, after, "stolen_ticks")
    if ticks is None or stolen is None:
        return None
    wanted = ticks - (growth(before, after, "idle_ticks") or 0.0)
    return stolen / wanted if wanted >= MIN_TICKS else None
