"""
Levels of a recording: peak, clipping, DC offset, loudness, samples that are not finite, and
whether there is nothing but silence or steady noise.

Knows nothing of text or other recordings, and no limits.

Loudness is that of ITU-R BS.1770-4: gated, one channel, in LUFS. The standard defines its two
filters at 48 kHz only and asks for the same response at other rates. So a recording is resampled to
48 kHz first: filters designed for 8 or 16 kHz by a bilinear transform, as is often done, read a
tone of 997 Hz 0.20 and 0.05 LU too low.
"""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import minimum_filter1d

from voxgate.harness.audio.activity import levels
from voxgate.harness.audio.recording import Recording, check_valid
from voxgate.harness.metrics.metric import AudioMetric, MetricInput
from voxgate.harness.records.measurement import Metric, Missing, Value

FULL_SCALE = 0.9995  # within 16 steps of 16 bits of 1.0, as clipped WAV files hold
# of the peak; at 48 kHz a pure tone of 100 Hz already falls by 9e-5 from its crest to the next
# sample
FLAT = 1e-5
STEADY_DB = 6.0  # white noise in frames of 10 ms spreads by 1.5 dB at most, speech by 15 and more
QUIET_DB = 40.0  # below the loudest frame: silence around the noise is no part of it
LEAST_FRAMES = 20
WINDOW_S = 0.05
PERIODIC = 0.5  # of the energy; white noise reaches 0.25
PERIODIC_SHARE = 0.1
FLAT_RUN = 3  # samples; a crest between two of them may give two alike


def finite(inputs: MetricInput) -> Value:
    """
    Return the share of finite samples, 1.0 for sound audio.

    Every other metric names the place of the first NaN.
    """
    samples = inputs.audio.samples
    return float(np.isfinite(samples).mean()) if samples.size else Missing("the audio is empty")


def peak(inputs: MetricInput) -> Value:
    """Return the largest absolute sample, 1.0 being full scale."""
    return check_valid(inputs.audio) or float(np.abs(inputs.audio.samples).max())


def clipped_share(inputs: MetricInput) -> Value:
    """
    Return the share of samples, 0 to 1, that clipping has touched.

    They lie at or beyond full scale, or on a flat top at the recording's peak. Flat tops reveal
    clipping that came before a change of level, as an engine's own levelling does.
    """
    fault = check_valid(inputs.audio)
    if fault is not None:
        return fault
    magnitude = np.abs(inputs.audio.samples)
    return float(np.mean((magnitude >= FULL_SCALE) | _flat_tops(magnitude)))


def dc_offset(inputs: MetricInput) -> Value:
    """Return the absolute value of the mean sample, 1.0 being full scale."""
    return check_valid(inputs.audio) or abs(float(inputs.audio.samples.mean()))


def loudness(inputs: MetricInput) -> Value:
    """Return the integrated loudness in LUFS (`integrated_lufs`)."""
    return inputs.audio.once(integrated_lufs)


def no_speech(inputs: MetricInput) -> Value:
    """
    Return 1.0 for silence and for noise of a steady level, 0.0 for anything that may be speech.

    Speech rises and falls by far more than STEADY_DB, whispered speech as well; a hum or a tone has
    a period. Noise that is shaped like speech is left to the recogniser.
    """
    fault = check_valid(inputs.audio)
    if fault is not None:
        return fault
    level_db = inputs.audio.once(levels)
    if isinstance(level_db, Missing):
        return level_db if inputs.audio.samples.any() else 1.0
    active = level_db[level_db > level_db.max() - QUIET_DB]
    if active.size < LEAST_FRAMES:
        return Missing(f"{inputs.audio.duration_s:.2f} s is too short to tell speech from noise")
    low, high = np.percentile(active, [10.0, 90.0])
    return float(high - low < STEADY_DB and inputs.audio.once(_periodic_share) < PERIODIC_SHARE)


