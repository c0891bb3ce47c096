"""
The worker processes of a run that are alive: started, warmed up, asked for one iteration at a time,
ended.

Knows what a worker is told and in which order; does not know which cell comes next, what is still
missing, or what becomes of a failure: that is for `round.py`.
"""

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from voxgate.harness.machine.profiles import Profile, allowed_cpus
from voxgate.harness.records.cell import Cell
from voxgate.harness.records.codec import to_json
from voxgate.harness.records.run import Failure, FailureKind, Phase
from voxgate.harness.runner import process_files
from voxgate.harness.runner.worker_channel import WorkerRequest
from voxgate.harness.runner.worker_process import PythonEnv, WorkerError, WorkerProcess

WARMUP = 2
"""Iterations after the first synthesis that are never judged, even if nothing compiles."""
MAX_COMPILES = 30
"""Iterations in a row that may compile something before a cell counts as one that never settles."""
MOST_LAPS = 3
"""
Passes of the warm-up through a workload, if those are more: with CUDA graphs each length runs once
as it is, is recorded at its second time, and is replayed from the third.
"""
MAX_LIVE = 8
WORKER_BYTES = 2 * 1024**3
"""Assumed for one worker: torch, a small voice, and room for compilation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSpec:
    """Specification of one worker."""

    cell: Cell
    repeat: int
    folder: Path
    """The run folder, absolute."""
    launch: PythonEnv
    iterations_before: int
    """How many iterations an interrupted process left for this repeat."""
    sampled: bool = False
    """Whether the cell is spoken in several takes."""
    spans: bool = False
    """Whether to keep when iterations and their stages ran."""


class WorkerPool:
    """Every worker that is alive, on the CPUs of a profile."""

    def __init__(self, profile: Profile, timeout_s: float) -> None:
        self._profile = profile
        self._timeout_s = timeout_s
        self._cpus = allowed_cpus()
        self._cpu = self._cpus[-1] if profile.pin and self._cpus else None
        self._alive: set[WorkerProcess] = set()
        self._lock = threading.Lock()
        self.stopping = False

    @contextmanager
    def parent_kept_off(self) -> Iterator[None]:
        """Keep this process off the CPU for measuring."""
        with kept_off(self._cpu, self._cpus):
            yield

    def start(self, post: WorkerSpec) -> WorkerProcess | None:
        """Start a worker; None if all are being stopped."""
        log = process_files.log_path(post.folder, post.cell.slug, post.repeat)
        request = WorkerRequest(
            cell=post.cell,
            repeat=post.repeat,
            folder=post.folder,
            log=log,
            defaults=self._profile.defaults,
            cpus=tuple(self._cpus),
            cpu=self._cpu,
            known=known_audio(post.folder, post.cell.slug),
            iterations_before=post.iterations_before,
            sampled=post.sampled,
            spans=post.spans,
            territory=post.launch.territory,
            engine=post.launch.engine,
        )
        with self._lock:
            if self.stopping:
                return None
            child = WorkerProcess(
                to_json(request), log.with_suffix(""), self._profile.env, post.launch
            )
            self._alive.add(child)
        return child

    def prepare(self, child: WorkerProcess, cell: Cell, *, alone: bool) -> None:
        """
        Load, speak once, warm up, look at what is in effect, move to the CPU for measuring. Raises
        ChildError.
        """
        requests = [request.id for request in cell.workload.requests]
        child.do({"do": "load", "alone": alone}, self._timeout_s)
        child.do(
            {"do": "iterate", "phase": Phase.FIRST.value, "request": requests[0]}, self._timeout_s
        )
        self._warm_up(child, requests)
        child.do({"do": "observe", "request": requests[0]}, self._timeout_s)
        child.do({"do": "pin"}, self._timeout_s)

    def measure(self, child: WorkerProcess, request: str) -> float:
        """
        Measure one iteration and give its seconds; one that compiled something is done again.
        Raises WorkerError.
        """
        for _ in range(MAX_COMPILES):
            answer = child.do(
                {"do": "iterate", "phase": Phase.MEASURED.value, "request": request},
                self._timeout_s,
            )
            if answer["settled"]:
                return float(answer["wall_s"])
        raise _unsettled(f"request {request}", MAX_COMPILES)

    def speak_take(self, child: WorkerProcess, request: str, take: int) -> None:
        """Speak a further take, which is not timed. Raises WorkerError."""
        command = {"do": "iterate", "phase": Phase.TAKE.value, "request": request, "take": take}
        child.do(command, self._timeout_s)

    def measure_energy(self, child: WorkerProcess, cell: Cell) -> None:
        """Measure a worker's energy: the whole workload once more. Raises WorkerError."""
        child.do({"do": "energy"}, self._timeout_s * (1 + len(cell.workload.requests)))

    def profile_stages(self, child: WorkerProcess, cell: Cell) -> None:
        """Profile a worker's stages, at the first request. Raises WorkerError."""
        child.do({"do": "stages", "request": cell.workload.requests[0].id}, 3 * self._timeout_s)

    def finish(self, child: WorkerProcess) -> None:
        """End a worker after its last record. Raises WorkerError."""
        child.do({"do": "finish"}, self._timeout_s)
        self._forget(child)

    def terminate(self, child: WorkerProcess) -> None:
        """End a worker that failed."""
        self._forget(child)
        child.kill()
        child.close()

    def stop(self) -> None:
        """Kill every worker, and let none be started any more."""
        with self._lock:
            self.stopping = True
            for child in self._alive:
                child.kill()

    def close(self) -> None:
        """Stop, and let go of the pipes."""
        self.stop()
        for child in self._alive:
            child.close()

    def _forget(self, child: WorkerProcess) -> None:
        with self._lock:
            self._alive.discard(child)

    def _warm_up(self, child: WorkerProcess, requests: Sequence[str]) -> None:
        """
        Iterate until nothing compiles, at least WARMUP times. Raises WorkerError if it never ends.
        """
        most = max(MAX_COMPILES, MOST_LAPS * len(requests))
        for count in range(1, WARMUP + most + 1):
            request = requests[count % len(requests)]
            answer = child.do(
                {"do": "iterate", "phase": Phase.WARMUP.value, "request": request}, self._timeout_s
            )
            if count >= WARMUP and answer["settled"]:
                return
        raise _unsettled("warm-up", most)


