"""
Self-similarity: the correlation of narrow-band spectra of two stretches of speech over time.

A stretch that is played twice, or copied from another recording, keeps its pattern of harmonics
through another level, a codec or a little noise. The same syllable spoken again does not, because
its pitch is never the same to the hertz: measured on mel bands, natural speech has stretches as
alike as 0.99, on these bins none beyond 0.98. Speech that was spoken anew is another performance
and not detected here.
"""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from voxgate.harness.audio.recording import Recording

Rows = NDArray[np.float64]
Places = NDArray[np.intp]

# the lowest rate there is, so that the pattern of one recording is the same at any rate
RATE_HZ = 8_000
# 5 ms: copies that lie 5 ms beside each other are alike no more; 32 ms: harmonics stand apart
HOP, WIDTH = 40, 256
HOP_S = HOP / RATE_HZ
LOWEST_HZ, HIGHEST_HZ = 100, 3_800
RANGE_DB = 50.0  # below the loudest; softer bins are as good as silent
CHANGE = 10  # rows: 50 ms before and after
# RMS over bins and time; a stretch that changes less is silence or one long sound, and like any
# other
LEAST_CHANGE_DB = 4.0


@dataclass(frozen=True, slots=True)
class SelfSimilarity:
    """
    A recording's spectra, one row every HOP_S from 0 s.

    `levels_db`, shape [rows, bins], between -RANGE_DB and 0 at the loudest; the others, shape
    [rows]: `change` is the mean square by which the spectrum changes within 0.1 s around the
    row, `means` and `squares` are those of the row itself, which every comparison needs anew.
    """

    levels_db: Rows
    change: Rows
    means: Rows
    squares: Rows


def pattern(recording: Recording) -> SelfSimilarity:
    """Compute the spectra of a playable recording; for `recording.once`."""
    padded = np.pad(recording.at(RATE_HZ), WIDTH // 2)
    spectra = np.fft.rfft(sliding_window_view(padded, WIDTH)[::HOP] * np.hanning(WIDTH + 1)[:-1])
    power = (
        np.abs(spectra[:, LOWEST_HZ * WIDTH // RATE_HZ : HIGHEST_HZ * WIDTH // RATE_HZ + 1]) ** 2
    )
    loudest = max(float(power.max(initial=0.0)), 1e-30)
    levels_db = np.maximum(10.0 * np.log10(np.maximum(power / loudest, 1e-12)), -RANGE_DB)
    change = np.zeros(len(levels_db))
    if len(levels_db) > 2 * CHANGE:
        change[CHANGE:-CHANGE] = (
            np.mean((levels_db[2 * CHANGE :] - levels_db[: -2 * CHANGE]) ** 2, axis=1) / 2.0
        )
    return SelfSimilarity(levels_db, change, levels_db.mean(axis=1), np.mean(levels_db**2, axis=1))


def correlations(left: SelfSimilarity, right: SelfSimilarity, rows: int) -> Rows:
    """
    Correlate `rows` successive rows of two patterns, from each pair of rows on.

    Pearson's correlation over time and bins, which gain does not change, shape [shorter - rows
    + 1]; 0.0 where either hardly changes.
    """
    first = np.arange(max(min(len(left.levels_db), len(right.levels_db)) - rows + 1, 0))
    return stretches(left, right, first, first + rows) if first.size else np.zeros(0)


def stretches(left: SelfSimilarity, right: SelfSimilarity, first: Places, last: Places) -> Rows:
    """
    Correlate stretches of any length: from each row `first` to before the row `last`.

    Each stretch has at least one row.
    """
    count, bins = min(len(left.levels_db), len(right.levels_db)), left.levels_db.shape[1]
    products = np.einsum("rb,rb->r", left.levels_db[:count], right.levels_db[:count]) / bins
    sums = (left.means, left.squares, left.change, right.means, right.squares, right.change)
    rows = [values[:count] for values in sums]
    total = np.zeros((1 + len(rows), count + 1))
    np.cumsum([products, *rows], axis=1, out=total[:, 1:])
    product, mean_a, square_a, change_a, mean_b, square_b, change_b = (
        total[:, last] - total[:, first]
    ) / (last - first)
    lively = np.minimum(change_a, change_b) > LEAST_CHANGE_DB**2
    spread = np.sqrt(np.maximum(square_a - mean_a**2, 1.0) * np.maximum(square_b - mean_b**2, 1.0))
    return np.where(lively, (product - mean_a * mean_b) / spread, 0.0)


def part(whole: SelfSimilarity, first: int, last: int, step: int = 1) -> SelfSimilarity:
    """Return rows `first` to `last`, without `last`; with `step` 2 every other one."""
    rows = slice(first, last, step)
    return SelfSimilarity(
        whole.levels_db[rows], whole.change[rows], whole.means[rows], whole.squares[rows]
    )
