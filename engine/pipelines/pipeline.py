"""
The base class of all pipelines: what the command line, a server and an observer can rely on.

A pipeline names its stages, its configuration and its models; nothing outside of it has to know
which pipeline it is. It reads no clock: to get stage times, pass a `watch`.

An `AudioSegment` is the final audio of one pass through the models, the unit in which a scheduler
shares one engine between texts. The arrays of a stream are no such unit. Those of one pass come
together, and the last one, the end of a crossfade, costs no computation. A scheduler must know that
a text has ended when its last pass is done, not one turn later.
"""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
import torch
from torch import nn

from voxgate.engine.audio.postprocess import CROSSFADE
from voxgate.engine.audio.watermark import Mark, load_mark
from voxgate.engine.config import PipelineConfig, Watermark, options_of, parse
from voxgate.engine.errors import EngineError
from voxgate.engine.passes import Applied
from voxgate.engine.python310 import StrEnum
from voxgate.engine.text.frontend import Chunk
from voxgate.engine.text.spoken import dropped_line

Config = TypeVar("Config", bound=PipelineConfig)
Watch = Callable[[str], AbstractContextManager[None]]


SHOWN_CHARACTERS = 80
"""Of the text of a notice."""


def processors() -> int:
    """Return the number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def no_watch(stage: str) -> AbstractContextManager[None]:
    """Return a context that does nothing."""
    return nullcontext()


class NoticeKind(StrEnum):
    """What a listener would not expect of a synthesis."""

    CUT = "cut"
    """The audio of a chunk ends before its text: `max_tokens` were too few."""
    DROPPED = "dropped"
    """Characters that cannot be said, and were left out; `text` holds them."""
    UNLIKE = "unlike"
    """The source of a conversion is unlike the training voices; `value` is its likeness."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """
    What the caller of a synthesis should be told; none of it is an error.

    text: the part of the text that it is about.
    option: what decided it, and `value`, what that was; empty where no option did.
    number: of the text, where several are synthesised together, from 0.
    chunk: of that text, from 0.
    """

    kind: NoticeKind
    text: str
    option: str = ""
    value: object = ""
    number: int = 0
    chunk: int = 0

    def line(self) -> str:
        """Return it in one line, for people."""
        if self.kind is NoticeKind.UNLIKE:
            return unlike_line(self.value)
        if self.kind is NoticeKind.DROPPED:
            return dropped_line(self.text)
        excerpt = (
            self.text
            if len(self.text) <= SHOWN_CHARACTERS
            else f"{self.text[:SHOWN_CHARACTERS]}..."
        )
        return f"{self.option}={self.value} ended the audio before its text: {excerpt!a}"


def unlike_line(likeness: object) -> str:
    """Return the line for a source of a likeness that is too small."""
    shown = f"{likeness:.2f}" if isinstance(likeness, float) else "unknown"
    return f"source unlike the training voices (likeness {shown}); words may be lost"


class Pipeline(ABC, Generic[Config]):
    """A loaded voice with its configuration."""

    config_class: ClassVar[type[PipelineConfig]]
    """Its options."""
    stages: ClassVar[tuple[str, ...]]
    """
    Names that `watch` is called with, in the order of the data; behind them comes `watermark` where
    there is one.
    """
    converts: ClassVar[bool] = False
    """Whether it takes a recording, the option `source`, and the text is only a label."""
    crossfade_samples: int = CROSSFADE
    """By which two chunks overlap in a stream; 0 where they abut."""
    mark: Mark | None = None
    """
    Puts the watermark into the whole audio of a chunk, as the last thing before crossfades; None
    without one. An observer may replace it, and pass the calls on.
    """
    sample_rate_hz: int
    config: Config
    """With the engine's own choices in place of those that were left to it."""
    device: torch.device
    applied: tuple[Applied, ...]
    """What was applied to the models, in order."""
    _notices: list[Notice]

    @property
    def notices(self) -> tuple[Notice, ...]:
        """
        What the last synthesis has to tell, in the order of its texts and chunks; all of it when
        its audio is complete. Of several at the same time, those that began before the last are
        told with it, or not at all.
        """
        told = getattr(self, "_notices", [])
        return tuple(sorted(told, key=lambda notice: (notice.number, notice.chunk)))

    def begin(self) -> None:
        """Forget the notices of the synthesis before: for subclasses, at the start of each."""
        self._notices = []

    def tell(self, notice: Notice) -> None:
        """Add a notice, from any thread: for subclasses, between `begin` and the end of audio."""
        vars(self).setdefault("_notices", []).append(notice)

    def tell_dropped(self, chunks: Sequence[Chunk], number: int = 0) -> None:
        """Add a notice where a text holds characters that cannot be said; `number` of several."""
        self.tell_left_out(chunks[0].dropped if chunks else "", number)

    def tell_left_out(self, characters: str, number: int = 0) -> None:
        """Add a notice of characters that cannot be said, where there are any."""
        if characters:
            self.tell(Notice(kind=NoticeKind.DROPPED, text=characters, number=number))

    @classmethod
    @abstractmethod
    def load(cls, options: Mapping[str, object], folder: Path | None = None) -> "Pipeline[Config]":
        """
        Load a pipeline from plain options.

        Args:
            options: of `config_class`.
            folder: another voice's weights; None for the default.

        Raises: EngineError for options, machines and weights that cannot work.
        """

    @property
    @abstractmethod
    def models(self) -> dict[str, nn.Module]:
        """
        The models by stage. For each the pipeline has an attribute of the stage's name: the
        callable that runs it.
        """

    @abstractmethod
    def stream(
        self, text: str, options: Mapping[str, object] | None = None, watch: Watch = no_watch
    ) -> Iterator[np.ndarray]:
        """
        Synthesise a text chunk by chunk.

        Args:
            text: the whole text.
            options: those that one request may set, for this text only.
            watch: called with the name of a stage, returns a context that spans the stage's work.

        Yields: float32 mono audio (T,) at `sample_rate_hz`; concatenated, it is the whole.
        Raises: EngineError for a text that cannot be spoken.
        """

    def synthesize(
        self, text: str, options: Mapping[str, object] | None = None, watch: Watch = no_watch
    ) -> np.ndarray:
        """Synthesise the whole text: `stream`, concatenated; float32 (T,)."""
        return np.concatenate(list(self.stream(text, options, watch)))

    def use_watermark(self, kind: Watermark) -> None:
        """Load the watermark of the option. Raises EngineError where its package is missing."""
        self.mark = load_mark(kind, self.sample_rate_hz, self.device)

    def marked(self, chunks: Iterable[np.ndarray], watch: Watch = no_watch) -> Iterator[np.ndarray]:
        """
        Yield each chunk with its watermark, in order and in the caller's thread; the stage is
        `watermark`.
        """
        for chunk in chunks:
            if self.mark is not None:
                with watch("watermark"):
                    chunk = self.mark(chunk)
            yield chunk

    def synthesize_each(
        self,
        texts: Sequence[str],
        options: Sequence[Mapping[str, object]],
        watch: Watch = no_watch,
    ) -> list[np.ndarray]:
        """
        Synthesise several texts, each with its own options, as the configuration says: a pipeline
        with batches and workers uses them, and the audio of a text does not depend on either.
        Default: one after the other.

        Raises: EngineError as `stream`; then none of the texts is synthesised.
        """
        for overrides in options:
            self.for_request(overrides)
        audios, told = [], []
        for number, (text, overrides) in enumerate(zip(texts, options, strict=True)):
            audios.append(self.synthesize(text, overrides, watch))
            told += [replace(notice, number=number) for notice in self.notices]
        self._notices = told
        return audios

    def callable_of(self, stage: str) -> Callable[..., Any]:
        """Return the callable that runs the model of a stage."""
        run: Callable[..., Any] = getattr(self, stage)
        return run

    def replace_callable(self, stage: str, run: Callable[..., Any]) -> None:
        """Run the model of a stage by another callable: for observers, which pass the calls on."""
        assert stage in self.models, f"stage {stage} has no model"
        setattr(self, stage, run)

    @classmethod
    def per_request(cls) -> tuple[str, ...]:
        """Return the options that one request may set."""
        specs = options_of(cls.config_class).values()
        return tuple(spec.name for spec in specs if spec.per_request)

    def for_request(self, options: Mapping[str, object]) -> Config:
        """
        Return the configuration with the options of one request. Raises EngineError for those that
        a request cannot set.
        """
        allowed = self.per_request()
        foreign = sorted(set(options) - set(allowed))
        if foreign:
            raise EngineError(
                f"option {foreign[0]} cannot be set for one request; only {', '.join(allowed)} can"
            )
        context = {name: getattr(self.config, name) for name in self.config_class.context}
        checked = parse(self.config_class, {**context, **options})
        # a text belongs to its recording
        text = {"reference_text"} & set(allowed) if "reference" in options else set()
        named = {*options, *text}
        return replace(self.config, **{name: getattr(checked, name) for name in named})


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioSegment:
    """Audio that is final, float32 (T,)."""

    audio: np.ndarray
    last: bool
    """Whether the text ends with it."""


def segments(pieces: Iterator[np.ndarray], passes: Sequence[int]) -> Iterator[AudioSegment]:
    """
    Group the arrays of a stream by pass; `passes` holds the chunks of each. Nothing is computed
    before it is requested.
    """
    for number, count in enumerate(passes, start=1):
        last = number == len(passes)
        yield AudioSegment(
            audio=np.concatenate(list(pieces if last else islice(pieces, count))), last=last
        )
