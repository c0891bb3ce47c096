"""Post-processing that is asked for: silences, noise, hiss and joins of known signals."""

import numpy as np
import pytest

from voxgate.engine.audio.postprocess import (
    CROSSFADE,
    crossfade,
    crossfade_window,
    deessed,
    denoised,
    levels_db,
    shortened,
)
from voxgate.engine.config import Deess, Denoise, SilenceRemoval, parse_options
from voxgate.engine.errors import EngineError

RATE = 16_000
FIXED, ADAPTIVE = SilenceRemoval.FIXED, SilenceRemoval.ADAPTIVE


def _db(audio):
    return 10 * np.log10(np.mean(np.square(audio, dtype=np.float64)))


def _noise(seconds, level_db, low_hz=0.0, high_hz=RATE / 2, seed=0):
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(round(seconds * RATE)))
    hz = np.linspace(0, RATE / 2, spectrum.size)
    audio = np.fft.irfft(spectrum * ((hz >= low_hz) & (hz <= high_hz)))
    return (audio * 10 ** ((level_db - _db(audio)) / 20)).astype(np.float32)


def _vowel(seconds, level_db=-22.0):
    """Return harmonics of 120 Hz that fall by 9 dB an octave."""
    harmonics = np.arange(1, 60)
    time = np.arange(round(seconds * RATE)) / RATE
    audio = (harmonics[:, None] ** -1.5 * np.sin(harmonics[:, None] * 240 * np.pi * time)).sum(0)
    return (audio * 10 ** ((level_db - _db(audio)) / 20)).astype(np.float32)


def _with_gap(level_db, gap_s=0.4):
    return np.concatenate((_vowel(0.5), _noise(gap_s, level_db), _vowel(0.5)))


@pytest.mark.parametrize(
    ("level_db", "mode", "removed_s"),
    [
        (-50.0, FIXED, 0.3),
        (-43.5, FIXED, 0.3),
        (-40.5, FIXED, 0.0),
        (-35.0, FIXED, 0.0),
        (-50.0, ADAPTIVE, 0.3),
        (-38.0, ADAPTIVE, 0.3),
        (-30.0, ADAPTIVE, 0.0),
        (-50.0, SilenceRemoval.OFF, 0.0),
    ],
)
def test_a_gap_below_the_threshold_is_shortened_to_100_ms_and_no_other(level_db, mode, removed_s):
    audio = _with_gap(level_db)
    removed = audio.size - shortened(audio, RATE, mode).size
    assert removed / RATE == pytest.approx(removed_s, abs=0.021)


def test_a_pause_as_short_as_what_is_kept_stays_and_a_crossfade_keeps_its_silence():
    audio = _with_gap(-60.0, gap_s=0.09)
    assert shortened(audio, RATE, FIXED) is audio
    removed = [
        (long := _with_gap(-60.0)).size - shortened(long, RATE, FIXED, crossfade_ms=ms).size
        for ms in (0.0, 120.0)
    ]
    assert removed[0] - removed[1] == 320  # 20 ms more are kept


def test_a_cut_makes_no_click_and_leaves_speech_as_it_was():
    """The gap hums, so that a hard cut would leave a step."""
    hum = (0.008 * np.sin(2 * np.pi * 63.7 * np.arange(6400) / RATE)).astype(np.float32)
    audio = np.concatenate((_vowel(0.5), hum, _vowel(0.5)))
    short = shortened(audio, RATE, FIXED)
    inside = short[8000 : short.size - 8000]
    assert np.abs(np.diff(inside)).max() < 1.5 * np.abs(np.diff(hum)).max()
    assert np.array_equal(short[:8000], audio[:8000])
    assert np.array_equal(short[-8000:], audio[-8000:])
    assert not shortened(np.zeros(4000, np.float32), RATE, ADAPTIVE).any()


