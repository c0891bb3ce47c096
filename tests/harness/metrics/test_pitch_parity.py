"""F0 parity: exact answers on scripted tracks, known intervals on real speech, and the edges."""

from collections.abc import Callable

import numpy as np
import pytest

from tests.harness.metrics.speech import RATE_HZ, held_against, late, speech, with_noise
from voxgate.harness.audio import pitch
from voxgate.harness.audio.recording import Recording
from voxgate.harness.metrics.metric import MetricInput
from voxgate.harness.metrics.pitch_parity import (
    METRICS,
    f0_correlation,
    f0_rmse_cents,
    f0_rmse_hz,
    melodies,
    vuv_error,
)
from voxgate.harness.records.measurement import Missing, Value

Melody = Callable[[np.ndarray], np.ndarray]
HOP_S = 0.005


def number(value: Value) -> float:
    assert isinstance(value, float), value
    return value


@pytest.fixture(name="scripted")
def _scripted(monkeypatch: pytest.MonkeyPatch) -> Callable[[Melody, Melody], MetricInput]:
    """
    Gives a subject, the tracks of whose audio are the two functions of time; the sound itself is
    the same.
    """

    def script(reference: Melody, candidate: Melody) -> MetricInput:
        inputs = held_against(speech(), speech())
        times_s = np.arange(0.0, len(speech()) / RATE_HZ, HOP_S)
        tracks = {inputs.reference: reference, inputs.audio: candidate}
        monkeypatch.setattr(
            pitch, "track", lambda recording: pitch.PitchTrack(times_s, tracks[recording](times_s))
        )
        return inputs

    return script


def steady(times_s: np.ndarray) -> np.ndarray:
    return np.full_like(times_s, 200.0)


def rising(times_s: np.ndarray) -> np.ndarray:
    return 150.0 + 40.0 * times_s


def half_voiced(times_s: np.ndarray) -> np.ndarray:
    return np.where(np.arange(len(times_s)) % 2 == 0, 210.0, 0.0)


def test_a_constant_difference_is_its_own_rmse(scripted):
    inputs = scripted(rising, lambda times_s: rising(times_s) + 7.0)
    assert number(f0_rmse_hz(inputs)) == pytest.approx(7.0)
    assert number(f0_correlation(inputs)) == pytest.approx(1.0)
    assert vuv_error(inputs) == 0.0


def test_a_semitone_is_100_cents(scripted):
    assert number(
        f0_rmse_cents(scripted(rising, lambda times_s: rising(times_s) * 2 ** (1 / 12)))
    ) == pytest.approx(100.0)


def test_unvoiced_frames_are_errors_of_voicing_and_not_of_pitch(scripted):
    """With their zeros counted the RMSE would be 142 Hz."""
    inputs = scripted(steady, half_voiced)
    assert number(f0_rmse_hz(inputs)) == pytest.approx(10.0)
    assert number(vuv_error(inputs)) == pytest.approx(0.5, abs=0.01)


def test_a_melody_upside_down_correlates_negatively(scripted):
    assert number(
        f0_correlation(scripted(rising, lambda times_s: 400.0 - rising(times_s)))
    ) == pytest.approx(-1.0)


def test_a_monotone_has_no_correlation(scripted):
    assert f0_correlation(scripted(rising, steady)) == Missing(
        "a melody of one pitch only has no correlation"
    )


def test_too_few_common_frames_are_missing(scripted):
    inputs = scripted(steady, lambda times_s: np.where(np.arange(len(times_s)) < 19, 200.0, 0.0))
    for score in (f0_rmse_hz, f0_rmse_cents, f0_correlation):
        assert score(inputs) == Missing("only 19 frames are voiced in both; 20 are needed")
    assert number(vuv_error(inputs)) > 0.9


def test_a_recording_without_a_track_is_missing_with_its_reason(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pitch, "track", lambda recording: Missing("no tracker"))
    for each in METRICS:
        assert each.score(held_against(speech(), speech())) == Missing("no tracker")


def test_the_same_speech_has_the_same_melody_however_late():
    pytest.importorskip("swift_f0")
    for by in (0, 160, -320):
        inputs = held_against(speech(), late(speech(), by))
        assert number(f0_rmse_cents(inputs)) < 5.0
        assert number(f0_correlation(inputs)) > 0.99
        assert number(vuv_error(inputs)) < 0.03


@pytest.mark.parametrize("semitones", [-2.0, 1.0, 4.0])
def test_a_transposed_voice_is_transposed_by_that_much(semitones: float):
    """WORLD sings the same words higher; the tracker hears it within 15 cents."""
    pytest.importorskip("swift_f0")
    pyworld = pytest.importorskip("pyworld")
    f0_hz, times_s = pyworld.harvest(speech(), RATE_HZ)
    envelope, noise = (
        tool(speech(), f0_hz, times_s, RATE_HZ) for tool in (pyworld.cheaptrick, pyworld.d4c)
    )
    as_it_was, higher = (
        pyworld.synthesize(f0_hz * 2 ** (by / 12), envelope, noise, RATE_HZ)[: len(speech())]
        for by in (0.0, semitones)
    )
    inputs = held_against(as_it_was, higher)
    assert number(f0_rmse_cents(inputs)) == pytest.approx(100.0 * abs(semitones), abs=15.0)
    assert number(f0_correlation(inputs)) > 0.95


def test_noise_disturbs_the_melody_more_the_louder_it_is():
    pytest.importorskip("swift_f0")
    errors = [
        number(vuv_error(held_against(speech(), with_noise(speech(), db))))
        for db in (60.0, 20.0, 0.0)
    ]
    assert errors[0] < errors[1] < errors[2]


@pytest.mark.parametrize("frames", [1, 100, 800, 1600])
def test_short_audio_gives_a_number_or_a_reason(frames: int):
    part = speech()[8000 : 8000 + frames]
    for each in METRICS:
        assert isinstance(each.score(held_against(part, part)), float | Missing)


def test_each_side_is_tracked_once_for_all_four(monkeypatch: pytest.MonkeyPatch):
    calls: list[Recording] = []
    real = pitch.track

    def counted(recording: Recording) -> pitch.PitchTrack | Missing:
        calls.append(recording)
        return real(recording)

    monkeypatch.setattr(pitch, "track", counted)
    inputs = held_against(speech(), speech())
    for each in METRICS:
        each.score(inputs)
    assert len(calls) == 2
    assert melodies(inputs) is not None
