"""Reading audio as it arrives, cut anywhere."""

import io
import itertools
import struct

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from tests.harness.targets.speech_servers import RATE_HZ, tone, wav
from voxgate.harness.targets.http import audio_decoder
from voxgate.harness.targets.http.audio_decoder import FormatError, WavReader, make_reader
from voxgate.harness.targets.http.audio_format import format_of_headers

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
        soundfile.write(
            file, TONE, 8000, format="WAVEX" if subtype == "PCM_16" else "WAV", subtype=subtype
        )
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
        (
            "wav",
            wav(TONE)[:12] + wav(TONE)[36:],
            r"does not say what its frames are \(no fmt chunk\)",
        ),
        (
            "wav",
            wav(TONE).replace(b"\x10\0data", b"\x18\0data"),
            "frames of code 1, 24 bits, 1 channels",
        ),
        ("wav", wav(TONE, rate_hz=0), "at 0 Hz"),
        ("wav", wav(TONE, rate_hz=10**6), "has 1000000 Hz, which no audio has"),
        ("wav", wav(TONE[:40], channels=2000), "2000 channels"),
        ("wav", wav(TONE, size=2**30), "before the length that its head promised"),
        ("flac", flac_claiming(2**35), "no FLAC file: its head claims 34359738368 frames"),
        (
            "flac",
            flac_claiming(10**6),
            "no FLAC file: its head promises 1000000 frames, not all of which can be read",
        ),
        (
            "wav",
            wav(TONE)[:12] + b"JUNK" + struct.pack("<I", 2**31),
            "b'JUNK' of 2147483648 bytes before its frames",
        ),
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


MP3 = b"".join(b"\xff\xfb\x90\x64" + bytes([number]) * 413 for number in range(4))
"""Frames of MPEG 1 layer III, 128 kbit/s at 44.1 kHz: 417 bytes each."""
ADTS = b"".join(b"\xff\xf1\x50\x80\x0c\xbf\xfc" + bytes([number]) * 94 for number in range(4))
"""Frames of 101 bytes, as AAC is streamed."""
OTHERS = {
    "a WAV file": wav(TONE),
    "an MP3 file": b"ID3\x04\x00\x00\x00\x00\x02\x00" + MP3,
    "MP3 frames": MP3,
    "AAC frames": ADTS,
    "an Ogg file": b"OggS\x00\x02" + b"\x00" * 60,
    "a FLAC file": b"fLaC\x00\x00\x00\x22" + b"\x10" * 60,
    "a WebM file": b"\x1aE\xdf\xa3" + b"\x01" * 60,
    "an MP4 file": b"\x00\x00\x00\x20ftypM4A " + b"\x00" * 60,
    "gzip": b"\x1f\x8b\x08" + b"\x00" * 60,
    'text: \'{"error": ': b'{"error": {"message": "the model is not loaded"}}',
    "text: 'data: {": b'data: {"type": "speech.audio.delta", "audio": "AAAA"}\n\n',
    "text: 'event: end'": b"event: end\n\n",
    "text: 'The model is not": b"The model is not loaded yet; try again in a minute.",
    "text: '<!DOCTYPE html>": b"\n<!DOCTYPE html><html><body>502 Bad Gateway</body></html>",
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_bare_pcm_is_never_decoded_as_frames(name: str) -> None:
    for places in ([], [1], [3, 5, 31], [420]):
        with pytest.raises(FormatError, match="the audio is not bare 16-bit PCM: ") as caught:
            read("pcm", cut(OTHERS[name], places))
        assert name in str(caught.value)


def test_constant_frames_of_printable_bytes_are_frames() -> None:
    audio, _rate_hz = read("pcm", [b"0A" * 400])
    assert len(audio) == 400


@pytest.mark.parametrize("name", sorted(OTHERS.keys() - {"a WAV file"}))
def test_what_is_no_wav_or_flac_file_is_named_too(name: str) -> None:
    with pytest.raises(FormatError, match=r"the audio is no WAV file: it begins with .*"):
        read("wav", [OTHERS[name]])
    if name != "a FLAC file":
        with pytest.raises(FormatError, match="no FLAC file") as caught:
            read("flac", [OTHERS[name]])
        assert name in str(caught.value)


@given(
    values=st.lists(st.integers(-3000, 3000), min_size=1, max_size=60),
    places=st.lists(st.integers(0, 200), max_size=4),
)
def test_frames_that_look_like_the_sync_word_of_mpeg_are_frames(
    values: list[int], places: list[int]
) -> None:
    """-1025 is FF FB: quiet speech begins so as well as an MP3 does."""
    frames = np.array([-1025, *values], dtype="<i2")
    audio, _ = read("pcm", cut(frames.tobytes(), places))

    assert np.array_equal(audio, frames.astype(np.float32) / 32768)


@pytest.mark.parametrize("size", [None, 0, 0xFFFFFFFF])
@pytest.mark.parametrize("places", [[], [450], [44, 444, 448, 460]])
def test_a_whole_file_per_chunk_is_refused_and_neither_dropped_nor_heard(
    size: int | None, places: list[int]
) -> None:
    with pytest.raises(FormatError, match="second WAV file behind the first"):
        read("wav", cut(wav(TONE, size=size) + wav(TONE), places))


def test_several_flac_files_in_one_answer_are_refused() -> None:
    file = io.BytesIO()
    soundfile.write(file, TONE, RATE_HZ, format="FLAC", subtype="PCM_16")
    with pytest.raises(FormatError, match="several FLAC files"):
        read("flac", [file.getvalue() * 2])


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (wav(TONE, size=200), "goes on behind the length that its head promised"),
        (wav(TONE) + b"abc", "goes on behind the length"),
        (
            wav(TONE).replace(struct.pack("<I", RATE_HZ), struct.pack("<I", 8000), 1),
            "head contradicts itself: .* at 8000 Hz",
        ),
        (wav(TONE, rate_hz=1), "has 1 Hz, which no audio has: voices have 4000 to 384000 Hz"),
        (wav(TONE, rate_hz=8000), "has 8000 Hz and the server's headers 22050 Hz"),
    ],
)
def test_a_head_that_cannot_be_believed_is_refused(body: bytes, message: str) -> None:
    reader = make_reader("wav", RATE_HZ, RATE_HZ)
    with pytest.raises(FormatError, match=message):
        (reader.feed(body), reader.end())


