"""voxgate.engine.audio: level and joins."""

import numpy as np
import pytest

from voxgate.engine.audio.postprocess import (
    CROSSFADE,
    PEAK_LIMIT,
    TARGET_RMS,
    active_rms,
    crossfade,
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
