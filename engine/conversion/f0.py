"""
The fundamental frequency of a recording at the mel's frame rate, by several methods.

Frame j is centred on sample j * HOP at 16 kHz, as a mel frame is. `yin` needs no package; the
others are those of SwiftF0 and WORLD. Error and time of each: `tests/studies/f0_methods.py`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft

from voxgate.engine.alphabet import SAMPLE_RATE_HZ
from voxgate.engine.config.conversion import F0Method
from voxgate.engine.errors import EngineError
from voxgate.engine.layers.mel import HOP


@dataclass(frozen=True, slots=True, kw_only=True)
class F0Range:
    """Lowest and highest F0 that is looked for, in Hz."""

    lowest_hz: float
    highest_hz: float

    @property
    def lags(self) -> tuple[int, int]:
        """Shortest and longest period in samples, with the neighbours of a minimum."""
        return int(SAMPLE_RATE_HZ / self.highest_hz) - 1, int(SAMPLE_RATE_HZ / self.lowest_hz) + 2


SPEECH = F0Range(lowest_hz=60.0, highest_hz=550.0)
"""Children included."""
SINGING = F0Range(lowest_hz=50.0, highest_hz=1100.0)
"""As RVC looks for it."""
PACKAGES: Mapping[F0Method, tuple[str, str]] = MappingProxyType(
    {
        F0Method.SWIFT: ("swift_f0", "swift-f0"),
        F0Method.DIO: ("pyworld", "pyworld-prebuilt"),
        F0Method.HARVEST: ("pyworld", "pyworld-prebuilt"),
    }
)
"""Module and package that a method needs."""
SWIFT_VOICED = 0.5
"""Confidence from which SwiftF0 calls a frame voiced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class F0Track:
    """F0 of every frame, float32 (F,); 0 where there is none."""

    hz: np.ndarray

    @property
    def voiced(self) -> np.ndarray:
        """Whether a frame has a pitch, bool (F,)."""
        return np.asarray(self.hz > 0.0)

    @property
    def log(self) -> np.ndarray:
        """Natural logarithm of F0, float32 (F,); 0 where there is none."""
        return np.log(np.where(self.voiced, self.hz, 1.0)).astype(np.float32)

    def median_hz(self, otherwise: float = 0.0) -> float:
        """Return the median of the voiced frames; `otherwise` without any."""
        return float(np.median(self.hz[self.voiced])) if self.voiced.any() else otherwise


def check_f0_method(method: F0Method) -> None:
    """Raise EngineError for a method whose package is not installed."""
    if method in PACKAGES:
        _module(method)


def estimate_f0(
    audio: np.ndarray, method: F0Method = F0Method.YIN, within: F0Range = SPEECH
) -> F0Track:
    """
    Estimate F0.

    Args:
        audio: float32 (T,) at 16 kHz.
        method: the estimator.
        within: the frequencies that are looked for.

    Returns: T // HOP + 1 frames.
    """
    frames = audio.size // HOP + 1
    hz = np.nan_to_num(_METHODS[method](audio, within)[:frames])
    in_range = (hz >= within.lowest_hz) & (hz <= within.highest_hz)
    padded = np.zeros(frames, np.float32)
    padded[: hz.size] = np.where(in_range, hz, 0.0)
    return F0Track(hz=padded)


def _module(method: F0Method) -> Any:
    """Import the package of a method. Raises EngineError where it is not installed."""
    module, package = PACKAGES[method]
    try:
        return __import__(module)
    except ImportError as error:
        raise EngineError(
            f"f0_method {method} needs the package {package} ({error}); pip install "
            "'voxgate[conversion]', or use f0_method=yin"
        ) from None


@cache
def _swift_detector() -> Any:
    # it sleeps between calls: spinning threads would take the content encoder's processors
    return _module(F0Method.SWIFT).SwiftF0(threads=1, spin=False)


def _swift(audio: np.ndarray, within: F0Range) -> np.ndarray:
    found = _swift_detector().detect(
        audio, SAMPLE_RATE_HZ, fmin=within.lowest_hz, fmax=within.highest_hz
    )
    return np.where(found.confidence >= SWIFT_VOICED, found.pitch_hz, 0.0)


def _dio(audio: np.ndarray, within: F0Range) -> np.ndarray:
    world, samples = _module(F0Method.DIO), audio.astype(np.float64)
    rough, at_s = world.dio(
        samples,
        SAMPLE_RATE_HZ,
        f0_floor=within.lowest_hz,
        f0_ceil=within.highest_hz,
        frame_period=1000.0 * HOP / SAMPLE_RATE_HZ,
    )
    refined: np.ndarray = world.stonemask(samples, rough, at_s, SAMPLE_RATE_HZ)
    return refined


def _harvest(audio: np.ndarray, within: F0Range) -> np.ndarray:
    hz, _ = _module(F0Method.HARVEST).harvest(
        audio.astype(np.float64),
        SAMPLE_RATE_HZ,
        f0_floor=within.lowest_hz,
        f0_ceil=within.highest_hz,
        frame_period=1000.0 * HOP / SAMPLE_RATE_HZ,
    )
    found: np.ndarray = hz
    return found


