"""Duration, peak and clipping of one recording."""

import numpy as np
import pytest

from harness.measurement import Missing
from harness.metrics.intrinsic import clipped_share, duration_s, peak


def test_duration_is_frames_over_rate():
    assert duration_s(np.zeros(24_000), 16_000) == 1.5


def test_peak_is_the_largest_absolute_frame():
    assert peak(np.array([0.1, -0.75, 0.5])) == 0.75


def test_clipped_share_counts_frames_at_full_scale():
    assert clipped_share(np.array([1.0, -1.0, 0.5, 1.2])) == 0.75


@pytest.mark.parametrize("heard", [np.zeros(0), np.array([0.0, np.nan]), np.array([np.inf])])
def test_unplayable_audio_is_missing(heard: np.ndarray):
    assert isinstance(duration_s(heard, 16_000), Missing)
    assert isinstance(peak(heard), Missing)
    assert isinstance(clipped_share(heard), Missing)
