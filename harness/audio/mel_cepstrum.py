"""
Mel-cepstra and dynamic time warping: the features of `mcd`.

A mel-cepstrum describes the shape of the spectrum of one frame, on the ear's scale of frequency.
The analysis is that of SPTK's `mcep` (Fukada, Tokuda, Kobayashi and Imai 1992, "An adaptive
algorithm for mel-cepstral analysis of speech"), with the frames and orders that ESPnet uses.
Written out here, since pysptk does not load beside a current setuptools and takes ten times longer,
frame by frame. Largest difference from it in 1761 frames: 0.008 dB of mcd.

A spectrum is modelled as log|H(w)| = sum over m of c[m] cos(m b(w)), where b is the phase of an
all-pass filter, near the mel scale. c minimises the mean over w of exp(R) - R, R = log(periodogram
/ |H|^2): peaks count, valleys between harmonics do not. The criterion is convex, so Newton's method
converges to the one minimum from any start.

Dynamic time warping by Sakoe and Chiba 1978, steps (1, 1), (1, 0), (0, 1) of equal weight, within a
band about the diagonal, since compared recordings share their durations. A whole anti-diagonal is
computed at once. It knows vectors, not sound. The engine's forced alignment has its own
(`engine/duration`): the engine must not know the harness.
"""

import functools
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.ndimage import correlate1d

from voxgate.harness.audio.recording import Recording
from voxgate.harness.records.measurement import Missing

Frames = NDArray[np.float64]
"""Values by STFT frame, shape [frames, ...]."""

WIDTH, HOP = 1024, 256  # ESPnet's, at every rate
FULL_SCALE = 32768.0  # ESPnet reads 16-bit numbers, beside which its EPSILON is silence
EPSILON = 1e-6
# Order and all-pass constant by rate. 16 to 48 kHz as in ESPnet's evaluate_mcd.py, 8 and 32 kHz as
# others add from SPTK's.
PARAMETERS = {
    8_000: (13, 0.31),
    16_000: (23, 0.42),
    22_050: (34, 0.45),
    24_000: (34, 0.46),
    32_000: (36, 0.50),
    44_100: (39, 0.53),
    48_000: (39, 0.55),
}
NEWTON_STEPS = 30  # at most, as in SPTK
# of a coefficient's last step, in nepers; as steps shrink by squares, mcd is then exact to 0.001 dB
TOLERANCE = 3e-3
LONGEST_STEP = 0.5  # neper: keeps sounds that are no speech from overshooting
RIDGE = 1e-3  # and the equations solvable where a spectrum is empty
# bins, 80 Hz at 16 kHz: starting between the peaks and the valleys of the harmonics saves a third
# of the steps
SMOOTHING = 5
BLOCK = 2048  # frames analysed at once


def mel_cepstra(recording: Recording) -> Frames | Missing:
    """
    Compute c[1] to c[order] of each frame, shape [frames, order], without the level c[0].

    For finite audio. A rate that is not in PARAMETERS is resampled to the next lower one that
    is.
    """
    rate_hz = _analysis_rate_hz(recording.rate_hz)
    samples = recording.at(rate_hz)
    if len(samples) < WIDTH:
        return Missing(
            f"{recording.duration_s:.3f} s is too short for a spectrum, which needs "
            f"{WIDTH / rate_hz:.3f} s"
        )
    windows = sliding_window_view(samples, WIDTH)[::HOP]
    blocks = [
        _analysed(windows[at : at + BLOCK], *PARAMETERS[rate_hz])
        for at in range(0, len(windows), BLOCK)
    ]
    return np.concatenate(blocks)[:, 1:]


def frame_levels_db(recording: Recording) -> Frames:
    """
    Return the level of each frame of `mel_cepstra` in dB below the loudest, shape [frames].

    An offset is no level. For recordings that `mel_cepstra` analyses.
    """
    samples = recording.at(_analysis_rate_hz(recording.rate_hz))
    deviation = np.std(sliding_window_view(samples, WIDTH)[::HOP], axis=1)
    loudest = max(float(deviation.max(initial=0.0)), np.finfo(np.float64).tiny)
    return np.asarray(20.0 * np.log10(np.maximum(deviation / loudest, 1e-12)), dtype=np.float64)


def hop_s(rate_hz: int) -> float:
    """Return the seconds from one frame of `mel_cepstra` to the next."""
    return HOP / _analysis_rate_hz(rate_hz)


def _analysis_rate_hz(rate_hz: int) -> int:
    return max((rate for rate in PARAMETERS if rate <= rate_hz), default=min(PARAMETERS))


def _analysed(windows: Frames, order: int, alpha: float) -> Frames:
    """Compute the mel-cepstra c[0] to c[order] of frames of shape [n, WIDTH]."""
    spectra = np.fft.rfft(windows * (FULL_SCALE * np.hamming(WIDTH)))
    return fit_cepstra(spectra.real**2 + spectra.imag**2 + EPSILON, order, alpha)


def fit_cepstra(power: Frames, order: int, alpha: float) -> Frames:
    """
    Fit mel-cepstra, shape [n, order + 1], to periodograms of shape [n, bins] from 0 Hz to half
    the rate.
    """
    model = _model(power.shape[1], order, alpha)
    cepstra = (
        0.5
        * np.log(correlate1d(power, np.full(SMOOTHING, 1.0 / SMOOTHING), axis=1, mode="mirror"))
        @ model.projection
    )
    log_power, moving = np.log(power), np.arange(len(power))
    for _ in range(NEWTON_STEPS):
        step = model.newton_step(log_power[moving], cepstra[moving])
        cepstra[moving] += step
        moving = moving[np.abs(step).max(axis=1) > TOLERANCE]
        if not moving.size:
            break
    return np.asarray(cepstra)


