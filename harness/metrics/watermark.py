"""
Watermark: whether the delivered audio carries it, also after what happens to audio on its way, and
its cost.

Quality is judged on the audio before the watermark, which the engine hands over beside the product
(`Target.unmarked`): a mark alone costs 12 dB of SNR. These metrics read the product. The detector
is Perth's (`models/perth.py`), loaded by the harness, so an engine is not asked whether it marked.
"""

import io
from collections.abc import Callable

import numpy as np

from voxgate.harness.audio.recording import Recording, check_valid
from voxgate.harness.metrics.metric import AudioMetric, MetricInput, Need
from voxgate.harness.metrics.signal_parity import snr
from voxgate.harness.models import perth
from voxgate.harness.records.measurement import Better, Metric, Missing, Value

DETECTED = 0.5
"""Confidence from which on the watermark counts as there, as in Perth's own rounding."""
OTHER_RATE_HZ = 22_050
PCM_STEPS = 2.0**15
MP3_LEVEL = 0.9
"""
libsndfile's scale of compression, 0 to 1; 16 kHz speech then takes 24 kbit/s, as little as voice
messages do.
"""


def watermark_detected(inputs: MetricInput) -> Value:
    """Return the detector's confidence on the audio as delivered."""
    return _marked(inputs).once(perth.confidence)


def watermark_resampled(inputs: MetricInput) -> Value:
    """Return the confidence after 22.05 kHz in 16 bits, and back."""
    return perth.confidence(_marked(inputs).once(resampled))


def watermark_compressed(inputs: MetricInput) -> Value:
    """Return the confidence after an MP3 file."""
    received = _marked(inputs).once(compressed)
    return received if isinstance(received, Missing) else perth.confidence(received)


def watermark_false(inputs: MetricInput) -> Value:
    """Return the confidence on the audio before the watermark: that of a false detection."""
    return inputs.audio.once(perth.confidence)


def watermark_snr(inputs: MetricInput) -> Value:
    """Return the SNR of the delivered audio against that before the watermark: its cost."""
    return snr(MetricInput(audio=_marked(inputs), reference=inputs.audio))


def resampled(recording: Recording) -> Recording:
    """Return the recording after another rate and 16 bits; for `recording.once`."""
    there = np.clip(recording.at(OTHER_RATE_HZ), -1.0, 1.0)
    stored = Recording(np.round(there * PCM_STEPS) / PCM_STEPS, OTHER_RATE_HZ)
    return Recording(stored.at(recording.rate_hz), recording.rate_hz)


def compressed(recording: Recording) -> Recording | Missing:
    """Return the recording as an MP3 file returns it; for `recording.once`."""
    import soundfile

    fault = check_valid(recording)  # NaN ends libsndfile's encoder, and this process with it
    if fault is not None:
        return fault
    if "MP3" not in soundfile.available_formats():
        return Missing(f"libsndfile {soundfile.__libsndfile_version__} writes no MP3")
    file = io.BytesIO()
    try:
        soundfile.write(
            file,
            np.clip(recording.samples, -1.0, 1.0),
            recording.rate_hz,
            format="MP3",
            compression_level=MP3_LEVEL,
            bitrate_mode="CONSTANT",
        )
        file.seek(0)
        samples, rate_hz = soundfile.read(file)
    except (soundfile.SoundFileError, TypeError) as error:  # older ones know no compression level
        return Missing(f"no MP3 of {recording.rate_hz} Hz: {error}")
    return Recording(samples, rate_hz)


def _marked(inputs: MetricInput) -> Recording:
    assert inputs.marked is not None, "the scorer offers what the metric needs"
    return inputs.marked


def _detection(
    name: str,
    score: Callable[[MetricInput], Value],
    need: Need = Need.MARKED,
    better: Better = "higher",
) -> AudioMetric:
    """Return a metric of what the detector finds."""
    return AudioMetric(
        metric=Metric(name=name, unit="1", better=better, version="1"),
        score=score,
        need=need,
        package=perth.PACKAGE,
        heavy=True,
    )


METRICS: tuple[AudioMetric, ...] = (
    _detection("watermark_detected", watermark_detected),
    _detection("watermark_resampled", watermark_resampled),
    _detection("watermark_compressed", watermark_compressed),
    _detection("watermark_false", watermark_false, Need.UNMARKED, "lower"),
    AudioMetric(
        metric=Metric(name="watermark_snr", unit="dB", better="higher", version="1"),
        score=watermark_snr,
        need=Need.UNMARKED,
    ),
)
