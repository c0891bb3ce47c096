"""
Knob: the power mode of a Jetson. Its number from nvpmodel's status, its name and its caps on clocks from nvpmodel's table.

Both files are readable without root and without the tool. In the table, a cap of -1 (CPU, GPU) or 0 (EMC) means none.
"""

import re
from collections.abc import Mapping

from harness.machine.checks.check import Answer, Facts, Knob, fit, number, table, unfit, unknown, word
from harness.machine.checks.tree import Tree

STATUS = "var/lib/nvpmodel/status"
TABLE = "etc/nvpmodel.conf"
KHZ = 1000
"""The table gives CPU clocks in kHz, the others in Hz."""


class PowerMode(Knob):
    """Whether the board is in a mode that the profile is for; `want` is names with | between, the best first."""

    expects = "a power mode that the profile is for"
    advice = "sudo nvpmodel -q    # and choose one with sudo nvpmodel -m ID"

    def read(self, tree: Tree) -> Facts:
        """Read the mode, and the caps that it sets."""
        found = re.search(r"pmode:(\d+)", tree.text(STATUS) or "")
        if found is None:
            return {}
        modes = _modes(tree.text(TABLE) or "")
        here = next(((name, lines) for name, (number, lines) in modes.items() if number == int(found.group(1))), None)
        facts: dict[str, object] = {"power_mode_id": int(found.group(1))}
        if here is not None:
            facts |= {"power_mode": here[0], "power_mode_caps_hz": _caps_hz(here[1])}
        return facts | {"power_mode_ids": {name: number for name, (number, _) in modes.items()}}

    def expect(self, before: Facts, after: Facts) -> Answer:
        """Compare the names."""
        name, id_ = word(after, "power_mode"), number(after, "power_mode_id")
        if id_ is None:
            return unknown("nvpmodel keeps no status: no mode was set, or this is no Jetson")
        if name is None:
            return unknown(f"mode {id_:.0f} has no name in {TABLE}")
        wanted = self.want.split("|")
        ids = table(after, "power_mode_ids")
        best = next((each for each in wanted if each in ids), None)
        command = "" if best is None else f"sudo nvpmodel -m {ids[best]}    # {best}"
        return fit(f"{name} ({id_:.0f})") if name in wanted else unfit(f"{name} ({id_:.0f}) instead of {self.want}", command)


def mode_name(tree: Tree) -> str:
    """Name the power mode, `MAXN (0)`; empty where there is none."""
    facts = PowerMode().read(tree)
    id_ = number(facts, "power_mode_id")
    return "" if id_ is None else f"{word(facts, 'power_mode') or 'mode'} ({id_:.0f})"


def _modes(text: str) -> dict[str, tuple[int, list[str]]]:
    """Split the table: name -> (number, its lines)."""
    parts = re.split(r"^<\s*(.*?)\s*>\s*$", text, flags=re.MULTILINE)
    modes = {}
    for head, body in zip(parts[1::2], parts[2::2], strict=True):
        found = re.fullmatch(r"POWER_MODEL\s+ID=(\d+)\s+NAME=(\S+)", head)
        if found is not None:
            modes[found.group(2)] = (int(found.group(1)), body.splitlines())
    return modes


def _caps_hz(lines: list[str]) -> Mapping[str, int]:
    """Give the caps of a mode in Hz: `cpu` (the highest of its clusters), `gpu`, `emc`; none where there is no cap."""
    caps: dict[str, int] = {}
    for line in lines:
        found = re.match(r"(CPU|GPU|EMC)(?:_\w+)?\s+MAX_FREQ\s+(-?\d+)", line.strip())
        if found is not None and int(found.group(2)) > 0:
            part = found.group(1).lower()
            caps[part] = max(caps.get(part, 0), int(found.group(2)) * (KHZ if part == "cpu" else 1))
    return caps
