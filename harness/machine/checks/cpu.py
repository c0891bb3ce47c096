"""
Knobs: what decides the frequency of the CPUs. Governor, turbo, shared cores, and whether a busy CPU reaches its limit.

A virtual machine shows none of them; its host decides, and the answer is unknown.
"""

import re

from harness.machine.checks.check import Answer, Facts, Knob, fit, number, unfit, unknown, word
from harness.machine.checks.tree import Tree

CPUS = "sys/devices/system/cpu"
NO_TURBO = f"{CPUS}/intel_pstate/no_turbo"
BOOST = f"{CPUS}/cpufreq/boost"
REACHED_SHARE = 0.9
"""Of its limit, that a busy CPU must reach. All-core turbo and one step of the frequency table stay above."""
HIDDEN = "no cpufreq: the host or the firmware sets the clock"


class Governor(Knob):
    """Who chooses the frequency."""

    expects = "performance on every CPU"
    advice = "sudo cpupower frequency-set --governor performance"

    def read(self, tree: Tree) -> Facts:
        """Read the governors of all CPUs, each named once."""
        found = {tree.text(path) for path in tree.paths(f"{CPUS}/cpu[0-9]*/cpufreq/scaling_governor")}
        names = sorted(each for each in found if each)
        return {"governor": " ".join(names)} if names else {}

    def expect(self, before: Facts, after: Facts) -> Answer:
        """Judge the later reading."""
        governor = word(after, "governor")
        if governor is None:
            return unknown(HIDDEN)
        return fit(governor) if governor == "performance" else unfit(governor)


class Turbo(Knob):
    """Whether the clock rises while the chip is cool and few cores work: then it also falls."""

    expects = "off, so that the clock does not depend on temperature and neighbours"
    advice = f"echo 1 | sudo tee /{NO_TURBO}"

    def read(self, tree: Tree) -> Facts:
        """Read Intel's switch, or everybody else's."""
        off, boost = tree.number(NO_TURBO), tree.number(BOOST)
        if off is not None:
            return {"turbo": "off" if off else "on"}
        return {} if boost is None else {"turbo": "on" if boost else "off", "turbo_switch": BOOST}

    def expect(self, before: Facts, after: Facts) -> Answer:
        """Judge the later reading."""
        turbo = word(after, "turbo")
        if turbo is None:
            return unknown(HIDDEN)
        switch = word(after, "turbo_switch")
        return fit("off") if turbo == "off" else unfit("on", f"echo 0 | sudo tee /{switch}" if switch else "")


class SharedCores(Knob):
    """Whether two CPUs of the system are two threads of one core: a neighbour takes up to half of the speed."""

    expects = "one thread per core"
    advice = f"echo off | sudo tee /{CPUS}/smt/control"

    def read(self, tree: Tree) -> Facts:
        """Read which CPUs share a core (SMT, Hyper-Threading)."""
        siblings = [tree.text(path) for path in tree.paths(f"{CPUS}/cpu[0-9]*/topology/thread_siblings_list")]
        shared = sum(bool(re.search(r"[,-]", each)) for each in siblings if each)
        return {"shared_core_cpus": shared} if siblings else {}

    def expect(self, before: Facts, after: Facts) -> Answer:
        """Judge the later reading."""
        shared = number(after, "shared_core_cpus")
        if shared is None:
            return unknown("the system does not tell which CPUs share a core")
        return unfit(f"{shared:g} CPUs share their core with another") if shared else fit("one thread per core")


class Frequency(Knob):
    """Whether a busy CPU runs as fast as it may."""

    expects = f"a busy CPU reaches {REACHED_SHARE:.0%} of its limit"
    advice = "sudo turbostat --quiet --interval 1    # what holds the clock down: power, heat, or the governor"

    def read(self, tree: Tree) -> Facts:
        """Read the clock of the fastest CPU and its limit, in Hz (cpufreq counts kHz)."""
        folders = [path.rpartition("/")[0] for path in tree.paths(f"{CPUS}/cpu[0-9]*/cpufreq/scaling_cur_freq")]
        clocks = [(tree.number(f"{each}/scaling_cur_freq"), tree.number(f"{each}/scaling_max_freq")) for each in folders]
        known = [(now, limit) for now, limit in clocks if now is not None and limit]
        if not known:
            return {}
        now, limit = max(known)
        return {"cpu_hz": now * 1000, "cpu_limit_hz": limit * 1000}

    def expect(self, before: Facts, after: Facts) -> Answer:
        """Judge the later reading, which comes right after work."""
        now, limit = number(after, "cpu_hz"), number(after, "cpu_limit_hz")
        if now is None or limit is None:
            return unknown(HIDDEN)
        shown = f"{now / 1e9:.2f} of {limit / 1e9:.2f} GHz"
        return fit(shown) if now >= REACHED_SHARE * limit else unfit(shown)
