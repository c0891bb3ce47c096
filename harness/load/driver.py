"""
Send requests and record the responses: the one part of `load` where time passes.

Each request in flight has a thread of its own, which mostly waits for bytes. Every response is
passed to `record` the moment it is complete, so that nothing is lost when a person or a crash ends
the load.
"""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from voxgate.harness.analysis.speed import play
from voxgate.harness.load.plan import Extent, Level, arrivals_s, shuffled_requests
from voxgate.harness.load.records import LoadPhase, ResponseRecord
from voxgate.harness.machine.clock import instant_s, sleep
from voxgate.harness.records.cell import Request, length_of
from voxgate.harness.records.run import AudioChunk as Heard
from voxgate.harness.records.run import FailureKind
from voxgate.harness.targets.http.client import ReceivedAudio, SpeechError

LOOK_S = 0.2
"""Interval at which the waiting main thread wakes up, so that it notices Ctrl-C."""

Speak = Callable[[Request], Iterator[ReceivedAudio]]
Record = Callable[[ResponseRecord], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """The server to load, the log of responses, and the start of the clock."""

    speak: Speak
    record: Record
    timeout_s: float
    """For a whole response."""
    zero_s: float
    repeat: int = 0
    abandoned: threading.Event = field(default_factory=threading.Event)
    """Set once a person ends the load: requests that break off then are no failures."""

    def now_s(self) -> float:
        """Return the seconds since the load began."""
        return instant_s() - self.zero_s

    def ask(
        self, request: Request, phase: LoadPhase, level: str = "", planned_s: float | None = None
    ) -> ResponseRecord:
        """Send one request, wait for its end, record it."""
        sent_s, failure, reason = self.now_s(), "", ""
        chunks: list[Heard] = []
        try:
            for chunk in self.speak(request):
                chunks.append(
                    Heard(arrived_s=self.now_s(), audio_s=chunk.audio.size / chunk.rate_hz)
                )
                if self.now_s() - sent_s > self.timeout_s:
                    raise SpeechError(
                        FailureKind.TIMEOUT,
                        f"the answer was not complete after {self.timeout_s:g} s",
                    )
        except SpeechError as error:
            failure, reason = error.kind, str(error)
        except (
            Exception
        ) as error:  # a mistake of ours must not pass for an answer, nor end a client in silence
            failure, reason = "error", f"{type(error).__name__}: {error}"
        answer = ResponseRecord(
            phase=phase,
            level=level,
            request=request.id,
            length=length_of(request.text),
            planned_s=sent_s if planned_s is None else planned_s,
            sent_s=sent_s,
            first_audio_s=chunks[0].arrived_s if chunks else None,
            done_s=self.now_s(),
            audio_s=sum(chunk.audio_s for chunk in chunks),
            failure=failure,
            reason=reason,
            repeat=self.repeat,
            underruns=play(chunks).underruns if chunks else None,
        )
        if not (failure and self.abandoned.is_set()):
            self.record(answer)
        return answer


def drive(
    driver: Driver, level: Level, requests: tuple[Request, ...], extent: Extent, seed: int
) -> None:
    """
    Apply one level of load to the server, and wait for its last response. After Ctrl-C nothing more
    is sent.
    """
    texts = shuffled_requests(requests, seed)
    begin = _closed if level.clients is not None else _open
    threads: list[threading.Thread] = []
    try:
        for thread in begin(driver, level, texts, extent, seed):
            threads.append(thread)
            thread.start()
        for thread in threads:
            while thread.is_alive():
                thread.join(LOOK_S)
    except BaseException:
        driver.abandoned.set()
        raise


def _closed(
    driver: Driver, level: Level, texts: Iterator[Request], extent: Extent, _seed: int
) -> Iterator[threading.Thread]:
    """
    Return a thread for each client; together they send as many requests as the extent demands.
    """
    until_s = None if extent.duration_s is None else driver.now_s() + extent.duration_s
    queue, taking = islice(texts, extent.requests), threading.Lock()

    def client() -> None:
        while not driver.abandoned.is_set() and (until_s is None or driver.now_s() < until_s):
            with taking:
                request = next(queue, None)
            if request is None:
                return
            driver.ask(request, LoadPhase.LOADED, level.label)

    for _ in range(level.clients or 0):
        yield threading.Thread(target=client, daemon=True)


def _open(
    driver: Driver, level: Level, texts: Iterator[Request], extent: Extent, seed: int
) -> Iterator[threading.Thread]:
    """Start a thread for each arrival at its time, whatever the state of the earlier ones."""
    assert level.rate_per_s is not None
    zero_s = driver.now_s()
    for at_s in arrivals_s(level.rate_per_s, extent, seed):
        planned_s, request = zero_s + at_s, next(texts)
        while (left_s := planned_s - driver.now_s()) > 0.0:
            sleep(min(left_s, LOOK_S))
        yield threading.Thread(
            target=driver.ask, args=(request, LoadPhase.LOADED, level.label, planned_s), daemon=True
        )
