"""
Option checks of the audio itself, for any pipeline: how a chunk begins, and whether the product
carries the watermark. And the words that the front-end reads, with which the product is compared.

The audio before the watermark is tapped where the pipeline hands a chunk to its mark. No torch at
import: a measured synthesis taps as well.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from voxgate.engine.audio.postprocess import (
    CROSSFADE,
    crossfade,
    deessed,
    denoised,
    fade_in,
    normalise_level,
    shortened,
)
from voxgate.engine.config import Deess, Denoise, SilenceRemoval
from voxgate.harness.audio.recording import Recording
from voxgate.harness.records.measurement import Missing
from voxgate.harness.targets.engine.observer_registry import Check, Observation
from voxgate.harness.targets.protocol import Options

if TYPE_CHECKING:
    from voxgate.engine.audio.watermark import Mark

WINDOW_S = 0.001
"""In which the gain of a chunk's start is measured."""
GAIN_TOLERANCE = 0.03
LONGEST_START = 1100
"""Milliseconds that are looked at: both options at their largest, and some more."""
MARGIN = 60
"""Milliseconds behind the requested start in which every one has to agree."""
AGREEING = 0.95
"""Share of those after them: a click or a dropout there is another metric's to name."""
DETECTED = 0.5
SWITCHES = ("denoise", "deess", "silence_removal")