@dataclass(frozen=True, slots=True)
class _Model:
    """Constants that depend only on the number of bins, the order M and alpha."""

    cosines: Frames
    """cos(m b(w)), shape [bins, 2 M + 1]."""
    weighted: Frames
    """The same, times each bin's share of the whole circle: maps a spectrum to its mean over w."""
    projection: Frames
    """
    Shape [bins, M + 1]: the cepstrum of a log spectrum on the warped scale, the start of
    Newton's method.
    """
    target: Frames
    """
    The means of the cosines themselves, (-alpha)^m, shape [2 M + 1], to which the minimum
    matches a spectrum.
    """
    toeplitz: NDArray[np.intp]
    hankel: NDArray[np.intp]

    def newton_step(self, log_power: Frames, cepstra: Frames) -> Frames:
        """Return gradient by Hessian of the criterion, for each frame."""
        count = cepstra.shape[1]
        excess = np.exp(log_power - 2.0 * cepstra @ self.cosines[:, :count].T) @ self.weighted
        bent = excess + RIDGE * self.target
        gradient = excess[:, :count] - self.target[:count]
        step = np.linalg.solve(bent[:, self.toeplitz] + bent[:, self.hankel], gradient[:, :, None])[
            :, :, 0
        ]
        return np.asarray(
            step / np.maximum(np.abs(step).max(axis=1, keepdims=True) / LONGEST_STEP, 1.0)
        )


@functools.cache
def _model(bins: int, order: int, alpha: float) -> _Model:
    angles = np.linspace(0.0, np.pi, bins)
    warped = angles + 2.0 * np.arctan(alpha * np.sin(angles) / (1.0 - alpha * np.cos(angles)))
    slope = (1.0 - alpha**2) / (1.0 + alpha**2 - 2.0 * alpha * np.cos(angles))
    shares = np.full(bins, 1.0 / (bins - 1))
    shares[[0, -1]] /= 2.0
    cosines = np.cos(np.outer(warped, np.arange(2 * order + 1)))
    weighted = cosines * shares[:, None]
    projection = 2.0 * weighted[:, : order + 1] * slope[:, None]
    projection[:, 0] /= 2.0
    index, target = (
        np.arange(order + 1),
        np.power(-alpha, np.arange(2 * order + 1), dtype=np.float64),
    )
    apart, together = np.abs(index[:, None] - index[None, :]), index[:, None] + index[None, :]
    return _Model(cosines, weighted, projection, target, apart, together)


Vectors = NDArray[np.float64]
Indices = NDArray[np.intp]

# frames that a step advances in the first and the second sequence; the first step wins a tie
PATH_STEPS = ((1, 1), (0, 1), (1, 0))


def warp(first: Vectors, second: Vectors, slack: int) -> tuple[Indices, Indices]:
    """
    Find the path of least summed Euclidean distance from both beginnings to both ends.

    `first` [n, d], `second` [m, d], neither empty. Returns the frame indices of each along the
    path, equally long. The path may stray `slack` frames from the diagonal, and by the
    difference of n and m more.
    """
    low = -slack - max(len(first) - len(second), 0)
    high = slack + max(len(second) - len(first), 0)
    return _traced(_moves(_costs(first, second, low, high), low), len(first), len(second), low)


def _costs(first: Vectors, second: Vectors, low: int, high: int) -> Vectors:
    """
    Return the distance of first[i] and second[j] in row i + j, column j - i - low; infinity
    elsewhere.
    """
    costs = np.full((len(first) + len(second) - 1, high - low + 1), np.inf)
    for offset in range(low, high + 1):
        begin, end = max(-offset, 0), min(len(first), len(second) - offset)
        if begin < end:
            apart = np.linalg.norm(first[begin:end] - second[begin + offset : end + offset], axis=1)
            costs[2 * begin + offset : 2 * end + offset - 1 : 2, offset - low] = apart
    return costs


def _moves(costs: Vectors, low: int) -> NDArray[np.int8]:
    """
    Return the index into STEPS of the best step to each cell of `costs`.

    Rows hold the columns of their parity, close together.
    """
    rows, width = costs.shape
    moves = np.zeros((rows, width // 2 + 1), dtype=np.int8)
    # cost of the last cell on each diagonal, with one more on either side
    best = np.full(width + 2, np.inf)
    best[1 - low] = 0.0
    for row in range(rows):
        at = (row - low) % 2
        ways = np.stack(
            [best[at + 1 : width + 1 : 2], best[at:width:2], best[at + 2 : width + 2 : 2]]
        )
        chosen = ways.argmin(axis=0)
        moves[row, : len(chosen)] = chosen
        best[at + 1 : width + 1 : 2] = ways.min(axis=0) + costs[row, at::2]
    return moves


def _traced(moves: NDArray[np.int8], n: int, m: int, low: int) -> tuple[Indices, Indices]:
    """Follow the path back from the ends."""
    i, j, path = n - 1, m - 1, [(n - 1, m - 1)]
    while i or j:
        by = PATH_STEPS[moves[i + j, (j - i - low) // 2]]
        i, j = i - by[0], j - by[1]
        path.append((i, j))
    forward = np.array(path[::-1], dtype=np.intp)
    return forward[:, 0], forward[:, 1]
