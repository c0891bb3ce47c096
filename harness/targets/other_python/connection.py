"""
voxgate's end of the pipe to an engine in another interpreter: start it, send it the shim, ask it.

The shim travels as text, so that a container or an old board needs nothing of voxgate. Whatever
arrives is data of a stranger: lengths have limits, and each answer is checked by its annotations.
"""

import json
import os
import selectors
import signal
import struct
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import numpy as np

from voxgate.harness.errors import HarnessError
from voxgate.harness.machine.process_guard import GUARD
from voxgate.harness.records.codec import from_json
from voxgate.harness.records.constraints import Fallback, Length, Range
from voxgate.harness.records.run import Failure, FailureKind, SynthesisNotice, Time

OLDEST = (3, 8)
MARK = b"\0voxgate-shim "
BOOT = r"""
import os,sys
os.write(1,("\0voxgate-shim %d %d\n"%sys.version_info[:2]).encode())
def read(n):
 b=b""
 while len(b)<n:
  c=os.read(0,n-len(b))
  if not c: os._exit(3)
  b+=c
 return b
import json,types
for name,text in json.loads(read(int(read(10))).decode()):
 m=types.ModuleType(name);m.__package__="voxgate_shim";m.__path__=[];sys.modules[name]=m
 exec(compile(text,name.replace(".","/")+".py","exec"),m.__dict__)
"""
"""The program of `PYTHON -c`; also Python 2 can read it, to say that it is too old."""
SOURCES = ("shim_parts", "shim")
HEAD = struct.Struct(">4sII")
MAGIC = b"VXF1"
MOST_JSON_BYTES = 64 * 2**20
MOST_AUDIO_BYTES = 2**30
MOST_NOISE_BYTES = 16 * 2**20
START_S, GRACE_S = 120.0, 5.0
OURS = ("PYTHONHOME", "PYTHONSAFEPATH", "VIRTUAL_ENV", "CONDA_PREFIX", "__PYVENV_LAUNCHER__")
"""Environment variables of voxgate's own interpreter, which mean nothing to another one."""
SENT = ("OMP_", "MKL_", "OPENBLAS_", "NUMEXPR_", "VECLIB_", "BLIS_", "TORCH_", "CUDA_", "MALLOC_")
"""Beginnings of variables that are sent, too: a container does not inherit them."""
FULL_SCALE = 32768.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineLaunch:
    """How the interpreter of an engine's environment is started."""

    command: tuple[str, ...]
    """Up to and including the interpreter."""
    label: str
    """The environment as the suite names it."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Beyond voxgate's own."""
    install: str = ""
    """Command that installs a package there; empty where none is known."""
    folder: str = ""
    """Of the environment; empty where it lies in no folder."""
    safe_path: bool = False
    """Whether nothing is imported from the working directory but by PYTHONPATH."""