YIN_WINDOW = 512
"""Samples that are compared with those one lag later: 32 ms, two periods of the lowest F0."""
CANDIDATES = 6
"""Of each frame."""
VOICED_BELOW = 0.56
"""
Aperiodicity at which a frame is as well unvoiced as voiced; people are less periodic than flite.
"""
LAG_COST = 0.12
"""For the longest lag against the shortest: of a period and its multiples the period is taken."""
JUMP_COST = 1.5
"""Per octave between neighbouring frames."""
SWITCH_COST = 0.12
"""Between voiced and unvoiced."""
QUIET_DB = -45.0
"""Below the loudest frame; what is quieter has no pitch."""
BLOCK_FRAMES = 512
"""Frames whose lags are computed at a time: 12 MB."""


def _yin(audio: np.ndarray, within: F0Range) -> np.ndarray:
    """Track the candidates of YIN through time by the path of least cost."""
    frames = audio.size // HOP + 1
    length = YIN_WINDOW + within.lags[1]
    padded = np.pad(audio, (length // 2, length + HOP))
    starts = np.lib.stride_tricks.sliding_window_view(padded, length)[: frames * HOP : HOP]
    parts = [
        _candidates(starts[first : first + BLOCK_FRAMES], within.lags)
        for first in range(0, frames, BLOCK_FRAMES)
    ]
    lags, costs, energy = (np.concatenate(each) for each in zip(*parts, strict=True))
    costs[energy <= energy.max() * 10.0 ** (QUIET_DB / 10.0)] = np.inf
    return _path(lags, costs)


def _candidates(
    windows: np.ndarray, lags: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """
    Return the lags (N, CANDIDATES) in samples and their costs, inf where there are fewer, and the
    energy (N,), of windows (N, YIN_WINDOW + longest lag).
    """
    shortest, longest = lags
    normalised, energy = _normalised_difference(windows.astype(np.float32), longest)
    inner = normalised[:, shortest : longest + 1]
    left, middle, right = inner[:, :-2], inner[:, 1:-1], inner[:, 2:]
    curve = np.maximum(left + right - 2.0 * middle, 1e-9)
    offset = np.clip(0.5 * (left - right) / curve, -0.5, 0.5)
    depth = middle - 0.25 * (left - right) * offset
    is_low = (middle <= left) & (middle < right)
    lag = np.arange(shortest + 1, longest) + offset
    cost = depth + LAG_COST * np.log(lag / shortest) / np.log(longest / shortest)
    cost = np.where(is_low, cost, np.inf)
    best = np.argpartition(cost, CANDIDATES, axis=1)[:, :CANDIDATES]
    return np.take_along_axis(lag, best, 1), np.take_along_axis(cost, best, 1), energy


def _normalised_difference(windows: np.ndarray, longest_lag: int) -> tuple[np.ndarray, np.ndarray]:
    """
    Return the cumulative mean normalised difference (N, longest_lag + 1) of YIN, and the energy
    (N,).
    """
    windows = windows - windows.mean(axis=1, keepdims=True)
    size = next_fast_len(windows.shape[1] + YIN_WINDOW, real=True)
    whole, head = rfft(windows, size), rfft(windows[:, :YIN_WINDOW], size)
    product = irfft(whole * head.conj(), size)[:, : longest_lag + 1]
    squares = np.square(windows, dtype=np.float64)
    sums = np.concatenate((np.zeros((len(squares), 1)), squares.cumsum(axis=1)), axis=1)
    energies = sums[:, YIN_WINDOW:] - sums[:, :-YIN_WINDOW]  # of the window at every lag
    difference = np.maximum(energies[:, :1] + energies - 2.0 * product, 0.0)
    count = np.arange(1, longest_lag + 1)
    mean = difference[:, 1:].cumsum(axis=1) / count
    normalised = np.ones_like(difference)
    normalised[:, 1:] = difference[:, 1:] / np.maximum(mean, 1e-12)
    return normalised, sums[:, -1]


def _path(lags: np.ndarray, costs: np.ndarray) -> np.ndarray:
    """
    Return F0 (N,) along the path of least cost through the candidates (Viterbi); state 0 is
    unvoiced.
    """
    octaves = np.log2(lags)
    local = np.concatenate((np.full((len(costs), 1), VOICED_BELOW), costs), axis=1)
    states = local.shape[1]
    moves = np.full((max(0, len(lags) - 1), states, states), SWITCH_COST)
    moves[:, 0, 0] = 0.0
    moves[:, 1:, 1:] = JUMP_COST * np.abs(octaves[:-1, :, None] - octaves[1:, None, :])
    total, came_from = local[0], np.zeros((len(lags), states), np.int64)
    for index, move in enumerate(moves, start=1):
        reached = total[:, None] + move
        came_from[index] = reached.argmin(axis=0)
        total = reached.min(axis=0) + local[index]
    state, hz = int(total.argmin()), np.zeros(len(lags))
    for index in range(len(lags) - 1, -1, -1):
        if state:
            hz[index] = SAMPLE_RATE_HZ / lags[index, state - 1]
        state = int(came_from[index, state])
    return hz


_METHODS: Mapping[F0Method, Callable[[np.ndarray, F0Range], np.ndarray]] = MappingProxyType(
    {
        F0Method.YIN: _yin,
        F0Method.SWIFT: _swift,
        F0Method.DIO: _dio,
        F0Method.HARVEST: _harvest,
    }
)
