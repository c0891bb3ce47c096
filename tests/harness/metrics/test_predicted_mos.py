"""
Predicted MOS: the reference package's values, its way of cutting windows, and what it cannot score.
"""

import numpy as np
import pytest

from tests.harness.metrics.speech import speech, with_noise
from voxgate.harness.audio.mel import filters, power_mel
from voxgate.harness.audio.recording import Recording
from voxgate.harness.metrics import predicted_mos
from voxgate.harness.metrics.metric import MetricInput
from voxgate.harness.metrics.predicted_mos import METRICS
from voxgate.harness.models import dnsmos
from voxgate.harness.models.dnsmos import (
    BLOCK,
    GROUP,
    RATE_HZ,
    WINDOW,
    log_mel,
    p835_scores,
    tiled,
    whole,
    window_starts,
)
from voxgate.harness.models.packaged_file import packaged_file
from voxgate.harness.records.measurement import Missing, not_installed

# speechmos 0.0.1.1 itself, with librosa 0.11.0, on tests/data/slt.flac, and on it with white noise
# at 20 dB.
CLEAN = {
    "dnsmos_ovrl": 2.881009,
    "dnsmos_sig": 3.120037,
    "dnsmos_bak": 4.040410,
    "dnsmos_p808": 3.639032,
}
NOISY = {
    "dnsmos_ovrl": 2.175635,
    "dnsmos_sig": 3.358454,
    "dnsmos_bak": 2.354504,
    "dnsmos_p808": 2.389664,
}


def scores(frames: np.ndarray, rate_hz: int = RATE_HZ) -> dict[str, object]:
    inputs = MetricInput(audio=Recording(frames, rate_hz))
    return {each.metric.name: each.score(inputs) for each in METRICS}


