"""
Clicks, detected blind: single-sample impulses that a linear predictor cannot explain.

A sample is a click when its prediction residual towers over every residual from 1 to 20 ms away, on
both sides, and over the level of the speech. Voices have strong residuals too, but in company: the
pulses of voicing return within 20 ms, and the burst of a plosive goes on for several. Knows nothing
about references.

Boundary clicks are clicks at the boundaries of streamed chunks: at known places, so a much smaller
step counts as a fault than blind. A chunk that starts elsewhere than the last one ended, in its
waveform or its level, clicks at every boundary. Each boundary is compared with its own
surroundings, so that a loud place may hide a click that a quiet one reveals, as it does for the
ear. Only the waveform is read: the change of the spectrum at a boundary was tried and left out,
since at a limit that no place in natural speech exceeds it detects 1 in 10 cuts between unlike
sounds.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_toeplitz
from scipy.ndimage import maximum_filter1d

from voxgate.harness.audio.activity import speech_level
from voxgate.harness.audio.recording import Recording, Samples, check_valid
from voxgate.harness.metrics.metric import AudioMetric, MetricInput, Need
from voxgate.harness.records.measurement import Metric, Missing, Value

SampleArray = NDArray[np.floating]

# Measured on 200 sentences each of flite's voices slt, rms, awb, kal and kal16 and on 400 of the
# embedded voice, with and without a telephone line. Where untouched speech is above 0.8 times its
# level its ratio reaches 3.4 (rms); the diphone voices reach 5.5 at 3.3 times the level and 8.6 at
# 1.75 times (kal16, at its diphone boundaries). Hence 6 times the neighbours and 2 times the level.
# Of clicks as high as the speech's peak, 95 % (embedded) and 100 % (slt, 60 each) are detected at
# random places, of half as high ones 75 and 63 %.
RATIO = 6.0
TIMES_LEVEL = 2.0
# the predictor rings for NEAR_S after a click; its order is chosen to make that true
NEAR_S, FAR_S = 0.001, 0.020
FRAME_S = 0.030
# residuals below it (-54 dB of full scale) count as this, so that dither has no clicks
SMALLEST = 0.002
SHORTEST_S = 0.05


def clicks_score(inputs: MetricInput) -> Value:
    """Return clicks per second of audio; 0.0 for silence, Missing for NaN or less than 50 ms."""
    times_s = inputs.audio.once(click_times_s)
    return times_s if isinstance(times_s, Missing) else len(times_s) / inputs.audio.duration_s


def clicks_per_s(audio: SampleArray, rate_hz: int) -> Value:
    """Return clicks per second of bare samples, shape [n]."""
    return clicks_score(MetricInput(audio=Recording(audio, rate_hz)))


def click_positions(audio: SampleArray, rate_hz: int) -> NDArray[np.intp]:
    """Return the sample indices of the clicks, shape [k], rising."""
    return _positions(Recording(audio, rate_hz))


def residual_of(recording: Recording) -> Samples:
    """
    Return the magnitude of the recording's prediction residual, shape [n].

    For `recording.once`, since boundary clicks need it too.
    """
    return np.abs(prediction_residual(recording.samples, recording.rate_hz))


def click_times_s(recording: Recording) -> tuple[float, ...] | Missing:
    """Return seconds from the start to each click, rising; Missing for NaN or less than 50 ms."""
    fault = check_valid(recording)
    if fault is not None:
        return fault
    if recording.duration_s < SHORTEST_S:
        return Missing(f"{recording.duration_s:.3f} s is too short to look for clicks")
    return tuple(float(position) / recording.rate_hz for position in _positions(recording))


def _positions(recording: Recording) -> NDArray[np.intp]:
    residual, rate_hz = recording.once(residual_of), recording.rate_hz
    around = np.maximum(_company(residual, rate_hz), SMALLEST)
    threshold = np.maximum(RATIO * around, TIMES_LEVEL * speech_level(recording))
    return np.flatnonzero(
        (residual > threshold)
        & (residual == maximum_filter1d(residual, 2 * int(NEAR_S * rate_hz) + 1))
    )


def prediction_residual(samples: Samples, rate_hz: int) -> Samples:
    """
    Return the residual of a linear predictor of order NEAR_S, shape [n].

    Overlap-added from windows of FRAME_S. The predictor is fitted to a copy from which each
    window's sharpest spike is cut: fitted to the click itself it would explain the click and
    not the speech.
    """
    width, order = int(FRAME_S * rate_hz) // 2 * 2, int(NEAR_S * rate_hz)
    hop, window = width // 2, np.hanning(width + 1)[:width]
    ends = np.zeros(width)
    padded, smooth = (
        np.concatenate([ends, signal, ends])
        for signal in (samples, _without_spikes(samples, rate_hz))
    )
    residual = np.zeros_like(padded)
    for start in range(0, len(padded) - width + 1, hop):
        predictor = _predictor(smooth[start : start + width] * window, order)
        before = max(start - order, 0)
        error = np.convolve(padded[before : start + width], predictor)[
            start - before : start - before + width
        ]
        residual[start : start + width] += error * window
    return residual[width : width + len(samples)]


def _predictor(windowed: Samples, order: int) -> Samples:
    """
    Fit the prediction-error filter [1, -a1 ... -ap] by the autocorrelation method; [1] for
    silence.
    """
    # at lags 0 to `order`, shape [order + 1]
    correlation = np.correlate(np.pad(windowed, (0, order)), windowed, "valid")
    if correlation[0] < 1e-8:
        return np.ones(1)
    correlation[0] *= 1.0001  # white noise 40 dB down keeps the equations solvable
    return np.concatenate(
        [[1.0], -solve_toeplitz(correlation[:-1], correlation[1:], check_finite=False)]
    )


def _without_spikes(samples: Samples, rate_hz: int) -> Samples:
    """
    Copy the samples with the sharpest point of each 15 ms bridged by a straight line.

    The sharpest point is that of the largest second difference.
    """
    smooth: Samples = samples.copy()
    hop = int(FRAME_S * rate_hz) // 2
    reach = max(round(0.0006 * rate_hz), 2)
    bend = np.abs(np.diff(samples, 2, prepend=[0.0, 0.0]))
    for start in range(0, len(samples) - hop + 1, hop):
        spike = start + int(np.argmax(bend[start : start + hop]))
        low, high = max(spike - reach, 0), min(spike + reach, len(samples) - 1)
        smooth[low : high + 1] = np.linspace(smooth[low], smooth[high], high - low + 1)
    return smooth


def _company(residual: Samples, rate_hz: int) -> Samples:
    """
    Return for each sample the largest residual between NEAR_S and FAR_S away on either side,
    shape [n].
    """
    near, far = int(NEAR_S * rate_hz), int(FAR_S * rate_hz)
    span = (far - near) // 2 * 2 + 1
    padded = np.pad(residual, far + near)
    largest = maximum_filter1d(padded, span)
    centre, offset = np.arange(len(residual)) + far + near, near + 1 + span // 2
    return np.asarray(
        np.maximum(largest[centre - offset], largest[centre + offset]), dtype=np.float64
    )


AT_S, AROUND_S = (
    0.005,
    0.030,
)  # a boundary may be reported a few samples off, and its predictor rings
# At random places of untouched speech (100 in each of 200 sentences a voice, 300 embedded):
# embedded, slt, rms and awb never exceed 4 (rms 3 six times in 20 000), the diphone voices kal and
# kal16 do at 4 and 8 in 10 000, where their own diphone boundaries click.
JOIN_RATIO = 4.0
JOIN_TIMES_LEVEL = 0.05  # of the speech level, -26 dB: the residual of an audible jump


def boundary_clicks_per_s(inputs: MetricInput) -> Value:
    """
    Return chunk boundaries with an audible click, per second of audio; 0.0 without boundaries.
    """
    fault = check_valid(inputs.audio)
    if fault is not None:
        return fault
    if inputs.audio.duration_s < SHORTEST_S:
        return Missing(f"{inputs.audio.duration_s:.3f} s is too short to look for clicks")
    joins_s = inputs.joins_s or ()
    return sum(has_click_at(inputs.audio, join_s) for join_s in joins_s) / inputs.audio.duration_s


def has_click_at(recording: Recording, join_s: float) -> bool:
    """
    Return whether there is a click at a chunk boundary.

    The residual within AT_S of the boundary must tower over that up to AROUND_S away, on either
    side.
    """
    residual = recording.once(residual_of)
    place, near, far = (round(seconds * recording.rate_hz) for seconds in (join_s, AT_S, AROUND_S))
    at = _largest(residual, place - near, place + near + 1)
    around = max(
        _largest(residual, place - far, place - near),
        _largest(residual, place + near + 1, place + far),
    )
    return at > JOIN_RATIO * around and at > JOIN_TIMES_LEVEL * speech_level(recording)


def _largest(residual: Samples, start: int, end: int) -> float:
    return float(residual[max(start, 0) : max(end, 0)].max(initial=0.0))


METRICS = (
    AudioMetric(
        metric=Metric(name="clicks", unit="1/s", better="lower", version="2"), score=clicks_score
    ),
    AudioMetric(
        metric=Metric(name="join_clicks", unit="1/s", better="lower", version="1"),
        score=boundary_clicks_per_s,
        need=Need.JOINS,
    ),
)
