"""Faults with their times: the metrics' detectors, asked."""

import numpy as np
import pytest

from tests.harness.metrics.speech import RATE_HZ, speech
from voxgate.harness.report.listening.differences import FaultMark, Marks, marks
from voxgate.harness.runner.recordings import KeptAudio
from voxgate.harness.selftest.fault_effects import SpokenUtterance, dropout, middle_of, repeat


def marked(frames: np.ndarray) -> Marks:
    return marks(KeptAudio(frames=frames.astype(np.float32), rate_hz=RATE_HZ))


def test_planted_clicks_are_marked_within_five_milliseconds() -> None:
    heard = speech()
    heard[[8_000, 24_000]] += 0.8

    found = marked(heard)

    assert [mark.kind for mark in found.found] == ["click", "click"]
    assert [mark.time_s for mark in found.found] == pytest.approx([0.5, 1.5], abs=0.005)


def test_a_hole_is_marked_where_it_begins() -> None:
    planted = SpokenUtterance(audio=speech().astype(np.float32), rate_hz=RATE_HZ)
    begins_s = middle_of(planted.audio) / RATE_HZ - 0.03

    (found,) = marked(dropout(0.06)(planted)).found

    assert (found.kind, found.time_s) == ("dropout", pytest.approx(begins_s, abs=0.005))


def test_a_repetition_is_marked_where_it_begins() -> None:
    planted = SpokenUtterance(audio=speech().astype(np.float32), rate_hz=RATE_HZ)
    begins_s = middle_of(planted.audio) / RATE_HZ

    (found,) = marked(repeat(0.3)(planted)).found

    assert (found.kind, found.time_s) == ("repeat", pytest.approx(begins_s, abs=0.05))


def test_clean_speech_has_no_marks() -> None:
    assert marked(speech()) == Marks(found=(), missing="")


def test_what_cannot_be_searched_says_why() -> None:
    found = marked(speech()[8_000:8_100])

    assert found == Marks(missing="no clicks looked for: 0.006 s is too short to look for clicks")


def test_kinds_that_cannot_be_searched_for_the_same_reason_are_named_together() -> None:
    assert marked(np.zeros(RATE_HZ)) == Marks(
        missing="no dropouts or repeats looked for: the audio is silent"
    )


def test_marks_come_in_order_of_time(monkeypatch: pytest.MonkeyPatch) -> None:
    late, early = (lambda recording: (0.5,)), (lambda recording: (0.25, 0.75))
    monkeypatch.setattr(
        "voxgate.harness.report.listening.differences.DETECTORS", (("late", late), ("early", early))
    )

    assert marked(speech()).found == (
        FaultMark(time_s=0.25, kind="early"),
        FaultMark(time_s=0.5, kind="late"),
        FaultMark(time_s=0.75, kind="early"),
    )
