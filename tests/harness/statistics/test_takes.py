"""Two samples of takes: against plain loops, and how often one engine differs from itself."""

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from voxgate.harness import statistics
from voxgate.harness.statistics.takes import CHANCE, takes_shift


def drawn(
    rng: np.random.Generator, texts: int, takes: int, between: float = 1.0, within: float = 0.3
) -> list[np.ndarray]:
    return [rng.normal(level, within, takes) for level in between * rng.standard_normal(texts)]


def again(
    rng: np.random.Generator, levels: np.ndarray, takes: int, heavy: bool
) -> list[np.ndarray]:
    noise = (lambda: rng.standard_t(2.1, takes)) if heavy else (lambda: rng.standard_normal(takes))
    return [level + 0.3 * noise() for level in levels]


def test_the_spread_is_students_t_within_the_texts() -> None:
    rng = np.random.default_rng(1)
    before, now = drawn(rng, 3, 5), drawn(rng, 3, 4)
    parts = [
        (math.fsum((b - b.mean()) ** 2) + math.fsum((n - n.mean()) ** 2)) / 7 * (1 / 5 + 1 / 4) / 9
        for b, n in zip(before, now, strict=True)
    ]
    freedom = sum(parts) ** 2 / sum(part**2 / 7 for part in parts)
    expected = scipy_stats.t.ppf(1.0 - CHANCE / 2, freedom) * math.sqrt(sum(parts))
    found = takes_shift(before, now)
    assert found.spread == pytest.approx(expected)
    differences = [n.mean() - b.mean() for b, n in zip(before, now, strict=True)]
    assert found.shift.point == pytest.approx(np.mean(differences))
    weighted = takes_shift(before, now, [1.0, 2.0, 5.0]).shift.point
    assert weighted == pytest.approx(np.average(differences, weights=[1.0, 2.0, 5.0]))


def test_one_take_of_a_side_borrows_the_spread_of_the_other() -> None:
    rng = np.random.default_rng(2)
    before, now = drawn(rng, 6, 1), drawn(rng, 6, 5)
    found = takes_shift(before, now)
    assert 0.0 < found.spread < math.inf
    assert takes_shift(before, drawn(rng, 6, 1)).spread == math.inf
    same = [np.full(3, level) for level in (1.0, 2.0)]
    assert takes_shift(same, same).spread == 0.0, "an engine that repeats itself has none"


def test_the_interval_is_over_texts_and_no_narrower_than_of_their_means() -> None:
    rng = np.random.default_rng(3)
    levels = rng.standard_normal(12)
    before, now = again(rng, levels, 5, False), again(rng, levels + 1.0, 5, False)
    shift = takes_shift(before, now).shift
    means = [n.mean() - b.mean() for b, n in zip(before, now, strict=True)]
    plain = statistics.paired_bootstrap(means)
    assert shift.low is not None and shift.high is not None
    assert plain.low is not None and plain.high is not None
    assert shift.low <= plain.low + 0.02 and shift.high >= plain.high - 0.02
    assert shift.low > 0.0 and takes_shift(before, now, bounded=False).shift.low is None


@pytest.mark.parametrize("heavy", [False, True], ids=["normal", "heavy tails"])
def test_one_engine_hardly_ever_differs_from_itself_by_more(heavy: bool) -> None:
    rng = np.random.default_rng(4)
    beyond = 0
    for _ in range(2000):
        levels = rng.standard_normal(8)
        found = takes_shift(
            again(rng, levels, 5, heavy), again(rng, levels, 5, heavy), bounded=False
        )
        beyond += abs(found.shift.point) > found.spread
    assert beyond <= 1


def test_what_cannot_be_compared_is_said() -> None:
    with pytest.raises(ValueError, match="0 and 0 texts"):
        takes_shift([], [])
    with pytest.raises(ValueError, match="at least one word"):
        takes_shift([np.ones(2)], [np.ones(2)], [0.0])
