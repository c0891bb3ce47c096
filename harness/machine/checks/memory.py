"""
Checks: memory. Swapping, room for workers, and the huge pages that the gating profile asks malloc
for.

Check: temperature. Every thermal zone against the first of its trip points that slows the machine
down.
"""

import re

from voxgate.harness.machine.checks.check import (
    Check,
    CheckResult,
    Facts,
    SystemRoot,
    fit,
    growth,
    number,
    table,
    unfit,
    unknown,
    word,
)

NEEDED_BYTES = 2 * 1024**3
"""What one worker may need: torch, a small voice, and room for compilation."""
GLIBC = (2, 35)
"""
The first glibc with the tunable glibc.malloc.hugetlb (its NEWS); older ones ignore it in silence.
"""
PAGES = "sys/kernel/mm/transparent_hugepage/enabled"


class Swap(Check):
    """Memory on disk."""

    expects = "no page moved to or from swap"
    advice = "sudo swapoff --all    # after making room"

    def read(self, tree: SystemRoot) -> Facts:
        """Read what lies in swap, and the pages moved since the start."""
        rows = [line.split() for line in (tree.text("proc/swaps") or "").splitlines()[1:]]
        moved = re.findall(
            r"^pswp(?:in|out) (\d+)$", tree.text("proc/vmstat") or "", flags=re.MULTILINE
        )
        facts: dict[str, object] = {"swapped_pages": sum(map(int, moved))} if moved else {}
        return (
            facts | {"swap_used_bytes": sum(int(row[3]) * 1024 for row in rows if len(row) > 3)}
            if facts
            else {}
        )

    def expect(self, before: Facts, after: Facts) -> CheckResult:
        """Judge the pages that moved in between; what merely lies there harms nobody."""
        moved, used = (
            growth(before, after, "swapped_pages"),
            number(after, "swap_used_bytes") or 0.0,
        )
        if moved is None:
            return unknown("the system does not count swapped pages")
        if moved:
            return unfit(f"{moved:.0f} pages moved to or from swap")
        return fit(f"{used / 2**20:.0f} MiB in swap, none moved" if used else "none in use")


class FreeMemory(Check):
    """Room for workers."""

    expects = f"{NEEDED_BYTES / 2**30:g} GiB available"
    advice = "ps -eo rss,comm --sort -rss | head    # and end what is not needed"

    def read(self, tree: SystemRoot) -> Facts:
        """Read what the kernel says is available."""
        match = re.search(
            r"^MemAvailable:\s+(\d+) kB", tree.text("proc/meminfo") or "", flags=re.MULTILINE
        )
        return {} if match is None else {"available_bytes": int(match.group(1)) * 1024}

    def expect(self, before: Facts, after: Facts) -> CheckResult:
        """Judge the first reading, before anything was started."""
        available = number(before, "available_bytes")
        if available is None:
            return unknown("the system does not tell its free memory")
        figures = f"{available / 2**30:.1f} GiB available"
        return fit(figures) if available >= NEEDED_BYTES else unfit(figures)


class HugePages(Check):
    """
    Whether malloc may have huge pages: where memory landed is most of what makes processes differ.
    """

    expects = "madvise or always"
    advice = f"echo madvise | sudo tee /{PAGES}"

    def read(self, tree: SystemRoot) -> Facts:
        """Read the word in brackets."""
        match = re.search(r"\[(\w+)\]", tree.text(PAGES) or "")
        return {} if match is None else {"huge_pages": match.group(1)}

    def expect(self, before: Facts, after: Facts) -> CheckResult:
        """Judge the later reading."""
        pages = word(after, "huge_pages")
        if pages is None:
            return unknown("the kernel has no transparent huge pages to speak of")
        return unfit(pages) if pages == "never" else fit(pages)


class Glibc(Check):
    """Whether the C library knows the tunable that asks for huge pages."""

    expects = f"glibc {GLIBC[0]}.{GLIBC[1]} or newer"
    advice = "use a system of 2022 or newer, e.g. Ubuntu 22.04 or Debian 12"

    def read(self, tree: SystemRoot) -> Facts:
        """Ask the library of this process."""
        return {"libc": tree.libc} if tree.libc else {}

    def expect(self, before: Facts, after: Facts) -> CheckResult:
        """Judge its version."""
        match = re.fullmatch(r"glibc (\d+)\.(\d+).*", word(after, "libc") or "")
        if match is None:
            return unknown("not glibc, or it does not tell its version")
        return (
            fit(match.group(0))
            if (int(match.group(1)), int(match.group(2))) >= GLIBC
            else unfit(match.group(0))
        )


ZONES = "sys/class/thermal/thermal_zone[0-9]*"
NEAR_C = 5.0
"""This near to a trip point a run of some minutes gets there."""
OFF_C = -100.0
"""Below this a zone is switched off: a Jetson's says -256."""


class Temperature(Check):
    """Distance of every thermal zone from being slowed down."""

    expects = f"every zone more than {NEAR_C:g} degrees below its first slowing trip point"
    advice = "let it cool, or turn the fan up (Jetson: sudo jetson_clocks --fan)"

    def read(self, tree: SystemRoot) -> Facts:
        """
        Read the zones that are on, in degrees Celsius, and their lowest trip point that is no
        fan's.
        """
        now: dict[str, float] = {}
        trips: dict[str, float] = {}
        for zone in tree.paths(ZONES):
            milli = tree.number(f"{zone}/temp")
            if milli is None or milli / 1000 < OFF_C:
                continue
            name = tree.text(f"{zone}/type") or zone.rpartition("/")[2]
            name = name if name not in now else f"{name} {zone.rpartition('zone')[2]}"
            now[name] = milli / 1000
            trips |= {name: trip} if (trip := _trip_c(tree, zone)) is not None else {}
        return {"temperatures_c": now, "trips_c": trips} if now else {}

    def expect(self, before: Facts, after: Facts) -> CheckResult:
        """Judge the later reading; zones without a trip point have nothing to be held against."""
        now, trips = table(after, "temperatures_c"), table(after, "trips_c")
        distances = [
            (float(str(trips[name])) - float(str(now[name])), name) for name in now if name in trips
        ]
        if not distances:
            return unknown("no thermal zone with a trip point")
        room_c, name = min(distances)
        figures = (
            f"{name} {float(str(now[name])):.0f} °C, slowed down at {float(str(trips[name])):.0f} "
            "°C"
        )
        return unfit(figures) if room_c <= NEAR_C else fit(figures)


def _trip_c(tree: SystemRoot, zone: str) -> float | None:
    """
    Return the lowest trip point that slows down or stops; `active` ones only start fans, and 0 or
    less is none.
    """
    trips_c = []
    for path in tree.paths(f"{zone}/trip_point_[0-9]*_type"):
        milli = tree.number(path.removesuffix("type") + "temp")
        if tree.text(path) != "active" and milli is not None and milli > 0:
            trips_c.append(milli / 1000)
    return min(trips_c, default=None)
