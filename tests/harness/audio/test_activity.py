"""Where speech is: silence put into a known place is found there, and what is no silence is not."""

import numpy as np
import pytest

from tests.harness.metrics.speech import RATE_HZ, speech
from tests.harness.metrics.voices import contour, sung
from voxgate.harness.audio.activity import PAUSE_S, Activity, segments
from voxgate.harness.audio.recording import Recording
from voxgate.harness.records.measurement import Missing

FRAME_S = 0.010


def found(frames: np.ndarray, rate_hz: int = RATE_HZ) -> Activity:
    activity = segments(Recording(frames, rate_hz))
    assert isinstance(activity, Activity), activity
    return activity


def silence(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * RATE_HZ))


def test_speech_begins_and_ends_where_it_was_put():
    tone = sung(contour((1.0, 120.0, 120.0)))

    activity = found(np.concatenate([silence(0.5), tone, silence(0.7)]))

    assert activity.start_s == pytest.approx(0.5, abs=2 * FRAME_S)
    assert activity.end_s == pytest.approx(1.5, abs=2 * FRAME_S)
    assert activity.pauses == ()


@pytest.mark.parametrize(
    ("seconds", "pauses"), [(PAUSE_S - 0.05, 0), (PAUSE_S + 0.05, 1), (1.0, 1)]
)
def test_a_silence_inside_is_a_pause_when_it_is_long_enough(seconds: float, pauses: int):
    activity = found(sung(contour((0.6, 120.0, 120.0), (seconds, 0.0, 0.0), (0.6, 120.0, 120.0))))

    assert len(activity.pauses) == pauses
    assert activity.pauses_s == pytest.approx(seconds * pauses, abs=3 * FRAME_S)
    assert activity.speech_s == pytest.approx(1.2 + seconds * (1 - pauses), abs=5 * FRAME_S)


def test_real_speech_keeps_its_places_when_silence_is_put_around_it():
    alone = found(speech())

    padded = found(np.concatenate([silence(1.0), speech(), silence(3.0)]))

    assert padded.start_s == pytest.approx(alone.start_s + 1.0)
    assert padded.end_s == pytest.approx(alone.end_s + 1.0)


def test_a_pause_put_into_real_speech_is_the_only_one():
    alone, middle = found(speech()), int(1.2 * RATE_HZ)

    heard = found(np.concatenate([speech()[:middle], silence(0.5), speech()[middle:]]))

    assert alone.pauses == ()
    assert len(heard.pauses) == 1
    assert heard.pauses[0] == pytest.approx((1.2, 1.7), abs=0.06)


def test_a_click_in_the_silence_is_not_speech():
    heard = np.concatenate([silence(0.5), speech(), silence(1.0)])
    before = found(heard)
    heard[-RATE_HZ // 4] = 0.9

    assert found(heard) == before


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 22_050, 24_000, 44_100, 48_000])
def test_the_rate_moves_nothing(rate_hz: int):
    import soxr

    there, here = found(soxr.resample(speech(), RATE_HZ, rate_hz), rate_hz), found(speech())

    assert (there.start_s, there.end_s) == pytest.approx(
        (here.start_s, here.end_s), abs=3 * FRAME_S
    )


@pytest.mark.parametrize("change", [lambda x: x / 1000.0, lambda x: -x, lambda x: x + 0.2])
def test_level_polarity_and_offset_move_nothing(change):
    assert found(change(speech())) == found(speech())


def test_a_long_silence_does_not_hide_the_speech():
    alone = found(speech())

    heard = found(np.concatenate([silence(60.0), speech()]))

    assert heard.speech_s == pytest.approx(alone.speech_s)


@pytest.mark.parametrize(
    ("frames", "reason"),
    [
        (np.zeros(0), "too short"),
        (np.ones(1), "too short"),
        (np.zeros(RATE_HZ), "silent"),
        (np.full(RATE_HZ, 0.5), "silent"),
        (np.full(RATE_HZ, np.nan), "NaN or infinity"),
        (np.full(RATE_HZ, np.inf), "NaN or infinity"),
        (np.eye(1, RATE_HZ)[0], "no sound of"),
    ],
)
def test_what_holds_no_speech_says_why(frames: np.ndarray, reason: str):
    activity = segments(Recording(frames, RATE_HZ))

    assert isinstance(activity, Missing)
    assert reason in activity.reason
