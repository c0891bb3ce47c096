"""
The parent's hold on one worker process: start it, give it one command at a time, wait without using
CPU, kill it.

Knows the pipe and the time-out; does not know what commands mean, and writes nothing into the run
folder but the request.
"""

import json
import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from voxgate.harness.machine.process_guard import GUARD
from voxgate.harness.records.codec import from_json
from voxgate.harness.records.documents import write_json
from voxgate.harness.records.run import Failure, FailureKind
from voxgate.harness.runner.opened_files import Territory
from voxgate.harness.targets.other_python.connection import EngineLaunch

GRACE_S = 10.0
"""How long a worker may take to end after its last answer."""


class WorkerError(Exception):
    """The worker failed; `recorded` tells whether it could write that down itself."""

    def __init__(self, failure: Failure, *, recorded: bool) -> None:
        super().__init__(f"{failure.kind}: {failure.reason}")
        self.failure = failure
        self.recorded = recorded


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonEnv:
    """
    Which code a worker runs: the interpreter, folders that go before everything installed, further
    environment, where.
    """

    python: str = sys.executable
    paths: tuple[Path, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None
    """In which it works; None for that of this process."""
    territory: Territory | None = None
    """Whose files it must use, and prove it; None where there are no sides."""
    engine: EngineLaunch | None = None
    """The engine's own environment in this revision; None for the one that the cell names."""


CURRENT_ENV = PythonEnv()
"""The code and the environment of this process."""


class WorkerProcess:
    """One worker process."""

    def __init__(
        self,
        job: Mapping[str, object],
        files: Path,
        env: Mapping[str, str],
        launch: PythonEnv = CURRENT_ENV,
    ) -> None:
        """
        Start it. `files` is the path that its request and standard error get, with their own
        endings.
        """
        request = files.with_name(f"{files.name}.request.json")
        write_json(request, job)
        self._stderr = files.with_name(f"{files.name}.stderr")
        self._pending = b""
        with self._stderr.open("ab") as stderr:
            self._process = subprocess.Popen(
                [
                    launch.python,
                    *(["-P"] if launch.paths else []),
                    "-m",
                    "voxgate.harness.runner.worker",
                    str(request),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                cwd=launch.folder,
                env={**os.environ, **env, **path_variables(launch), **launch.env},
                bufsize=0,
                start_new_session=True,  # a Ctrl-C at the terminal reaches the parent only
            )
        # if we are killed, nobody else would end a worker that hangs
        GUARD.watch(self._process.pid)
        self._handle = _handle(self._process.pid)

    def do(self, command: Mapping[str, object], timeout_s: float) -> dict[str, Any]:
        """
        Execute one command and return its answer. Raises WorkerError if it fails, dies, or takes
        longer than the time-out.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(command).encode() + b"\n")
        except BrokenPipeError as error:
            raise self._death(command) from error
        answer: dict[str, Any] = json.loads(self._await_answer(command, timeout_s))
        if "failed" in answer:
            failure = from_json(Failure, answer["failed"], "the answer of the worker")
            self._end()
            raise WorkerError(failure, recorded=failure.kind is not FailureKind.DISK)
        if command["do"] == "finish":
            self._end()
        return answer

    def kill(self) -> None:
        """Kill the worker and every process that it started."""
        if self._process.returncode is None:
            self._signal_group(signal.SIGKILL)
        self._reap()

    def close(self) -> None:
        """Close the pipes; only when nobody waits on them any more."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _await_answer(self, command: Mapping[str, object], timeout_s: float) -> bytes:
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            if self._handle is not None:  # what it started may hold its standard output open
                selector.register(self._handle, selectors.EVENT_READ)
            while b"\n" not in self._pending:
                ready = [key.fileobj for key, _ in selector.select(timeout_s)]
                if not ready:
                    self.kill()
                    reason = (
                        f"{_name(command)} took longer than {timeout_s:g} s; raise --timeout if "
                        "that is expected"
                    )
                    raise WorkerError(
                        Failure(kind=FailureKind.TIMEOUT, reason=reason), recorded=False
                    )
                received = (
                    os.read(self._process.stdout.fileno(), 65536)
                    if self._process.stdout in ready
                    else b""
                )
                if not received:
                    raise self._death(command)
                self._pending += received
        line, _, self._pending = self._pending.partition(b"\n")
        return line

    def _death(self, command: Mapping[str, object]) -> WorkerError:
        """Return the error of a worker that died, with the request that it then had."""
        if not self._ends_within(GRACE_S):
            self._signal_group(signal.SIGKILL)
        code = self._reap()
        self.close()
        at = f" at request {command['request']}" if "request" in command else ""
        last_words = f"{at}{self._last_words()}"
        if code < 0:
            cause = f"{_signal_name(-code)}{' (out of memory?)' if -code == signal.SIGKILL else ''}"
            return WorkerError(
                Failure(
                    kind=FailureKind.KILLED, reason=f"the worker was ended by {cause}{last_words}"
                ),
                recorded=False,
            )
        reason = f"the worker ended with code {code} and without an answer{last_words}"
        return WorkerError(Failure(kind=FailureKind.DIED, reason=reason), recorded=False)

    def _reap(self) -> int:
        """
        Wait for the worker's end, and end what it left behind while its number cannot be another's.
        """
        if self._process.returncode is None:
            with suppress(ChildProcessError):
                os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
            self._signal_group(signal.SIGKILL)
        code = self._process.wait()
        GUARD.release(self._process.pid)
        return code

    def _ends_within(self, limit_s: float) -> bool:
        """
        Wait for the worker's end, and leave its number taken where the kernel (Linux 5.3) lets us.
        """
        if self._handle is not None:
            with selectors.DefaultSelector() as selector:
                selector.register(self._handle, selectors.EVENT_READ)
                return bool(selector.select(limit_s))
        try:
            self._process.wait(limit_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _last_words(self) -> str:
        try:
            text = self._stderr.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
        lines = [line for line in text.splitlines() if line.strip()]
        return f"; its last words: {lines[-1].strip()}" if lines else ""

    def _end(self) -> None:
        if self._ends_within(GRACE_S):
            self._reap()
        else:
            self.kill()
        self.close()
        with suppress(OSError):
            if self._stderr.stat().st_size == 0:
                self._stderr.unlink()

    def _signal_group(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)


def _handle(pid: int) -> int | None:
    """
    Open a handle that is ready once a process has ended; None where the kernel (before Linux 5.3)
    has none.
    """
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"


def path_variables(launch: PythonEnv) -> dict[str, str]:
    """
    Put the launch's folders before all others; with -P, the working directory comes behind them.
    """
    if not launch.paths:
        return {}
    old = os.environ.get("PYTHONPATH")
    return {"PYTHONPATH": os.pathsep.join([*map(str, launch.paths), *([old] if old else [])])}


def _name(command: Mapping[str, object]) -> str:
    """Name a command for people: `iterate measured u001`."""
    return " ".join(str(value) for value in command.values() if not isinstance(value, bool))
