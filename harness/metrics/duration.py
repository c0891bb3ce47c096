"""How long a recording is, for itself and for what it says: an engine that drawls, babbles on or stops early shows here."""

from harness.audio.playable import unplayable
from harness.metrics.metric import AudioMetric, Subject
from harness.records.measurement import Metric, Missing, Value


def duration_s(subject: Subject) -> Value:
    """Seconds of audio; Missing for empty audio and for NaN or infinity, which no player could play to its end."""
    return unplayable(subject.audio) or subject.audio.duration_s


def chars_per_s(subject: Subject) -> Value:
    """
    Letters and digits of the text per second of audio, silence included.

    The text as it was asked for, not as it is read out: "2026" counts four. So a value is worth something beside another of
    the same text, or as a mean over many.
    """
    characters = sum(each.isalnum() for each in subject.text)
    if not characters:
        return Missing("the text has no letters")
    return unplayable(subject.audio) or characters / subject.audio.duration_s


METRICS = (
    AudioMetric(metric=Metric(name="duration", unit="s", better="neither", version="1"), score=duration_s),
    AudioMetric(
        metric=Metric(name="chars_per_s", unit="1/s", better="neither", version="1"), score=chars_per_s, reads_text=True
    ),
)
