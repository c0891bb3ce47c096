"""
voxgate.engine.audio.reference_recording: any recording becomes trimmed mono at the pipeline's rate,
or is refused in words.
"""

import io
import resource
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from voxgate.engine.audio.reference_recording import (
    REFERENCE,
    load_speech,
    read_file,
    transcript_of,
)
from voxgate.engine.errors import EngineError

RATE_HZ, HOP = 16_000, 256


def tone(seconds, rate_hz=RATE_HZ, hz=300.0, gain=0.3):
    return gain * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate_hz)) / rate_hz)


def wav(frames, rate_hz=RATE_HZ, kind="WAV"):
    file = io.BytesIO()
    soundfile.write(
        file, frames, rate_hz, format=kind, subtype="FLOAT" if kind == "WAV" else "PCM_16"
    )
    return file.getvalue()


def silence(seconds, rate_hz=RATE_HZ):
    return np.zeros(round(seconds * rate_hz))


def test_silence_at_the_edges_is_cut_off_in_whole_frames():
    frames = np.concatenate((silence(20 * HOP / RATE_HZ), tone(1.0), silence(0.5)))

    speech = load_speech(wav(frames), RATE_HZ, HOP)

    assert speech.dtype == np.float32 and speech.size % HOP == 0
    assert speech.size == -(-RATE_HZ // HOP) * HOP, "the frames that the tone touches"
    assert np.array_equal(speech, frames[20 * HOP : 20 * HOP + speech.size].astype(np.float32))


def test_pauses_inside_stay():
    frames = np.concatenate((tone(0.4), silence(0.7), tone(0.4)))

    assert load_speech(wav(frames), RATE_HZ, HOP).size / RATE_HZ == pytest.approx(1.5, abs=0.03)


@pytest.mark.parametrize("rate_hz", [8_000, 22_050, 44_100, 48_000])
@pytest.mark.parametrize("kind", ["WAV", "FLAC"])
def test_any_rate_becomes_the_pipelines_with_the_same_pitch(rate_hz, kind):
    speech = load_speech(wav(tone(1.0, rate_hz), rate_hz, kind), RATE_HZ, HOP)

    peak_hz = np.abs(np.fft.rfft(speech)).argmax() * RATE_HZ / speech.size
    assert peak_hz == pytest.approx(300.0, abs=2.0)
    assert speech.size / RATE_HZ == pytest.approx(1.0, abs=0.03)


def test_several_channels_become_their_mean():
    both = np.stack((tone(1.0), np.zeros(RATE_HZ)), axis=1)

    assert np.abs(load_speech(wav(both), RATE_HZ, HOP)).max() == pytest.approx(0.15, abs=1e-3)


@pytest.mark.parametrize(
    ("frames", "words"),
    [
        (silence(2.0), "the recording is silent; give 0.5 to 12 s"),
        (silence(0.0), "the recording is silent"),
        (np.ones(100), "the recording is silent"),
        (tone(0.304), "0.30 s of sound"),
        (tone(12.5), "12.50 s of sound"),
        (tone(121.0, 8_000), "cut it to at most 12 s"),
        (np.full(RATE_HZ, np.nan), "NaN or infinity"),
    ],
)
def test_a_recording_that_cannot_be_used_is_refused(frames, words):
    with pytest.raises(EngineError, match=words):
        load_speech(wav(frames, 8_000 if frames.size > 500_000 else RATE_HZ), RATE_HZ, HOP)


@pytest.mark.parametrize("content", [b"", b"RIFF", b"no audio at all" * 100])
def test_what_is_no_audio_is_refused(content):
    with pytest.raises(
        EngineError, match=r"cannot be decoded .*; give a wav or flac file"
    ) as error:
        load_speech(content, RATE_HZ, HOP)
    assert "BytesIO" not in str(error.value)


def test_a_file_that_is_not_there_names_the_folder_it_was_looked_for_in(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    with pytest.raises(
        EngineError,
        match=rf"reference voice.wav cannot be read: No such file .*looked for in {tmp_path}",
    ):
        read_file("voice.wav")
    with pytest.raises(EngineError, match="cannot be read: Is a directory"):
        read_file(str(tmp_path))


def test_an_empty_and_a_huge_file_are_refused_unread(tmp_path):
    (tmp_path / "empty.wav").touch()
    (tmp_path / "huge.wav").write_bytes(b"x" * 101)
    small = replace(REFERENCE, max_bytes=100)

    for name, words in (("empty.wav", "empty.wav is empty"), ("huge.wav", "has 101 bytes")):
        with pytest.raises(EngineError, match=words):
            read_file(str(tmp_path / name), small)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no device without an end")
def test_a_device_without_an_end_is_not_read_to_its_end():
    with pytest.raises(EngineError, match="reference /dev/zero has more than 50000000 bytes"):
        read_file("/dev/zero")


def test_the_text_is_as_told_or_lies_beside_the_recording(tmp_path):
    (tmp_path / "anna.txt").write_text("Good  morning,\neverybody.\n")
    path = str(tmp_path / "anna.flac")

    assert transcript_of(path, "") == "Good morning, everybody."
    assert transcript_of(path, " Hello. ") == "Hello."
    with pytest.raises(EngineError, match=r"bob.wav needs reference_text, .* or write .*bob.txt"):
        transcript_of(str(tmp_path / "bob.wav"), "")


@pytest.mark.parametrize("frames", [17_000, 2**20, 2**35, 2**36 - 1])
@pytest.mark.parametrize("rate_hz", [16_000, 655_350])
def test_a_flac_whose_head_claims_more_than_it_holds_costs_no_memory(frames, rate_hz):
    file = io.BytesIO()
    soundfile.write(file, tone(1.0, 16_000), 16_000, format="FLAC", subtype="PCM_16")
    content = bytearray(file.getvalue())
    bits = int.from_bytes(content[18:26], "big") >> 36 & 0x1F
    content[18:26] = (rate_hz << 44 | 7 << 41 | bits << 36 | frames).to_bytes(8, "big")
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    with pytest.raises(EngineError, match="reference: the recording"):
        load_speech(bytes(content), RATE_HZ, HOP)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib < 64 * 1024


def test_a_wav_that_is_cut_short_is_told(tmp_path):
    content = wav(tone(1.0))
    with pytest.raises(EngineError, match="torn: its head promises more"):
        load_speech(content[:-4000], RATE_HZ, HOP)


def test_words_beside_a_recording_that_are_no_words_are_refused(tmp_path):
    (tmp_path / "a.txt").write_text("x" * 200_000)
    with pytest.raises(EngineError, match="has more than 100000 bytes"):
        transcript_of(str(tmp_path / "a.wav"), "")
