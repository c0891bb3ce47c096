"""The endpoint that converts recordings: forms, limits, errors and headers."""

import io
import threading

import numpy as np
import pytest
import soundfile
from starlette.testclient import TestClient

from tests.engine.conversion.sounds import hum
from tests.engine.pipelines.conversion_voice import write_conversion_voice
from voxgate.engine.config import ConversionConfig
from voxgate.engine.pipelines.conversion import ConversionPipeline
from voxgate.engine.serve.conversions import (
    ConversionAdmission,
    boundary_of,
    make_conversion_app,
    parse_conversion,
    parse_form,
)
from voxgate.engine.serve.errors import ApiError
from voxgate.engine.serve.limits import Limits
from voxgate.engine.timing import monotonic_s

PATH = "/v1/audio/conversions"


def _wav(audio: np.ndarray) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, audio, 16_000, format="WAV", subtype="FLOAT")
    return file.getvalue()


WAV = _wav(hum(150.0))


def _form(parts: dict[str, bytes], mark: bytes = b"MARK") -> bytes:
    lines = [
        b'--%s\r\nContent-Disposition: form-data; name="%s"; filename="../../x"\r\n\r\n%s\r\n'
        % (mark, name.encode(), value)
        for name, value in parts.items()
    ]
    return b"".join(lines) + b"--%s--\r\n" % mark


HEADERS = {"Content-Type": "multipart/form-data; boundary=MARK"}


@pytest.fixture(name="pipeline", scope="module")
def _pipeline(tmp_path_factory):
    folder = write_conversion_voice(tmp_path_factory.mktemp("served"), least_likeness=0.5)
    return ConversionPipeline.load({"threads": 1}, folder)


@pytest.fixture(name="client")
def _client(pipeline):
    limits = Limits(max_upload_bytes=200_000, queue=1)
    admission = ConversionAdmission(limits, monotonic_s)
    app = make_conversion_app(admission, pipeline, "voxgate-x", limits)
    yield TestClient(app, base_url="http://localhost")
    admission.close()


def test_a_recording_comes_back_converted(client, pipeline):
    body = _form({"file": WAV, "speaker": b"rms", "response_format": b"wav"})

    got = client.post(PATH, content=body, headers=HEADERS)

    assert got.status_code == 200, got.text
    audio, rate_hz = soundfile.read(io.BytesIO(got.content))
    expected = pipeline.convert(hum(150.0), 16_000, {"speaker": "rms"})
    assert (rate_hz, audio.size) == (16_000, 16_000)
    assert np.abs(audio - expected.audio).max() < 1e-3
    assert got.headers["x-source-likeness"] == f"{expected.likeness:.3f}"
    assert got.headers["x-source-warning"].startswith("source unlike the training voices")


@pytest.mark.parametrize(
    ("parts", "status", "words"),
    [
        ({}, 400, "no whole form"),
        ({"speaker": b"rms"}, 400, "file must be"),
        ({"file": b"no audio"}, 400, "cannot be decoded"),
        ({"file": _wav(hum(150.0, 0.1))}, 400, "lasts 0.1 s"),
        ({"file": WAV, "speaker": b"kal"}, 400, "choose from slt"),
        ({"file": WAV, "pitch_shift": b"much"}, 400, "must be a number"),
        ({"file": WAV, "source": b"/etc/passwd"}, 400, "unknown field 'source'"),
        ({"file": WAV, "reference": b"/etc/passwd"}, 400, "unknown field 'reference'"),
        ({"file": WAV, "chunk_seconds": b"1"}, 400, "unknown field 'chunk_seconds'"),
        ({"file": WAV, "response_format": b"mp3"}, 400, "response_format cannot be 'mp3'"),
        ({"file": b"x" * 200_001}, 413, "longer than 200000 bytes"),
    ],
)
def test_what_cannot_be_converted_is_refused_in_openais_shape(client, parts, status, words):
    body = _form(parts) if parts else b"file=x"

    got = client.post(PATH, content=body, headers=HEADERS)

    assert got.status_code == status
    assert words in got.json()["error"]["message"]


