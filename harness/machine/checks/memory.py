"""Knobs: memory. Swapping, room for workers, and the huge pages that the gating profile asks malloc for."""

import re

from harness.machine.checks.check import Answer, Facts, Knob, fit, growth, number, unfit, unknown, word
from harness.machine.checks.tree import Tree

NEEDED_BYTES = 2 * 1024**3
"""What one worker may need: torch, a small voice, and room for compilation."""
GLIBC = (2, 35)
"""The first glibc with the tunable glibc.malloc.hugetlb (its NEWS); older ones ignore it in silence."""
PAGES = "sys/kernel/mm/transparent_hugepage/enabled"


class Swap(Knob):
    """Memory on disk."""

    expects = "no page moved to or from swap"
    advice = "sudo swapoff --all    # after making room"

    def read(self, tree: Tree) -> Facts:
        """Read what lies in swap, and the pages moved since the start."""
        rows = [line.split() for line in (tree.text("proc/swaps") or "").splitlines()[1:]]
        moved = re.findall(r"^pswp(?:in|out) (\d+)$", tree.text("proc/vmstat") or "", flags=re.MULTILINE)
        facts: dict[str, object] = {"swapped_pages": sum(map(int, moved))} if moved else {}
        return facts | {"swap_used_bytes": sum(int(row[3]) * 1024 for row in rows if len(row) > 3)} if facts else {}

    def expect(self, before: Facts, after: Facts) -> Answer:
        """Judge the pages that moved in between; what merely lies there harms nobody."""
        moved, used = growth(before, after, "swapped_pages"), number(after, "swap_used_bytes") or 0.0
        if moved is None:
            return unknown("the system does not count swapped pages")
        if moved:
            return unfit(f"{moved:.0f} pages moved to or from swap")
        return fit(f"{used / 2**20:.0f} MiB in swap, none moved" if used else "none in use")


class FreeMemory(Knob):
    """Room for workers."""

    expects = f"{NEEDED_BYTES / 2**30:g} GiB available"
    advice = "ps -eo rss,comm --sort -rss | head    # and end what is not needed"

    def read(self, tree: Tree) -> Facts:
        """Read what the kernel says is available."""
        found = re.search(r"^MemAvailable:\s+(\d+) kB", tree.text("proc/meminfo") or "", flags=re.MULTILINE)
        return {} if found is None else {"available_bytes": int(found.group(1)) * 1024}

    def expect(self, before: Facts, after: Facts) -> Answer:
        """Judge the first reading, before anything was started."""
        available = number(before, "available_bytes")
        if available is None:
            return unknown("the system does not tell its free memory")
        shown = f"{available / 2**30:.1f} GiB available"
        return fit(shown) if available >= NEEDED_BYTES else unfit(shown)


class HugePages(Knob):
    """Whether malloc may have huge pages: where memory landed is most of what makes processes differ."""

    expects = "madvise or always"
    advice = f"echo madvise | sudo tee /{PAGES}"

    def read(self, tree: Tree) -> Facts:
        """Read the word in brackets."""
        found = re.search(r"\[(\w+)\]", tree.text(PAGES) or "")
        return {} if found is None else {"huge_pages": found.group(1)}

    def expect(self, before: Facts, after: Facts) -> Answer:
        """Judge the later reading."""
        pages = word(after, "huge_pages")
        if pages is None:
            return unknown("the kernel has no transparent huge pages to speak of")
        return unfit(pages) if pages == "never" else fit(pages)


class Glibc(Knob):
    """Whether the C library knows the tunable that asks for huge pages."""

    expects = f"glibc {GLIBC[0]}.{GLIBC[1]} or newer"
    advice = "use a system of 2022 or newer, e.g. Ubuntu 22.04 or Debian 12"

    def read(self, tree: Tree) -> Facts:
        """Ask the library of this process."""
        return {"libc": tree.libc} if tree.libc else {}

    def expect(self, before: Facts, after: Facts) -> Answer:
        """Judge its version."""
        found = re.fullmatch(r"glibc (\d+)\.(\d+).*", word(after, "libc") or "")
        if found is None:
            return unknown("not glibc, or it does not tell its version")
        return fit(found.group(0)) if (int(found.group(1)), int(found.group(2))) >= GLIBC else unfit(found.group(0))