@pytest.mark.parametrize("samples", [1, 2, 80, CROSSFADE, 1920])
def test_crossfades_sum_to_one_and_windows_are_cached(samples):
    window = crossfade_window(samples)
    assert crossfade_window(samples) is window and not window.flags.writeable
    assert np.allclose(window + window[::-1], 1.0, atol=1e-6) or samples == 1
    ones = [np.ones(4000, np.float32)] * 3
    joined = np.concatenate(list(crossfade(iter(ones), samples)))
    assert joined.size == 12_000 - 2 * samples and np.allclose(joined, 1.0, atol=1e-6)


def test_chunks_without_a_crossfade_abut():
    pieces = list(crossfade([np.ones(5, np.float32), np.zeros(4, np.float32)], 0))
    assert [piece.size for piece in pieces] == [5, 4]


@pytest.mark.parametrize(
    ("sound", "lowered_db"),
    [
        (_noise(0.4, -25.0, 4500.0, 7900.0), 6.0),
        (_noise(0.4, -45.0, 5000.0, 7900.0, seed=1) + _vowel(0.4), 0.0),
        (_vowel(0.4), 0.0),
        (_noise(0.4, -25.0, 1500.0, 5150.0), 0.0),
    ],
    ids=["s", "breathy vowel", "vowel", "sh"],
)
def test_the_de_esser_lowers_s_by_6_db_and_leaves_vowels(sound, lowered_db):
    """The sound stands between two vowels, and its band from 5 to 8 kHz is looked at."""
    audio = np.concatenate((_vowel(0.3), sound, _vowel(0.3)))
    inner = slice(5600, 5600 + 4800)
    made, given = (_band_db(each[inner]) for each in (deessed(audio, RATE, Deess.ON), audio))
    assert given - made == pytest.approx(lowered_db, abs=0.5)
    vowels = np.abs(deessed(audio, RATE, Deess.ON) - audio)[1000:4000].max()
    assert vowels < 1e-5


def _band_db(audio):
    spectrum = np.abs(np.fft.rfft(audio * np.hanning(audio.size)))
    return 10 * np.log10(np.square(spectrum[np.linspace(0, 8000, spectrum.size) > 5000]).sum())


@pytest.mark.parametrize("floor_db", [-55.0, -45.0])
def test_a_planted_noise_floor_falls_and_speech_stays(floor_db):
    """Speech of harmonics and of an s, with pauses as a chunk has them at its ends."""
    pause = np.zeros(4000, np.float32)
    sounds = (_vowel(0.5), _noise(0.2, -30.0, 4000.0, 7900.0, seed=2), _vowel(0.5, -28.0))
    clean = np.concatenate((pause, *sounds, pause))
    noisy = clean + _noise(clean.size / RATE, floor_db, seed=3)
    made = denoised(noisy, RATE, Denoise.LIGHT)
    assert made.size == noisy.size and made.dtype == np.float32
    assert 9.0 < _db(noisy[500:3500]) - _db(made[500:3500]) < 12.5
    for start, end in ((4000, 12_000), (12_000, 15_200), (15_200, 23_200)):
        assert abs(_db(made[start:end]) - _db(clean[start:end])) < 0.5


def test_what_has_no_noise_or_no_pause_is_not_reduced():
    vowel = _vowel(0.5)
    for audio in (vowel, np.zeros(3000, np.float32), np.zeros(7, np.float32)):
        for made in (denoised(audio, RATE, Denoise.LIGHT), deessed(audio, RATE, Deess.ON)):
            assert made.size == audio.size and np.allclose(made, audio, atol=1e-5)


def test_levels_are_dbfs_of_whole_windows():
    assert levels_db(np.full(350, 0.1, np.float32), 160) == pytest.approx([-20.0, -20.0])


@pytest.mark.parametrize(
    "options",
    [
        {"crossfade_ms": 150.0},  # longer than the silence of a chunk's ends
        {"silence_removal": "on"},
        {"denoise": "strong"},
        {"deess": True},
    ],
)
def test_values_that_cannot_work_are_refused(options):
    with pytest.raises(EngineError, match=next(iter(options))):
        parse_options(options)
