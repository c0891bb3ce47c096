"""Limits, audio as bytes, addresses."""

import io
import json

import numpy as np
import pytest
import soundfile

from voxgate.engine.config import Language, parse_options
from voxgate.engine.errors import EngineError
from voxgate.engine.serve.errors import ApiError
from voxgate.engine.serve.limits import Limits, parse_limits
from voxgate.engine.serve.model_info import ModelInfo
from voxgate.engine.serve.request import check_speakable, parse_speech
from voxgate.engine.serve.response import AudioFormat, encode, pcm16, wav_header
from voxgate.engine.serve.server import bind_socket, is_local, url_of


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"max_batch": "0"}, "--max-batch must be from 1 to 256, not 0"),
        ({"max_batch": "2.5"}, "--max-batch must be a whole number, not '2.5'"),
        ({"window_ms": "nan"}, "--window-ms must be from 0"),
        ({"queue": "-1"}, "--queue must be from 1"),
        ({"max_body_bytes": "x"}, "--max-body-bytes must be a whole number"),
    ],
)
def test_a_limit_that_cannot_be_meant_is_refused(words, message):
    with pytest.raises(EngineError, match=message):
        parse_limits(words)


def test_limits_are_read_and_default():
    assert parse_limits({"queue": "3", "window_ms": "0.5"}) == Limits(queue=3, window_ms=0.5)
    # each character escaped as a surrogate pair
    assert Limits().max_body_bytes > 12 * Limits().max_characters


def test_frames_are_rounded_and_clipped():
    audio = np.array([0.0, 1.0, -1.0, 2.0, -2.0, 0.4 / 32767, 0.6 / 32767], np.float32)

    assert np.frombuffer(pcm16(audio), "<i2").tolist() == [0, 32767, -32767, 32767, -32768, 0, 1]
    with pytest.raises(ValueError, match="not finite"):
        pcm16(np.array([0.0, np.nan], np.float32))


@pytest.mark.parametrize("form", [AudioFormat.WAV, AudioFormat.FLAC])
@pytest.mark.parametrize("rate_hz", [16_000, 24_000])
def test_another_library_reads_the_files(form, rate_hz):
    audio = np.sin(np.arange(777) / 9).astype(np.float32)

    read, found_hz = soundfile.read(io.BytesIO(encode(audio, form, rate_hz)), dtype="int16")

    assert found_hz == rate_hz and read.tobytes() == pcm16(audio)


def test_an_open_ended_file_is_still_readable():
    frames = pcm16(np.sin(np.arange(500) / 9).astype(np.float32))
    read, _ = soundfile.read(io.BytesIO(wav_header(16_000, None) + frames), dtype="int16")

    assert read.tobytes() == frames


def test_an_address_in_use_is_one_line():
    with bind_socket("127.0.0.1", 0) as sock:
        sock.listen()
        port = sock.getsockname()[1]
        assert url_of(sock) == f"http://127.0.0.1:{port}"
        with pytest.raises(
            EngineError, match=rf"cannot listen on 127.0.0.1, port {port}: .*; choose another"
        ):
            bind_socket("127.0.0.1", port)
    with pytest.raises(EngineError, match="cannot listen on no-such-host"):
        bind_socket("no-such-host.invalid", 0)


def test_only_loopback_is_local():
    assert all(map(is_local, ("127.0.0.1", "127.3.2.1", "::1", "localhost")))
    assert not any(map(is_local, ("0.0.0.0", "::", "192.168.1.5", "example.org")))


def _speech(language, **fields):
    body = {"model": "voice", "input": "Hola.", **fields}
    return parse_speech(json.dumps(body).encode(), "voice", 100, language)


def test_a_spanish_server_has_its_own_voices_and_regions():
    told = _speech(Language.ES, voice="hugo", region="mexico")

    assert told.options == {"speaker": "hugo", "region": "mexico"}
    check_speakable(told)
    with pytest.raises(ApiError, match="no voice 'slt'; this server has lola, hugo"):
        _speech(Language.ES, voice="slt")
    with pytest.raises(ApiError, match="region=mexico is an accent of Spanish"):
        _speech(Language.EN, region="mexico")


@pytest.mark.parametrize(
    ("language", "regions", "voices"),
    [
        ("en", [], ["slt", "rms", "awb"]),
        ("es", ["es", "rioplatense", "mexico", "colombia"], ["lola", "hugo"]),
    ],
)
def test_a_model_names_its_language_voices_and_regions(language, regions, voices):
    config = parse_options({"language": language})
    card = ModelInfo(
        model="voice", created=0, sample_rate_hz=16_000, config=config, limits=Limits()
    ).card()

    assert (card["language"], card["regions"], card["voices"]) == (language, regions, voices)
