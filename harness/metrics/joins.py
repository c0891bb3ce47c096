"""
Clicks where chunks were put together: at places that are known, so that much less is heard as a fault than blind.

A streamed voice is made in chunks; a chunk that starts elsewhere than the last one ended, in its waveform or its level,
clicks at every join. Each join is held against its own surroundings, so that a loud place may hide what a quiet one shows,
as it does for the ear. Only the waveform is looked at: how far the spectrum changes at a join was tried and left out, since
at a limit that no place in natural speech exceeds it finds 1 in 10 cuts between unlike sounds.
"""

from harness.audio.playable import unplayable
from harness.audio.recording import Frames, Recording
from harness.metrics.clicks import SHORTEST_S, residual_of
from harness.metrics.levels import speech_level
from harness.metrics.metric import AudioMetric, Need, Subject
from harness.records.measurement import Metric, Missing, Value

AT_S, AROUND_S = 0.005, 0.030  # a join may be named a few frames off, and its predictor rings
# At random places of untouched speech (100 in each of 200 sentences a voice, 300 embedded): embedded, slt, rms and awb never
# exceed 4 (rms 3 six times in 20 000), the diphone voices kal and kal16 do at 4 and 8 in 10 000, where their own joins click.
RATIO = 4.0
TIMES_LEVEL = 0.05  # of the speech level, -26 dB: the residual of an audible jump


def join_clicks_per_s(subject: Subject) -> Value:
    """Joins at which a click is heard, per second of audio; 0.0 where there are no joins."""
    fault = unplayable(subject.audio)
    if fault is not None:
        return fault
    if subject.audio.duration_s < SHORTEST_S:
        return Missing(f"{subject.audio.duration_s:.3f} s is too short to look for clicks")
    joins_s = subject.joins_s or ()
    return sum(clicks_at(subject.audio, join_s) for join_s in joins_s) / subject.audio.duration_s


def clicks_at(recording: Recording, join_s: float) -> bool:
    """Whether the residual within AT_S of the join towers over what is up to AROUND_S away, on either side."""
    residual = recording.once(residual_of)
    place, near, far = (round(each * recording.rate_hz) for each in (join_s, AT_S, AROUND_S))
    at = _largest(residual, place - near, place + near + 1)
    around = max(_largest(residual, place - far, place - near), _largest(residual, place + near + 1, place + far))
    return at > RATIO * around and at > TIMES_LEVEL * speech_level(recording)


def _largest(residual: Frames, start: int, end: int) -> float:
    return float(residual[max(start, 0) : max(end, 0)].max(initial=0.0))


METRICS = (
    AudioMetric(
        metric=Metric(name="join_clicks", unit="1/s", better="lower", version="1"), score=join_clicks_per_s, need=Need.JOINS
    ),
)
