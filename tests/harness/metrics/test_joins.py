"""
Clicks at known joins: a jump at a join is heard, the same speech with joins named at random is not.
"""

import numpy as np
import pytest

from tests.harness.metrics.speech import RATE_HZ, speech
from voxgate.harness.audio.recording import Recording
from voxgate.harness.metrics.clicks import boundary_clicks_per_s, clicks_per_s
from voxgate.harness.metrics.metric import MetricInput
from voxgate.harness.records.measurement import Missing

PAUSE_S = 0.4


def of(frames: np.ndarray, *joins_s: float) -> MetricInput:
    return MetricInput(audio=Recording(frames, RATE_HZ), joins_s=joins_s)


def two_chunks() -> tuple[np.ndarray, float]:
    """Two sentences with soft noise between them, as an engine joins them; and where."""
    pause = 1e-4 * np.random.default_rng(0).standard_normal(round(PAUSE_S * RATE_HZ))
    return np.concatenate([speech(), pause, speech()]), len(speech()) / RATE_HZ + PAUSE_S / 2


def test_a_smooth_join_is_not_heard():
    heard, join_s = two_chunks()
    assert boundary_clicks_per_s(of(heard, join_s)) == 0.0


@pytest.mark.parametrize("step", [0.02, 0.05, 0.1])
def test_a_step_at_a_join_is_heard_long_before_the_blind_detector_hears_it(step: float):
    heard, join_s = two_chunks()
    heard[round(join_s * RATE_HZ) :] += step
    assert boundary_clicks_per_s(of(heard, join_s)) == pytest.approx(RATE_HZ / len(heard))
    assert clicks_per_s(heard, RATE_HZ) == 0.0


def test_only_joins_are_looked_at():
    heard, join_s = two_chunks()
    heard[round(join_s * RATE_HZ)] += 0.2
    assert boundary_clicks_per_s(of(heard, join_s + 0.05)) == 0.0


def test_a_join_may_be_named_some_frames_off():
    heard, join_s = two_chunks()
    heard[round(join_s * RATE_HZ) :] += 0.05
    assert boundary_clicks_per_s(of(heard, join_s - 0.003)) > 0.0


def test_each_join_counts():
    heard, join_s = two_chunks()
    heard[round(join_s * RATE_HZ) :] += 0.05
    assert boundary_clicks_per_s(of(heard, join_s, 1.0, 2.0)) == boundary_clicks_per_s(
        of(heard, join_s)
    )


def test_anywhere_in_plain_speech_a_join_is_not_heard():
    places = np.random.default_rng(0).uniform(0.0, len(speech()) / RATE_HZ, 2000)
    assert boundary_clicks_per_s(of(speech(), *places)) == 0.0


@pytest.mark.parametrize("join_s", [-1.0, 0.0, 100.0])
def test_a_join_outside_the_audio_is_not_heard(join_s: float):
    assert boundary_clicks_per_s(of(speech(), join_s)) == 0.0


def test_without_joins_nothing_is_heard_at_them():
    assert boundary_clicks_per_s(of(speech())) == 0.0


@pytest.mark.parametrize("heard", [np.zeros(0), np.zeros(100), np.array([0.1, np.nan] * 1000)])
def test_what_cannot_be_searched_is_missing(heard: np.ndarray):
    assert isinstance(boundary_clicks_per_s(of(heard, 0.0)), Missing)
