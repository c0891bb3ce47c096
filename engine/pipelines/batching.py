"""
Batching: groups of similar length, the batch size that fits into memory, a queue that collects the
texts of many callers, and worker threads that compute several groups at the same time.

Knows lengths, bytes and futures; no model. A group is padded to its longest member, so members
should be of similar length.

Free memory is that of the GPU's driver, or of the system and the control group of this process.

The worker threads are made with the pipeline and end with it. Each computes with its share of the
arithmetic's threads, a number that torch keeps per thread; the caller's thread keeps all of them.
"""

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np
import psutil
import torch

from voxgate.engine.config import MAX_BATCH, ConvertingConfig, FlowConfig, TokenConfig
from voxgate.engine.errors import EngineError
from voxgate.engine.pipelines.pipeline import processors

BYTES_PER_FRAME = 64 * 1024
"""
Working memory of one mel frame of one chunk: twice the 30 KiB by which the peak RSS grew (fp32 with
guidance, batches of 1, 4 and 12 chunks of 725 frames). The weights are not included.
"""
MEMORY_SHARE = 4
"""
A batch may use a quarter of the memory that is free at load: other processes need some too.
"""
FRAMES_PER_CHARACTER = 6
"""At speed 1, generously: 200 characters took 725 frames."""
MAX_WAITING = 64

Batched = TypeVar("Batched", FlowConfig, TokenConfig)
Options = Mapping[str, object]
SpeakMany = Callable[[Sequence[str], Sequence[Options]], list[np.ndarray]]
"""
`FlowPipeline.synthesize_batch`, or anything of its kind: as many waveforms as texts, in their
order.
"""


