"""Audio files in and out."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from harness.audio_io import read_audio, write_flac, write_wav
from harness.errors import HarnessError

TONE = (0.5 * np.sin(np.arange(2400) / 10)).astype(np.float32)


def test_a_wav_comes_back_bit_for_bit(tmp_path: Path):
    write_wav(tmp_path / "a.wav", TONE, 24_000)
    frames, rate_hz = read_audio(tmp_path / "a.wav")
    assert rate_hz == 24_000
    assert frames.dtype == np.float32
    assert np.array_equal(frames, TONE)


def test_a_wav_keeps_nan_and_overload_for_the_metrics_to_see(tmp_path: Path):
    write_wav(tmp_path / "a.wav", np.array([np.nan, 3.0], dtype=np.float32), 24_000)
    frames, _ = read_audio(tmp_path / "a.wav")
    assert np.isnan(frames[0])
    assert frames[1] == 3.0


def test_a_flac_is_exact_to_24_bits(tmp_path: Path):
    write_flac(tmp_path / "a.flac", TONE, 24_000)
    assert np.abs(read_audio(tmp_path / "a.flac")[0] - TONE).max() <= 1 / 2**23


@pytest.mark.parametrize("value", [1.5, np.nan])
def test_a_flac_that_would_clip_is_refused(tmp_path: Path, value: float):
    with pytest.raises(HarnessError, match="frames lie outside"):
        write_flac(tmp_path / "a.flac", np.array([value], dtype=np.float32), 24_000)


def test_channels_are_averaged(tmp_path: Path):
    soundfile.write(tmp_path / "two.wav", np.stack([TONE, -TONE], axis=1), 24_000, subtype="FLOAT")
    assert np.array_equal(read_audio(tmp_path / "two.wav")[0], np.zeros(2400, dtype=np.float32))


def test_unreadable_files_are_named(tmp_path: Path):
    (tmp_path / "text.wav").write_text("not audio")
    for name in ("text.wav", "absent.wav"):
        with pytest.raises(HarnessError, match=f"cannot read audio .*{name}"):
            read_audio(tmp_path / name)


def test_an_absent_folder_and_two_channels_are_refused(tmp_path: Path):
    with pytest.raises(HarnessError, match="cannot write audio"):
        write_wav(tmp_path / "absent" / "a.wav", TONE, 24_000)
    with pytest.raises(HarnessError, match="give one channel"):
        write_wav(tmp_path / "a.wav", np.stack([TONE, TONE]), 24_000)
