"""
Distance of two takes of one text by one voice, of whatever length: spectrum, melody, voicing and
sampling rate along the path of dynamic time warping.

Two takes are never alike to the decibel, so the margins are wider than what takes of a voice
differ by. Both are read at 16 kHz or, where that is less, at their own rate, and from the first
sound to the last: silence around the speech plays no part, and rates may differ. The path follows
mel-cepstra and level; what is not audible in both is part of the path and of no value. Pitch is
compared without the median interval between the takes: the embedded voice speaks one text up to 4
semitones higher with another seed (`pitch_median` is there to see a voice that is higher).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voxgate.harness.audio import activity, pitch
from voxgate.harness.audio.mel_cepstrum import HOP, PARAMETERS, WIDTH, hop_s, mel_cepstra, warp
from voxgate.harness.audio.recording import Recording, check_valid
from voxgate.harness.metrics.metric import AudioMetric, MetricInput, Need
from voxgate.harness.metrics.spectral_parity import DB_PER_NEPER
from voxgate.harness.records.measurement import Better, Metric, Missing, MissingKind, Value

Series = NDArray[np.float64]
Places = NDArray[np.intp]

RATE_HZ = 16_000
SLACK, SLACK_S = 0.2, (0.3, 3.0)
"""Share of the longer take by which the path may stray from the diagonal, and its limits."""
MOST_LONGER = 2.0
"""What lasts so many times as long is no other take."""
SHORTEST = 5
"""Frames of speech."""
LEVEL_WEIGHT = 0.3
"""Of a neper of level beside one of a mel-cepstrum, in the path."""
LEAST_VOICED = 10
"""Pairs of frames that are voiced in both: 0.16 s."""
LOCAL_S = 0.15
"""A vowel, or the melody of a syllable."""
LEAST_COVERED = 0.75
"""Of a local window, by frames that have a value."""
GROSS = 0.2
OCTAVE = 12.0
LOWEST_HZ, SHIFT, STEPS = 300.0, 0.01, 308
"""Where envelopes are compared for a shift: STEPS on a logarithmic axis, up to 6.5 kHz."""
FARTHEST = 10
"""Steps of a shift that is looked for, either way."""
WAVER_S = 0.4
AGREEING = 2.0
"""Of two shifts: the greater is at most so many times the smaller."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Speech:
    """A take from its first sound to its last, every hop: cepstra [n, order], all else [n]."""

    cepstra: Series
    level_db: Series
    """Against the loud part, not below -AUDIBLE_DB."""
    f0_hz: Series
    smoothed_hz: Series
    """F0 without octave jumps."""
    times_s: Series


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WarpedTakes:
    """
    Two takes, and the path: pairs of frames that are audible in both, `rows` of the reference and
    `columns` of the candidate, with their mel-cepstral distance, all of shape [k].
    """

    reference: Speech
    candidate: Speech
    rows: Places
    columns: Places
    distance_db: Series
    hop_s: float


def mcd_dtw(takes: WarpedTakes) -> Value:
    """Return the mel-cepstral distortion along the path in dB (as `mcd`, but of two takes)."""
    return float(np.mean(takes.distance_db))


def mcd_peak(takes: WarpedTakes) -> Value:
    """
    Return by how many dB the distortion of the worst window of LOCAL_S exceeds that of all: what
    is wrong at one place, such as a vowel.
    """
    worst = _worst(takes, takes.rows, takes.distance_db)
    if isinstance(worst, Missing):
        return worst
    return max(worst - float(np.mean(takes.distance_db)), 0.0)


def f0_rmse_dtw(takes: WarpedTakes) -> Value:
    """Return the RMS of 12 log2(F0 / F0') without its median, in semitones, where both have F0."""
    pairs = _intervals(takes, smoothed=True)
    return pairs if isinstance(pairs, Missing) else float(np.sqrt(np.mean(pairs.semitones**2)))


