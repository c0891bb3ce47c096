"""
The inputs of an audio metric, and its description.

Every family (`signal_parity.py`, `prosody.py`, ...) ends in a tuple `METRICS` of these, and plug-in
packages add more by the entry point "voxgate.metrics". A metric is a pure function of a
`MetricInput`. It returns a number or Missing with the reason, and never raises for audio that it
cannot score.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from voxgate.harness.audio.condition import Condition
from voxgate.harness.audio.recording import Recording
from voxgate.harness.models.own_model import ModelFile
from voxgate.harness.python310 import StrEnum
from voxgate.harness.records.measurement import Metric, Value

# Each metric that needs a reference, or another take, is read twice: against the reference cell of
# the same run, and ("golden_") against golden audio. Under a condition it is read against the
# reference cell only: a decaying reference shows without the condition.
GOLDEN = "golden_"
GOLDEN_FAMILY = "against the golden audio"


class Need(StrEnum):
    """
    The input that a metric requires beside the audio itself.

    Where the run does not provide it, the metric is not applicable.
    """

    NOTHING = "nothing"
    REFERENCE = "reference"
    """
    Another recording of the same performance: same noise, same durations. Scored against the
    reference cell's audio and, under a name that begins with `golden_`, against the accepted one.
    """
    TAKE = "take"
    """
    Another recording of the same text by the same voice, which may be another take and of another
    length: as REFERENCE, the reference cell's audio or, under `golden_`, the accepted one.
    """
    VOICE = "voice"
    """A recording of the speaker that the audio should sound like."""
    STATEMENT = "statement"
    """The same words by the same cell, said as a statement."""
    JOINS = "joins"
    """The chunk boundaries that the engine reported."""
    EMPHASIS = "emphasis"
    """The word that the text marks as emphasised."""
    MARKED = "marked"
    """The audio as delivered, where the cell asks for a watermark."""
    UNMARKED = "unmarked"
    """That audio, and beside it the audio before the watermark, which is the one to score."""
    SEGMENTS = "segments"
    """The segments of a reel, and where the engine says that they stand."""
    INTONATION = "intonation"
    """A text in English or Spanish whose end should rise, or should not."""
    ACCENT = "accent"
    """A Spanish text with a place where accents differ, and the region that is asked for."""
    LL = "ll"
    """A Spanish text with an ll, or a y before a vowel."""
    THETA = "theta"
    """A Spanish text with a z, or a c before e or i."""
    CODA_S = "coda_s"
    """A Spanish text with an s before another consonant."""
    SOURCE = "source"
    """The recording that was converted."""
    CONVERSION = "conversion"
    """That recording, and one of the voice that it was converted into."""


COMPARED = (Need.REFERENCE, Need.TAKE)
"""The needs of metrics that are read twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpokenSegment:
    """One segment of a reel as it should be heard, and its caption, in seconds."""

    speaker: str
    text: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricInput:
    """The audio of one request, and the inputs to compare it with; None where the run has none."""

    audio: Recording
    text: str = ""
    spoken: str = ""
    """The words to be heard, where they are not those of the text."""
    language: str = "en"
    """ISO 639-1."""
    reference: Recording | None = None
    """Of the needs REFERENCE and TAKE."""
    voice: Recording | None = None
    statement: Recording | None = None
    joins_s: tuple[float, ...] | None = None
    """Seconds from the start to each chunk boundary."""
    emphasis: str | None = None
    """The word of `text` that is to be emphasised."""
    marked: Recording | None = None
    """As delivered, with a watermark; `audio` is without it where the engine hands that over."""
    segments: tuple[SpokenSegment, ...] = ()
    """Of a reel, in order."""
    source: Recording | None = None
    """Of a conversion: the recording that was converted."""
    voices: Mapping[str, Recording] = field(default_factory=dict)
    """Recordings of a reel's speakers, as far as the workload has them."""
    model: ModelFile | None = None
    """The user's own network, of a metric that is computed by one."""
    region: str | None = None
    """The accent that is asked for, of `accent.REGIONS`."""

    @property
    def words(self) -> str:
        """The words to be heard: `spoken`, or the text."""
        return self.spoken or self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioMetric:
    """
    A metric of one request's audio: the meaning of its number, and the function that computes
    it.
    """

    metric: Metric
    score: Callable[[MetricInput], Value]
    need: Need = Need.NOTHING
    package: str = ""
    """
    The distribution that holds the definition, if it is not ours: its version is part of the
    metric's.
    """
    heavy: bool = False
    """
    Whether a model must be loaded first: such metrics are grouped, so that few processes load
    it.
    """
    narrow_band: Callable[[MetricInput], Value] | None = None
    """What computes it in place of `score` where a condition passes a narrow band only."""
    reads_text: bool = False
    """
    Whether it reads the text or its language; a metric that needs the emphasis always may.

    Metrics receive only the inputs they declare, so that the cache key covers everything the
    value depends on.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricSpec:
    """
    One metric of the registry, in one reading: plain, against golden audio, or under a
    condition.
    """

    metric: Metric
    family: str
    source: AudioMetric | None = None
    """The computation from audio; None for speeds, and for metrics of a transcript."""
    package: str = ""
    golden: bool = False
    condition: Condition | None = None
    base: str
    """The name without prefixes, whatever the reading."""
    own_model: str = ""
    """The name of the user's own network that computes it."""

    @property
    def name(self) -> str:
        """The metric's name, prefixes included."""
        return self.metric.name
