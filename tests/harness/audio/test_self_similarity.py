"""How alike stretches are, against numpy's own correlation, row by row."""

import numpy as np
import pytest

from tests.harness.metrics.speech import RATE_HZ, speech, with_noise
from voxgate.harness.audio.recording import Recording
from voxgate.harness.audio.self_similarity import (
    SelfSimilarity,
    correlations,
    part,
    pattern,
    stretches,
)

ROWS = 40


@pytest.fixture(scope="module")
def patterns() -> tuple[SelfSimilarity, SelfSimilarity]:
    return pattern(Recording(speech(), RATE_HZ)), pattern(
        Recording(with_noise(speech(), 10.0), RATE_HZ)
    )


def correlation(one: SelfSimilarity, other: SelfSimilarity, first: int, last: int) -> float:
    return float(
        np.corrcoef(one.levels_db[first:last].ravel(), other.levels_db[first:last].ravel())[0, 1]
    )


def test_each_stretch_is_correlated_over_time_and_bins(
    patterns: tuple[SelfSimilarity, SelfSimilarity],
) -> None:
    found = correlations(*patterns, ROWS)
    lively = np.flatnonzero(found)
    assert len(found) == len(patterns[0].levels_db) - ROWS + 1
    assert len(lively) > 100
    assert found[lively] == pytest.approx(
        [correlation(*patterns, at, at + ROWS) for at in lively], abs=1e-9
    )


def test_stretches_of_any_length_are_the_same_sums(
    patterns: tuple[SelfSimilarity, SelfSimilarity],
) -> None:
    first, last = np.array([60, 60, 61]), np.array([61, 200, 150])
    expected = [correlation(*patterns, *ends) for ends in zip(first, last, strict=True)]
    assert stretches(*patterns, first, last) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("step", [1, 2])
def test_a_part_is_the_pattern_of_its_rows(
    patterns: tuple[SelfSimilarity, SelfSimilarity], step: int
) -> None:
    """A copy of a stretch, every row or every other, is exactly as alike as the stretch itself."""
    whole = patterns[0]
    piece = part(whole, 50, 150, step)
    assert np.array_equal(piece.levels_db, whole.levels_db[50:150:step])
    assert piece.means == pytest.approx(piece.levels_db.mean(axis=1))
    assert piece.squares == pytest.approx((piece.levels_db**2).mean(axis=1))
    assert correlations(piece, piece, 20) == pytest.approx(np.ones(len(piece.levels_db) - 19))


def test_what_hardly_changes_is_like_nothing() -> None:
    tone = pattern(Recording(0.3 * np.sin(2 * np.pi * 200 * np.arange(RATE_HZ) / RATE_HZ), RATE_HZ))
    assert not correlations(tone, tone, ROWS)[30:-30].any()
    assert correlations(part(tone, 0, 10), tone, ROWS).shape == (0,)