def padded_frames(free_bytes: int) -> int:
    """Return the mel frames, padding included, that fit into one pass through the models."""
    return max(1, free_bytes // MEMORY_SHARE // BYTES_PER_FRAME)


def batch_from_memory(free_bytes: int, chunk_characters: int, speed: float) -> int:
    """
    Return how many chunks of the longest kind fit into one pass, 1 to MAX_BATCH: the meaning of
    `batch=0`.
    """
    longest = max(1, round(chunk_characters * FRAMES_PER_CHARACTER / speed))
    return min(MAX_BATCH, max(1, padded_frames(free_bytes) // longest))


def with_own_choices(config: Batched, free_bytes: int) -> Batched:
    """
    Return a configuration with the engine's choices of threads and batch where they were left to
    it; `free_bytes` is what one worker may use.
    """
    batch = config.batch or batch_from_memory(free_bytes, config.chunk_characters, config.pace)
    return replace(config, threads=config.threads or processors(), batch=batch)


def workers_of(config: FlowConfig | TokenConfig | ConvertingConfig) -> "Workers | None":
    """Set the caller's threads; return the workers that share them, None where there is one."""
    torch.set_num_threads(config.threads)
    if config.workers == 1:
        return None
    return Workers(config.workers, config.share, config.threads)


def in_turn(count: int, batch: int, *, first_alone: bool = False) -> list[range]:
    """
    Group the chunks of one text in their order, `batch` neighbours at a time.

    `first_alone` leaves the first by itself, so that a short first chunk does not wait for its
    neighbours.
    """
    alone = [range(1)] if first_alone and count else []
    starts = range(len(alone), count, batch)
    return [*alone, *(range(start, min(start + batch, count)) for start in starts)]


def batch_by_length(
    lengths: Sequence[int], *, max_count: int, max_padded: int | None = None
) -> list[list[int]]:
    """
    Group indices of similar length.

    Args: lengths: of every utterance, in any unit. max_count: how many may be in a group.
        max_padded: how long a group may be in all, its longest times its count; what is longer than
        that goes alone.

    Returns: groups, each with the longest first; the group that holds the earliest index comes
    first.
    Raises: EngineError for a `max_count` below 1.
    """
    if max_count < 1:
        raise EngineError(
            f"a group holds at least 1 utterance, not {max_count}; give a max_count of 1 or more"
        )
    groups: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda place: -lengths[place]):
        last = groups[-1] if groups else []
        padded = (len(last) + 1) * lengths[last[0]] if last else 0
        if not last or len(last) == max_count or (max_padded is not None and padded > max_padded):
            groups.append([index])
        else:
            last.append(index)
    return sorted(groups, key=min)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedText:
    """One queued text."""

    text: str
    options: Options
    audio: Future[np.ndarray] = field(default_factory=Future)


class Batcher:
    """
    Dynamic batching: collects the texts of several threads and synthesises them together, in one
    thread of its own.

    The first text of a group waits `window_s` for others (50 to 100 ms cost a listener little), or
    until `max_batch` are queued. Of all queued texts, those closest to the earliest in length are
    synthesised first; the others keep their place.
    """

    def __init__(
        self,
        speak_many: SpeakMany,
        max_batch: int = 8,
        window_s: float = 0.05,
        max_waiting: int = MAX_WAITING,
    ) -> None:
        if max_batch < 1 or max_waiting < 1 or not 0.0 <= window_s < threading.TIMEOUT_MAX:
            raise EngineError(
                f"max_batch={max_batch} and max_waiting={max_waiting} must be at least 1, "
                f"window_s={window_s} at least 0"
            )
        self._speak_many, self._max_batch, self._window_s, self._max_waiting = (
            speak_many,
            max_batch,
            window_s,
            max_waiting,
        )
        self._waiting: deque[QueuedText] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="batcher", daemon=True)
        self._thread.start()

    def submit(self, text: str, options: Options | None = None) -> Future[np.ndarray]:
        """
        Queue a text; `options` as those of `FlowPipeline.stream`. The future holds its audio or its
        error.

        Cancel the future to leave the queue. Raises queue.Full if too many texts are queued,
        EngineError after `close`.
        """
        job = QueuedText(text=text, options=dict(options or {}))
        with self._changed:
            if self._closed:
                raise EngineError("the batcher is closed and takes no more texts; make another")
            self._forget_cancelled()
            if len(self._waiting) >= self._max_waiting:
                raise queue.Full(f"{len(self._waiting)} texts wait already; try again later")
            self._waiting.append(job)
            self._changed.notify_all()
        return job.audio

    def close(self) -> None:
        """Accept no more texts; return when all queued ones are synthesised."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()

    def _work(self) -> None:
        while self._collect():
            self._speak(self._take())

    def _collect(self) -> bool:
        """Wait for a first text and for others; return False once closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            self._changed.wait_for(
                lambda: len(self._waiting) >= self._max_batch or self._closed,
                timeout=self._window_s,
            )
            return bool(self._waiting) or not self._closed

    def _take(self) -> list[QueuedText]:
        """Remove the earliest text from the queue, with those closest to it in length."""
        with self._changed:
            self._forget_cancelled()
            waiting = list(self._waiting)
            groups = batch_by_length([len(job.text) for job in waiting], max_count=self._max_batch)
            chosen = set(groups[0]) if groups else set()
            self._waiting = deque(job for index, job in enumerate(waiting) if index not in chosen)
        return [waiting[index] for index in sorted(chosen)]

    def _forget_cancelled(self) -> None:
        self._waiting = deque(job for job in self._waiting if not job.audio.cancelled())

    def _speak(self, group: Sequence[QueuedText]) -> None:
        """Synthesise a group; if it fails, each text alone, so that only a bad text fails."""
        running = [job for job in group if job.audio.set_running_or_notify_cancel()]
        try:
            audios = self._spoken(running)
        except Exception:
            for job in running:
                self._speak_alone(job)
            return
        for job, audio in zip(running, audios, strict=True):
            job.audio.set_result(audio)

    def _speak_alone(self, job: QueuedText) -> None:
        try:
            job.audio.set_result(self._spoken([job])[0])
        except Exception as error:
            job.audio.set_exception(error)

    def _spoken(self, jobs: Sequence[QueuedText]) -> list[np.ndarray]:
        audios = (
            self._speak_many([job.text for job in jobs], [job.options for job in jobs])
            if jobs
            else []
        )
        if len(audios) != len(jobs):
            raise EngineError(
                f"{len(jobs)} texts were asked for and {len(audios)} waveforms came; this is a bug "
                "of the voice"
            )
        return audios


GROUP = Path("/sys/fs/cgroup")


def free_bytes(device: torch.device, group: Path = GROUP) -> int:
    """Return the bytes that are free on a device."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    system = int(psutil.virtual_memory().available)
    return min(system, _left_in(group, system))


def _left_in(group: Path, otherwise: int) -> int:
    """Return the free bytes of a control group (version 2); `otherwise` without a limit."""
    try:
        return max(
            0, int((group / "memory.max").read_text()) - int((group / "memory.current").read_text())
        )
    except (OSError, ValueError):  # no such group, or "max"
        return otherwise


AHEAD = 2
"""
Work per worker that may be started ahead of the earliest result: one running and one waiting, so
that no worker is idle behind a long one. No more, since a listener may leave.
"""
START_S = 60.0
"""
How long the threads wait for each other when they are made; a machine that cannot make them so soon
raises.
"""

Work = TypeVar("Work")
Sound = TypeVar("Sound")
_here = threading.local()


class Workers:
    """
    `count` threads, each with `share` of the arithmetic's threads; `threads` is the caller's own
    number, which stays.
    """

    def __init__(self, count: int, share: int, threads: int) -> None:
        self._most = AHEAD * count
        self._pool = ThreadPoolExecutor(count, "worker")
        # nobody ends before all have begun, so each is another thread
        met = threading.Barrier(count, timeout=START_S)
        for begun in [self._pool.submit(_begin, share, met) for _ in range(count)]:
            begun.result()
        # a thread that asks torch for the first time takes over what was set last, by anyone
        torch.set_num_threads(threads)

    def in_order(
        self, speak: Callable[[Work], Sound], work: Iterator[Work], *, first_alone: bool
    ) -> Iterator[Sound]:
        """
        Run all work, as much at a time as there are threads; yield the results in order, each as
        soon as it is its turn.

        `first_alone` speaks the first here, with all the arithmetic's threads, before anything else
        begins: it shares nothing then and is there as early as it can be. What `work` or `speak`
        raises is raised when its turn has come. Nothing runs on when the caller leaves early: what
        waits never starts, and what runs is waited for.
        """
        yield from map(speak, islice(work, int(first_alone)))
        begun: deque[Future[Sound]] = deque()
        try:
            while self._fill(begun, speak, work):
                yield begun[0].result()
                begun.popleft()
        finally:
            _end(begun)

    def _fill(
        self, begun: "deque[Future[Sound]]", speak: Callable[[Work], Sound], work: Iterator[Work]
    ) -> bool:
        """Start as much work as allowed; return whether any result is left."""
        while len(begun) < self._most:
            try:
                part = next(work)
            except StopIteration:
                break
            except Exception as error:
                begun.append(_failed(error))
            else:
                begun.append(self._pool.submit(speak, part))
        return bool(begun)


def _begin(share: int, met: threading.Barrier) -> None:
    # what others set last is taken over by a thread's first question, so it must not come later
    torch.get_num_threads()
    torch.set_num_threads(share)
    _here.is_worker = True
    met.wait()


def _failed(error: Exception) -> "Future[Sound]":
    future: Future[Sound] = Future()
    future.set_exception(error)
    return future


def _end(begun: "deque[Future[Sound]]") -> None:
    """
    Cancel pending work. A worker that happens to collect an abandoned stream must not wait for
    itself.
    """
    running = [future for future in begun if not future.cancel()]
    if not getattr(_here, "is_worker", False):
        wait(running)
