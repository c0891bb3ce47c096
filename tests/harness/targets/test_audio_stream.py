"""Reading audio as it arrives, cut anywhere."""

import io
import itertools
import struct

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from harness.targets import audio_stream
from harness.targets.audio_stream import FormatError, WavReader, make_reader
from tests.harness.targets.speech_servers import RATE_HZ, tone, wav

TONE = np.rint(tone(200) * 32768) / np.float32(32768)


def read(form: str, parts: list[bytes], rate_hz: int = RATE_HZ) -> tuple[np.ndarray, int]:
    reader = make_reader(form, rate_hz)
    pieces = [*map(reader.feed, parts), reader.end()]
    return np.concatenate(pieces), reader.rate_hz


def cut(body: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % len(body) for place in places), len(body)]
    return [body[a:b] for a, b in itertools.pairwise(edges)]


@given(places=st.lists(st.integers(0, 10_000), max_size=12), form=st.sampled_from(["wav", "pcm"]))
def test_however_the_wire_cuts_it_the_audio_is_the_same(places: list[int], form: str) -> None:
    body = wav(TONE) if form == "wav" else wav(TONE)[44:]
    audio, rate_hz = read(form, cut(body, places))

    assert rate_hz == RATE_HZ and audio.dtype == np.float32
    assert np.array_equal(audio, TONE)


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFFFFF - 36, 0xFFFFFFFF - 36])
def test_a_file_that_does_not_know_its_length_is_read_to_the_end(size: int) -> None:
    assert np.array_equal(read("wav", [wav(TONE, size=size)])[0], TONE)


def test_chunks_around_the_frames_are_no_audio() -> None:
    before = b"LIST" + struct.pack("<I", 5) + b"abcde\0"
    body = wav(TONE, extra=before) + b"LIST" + struct.pack("<I", 4) + b"tail"

    assert np.array_equal(read("wav", cut(body, [30, 50, 60, 300]))[0], TONE)


def test_two_channels_become_their_mean_and_float_frames_are_read() -> None:
    assert np.array_equal(read("wav", [wav(TONE, channels=2)])[0], TONE)
    for subtype in ("FLOAT", "PCM_16"):
        file = io.BytesIO()
        soundfile.write(file, TONE, 8000, format="WAVEX" if subtype == "PCM_16" else "WAV", subtype=subtype)
        audio, rate_hz = read("wav", cut(file.getvalue(), [20, 101, 333]))
        assert rate_hz == 8000 and np.abs(audio - TONE).max() < 1e-6


def test_flac_is_read_at_its_end() -> None:
    file = io.BytesIO()
    soundfile.write(file, TONE, RATE_HZ, format="FLAC", subtype="PCM_16")
    reader = make_reader("flac", 0)

    assert reader.feed(file.getvalue()).size == 0
    assert np.array_equal(reader.end(), TONE) and reader.rate_hz == RATE_HZ


def flac_claiming(frames: int) -> bytes:
    """A thousand frames whose head claims others."""
    file = io.BytesIO()
    soundfile.write(file, np.zeros(1000), RATE_HZ, format="FLAC", subtype="PCM_16")
    content = bytearray(file.getvalue())
    packed = int.from_bytes(content[18:26], "big") >> 36 << 36
    content[18:26] = (packed | frames).to_bytes(8, "big")
    return bytes(content)


@pytest.mark.parametrize(
    ("form", "body", "message"),
    [
        ("wav", b"ID3\x04 an mp3 file that goes on", "no WAV file: it begins with b'ID3"),
        ("wav", b"", "ends after 0 bytes, before any frame"),
        ("wav", b"RIFF\0\0\0\0WAVE", "ends after 12 bytes, before any frame"),
        ("wav", wav(TONE, size=402), "ends 2 bytes before the length that its head promised"),
        ("wav", wav(TONE, size=0)[:-1], "ends within a frame: 1 of 2 bytes"),
        ("wav", wav(TONE)[:12] + wav(TONE)[36:], r"does not say what its frames are \(no fmt chunk\)"),
        ("wav", wav(TONE).replace(b"\x10\0data", b"\x18\0data"), "frames of code 1, 24 bits, 1 channels"),
        ("wav", wav(TONE, rate_hz=0), "at 0 Hz"),
        ("wav", wav(TONE, rate_hz=2**31 - 1), "at 2147483647 Hz"),
        ("wav", wav(TONE[:40], channels=2000), "2000 channels"),
        ("wav", wav(TONE, size=2**30), "before the length that its head promised"),
        ("flac", flac_claiming(2**35), "no FLAC file: its head claims 34359738368 frames"),
        ("flac", flac_claiming(10**6), "no FLAC file: its head promises 1000000 frames, not all of which can be read"),
        ("wav", wav(TONE)[:12] + b"JUNK" + struct.pack("<I", 2**31), "b'JUNK' of 2147483648 bytes before its frames"),
        ("pcm", b"abc", "ends within a frame: 1 of 2 bytes"),
        ("flac", b"RIFF", "no FLAC file"),
    ],
)
def test_what_is_no_audio_is_named(form: str, body: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        read(form, [body])


def test_nothing_is_given_before_the_head_is_whole() -> None:
    reader, body = WavReader(), wav(TONE)
    assert all(reader.feed(body[place : place + 1]).size == 0 for place in range(45))
    assert reader.feed(body[45:46]).size == 1


def test_an_answer_that_does_not_end_is_broken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio_stream, "FILE_BYTES", 1000)
    reader = make_reader("flac", 0)
    with pytest.raises(FormatError, match="has more than 1000 bytes"):
        for _ in range(3):
            reader.feed(bytes(400))
