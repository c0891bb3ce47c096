"""The API from outside: a real HTTP server and client, a fake voice."""

import io
import itertools
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx2
import numpy as np
import pytest
import soundfile

from tests.engine.serve.fakes import MODEL, PIECE, RATE_HZ, FakeSpeaker, house, hum
from voxgate.engine.errors import EngineError
from voxgate.engine.serve import app
from voxgate.engine.serve.limits import Limits


@pytest.fixture(name="home", scope="module")
def _home():
    with house(Limits(window_ms=5, max_characters=200, max_body_bytes=4096)) as found:
        yield found


def until(condition):
    """Wait for something that other threads do; a failure shows after ten seconds."""
    pause = threading.Event()
    for _ in range(1000):
        if condition():
            return True
        pause.wait(0.01)
    return False


def pcm(body: bytes) -> np.ndarray:
    return np.frombuffer(body, dtype="<i2").astype(np.float64) / 32767


@pytest.mark.parametrize("form", ["wav", "flac", None])
def test_a_file_holds_what_was_spoken(home, form):
    answer = home.ask(voice="rms", **({"response_format": form} if form else {}))

    audio, rate_hz = soundfile.read(io.BytesIO(answer.content))
    assert (answer.status_code, rate_hz, answer.headers["x-sample-rate"]) == (
        200,
        RATE_HZ,
        str(RATE_HZ),
    )
    assert answer.headers["content-type"] == f"audio/{form or 'wav'}"
    assert len(audio) == 3 * PIECE
    assert np.abs(audio - hum("Hello there.", "rms")).max() < 1e-4
    assert np.abs(audio - hum("Hello there.", "slt")).max() > 0.1


def test_bare_frames_say_their_rate(home):
    answer = home.ask(response_format="pcm")

    assert answer.headers["content-type"] == f"audio/pcm; rate={RATE_HZ}; channels=1"
    assert np.abs(pcm(answer.content) - hum("Hello there.")).max() < 1e-4


@pytest.mark.parametrize("form", ["wav", "pcm"])
def test_a_stream_holds_the_same_frames_as_the_whole(home, form):
    whole = home.ask(response_format=form).content
    streamed = home.ask(response_format=form, stream_format="audio").content

    head = 44 if form == "wav" else 0
    assert streamed[head:] == whole[head:] and len(whole) > head
    if form == "wav":
        assert streamed[:4] == b"RIFF" and streamed[40:44] == b"\xff\xff\xff\xff"


@pytest.mark.parametrize("changes", [{}, {"stream_format": "audio"}])
def test_a_header_tells_what_was_left_out_of_the_text(home, changes):
    said = "Hello " + "".join(chr(0x4E00 + number) for number in range(60)) + "\U0001f600."
    told = home.ask(input=said, **changes).headers["x-voxgate-dropped"]

    assert told.isascii() and len(told) < 400
    assert json.loads(told) == {"count": 61, "characters": said[6:46]}
    assert "x-voxgate-dropped" not in home.ask(**changes).headers


def test_a_refused_text_has_the_kind_of_its_fault_as_code(home):
    texts = ("[slow] Hi.", "\U0001f600", " ", "a" * 201)
    codes = [home.ask(input=text).json()["error"]["code"] for text in texts]

    assert codes == ["tagged_text", "unspeakable_text", "empty_text", "text_too_long"]


def test_a_stream_is_heard_before_it_is_spoken_to_its_end():
    speaker = FakeSpeaker(holds_from=1)
    speaker.may.clear()
    with (
        house(Limits(), speaker) as home,
        home.client.stream(
            "POST",
            "/v1/audio/speech",
            json=home.speech(stream_format="audio", response_format="pcm"),
        ) as answer,
    ):
        pieces = answer.iter_raw()
        first = next(pieces)
        assert len(first) == 2 * PIECE and speaker.pieces == 1
        speaker.may.set()
        assert len(first) + sum(map(len, pieces)) == 2 * 3 * PIECE


def test_whole_texts_are_spoken_together():
    speaker = FakeSpeaker()
    speaker.may.clear()
    with house(Limits(window_ms=50, max_batch=4), speaker) as home, ThreadPoolExecutor(5) as pool:
        blocker = pool.submit(home.ask, input="First.")
        assert speaker.began.wait(10)
        texts = ["One.", "Two and more.", "Three.", "Four."]
        asked = [pool.submit(home.ask, input=text) for text in texts]
        assert until(lambda: home.admission.in_flight == 5)
        speaker.may.set()
        answers = [each.result() for each in asked]

        assert blocker.result().status_code == 200
        assert max(map(len, speaker.batches)) > 1 and sorted(
            itertools.chain(*speaker.batches)
        ) == sorted(["First.", *texts])
        for text, answer in zip(texts, answers, strict=True):  # and nobody gets another one's audio
            assert np.abs(pcm(answer.content[44:]) - hum(text)).max() < 1e-4


