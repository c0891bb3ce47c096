"""voxgate.engine.audio: level and joins."""

import numpy as np
import pytest

from voxgate.engine.audio.postprocess import (
    CROSSFADE,
    PEAK_LIMIT,
    TARGET_RMS,
    active_rms,
    crossfade,
    fade_in,
    normalise_level,
)


def _tone(seconds=1.0, gain=0.3):
    return (gain * np.sin(np.arange(int(16_000 * seconds)) * 0.2)).astype(np.float32)


def test_speech_comes_out_at_the_target_level_whatever_it_was():
    for gain in (0.01, 0.1, 0.9):
        assert active_rms(normalise_level(_tone(gain=gain))) == pytest.approx(TARGET_RMS, rel=1e-3)


def test_a_peak_is_never_raised_past_the_limit():
    audio = _tone(gain=0.001)
    audio[5000] = 0.5

    assert np.abs(normalise_level(audio)).max() <= PEAK_LIMIT + 1e-6


def test_silence_stays_silence():
    assert not normalise_level(np.zeros(16_000, dtype=np.float32)).any()


def test_one_chunk_passes_unchanged():
    audio = _tone()

    assert np.array_equal(np.concatenate(list(crossfade([audio]))), audio)


def test_chunks_share_the_crossfade_and_leave_no_step():
    a, b = np.full(4000, 0.2, np.float32), np.full(4000, 0.2, np.float32)
    joined = np.concatenate(list(crossfade([a, b])))

    assert joined.size == 8000 - CROSSFADE
    assert np.abs(np.diff(joined)).max() < 1e-6


def test_a_start_is_silenced_and_then_rises_by_a_half_cosine():
    audio = np.ones(16_000, dtype=np.float32)
    begun = fade_in(audio, 16_000, trim_ms=20, fade_ms=20)

    assert begun.size == audio.size
    assert not begun[:320].any()
    assert begun[320 + 160] == pytest.approx(0.5, abs=0.01)
    assert (np.diff(begun[320:640]) >= 0).all()
    assert np.array_equal(begun[640:], audio[640:])
    assert audio.all(), "what was given is not changed"


def test_a_start_longer_than_the_audio_and_none_at_all():
    short = np.ones(100, dtype=np.float32)

    assert not fade_in(short, 16_000, trim_ms=20, fade_ms=20).any()
    assert fade_in(short, 16_000, trim_ms=0, fade_ms=0) is short
