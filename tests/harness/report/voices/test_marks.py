"""Faults with their times: the metrics' detectors, asked."""

import numpy as np
import pytest

from harness.report.voices.marks import Marks, marks
from harness.takes import Sound
from tests.harness.metrics.speech import RATE_HZ, speech


def test_planted_clicks_are_marked_within_five_milliseconds() -> None:
    heard = speech()
    heard[[8_000, 24_000]] += 0.8

    found = marks(Sound(frames=heard.astype(np.float32), rate_hz=RATE_HZ))

    assert [mark.kind for mark in found.found] == ["click", "click"]
    assert [mark.time_s for mark in found.found] == pytest.approx([0.5, 1.5], abs=0.005)


def test_clean_speech_has_no_marks() -> None:
    assert marks(Sound(frames=speech().astype(np.float32), rate_hz=RATE_HZ)) == Marks(found=(), missing="")


def test_what_cannot_be_searched_says_why() -> None:
    found = marks(Sound(frames=np.ones(100, dtype=np.float32), rate_hz=RATE_HZ))

    assert found.missing == "no clicks looked for: 0.006 s is too short to look for clicks"
    assert not found.found
