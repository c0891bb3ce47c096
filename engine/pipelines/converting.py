"""
The base class of pipelines that convert a recording into another voice.

A recording comes as the option `source` of a request, the path of an audio file, or as samples
(`convert`). It is reduced to features first, content and F0, then spoken chunk by chunk.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import numpy as np

from voxgate.engine.config import ConvertingConfig
from voxgate.engine.conversion.features import Converted
from voxgate.engine.conversion.source import Source, load_source, source_of
from voxgate.engine.errors import EngineError
from voxgate.engine.pipelines.batching import Workers
from voxgate.engine.pipelines.pipeline import (
    Notice,
    NoticeKind,
    Pipeline,
    Watch,
    no_watch,
    unlike_line,
)

STAGES = ("preprocess", "content", "f0", "model", "vocoder", "post")
Config = TypeVar("Config", bound=ConvertingConfig)
Prepared = TypeVar("Prepared")


class LiveStream(Protocol):
    """
    A recording that comes live, on its way into a voice. `push` its samples, float32 (T,), as they
    come, `finish` it at its end; concatenated, what they return is the converted recording.
    """

    @property
    def sample_rate_hz(self) -> int:
        """Of the samples that are pushed."""

    @property
    def block_samples(self) -> int:
        """Samples that are converted at a time."""

    @property
    def latency_samples(self) -> int:
        """
        Samples between one that is pushed and the same one returned, at most, if samples are pushed
        one by one.
        """

    def push(self, block: np.ndarray) -> np.ndarray:
        """Take samples; return the audio that is final."""

    def finish(self) -> np.ndarray:
        """Return the rest."""


class ConvertingPipeline(Pipeline[Config], Generic[Config, Prepared]):
    """A loaded voice that recordings are converted into."""

    converts: ClassVar[bool] = True
    stages = STAGES
    _workers: Workers | None

    @abstractmethod
    def prepare(self, source: Source, config: Config, watch: Watch) -> Prepared:
        """Compute what the recording is spoken from, by `preprocess`, `content` and `f0`."""

    @abstractmethod
    def spoken(self, prepared: Prepared, config: Config, watch: Watch) -> Iterator[np.ndarray]:
        """
        Speak a prepared recording by `model`, `vocoder` and `post`; concatenated, the arrays are
        the whole.
        """

    def likeness(self, prepared: Prepared) -> tuple[float | None, bool]:
        """
        Return how like the training voices the source is, and whether that is enough; not measured
        by default.
        """
        return None, True

    def stream(
        self, text: str, options: Mapping[str, object] | None = None, watch: Watch = no_watch
    ) -> Iterator[np.ndarray]:
        """
        Convert the recording of the option `source` chunk by chunk: as `Pipeline.stream`. The text
        is a label, the words said in it.
        """
        self.begin()
        config = self.for_request(options or {})
        with watch("preprocess"):
            source = load_source(config.source)
        yield from self.converted(source, config, watch)

    def open_live(
        self, options: Mapping[str, object] | None = None, watch: Watch = no_watch
    ) -> "LiveStream":
        """
        Return what converts a recording that comes live, in blocks of `stream_block_ms`.

        Raises: EngineError for a pipeline that cannot.
        """
        self.begin()
        return self.live_stream(self.for_request(options or {}), watch)

    def live_stream(self, config: Config, watch: Watch) -> "LiveStream":
        """
        Return what converts live audio.

        Raises: EngineError for a pipeline that cannot.
        """
        raise EngineError(
            f"pipeline {config.pipeline} converts no live audio; use stream_block_ms=0"
        )

    def live(self, source: Source, config: Config, watch: Watch) -> Iterator[np.ndarray]:
        """
        Convert a recording as if it came live, in blocks of `stream_block_ms`.

        Raises: EngineError for a pipeline that cannot.
        """
        stream = self.live_stream(config, watch)
        size = stream.block_samples
        for first in range(0, source.audio.size, size):
            made = stream.push(source.audio[first : first + size])
            if made.size:
                yield made
        yield stream.finish()

    def converted(self, source: Source, config: Config, watch: Watch) -> Iterator[np.ndarray]:
        """Convert a recording chunk by chunk."""
        if config.stream_block_ms:
            yield from self.live(source, config, watch)
            return
        prepared = self.prepare(source, config, watch)
        self.tell_unlike(prepared)
        yield from self.spoken(prepared, config, watch)

    def tell_unlike(self, prepared: Prepared, number: int = 0) -> None:
        """Add a notice where a source is unlike the training voices; `number` of several."""
        likeness, like_training = self.likeness(prepared)
        if not like_training:
            kind = NoticeKind.UNLIKE
            self.tell(Notice(kind=kind, text="", value=likeness, number=number))

    def convert(
        self,
        audio: np.ndarray,
        sample_rate_hz: int,
        options: Mapping[str, object] | None = None,
        watch: Watch = no_watch,
    ) -> Converted:
        """
        Convert samples.

        Args:
            audio: (T,) or (T, channels), floating point in -1..1.
            sample_rate_hz: of the audio.
            options: those that one request may set, for this recording only.
            watch: as of `stream`.

        Raises: EngineError for audio that cannot be converted.
        """
        config = self.for_request(options or {})
        with watch("preprocess"):
            source = source_of(audio, sample_rate_hz)
        return self._whole(source, config, watch)

    def convert_file(
        self, path: str, options: Mapping[str, object] | None = None, watch: Watch = no_watch
    ) -> Converted:
        """Convert the recording in a file: as `convert`."""
        config = self.for_request(options or {})
        with watch("preprocess"):
            source = load_source(path)
        return self._whole(source, config, watch)

    def _whole(self, source: Source, config: Config, watch: Watch) -> Converted:
        likeness: float | None
        if config.stream_block_ms:
            pieces = list(self.live(source, config, watch))
            likeness, like_training = None, True
        else:
            prepared = self.prepare(source, config, watch)
            pieces = list(self.spoken(prepared, config, watch))
            likeness, like_training = self.likeness(prepared)
        return Converted(
            audio=np.concatenate(pieces),
            sample_rate_hz=self.sample_rate_hz,
            likeness=likeness,
            like_training=like_training,
            warning="" if like_training else unlike_line(likeness),
        )

    def _in_order(self, run: Callable[[Any], Any], groups: Iterator[Any]) -> Iterator[Any]:
        """Run groups, in the workers if there are any; yields the result of each in order."""
        if self._workers is None:
            return map(run, groups)
        return self._workers.in_order(run, groups, first_alone=False)