def at_its_own_level(frames: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """As the package hears it, which takes every level as it comes."""
    monkeypatch.setattr(predicted_mos.activity, "network_gain", lambda recording: 1.0)
    return scores(frames)


def test_the_values_are_those_of_the_reference_package(monkeypatch: pytest.MonkeyPatch):
    assert at_its_own_level(speech(), monkeypatch) == pytest.approx(CLEAN, abs=2e-6)
    noisy = with_noise(speech(), 20.0)
    assert at_its_own_level(noisy, monkeypatch) == pytest.approx(NOISY, abs=2e-6)


@pytest.mark.parametrize("gain_db", [-20.0, -6.0])
def test_the_level_plays_no_part(gain_db: float):
    frames = speech()
    softer = scores(10 ** (gain_db / 20) * frames)
    assert softer == pytest.approx(scores(frames), abs=1e-4)


def test_the_same_audio_has_the_same_value_to_the_last_bit():
    assert scores(speech()) == scores(speech())


def test_noise_is_heard_in_the_background_and_overall():
    """SIG rises with it: each score is a model's habit, and none can stand for the others."""
    quieter = {name: CLEAN[name] - noisy for name, noisy in NOISY.items()}
    assert quieter["dnsmos_bak"] > 1.0
    assert quieter["dnsmos_ovrl"] > 0.5
    assert quieter["dnsmos_p808"] > 1.0
    assert quieter["dnsmos_sig"] < 0.0


def test_short_audio_is_doubled_until_it_fills_a_window():
    audio = speech()
    assert np.array_equal(tiled(audio), np.tile(audio, 4).astype(np.float32))
    assert len(tiled(np.ones(WINDOW))) == WINDOW


@pytest.mark.parametrize(
    ("seconds", "count"),
    [(9.01, 1), (9.99, 1), (10.99, 1), (11.0, 2), (16.0, 7)],
)
def test_windows_begin_each_second(seconds: float, count: int):
    assert window_starts(round(seconds * RATE_HZ)) == list(range(count))


def test_windows_are_dropped_where_the_reference_drops_them():
    """
    The reference cuts `audio[int(i * 16000) : int((i + 9.01) * 16000)]` and skips what is shorter
    than a window.
    """
    kept = window_starts(600 * RATE_HZ)
    cut = [len(range(int(i * 16000), int((i + 9.01) * 16000))) for i in range(591)]
    assert kept == [i for i, length in enumerate(cut) if length >= WINDOW]
    assert 0 < len(kept) < 591


def test_windows_that_share_their_convolutions_score_as_they_do_alone():
    """
    Three windows and more than one block of the spectrogram; the whole model is the slow and plain
    way.
    """
    audio = tiled(np.resize(with_noise(speech(), 30.0), 12 * RATE_HZ))
    path = packaged_file(dnsmos.PACKAGE, *dnsmos.P835_FILE)
    assert not isinstance(path, Missing)
    alone = [
        whole(path).run(None, {"input_1": audio[None, s * RATE_HZ :][:, :WINDOW]})[0]
        for s in window_starts(len(audio))
    ]
    shared = p835_scores(audio)
    assert not isinstance(shared, Missing)
    assert len(shared) * 100 + 800 > BLOCK
    assert np.abs(shared - np.concatenate(alone)).max() < 5e-6


def test_groups_of_windows_change_nothing(monkeypatch: pytest.MonkeyPatch):
    audio = tiled(np.resize(speech(), 12 * RATE_HZ))
    together = p835_scores(audio), dnsmos.p808_scores(audio)
    monkeypatch.setattr(dnsmos, "GROUP", 2)
    assert len(window_starts(len(audio))) == 3 <= GROUP
    assert np.array_equal(p835_scores(audio), together[0])
    assert np.array_equal(dnsmos.p808_scores(audio), together[1])


def test_what_lies_beyond_full_scale_is_clipped():
    audio = speech()
    loud = audio * 1.5 / np.abs(audio).max()
    assert scores(loud) == pytest.approx(scores(np.clip(loud, -1.0, 1.0)), abs=0.02)


@pytest.mark.parametrize("rate_hz", [8_000, 22_050, 48_000])
def test_the_rate_of_the_file_decides_little_beside_its_band(rate_hz: int):
    import soxr

    heard = scores(soxr.resample(speech(), RATE_HZ, rate_hz), rate_hz)
    assert all(isinstance(value, float) and 1.0 <= value <= 5.0 for value in heard.values())
    if rate_hz > RATE_HZ:
        assert heard == pytest.approx(scores(speech()), abs=0.05)


@pytest.mark.parametrize(
    ("frames", "reason"),
    [
        (np.zeros(0), "empty"),
        (np.zeros(RATE_HZ), "silent"),
        (np.full(RATE_HZ, np.nan), "NaN"),
        (np.ones(1), "too short"),
        (speech()[: RATE_HZ // 20], "too short"),
    ],
)
def test_what_cannot_be_judged_is_missing_with_its_reason(frames: np.ndarray, reason: str):
    for value in scores(frames).values():
        assert isinstance(value, Missing)
        assert reason in value.reason


def test_without_the_package_there_is_advice(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(dnsmos, "PACKAGE", "no_such_package")
    monkeypatch.setattr(dnsmos, "_p835", dnsmos._p835.__wrapped__)
    monkeypatch.setattr(dnsmos, "_p808", dnsmos._p808.__wrapped__)
    for value in scores(speech()).values():
        assert value == not_installed("no_such_package", "pip install no_such_package")


def test_another_model_in_the_package_is_refused():
    value = packaged_file(dnsmos.PACKAGE, dnsmos.P808_FILE[0], "0" * 64)
    assert isinstance(value, Missing)
    assert "another model" in value.reason


def test_log_mel_spans_one_to_minus_one_and_has_the_models_shape():
    heard = log_mel(next(dnsmos._window_powers(tiled(speech())))[0])
    assert heard.shape == (900, 120)
    assert heard.max() == 1.0
    assert heard.min() >= -1.0


def test_each_window_has_the_mel_power_that_it_would_have_alone():
    """Seven windows and a half, of noise that fills them to their edges."""
    audio = np.random.default_rng(0).standard_normal(16 * RATE_HZ + 80).astype(np.float32)
    together = [power for group in dnsmos._window_powers(audio) for power in group]
    starts = [second * RATE_HZ for second in window_starts(len(audio))]
    alone = [
        power_mel(audio[at:][: WINDOW - 160], RATE_HZ, width=321, hop=160, bands=120)
        for at in starts
    ]
    assert len(together) == len(starts) > GROUP
    assert np.stack(together) == pytest.approx(np.stack(alone), rel=1e-9)


@pytest.mark.parametrize(("width", "bands"), [(321, 120), (400, 40)])
def test_each_mel_filter_has_area_one(width: int, bands: int):
    """Slaney's normalisation; narrow filters hold too few bins to show it."""
    areas = filters(RATE_HZ, width, bands).sum(axis=1) * RATE_HZ / width
    assert areas[-bands // 4 :] == pytest.approx(1.0, abs=0.05)


def test_a_tone_peaks_in_the_band_around_it():
    tone = np.sin(2 * np.pi * 1000.0 * np.arange(RATE_HZ) / RATE_HZ)
    power = power_mel(tone, RATE_HZ, width=400, hop=160, bands=40)
    assert power.shape == (101, 40)
    # bin 25 is 1000 Hz
    assert set(power[10:-10].argmax(axis=1)) == {filters(RATE_HZ, 400, 40)[:, 25].argmax()}