@pytest.mark.parametrize(
    ("changes", "status", "param", "words"),
    [
        ({"input": ""}, 400, "input", "at least one word"),
        ({"input": 5}, 400, "input", "must be text"),
        ({"input": "a" * 201}, 400, "input", "201 characters, the limit is 200"),
        ({"input": "\U0001f600"}, 400, "input", "can be spoken"),
        ({"input": "Hello <break/> there."}, 400, "input", "holds the tag '<break/>'"),
        ({"model": "tts-1"}, 404, "model", f"this server has {MODEL}"),
        ({"voice": "alloy"}, 400, "voice", "this server has slt, rms, awb"),
        ({"voice": {"id": "x"}}, 400, "voice", "there is no voice"),
        ({"response_format": "mp3"}, 400, "response_format", "sends wav, pcm, flac"),
        ({"response_format": ["wav"]}, 400, "response_format", "sends wav, pcm, flac"),
        ({"speed": 9}, 400, "speed", "from 0.5 to 2.0"),
        ({"speed": True}, 400, "speed", "must be a number"),
        ({"seed": "x"}, 400, "seed", "whole number"),
        ({"stream_format": "sse"}, 400, "stream_format", "use audio"),
        (
            {"stream_format": "audio", "response_format": "flac"},
            400,
            "response_format",
            "cannot be streamed",
        ),
        ({"instructions": "Whisper."}, 400, "instructions", "follows no instructions"),
        ({"emotion": "sad"}, 400, "emotion", "known are model, input"),
    ],
)
def test_what_cannot_be_done_is_refused_as_openai_does(home, changes, status, param, words):
    answer = home.ask(**changes)

    error = answer.json()["error"]
    assert (answer.status_code, error["param"], error["type"]) == (
        status,
        param,
        "invalid_request_error",
    )
    assert words in error["message"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b"[" * 3000, "not valid JSON"),
        (b"[1]", "must be a JSON object, not list"),
        (b"\xff\xfe", "not valid JSON"),
        (json.dumps({"model": MODEL, "input": "a\ud800b"}).encode(), "half of a surrogate pair"),
    ],
)
def test_a_body_that_is_no_request_is_refused(home, body, words):
    answer = home.client.post(
        "/v1/audio/speech", content=body, headers={"Content-Type": "application/json"}
    )

    assert answer.status_code == 400 and words in answer.json()["error"]["message"]


def test_a_body_beyond_the_limit_is_refused_whether_or_not_it_tells_its_length(home):
    long = json.dumps(home.speech(input="a" * 5000)).encode()
    kind = {"Content-Type": "application/json"}

    declared = home.client.post("/v1/audio/speech", content=long, headers=kind)
    chunked = home.client.post(
        "/v1/audio/speech", content=iter([long[:3000], long[3000:]]), headers=kind
    )

    for answer in (declared, chunked):
        assert (
            answer.status_code == 413
            and "longer than 4096 bytes" in answer.json()["error"]["message"]
        )


def test_a_body_that_never_comes_gives_its_connection_up(home, monkeypatch):
    monkeypatch.setattr(app, "BODY_TIMEOUT_S", 0.05)
    host, port = home.url.removeprefix("http://").split(":")
    import socket

    with socket.create_connection((host, int(port)), timeout=10) as wire:
        wire.sendall(
            b"POST /v1/audio/speech HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
            b"application/json\r\nContent-Length: 9\r\n\r\n{"
        )
        assert wire.recv(100).startswith(b"HTTP/1.1 408")


def test_a_form_of_a_web_page_is_refused_and_other_pages_are_named(home):
    form = home.client.post(
        "/v1/audio/speech", content=b"{}", headers={"Content-Type": "text/plain"}
    )
    assert form.status_code == 415 and "application/json" in form.json()["error"]["message"]
    for answer, status in (
        (home.client.get("/v1/audio/speech"), 405),
        (home.client.get("/nowhere"), 404),
    ):
        assert (
            answer.status_code == status
            and "there is POST /v1/audio/speech" in answer.json()["error"]["message"]
        )


