"""
One process of a stranger's program: start it, read what it prints as it comes, see how it ends, and
end it with everything that it started.

Knows pipes, limits and the kernel's account of a process tree; knows no audio, no placeholder and
no clock. The program runs in a session of its own, in the working directory of this process. What
it leaves running when it ends is killed: it would compete with the next text.
"""

import ctypes
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from voxgate.harness.errors import HarnessError
from voxgate.harness.machine.process_guard import GUARD, children_by_parent, tree_of
from voxgate.harness.records.run import FailureKind
from voxgate.harness.targets.http.client import SpeechError

LOOK_S = 0.1
"""How often a process is looked at that prints nothing."""
POLL_S = 0.002
"""How often it is asked whether it has ended, where the kernel (before Linux 5.3) does not tell."""
READ_BYTES = 2**16
TAIL_BYTES = 4_096
"""Of standard error: the rest is read, so that the program never waits, and dropped."""
SHOWN_CHARACTERS = 200
PR_SET_CHILD_SUBREAPER = 36
MOST_ORPHANS = 100
"""Rounds: each orphan may start another while it is being ended."""


@dataclass(slots=True)
class TreeLook:
    """The process tree of a program, as far as it was looked at."""

    arguments: str = ""
    """Of the program itself, as the system shows them."""
    processes: set[int] = field(default_factory=set)
    most_threads: int = 0
    """In all its processes at once."""
    peak_rss_bytes: int = 0
    """Of all its processes at once: the sum of their own peaks."""

    def look(self, pid: int) -> None:
        """Read the state of a process and its descendants; those that have ended are left out."""
        self.arguments = self.arguments or command_line_of(pid)
        threads = rss_bytes = 0
        for number in tree_of(pid):
            status = _status(number)
            self.processes.add(number)
            threads += status.get("Threads", 0)
            rss_bytes += status.get("VmHWM", 0) * 1024
        self.most_threads = max(self.most_threads, threads)
        self.peak_rss_bytes = max(self.peak_rss_bytes, rss_bytes)


