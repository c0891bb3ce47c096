"""Knob: the board. A Jetson names its module in its device tree, e.g. p3701 for AGX Orin, p3767 for Orin NX and Nano."""

import re

from harness.machine.checks.check import Answer, Facts, Knob, fit, unfit, unknown, word
from harness.machine.checks.tree import Tree

DEVICE_TREE = "proc/device-tree"


class Board(Knob):
    """Whether the profile is for this board; `want` is a pattern of the module's part number."""

    expects = "the board that the profile is for"
    advice = "choose a profile for this machine: voxgate doctor --help"

    def read(self, tree: Tree) -> Facts:
        """Read the model's name, and the names that tell its module."""
        model = tree.text(f"{DEVICE_TREE}/model")
        parts = [tree.text(f"{DEVICE_TREE}/{name}") for name in ("nvidia,dtsfilename", "compatible")]
        known = " ".join(part.replace("\0", " ") for part in parts if part)
        return {} if model is None else {"board": model, **({"board_parts": known} if known else {})}

    def expect(self, before: Facts, after: Facts) -> Answer:
        """Look for the part number."""
        board, parts = word(after, "board"), word(after, "board_parts")
        if board is None:
            return unfit("no Jetson: the system has no device tree")
        if parts is None:
            return unknown(f"{board} does not tell its module")
        return fit(board) if re.search(self.want, parts) else unfit(f"{board} ({parts})")


def is_jetson(tree: Tree) -> bool:
    """Say whether this is one of NVIDIA's boards."""
    compatible = tree.text(f"{DEVICE_TREE}/compatible") or ""
    return "nvidia,tegra" in compatible or tree.text("etc/nv_tegra_release") is not None
