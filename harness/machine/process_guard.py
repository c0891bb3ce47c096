"""
Ends what was started when this process is killed: a small process of its own that waits, and uses
no CPU, until it is alone.

`watch` names a process, `release` takes it back. Each stands with its group, so that what it
started in turn is ended as well, whether it hangs in C code or not. The guard is this file, run by
itself: it needs the standard library alone, and has a session of its own, so that a signal to our
group does not reach it.
"""

import atexit
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress

ADD, REMOVE = b"+", b"-"


class Guard:
    """The guard of this process; it is started when there is something to watch."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watched: set[int] = set()
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = os.getpid()

    def start(self) -> None:
        """Start the guard before there is anything to watch, so that nobody waits for it later."""
        with self._lock:
            if self._process is None:
                self._start()

    @property
    def pid(self) -> int | None:
        """The number of the guard's own process; None where none was started."""
        return None if self._process is None else self._process.pid

    def watch(self, pid: int) -> None:
        """End the process and its group when this process is gone."""
        with self._lock:
            self._watched.add(pid)
            if not self._tell(ADD, pid):
                self._start()

    def release(self, pid: int) -> None:
        """Forget a process that has ended."""
        with self._lock:
            self._watched.discard(pid)
            self._tell(REMOVE, pid)

    def close(self) -> None:
        """End the guard, and with it everything that it still watches."""
        with self._lock:
            process, self._process = self._process, None
        if process is not None and os.getpid() == self._owner:
            assert process.stdin is not None
            with suppress(OSError):
                process.stdin.close()
            process.wait()

    def _start(self) -> None:
        """
        Start a guard, or one in the place of one that was killed, and name all that is watched.
        """
        command = [sys.executable, "-I", "-S", os.path.abspath(__file__)]  # noqa: PTH100  (no Path here: it must start quickly)
        nowhere = subprocess.DEVNULL
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=nowhere,
            stderr=nowhere,
            cwd="/",
            bufsize=0,
            start_new_session=True,
        )
        for pid in self._watched:
            self._tell(ADD, pid)

    def _tell(self, word: bytes, pid: int) -> bool:
        if self._process is None or self._process.stdin is None or os.getpid() != self._owner:
            return False
        with suppress(OSError):  # it was killed
            self._process.stdin.write(word + str(pid).encode() + b"\n")
            return True
        return False


GUARD = Guard()
atexit.register(GUARD.close)


def tree_of(pid: int) -> list[int]:
    """Return the numbers of a process and its descendants."""
    children, found = children_by_parent(), [pid]
    for parent in found:
        found += children.get(parent, set()) - set(found)
    return found


def children_by_parent() -> dict[int, set[int]]:
    """Return the children of every process; empty where the system does not tell."""
    children: dict[int, set[int]] = {}
    with suppress(OSError):
        for name in os.listdir("/proc"):  # noqa: PTH208  (no Path here: it must start quickly)
            with suppress(OSError, ValueError, IndexError):
                with open(f"/proc/{int(name)}/stat", "rb") as stat:  # noqa: PTH123
                    parent = int(stat.read().rpartition(b")")[2].split()[1])
                children.setdefault(parent, set()).add(int(name))
    return children


def end(pid: int) -> None:
    """
    Kill a process with its group, or alone where it stands in another's, and those of its
    descendants that left the group; one that is gone may have left its group.
    """
    descendants = tree_of(pid)[1:]
    with suppress(ProcessLookupError, PermissionError):
        try:
            alone = os.getpgid(pid) != pid
        except ProcessLookupError:
            alone = False
        (os.kill if alone else os.killpg)(pid, signal.SIGKILL)
    for descendant in descendants:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(descendant, signal.SIGKILL)


def main() -> None:
    """Wait until standard input ends, and end what is watched then."""
    watched: set[int] = set()
    for line in sys.stdin.buffer:
        (watched.add if line.startswith(ADD) else watched.discard)(int(line[1:]))
    for pid in watched:
        end(pid)


if __name__ == "__main__":
    main()
