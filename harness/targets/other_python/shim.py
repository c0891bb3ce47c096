"""
Run a target in the interpreter of its own environment, and answer commands from a pipe.

`connection.py` sends this file as text to `PYTHON -c ...`, so nothing is installed there, and a
container needs no folder of voxgate's. It needs the standard library of Python 3.8 alone, and
imports nothing else: neither numpy nor torch, which may be absent there or of any version.

A frame is b"VXF1", two lengths as big-endian 32-bit numbers, JSON, and raw bytes (audio). Standard
output is claimed first: what an engine prints goes to standard error. Times are read here, beside
the engine; a synthesis is sent when it is over, so that the pipe has no share in its times.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import itertools
import json
import os
import platform
import queue
import struct
import sys
import threading
import traceback
import types
from pathlib import Path
from typing import Any, Iterator

from .shim_parts import (
    RealTime,
    StageSeconds,
    Target,
    ability,
    audio_of,
    cell_of,
    check_fields,
    cuda_here,
    cuda_in_use,
    failure_of,
    find_target,
    origin,
    peak_rss_bytes,
    plain_scalar,
    slowed,
    stand_in,
    started_ticks,
    versions,
)

MAGIC = b"VXF1"
HEAD = struct.Struct(">4sII")
HEARD = ("open", "import", "ctypes.dlopen", "subprocess.Popen", "os.exec")
"""Audit events whose files are kept, as in runner/opened_files.py."""
LEAST_TIMES, MOST_TIMES = 3, 30
"""Of a stage that runs alone, as in runner/stage_profile.py."""


class Served:
    """Carries out the commands; each returns the JSON of its answer, and chunks of audio."""

    def __init__(self) -> None:
        self._target: Any = None
        self._clock: Any = RealTime()
        self._files: set[str] | None = None
        self._listening = False

    def hello(self, said: Any) -> Any:
        """Set the environment up before anything of the engine is imported."""
        os.environ.update(said["env"])
        if said["safe_path"] and sys.path[:1] == [""]:
            del sys.path[0]
        if said["cpus"]:
            with contextlib.suppress(AttributeError, OSError):
                os.sched_setaffinity(0, said["cpus"])
        if said["listen"]:
            self._listen()
        stand_in()
        facts = {"python": platform.python_version(), "executable": sys.executable}
        prefixes = [sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix]
        return {**facts, "pid": os.getpid(), "ticks": started_ticks(), "prefixes": prefixes}

    def probe(self, said: Any) -> Any:
        """Check the target and the options of its cells; return what is installed here."""
        target = find_target(said["target"])
        for pipeline, options in said["options"]:
            getattr(target, "check_options", Target.check_options)(pipeline, options)
        origins = {name: origin(name) for name in said["packages"]}
        return {"versions": versions(said["versions"]), "origins": origins}

    def load(self, said: Any) -> Any:
        """Import and load the target, and time both."""
        cell = cell_of(said["cell"])
        start_s = self._clock.seconds()
        age_s = self._clock.process_age_s()
        self._target = find_target(said["target"])()
        for module in ability(self._target, "imports_for")(cell):
            importlib.import_module(module)
        import_s = age_s + self._clock.seconds() - start_s
        own = getattr(self._target, "clock", None)
        if own is not None:
            self._clock, import_s = own, own.process_age_s()
        start_s = self._clock.seconds()
        self._target.load(cell, said["defaults"])
        load_s = self._clock.seconds() - start_s
        effective = dict(self._target.effective())
        self.freeze({})
        times = {"import_s": import_s, "load_s": load_s, "virtual": own is not None}
        elsewhere = bool(getattr(self._target, "elsewhere", False))
        return {**times, "effective": effective, "elsewhere": elsewhere}

    def speak(self, said: Any) -> tuple[Any, list[bytes]]:
        """Synthesise one request, and time it as voxgate does in its own process."""
        request, stages = types.SimpleNamespace(**said["request"]), StageSeconds(self._clock)
        chunks: list[Any] = []
        arrived_s: list[float] = []
        gc.collect()
        gc.disable()
        try:
            start_s = self._clock.seconds()
            for chunk in self._synthesis(request, stages, said.get("slow")):
                if len(chunk):
                    arrived_s.append(self._clock.seconds() - start_s)
                    chunks.append(chunk)
            wall_s = self._clock.seconds() - start_s
        finally:
            gc.enable()
        sent = [audio_of(chunk) for chunk in chunks]
        times = {"wall_s": wall_s, "arrived_s": arrived_s, "stages_s": stages.stages_s}
        shapes = [{"dtype": dtype, "shape": [length]} for dtype, length, _ in sent]
        boundaries_s = getattr(self._target, "chunk_boundaries_s", None)
        unmarked = getattr(self._target, "unmarked", None)
        if unmarked is not None:  # the last of the audio that is sent
            sent.append(audio_of(unmarked))
            shapes.append({"dtype": sent[-1][0], "shape": [sent[-1][1]]})
        more = {
            "claimed_stages_s": dict(getattr(self._target, "claimed_stages_s", {})),
            "has_unmarked": unmarked is not None,
            "notices": [
                {"kind": str(kind), "text": str(text)[:500]}
                for kind, text in list(getattr(self._target, "notices", ()))[:100]
            ],
            "sample_rate_hz": int(self._target.sample_rate_hz),
            "chunk_boundaries_s": None if boundaries_s is None else list(boundaries_s),
            "settled": bool(ability(self._target, "settled")()),
        }
        return {**times, **more, "chunks": shapes}, [raw for _, _, raw in sent]

    def _synthesis(self, request: Any, stages: Any, slow: Any) -> Iterator[Any]:
        """Synthesise, with the additional work that a selftest asks for."""
        if slow is None:
            return iter(self._target.synthesize(request, stages))
        return slowed(self._target, request, stages, slow, self._clock)

    def observe(self, said: Any) -> Any:
        """Return the option checks of one request."""
        checks = ability(self._target, "observe")(types.SimpleNamespace(**said["request"]))
        return {"effects": [check_fields(each) for each in checks]}

    def stages(self, said: Any) -> Any:
        """Profile the stages of one request, as runner/stage_profile.py does."""
        request, watch = types.SimpleNamespace(**said["request"]), StageSeconds(self._clock)
        gc.collect()
        gc.disable()
        try:
            start_s = self._clock.seconds()
            alone = ability(self._target, "isolated_stages")(request, watch)
            wall_s = self._clock.seconds() - start_s
            alone_s = self._repeated(alone, wall_s)
        finally:
            gc.enable()
        works = {stage: getattr(each, "work", None) for stage, each in alone.items()}
        names = ("calls", "rows", "frames")
        work = {
            stage: {name: getattr(each, name) for name in names}
            for stage, each in works.items()
            if each is not None
        }
        return {"wall_s": wall_s, "stages_s": watch.stages_s, "alone_s": alone_s, "work": work}

    def _repeated(self, alone: Any, budget_s: float) -> dict[str, list[float]]:
        times_s: dict[str, list[float]] = {stage: [] for stage in alone}
        until_s = self._clock.seconds() + budget_s
        for lap in itertools.count():
            if lap >= MOST_TIMES or (lap >= LEAST_TIMES and self._clock.seconds() >= until_s):
                return times_s
            for stage, each in alone.items():
                start_s = self._clock.seconds()
                each.run()
                times_s[stage].append(self._clock.seconds() - start_s)
        return times_s

    def pin(self, said: Any) -> Any:
        """Move every thread to the CPU for measuring."""
        self.freeze({})
        with contextlib.suppress(AttributeError, OSError):
            for thread in Path("/proc/self/task").iterdir() if said["cpu"] is not None else ():
                with contextlib.suppress(ProcessLookupError):
                    os.sched_setaffinity(int(thread.name), {said["cpu"]})
        return {}

    def freeze(self, _said: Any) -> Any:
        """Keep what was loaded out of later collections."""
        gc.collect()
        gc.freeze()
        return {}

    def peaks(self, _said: Any) -> Any:
        """Return the largest memory of this process."""
        cuda = cuda_here()
        used = None if cuda is None else sum(map(cuda.max_memory_allocated, cuda_in_use(cuda)))
        return {"peak_rss_bytes": peak_rss_bytes(), "peak_cuda_bytes": used}

    def files(self, _said: Any) -> Any:
        """Return the files that were opened, imported, loaded and mapped so far."""
        used = set(self._files or ())
        modules = list(sys.modules.values())
        used.update(getattr(module, "__file__", None) or "" for module in modules)
        with contextlib.suppress(OSError):
            maps = Path("/proc/self/maps").read_text(errors="surrogateescape")
            used.update(line.split(None, 5)[5] for line in maps.splitlines() if " /" in line)
        return {"files": sorted(path for path in used if path.startswith("/"))}

    def unlisten(self, _said: Any) -> Any:
        """Keep no more names of opened files; the hook cannot be removed."""
        self._listening = False
        return {}

    def _listen(self) -> None:
        used: set[str] = set()
        self._files, self._listening = used, True

        def hear(event: str, arguments: Any) -> None:
            if not self._listening or event not in (
                "open",
                "import",
                "ctypes.dlopen",
                "subprocess.Popen",
                "os.exec",
            ):
                return
            with contextlib.suppress(Exception):
                path = arguments[1] if event == "import" else arguments[0]
                writes = event == "open" and (arguments[2] or 0) & os.O_ACCMODE == os.O_WRONLY
                if path and not isinstance(path, int) and not writes:
                    used.add(str(Path.cwd() / os.fsdecode(path)))

        sys.addaudithook(hear)


def send(sink: int, answer: Any, chunks: list[bytes]) -> None:
    """Write one frame."""
    text = json.dumps(answer, default=plain_scalar).encode()
    parts = [HEAD.pack(MAGIC, len(text), sum(map(len, chunks))), text, *chunks]
    for part in parts:
        view = memoryview(part)
        while view:
            view = view[os.write(sink, view) :]


def receive(source: int) -> Any:
    """Read one command; None at the end of the pipe."""
    head = _read(source, HEAD.size)
    return None if head is None else json.loads(_read(source, HEAD.unpack(head)[1]) or b"null")


def _read(source: int, length: int) -> bytes | None:
    content = b""
    while len(content) < length:
        part = os.read(source, length - len(content))
        if not part:
            return None
        content += part
    return content


def _read_on(source: int, commands: Any) -> None:
    """Hand commands on; when voxgate is gone, end at once, whatever the engine is doing."""
    while True:
        command = receive(source)
        if command is None:
            os._exit(0)
        commands.put(command)


def serve() -> None:
    """Answer commands until `end`."""
    source, sink = os.dup(0), os.dup(1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    served, commands = Served(), queue.SimpleQueue()  # type: ignore[var-annotated]
    threading.Thread(target=_read_on, args=(source, commands), daemon=True).start()
    while True:
        command = commands.get()
        if command["do"] == "end":
            send(sink, {}, [])
            return
        try:
            answer = getattr(served, command["do"])(command)
            answer, chunks = answer if isinstance(answer, tuple) else (answer, [])
            send(sink, answer, chunks)
        except BaseException as error:
            traceback.print_exception(type(error), error, error.__traceback__)
            sys.stderr.flush()
            send(sink, {"failed": failure_of(error)}, [])


if __name__ == "voxgate_shim.shim":
    serve()