class Program:
    """A program that was started, until its end."""

    def __init__(self, words: Sequence[str], stdin: int | IO[bytes] = subprocess.DEVNULL) -> None:
        """Start it. Raises HarnessError for one that cannot be started."""
        self.name = Path(words[0]).name
        try:
            self._process = subprocess.Popen(
                words,
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            raise HarnessError(f"cannot start {words[0]}: {why}; correct command=") from error
        GUARD.watch(self._process.pid)
        self._handle = _handle(self._process.pid)
        self._tail = b""
        self._selector = selectors.DefaultSelector()
        for pipe in (self._process.stdout, self._process.stderr):
            assert pipe is not None
            os.set_blocking(pipe.fileno(), False)
            self._selector.register(pipe, selectors.EVENT_READ)
        if self._handle is not None:
            self._selector.register(self._handle, selectors.EVENT_READ)

    @property
    def pid(self) -> int:
        """The number of the program's own process."""
        return self._process.pid

    def write(self, content: bytes) -> None:
        """Write to its standard input; a program that has ended is found when it is read from."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(content)

    def read(self, look: Callable[[], None] = lambda: None, every_s: float = LOOK_S) -> bytes:
        """
        Return bytes of its standard output as soon as there are any; none once it has ended.

        `look` is called while there are none; what it raises ends the wait.
        """
        wait_s = every_s if self._handle is not None else min(every_s, POLL_S)
        has_ended = False
        while True:
            ready = [key.fileobj for key, _ in self._selector.select(0.0 if has_ended else wait_s)]
            self._drain_stderr(ready)
            if self._process.stdout in ready and (received := self._received(self._process.stdout)):
                return received
            if has_ended or self._handle in ready:
                return b""
            has_ended = self._handle is None and self._has_ended()
            look()

    def has_output(self) -> bool:
        """Return whether there is standard output, or its end, that was not read."""
        return self._process.stdout in [key.fileobj for key, _ in self._selector.select(0.0)]

    def end(self) -> int:
        """Kill what is left of it, and return its exit code; minus the number of a signal."""
        if self._process.returncode is None:
            with suppress(ChildProcessError):
                os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)  # its number stays taken
        return self.kill()

    def kill(self) -> int:
        """Kill it and everything that it started."""
        if self._process.returncode is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
            code = self._process.wait()
            GUARD.release(self.pid)
            self._drain_stderr([self._process.stderr])
            self._close()
            return code
        return self._process.returncode

    def fault(self, code: int) -> SpeechError | None:
        """Return the error that an exit code stands for, with the program's last words."""
        if code == 0:
            return None
        if code > 0:
            said = f"{self.name} ended with code {code}{self.last_words}"
            return SpeechError(FailureKind.ERROR, said)
        why = " (out of memory?)" if -code == signal.SIGKILL else ""
        said = f"{self.name} was ended by {_signal_name(-code)}{why}{self.last_words}"
        return SpeechError(FailureKind.KILLED, said)

    @property
    def last_words(self) -> str:
        """The last line of standard error, to stand behind a reason; empty where there is none."""
        lines = [
            line for line in self._tail.decode("utf-8", "replace").splitlines() if line.strip()
        ]
        return f"; its last words: {printable(lines[-1])}" if lines else ""

    def _drain_stderr(self, ready: Sequence[object]) -> None:
        pipe = self._process.stderr
        if pipe is not None and pipe in ready and not pipe.closed:
            while received := self._received(pipe):
                self._tail = (self._tail + received)[-TAIL_BYTES:]

    def _received(self, pipe: IO[bytes]) -> bytes:
        """Read what is there; a pipe that has ended is not waited for any more."""
        try:
            received = os.read(pipe.fileno(), READ_BYTES)
        except BlockingIOError:
            return b""
        if not received:
            with suppress(KeyError):
                self._selector.unregister(pipe)
        return received

    def _has_ended(self) -> bool:
        with suppress(ChildProcessError):
            flags = os.WEXITED | os.WNOWAIT | os.WNOHANG
            return os.waitid(os.P_PID, self.pid, flags) is not None
        return True

    def _close(self) -> None:
        self._selector.close()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


class Folders:
    """A fresh folder for each text; removed by `empty`, outside of what is timed, or at the end."""

    def __init__(self) -> None:
        self._whole = tempfile.TemporaryDirectory(prefix="voxgate-", ignore_cleanup_errors=True)
        self._count = 0

    def fresh(self) -> Path:
        """Make another folder."""
        self._count += 1
        folder = Path(self._whole.name, str(self._count))
        folder.mkdir()
        return folder

    def empty(self) -> None:
        """Remove all of them, links not followed."""
        for folder in Path(self._whole.name).iterdir():
            shutil.rmtree(folder, ignore_errors=True)


def printable(text: str) -> str:
    """Return a stranger's text on one line, without control characters, and not too long."""
    line = "".join(
        letter if letter.isprintable() else " " for letter in text[: 4 * SHOWN_CHARACTERS]
    )
    return " ".join(line.split())[:SHOWN_CHARACTERS]


class Orphans:
    """
    Processes whose parent has ended: on Linux they become children of this process, and are killed.
    """

    def __init__(self) -> None:
        if sys.platform == "linux":
            with suppress(OSError, AttributeError):
                ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        GUARD.start()
        self._ours = children_by_parent().get(os.getpid(), set())

    def end(self, *living: int) -> None:
        """Kill what ended programs left behind; `living` are programs that have not ended."""
        for _ in range(MOST_ORPHANS):
            own = children_by_parent().get(os.getpid(), set())
            left = own - self._ours - {*living, GUARD.pid}
            if not left:
                return
            for pid in left:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
                with suppress(ChildProcessError):
                    os.waitpid(pid, 0)


def own_threads(*, programs: bool) -> list[int]:
    """List the threads of this process, and of the programs that it started."""
    threads: list[int] = []
    for pid in tree_of(os.getpid()) if programs else [os.getpid()]:
        with suppress(OSError):  # it has ended meanwhile
            threads += [int(entry.name) for entry in Path(f"/proc/{pid}/task").iterdir()]
    return threads


def command_line_of(pid: int) -> str:
    """Return the arguments of a process as the system shows them; empty where it does not."""
    with suppress(OSError):
        whole = Path(f"/proc/{pid}/cmdline").read_bytes()  # empty once it has ended
        words = whole.removesuffix(b"\0").split(b"\0") if whole else []
        return printable(" ".join(word.decode("utf-8", "replace") or "''" for word in words))
    return ""


def _status(pid: int) -> dict[str, int]:
    """Return the numbers of a process's status, by name."""
    numbers: dict[str, int] = {}
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text(errors="replace").splitlines():
            name, _, rest = line.partition(":")
            if name in ("Threads", "VmHWM"):
                numbers[name] = int(rest.split()[0])
    return numbers


def _handle(pid: int) -> int | None:
    """Open a handle that is ready once a process has ended; None where the kernel has none."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
