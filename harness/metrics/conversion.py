"""
Voice conversion: whether the audio has the target's voice and not the source's, and whether melody,
energy and duration are the source's.

Voices are compared by their speaker embeddings (`speaker_similarity.py`), with the recording of the
target voice that the workload names and with the source itself. Melody and energy are compared at
the source's own times: a conversion keeps them. One delay of the whole, such as that of a stream,
is taken out by cross-correlation of the energy, and shows in nothing but the duration; audio whose
duration differs by more than DURATION_TOLERANCE has another tempo, and no common times. What was
said is judged by `wer` and `cer`, against the text of the request.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voxgate.harness.audio import activity, pitch
from voxgate.harness.audio.recording import Recording, check_valid
from voxgate.harness.metrics.metric import AudioMetric, MetricInput, Need
from voxgate.harness.metrics.speaker_similarity import (
    PACKAGE,
    Embedding,
    embedding,
    window_embeddings,
)
from voxgate.harness.records.measurement import Better, Metric, Missing, MissingKind, Value

Series = NDArray[np.float64]

DURATION_TOLERANCE = 0.15
"""Share of the source's duration."""
FARTHEST_S = 0.6
"""Of the delay that is looked for, either way."""
FLOOR_DB = 40.0
"""Below the loud part: what is quieter counts as silence."""
LEAST_VOICED_S = 0.25
"""Voiced in both, without which there is no melody to compare."""
OCTAVE = 12.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelopes:
    """
    Energy of source and audio at the same times, in dB above the floor, both of shape [n], and the
    delay of the audio in seconds.
    """

    source_db: Series
    audio_db: Series
    delay_s: float


def similarity_margin(inputs: MetricInput) -> Value:
    """
    Return the cosine to the target's voice minus the cosine to the source's: positive where the
    audio is more like the target.
    """
    voices = _voices(inputs)
    if isinstance(voices, Missing):
        return voices
    own = inputs.audio.once(embedding)
    if isinstance(own, Missing):
        return own
    return float(own @ voices.target - own @ voices.source)


def source_leakage(inputs: MetricInput) -> Value:
    """Return the share of windows of 1.6 s that are more like the source than like the target."""
    voices = _voices(inputs)
    if isinstance(voices, Missing):
        return voices
    windows = inputs.audio.once(window_embeddings)
    if isinstance(windows, Missing):
        return windows
    return float(np.mean(windows @ voices.source > windows @ voices.target))


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversionVoices:
    """Embeddings of the two voices, each of shape [256]."""

    source: Embedding
    target: Embedding


def _voices(inputs: MetricInput) -> ConversionVoices | Missing:
    assert inputs.source is not None and inputs.voice is not None, "the scorer gives both"
    source, target = inputs.source.once(embedding), inputs.voice.once(embedding)
    if isinstance(source, Missing):
        return Missing(f"the source: {source.reason}", source.kind)
    if isinstance(target, Missing):
        return Missing(f"the recording of the target voice: {target.reason}", target.kind)
    return ConversionVoices(source=source, target=target)


def source_f0_correlation(inputs: MetricInput) -> Value:
    """
    Return Pearson's correlation of the melodies in semitones, -1 to 1, over frames that are voiced
    in both.
    """
    melodies = _melodies(inputs)
    if isinstance(melodies, Missing):
        return melodies
    source, audio = melodies
    if not np.ptp(source) or not np.ptp(audio):
        return Missing("a melody of one pitch only has no correlation")
    return float(np.clip(np.corrcoef(source, audio)[0, 1], -1.0, 1.0))


def source_f0_offset(inputs: MetricInput) -> Value:
    """Return by how many semitones the audio is higher than its source: the median over frames."""
    melodies = _melodies(inputs)
    if isinstance(melodies, Missing):
        return melodies
    source, audio = melodies
    return float(np.median(audio - source))


