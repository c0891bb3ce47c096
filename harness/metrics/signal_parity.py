"""
Similarity of two recordings of the same performance: SNR, SI-SDR, PESQ, STOI, ESTOI.

For runs that share noise and durations (fp32 against bf16, NFE 32 against NFE 8). Two performances
of one text cannot be compared this way, so unequal durations yield Missing, not a small number. All
of them read the pair from `alignment.py`, from which a delay has been removed. Knows no files and
no thresholds.

PESQ is also computed with Corrigendum 2 of 2018, by the same package `pesq`. The ITU's code makes
wide-band speech 12 dB too loud for the ear that it models, and the corrigendum defines new
coefficients of the input filter: the old ones times 0.251188, nothing else. They stand in a table
of the package's C library, where this module changes them for the time of one call: not for two
threads at once, which the scorer has not. The package with the correction built in, `pesqc2`,
yields the same scores to the last bit, but is bound to numpy 1.
"""

import contextlib
import ctypes
import math
import warnings
from collections.abc import Iterator

import numpy as np

from voxgate.harness.audio.recording import Recording, Samples
from voxgate.harness.metrics.alignment import Aligned, aligned
from voxgate.harness.metrics.metric import AudioMetric, MetricInput, Need
from voxgate.harness.records.measurement import SNR_CEILING_DB, Metric, Missing, Value

# the package's mode -> the rate that it is defined at: P.862.2 and P.862
PESQ_RATES_HZ = {"wb": 16_000, "nb": 8_000}
PESQ_SHORTEST_S = 0.25  # below it the ITU code has no frame to work on
# the ITU code holds 50 utterances in a fixed array and crashes the process beyond them
PESQ_LONGEST_S = 30.0
STOI_RATE_HZ = 10_000  # of its definition
# pystoi's result, instead of an error, when fewer than 30 frames hold speech
STOI_TOO_FEW_FRAMES = 1e-5


def snr(inputs: MetricInput) -> Value:
    """
    Return 10 log10(sum s^2 / sum (s - c)^2) in dB, within +-SNR_CEILING_DB.

    Level-sensitive; the ceiling means exact.
    """
    pair = aligned(inputs)
    if isinstance(pair, Missing):
        return pair
    clean, degraded = pair.reference, pair.candidate
    return _ratio_db(float(clean @ clean), float(np.sum((clean - degraded) ** 2)))


def si_sdr(inputs: MetricInput) -> Value:
    """
    Return the scale-invariant signal-to-distortion ratio in dB, within +-SNR_CEILING_DB.

    Blind to level and polarity. Le Roux et al. 2019, "SDR - half-baked or well done?", equation
    5, without removing means.
    """
    pair = aligned(inputs)
    if isinstance(pair, Missing):
        return pair
    clean, degraded = pair.reference, pair.candidate
    target = (clean @ degraded) / (clean @ clean) * clean
    return _ratio_db(float(target @ target), float(np.sum((degraded - target) ** 2)))


def pesq(inputs: MetricInput) -> Value:
    """
    Return PESQ MOS-LQO, wide band (P.862.2), 1.04 to 4.64, by the package `pesq`.

    Both signals are resampled to 16 kHz by soxr HQ. Beyond 30 s: the mean over equal pieces of
    at most 30 s. The ITU code can end the process; call it where that is safe.
    """
    return _pesq(inputs)


def narrow_band_pesq(inputs: MetricInput) -> Value:
    """
    Return PESQ MOS-LQO, narrow band (P.862 with P.862.1's mapping, at 8 kHz), 1.02 to 4.55.

    For audio from a telephone line, of which the wide-band model would expect the upper half.
    """
    return _pesq(inputs, "nb")


def pesq_c2(inputs: MetricInput) -> Value:
    """
    Return PESQ with Corrigendum 2 of 2018: a second reading of the same recordings.

    The correction raises the scores of noisy speech (white noise at 20 dB: 1.14 becomes 1.55;
    arXiv 2505.19760); published figures are nearly all without it, so this one informs.
    """
    try:
        with corrected():
            return _pesq(inputs)
    except ValueError:
        return Missing("this build of the package pesq does not show its table of coefficients")


def stoi(inputs: MetricInput) -> Value:
    """Return short-time objective intelligibility, about 0 to 1 (Taal et al. 2011), by `pystoi`."""
    return _stoi(inputs, extended=False)


def estoi(inputs: MetricInput) -> Value:
    """
    Return extended STOI (Jensen and Taal 2016), by `pystoi`.

    numpy's global random state is restored.
    """
    return _stoi(inputs, extended=True)


def _ratio_db(signal: float, noise: float) -> float:
    """
    Return a power ratio in dB, kept within the ceiling so that it can be averaged and written
    down.
    """
    if noise == 0.0:
        return SNR_CEILING_DB
    if signal == 0.0:
        return -SNR_CEILING_DB
    return float(
        np.clip(10.0 * (math.log10(signal) - math.log10(noise)), -SNR_CEILING_DB, SNR_CEILING_DB)
    )


