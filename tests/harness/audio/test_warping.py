"""
Time warping: equal to the textbook's double loop, and free of charge where one sequence is the
other, stretched.
"""

import numpy as np
import pytest

from voxgate.harness.audio.mel_cepstrum import warp


def textbook(first: np.ndarray, second: np.ndarray, slack: int) -> float:
    """The cheapest sum of distances, cell by cell."""
    low, high = -slack - max(len(first) - len(second), 0), slack + max(len(second) - len(first), 0)
    total = np.full((len(first) + 1, len(second) + 1), np.inf)
    total[0, 0] = 0.0
    for i, each in enumerate(first):
        for j, other in enumerate(second):
            if low <= j - i <= high:
                before = min(total[i, j], total[i + 1, j], total[i, j + 1])
                total[i + 1, j + 1] = np.linalg.norm(each - other) + before
    return float(total[-1, -1])


@pytest.mark.parametrize(
    ("n", "m", "slack"),
    [
        (1, 1, 0),
        (1, 5, 0),
        (6, 1, 2),
        (20, 20, 0),
        (20, 20, 3),
        (20, 20, 40),
        (30, 23, 1),
        (23, 30, 4),
    ],
)
def test_the_path_costs_what_the_textbook_says_and_runs_forward(n: int, m: int, slack: int):
    random = np.random.default_rng(n * m)
    first, second = random.standard_normal((n, 3)), random.standard_normal((m, 3))
    a, b = warp(first, second, slack)
    assert np.linalg.norm(first[a] - second[b], axis=1).sum() == pytest.approx(
        textbook(first, second, slack)
    )
    assert (a[0], b[0], a[-1], b[-1]) == (0, 0, n - 1, m - 1)
    steps = set(zip(np.diff(a).tolist(), np.diff(b).tolist(), strict=True))
    assert steps <= {(0, 1), (1, 0), (1, 1)}


def test_the_same_sequence_is_matched_along_the_diagonal():
    same = np.random.default_rng(0).standard_normal((50, 4))
    a, b = warp(same, same, 10)
    assert a.tolist() == b.tolist() == list(range(50))


def test_silence_is_matched_along_the_diagonal_too():
    a, b = warp(np.zeros((9, 2)), np.zeros((9, 2)), 5)
    assert a.tolist() == b.tolist() == list(range(9))


def test_a_stretched_copy_costs_nothing():
    first = np.random.default_rng(0).standard_normal((40, 4))
    second = np.repeat(first, 2, axis=0)
    a, b = warp(first, second, 3)
    assert np.abs(first[a] - second[b]).max() == 0.0


def test_without_slack_the_diagonal_is_kept():
    random = np.random.default_rng(0)
    a, b = warp(random.standard_normal((12, 2)), random.standard_normal((12, 2)), 0)
    assert a.tolist() == b.tolist() == list(range(12))