def test_it_tells_what_it_runs_with(home):
    (card,) = home.client.get("/v1/models").json()["data"]
    health = home.client.get("/health").json()

    assert (card["id"], card["object"], card["sample_rate_hz"]) == (MODEL, "model", RATE_HZ)
    assert card["options"]["nfe_steps"] == 7 and card["options"]["precision"] == "fp32"
    assert card["voices"] == ["slt", "rms", "awb"] and card["limits"]["max_characters"] == 200
    assert health == {"status": "ok", "model": MODEL, "inside": 0, "queue": 32}


@pytest.mark.parametrize("streamed", [False, True])
def test_a_full_house_lets_nobody_in_and_says_when_to_come_back(streamed):
    speaker = FakeSpeaker()
    speaker.may.clear()
    changes = {"stream_format": "audio"} if streamed else {}
    with (
        house(Limits(queue=2, max_batch=1, window_ms=0), speaker) as home,
        ThreadPoolExecutor(2) as pool,
    ):
        in_flight = [pool.submit(home.ask, **changes) for _ in range(2)]
        assert until(lambda: home.admission.in_flight == 2)
        refused = home.ask(**changes)

        assert refused.status_code == 429 and int(refused.headers["retry-after"]) >= 1
        assert refused.json()["error"] | {"message": ""} == {
            "message": "", "type": "rate_limit_error", "param": None, "code": "queue_full",
        }  # fmt: skip
        speaker.may.set()
        assert [each.result().status_code for each in in_flight] == [200, 200]
        assert until(lambda: home.admission.in_flight == 0) and home.ask().status_code == 200


def test_a_client_that_leaves_while_it_waits_frees_its_place_and_is_never_spoken():
    speaker = FakeSpeaker()
    speaker.may.clear()
    with (
        house(Limits(queue=3, max_batch=1, window_ms=0), speaker) as home,
        ThreadPoolExecutor(1) as pool,
    ):
        first = pool.submit(home.ask, input="First.")
        assert speaker.began.wait(10)
        waiting = [home.raw(input="Gone."), home.raw(input="Gone too.", stream_format="audio")]
        assert until(lambda: home.admission.in_flight == 3)
        waiting[0].close()
        assert until(lambda: home.admission.in_flight == 2)
        speaker.may.set()

        assert first.result().status_code == 200
        assert home.ask(input="Next.").status_code == 200
        assert ["Gone."] not in speaker.batches
        waiting[1].close()


@pytest.mark.parametrize("heard", [0, 1])
def test_a_client_that_leaves_its_stream_ends_it(heard, monkeypatch):
    speaker = FakeSpeaker(holds_from=heard)
    speaker.may.clear()
    with house(Limits(), speaker) as home:
        orders, let_in = [], home.admission.submit_stream
        monkeypatch.setattr(
            home.admission,
            "submit_stream",
            lambda *asked: orders.append(let_in(*asked)) or orders[-1],
        )
        wire = home.raw(stream_format="audio")
        assert speaker.began.wait(10) and home.admission.in_flight == 1
        if heard:
            assert wire.recv(100).startswith(b"HTTP/1.1 200")
        wire.close()
        assert until(lambda: orders[0].cancelled.is_set())
        speaker.may.set()

        assert until(lambda: home.admission.in_flight == 0)
        assert speaker.pieces < 3


@pytest.mark.parametrize("streamed", [False, True])
def test_a_mistake_of_the_engine_is_a_server_error_that_tells_no_secrets(streamed):
    with house(Limits(window_ms=0), FakeSpeaker(fails_after=0)) as home:
        answer = home.ask(**({"stream_format": "audio"} if streamed else {}))

        assert answer.status_code == 500 and answer.json()["error"]["type"] == "server_error"
        assert "secret" not in answer.text
        assert until(lambda: home.admission.in_flight == 0)


def test_a_refusal_of_the_engine_is_told():
    with house(
        Limits(window_ms=0), FakeSpeaker(fails_after=0, raises=EngineError("this text is too odd"))
    ) as home:
        answer = home.ask()

        assert (
            answer.status_code == 400
            and answer.json()["error"]["message"] == "this text is too odd"
        )


def test_audio_that_breaks_off_does_not_look_whole():
    with (
        house(Limits(), FakeSpeaker(fails_after=1)) as home,
        pytest.raises(httpx2.RemoteProtocolError),
    ):
        home.ask(stream_format="audio", response_format="pcm")
