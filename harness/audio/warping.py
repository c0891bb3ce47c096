"""
Dynamic time warping: which frame of one sequence goes with which of another, both running forward only.

Sakoe and Chiba 1978, steps (1, 1), (1, 0), (0, 1) of equal weight, within a band about the diagonal, since the recordings
to be compared share their durations. A whole anti-diagonal is worked out at once. Knows vectors, not sound.
"""

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float64]
Indices = NDArray[np.intp]

STEPS = ((1, 1), (0, 1), (1, 0))  # what a step adds to the frame of the first and of the second; the first one wins a tie


def warp(first: Vectors, second: Vectors, slack: int) -> tuple[Indices, Indices]:
    """
    Find the path of least summed Euclidean distance from both beginnings to both ends.

    `first` [n, d], `second` [m, d], neither empty. Gives the frames of each along the path, equally long. The path may stray
    `slack` frames from the diagonal, and by the difference of n and m more.
    """
    low = -slack - max(len(first) - len(second), 0)
    high = slack + max(len(second) - len(first), 0)
    return _traced(_moves(_costs(first, second, low, high), low), len(first), len(second), low)


def _costs(first: Vectors, second: Vectors, low: int, high: int) -> Vectors:
    """Distance of first[i] and second[j] in row i + j, column j - i - low; infinity elsewhere."""
    costs = np.full((len(first) + len(second) - 1, high - low + 1), np.inf)
    for offset in range(low, high + 1):
        begin, end = max(-offset, 0), min(len(first), len(second) - offset)
        if begin < end:
            apart = np.linalg.norm(first[begin:end] - second[begin + offset : end + offset], axis=1)
            costs[2 * begin + offset : 2 * end + offset - 1 : 2, offset - low] = apart
    return costs


def _moves(costs: Vectors, low: int) -> NDArray[np.int8]:
    """Which of STEPS leads best to each cell of `costs`; rows hold the columns of their parity, close together."""
    rows, width = costs.shape
    moves = np.zeros((rows, width // 2 + 1), dtype=np.int8)
    best = np.full(width + 2, np.inf)  # cost of the last cell on each diagonal, with one more on either side
    best[1 - low] = 0.0
    for row in range(rows):
        at = (row - low) % 2
        ways = np.stack([best[at + 1 : width + 1 : 2], best[at:width:2], best[at + 2 : width + 2 : 2]])
        chosen = ways.argmin(axis=0)
        moves[row, : len(chosen)] = chosen
        best[at + 1 : width + 1 : 2] = ways.min(axis=0) + costs[row, at::2]
    return moves


def _traced(moves: NDArray[np.int8], n: int, m: int, low: int) -> tuple[Indices, Indices]:
    """The path, followed back from the ends."""
    i, j, path = n - 1, m - 1, [(n - 1, m - 1)]
    while i or j:
        by = STEPS[moves[i + j, (j - i - low) // 2]]
        i, j = i - by[0], j - by[1]
        path.append((i, j))
    forward = np.array(path[::-1], dtype=np.intp)
    return forward[:, 0], forward[:, 1]
