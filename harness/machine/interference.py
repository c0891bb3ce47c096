"""
Disturbance of single iterations as the kernel reports it: readings around the timed interval, and
the rule for their significance.

Read from /proc: the time that a thread of the engine's process waited in the queue for a CPU
(schedstat, which includes a container's quota and the competition of others), CPU time that the
host of a virtual machine took (steal), page faults that went to disk, and involuntary switches,
which are kept and not judged: their cost is in the time of waiting. An entry that the system does
not provide is absent. Knows no state of the machine and no verdict.

Beside them stands the time of a fixed computation, right after each iteration on the same CPU. What
heats up, is throttled or is shared slows it like the engine, so that a drift of the machine is not
taken for one of the engine (`analysis/in_process_drift.py`). It disturbs nothing: an iteration
begins after a collection of garbage that walks through far more.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from voxgate.harness.machine.clock import WallClock
from voxgate.harness.records.run import Iteration

WAITED_SHARE = 0.02
"""
Of an iteration's wall time: as much as the quietest processes differ among themselves, and well
below what is judged.
"""
STOLEN_SHARE = 0.02
"""
The same 2 %. Steal is counted in ticks of usually 10 ms: in an iteration below half a second, one
is too much already.
"""
FIXED_WORK = "fixed_work_s"
"""Seconds of the fixed computation."""
FIXED_STEPS = 4000
"""About 0.2 ms."""
FIXED_TIMES = 3
"""Of which the shortest counts: what interrupts it says nothing of the machine's pace."""
MAJOR_FAULTS = 0
"""A page from disk costs a millisecond or a hundred; after warm-up none should come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counters:
    """The kernel's counters at one moment."""

    waited_ns: Mapping[str, int]
    """By thread."""
    preempted: Mapping[str, int]
    stolen_ticks: Mapping[str, int]
    """By CPU."""
    major_faults: int | None


class DisturbanceWatch:
    """Reads the counters before and after an iteration: `start`, the iteration, `stop`."""

    def __init__(
        self, root: Path = Path("/"), cpu: int | None = None, pid: int | None = None
    ) -> None:
        self._root = root
        self._process = f"proc/{'self' if pid is None else pid}"
        self._cpu = cpu
        """The CPU that is measured on; None where all may be used."""
        self._before: _Counters | None = None

    def start(self) -> None:
        """Read the counters."""
        self._before = self._read()

    def stop(self) -> dict[str, float]:
        """Return the growth since `start`: of threads and CPUs, the one that was hit worst."""
        before, after = self._before, self._read()
        assert before is not None, "start comes first"
        growths: dict[str, float] = {}
        if after.waited_ns:
            growths["waited_s"] = _most(before.waited_ns, after.waited_ns) / 1e9
        if after.preempted:
            growths["preempted"] = sum(after.preempted.values()) - sum(
                before.preempted.get(t, 0) for t in after.preempted
            )
        if after.stolen_ticks:
            growths["stolen_s"] = _most(before.stolen_ticks, after.stolen_ticks) / os.sysconf(
                "SC_CLK_TCK"
            )
        if after.major_faults is not None and before.major_faults is not None:
            growths["major_faults"] = after.major_faults - before.major_faults
        return growths

    def _read(self) -> _Counters:
        threads = [path.name for path in (self._root / self._process / "task").glob("*")]
        waits = {
            thread: re.match(r"\d+ (\d+)", self._text(f"{self._process}/task/{thread}/schedstat"))
            for thread in threads
        }
        switches = {
            thread: re.search(
                r"^nonvoluntary_ctxt_switches:\s+(\d+)",
                self._text(f"{self._process}/task/{thread}/status"),
                re.MULTILINE,
            )
            for thread in threads
        }
        stolen = re.findall(
            r"^cpu(\d+)(?: \d+){7} (\d+)", self._text("proc/stat"), flags=re.MULTILINE
        )
        fields = self._text(f"{self._process}/stat").rpartition(")")[2].split()
        return _Counters(
            waited_ns={name: int(match.group(1)) for name, match in waits.items() if match},
            preempted={name: int(match.group(1)) for name, match in switches.items() if match},
            stolen_ticks={
                cpu: int(ticks)
                for cpu, ticks in stolen
                if self._cpu is None or int(cpu) == self._cpu
            },
            # field 12 of proc(5), the first behind the name is 3
            major_faults=int(fields[9]) if len(fields) > 9 else None,
        )

    def _text(self, path: str) -> str:
        try:
            return (self._root / path).read_text(encoding="utf-8", errors="replace")
        except OSError:  # a thread that has just ended
            return ""


def interference_causes(iteration: Iteration) -> tuple[str, ...]:
    """
    Name the causes that disturbed an iteration beyond the rule; empty for one that was left alone,
    or where the system does not tell.
    """
    disturbance = iteration.disturbance
    shares = (
        ("waited_s", WAITED_SHARE, "waited for the CPU"),
        ("stolen_s", STOLEN_SHARE, "lost CPU time to the host"),
    )
    named = [
        name for key, limit, name in shares if disturbance.get(key, 0.0) > limit * iteration.wall_s
    ]
    return (
        *named,
        *(["read pages from disk"] if disturbance.get("major_faults", 0.0) > MAJOR_FAULTS else []),
    )


def fixed_work_s() -> float:
    """Time the fixed computation, which needs no memory to speak of."""
    clock, times_s = WallClock(), []
    for _ in range(FIXED_TIMES):
        start_s = clock.seconds()
        sum(number * number for number in range(FIXED_STEPS))
        times_s.append(clock.seconds() - start_s)
    return min(times_s)


def _most(before: Mapping[str, int], after: Mapping[str, int]) -> int:
    """Return the greatest growth; a new entry began at zero."""
    return max(count - before.get(name, 0) for name, count in after.items())