def test_other_bodies_pages_and_places_are_refused(client):
    body = _form({"file": WAV})

    plain = client.post(PATH, content=body, headers={"Content-Type": "application/json"})
    foreign = client.post(PATH, content=body, headers={**HEADERS, "Origin": "https://evil.example"})
    missing = client.post("/v1/audio/speech", content=body, headers=HEADERS)

    assert (plain.status_code, foreign.status_code, missing.status_code) == (415, 403, 404)
    assert "there is POST /v1/audio/conversions" in missing.json()["error"]["message"]


def test_the_queue_is_bounded(client, pipeline, monkeypatch):
    going, done = threading.Event(), threading.Event()

    def slow(*_arguments):
        going.set()
        done.wait(20)
        raise AssertionError("no result is needed")

    monkeypatch.setattr(pipeline, "convert", slow)
    first = threading.Thread(
        target=lambda: TestClient(
            client.app, base_url="http://localhost", raise_server_exceptions=False
        ).post(PATH, content=_form({"file": WAV}), headers=HEADERS)
    )
    first.start()
    assert going.wait(20)
    second = client.post(PATH, content=_form({"file": WAV}), headers=HEADERS)
    done.set()
    first.join()

    assert (second.status_code, second.headers["retry-after"]) == (429, "1")


@pytest.mark.parametrize("leaves", ["while it waits", "while it is converted"])
def test_a_client_that_leaves_stops_no_other(pipeline, leaves):
    admission = ConversionAdmission(Limits(queue=8), monotonic_s)
    going, done = threading.Event(), threading.Event()

    def slow():
        going.set()
        assert done.wait(20)
        return "first"

    first = admission.submit(slow)
    assert going.wait(20)
    waiting = admission.submit(lambda: "never wanted")
    (waiting if leaves == "while it waits" else first).cancel()
    done.set()
    last = admission.submit(lambda: "last")

    assert last.future.result(timeout=20) == ["last"]
    assert waiting.future.cancelled() == (leaves == "while it waits")
    admission.close()
    assert admission.in_flight == 0


def test_health_is_that_of_the_engines_thread():
    limits = Limits()
    admission = ConversionAdmission(limits, monotonic_s)
    app = make_conversion_app(admission, None, "voxgate-x", limits)
    client = TestClient(app, base_url="http://localhost")
    well = client.get("/health")
    admission.close()
    ended = client.get("/health")

    assert (well.status_code, well.json()["status"]) == (200, "ok")
    assert (ended.status_code, ended.json()["status"]) == (503, "stopped")


def test_a_field_that_comes_twice_is_named(client):
    body = _form({"file": WAV})
    twice = body.removesuffix(b"--MARK--\r\n") + body

    error = client.post(PATH, content=twice, headers=HEADERS).json()["error"]

    assert error["param"] == "file" and "holds file twice" in error["message"]


@pytest.mark.parametrize(
    "content_type",
    [
        'multipart/form-data; charset=utf-8; boundary="MARK"',
        "Multipart/Form-Data;boundary=MARK; charset=utf-8",
        "multipart/form-data; boundary=MARK",
    ],
)
def test_a_forms_type_may_have_other_parameters(content_type):
    assert boundary_of(content_type) == b"--MARK"


@pytest.mark.parametrize(
    "content_type",
    ["", "multipart/form-data", "text/plain; boundary=MARK", "multipart/form-data; xboundary=M"],
)
def test_a_body_that_is_no_form_is_refused_by_its_type(content_type):
    with pytest.raises(ApiError, match="multipart/form-data with a boundary"):
        boundary_of(content_type)


def test_model_and_health_name_no_paths(client):
    card = client.get("/v1/models").json()["data"][0]

    assert card["id"] == "voxgate-x"
    assert "source" not in card["options"]
    assert client.get("/health").json()["status"] == "ok"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--MARK--",
        b"--MARK\r\n\r\nx\r\n--MARK--",
        b'--MARK\r\nContent-Disposition: form-data; name="a"\r\n\r\nx',
        b"junk\r\n--MARK--",
        _form({"a": b"1"}).replace(b"--MARK--", b"") + _form({"a": b"2"}),
    ],
)
def test_a_damaged_form_is_refused(body):
    with pytest.raises(ApiError):
        parse_conversion(parse_form(body, b"--MARK"), ConversionConfig)


def test_a_form_keeps_every_byte_of_a_file():
    value = bytes(range(256)) + b"\r\n--MAR\r\n\r\n"

    assert parse_form(_form({"file": value}), b"--MARK") == {"file": value}