def f0_peak(takes: WarpedTakes) -> Value:
    """Return how far the melodies are apart in the worst window of LOCAL_S, in semitones (mean)."""
    pairs = _intervals(takes, smoothed=True)
    if isinstance(pairs, Missing):
        return pairs
    return _worst(takes, pairs.rows, np.abs(pairs.semitones))


def gross_pitch_error(takes: WarpedTakes) -> Value:
    """
    Return the share of pairs whose F0 differs by more than 20 % from the median ratio, 0 to 1; of
    the raw track, so that an octave jump counts.
    """
    pairs = _intervals(takes, smoothed=False)
    if isinstance(pairs, Missing):
        return pairs
    return float(np.mean(np.abs(2.0 ** (pairs.semitones / OCTAVE) - 1.0) > GROSS))


def voicing_error(takes: WarpedTakes) -> Value:
    """Return the share of pairs of which one is voiced and the other is not, 0 to 1."""
    voiced = takes.reference.f0_hz[takes.rows] > 0.0, takes.candidate.f0_hz[takes.columns] > 0.0
    return float(np.mean(voiced[0] != voiced[1]))


def rate_error(takes: WarpedTakes) -> Value:
    """
    Return by how many percent the audio is played too fast: tempo and spectrum are moved by the
    same factor, to within AGREEING, of which this is the smaller. 0.0 where they are not.

    Pitch would move too, but takes of one voice differ more in it than rates do.
    """
    spectral = _best_shift(_shift_errors(takes).mean(axis=1, keepdims=True))[0]
    shifts = np.array([_tempo(takes), spectral])
    sizes = np.abs(shifts)
    if shifts.prod() <= 0.0 or sizes.max() > AGREEING * sizes.min():
        return 0.0
    return float(100.0 * np.expm1(shifts[sizes.argmin()]))


def wow(takes: WarpedTakes) -> Value:
    """
    Return by how many percent the spectrum wavers up and down: the RMS of its shift in windows of
    WAVER_S, without the median.
    """
    width = round(WAVER_S / takes.hop_s)
    if len(takes.reference.times_s) < 2 * width:
        return Missing(f"less than {2 * WAVER_S} s of speech do not waver")
    count, window = len(takes.reference.times_s), np.ones(width)
    errors = [
        np.convolve(np.bincount(takes.rows, each, count), window, "valid")
        for each in _shift_errors(takes)
    ]
    shifts = _best_shift(np.array(errors))
    return float(100.0 * np.sqrt(np.mean((shifts - np.median(shifts)) ** 2)))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Intervals:
    """Semitones from reference to candidate without their median, by frame of the reference."""

    rows: Places
    semitones: Series


def _intervals(takes: WarpedTakes, *, smoothed: bool) -> _Intervals | Missing:
    first, second = (
        (take.smoothed_hz if smoothed else take.f0_hz)[at]
        for take, at in ((takes.reference, takes.rows), (takes.candidate, takes.columns))
    )
    both = (first > 0.0) & (second > 0.0)
    if both.sum() < LEAST_VOICED:
        return Missing(
            f"only {both.sum()} pairs of frames are voiced in both; {LEAST_VOICED} are needed"
        )
    semitones = OCTAVE * np.log2(second[both] / first[both])
    return _Intervals(rows=takes.rows[both], semitones=semitones - np.median(semitones))


def _worst(takes: WarpedTakes, rows: Places, values: Series) -> Value:
    """Return the largest mean of the values in a window of LOCAL_S of the reference."""
    count = len(takes.reference.times_s)
    width = min(max(round(LOCAL_S / takes.hop_s), 1), count)
    window = np.ones(width)
    totals = np.convolve(np.bincount(rows, values, count), window, "valid")
    numbers = np.bincount(rows, minlength=count)
    covered = np.convolve(numbers > 0, window, "valid") >= LEAST_COVERED * width
    if not covered.any():
        return Missing(f"no {LOCAL_S} s on end can be compared")
    return float((totals[covered] / np.convolve(numbers, window, "valid")[covered]).max())