class EngineAbroadError(Exception):
    """The engine failed over there; `module` is one that could not be imported."""

    def __init__(self, failure: Failure, module: str | None = None) -> None:
        super().__init__(failure.reason)
        self.failure = failure
        self.module = module


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureThere:
    """An exception as the shim describes it."""

    kind: Annotated[FailureKind, Fallback(FailureKind.ERROR)]
    reason: str
    module: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShimFacts:
    """The first answer: the interpreter that runs the shim."""

    python: str
    executable: str
    pid: int
    ticks: int | None
    prefixes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkShape:
    """Type and shape of one chunk of audio."""

    dtype: Literal["float32", "int16"]
    shape: Annotated[tuple[Annotated[int, Range(1)], ...], Length(1, 1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """One synthesis over there; its chunks follow as bytes, and behind them the whole unmarked."""

    wall_s: Time
    arrived_s: tuple[Time, ...]
    stages_s: Mapping[str, Time]
    sample_rate_hz: Annotated[int, Range(1, 10_000_000)]
    chunk_boundaries_s: tuple[Time, ...] | None
    settled: bool
    chunks: tuple[ChunkShape, ...]
    has_unmarked: bool = False
    notices: tuple[SynthesisNotice, ...] = ()
    claimed_stages_s: Mapping[str, Time] = field(default_factory=dict)


class EngineProcess:
    """An engine's interpreter, alive; one question at a time."""

    def __init__(
        self,
        launch: EngineLaunch,
        stderr: Path,
        *,
        cpus: Sequence[int] = (),
        listen: bool = False,
        timeout_s: float | None = None,
        folder: Path | None = None,
    ) -> None:
        """
        Start it in `folder`, or the working directory; with a time-out it gets a session of its
        own. `listen` keeps the names of all files that it opens. Raises HarnessError if it cannot
        be started.
        """
        self.launch = launch
        self._stderr = stderr
        self._timeout_s = timeout_s
        self._pending = b""
        self._process = self._started(folder)
        self._handle = _handle(self._process.pid)
        if timeout_s is not None:
            GUARD.watch(self._process.pid)
        try:
            self._boot()
            said = {"env": _sent_variables(), "cpus": list(cpus), "listen": listen}
            answer, _ = self.ask("hello", **said, safe_path=launch.safe_path)
            self.facts = self.checked(ShimFacts, answer)
        except BaseException:
            self.kill()
            raise

    @property
    def pid(self) -> int | None:
        """The process as /proc knows it here; None where it has a number of its own, elsewhere."""
        with suppress(OSError, IndexError, ValueError):
            stat = Path(f"/proc/{self.facts.pid}/stat").read_text()
            if int(stat.rpartition(")")[2].split()[19]) == self.facts.ticks:
                return self.facts.pid
        return None

    def ask(self, do: str, **said: object) -> tuple[dict[str, Any], bytes]:
        """
        Return the answer to a command, and the bytes that came with it. Raises EngineAbroadError if
        the engine raised an exception, died, or answered nonsense.
        """
        self._write(_frame({"do": do, **said}))
        magic, length, size = HEAD.unpack(self._read(HEAD.size))
        if magic != MAGIC or length > MOST_JSON_BYTES or size > MOST_AUDIO_BYTES:
            raise self.nonsense(f"a frame of {length} + {size} bytes")
        try:
            answer: dict[str, Any] = json.loads(self._read(length))
        except ValueError as error:
            raise self.nonsense(str(error)) from error
        audio = self._read(size)
        if "failed" in answer:
            failed = self.checked(FailureThere, answer["failed"])
            raise EngineAbroadError(Failure(kind=failed.kind, reason=failed.reason), failed.module)
        return answer, audio

    def checked(self, kind: type[T], answer: object) -> T:
        """Return an answer as its annotations demand. Raises EngineAbroadError."""
        try:
            return from_json(kind, answer, "its answer")
        except HarnessError as error:
            raise self.nonsense(str(error)) from error

    def nonsense(self, what: str) -> EngineAbroadError:
        """Return the error of an answer that means nothing."""
        reason = f"the engine in {self.launch.label} answered nonsense: {what}"
        return EngineAbroadError(Failure(kind=FailureKind.ERROR, reason=reason))

    def end(self) -> None:
        """End it in order, or kill it if that takes too long."""
        with suppress(EngineAbroadError):
            self.ask("end")
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(GRACE_S)
        self.kill()

    def kill(self) -> None:
        """Kill it, with all that it started where it has a session of its own."""
        if self._process.poll() is None:
            self._process.kill()
        if self._timeout_s is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            GUARD.release(self._process.pid)
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _started(self, folder: Path | None) -> subprocess.Popen[bytes]:
        env = {name: value for name, value in os.environ.items() if name not in OURS}
        try:
            with self._stderr.open("ab") as stderr:
                return subprocess.Popen(
                    [*self.launch.command, "-c", BOOT],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=stderr,
                    env={**env, **self.launch.env},
                    cwd=folder,
                    bufsize=0,
                    start_new_session=self._timeout_s is not None,
                )
        except OSError as error:
            raise HarnessError(cannot_start(self.launch, error)) from error

    def _boot(self) -> None:
        """Wait for the interpreter, and send it the shim; what it prints before is noise."""
        while MARK not in self._pending or b"\n" not in self._pending.partition(MARK)[2]:
            try:
                self._pending += self._some()
            except EngineAbroadError as error:
                raise HarnessError(
                    f"environment {self.launch.label}: `{self.launch.command[0]}` starts no "
                    f"Python: {error}; the list must end with the interpreter"
                ) from error
            if len(self._pending) > MOST_NOISE_BYTES:
                raise HarnessError(f"environment {self.launch.label} prints without end")
        noise, _, rest = self._pending.partition(MARK)
        line, _, self._pending = rest.partition(b"\n")
        if noise:
            with self._stderr.open("ab") as stderr:
                stderr.write(noise)
        version = tuple(int(word) for word in line.split()[:2])
        if version < OLDEST:
            raise HarnessError(
                f"environment {self.launch.label} has Python {'.'.join(map(str, version))}; an "
                f"engine needs {'.'.join(map(str, OLDEST))} or newer"
            )
        here = Path(__file__).parent
        texts = [["voxgate_shim", ""]] + [
            [f"voxgate_shim.{name}", (here / f"{name}.py").read_text(encoding="utf-8")]
            for name in SOURCES
        ]
        content = json.dumps(texts).encode()
        self._write(b"%10d" % len(content) + content)

    def _write(self, content: bytes) -> None:
        assert self._process.stdin is not None
        view = memoryview(content)
        try:
            while view:
                view = view[self._process.stdin.write(view) :]
        except BrokenPipeError as error:
            raise self._death() from error

    def _read(self, length: int) -> bytes:
        parts = [self._pending]
        have = len(self._pending)
        while have < length:
            parts.append(self._some())
            have += len(parts[-1])
        content = b"".join(parts)
        self._pending = content[length:]
        return content[:length]

    def _some(self) -> bytes:
        """Read what has arrived, and wait for it. Raises EngineAbroadError at its end."""
        assert self._process.stdout is not None
        with _ready(self._process.stdout, self._handle, self._timeout_s) as ready:
            if not ready:
                reason = f"no answer within {self._timeout_s:g} s"
                raise EngineAbroadError(Failure(kind=FailureKind.TIMEOUT, reason=reason))
            received = (
                os.read(self._process.stdout.fileno(), 1 << 20)
                if self._process.stdout in ready
                else b""
            )
        if not received:
            raise self._death()
        return received

    def _death(self) -> EngineAbroadError:
        """Return the error of a process that ended without an answer."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(GRACE_S)
        if self._process.returncode is None:
            self._process.kill()
        code = self._process.wait()
        words = last_words(self._stderr)
        if code < 0:
            out = " (out of memory?)" if -code == signal.SIGKILL else ""
            name = next((each.name for each in signal.Signals if each == -code), f"signal {-code}")
            reason = f"the engine was ended by {name}{out}{words}"
            return EngineAbroadError(Failure(kind=FailureKind.KILLED, reason=reason))
        reason = f"the engine ended with code {code} and without an answer{words}"
        return EngineAbroadError(Failure(kind=FailureKind.DIED, reason=reason))


def audio_chunks(spoken: Spoken, content: bytes) -> tuple[list[np.ndarray], np.ndarray | None]:
    """
    Return the chunks of a synthesis as float32 (T,), and the whole before its watermark, if any;
    int16 is PCM, full scale is 1. Raises ValueError if the bytes are not what the shapes say.
    """
    sizes = [each.shape[0] * np.dtype(each.dtype).itemsize for each in spoken.chunks]
    if sum(sizes) != len(content) or len(sizes) != len(spoken.arrived_s) + spoken.has_unmarked:
        raise ValueError(
            f"{len(content)} bytes of audio and {len(spoken.arrived_s)} times for chunks of "
            f"{sum(sizes)} bytes"
        )
    chunks, offset = [], 0
    for each, size in zip(spoken.chunks, sizes, strict=True):
        raw = np.frombuffer(content, each.dtype, each.shape[0], offset)
        audio = raw.astype(np.float32)
        chunks.append(audio / np.float32(FULL_SCALE) if each.dtype == "int16" else audio)
        offset += size
    return (chunks[:-1], chunks[-1]) if spoken.has_unmarked else (chunks, None)


def cannot_start(launch: EngineLaunch, error: OSError) -> str:
    """Return why an interpreter cannot be started, in one line."""
    program = Path(launch.command[0])
    what = f"environment {launch.label}: {program} cannot be started: {error.strerror}"
    if program.is_symlink() and not program.exists():
        return f"{what}: it is a link to {program.readlink()}; make the environment anew"
    if isinstance(error, FileNotFoundError):
        return f"{what}; correct environment=, or install it"
    machine = os.uname().machine
    return f"{what} (this machine is {machine}); make the environment anew on this machine"


def last_words(stderr: Path) -> str:
    """Quote the last line of standard error; empty where there is none."""
    try:
        text = stderr.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    lines = [line for line in text.splitlines() if line.strip()]
    return f"; its last words: {lines[-1].strip()}" if lines else ""


def _frame(command: Mapping[str, object]) -> bytes:
    text = json.dumps(command).encode()
    return HEAD.pack(MAGIC, len(text), 0) + text


def _sent_variables() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith(SENT)}


@contextmanager
def _ready(stdout: Any, handle: int | None, timeout_s: float | None) -> Iterator[list[Any]]:
    """Wait until there is something to read, or the process has ended; which of them."""
    with selectors.DefaultSelector() as selector:
        selector.register(stdout, selectors.EVENT_READ)
        if handle is not None:  # what it started may hold its standard output open
            selector.register(handle, selectors.EVENT_READ)
        yield [key.fileobj for key, _ in selector.select(timeout_s)]


def _handle(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None