def known_audio(folder: Path, slug: str) -> Mapping[str, str]:
    """Return the hash of each request's audio, from the first process that measured it."""
    records = (
        process_files.load_process(folder, slug, repeat)
        for repeat in range(process_files.rounds(folder))
    )
    iterations = [
        iteration for record in records if record is not None for iteration in record.iterations
    ]
    return {
        iteration.request: iteration.audio_sha256
        for iteration in reversed(iterations)
        if iteration.phase is Phase.MEASURED
    }


@contextmanager
def kept_off(cpu: int | None, cpus: Sequence[int]) -> Iterator[None]:
    """Keep this process off the CPU for measuring, if there is another one."""
    if cpu is None or len(cpus) < 2:
        yield
        return
    os.sched_setaffinity(0, set(cpus) - {cpu})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cpus)


def live_limit(profile: Profile) -> int:
    """
    Return the highest number of workers alive at once: the profile's, or as many as fit into half
    of the free memory.
    """
    if profile.live is not None:
        return profile.live
    free_bytes = int(psutil.virtual_memory().available)
    return max(1, min(MAX_LIVE, free_bytes // 2 // WORKER_BYTES))


def _unsettled(where: str, count: int) -> WorkerError:
    reason = f"{where} still compiled something after {count} iterations"
    return WorkerError(Failure(kind=FailureKind.ERROR, reason=reason), recorded=False)
