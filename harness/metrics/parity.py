"""
How alike two recordings of the same performance are: SNR, SI-SDR, PESQ, STOI, ESTOI.

For runs that share noise and durations (fp32 against bf16, NFE 32 against NFE 8); two performances of one text cannot be
compared this way, so unequal durations give Missing, not a small number. Arrays are mono float, shape [n], both at
`rate_hz`; the reference comes first. Knows no files and no thresholds.
"""

import math
import warnings
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from harness.measurement import SNR_CEILING_DB, Missing, Value

Audio = NDArray[np.floating]
Pair = tuple[NDArray[np.float64], NDArray[np.float64]]
ParityMetric = Callable[[Audio, Audio, int], Value]

DURATION_TOLERANCE = 0.02  # the policy's margin for audio duration: within it a difference is trimming, beyond it tempo
PESQ_RATE_HZ = 16_000  # P.862.2 is defined at 16 kHz only
PESQ_SHORTEST_S = 0.25  # below it the ITU code has no frame to work on
PESQ_LONGEST_S = 30.0  # the ITU code holds 50 utterances in a fixed array and crashes the process beyond them
STOI_TOO_FEW_FRAMES = 1e-5  # pystoi's answer, instead of an error, when fewer than 30 frames hold speech


def snr_db(reference: Audio, candidate: Audio, rate_hz: int) -> Value:
    """10 log10(sum s^2 / sum (s - c)^2) in dB, level-sensitive, within +-SNR_CEILING_DB (the ceiling means exact)."""
    pair = aligned(reference, candidate, rate_hz)
    if isinstance(pair, Missing):
        return pair
    clean, heard = pair
    return _ratio_db(float(clean @ clean), float(np.sum((clean - heard) ** 2)))


def si_sdr_db(reference: Audio, candidate: Audio, rate_hz: int) -> Value:
    """
    Scale-invariant signal-to-distortion ratio in dB, within +-SNR_CEILING_DB; blind to level and polarity.

    Le Roux et al. 2019, "SDR - half-baked or well done?", equation 5, without removing means.
    """
    pair = aligned(reference, candidate, rate_hz)
    if isinstance(pair, Missing):
        return pair
    clean, heard = pair
    target = (clean @ heard) / (clean @ clean) * clean
    return _ratio_db(float(target @ target), float(np.sum((heard - target) ** 2)))


def pesq_wb(reference: Audio, candidate: Audio, rate_hz: int) -> Value:
    """
    PESQ MOS-LQO, wide band (P.862.2), 1.04 to 4.64, by the package `pesq`, both signals resampled to 16 kHz by soxr HQ.

    Beyond 30 s: the mean over equal pieces of at most 30 s. The ITU code can end the process; call it where that is safe.
    """
    pair = aligned(reference, candidate, rate_hz)
    if isinstance(pair, Missing):
        return pair
    seconds = len(pair[0]) / rate_hz
    if seconds < PESQ_SHORTEST_S:
        return Missing(f"{seconds:.2f} s is too short for PESQ, which needs {PESQ_SHORTEST_S} s")
    clean, heard = (_resampled(each, rate_hz) for each in pair)
    pieces = math.ceil(seconds / PESQ_LONGEST_S)
    scores = [_pesq_piece(c, h) for c, h in zip(np.array_split(clean, pieces), np.array_split(heard, pieces), strict=True)]
    failures = [score for score in scores if isinstance(score, Missing)]
    return failures[0] if failures else float(np.mean([score for score in scores if isinstance(score, float)]))


def stoi(reference: Audio, candidate: Audio, rate_hz: int) -> Value:
    """Short-time objective intelligibility, about 0 to 1 (Taal et al. 2011), by `pystoi`, which resamples itself."""
    return _stoi(reference, candidate, rate_hz, extended=False)


def estoi(reference: Audio, candidate: Audio, rate_hz: int) -> Value:
    """Extended STOI (Jensen and Taal 2016), by `pystoi`; leaves numpy's global random state as it found it."""
    return _stoi(reference, candidate, rate_hz, extended=True)


PARITY: dict[str, ParityMetric] = {"snr": snr_db, "si_sdr": si_sdr_db, "pesq": pesq_wb, "stoi": stoi}


def aligned(reference: Audio, candidate: Audio, rate_hz: int) -> Pair | Missing:
    """Both as float64 of the shorter one's length; Missing when they cannot be compared frame by frame."""
    for name, audio in (("the reference", reference), ("the audio", candidate)):
        fault = unusable(audio)
        if fault:
            return Missing(f"{name} {fault}")
    lengths = len(candidate), len(reference)
    if abs(lengths[0] - lengths[1]) > DURATION_TOLERANCE * max(lengths):
        return Missing(f"durations differ: {lengths[0] / rate_hz:.2f} s against {lengths[1] / rate_hz:.2f} s")
    clean, heard = (np.asarray(each[: min(lengths)], dtype=np.float64) for each in (reference, candidate))
    if not clean.any() or not heard.any():
        return Missing("one of the two is silent over their common length")
    return clean, heard


def unusable(audio: Audio) -> str | None:
    """What is wrong with the audio as a predicate ("is empty", "is silent" ...), or None."""
    if audio.ndim != 1:
        return f"has shape {list(audio.shape)} where one channel belongs"
    if audio.size == 0:
        return "is empty"
    if not np.isfinite(audio).all():
        return "holds NaN or infinity"
    return None if audio.any() else "is silent"


def _ratio_db(signal: float, noise: float) -> float:
    """Power ratio in dB, kept within the ceiling so that it can be averaged and written down."""
    if noise == 0.0:
        return SNR_CEILING_DB
    if signal == 0.0:
        return -SNR_CEILING_DB
    return float(np.clip(10.0 * (math.log10(signal) - math.log10(noise)), -SNR_CEILING_DB, SNR_CEILING_DB))


def _resampled(audio: NDArray[np.float64], rate_hz: int) -> NDArray[np.float64]:
    import soxr  # linear interpolation instead would cost 1.9 MOS on the same audio: the resampler is part of the metric

    return audio if rate_hz == PESQ_RATE_HZ else np.asarray(soxr.resample(audio, rate_hz, PESQ_RATE_HZ, quality="HQ"))


def _pesq_piece(clean: NDArray[np.float64], heard: NDArray[np.float64]) -> Value:
    import pesq

    if not clean.any() or not heard.any():
        return Missing("a piece of up to 30 s is silent, which PESQ cannot score")
    try:
        score = float(pesq.pesq(PESQ_RATE_HZ, clean, heard, "wb"))
    except pesq.PesqError as error:
        reason = error.args[0] if error.args else type(error).__name__
        text = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        return Missing(f"PESQ cannot score this: {text.strip()}")
    return score if math.isfinite(score) else Missing("PESQ gave no finite number")


def _stoi(reference: Audio, candidate: Audio, rate_hz: int, extended: bool) -> Value:
    import pystoi

    pair = aligned(reference, candidate, rate_hz)
    if isinstance(pair, Missing):
        return pair
    state = np.random.get_state()  # ESTOI adds noise from the global generator
    np.random.seed(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            score = float(pystoi.stoi(*pair, rate_hz, extended=extended))
    except (ValueError, IndexError):  # numpy's AxisError is both: no frame fits
        score = STOI_TOO_FEW_FRAMES
    finally:
        np.random.set_state(state)
    if score == STOI_TOO_FEW_FRAMES:
        return Missing("too little speech for STOI, which needs 0.4 s of it")
    return score if math.isfinite(score) else Missing("STOI gave no finite number")
