"""Knobs: the NVIDIA GPU. Whether there is one, its clock, power limit, what holds it down, who else uses it, persistence."""

import re

from harness.machine.checks.check import Answer, Facts, Knob, fit, growth, number, unfit, unknown, word
from harness.machine.checks.nvml import DRIVER, IDLE, SLOWING, read_gpu
from harness.machine.checks.tree import Tree

REACHED_SHARE = 0.9
"""Of its limit, that a GPU's clock must reach to count as held up: boost wanders by some per cent."""


class Gpu(Knob):
    """Whether there is an NVIDIA GPU, and which; the one knob that reads for all of them."""

    expects = "an NVIDIA GPU with its driver"
    advice = "nvidia-smi    # and install the driver, or choose a profile for this machine"

    def read(self, tree: Tree) -> Facts:
        """Read the driver's own list, then what NVML tells of the first visible GPU."""
        texts = [tree.text(path) or "" for path in tree.paths(f"{DRIVER}/gpus/*/information")]
        found = [re.search(r"^Model:\s*(.+?)\s*$", text, flags=re.MULTILINE) for text in texts]
        names = [each.group(1) if each else "unknown GPU" for each in found]
        return {"gpu_names": ", ".join(names), **read_gpu(tree)} if names else {}

    def expect(self, before: Facts, after: Facts) -> Answer:
        """Name it."""
        names = word(after, "gpu_names")
        return unfit("no NVIDIA GPU") if names is None else fit(names)


class _OfGpu(Knob):
    """A knob whose facts `Gpu` has read already."""

    def read(self, tree: Tree) -> Facts:
        """Nothing more."""
        return {}

    def _why(self, facts: Facts) -> Answer:
        absent = "no NVIDIA GPU" if word(facts, "gpu_names") is None else "this GPU does not tell"
        return unknown(word(facts, "gpu_why") or absent)


class GpuClock(_OfGpu):
    """Whether the clock stands at its limit."""

    expects = f"at least {REACHED_SHARE:.0%} of the highest clock"
    advice = "sudo nvidia-smi --lock-gpu-clocks=tdp,tdp"

    def expect(self, before: Facts, after: Facts) -> Answer:
        """Judge the later reading; an idle GPU lowers its clock and says nothing about work."""
        now, limit = number(after, "gpu_clock_hz"), number(after, "gpu_clock_limit_hz")
        if now is None or not limit:
            return self._why(after)
        shown = f"{now / 1e6:.0f} of {limit / 1e6:.0f} MHz"
        if now >= REACHED_SHARE * limit:
            return fit(shown)
        if int(number(after, "gpu_reasons") or 0) & IDLE:
            return unknown(f"{shown}, idle: the clock at work is not known")
        return unfit(shown)


class GpuPower(_OfGpu):
    """Whether somebody lowered the power limit."""

    expects = "the power limit that the board came with"
    advice = "sudo nvidia-smi --power-limit=WATTS"

    def expect(self, before: Facts, after: Facts) -> Answer:
        """Judge the later reading."""
        limit, default = number(after, "gpu_power_limit_w"), number(after, "gpu_power_default_w")
        if limit is None or default is None:
            return self._why(after)
        shown = f"{limit:.0f} of {default:.0f} W"
        return fit(shown) if limit >= default else unfit(shown, f"sudo nvidia-smi --power-limit={default:.0f}")


class GpuThrottling(_OfGpu):
    """Whether heat or power held the clock down."""

    expects = "nothing holds the clock down"
    advice = "nvidia-smi --query --display=PERFORMANCE    # and cool it, or lower and lock its clocks"

    def expect(self, before: Facts, after: Facts) -> Answer:
        """Judge the reasons of both moments and the time counted in between."""
        if "gpu_reasons" not in after:
            return self._why(after)
        bits = int(number(before, "gpu_reasons") or 0) | int(number(after, "gpu_reasons") or 0)
        reasons = [name for bit, name in SLOWING.items() if bits & bit]
        grown = {"heat": growth(before, after, "gpu_heat_events"), "power cap": growth(before, after, "gpu_power_events")}
        reasons += [name for name, more in grown.items() if more and not any(name in each for each in reasons)]
        return unfit(f"held down by {', '.join(reasons)}") if reasons else fit("nothing")


class GpuSharing(_OfGpu):
    """Whether others use the GPU."""

    expects = "no other process on the GPU"
    advice = "nvidia-smi --query-compute-apps=pid,name --format=csv    # and end or move them"

    def expect(self, before: Facts, after: Facts) -> Answer:
        """Judge the first reading: at the second, our own workers may not be gone yet."""
        others = number(before, "gpu_others")
        if others is None:
            return self._why(before)
        return unfit(f"{others:.0f} other processes") if others else fit("none")


class GpuPersistence(_OfGpu):
    """Whether the driver stays loaded between processes: loading it costs the first synthesis seconds."""

    expects = "persistence mode on"
    advice = "sudo nvidia-smi --persistence-mode=1"

    def expect(self, before: Facts, after: Facts) -> Answer:
        """Judge the later reading."""
        mode = word(after, "gpu_persistence")
        if mode is None:
            return self._why(after)
        return fit(mode) if mode == "on" else unfit(mode)