def _tempo(takes: WarpedTakes) -> float:
    """Return the logarithm of the factor by which the candidate is faster: the path's slope."""
    seconds = takes.candidate.times_s[takes.columns], takes.reference.times_s[takes.rows]
    by = [np.polyfit(*seconds, 1)[0], 1.0 / max(np.polyfit(*seconds[::-1], 1)[0], 1e-3)]
    return float(np.log(np.maximum(by, 1e-3)).mean())


def _best_shift(errors: Series) -> Series:
    """
    Return the shift of the least error, as a logarithm: the candidate's envelopes, moved down by
    it, fit best. By a parabola through three of `errors`, shape [shifts, n].
    """
    at = np.clip(errors.argmin(axis=0), 1, 2 * FARTHEST - 1)
    left, middle, right = (errors[at + by, np.arange(errors.shape[1])] for by in (-1, 0, 1))
    by = 0.5 * (left - right) / np.maximum(left - 2.0 * middle + right, 1e-12)
    return np.asarray((at - FARTHEST + np.clip(by, -1.0, 1.0)) * SHIFT)


def _shift_errors(takes: WarpedTakes) -> Series:
    """
    Return the mean square difference of the envelopes of each pair, the candidate's moved by
    -FARTHEST to FARTHEST steps; shape [shifts, k].
    """
    rate_hz = HOP / takes.hop_s
    angle = 2.0 * np.pi * LOWEST_HZ * np.exp(SHIFT * np.arange(STEPS)) / rate_hz
    angle = angle[angle < np.pi]
    alpha = PARAMETERS[round(rate_hz)][1]
    mel = angle + 2.0 * np.arctan(alpha * np.sin(angle) / (1.0 - alpha * np.cos(angle)))
    cosines = np.cos(np.outer(np.arange(1, takes.reference.cepstra.shape[1] + 1), mel))
    first, second = takes.reference.cepstra[takes.rows], takes.candidate.cepstra[takes.columns]
    inner, whole = first @ cosines[:, FARTHEST:-FARTHEST], second @ cosines
    return np.array(
        [
            np.mean((inner - whole[:, start : start + inner.shape[1]]) ** 2, axis=1)
            for start in range(2 * FARTHEST + 1)
        ]
    )


def warped(inputs: MetricInput) -> WarpedTakes | Missing:
    """Return the two takes along the path; computed once for each pair."""
    assert inputs.reference is not None, "the scorer gives another take to metrics that need one"
    return inputs.audio.once(_WarpedTo(inputs.reference))


@dataclass(frozen=True, slots=True)
class _WarpedTo:
    """The feature "warped to this take" of a candidate, under which a recording caches it."""

    reference: Recording

    def __call__(self, candidate: Recording) -> WarpedTakes | Missing:
        first, second = self.reference.once(speech_of), candidate.once(speech_of)
        if isinstance(first, Missing):
            return Missing(f"the other take: {first.reason}", first.kind)
        if isinstance(second, Missing):
            return second
        rates_hz = tuple(min(each.rate_hz, RATE_HZ) for each in (self.reference, candidate))
        if rates_hz[0] != rates_hz[1]:
            return Missing(f"sample rates differ: {rates_hz[1]} Hz against {rates_hz[0]} Hz")
        lengths_s = [float(np.ptp(take.times_s)) for take in (first, second)]
        if max(lengths_s) > MOST_LONGER * min(lengths_s):
            return Missing(
                f"the speech lasts {lengths_s[1]:.2f} s and in the other take {lengths_s[0]:.2f} s",
                MissingKind.DURATIONS_DIFFER,
            )
        return _along_the_path(first, second, hop_s(rates_hz[1]))