def test_what_fills_up_an_odd_chunk_is_no_second_file() -> None:
    tail = b"LIST" + struct.pack("<I", 3) + b"abc\0" + b"id3 " + struct.pack("<I", 2) + b"xy"
    assert np.array_equal(read("wav", cut(wav(TONE) + tail, [445, 451, 460]))[0], TONE)


def test_an_answer_that_does_not_end_is_broken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio_decoder, "FILE_BYTES", 1000)
    reader = make_reader("flac", 0)
    with pytest.raises(FormatError, match="has more than 1000 bytes"):
        for _ in range(3):
            reader.feed(bytes(400))


@pytest.mark.parametrize(
    ("headers", "order"),
    [
        ("audio/L16;rate=24000;channels=1", "big"),
        ("audio/l16; rate=22050; endianness=little-endian", "little"),
        ("audio/l16; endianness=big-endian", "big"),
        ("audio/pcm;rate=24000", "little"),
        ("application/octet-stream", "little"),
        ("", "little"),
    ],
)
def test_the_byte_order_of_bare_frames_is_told_or_that_of_the_media_type(
    headers: str, order: str
) -> None:
    """RFC 2586: audio/L16 is in network byte order."""
    assert format_of_headers({"content-type": headers}).pcm_order == order


def frames_of(order: str) -> bytes:
    """Speech-like frames, quiet and loud."""
    swing = np.sin(np.arange(8000) / 9) * np.linspace(0.001, 0.9, 8000)
    return np.rint(swing * 32767).astype(f"{'>' if order == 'big' else '<'}i2").tobytes()


@pytest.mark.parametrize("order", ["little", "big"])
def test_frames_are_read_in_their_byte_order_and_never_as_noise(order: str) -> None:
    right = make_reader("pcm", 24_000, None, order)
    audio = right.feed(frames_of(order))
    right.end()
    assert float(np.abs(audio).max()) == pytest.approx(0.9, abs=0.01)
    other = "big" if order == "little" else "little"
    wrong = make_reader("pcm", 24_000, None, other)
    wrong.feed(frames_of(order))
    with pytest.raises(FormatError, match=f"set the option byte_order='{order}'"):
        wrong.end()


@pytest.mark.parametrize("what", ["8-bit sound", "noise", "silence", "clicks"])
def test_odd_frames_in_the_right_byte_order_are_no_fault(what: str) -> None:
    rng = np.random.default_rng(1)
    frames = {
        "8-bit sound": np.rint(100 * np.sin(np.arange(4000) / 9)) * 256,
        "noise": rng.integers(-32768, 32767, 4000),
        "silence": np.zeros(4000),
        "clicks": np.where(np.arange(4000) % 50 == 0, 30_000, 0),
    }[what]
    reader = make_reader("pcm", 24_000)
    reader.feed(frames.astype("<i2").tobytes())
    reader.end()
