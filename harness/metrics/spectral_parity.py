"""
Spectral distance of two recordings of the same performance: mcd and mel_distance.

Both compare the aligned pair of `alignment.py`. Mel-cepstral distortion follows small inner shifts
by time warping, is blind to level, and counts speech only: what is SILENT_DB below the loudest
frame on both sides is left out, or the noise in pauses would be most of it. It still counts some
inaudible differences, such as the last band that a resampler removes. The log-mel distance follows
nothing and counts level, but nothing that is 80 dB down.
"""

import numpy as np
from numpy.typing import NDArray

from voxgate.harness.audio.mel import power_mel
from voxgate.harness.audio.mel_cepstrum import Frames, frame_levels_db, hop_s, mel_cepstra, warp
from voxgate.harness.audio.recording import Recording
from voxgate.harness.metrics.alignment import aligned
from voxgate.harness.metrics.metric import AudioMetric, MetricInput, Need
from voxgate.harness.records.measurement import Metric, Missing, Value

DB_PER_NEPER = 10.0 * np.sqrt(2.0) / np.log(10.0)  # of MCD: Kubichek 1993
Mask = NDArray[np.bool_]

# of the warping; no path between 32 steps of the embedded voice and 16, 4 or 2 strays more than
# 0.05 s
SLACK_S = 0.25
SILENT_DB = -40.0  # of the loudest frame

# BigVGAN's at 24 kHz; Slaney's scale and filters
MEL_RATE_HZ, MEL_WIDTH, MEL_HOP, MEL_BANDS = 24_000, 1024, 256, 100
# below the reference's loudest value: softer sound is inaudible, and a WAV file rounds it away
MEL_FLOOR_DB = -80.0
MEL_PIECE_S = 30.0  # computed at once


def mcd(inputs: MetricInput) -> Value:
    """
    Return the mel-cepstral distortion in dB.

    The mean over the warped path of (10 / ln 10) sqrt(2 sum over d >= 1 of (c[d] - c'[d])^2).
    ESPnet's analysis (audio/mel_cepstrum.py), but without c[0], in the path as in the distance:
    with it half the level alone would cost 4.26 dB. Pairs of frames of which both are silent
    (SILENT_DB) are left out of the mean. flite's voices are 8 to 9 dB apart, one voice 20 %
    slower 2.3 dB from itself.
    """
    pair = aligned(inputs)
    if isinstance(pair, Missing):
        return pair
    reference, candidate = (
        recording.once(mel_cepstra) for recording in (pair.reference_audio, pair.candidate_audio)
    )
    if isinstance(reference, Missing):
        return reference
    if isinstance(candidate, Missing):
        return candidate
    slack = round(SLACK_S / hop_s(pair.reference_audio.rate_hz))
    heard = pair.reference_audio.once(audible), pair.candidate_audio.once(audible)
    return distortion_db(reference, candidate, slack, heard)


def audible(recording: Recording) -> Mask:
    """Return whether each frame of `mel_cepstra` is no silence, shape [frames]; for `once`."""
    return np.asarray(frame_levels_db(recording) > SILENT_DB)


def distortion_db(
    reference: Frames, candidate: Frames, slack: int, heard: tuple[Mask, Mask] | None = None
) -> float:
    """
    Return the mel-cepstral distortion of coefficients [n, order] and [m, order].

    Warped by up to `slack` frames. `heard` marks the frames of each, shapes [n] and [m], that are
    no silence: a pair counts if either is. None: all count.
    """
    rows, columns = warp(reference, candidate, slack)
    distances = np.linalg.norm(reference[rows] - candidate[columns], axis=1)
    counts = slice(None) if heard is None else heard[0][rows] | heard[1][columns]
    return float(DB_PER_NEPER * np.mean(distances[counts]))


def mel_distance(inputs: MetricInput) -> Value:
    """
    Return the mean absolute difference of log-mel spectra in dB, frame by frame and band by
    band.

    Level counts. MEL_BANDS bands up to 12 kHz at MEL_RATE_HZ. A value MEL_FLOOR_DB below the
    reference's loudest one counts as that, and bands in which neither is louder on average are
    left out, so that a copy at a higher rate is as far as the original. The L1 distance of
    vocoder papers, in natural logarithms of amplitude, is this by 8.69 (20 / ln 10), but for
    the floor.
    """
    pair = aligned(inputs)
    if isinstance(pair, Missing):
        return pair
    reference, candidate = (
        recording.once(_mel_power) for recording in (pair.reference_audio, pair.candidate_audio)
    )
    floor = reference.max() * 10.0 ** (MEL_FLOOR_DB / 10.0)
    audible = np.maximum(reference.mean(axis=0), candidate.mean(axis=0)) > floor
    levels = [
        10.0 * np.log10(np.maximum(power[:, audible], floor)) for power in (reference, candidate)
    ]
    return float(np.mean(np.abs(levels[0] - levels[1])))


def _mel_power(recording: Recording) -> Frames:
    """
    Return the mel power, shape [frames, MEL_BANDS], of windows within the audio.

    At an edge, all bands ring.
    """
    samples, length = recording.at(MEL_RATE_HZ), int(MEL_PIECE_S * MEL_RATE_HZ)
    pieces = [samples[start : start + length] for start in range(0, len(samples), length)]
    power = [
        power_mel(piece, MEL_RATE_HZ, width=MEL_WIDTH, hop=MEL_HOP, bands=MEL_BANDS)
        for piece in pieces
    ]
    beyond = MEL_WIDTH // MEL_HOP // 2
    return np.concatenate(
        [piece[beyond:-beyond] if len(piece) > 2 * beyond else piece for piece in power]
    )


METRICS: tuple[AudioMetric, ...] = (
    AudioMetric(
        metric=Metric(name="mcd", unit="dB", better="lower", version="2"),
        score=mcd,
        need=Need.REFERENCE,
    ),
    AudioMetric(
        metric=Metric(name="mel_distance", unit="dB", better="lower", version="1"),
        score=mel_distance,
        need=Need.REFERENCE,
    ),
)