def _along_the_path(first: Speech, second: Speech, step_s: float) -> WarpedTakes | Missing:
    longest = max(len(first.times_s), len(second.times_s))
    slack_s = min(max(SLACK * longest * step_s, SLACK_S[0]), SLACK_S[1])
    rows, columns = warp(_path_features(first), _path_features(second), round(slack_s / step_s))
    quiet = -activity.AUDIBLE_DB
    audible = (first.level_db[rows] > quiet) & (second.level_db[columns] > quiet)
    if not audible.any():
        return Missing("no frame is audible in both")
    rows, columns = rows[audible], columns[audible]
    apart = np.linalg.norm(first.cepstra[rows] - second.cepstra[columns], axis=1)
    return WarpedTakes(
        reference=first,
        candidate=second,
        rows=rows,
        columns=columns,
        distance_db=DB_PER_NEPER * apart,
        hop_s=step_s,
    )


def _path_features(take: Speech) -> Series:
    nepers = take.level_db * np.log(10.0) / 20.0
    return np.column_stack([take.cepstra, LEVEL_WEIGHT * nepers])


def speech_of(recording: Recording) -> Speech | Missing:
    """Return what the path and the distances are computed from; for `recording.once`."""
    fault = check_valid(recording)
    if fault is not None:
        return fault
    spoken, track = recording.once(activity.segments), recording.once(pitch.track)
    if isinstance(spoken, Missing):
        return spoken
    if isinstance(track, Missing):
        return track
    rate_hz = min(RATE_HZ, recording.rate_hz)
    cepstra, levels = _cepstra(recording, rate_hz, spoken), recording.once(activity.levels)
    if isinstance(cepstra, Missing):
        return cepstra
    if len(cepstra) < SHORTEST:
        return Missing(f"{spoken.speech_s:.2f} s of speech are too short to compare")
    loud_db = recording.once(activity.loud_level)
    assert isinstance(levels, np.ndarray) and isinstance(loud_db, float), "there are segments"
    times_s: Series = spoken.start_s + np.arange(len(cepstra), dtype=np.float64) * hop_s(rate_hz)
    at = np.minimum(np.rint(times_s / pitch.HOP_S).astype(np.intp), len(track.f0_hz) - 1)
    frames = np.minimum((times_s / activity.FRAME_S).astype(np.intp), len(levels) - 1)
    return Speech(
        cepstra=cepstra,
        level_db=np.maximum(levels[frames] - loud_db, -activity.AUDIBLE_DB),
        f0_hz=track.f0_hz[at],
        smoothed_hz=track.smoothed[at],
        times_s=times_s,
    )


def _cepstra(recording: Recording, rate_hz: int, spoken: activity.Activity) -> Series | Missing:
    """
    Return mel-cepstra of windows whose middles stand every hop from the first sound on, so that
    silence before it does not move them against the voice: 4 ms alone are worth 2 dB.
    """
    samples = np.pad(recording.at(rate_hz) - recording.samples.mean(), WIDTH // 2)
    start, end = (round(second * rate_hz) for second in (spoken.start_s, spoken.end_s))
    return mel_cepstra(Recording(samples[start : end + WIDTH], rate_hz))


def _of_takes(compute: Callable[[WarpedTakes], Value]) -> Callable[[MetricInput], Value]:
    """Return the metric's function of its inputs."""

    def score(inputs: MetricInput) -> Value:
        takes = warped(inputs)
        return takes if isinstance(takes, Missing) else compute(takes)

    return score


def _metric(
    name: str, unit: str, better: Better, compute: Callable[[WarpedTakes], Value]
) -> AudioMetric:
    return AudioMetric(
        metric=Metric(name=name, unit=unit, better=better, version="1"),
        score=_of_takes(compute),
        need=Need.TAKE,
        package=pitch.PACKAGE,
    )


METRICS: tuple[AudioMetric, ...] = (
    _metric("mcd_dtw", "dB", "lower", mcd_dtw),
    _metric("mcd_peak", "dB", "lower", mcd_peak),
    _metric("f0_rmse_dtw", "semitones", "lower", f0_rmse_dtw),
    _metric("f0_peak", "semitones", "lower", f0_peak),
    _metric("gross_pitch_error", "1", "lower", gross_pitch_error),
    _metric("voicing_error", "1", "lower", voicing_error),
    _metric("rate_error", "%", "neither", rate_error),
    _metric("wow", "%", "lower", wow),
)
