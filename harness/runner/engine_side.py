"""
The engine's half of a worker: a target in this process, or one in the interpreter of an environment
of its own (`targets/other_python/`).

Both load, synthesise, observe and profile on the same terms: every time is read in the process in
which the engine runs, beside the call. What is recorded of it is the worker's business.
"""

import importlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Protocol

from voxgate.harness.machine.clock import Clock, WallClock, peak_cuda_bytes, peak_rss_bytes
from voxgate.harness.machine.interference import DisturbanceWatch
from voxgate.harness.records.cell import Cell, Option, Request, cell_to_json
from voxgate.harness.records.constraints import NON_EMPTY
from voxgate.harness.records.run import Count, OptionCheck, StageProfile, StageWork, Time
from voxgate.harness.runner.opened_files import (
    Opened,
    Territory,
    check_files,
    parts_of_environments,
)
from voxgate.harness.runner.stage_profile import profile_stages
from voxgate.harness.runner.timing import (
    Captions,
    Timing,
    captions_of,
    freeze_gc,
    joins_of,
    no_garbage_collection,
    time_synthesis,
    timing_of,
)
from voxgate.harness.targets.command.process import own_threads
from voxgate.harness.targets.other_python.connection import (
    EngineLaunch,
    EngineProcess,
    Spoken,
    audio_chunks,
)
from voxgate.harness.targets.other_python.find import find_environment
from voxgate.harness.targets.protocol import Options, Target
from voxgate.harness.targets.registry import make_target
from voxgate.harness.targets.slowdown import slow_down_of
from voxgate.harness.targets.witness import with_precision


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadTimes:
    """How long an engine took to be ready."""

    import_s: Time
    load_s: Time


class EngineSide(Protocol):
    """An engine under measurement, wherever it runs."""

    virtual: bool
    """Whether it tells its own time."""
    keeps_stages: bool
    """Whether it keeps when each stage ran, where it can."""

    @property
    def sample_rate_hz(self) -> int:
        """Of its last audio."""

    @property
    def chunk_boundaries_s(self) -> tuple[float, ...] | None:
        """Of its last audio; None where it does not tell."""

    @property
    def captions(self) -> Captions:
        """Of its last audio, if that is a reel."""

    def watch(self, cpu: int | None) -> DisturbanceWatch | None:
        """Return the watch over its process; None where that cannot be read from here."""

    def load(self, age_s: float) -> LoadTimes:
        """Import and load; this process is `age_s` old."""

    def effective(self) -> Options:
        """Return every option as the engine resolved it."""

    def synthesize(self, request: Request) -> Timing:
        """Synthesise one request, without garbage collection, and time it."""

    def settled(self) -> bool:
        """Whether the last synthesis compiled nothing."""

    def observe(self, request: Request) -> tuple[OptionCheck, ...]:
        """Compare each option with what was in effect."""

    def profile(self, request: Request) -> StageProfile:
        """Profile the stages."""

    def freeze(self) -> None:
        """Keep what was loaded out of later collections."""

    def pin(self, cpu: int) -> None:
        """Move every thread to one CPU."""

    def peaks(self) -> dict[str, int | None]:
        """Return the largest memory that it used."""

    def stop_listening(self) -> None:
        """Keep no more names of opened files."""

    def check_files(self, territory: Territory, more: Iterable[Path]) -> int:
        """Count the files that it used. Raises ForeignFilesError for a foreign one."""

    def end(self) -> None:
        """End it in order."""


