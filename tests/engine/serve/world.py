"""
A simulated world whose time passes only while the engine works.

It records the arrivals, the costs, and the audio of every step.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, field

import numpy as np

from voxgate.engine.pipelines.pipeline import AudioSegment
from voxgate.engine.serve.jobs import BatchJob, StreamJob
from voxgate.engine.serve.scheduler import EngineThread

RATE_HZ = 1000
ENOUGH_S = 20.0
"""Of real time: a test that takes so long has failed."""


@dataclass(frozen=True)
class Heard:
    """One step of the engine: its job, its end, and the seconds of audio that it made."""

    name: str
    at_s: float
    audio_s: float = 0.0


@dataclass
class World:
    """
    Everything happens in the engine's thread after `run` has started it, so that every run is the
    same.
    """

    now_s: float = 0.0
    heard: list[Heard] = field(default_factory=list)
    works: dict[str, StreamJob | BatchJob] = field(default_factory=dict)
    _coming: list[tuple[float, Callable[[], None]]] = field(default_factory=list)
    _began: bool = False

    def at(self, instant_s: float, happens: Callable[[], None]) -> None:
        """
        Run `happens` at an instant at which the engine works; now, if that instant has passed.
        """
        if self._began and instant_s <= self.now_s:
            happens()
            return
        self._coming.append((instant_s, happens))
        self._coming.sort(key=lambda each: each[0])

    def comes(
        self, name: str, pieces: Sequence[tuple[float, float] | Exception], at_s: float = 0.0
    ) -> None:
        """Add a stream at an instant; per segment its cost and its duration, in seconds."""
        self.at(at_s, lambda: self._stream(name, pieces))

    def batch(
        self, name: str, cost_s: float, at_s: float = 0.0, then: Callable[[], None] = lambda: None
    ) -> None:
        """Add a batch; `then` runs at its end."""
        self.at(at_s, lambda: self._batch(name, cost_s, then))

    def work(self, name: str, cost_s: float, audio_s: float = 0.0) -> None:
        """Advance the time by the engine's work, with the arrivals in between."""
        until_s = self.now_s + cost_s
        while self._coming and self._coming[0][0] <= until_s:
            instant_s, happens = self._coming.pop(0)
            self.now_s = max(self.now_s, instant_s)
            happens()
        self.now_s = until_s
        self.heard.append(Heard(name, until_s, audio_s))

    def run(self) -> "World":
        """Run until the last job is done."""
        self.engine = EngineThread(lambda: self.now_s)
        first = BatchJob(self._begin)
        self.engine.submit_batch(first)
        first.future.result(ENOUGH_S)
        while waiting := [
            work.future for work in list(self.works.values()) if not work.future.done()
        ]:
            assert wait(waiting, ENOUGH_S).done, "nobody gets a turn"
        self.engine.close()
        assert not self._coming, "the engine had nothing to do before all had come"
        return self

    def of(self, name: str) -> list[Heard]:
        """Return the steps of one job."""
        return [each for each in self.heard if each.name == name]

    def underruns_s(self, name: str) -> list[float]:
        """
        Return the underruns of a listener who plays from the first segment on, and pauses at each.
        """
        first, *rest = self.of(name)
        silences, dry_s = [], first.at_s + first.audio_s
        for piece in rest:
            silences.append(max(0.0, piece.at_s - dry_s))
            dry_s = max(dry_s, piece.at_s) + piece.audio_s
        return [silence_s for silence_s in silences if silence_s > 1e-9]

    def _stream(self, name: str, pieces: Sequence[tuple[float, float] | Exception]) -> None:
        self.works[name] = StreamJob(
            lambda: self._segments(name, pieces), lambda _audio: None, RATE_HZ
        )
        self.engine.submit_stream(self.works[name])

    def _segments(
        self, name: str, pieces: Sequence[tuple[float, float] | Exception]
    ) -> Iterator[AudioSegment]:
        for number, piece in enumerate(pieces, start=1):
            if isinstance(piece, Exception):
                raise piece
            cost_s, audio_s = piece
            self.work(name, cost_s, audio_s)
            yield AudioSegment(
                audio=np.zeros(round(audio_s * RATE_HZ), np.float32), last=number == len(pieces)
            )

    def _begin(self) -> list[np.ndarray]:
        """Add the jobs of the beginning, before the first step."""
        self.work("beginning", 0.0)
        self.heard.clear()
        self._began = True
        return []

    def _batch(self, name: str, cost_s: float, then: Callable[[], None]) -> None:
        def speak() -> list[np.ndarray]:
            self.work(name, cost_s)
            then()
            return []

        self.works[name] = BatchJob(speak)
        self.engine.submit_batch(self.works[name])


def done(future: "Future[object]") -> bool:
    """Whether work ended well."""
    return future.done() and not future.cancelled() and future.exception() is None
