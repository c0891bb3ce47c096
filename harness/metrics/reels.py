"""
Reels: whether captions stand where the words are, each segment is spoken by its speaker, voices
stay the same from beginning to end, and segments join without a jump of the level.

Reads the segments of the script, and the captions that the engine gave for them. Words are placed
by alignment with the known text (`models/word_times.py`), and the edges of speech around them by
its level. Voices are compared by their speaker embeddings (`speaker_similarity.py`): with the
workload's recordings of the speakers, or, of a speaker without one, with the other segments of the
same speaker. Clicks at the joins are `join_clicks`.
"""

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from voxgate.harness.audio import activity
from voxgate.harness.audio.recording import Recording, check_valid
from voxgate.harness.metrics.metric import AudioMetric, MetricInput, Need, SpokenSegment
from voxgate.harness.metrics.speaker_similarity import PACKAGE, Embedding, embedding
from voxgate.harness.models.whisper_weights import locate_weights
from voxgate.harness.records.measurement import Metric, Missing, Value, not_installed
from voxgate.harness.records.run import OPENAI

if TYPE_CHECKING:
    from voxgate.harness.models.whisper import WhisperRecognizer
    from voxgate.harness.models.word_times import WordTime

WINDOW_S = 28.0
"""Of an alignment: Whisper's window, with room for captions that are too early or too late."""
NO_REEL = Missing("the request is no reel: it has no segments")
AROUND_S = 0.5
"""Audio before the first and behind the last caption of a window that is aligned as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """Where a segment was heard, in seconds; its caption may say something else."""

    start_s: float
    end_s: float


def caption_drift(inputs: MetricInput) -> Value:
    """
    Return by how many seconds the middle of a caption is from the middle of its words; the mean
    over segments.

    Middles, since the silence at both ends of a segment belongs to its caption.
    """
    placed = _placed(inputs)
    return placed if isinstance(placed, Missing) else float(np.mean(_drifts(inputs, placed)))


def caption_drift_worst(inputs: MetricInput) -> Value:
    """Return `caption_drift` of the segment whose caption is farthest away."""
    placed = _placed(inputs)
    return placed if isinstance(placed, Missing) else max(_drifts(inputs, placed))


def _drifts(inputs: MetricInput, placed: Sequence[Placed]) -> list[float]:
    return [
        abs(segment.start_s + segment.end_s - heard.start_s - heard.end_s) / 2
        for segment, heard in zip(inputs.segments, placed, strict=True)
    ]


def _placed(inputs: MetricInput) -> tuple[Placed, ...] | Missing:
    """Return where each segment is heard; computed once for a recording and its segments."""
    if not inputs.segments:
        return NO_REEL
    place = _Placing(segments=inputs.segments, language=inputs.language)
    return inputs.audio.once(place)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Placing:
    segments: tuple[SpokenSegment, ...]
    language: str

    def __call__(self, recording: Recording) -> tuple[Placed, ...] | Missing:
        """Place the segments in a recording."""
        speech = check_valid(recording) or recording.once(activity.segments)
        if isinstance(speech, Missing):
            return speech
        recognizer = _recognizer(self.language)
        if isinstance(recognizer, Missing):
            return recognizer
        placed: list[Placed] = []
        for window in windows(self.segments):
            found = self._place(recording, recognizer, window)
            if isinstance(found, Missing):
                return found
            placed += [_snapped(each, speech) for each in found]
        return tuple(placed)

    def _place(
        self, recording: Recording, recognizer: "WhisperRecognizer", window: "Window"
    ) -> "list[_Edges] | Missing":
        """Align the segments of a window; return the first and last word of those it is for."""
        from voxgate.harness.models.word_times import word_times

        held = self.segments[window.first : window.last + 1]
        rate_hz = 16_000
        samples = recording.at(rate_hz)
        start_s = max(0.0, held[0].start_s - AROUND_S)
        cut = samples[round(start_s * rate_hz) : round((held[-1].end_s + AROUND_S) * rate_hz)]
        text = " ".join(segment.text for segment in held)
        words = word_times(recognizer, cut.astype(np.float32), text, self.language)
        if isinstance(words, Missing):
            return words
        counts = np.cumsum([0, *(len(segment.text.split()) for segment in held)]).tolist()
        # a word of Whisper's may be half a word of the text: "don" and "'t"
        places = _places_of(text.split(), [word.word for word in words])
        of_word: dict[int, list[WordTime]] = {}
        for word, place in zip(words, places, strict=True):
            of_word.setdefault(place, []).append(word)
        edges = []
        for number in range(window.read_first, window.read_last + 1):
            low, high = counts[number - window.first], counts[number - window.first + 1] - 1
            first, last = of_word.get(low), of_word.get(high)
            if not first or not last:
                return Missing(f"segment {number + 1} has a word that could not be aligned")
            edges.append(
                _Edges(
                    first=(start_s + first[0].start_s, start_s + first[-1].end_s),
                    last=(start_s + last[0].start_s, start_s + last[-1].end_s),
                )
            )
        return edges


@dataclass(frozen=True, slots=True, kw_only=True)
class _Edges:
    """First and last word of a segment, as (start, end) in seconds."""

    first: tuple[float, float]
    last: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """
    Segments that are aligned together, by their numbers, and those of them that are read: the
    others are there so that the audio around those has words of its own.
    """

    first: int
    last: int
    read_first: int
    read_last: int


def windows(segments: Sequence[SpokenSegment]) -> Iterator[Window]:
    """Yield windows that read every segment once, with a neighbour on either side if it fits."""
    count, read = len(segments), 0

    def fits(first: int, last: int) -> bool:
        return segments[last].end_s - segments[first].start_s <= WINDOW_S

    while read < count:
        first = read - 1 if read and fits(read - 1, read) else read
        last = read
        while last + 1 < count and fits(first, last + 1):
            last += 1
        is_end = last == count - 1
        read_last = last if is_end or last == read else last - 1
        yield Window(first=first, last=last, read_first=read, read_last=read_last)
        read = read_last + 1


def _places_of(text: Sequence[str], pieces: Sequence[str]) -> list[int]:
    """
    Return for each piece of a text the number of the word that it begins in.

    >>> _places_of(["I", "don't", "know."], ["I", "don", "'t", "know", "."])
    [0, 1, 1, 2, 2]
    """
    ends = np.cumsum([len(word) for word in text])
    begins = np.cumsum([0, *(len(piece) for piece in pieces)])[:-1]
    return [min(int(n), len(text) - 1) for n in np.searchsorted(ends, begins, side="right")]


def _snapped(edges: _Edges, speech: activity.Activity) -> Placed:
    """
    Move the ends of a segment to those of the stretches of speech that hold its first and last
    word; where no pause parts it from its neighbour, they stay.
    """
    first, last = _stretch(edges.first, speech), _stretch(edges.last, speech)
    start_s, end_s = edges.first[0], edges.last[1]
    if first is not None and first[0] >= edges.first[0] - AROUND_S:
        start_s = first[0]
    if last is not None and last[1] <= edges.last[1] + AROUND_S:
        end_s = last[1]
    return Placed(start_s=start_s, end_s=end_s)


def _stretch(word: tuple[float, float], speech: activity.Activity) -> tuple[float, float] | None:
    """Return the stretch of speech that shares most with a word; None where none does."""
    edges_s = [speech.start_s, *(edge for pause in speech.pauses for edge in pause), speech.end_s]
    stretches = list(zip(edges_s[::2], edges_s[1::2], strict=True))
    shared = [min(word[1], end) - max(word[0], start) for start, end in stretches]
    best = int(np.argmax(shared))
    return stretches[best] if shared[best] > 0.0 else None


@functools.cache
def _recognizer(language: str) -> "WhisperRecognizer | Missing":
    """Load the recogniser of a language, once per process."""
    import importlib.util

    if importlib.util.find_spec("torch") is None or importlib.util.find_spec("whisper") is None:
        return not_installed(OPENAI)
    weights = locate_weights(None, language=language)
    if isinstance(weights, Missing):
        return weights
    from voxgate.harness.models.whisper import load_recognizer

    return load_recognizer(weights.path, *weights.more)


def speaker_confusion(inputs: MetricInput) -> Value:
    """
    Return the share of segments that sound more like another speaker of the script than like their
    own.

    Missing for a script of one speaker.
    """
    voices = _voices(inputs)
    if isinstance(voices, Missing):
        return voices
    speakers = list(dict.fromkeys(segment.speaker for segment in inputs.segments))
    if len(speakers) < 2:
        return Missing("the script has one speaker, who can be confused with nobody")
    known = _recorded(inputs)
    wrong = 0
    for number, voice in voices.items():
        models = {
            who: known[who] if who in known else _centroid(inputs, voices, who, number)
            for who in speakers
        }
        likeness = {who: float(voice @ model) for who, model in models.items() if model is not None}
        own = inputs.segments[number].speaker
        if own not in likeness or len(likeness) < 2:
            return Missing(f"too few segments of {own} or of the others to compare with")
        wrong += max(likeness, key=lambda who: likeness[who]) != own
    return wrong / len(voices)


def speaker_drift(inputs: MetricInput) -> Value:
    """
    Return by how much a speaker's voice changes over the reel: 1 - cosine between the embeddings of
    the first and the second half of the speaker's segments; the largest over speakers.
    """
    voices = _voices(inputs)
    if isinstance(voices, Missing):
        return voices
    drifts = []
    for who in dict.fromkeys(segment.speaker for segment in inputs.segments):
        own = [v for number, v in voices.items() if inputs.segments[number].speaker == who]
        half = len(own) // 2
        if half >= 1:
            drifts.append(1.0 - float(_mean(own[:half]) @ _mean(own[-half:])))
    if not drifts:
        return Missing("no speaker has two segments that are long enough to tell a voice")
    return float(np.clip(max(drifts), 0.0, 1.0))


def _voices(inputs: MetricInput) -> Mapping[int, Embedding] | Missing:
    """Return the embedding of each segment that is long enough, by its number."""
    found: dict[int, Embedding] = {}
    faults: list[Missing] = []
    for number, segment in enumerate(inputs.segments):
        voice = _cut(inputs.audio, segment).once(embedding)
        if isinstance(voice, Missing):
            faults.append(voice)
        else:
            found[number] = voice
    return found or next(iter(faults), NO_REEL)


def _recorded(inputs: MetricInput) -> dict[str, Embedding]:
    """Return the embeddings of the workload's recordings of the speakers."""
    named = {speaker: voice.once(embedding) for speaker, voice in inputs.voices.items()}
    return {who: voice for who, voice in named.items() if not isinstance(voice, Missing)}


