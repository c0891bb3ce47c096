"""
Measures a suite: rounds of fresh child processes, whose measured iterations take turns.

One round per repeat. In each, every cell gets a new process: load, first synthesis, warm-up until nothing compiles any
more, a look at what is in effect. Then the measured iterations of all live processes take turns (`order.py`), strictly one
at a time, while this process waits in the kernel. In the first round the processes also start one at a time, so that cold
starts are true. A cell that fails is not started again in this run, and stops no other cell.

Everything is on disk before the next command; Ctrl-C, a killed worker or a full disk cost the iteration under way, and a
resumed run continues each interrupted process with a fresh one. Knows no torch and no statistics.
"""

import errno
import os
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from harness import store
from harness.cell import Cell, cell_to_json
from harness.child import Child, ChildError
from harness.clock import Clock, WallClock, now_utc_iso
from harness.environment import environment, load_snapshot
from harness.errors import HarnessError
from harness.order import batches, turns
from harness.profiles import Profile
from harness.profiles.profile import allowed_cpus
from harness.progress import Pace, Progress, Silent
from harness.resume import Remainder, check_same, take_stock
from harness.sample import Failure, Phase
from harness.store import RunHeader
from harness.suite import Suite
from harness.targets.registry import check_cells

WARMUP = 2
"""Iterations after the first synthesis that are never judged, even if nothing compiles."""
MAX_COMPILES = 30
"""Iterations in a row that may compile something before a cell counts as one that never settles."""
MAX_LIVE = 8
WORKER_BYTES = 2 * 1024**3
"""Assumed for one worker: torch, a small voice, and room for compilation."""
TIMEOUT_S = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How measuring ended. Failures are by slug; an interrupted run is not complete and can be resumed."""

    folder: Path
    complete: bool
    interrupted: bool
    failures: Mapping[str, Failure]


class DiskFullError(Exception):
    """No room for another record."""


def run_suite(
    suite: Suite,
    cells: Sequence[Cell],
    profile: Profile,
    folder: Path,
    *,
    repeats: int | None = None,
    iterations: int | None = None,
    timeout_s: float = TIMEOUT_S,
    resume: bool = False,
    progress: Progress | None = None,
    command: str = "",
) -> Outcome:
    """
    Measure `cells` (all of the suite's, or some) into `folder`; with `resume`, what is still missing there.

    Raises HarnessError for options that the target does not know, a folder that is in use or belongs to another run, and
    a full disk.
    """
    check_cells(cells)
    expansion = suite.expand()
    header = RunHeader(
        suite=suite.name,
        question=suite.question,
        reference=expansion.reference,
        cells=tuple(cells),
        excluded=expansion.excluded,
        profile=profile.name,
        environment=environment(),
        created=now_utc_iso(),
        repeats=suite.repeats if repeats is None else repeats,
        iterations=suite.iterations if iterations is None else iterations,
        command=command,
    )
    if resume:
        check_same(folder, store.load_header(folder), header)
    else:
        store.create_run(folder, header)
    return Schedule(header, profile, folder, timeout_s, progress or Silent()).run()


class Schedule:
    """One run under way."""

    def __init__(self, header: RunHeader, profile: Profile, folder: Path, timeout_s: float, progress: Progress) -> None:
        self._header = header
        self._profile = profile
        self._folder = folder.absolute()
        self._timeout_s = timeout_s
        self._progress = progress
        self._clock: Clock = WallClock()
        self._cells = {cell.slug: cell for cell in header.cells}
        self._cpus = allowed_cpus()
        self._cpu = self._cpus[-1] if profile.pin and self._cpus else None
        self._failures: dict[str, Failure] = {}
        self._todo: dict[tuple[str, int], Remainder] = {}
        self._left = {slug: Counter[str]() for slug in self._cells}
        self._alive: set[Child] = set()
        self._stopping = False
        self._lock = threading.Lock()
        self._pace = Pace({})

    def run(self) -> Outcome:
        """Measure whatever is missing. Raises HarnessError if the disk is full."""
        interrupted = False
        try:
            self._take_stock()
            with kept_off(self._cpu, self._cpus):
                for repeat in range(self._header.repeats):
                    self._round(repeat)
            store.mark_complete(self._folder, {"after": load_snapshot(), "finished": now_utc_iso()})
        except KeyboardInterrupt:
            interrupted = True
        except (OSError, DiskFullError) as error:
            if isinstance(error, OSError) and error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise HarnessError(f"no space left for run {self._folder}; make room, then continue with --resume") from error
        finally:
            self._close()
        return Outcome(folder=self._folder, complete=not interrupted, interrupted=interrupted, failures=dict(self._failures))

    def _take_stock(self) -> None:
        store.unmark_complete(self._folder)
        stock = take_stock(self._folder, self._header)
        self._todo = dict(stock.todo)
        self._failures = dict(stock.failures)
        for (slug, _), rest in stock.todo.items():
            self._left[slug].update({"prepare": 1, "measure": len(rest.missing)})
        total = sum(self._left.values(), Counter())
        self._pace = Pace(total)
        self._progress.start(total.total())

    def _round(self, repeat: int) -> None:
        slugs = [slug for slug in self._cells if (slug, repeat) in self._todo]
        for group in batches(slugs, live_limit(self._profile), repeat):
            live = self._prepare_all([slug for slug in group if slug not in self._failures], repeat)
            self._measure_all(live, repeat)
            for slug, child in live.items():
                if slug not in self._failures:
                    self._finish(slug, repeat, child)

    def _prepare_all(self, slugs: Sequence[str], repeat: int) -> dict[str, Child]:
        """Start and warm up one process per cell; those that fail are left out."""
        width = 1 if repeat == 0 else max(1, min(self._profile.loading, len(slugs)))
        with ThreadPoolExecutor(width) as pool:
            try:
                children = list(pool.map(lambda slug: self._prepare(slug, repeat, alone=width == 1), slugs))
            except BaseException:
                self._stop()  # else the pool would wait for them
                raise
        return {slug: child for slug, child in zip(slugs, children, strict=True) if child is not None}

    def _prepare(self, slug: str, repeat: int, *, alone: bool) -> Child | None:
        start_s = self._clock.seconds()
        requests = [request.id for request in self._cells[slug].workload.requests]
        child = self._start(slug, repeat)
        if child is None:
            return None
        try:
            child.do({"do": "load", "alone": alone}, self._timeout_s)
            child.do({"do": "iterate", "phase": Phase.FIRST.value, "request": requests[0]}, self._timeout_s)
            self._warm_up(child, requests)
            child.do({"do": "observe", "request": requests[0]}, self._timeout_s)
            child.do({"do": "pin"}, self._timeout_s)
        except ChildError as error:
            self._fail(slug, repeat, child, error)
            return None
        with self._lock:
            self._step("prepare", slug, f"{slug} is ready", self._clock.seconds() - start_s)
        return child

    def _start(self, slug: str, repeat: int) -> Child | None:
        job = {
            "cell": cell_to_json(self._cells[slug]),
            "repeat": repeat,
            "folder": str(self._folder),
            "log": str(store.log_path(self._folder, slug, repeat)),
            "defaults": dict(self._profile.defaults),
            "cpus": self._cpus,
            "cpu": self._cpu,
            "known": self._known_audio(slug),
            "iterations_before": self._todo[slug, repeat].samples,
        }
        with self._lock:
            if self._stopping:
                return None
            child = Child(job, store.log_path(self._folder, slug, repeat).with_suffix(""), self._profile.env)
            self._alive.add(child)
        return child

    def _known_audio(self, slug: str) -> dict[str, str]:
        """Give the hash of each request's audio as the first process that measured it gave it."""
        records = (store.load_process(self._folder, slug, repeat) for repeat in range(self._header.repeats))
        samples = [sample for record in records if record is not None for sample in record.samples]
        return {sample.request: sample.audio_sha256 for sample in reversed(samples) if sample.phase is Phase.MEASURED}

    def _warm_up(self, child: Child, requests: Sequence[str]) -> None:
        """Iterate until nothing compiles, at least WARMUP times. Raises ChildError if it never ends."""
        for count in range(1, WARMUP + MAX_COMPILES + 1):
            request = requests[count % len(requests)]
            answer = child.do({"do": "iterate", "phase": Phase.WARMUP.value, "request": request}, self._timeout_s)
            if count >= WARMUP and answer["settled"]:
                return
        raise _unsettled("warm-up")

    def _measure_all(self, live: Mapping[str, Child], repeat: int) -> None:
        requests = [request.id for request in self._header.cells[0].workload.requests]
        missing = {slug: set(self._todo[slug, repeat].missing) for slug in live}
        slugs = [slug for slug in self._cells if slug in live]  # the suite's order: `turns` does the turning
        for slug, request, lap in turns(slugs, requests, self._header.iterations, repeat):
            if slug not in self._failures and (request, lap) in missing[slug]:
                self._measure(slug, repeat, live[slug], request)

    def _measure(self, slug: str, repeat: int, child: Child, request: str) -> None:
        """Measure one iteration; one that compiled something is recorded as such and done again."""
        start_s = self._clock.seconds()
        try:
            for _ in range(MAX_COMPILES):
                answer = child.do({"do": "iterate", "phase": Phase.MEASURED.value, "request": request}, self._timeout_s)
                if answer["settled"]:
                    self._step("measure", slug, slug, self._clock.seconds() - start_s)
                    return
            raise _unsettled(f"request {request}")
        except ChildError as error:
            self._fail(slug, repeat, child, error)

    def _finish(self, slug: str, repeat: int, child: Child) -> None:
        try:
            child.do({"do": "finish"}, self._timeout_s)
        except ChildError as error:
            self._fail(slug, repeat, child, error)
        else:
            self._alive.discard(child)

    def _fail(self, slug: str, repeat: int, child: Child, error: ChildError) -> None:
        """Record a failure, unless it is of our own making. Raises DiskFullError if there is no room to."""
        with self._lock:
            if self._stopping:
                return
            self._alive.discard(child)
            child.kill()
            child.close()
            if error.failure.kind == "disk":
                raise DiskFullError from error
            if not error.recorded:
                store.append_failure(self._folder, slug, repeat, error.failure)
            self._failures[slug] = error.failure
            self._skip(slug)

    def _step(self, kind: str, slug: str, text: str, duration_s: float) -> None:
        self._left[slug][kind] -= 1
        self._pace.done(kind, duration_s)
        self._progress.step(text, self._pace.eta_s())

    def _skip(self, slug: str) -> None:
        """Forget the steps of a cell that failed."""
        for kind, count in self._left[slug].items():
            self._pace.skip(kind, count)
        self._left[slug].clear()

    def _stop(self) -> None:
        """Kill every worker, and let none be started any more."""
        with self._lock:
            self._stopping = True
            for child in self._alive:
                child.kill()

    def _close(self) -> None:
        self._stop()
        for child in self._alive:
            child.close()
        self._progress.end()


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
    """Give how many workers may be alive at once: the profile's word, or what fits into half of the free memory."""
    if profile.live is not None:
        return profile.live
    free_bytes = int(psutil.virtual_memory().available)
    return max(1, min(MAX_LIVE, free_bytes // 2 // WORKER_BYTES))


def _unsettled(where: str) -> ChildError:
    reason = f"{where} still compiled something after {MAX_COMPILES} iterations"
    return ChildError(Failure(kind="error", reason=reason), recorded=False)