def source_energy_correlation(inputs: MetricInput) -> Value:
    """Return Pearson's correlation of the energy in dB, -1 to 1, every 10 ms."""
    envelopes = _envelopes(inputs)
    if isinstance(envelopes, Missing):
        return envelopes
    source_db, audio_db = envelopes.source_db, envelopes.audio_db
    if not np.ptp(source_db) or not np.ptp(audio_db):
        return Missing("a steady level has no correlation")
    return float(np.clip(np.corrcoef(source_db, audio_db)[0, 1], -1.0, 1.0))


def source_duration_error(inputs: MetricInput) -> Value:
    """Return by which share of the source's duration the audio is longer or shorter."""
    assert inputs.source is not None, "the scorer gives the source"
    fault = _fault(inputs)
    if fault is not None:
        return fault
    return abs(inputs.audio.duration_s / inputs.source.duration_s - 1.0)


def _fault(inputs: MetricInput) -> Missing | None:
    assert inputs.source is not None, "the scorer gives the source"
    fault = check_valid(inputs.source)
    if fault is not None:
        return Missing(f"the source: {fault.reason}", fault.kind)
    return check_valid(inputs.audio)


def _envelopes(inputs: MetricInput) -> Envelopes | Missing:
    """Return the energy of both at the same times; computed once for each pair."""
    assert inputs.source is not None, "the scorer gives the source"
    return inputs.audio.once(_EnvelopesWith(inputs.source))


@dataclass(frozen=True, slots=True)
class _EnvelopesWith:
    """The feature "energy beside that of this source", under which a recording caches it."""

    source: Recording

    def __call__(self, audio: Recording) -> Envelopes | Missing:
        fault = _fault(MetricInput(audio=audio, source=self.source)) or _tempo(self.source, audio)
        if fault is not None:
            return fault
        source_db, audio_db = _energy(self.source), _energy(audio)
        if isinstance(source_db, Missing):
            return Missing(f"the source: {source_db.reason}", source_db.kind)
        if isinstance(audio_db, Missing):
            return audio_db
        delay, _ = _delay(source_db, audio_db)
        late, early = max(delay, 0), max(-delay, 0)
        count = min(len(source_db) - early, len(audio_db) - late)
        return Envelopes(
            source_db=source_db[early : early + count],
            audio_db=audio_db[late : late + count],
            delay_s=delay * activity.FRAME_S,
        )


def _tempo(source: Recording, audio: Recording) -> Missing | None:
    """Return why two recordings have no common times; None where they have."""
    ratio = audio.duration_s / source.duration_s
    if abs(ratio - 1.0) <= DURATION_TOLERANCE:
        return None
    return Missing(
        f"the audio lasts {audio.duration_s:.2f} s and its source {source.duration_s:.2f} s, so "
        f"their times differ (more than {DURATION_TOLERANCE:.0%})",
        MissingKind.DURATIONS_DIFFER,
    )


def _energy(recording: Recording) -> Series | Missing:
    """Return the energy every 10 ms, in dB above the floor; shape [n]."""
    recording = recording.once(_resampled)
    levels_db, loud_db = recording.once(activity.levels), recording.once(activity.loud_level)
    if isinstance(levels_db, Missing):
        return levels_db
    if isinstance(loud_db, Missing):
        return loud_db
    return np.asarray(np.clip(levels_db - (loud_db - FLOOR_DB), 0.0, FLOOR_DB))


def _resampled(recording: Recording) -> Recording:
    """Return the recording at a rate of which 10 ms are whole samples."""
    rate_hz = pitch.RATE_HZ
    same = recording.rate_hz == rate_hz
    return recording if same else Recording(recording.at(rate_hz), rate_hz)


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyDelay:
    """By how much an audio is later than its source."""

    delay_s: float
    gain: float
    """By which the energies correlate better there than without a delay, 0 to 1."""