def _centroid(
    inputs: MetricInput, voices: Mapping[int, Embedding], speaker: str, without: int
) -> Embedding | None:
    """Return the mean of a speaker's other segments than one; None where there is none."""
    own = [
        voice
        for number, voice in voices.items()
        if number != without and inputs.segments[number].speaker == speaker
    ]
    return _mean(own) if own else None


def _mean(voices: Sequence[Embedding]) -> Embedding:
    mean = np.mean(voices, axis=0)
    return np.asarray(mean / np.linalg.norm(mean))


def join_level_jump(inputs: MetricInput) -> Value:
    """
    Return the largest difference of the speech level between two neighbouring segments, in dB.

    Missing for a reel of one segment, and for a segment without speech.
    """
    fault = check_valid(inputs.audio)
    if fault is not None:
        return fault
    levels: list[float] = []
    for number, segment in enumerate(inputs.segments, start=1):
        cut = _cut(inputs.audio, segment)
        level_db = activity.active_level_db(cut.samples, cut.rate_hz)
        if isinstance(level_db, Missing):
            return Missing(f"segment {number}: {level_db.reason}", level_db.kind)
        levels.append(level_db)
    if len(levels) < 2:
        return Missing("the reel has one segment, and no join")
    return max(abs(after - before) for before, after in pairwise(levels))