class UnmarkedTap:
    """Keeps what a pipeline hands to its mark, within a `with` block; passes every call on."""

    def __init__(self, pipeline: Any) -> None:
        self._pipeline = pipeline
        self._mark: Mark | None = getattr(pipeline, "mark", None)
        self.chunks: list[np.ndarray] = []

    def __enter__(self) -> "UnmarkedTap":
        if self._mark is not None:
            self._pipeline.mark = self._pass_on
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._mark is not None:
            self._pipeline.mark = self._mark

    def _pass_on(self, audio: np.ndarray) -> np.ndarray:
        assert self._mark is not None, "only a pipeline with a mark calls it"
        self.chunks.append(audio)
        return self._mark(audio)

    def audio(self) -> np.ndarray | None:
        """Return the whole audio as it was before the watermark; None without a watermark."""
        if not self.chunks:
            return None
        return np.concatenate(list(crossfade(self.chunks, self._pipeline.crossfade_samples)))


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputSeen:
    """The audio of one observed synthesis, float32 (T,) each."""

    delivered: np.ndarray
    unmarked: np.ndarray | None
    """Before the watermark; None where nothing was handed to a mark."""
    first_chunk: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))
    """As the vocoder made it, before post-processing, at the same rate."""
    chunks: tuple[np.ndarray, ...] = ()
    """All chunks as the vocoder made them."""
    rate_hz: int

    @property
    def given(self) -> np.ndarray:
        """The audio before any watermark."""
        return self.delivered if self.unmarked is None else self.unmarked

    def gains(self, envelope: np.ndarray, shared: int) -> tuple[np.ndarray, np.ndarray]:
        """
        Return the gain of each millisecond of the first chunk against its loudest part, and the one
        that `envelope`, a gain per sample, would leave; NaN where the vocoder made nothing. Of the
        chunk, the last `shared` samples are left out.
        """
        # what follows is already mixed with the next chunk
        alone = max(self.first_chunk.size - shared, 0)
        given = self.given
        window = round(WINDOW_S * self.rate_hz)
        count = min(alone, given.size) // window
        shape = np.pad(envelope, (0, max(0, count * window - envelope.size)), constant_values=1.0)
        made, heard, wanted = (
            audio[: count * window].astype(np.float64).reshape(-1, window)
            for audio in (self.first_chunk, given, shape)
        )
        power, common = (made * made).sum(axis=1), (made * heard).sum(axis=1)
        if not power.any():
            return np.full(count, np.nan), np.full(count, np.nan)
        loudest = int(power[count // 2 :].argmax()) + count // 2
        gain = common[loudest] / power[loudest]
        expected = (made * made * wanted).sum(axis=1)
        return _ratio(common, power * gain), _ratio(expected, power)


def _shared(options: Options, output: OutputSeen) -> int:
    """Return the samples that neighbouring chunks share."""
    asked = options.get("crossfade_ms")
    return CROSSFADE if asked is None else round(float(asked) * output.rate_hz / 1000)


def _processed(chunk: np.ndarray, options: Options, rate_hz: int) -> np.ndarray:
    """Return a chunk of the vocoder as post-processing makes it, before its start is faded."""
    clean = denoised(chunk, rate_hz, Denoise(str(options["denoise"])))
    level = normalise_level(deessed(clean, rate_hz, Deess(str(options["deess"]))))
    mode = SilenceRemoval(str(options["silence_removal"]))
    return shortened(level, rate_hz, mode, crossfade_ms=float(options["crossfade_ms"]))


def _processed_first(output: OutputSeen, options: Options) -> OutputSeen:
    """Return it with its first chunk post-processed, for a pipeline that has options for that."""
    asked = any(str(options.get(name, "off")) != "off" for name in SWITCHES)
    if not asked or not output.first_chunk.size:
        return output
    return replace(output, first_chunk=_processed(output.first_chunk, options, output.rate_hz))


def joined(output: OutputSeen, options: Options) -> np.ndarray:
    """Return what the vocoder made, post-processed and joined as options ask."""
    trim_ms, fade_ms = (float(options[name]) for name in ("trim_start_ms", "fade_in_ms"))
    chunks = (_processed(chunk, options, output.rate_hz) for chunk in output.chunks)
    begun = (fade_in(each, output.rate_hz, trim_ms=trim_ms, fade_ms=fade_ms) for each in chunks)
    return np.concatenate(list(crossfade(begun, _shared(options, output))))


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.asarray(np.divide(above, below, np.full(len(above), np.nan), where=below != 0))


class HasOutput(Protocol):
    """A record of an observed synthesis that holds its audio."""

    @property
    def output(self) -> OutputSeen:
        """The audio."""


def _start(options: Options, seen: HasOutput) -> Observation:
    """Check both options of the start: the gain of each millisecond is known from the two."""
    output = _processed_first(seen.output, options)
    silent, rising = (
        round(float(options[name]) * output.rate_hz / 1000)
        for name in ("trim_start_ms", "fade_in_ms")
    )
    slope = (1.0 - np.cos(np.linspace(0.0, np.pi, rising))) / 2.0
    envelope = np.concatenate((np.zeros(silent), slope))
    gains, wanted = (
        each[:LONGEST_START] for each in output.gains(envelope, _shared(options, output))
    )
    usable = np.isfinite(gains)
    heard = gains[usable]
    return Observation(
        observed=f"silent for {_first(heard >= GAIN_TOLERANCE)} ms, at full level from "
        f"{_first(np.abs(heard - 1.0) < GAIN_TOLERANCE)} ms on",
        in_effect=_agrees(gains, wanted, round(1000 * envelope.size / output.rate_hz))
        if heard.size
        else None,
        reason="the gain of the first chunk's start against what the vocoder made",
    )


def _agrees(gains: np.ndarray, wanted: np.ndarray, start_ms: int) -> bool:
    """Return whether the gains of the start are those wanted, and nearly all of those behind it."""
    close = ~np.isfinite(gains) | (np.abs(gains - wanted) < GAIN_TOLERANCE)
    start, rest = close[: start_ms + MARGIN], close[start_ms + MARGIN :]
    return bool(start.all()) and (not rest.size or float(rest.mean()) >= AGREEING)


def _first(found: np.ndarray) -> int:
    """Return the index of the first True; the length where there is none."""
    return int(found.argmax()) if found.any() else len(found)


def _watermark(options: Options, seen: HasOutput) -> Observation:
    output = seen.output
    if options["watermark"] == "off":
        unchanged = output.unmarked is None or np.array_equal(output.unmarked, output.delivered)
        return Observation(
            observed="none" if unchanged else "the audio was changed",
            in_effect=unchanged,
            reason="no chunk was handed to a mark",
        )
    from voxgate.harness.models import perth

    found = perth.confidence(Recording(output.delivered, output.rate_hz))
    if isinstance(found, Missing):
        return Observation(observed="not heard", in_effect=None, reason=found.reason)
    before = output.unmarked
    false = 0.0 if before is None else perth.confidence(Recording(before, output.rate_hz))
    if isinstance(false, float) and false >= DETECTED <= found:
        return Observation(
            observed=f"confidence {found:.3f}, and {false:.3f} before the watermark",
            in_effect=None,
            reason="the detector takes audio without a mark for marked, so it proves nothing",
        )
    return Observation(
        observed=f"confidence {found:.3f}",
        in_effect=found >= DETECTED,
        reason="the harness's own detector, on the audio as delivered",
    )


OUTPUT_CHECKS: Mapping[str, Check] = {
    "trim_start_ms": _start,
    "fade_in_ms": _start,
    "watermark": _watermark,
}


@functools.cache
def reading_of(text: str, language: str = "en") -> tuple[str, ...]:
    """Return the words that the front-end reads, by chunk; none where the text has the same."""
    from voxgate.engine.errors import EngineError
    from voxgate.engine.text.frontend import phonemise

    try:
        # an older revision's knows no languages
        chunks = phonemise(text) if language == "en" else phonemise(text, language=language)
        parts = tuple(str(getattr(chunk, "text", "")) for chunk in chunks)
    except EngineError:
        return ()
    return () if _letters(" ".join(parts)) in ("", _letters(text)) else parts


def _letters(text: str) -> str:
    return "".join(filter(str.isalpha, text)).lower()