class EngineHere:
    """A target in this process."""

    def __init__(self, cell: Cell, defaults: Mapping[str, Option], *, listen: bool) -> None:
        self._cell, self._defaults = cell, defaults
        self._target: Target
        self._clock: Clock = WallClock()
        self.virtual = self.keeps_stages = False
        self._opened = Opened() if listen else None
        if self._opened is not None:
            self._opened.start()

    @property
    def sample_rate_hz(self) -> int:
        """Of the target."""
        return self._target.sample_rate_hz

    @property
    def chunk_boundaries_s(self) -> tuple[float, ...] | None:
        """Of the target."""
        return joins_of(self._target)

    @property
    def captions(self) -> Captions:
        """Of the target."""
        return captions_of(self._target)

    def load(self, age_s: float) -> LoadTimes:
        """Import, make and load the target; a scripted one tells how long that takes."""
        start_s = self._clock.seconds()
        target = make_target(self._cell.target)
        for module in target.imports_for(self._cell):
            importlib.import_module(module)
        import_s = age_s + self._clock.seconds() - start_s
        own = target.clock
        if own is not None:
            self._clock, import_s, self.virtual = own, own.process_age_s(), True
        start_s = self._clock.seconds()
        target.load(self._cell, self._defaults)
        load_s = self._clock.seconds() - start_s
        self._target = target
        return LoadTimes(import_s=import_s, load_s=load_s)

    def watch(self, cpu: int | None) -> DisturbanceWatch | None:
        """Watch this process."""
        return DisturbanceWatch(cpu=cpu)

    def effective(self) -> Options:
        """Return the target's options."""
        return self._target.effective()

    def synthesize(self, request: Request) -> Timing:
        """Synthesise, and time it."""
        return time_synthesis(self._target, request, self._clock, keep=self.keeps_stages)

    def settled(self) -> bool:
        """Whether the target is settled."""
        return self._target.settled()

    def observe(self, request: Request) -> tuple[OptionCheck, ...]:
        """Observe the target, and what it computes in."""
        return with_precision(self._target, self._cell, request, self._target.observe(request))

    def profile(self, request: Request) -> StageProfile:
        """Profile the target's stages."""
        with no_garbage_collection():
            return profile_stages(self._target, request, self._clock)

    def freeze(self) -> None:
        """Keep what was loaded out of later collections."""
        freeze_gc()

    def pin(self, cpu: int) -> None:
        """Move every thread, also those that libraries started, and those of programs."""
        for thread in own_threads(programs=self._target.elsewhere):
            with suppress(ProcessLookupError):  # it may have ended meanwhile
                os.sched_setaffinity(thread, {cpu})

    def peaks(self) -> dict[str, int | None]:
        """Return the peaks of this process; of an engine elsewhere what its target knows."""
        elsewhere = self._target.elsewhere
        rss_bytes = self._target.peak_rss_bytes() if elsewhere else peak_rss_bytes()
        return {"peak_rss_bytes": rss_bytes, "peak_cuda_bytes": peak_cuda_bytes()}

    def stop_listening(self) -> None:
        """Keep no more names of opened files."""
        if self._opened is not None:
            self._opened.stop()

    def check_files(self, territory: Territory, more: Iterable[Path]) -> int:
        """Check the files of this process."""
        return 0 if self._opened is None else self._opened.check(territory, more)

    def end(self) -> None:
        """Do nothing: it ends with this process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedThere:
    """The answer to `load`."""

    import_s: Time
    load_s: Time
    virtual: bool
    elsewhere: bool
    effective: Mapping[str, Option | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfiledThere:
    """The answer to `stages`."""

    wall_s: Time
    stages_s: Mapping[str, Time]
    alone_s: Mapping[str, Annotated[tuple[Time, ...], NON_EMPTY]]
    work: Mapping[str, StageWork]


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectsThere:
    """The answer to `observe`."""

    effects: tuple[OptionCheck, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PeaksThere:
    """The answer to `peaks`."""

    peak_rss_bytes: Count | None
    peak_cuda_bytes: Count | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesThere:
    """The answer to `files`."""

    files: tuple[str, ...]


class EngineThere:
    """A target in an interpreter of its own; `process` starts it."""

    def __init__(
        self, cell: Cell, defaults: Mapping[str, Option], process: Callable[[], EngineProcess]
    ) -> None:
        self._cell, self._defaults, self._start = cell, defaults, process
        self._process: EngineProcess
        self._loaded: LoadedThere
        self._settled = True
        self.virtual = self.keeps_stages = False
        self.sample_rate_hz = 1
        self.chunk_boundaries_s: tuple[float, ...] | None = None
        self.captions: Captions = None  # a reel is refused before it starts

    def watch(self, cpu: int | None) -> DisturbanceWatch | None:
        """Watch the interpreter, where it has a number here."""
        pid = self._process.pid
        return None if pid is None else DisturbanceWatch(cpu=cpu, pid=pid)

    def load(self, age_s: float) -> LoadTimes:
        """
        Start the interpreter, import and load the target there; its age counts, not this process's.
        """
        self._process = self._start()
        cell = {**cell_to_json(self._cell), "slug": self._cell.slug, "label": self._cell.label}
        cell["options"] = self._cell.options
        answer, _ = self._process.ask(
            "load", target=self._cell.target, cell=cell, defaults=dict(self._defaults)
        )
        self._loaded = self._process.checked(LoadedThere, answer)
        self.virtual = self._loaded.virtual
        return LoadTimes(import_s=self._loaded.import_s, load_s=self._loaded.load_s)

    def effective(self) -> Options:
        """Return the options as they were after loading."""
        return self._loaded.effective  # type: ignore[return-value]

    def synthesize(self, request: Request) -> Timing:
        """Have it synthesised; the times were read over there, before anything was sent."""
        slow = slow_down_of(self._cell.slug, request.id)
        answer, content = self._process.ask("speak", request=_plain(request), slow=slow)
        spoken = self._process.checked(Spoken, answer)
        try:
            chunks, unmarked = audio_chunks(spoken, content)
        except ValueError as error:
            raise self._process.nonsense(str(error)) from error
        self._settled = spoken.settled
        self.sample_rate_hz = spoken.sample_rate_hz
        self.chunk_boundaries_s = spoken.chunk_boundaries_s
        return timing_of(
            request,
            chunks,
            spoken.arrived_s,
            wall_s=spoken.wall_s,
            stages_s=spoken.stages_s,
            claimed_s=spoken.claimed_stages_s,
            rate_hz=spoken.sample_rate_hz,
            unmarked=unmarked,
            notices=spoken.notices,
        )

    def settled(self) -> bool:
        """Whether the target was settled after its last synthesis."""
        return self._settled

    def observe(self, request: Request) -> tuple[OptionCheck, ...]:
        """Have the target observed."""
        answer, _ = self._process.ask("observe", request=_plain(request))
        return self._process.checked(EffectsThere, answer).effects

    def profile(self, request: Request) -> StageProfile:
        """Have the stages profiled."""
        answer, _ = self._process.ask("stages", request=_plain(request))
        told = self._process.checked(ProfiledThere, answer)
        return StageProfile(
            request=request.id,
            wall_s=told.wall_s,
            stages_s=told.stages_s,
            unaccounted_s=told.wall_s - sum(told.stages_s.values()),
            alone_s=told.alone_s,
            work=told.work,
        )

    def freeze(self) -> None:
        """Keep what was loaded there out of later collections."""
        self._process.ask("freeze")

    def pin(self, cpu: int) -> None:
        """Move its threads."""
        self._process.ask("pin", cpu=cpu)

    def peaks(self) -> dict[str, int | None]:
        """Return the peaks of its process."""
        told = self._process.checked(PeaksThere, self._process.ask("peaks")[0])
        rss_bytes = None if self._loaded.elsewhere else told.peak_rss_bytes
        return {"peak_rss_bytes": rss_bytes, "peak_cuda_bytes": told.peak_cuda_bytes}

    def stop_listening(self) -> None:
        """Keep no more names of opened files there."""
        self._process.ask("unlisten")

    def check_files(self, territory: Territory, more: Iterable[Path]) -> int:
        """Check the files of its process; those of its environment are its own."""
        told = self._process.checked(FilesThere, self._process.ask("files")[0])
        parts = parts_of_environments(self._process.facts.prefixes)
        return check_files(told.files, territory, (*more, *parts))

    def end(self) -> None:
        """End the interpreter."""
        self._process.end()


def engine_side(
    cell: Cell,
    defaults: Mapping[str, Option],
    *,
    launch: EngineLaunch | None,
    stderr: Path,
    cpus: Sequence[int],
    listen: bool,
) -> EngineSide:
    """
    Return the engine's half of a worker; nothing of it is started yet. `launch` is the environment
    of a revision in place of the suite's own.
    """
    if not cell.environment:
        return EngineHere(cell, defaults, listen=listen)

    def start() -> EngineProcess:
        found = launch or find_environment(cell.environment)
        return EngineProcess(found, stderr, cpus=cpus, listen=listen)

    return EngineThere(cell, defaults, start)


def _plain(request: Request) -> dict[str, Any]:
    names = ("id", "text", "language", "statement", "emphasis")
    return {**{name: getattr(request, name) for name in names}, "options": dict(request.options)}
