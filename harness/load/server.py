"""
The server under load as a child process: `python -m voxgate.engine serve` with a cell's options, on
a free port of this machine.

Knows how to start it, the lines that it must print, and how to end it; reads nothing else of the
engine.

Samples its resident memory from a thread of its own.
"""

import os
import re
import selectors
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import psutil

from voxgate.harness.errors import HarnessError
from voxgate.harness.machine.clock import instant_s
from voxgate.harness.machine.process_guard import GUARD
from voxgate.harness.records.cell import Option

LISTENING = re.compile(rb"listening on (http://\S+?), model (\S+)\n")
END_S = 40.0
"""For a server to finish its synthesis: a little more than its own grace period."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """
    A running server; `pid` None: not started here, so that its memory and its start-up time are
    unknown.
    """

    url: str
    model: str = ""
    pid: int | None = None
    ready_s: float | None = None
    """From the start of the process until it listened."""


def serve_arguments(options: Mapping[str, Option]) -> list[str]:
    """Return options as arguments of `python -m voxgate.engine serve`."""
    arguments: list[str] = []
    for name, value in options.items():
        arguments += [f"--{name.replace('_', '-')}", str(value)]
    return arguments


@contextmanager
def started(
    arguments: Sequence[str],
    log: Path,
    timeout_s: float,
    env: Mapping[str, str],
    cpus: Sequence[int] = (),
) -> Iterator[Server]:
    """
    Run a server with these arguments behind `serve`; end it cleanly. Raises HarnessError if it does
    not come to listen.
    """
    began_s = instant_s()
    with log.open("ab") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "voxgate.engine", "serve", "--port", "0", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env={**os.environ, **env},
            # a Ctrl-C at the terminal reaches us only, and we end it in order
            start_new_session=True,
        )
    GUARD.watch(process.pid)
    try:
        if cpus:
            psutil.Process(process.pid).cpu_affinity(list(cpus))
        url, model = _address(process, log, timeout_s)
        yield Server(url=url, model=model, pid=process.pid, ready_s=instant_s() - began_s)
    finally:
        _end(process)
        GUARD.release(process.pid)


def rss_bytes(pid: int) -> int | None:
    """Return the resident memory of a process; None where it has ended."""
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return None


def _address(process: "subprocess.Popen[bytes]", log: Path, timeout_s: float) -> tuple[str, str]:
    assert process.stdout is not None
    said = b""
    until_s = instant_s() + timeout_s
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while (match := LISTENING.search(said)) is None:
            if not selector.select(max(0.0, until_s - instant_s())):
                raise HarnessError(
                    f"the server does not listen after {timeout_s:g} s; {_last_words(log)}"
                )
            received = os.read(process.stdout.fileno(), 65536)
            if not received:
                raise HarnessError(
                    f"the server ended with code {process.wait()} before it listened; "
                    f"{_last_words(log)}"
                )
            said += received
    return match.group(1).decode(), match.group(2).decode()


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Terminate the process; kill it if it does not end."""
    process.terminate()
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _last_words(log: Path) -> str:
    lines = [
        line
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines()
        if line.strip()
    ]
    return f"its last words: {lines[-1].strip()}" if lines else f"it said nothing in {log}"


EVERY_S = 0.25

MemoryLog = Callable[[float, int], None]
"""Called with seconds since the load began and bytes."""


class MemoryWatch:
    """
    Log the memory of a process while the context lasts; nothing where the process is not ours.
    """

    def __init__(self, pid: int | None, zero_s: float, note: MemoryLog) -> None:
        self._pid = pid
        self._zero_s = zero_s
        self._note = note
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "MemoryWatch":
        if self._pid is not None:
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        if self._pid is not None:
            self._thread.join()

    def _watch(self) -> None:
        assert self._pid is not None
        while True:
            resident_bytes = rss_bytes(self._pid)
            if resident_bytes is None:
                return
            self._note(instant_s() - self._zero_s, resident_bytes)
            if self._ended.wait(EVERY_S):
                return
