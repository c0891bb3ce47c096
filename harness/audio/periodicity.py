"""
The periods of a voice: how long each is, and how much it is like the next.

A feature of several metrics, no metric itself. Marks are set half a period apart along the pitch
track, so that it matters little where the first one falls; at each the period is the lag at which
one period of the waveform correlates best with what follows (as Praat's "cross-correlation"
points), looked for within REACH of the track's and interpolated between lags. Stretches are read at
POINTS a period whatever the pitch, so that all are one array.
"""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates, spline_filter1d

from voxgate.harness.audio import pitch
from voxgate.harness.audio.recording import Recording
from voxgate.harness.records.measurement import Missing

Series = NDArray[np.float64]

RATE_HZ = 16_000
POINTS = 64
"""Of a period."""
REACH = 10
"""Points, 16 % of a period: more than jitter, less than another harmonic."""
SHORTEST_S = 0.25
"""Of voice, without which there is nothing to average."""


@dataclass(frozen=True, slots=True, eq=False)
class Periods:
    """
    The period of the voice every half period, in order, all of shape [n]: seconds, its correlation
    with the next one (below 1.0), and the number of the voiced stretch that it is in.
    """

    lengths_s: Series
    correlations: Series
    stretches: NDArray[np.intp]


def periods(recording: Recording) -> Periods | Missing:
    """Locate the periods; Missing for less than SHORTEST_S of voice. For `recording.once`."""
    track = recording.once(pitch.track)
    if isinstance(track, Missing):
        return track
    voiced = track.f0_hz > 0.0
    if voiced.sum() * pitch.HOP_S < SHORTEST_S:
        return Missing(
            f"only {voiced.sum() * pitch.HOP_S:.2f} s of it are voiced; {SHORTEST_S} s are needed"
        )
    times_s, usual_s, stretches = _marks(track)
    samples = spline_filter1d(recording.at(RATE_HZ) - recording.samples.mean(), order=3)
    lengths, correlations = _matched(samples, times_s, usual_s)
    whole = np.isfinite(lengths)
    if not whole.any():
        return Missing("no period of it is whole")
    return Periods(
        lengths_s=(lengths * usual_s)[whole],
        correlations=correlations[whole],
        stretches=stretches[whole],
    )


def _marks(track: pitch.PitchTrack) -> tuple[Series, Series, NDArray[np.intp]]:
    """Return marks half a period apart: times and usual periods in seconds, and their stretch."""
    voiced = track.f0_hz > 0.0
    turns = np.concatenate([[0.0], np.cumsum(track.f0_hz[:-1] * pitch.HOP_S)])
    times_s = np.interp(np.arange(1.0, turns[-1], 0.5), turns, track.times_s)
    frames = np.minimum(np.rint(times_s / pitch.HOP_S).astype(np.intp), len(voiced) - 1)
    begins = np.cumsum(np.diff(voiced, prepend=False) & voiced, dtype=np.intp)
    inside = voiced[frames]
    return times_s[inside], 1.0 / track.f0_hz[frames[inside]], begins[frames[inside]]


def _matched(samples: Series, times_s: Series, usual_s: Series) -> tuple[Series, Series]:
    """
    Return of each mark the period as a share of the usual one, and its correlation; NaN where the
    waveform ends before.
    """
    grid = (np.arange(2 * POINTS + REACH + 1) - POINTS // 2) / POINTS
    places = (times_s[:, None] + usual_s[:, None] * grid) * RATE_HZ
    read = map_coordinates(samples, places[None], order=3, prefilter=False, mode="constant")
    first = read[:, :POINTS]
    later = sliding_window_view(read[:, POINTS - REACH :], POINTS, axis=1)[:, : 2 * REACH + 1]
    first = first - first.mean(axis=1, keepdims=True)
    means = later.mean(axis=2, keepdims=True)
    power = np.sum(first**2, axis=1)[:, None] * np.sum((later - means) ** 2, axis=2)
    products = np.einsum("np,nlp->nl", first, later)
    likeness = products / np.sqrt(np.maximum(power, 1e-30))
    lag, height = _peak(likeness)
    inside = (places[:, 0] >= 0.0) & (places[:, -1] <= len(samples) - 1)
    return np.where(inside, 1.0 + (lag - REACH) / POINTS, np.nan), height


def _peak(rows: Series) -> tuple[Series, Series]:
    """Return place and height of the largest value of each row, by a parabola through three."""
    at = np.clip(rows.argmax(axis=1), 1, rows.shape[1] - 2)
    left, middle, right = (rows[np.arange(len(rows)), at + by] for by in (-1, 0, 1))
    bend = np.minimum(left - 2.0 * middle + right, -1e-12)
    by = np.clip(0.5 * (left - right) / bend, -0.5, 0.5)
    return at + by, np.clip(middle - 0.25 * (left - right) * by, 0.0, 1.0 - 1e-9)