def _cut(recording: Recording, segment: SpokenSegment) -> Recording:
    """Return the audio of a segment, by its caption."""
    cuts = recording.once(_cuts)
    place = tuple(round(at_s * recording.rate_hz) for at_s in (segment.start_s, segment.end_s))
    if place not in cuts:
        cuts[place] = Recording(recording.samples[slice(*place)], recording.rate_hz)
    return cuts[place]


def _cuts(recording: Recording) -> dict[tuple[int, ...], Recording]:
    """Return the parts of a recording that were cut before, with their features."""
    return {}


def _metric(
    name: str,
    unit: str,
    score: Callable[[MetricInput], Value],
    package: str = "",
    version: str = "1",
) -> AudioMetric:
    """Return a metric of reels; one with a package runs a network."""
    return AudioMetric(
        metric=Metric(name=name, unit=unit, better="lower", version=version),
        score=score,
        need=Need.SEGMENTS,
        package=package,
        heavy=bool(package),
    )


METRICS: tuple[AudioMetric, ...] = (
    _metric("caption_drift", "s", caption_drift, OPENAI),
    _metric("caption_drift_worst", "s", caption_drift_worst, OPENAI),
    # 2: voices at one level
    _metric("speaker_confusion", "1", speaker_confusion, PACKAGE, "2"),
    _metric("speaker_drift", "1", speaker_drift, PACKAGE, "2"),
    _metric("join_level_jump", "dB", join_level_jump),
)