def _periodic_share(recording: Recording) -> float:
    """Return the share of windows of WINDOW_S with a period between 60 and 400 Hz."""
    width = round(WINDOW_S * recording.rate_hz)
    windows = recording.samples[: len(recording.samples) // width * width].reshape(-1, width)
    power = np.abs(np.fft.rfft(windows - windows.mean(axis=1, keepdims=True), 2 * width)) ** 2
    correlation = np.fft.irfft(power)[:, :width]
    lags = np.arange(recording.rate_hz // 400, min(recording.rate_hz // 60, width // 2))
    # fewer products at longer lags
    peaks = (correlation[:, lags] * width / (width - lags)).max(axis=1)
    energy = correlation[:, 0]
    return float(np.mean(peaks > PERIODIC * np.maximum(energy, np.finfo(np.float64).tiny)))


def _flat_tops(magnitude: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Mark the samples in a run of FLAT_RUN or more at the peak, shape [n]; none in silence."""
    at_peak = (magnitude >= (1.0 - FLAT) * magnitude.max()) & (magnitude > 0.0)
    # middles of runs
    within = minimum_filter1d(at_peak.astype(np.uint8), FLAT_RUN, mode="constant")
    spread = (
        np.convolve(within, np.ones(FLAT_RUN), "same")
        if len(within) >= FLAT_RUN
        else np.zeros(len(within))
    )
    return np.asarray(spread > 0, dtype=np.bool_)


METRICS = (
    AudioMetric(metric=Metric(name="finite", unit="1", better="higher", version="1"), score=finite),
    AudioMetric(metric=Metric(name="peak", unit="1", better="neither", version="1"), score=peak),
    AudioMetric(
        metric=Metric(name="clipped_share", unit="1", better="lower", version="1"),
        score=clipped_share,
    ),
    AudioMetric(
        metric=Metric(name="dc_offset", unit="1", better="lower", version="1"), score=dc_offset
    ),
    AudioMetric(
        metric=Metric(name="no_speech", unit="1", better="lower", version="1"), score=no_speech
    ),
    AudioMetric(
        metric=Metric(name="loudness", unit="LUFS", better="neither", version="1"), score=loudness
    ),
)


RATE_HZ = 48_000
# BS.1770-4, tables 1 and 2: the shelf that stands for the head, and the high pass; b0 b1 b2 a0 a1
# a2.
K_WEIGHTING = (
    (
        1.53512485958697,
        -2.69169618940638,
        1.19839281085285,
        1.0,
        -1.69065929318241,
        0.73248077421585,
    ),
    (1.0, -2.0, 1.0, 1.0, -1.99004745483398, 0.99007225036621),
)
OFFSET_LU = -0.691  # takes off the filters' gain at 997 Hz
BLOCK_S, STEP_S = 0.4, 0.1
ABSOLUTE_GATE_LUFS, RELATIVE_GATE_LU = -70.0, -10.0


def integrated_lufs(recording: Recording) -> Value:
    """
    Return the mean loudness in LUFS of the blocks of 0.4 s that pass both gates.

    Missing below 0.4 s and where no block is above -70 LUFS.
    """
    fault = check_valid(recording)
    if fault is not None:
        return fault
    power = _block_powers(recording.at(RATE_HZ))
    if not power.size:
        return Missing(
            f"{recording.duration_s:.2f} s is too short for loudness, which needs {BLOCK_S} s"
        )
    power = power[power > 10 ** ((ABSOLUTE_GATE_LUFS - OFFSET_LU) / 10)]
    if not power.size:
        return Missing(f"nothing is louder than {ABSOLUTE_GATE_LUFS:.0f} LUFS")
    power = power[power > power.mean() * 10 ** (RELATIVE_GATE_LU / 10)]
    return OFFSET_LU + 10.0 * math.log10(power.mean())


def _block_powers(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean square of each whole block of the weighted samples, shape [blocks]."""
    from scipy.signal import sosfilt

    total = np.concatenate([[0.0], np.cumsum(sosfilt(np.array(K_WEIGHTING), samples) ** 2)])
    width, step = round(BLOCK_S * RATE_HZ), round(STEP_S * RATE_HZ)
    starts = np.arange(0, len(samples) - width + 1, step)
    return np.asarray((total[starts + width] - total[starts]) / width, dtype=np.float64)