def _pesq(inputs: MetricInput, mode: str = "wb") -> Value:
    pair = aligned(inputs)
    if isinstance(pair, Missing):
        return pair
    seconds = pair.reference_audio.duration_s
    if seconds < PESQ_SHORTEST_S:
        return Missing(f"{seconds:.2f} s is too short for PESQ, which needs {PESQ_SHORTEST_S} s")
    pieces = math.ceil(seconds / PESQ_LONGEST_S)
    clean, degraded = (
        np.array_split(recording.at(PESQ_RATES_HZ[mode]), pieces)
        for recording in (pair.reference_audio, pair.candidate_audio)
    )
    scores = [_pesq_piece(c, h, mode) for c, h in zip(clean, degraded, strict=True)]
    failures = [score for score in scores if isinstance(score, Missing)]
    return (
        failures[0]
        if failures
        else float(np.mean([score for score in scores if isinstance(score, float)]))
    )


def _pesq_piece(clean: Samples, degraded: Samples, mode: str) -> Value:
    import pesq

    if not clean.any() or not degraded.any():
        return Missing("a piece of up to 30 s is silent, which PESQ cannot score")
    try:
        score = float(pesq.pesq(PESQ_RATES_HZ[mode], clean, degraded, mode))
    except (
        pesq.PesqError,
        ValueError,
    ) as error:  # ValueError: so quiet beside the other that it rounds to zero in float32
        reason = error.args[0] if error.args else type(error).__name__
        text = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        return Missing(f"PESQ cannot score this: {text.strip()}")
    return score if math.isfinite(score) else Missing("PESQ gave no finite number")


def _stoi(inputs: MetricInput, extended: bool) -> Value:
    pair = aligned(inputs)
    if isinstance(pair, Missing):
        return pair
    score = _pystoi(pair, extended)
    if score == STOI_TOO_FEW_FRAMES:
        return Missing("too little speech for STOI, which needs 0.4 s of it")
    return score if math.isfinite(score) else Missing("STOI gave no finite number")


def _pystoi(pair: Aligned, extended: bool) -> float:
    import pystoi

    clean, degraded = (
        recording.once(_at_10_khz) for recording in (pair.reference_audio, pair.candidate_audio)
    )
    state = np.random.get_state()  # ESTOI adds noise from the global generator
    np.random.seed(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            return float(pystoi.stoi(clean, degraded, STOI_RATE_HZ, extended=extended))
    except (ValueError, IndexError):  # numpy's AxisError is both: no frame fits
        return STOI_TOO_FEW_FRAMES
    finally:
        np.random.set_state(state)


def _at_10_khz(recording: Recording) -> Samples:
    """
    Resample by pystoi's own resampler, which is MATLAB's and half of its work.

    Once for STOI, ESTOI and every candidate.
    """
    from pystoi.utils import resample_oct

    if recording.rate_hz == STOI_RATE_HZ:
        return recording.samples
    return np.asarray(
        resample_oct(recording.samples, STOI_RATE_HZ, recording.rate_hz), dtype=np.float64
    )


def _parity(name: str, unit: str) -> Metric:
    return Metric(name=name, unit=unit, better="higher", version="2")  # 2: without the lag


METRICS: tuple[AudioMetric, ...] = (
    AudioMetric(metric=_parity("snr", "dB"), score=snr, need=Need.REFERENCE),
    AudioMetric(metric=_parity("si_sdr", "dB"), score=si_sdr, need=Need.REFERENCE),
    AudioMetric(
        metric=_parity("pesq", "MOS-LQO"),
        score=pesq,
        narrow_band=narrow_band_pesq,
        need=Need.REFERENCE,
        package="pesq",
    ),
    AudioMetric(
        metric=_parity("pesq_c2", "MOS-LQO"), score=pesq_c2, need=Need.REFERENCE, package="pesq"
    ),
    AudioMetric(metric=_parity("stoi", "1"), score=stoi, need=Need.REFERENCE, package="pystoi"),
    AudioMetric(metric=_parity("estoi", "1"), score=estoi, need=Need.REFERENCE, package="pystoi"),
)

TABLE = (
    # of the wide-band input filter at 16 kHz: three coefficients of the numerator, two of the
    # denominator
    "WB_InIIR_Hsos_16k"
)
NUMERATOR, LENGTH = 3, 5
GAIN = 0.251188  # -12 dB


@contextlib.contextmanager
def corrected() -> Iterator[None]:
    """
    Switch `pesq.pesq` to Corrigendum 2 inside the context.

    Raises ValueError where the package hides its table, as on Windows.
    """
    from pesq import cypesq

    table = (ctypes.c_float * LENGTH).in_dll(ctypes.CDLL(cypesq.__file__), TABLE)
    before = list(table)
    table[:NUMERATOR] = [GAIN * coefficient for coefficient in before[:NUMERATOR]]
    try:
        yield
    finally:
        table[:] = before
