"""
The pitch track against sounds whose pitch is known, and against an autocorrelation on real speech.
"""

import sys

import numpy as np
import pytest

from tests.harness.metrics.speech import RATE_HZ, speech, with_noise
from tests.harness.metrics.voices import contour, sung
from voxgate.harness.audio import pitch
from voxgate.harness.audio.pitch import HOP_S, PitchTrack, track
from voxgate.harness.audio.recording import Recording
from voxgate.harness.records.measurement import Missing, not_installed

TENTH_OF_A_SEMITONE = 2.0 ** (0.1 / 12.0) - 1.0


def tracked(frames: np.ndarray, rate_hz: int = RATE_HZ) -> PitchTrack:
    found = track(Recording(frames, rate_hz))
    assert isinstance(found, PitchTrack), found
    return found


@pytest.mark.parametrize("f0_hz", [80.0, 120.0, 220.0, 400.0])
@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 22_050, 48_000])
def test_a_steady_voice_has_its_pitch_at_every_rate(f0_hz: float, rate_hz: int):
    found = tracked(sung(contour((0.6, f0_hz, f0_hz)), rate_hz), rate_hz)

    inside = (found.times_s > 0.1) & (found.times_s < 0.5)
    assert found.f0_hz[inside] == pytest.approx(f0_hz, rel=TENTH_OF_A_SEMITONE)


def test_a_ramp_is_followed_frame_by_frame():
    asked = contour((0.3, 120.0, 120.0), (0.35, 120.0, 180.0), (0.3, 180.0, 180.0))
    found = tracked(sung(asked))

    inside = (found.times_s > 0.05) & (found.times_s < 0.90)
    truth = asked[(found.times_s[inside] * RATE_HZ).astype(int)]
    assert found.smoothed[inside] == pytest.approx(truth, rel=2 * TENTH_OF_A_SEMITONE)


def test_frames_are_5_ms_apart_from_0_on():
    found = tracked(speech())

    assert found.times_s == pytest.approx(np.arange(len(found.times_s)) * HOP_S)
    assert found.times_s[-1] == pytest.approx(len(speech()) / RATE_HZ, abs=2 * HOP_S)
    assert len(found.smoothed) == len(found.f0_hz) == len(found.times_s)


def test_noise_has_no_pitch_and_neither_has_what_is_inaudible():
    noise = np.random.default_rng(0).standard_normal(RATE_HZ)
    hum = 0.001 * sung(contour((0.5, 100.0, 100.0)))
    found = tracked(np.concatenate([sung(contour((0.5, 200.0, 200.0))), hum]))

    assert np.mean(tracked(0.1 * noise).smoothed > 0.0) < 0.05
    assert not found.f0_hz[found.times_s > 0.55].any()


def test_real_speech_agrees_with_an_autocorrelation():
    found, frames = tracked(speech()), speech()
    apart = [
        12.0 * np.log2(f0_hz / nearest_peak_hz(frames, time_s, f0_hz))
        for time_s, f0_hz in zip(found.times_s, found.smoothed, strict=True)
        if f0_hz and 0.02 < time_s < len(frames) / RATE_HZ - 0.02
    ]

    assert len(apart) > 200
    assert np.median(np.abs(apart)) < 0.15
    assert np.mean(np.abs(apart) > 1.0) < 0.03


def nearest_peak_hz(frames: np.ndarray, time_s: float, f0_hz: float) -> float:
    """
    Where within five semitones of `f0_hz` 40 ms of the audio are most like themselves, one period
    later.
    """
    centre, half = round(time_s * RATE_HZ), round(0.02 * RATE_HZ)
    here = frames[centre - half : centre + half]
    lags = np.arange(round(RATE_HZ / (f0_hz * 1.33)), round(RATE_HZ / (f0_hz / 1.33)) + 1)
    likeness = [np.corrcoef(here[:-lag], here[lag:])[0, 1] for lag in lags]
    return RATE_HZ / float(lags[int(np.argmax(likeness))])


def test_noise_at_20_db_hardly_moves_the_median():
    clean, noisy = (tracked(frames).smoothed for frames in (speech(), with_noise(speech(), 20.0)))

    assert np.median(noisy[noisy > 0]) == pytest.approx(np.median(clean[clean > 0]), rel=0.02)


@pytest.mark.parametrize("change", [lambda x: x / 100.0, lambda x: x + 0.1])
def test_level_and_offset_play_no_part(change):
    assert tracked(change(speech())).f0_hz == pytest.approx(tracked(speech()).f0_hz, rel=1e-3)


def made(f0_hz: np.ndarray) -> PitchTrack:
    return PitchTrack(times_s=np.arange(len(f0_hz)) * HOP_S, f0_hz=f0_hz)


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_octave_jumps_become_unvoiced(factor: float):
    f0_hz = np.full(200, 150.0)
    f0_hz[90:110] *= factor
    f0_hz[180:] *= factor

    smoothed = made(f0_hz).smoothed

    assert not smoothed[90:110].any()
    assert not smoothed[180:].any()
    assert (smoothed[smoothed > 0] == 150.0).all()


def test_the_rise_of_a_question_is_no_jump():
    rising = 150.0 * 2.0 ** (7.0 / 12.0 * np.clip((np.arange(200) - 130) / 70, 0.0, 1.0))

    assert made(rising).smoothed == pytest.approx(rising, rel=0.01)


def test_a_single_wild_frame_is_smoothed_away():
    f0_hz = np.full(100, 150.0)
    f0_hz[50] = 190.0

    assert (made(f0_hz).smoothed == 150.0).all()


def test_an_unvoiced_track_stays_one():
    assert not made(np.zeros(10)).smoothed.any()


@pytest.mark.parametrize("seconds", [0.0, 1 / RATE_HZ, 0.05])
def test_what_is_too_short_for_a_pitch_says_so(seconds: float):
    found = track(Recording(np.ones(round(seconds * RATE_HZ)), RATE_HZ))

    assert isinstance(found, Missing)


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "swift_f0", None)
    monkeypatch.setattr(pitch, "_detector", pitch._detector.__wrapped__)

    assert track(Recording(speech(), RATE_HZ)) == not_installed(
        "swift-f0", "pip install voxgate[models]"
    )