def energy_delay(source: Recording, audio: Recording, farthest_s: float) -> EnergyDelay | Missing:
    """Return the delay at which the energies correlate best, at most `farthest_s` either way."""
    source_db, audio_db = _energy(source), _energy(audio)
    if isinstance(source_db, Missing):
        return Missing(f"the source: {source_db.reason}", source_db.kind)
    if isinstance(audio_db, Missing):
        return audio_db
    delay, gain = _delay(source_db, audio_db, farthest_s)
    return EnergyDelay(delay_s=delay * activity.FRAME_S, gain=gain)


def _delay(
    source_db: Series, audio_db: Series, farthest_s: float = FARTHEST_S
) -> tuple[int, float]:
    """
    Return the frames by which the audio is late: where the energies, silence around both, correlate
    best, the smallest of equals; and by how much better than without a delay.
    """
    farthest = round(farthest_s / activity.FRAME_S)
    length = max(len(source_db), len(audio_db)) + 2 * farthest
    source, audio = (np.pad(each, (0, length - len(each))) for each in (source_db, audio_db))
    delays = sorted(range(-farthest, farthest + 1), key=abs)
    products = [float(np.dot(source, np.roll(audio, -delay))) for delay in delays]
    best = int(np.argmax(products))
    size = float(np.linalg.norm(source) * np.linalg.norm(audio))
    return delays[best], (products[best] - products[0]) / size if size else 0.0


def _melodies(inputs: MetricInput) -> tuple[Series, Series] | Missing:
    """
    Return the melodies of source and audio in semitones above 1 Hz, frames voiced in both, without
    the delay; both of shape [n].
    """
    envelopes = _envelopes(inputs)
    if isinstance(envelopes, Missing):
        return envelopes
    assert inputs.source is not None, "the scorer gives the source"
    source, audio = inputs.source.once(pitch.track), inputs.audio.once(pitch.track)
    if isinstance(source, Missing):
        return Missing(f"the source: {source.reason}", source.kind)
    if isinstance(audio, Missing):
        return audio
    source_hz, audio_hz = source.smoothed, audio.smoothed
    delay = round(envelopes.delay_s / pitch.HOP_S)
    late, early = max(delay, 0), max(-delay, 0)
    count = min(len(source_hz) - early, len(audio_hz) - late)
    source_hz, audio_hz = source_hz[early : early + count], audio_hz[late : late + count]
    voiced = (source_hz > 0.0) & (audio_hz > 0.0)
    if voiced.sum() < LEAST_VOICED_S / pitch.HOP_S:
        return Missing(
            f"only {voiced.sum() * pitch.HOP_S:.2f} s are voiced in both; {LEAST_VOICED_S} s are "
            "needed"
        )
    return OCTAVE * np.log2(source_hz[voiced]), OCTAVE * np.log2(audio_hz[voiced])


def _metric(name: str, unit: str, better: Better, version: str = "1") -> Metric:
    return Metric(name=name, unit=unit, better=better, version=version)


METRICS: tuple[AudioMetric, ...] = (
    AudioMetric(
        metric=_metric("similarity_margin", "1", "higher", "2"),  # 2: voices at one level
        score=similarity_margin,
        need=Need.CONVERSION,
        package=PACKAGE,
        heavy=True,
    ),
    AudioMetric(
        metric=_metric("source_leakage", "1", "lower", "2"),
        score=source_leakage,
        need=Need.CONVERSION,
        package=PACKAGE,
        heavy=True,
    ),
    AudioMetric(
        metric=_metric("source_f0_correlation", "1", "higher"),
        score=source_f0_correlation,
        need=Need.SOURCE,
        package=pitch.PACKAGE,
    ),
    AudioMetric(
        metric=_metric("source_f0_offset", "semitones", "neither"),
        score=source_f0_offset,
        need=Need.SOURCE,
        package=pitch.PACKAGE,
    ),
    AudioMetric(
        metric=_metric("source_energy_correlation", "1", "higher"),
        score=source_energy_correlation,
        need=Need.SOURCE,
    ),
    AudioMetric(
        metric=_metric("source_duration_error", "1", "lower"),
        score=source_duration_error,
        need=Need.SOURCE,
    ),
)
