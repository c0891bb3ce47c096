"""
Check: the date. A board without a battery wakes in 1970, or wherever its last owner left it, until
a network sets it; the history goes by date, and would put such a run before all others, or behind
them for ever.
"""

from voxgate.harness.machine.checks.check import (
    Check,
    CheckResult,
    Facts,
    SystemRoot,
    fit,
    unfit,
    unknown,
    word,
)

SET_FROM, SET_UNTIL = "2026-01-01", "2056-01-01"
"""
What a clock that was set may show: this voxgate is not older, and will not be in use for thirty
years.
"""


class SystemClockCheck(Check):
    """Whether the date is set, and held right by a time server."""

    expects = "a date that can be true, synchronised with a time server"
    advice = (
        "sudo timedatectl set-ntp true    # and wait until `timedatectl` says: System clock "
        "synchronized: yes"
    )

    def read(self, tree: SystemRoot) -> Facts:
        """
        Read the day, and whether the kernel knows itself to be synchronised; a machine made of
        files has no clock.
        """
        facts: dict[str, object] = {} if tree.now is None else {"day": tree.now()[:10]}
        synchronized = None if tree.synchronized is None else tree.synchronized()
        return (
            facts
            if synchronized is None
            else {**facts, "clock_synchronized": "yes" if synchronized else "no"}
        )

    def expect(self, before: Facts, after: Facts) -> CheckResult:
        """
        Judge the later reading; nobody asks a virtual machine to synchronise what its host does.
        """
        day, synchronized = word(after, "day"), word(after, "clock_synchronized")
        if day is None:
            return unknown("no clock")
        if not SET_FROM <= day < SET_UNTIL:
            return unfit(f"{day}, which cannot be true")
        return (
            fit(f"{day}, synchronised")
            if synchronized == "yes"
            else unknown(f"{day}, not known to be synchronised")
        )
