"""Audio files in and out."""

import random
import resource
from pathlib import Path

import numpy as np
import pytest
import soundfile

from voxgate.harness.audio.files import (
    LARGEST_FRAMES,
    promised_duration_s,
    read_audio,
    write_flac,
    write_wav,
)
from voxgate.harness.errors import HarnessError

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


def claiming(path: Path, frames: int = 2400, rate_hz: int = 24_000, channels: int = 1) -> Path:
    """A small FLAC file whose head (STREAMINFO) claims other numbers than it holds."""
    soundfile.write(path, TONE, 24_000, format="FLAC", subtype="PCM_16")
    content = bytearray(path.read_bytes())
    packed = int.from_bytes(content[18:26], "big")
    bits = packed >> 36 & 0x1F
    content[18:26] = (rate_hz << 44 | (channels - 1) << 41 | bits << 36 | frames).to_bytes(8, "big")
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("frames", [2401, 10**6, 2**27 + 1, 2**35, 2**36 - 1])
def test_a_head_that_claims_frames_that_are_not_there_costs_no_memory_and_is_refused(
    tmp_path: Path, frames: int
):
    path = claiming(tmp_path / "a.flac", frames)
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(
        HarnessError, match=r"cannot read audio .*a.flac: its head (claims|promises)"
    ):
        read_audio(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib < 32 * 1024
    assert promised_duration_s(path) <= LARGEST_FRAMES / 24_000


def test_a_flac_that_does_not_know_its_length_is_refused_in_words(tmp_path: Path):
    with pytest.raises(HarnessError, match="does not tell how long it is"):
        read_audio(claiming(tmp_path / "a.flac", 0))


def test_rates_that_nothing_is_recorded_at_are_refused(tmp_path: Path):
    assert read_audio(claiming(tmp_path / "a.flac"))[0].size == 2400
    with pytest.raises(HarnessError, match="rates are from 1000 to 768000 Hz"):
        read_audio(claiming(tmp_path / "a.flac", rate_hz=10))
    soundfile.write(tmp_path / "a.wav", TONE, 2_000_000)
    with pytest.raises(HarnessError, match="claims 2000000 Hz"):
        read_audio(tmp_path / "a.wav")
    soundfile.write(tmp_path / "a.wav", np.zeros((10, 100)), 24_000)
    with pytest.raises(HarnessError, match="claims 100 channels"):
        read_audio(tmp_path / "a.wav")


def test_a_wav_that_ends_before_its_head_says_is_refused(tmp_path: Path):
    path = tmp_path / "a.wav"
    write_wav(path, TONE, 24_000)
    whole = path.read_bytes()
    path.write_bytes(whole[:-400])
    with pytest.raises(
        HarnessError, match="it ends 400 bytes before the length that its head promises"
    ):
        read_audio(path)
    place = whole.index(b"data") + 4
    for size in (0xFFFFFFFF, 0x7FFFFFFF):  # streamed: nobody knew
        path.write_bytes(whole[:place] + size.to_bytes(4, "little") + whole[place + 4 :])
        assert read_audio(path)[0].size == TONE.size
    for size in (2**30, 10_000):
        path.write_bytes(whole[:place] + size.to_bytes(4, "little") + whole[place + 4 :])
        with pytest.raises(HarnessError, match="bytes before the length"):
            read_audio(path)


def test_torn_and_damaged_files_are_named_or_read_and_never_an_accident(tmp_path: Path):
    numbers = random.Random(13)
    for kind in ("a.wav", "a.flac"):
        path = tmp_path / kind
        (write_wav if kind == "a.wav" else write_flac)(path, TONE, 24_000)
        whole = path.read_bytes()
        for _ in range(300):
            torn = bytearray(whole[: numbers.randrange(len(whole) + 1)])
            for _ in range(numbers.randrange(4)):
                if torn:
                    torn[numbers.randrange(min(60, len(torn)))] = numbers.randrange(256)
            path.write_bytes(torn)
            try:
                frames, rate_hz = read_audio(path)
            except HarnessError as error:
                assert kind in str(error) and "\n" not in str(error)
            else:
                assert frames.size <= LARGEST_FRAMES and 1_000 <= rate_hz <= 768_000
