"""
Similarity of the melodies of two recordings of the same performance: F0 RMSE in Hz and in cents,
correlation, voicing.

Pitch is compared every 5 ms, RMSE and correlation on frames that are voiced in both (zeros of
unvoiced frames would be counted as errors of 100 Hz). Without time warping, since the recordings
share their durations: warped along the mel-cepstra the embedded voice's pairs of solver steps
differ by less than 0.4 cents from this, and noise alone leads the path astray. The tracks are the
smoothed ones: of the raw tracks' RMSE between the embedded voice in fp32 and in int8 a third was
octave jumps of the tracker (32 cents instead of 23, n = 12).
"""

from dataclasses import dataclass

import numpy as np

from voxgate.harness.audio import pitch
from voxgate.harness.metrics.alignment import aligned
from voxgate.harness.metrics.metric import AudioMetric, MetricInput, Need
from voxgate.harness.records.measurement import Better, Metric, Missing, Value

FEWEST_VOICED = 20  # frames: 0.1 s, a short vowel
CENTS_PER_OCTAVE = 1200.0


@dataclass(frozen=True, slots=True)
class Melodies:
    """F0 in Hz of matching frames, both of shape [n]; 0.0 where unvoiced."""

    reference_hz: pitch.Track
    candidate_hz: pitch.Track

    def voiced(self) -> "Melodies | Missing":
        """Return the frames that are voiced in both."""
        voiced = (self.reference_hz > 0.0) & (self.candidate_hz > 0.0)
        if voiced.sum() < FEWEST_VOICED:
            return Missing(
                f"only {voiced.sum()} frames are voiced in both; {FEWEST_VOICED} are needed"
            )
        return Melodies(self.reference_hz[voiced], self.candidate_hz[voiced])


def f0_rmse_hz(inputs: MetricInput) -> Value:
    """Return the root mean square difference of F0 in Hz."""
    pair = _voiced(inputs)
    return pair if isinstance(pair, Missing) else _rms(pair.candidate_hz - pair.reference_hz)


def f0_rmse_cents(inputs: MetricInput) -> Value:
    """
    Return the root mean square of 1200 log2(F0 / F0').

    The same interval counts alike in a low voice and in a high one.
    """
    pair = _voiced(inputs)
    return (
        pair
        if isinstance(pair, Missing)
        else _rms(CENTS_PER_OCTAVE * np.log2(pair.candidate_hz / pair.reference_hz))
    )


def f0_correlation(inputs: MetricInput) -> Value:
    """
    Return Pearson's correlation of F0 in Hz, -1 to 1.

    Blind to a transposed voice, sensitive to another melody.
    """
    pair = _voiced(inputs)
    if isinstance(pair, Missing):
        return pair
    if not np.ptp(pair.reference_hz) or not np.ptp(pair.candidate_hz):
        return Missing("a melody of one pitch only has no correlation")
    return float(np.clip(np.corrcoef(pair.reference_hz, pair.candidate_hz)[0, 1], -1.0, 1.0))


def vuv_error(inputs: MetricInput) -> Value:
    """Return the share of frames that are voiced in one and unvoiced in the other, 0 to 1."""
    pair = melodies(inputs)
    return (
        pair
        if isinstance(pair, Missing)
        else float(np.mean((pair.reference_hz > 0.0) != (pair.candidate_hz > 0.0)))
    )


def melodies(inputs: MetricInput) -> Melodies | Missing:
    """Return the two pitch tracks, without the lag."""
    assert inputs.reference is not None, "the scorer gives a reference to metrics that need one"
    pair = aligned(inputs)
    if isinstance(pair, Missing):
        return pair
    reference, candidate = inputs.reference.once(pitch.track), inputs.audio.once(pitch.track)
    if isinstance(reference, Missing):
        return reference
    if isinstance(candidate, Missing):
        return candidate
    return _matched(reference, candidate, pair.lag_s, pair.reference_audio.duration_s)


def _matched(
    reference: pitch.PitchTrack, candidate: pitch.PitchTrack, lag_s: float, duration_s: float
) -> Melodies:
    """
    Pair each of the reference's frames with the candidate's frame that is nearest in time.

    Each track runs in the time of its whole recording, and is the one that other metrics use.
    The common part begins `lag_s` later in the candidate than in the reference.
    """
    begins_s = max(-lag_s, 0.0)
    shared = (reference.times_s >= begins_s) & (reference.times_s <= begins_s + duration_s)
    middles_s = (candidate.times_s[1:] + candidate.times_s[:-1]) / 2
    nearest = np.searchsorted(middles_s, reference.times_s[shared] + lag_s)
    return Melodies(reference.smoothed[shared], candidate.smoothed[nearest])


def _voiced(inputs: MetricInput) -> Melodies | Missing:
    pair = melodies(inputs)
    return pair if isinstance(pair, Missing) else pair.voiced()


def _rms(values: pitch.Track) -> float:
    return float(np.sqrt(np.mean(values**2)))


def _metric(name: str, unit: str, better: Better) -> Metric:
    return Metric(name=name, unit=unit, better=better, version="1")


METRICS: tuple[AudioMetric, ...] = (
    AudioMetric(
        metric=_metric("f0_rmse_hz", "Hz", "lower"),
        score=f0_rmse_hz,
        need=Need.REFERENCE,
        package=pitch.PACKAGE,
    ),
    AudioMetric(
        metric=_metric("f0_rmse_cents", "cents", "lower"),
        score=f0_rmse_cents,
        need=Need.REFERENCE,
        package=pitch.PACKAGE,
    ),
    AudioMetric(
        metric=_metric("f0_correlation", "1", "higher"),
        score=f0_correlation,
        need=Need.REFERENCE,
        package=pitch.PACKAGE,
    ),
    AudioMetric(
        metric=_metric("vuv_error", "1", "lower"),
        score=vuv_error,
        need=Need.REFERENCE,
        package=pitch.PACKAGE,
    ),
)
