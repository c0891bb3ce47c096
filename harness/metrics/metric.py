"""
What a metric of audio may look at, and how such a metric is described.

Every family (`signal_parity.py`, `prosody.py`, ...) ends in a tuple `METRICS` of these, and a
package of somebody else's offers more by the entry point "voxgate.metrics". A metric is a pure
function of a `MetricInput`; it returns a number or Missing with the reason, and never raises for
audio that it cannot judge.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from harness.audio.recording import Recording
from harness.records.measurement import Metric, Value


class Need(StrEnum):
    """
    What a metric needs beside the audio itself. Where the run does not offer it, the metric does
    not apply.
    """

    NOTHING = "nothing"
    REFERENCE = "reference"
    """
    Another recording of the same performance: same noise, same durations. Scored against the
    reference cell's audio and, under a name that begins with `golden_`, against the accepted one.
    """
    VOICE = "voice"
    """A recording of the speaker that it should sound like."""
    STATEMENT = "statement"
    """The same words by the same cell, said as a statement."""
    JOINS = "joins"
    """Where the engine put chunks together."""
    EMPHASIS = "emphasis"
    """Which word the text marks as emphasised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricInput:
    """
    The audio of one request, and what it is held against; None where the run has no such thing.
    """

    audio: Recording
    text: str = ""
    language: str = "en"
    """ISO 639-1."""
    reference: Recording | None = None
    voice: Recording | None = None
    statement: Recording | None = None
    joins_s: tuple[float, ...] | None = None
    """Seconds from the start to each join of two chunks."""
    emphasis: str | None = None
    """The word of `text` that is to be emphasised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioMetric:
    """A metric of one request's audio: what its number means, and the function that gives it."""

    metric: Metric
    score: Callable[[MetricInput], Value]
    need: Need = Need.NOTHING
    package: str = ""
    """
    The distribution that holds the definition, if not we: its version belongs to the metric's.
    """
    heavy: bool = False
    """
    Whether a model must be loaded first: such metrics are put together, so that few processes load
    it.
    """
    reads_text: bool = False
    """
    Whether it looks at the text or its language; a metric that needs the emphasis always may. A
    metric is given nothing but what it declares, so that whatever decides its value is known, and a
    known value is never taken for another.
    """
