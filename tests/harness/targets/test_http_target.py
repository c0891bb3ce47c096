"""The target `http` against honest and broken servers."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from harness import Suite
from harness.cell import Cell, Request, Workload
from harness.errors import HarnessError
from harness.targets.http import KEY, URL, HttpTarget, check_options
from harness.targets.registry import check_cells, make_target
from harness.targets.speech_api import SpeechError
from harness.worker import failure_of, time_synthesis
from tests.harness.targets.speech_servers import MODELS, RATE_HZ, Fake, Reply, fake_server, refused, tone, wav

REQUEST = Request(id="r1", text="One.", options={"speaker": "slt"})


@pytest.fixture(autouse=True)
def _no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(URL, raising=False)
    monkeypatch.delenv(KEY, raising=False)


def cell(**options: object) -> Cell:
    workload = Workload(name="w", requests=(REQUEST,))
    return Cell(suite="s", target="http", pipeline="speech", workload=workload, axes={}, fixed=options)  # type: ignore[arg-type]


def loaded(fake: Fake, **options: object) -> HttpTarget:
    target = HttpTarget()
    target.load(cell(url=fake.url, **options), {"device": "cpu", "threads": 1})
    return target


def unwatched(_: str) -> contextlib.AbstractContextManager[None]:
    return contextlib.nullcontext()


def heard(target: HttpTarget) -> list[np.ndarray]:
    return list(target.synthesize(REQUEST, unwatched))


def test_audio_arrives_piece_by_piece_with_the_servers_own_rate() -> None:
    may, body = threading.Event(), wav(tone(), size=0xFFFFFFFF)
    reply = Reply(parts=(body[:20], body[20:2044], lambda: may.wait(10), body[2044:]))
    with fake_server(reply) as fake:
        target, stages = loaded(fake), []

        @contextlib.contextmanager
        def watch(stage: str) -> Iterator[None]:
            stages.append(stage)
            yield

        pieces = target.synthesize(REQUEST, watch)
        first = next(pieces)  # arrives while the server holds the rest back
        assert first.size == 1000 and target.sample_rate_hz == RATE_HZ
        may.set()
        audio = np.concatenate([first, *pieces])

    assert np.abs(audio - tone()).max() < 1e-4
    assert stages[0] == "first_audio" and set(stages[1:]) == {"further_audio"}


def test_the_worker_times_it_like_any_target() -> None:
    from harness.clock import WallClock

    with fake_server(Reply(parts=(wav(tone()),))) as fake:
        timing = time_synthesis(loaded(fake), REQUEST, WallClock())

    assert len(timing.audio) == len(tone()) and 0 < timing.first_audio_s <= timing.wall_s


def test_it_asks_as_the_api_has_it() -> None:
    with fake_server(Reply(parts=(wav(tone()),))) as fake:
        heard(loaded(fake))
        heard(loaded(fake, voice="alloy", speed=1.5, seed=3, streamed=False))

    assert fake.asked[0] == {
        "model": "tiny", "input": "One.", "voice": "slt", "response_format": "wav", "stream_format": "audio",
    }  # fmt: skip
    assert fake.asked[1] == {
        "model": "tiny", "input": "One.", "voice": "alloy", "response_format": "wav", "speed": 1.5, "seed": 3,
    }  # fmt: skip
    assert fake.keys == [None, None]


def test_address_and_key_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY, "sesame")
    with fake_server(Reply(parts=(wav(tone()),))) as fake:
        monkeypatch.setenv(URL, f"{fake.url}/v1/")  # as OpenAI's clients have it
        target = make_target("http")
        target.load(cell(), {})
        list(target.synthesize(REQUEST, unwatched))

    assert fake.keys == ["Bearer sesame"]
    assert "sesame" not in str(target.effective())


@pytest.mark.parametrize(
    ("headers", "rate_hz"),
    [
        ({"Content-Type": "audio/pcm; rate=8000; channels=1"}, 8000),
        ({"Content-Type": "audio/pcm", "X-Sample-Rate": "16000"}, 16000),
        ({"Content-Type": "audio/pcm"}, 24000),
    ],
)
def test_bare_frames_have_the_rate_that_the_headers_tell_or_the_apis(headers: dict[str, str], rate_hz: int) -> None:
    with fake_server(Reply(headers=headers, parts=(wav(tone())[44:],))) as fake:
        target = loaded(fake, form="pcm")
        assert sum(map(len, heard(target))) == len(tone())
        assert target.sample_rate_hz == rate_hz


def test_what_the_server_tells_is_recorded_as_told() -> None:
    with fake_server(Reply(parts=(wav(tone()),))) as fake:
        target = loaded(fake, voice="slt", speed=1.2)
        effects = {effect.option: effect for effect in target.observe(REQUEST)}
        assert target.effective()["server.nfe_steps"] == 8

    assert effects["speed"].holds and effects["speed"].why == "told by the server, not observed"
    assert effects["voice"].holds and effects["voice"].observed == "the server has slt, rms"
    assert effects["speaker"].observed == "voice slt"


def test_a_voice_that_the_server_does_not_have_is_not_in_effect() -> None:
    with fake_server(Reply(parts=(wav(tone()),))) as fake:
        (effect,) = [each for each in loaded(fake, voice="nova").observe(REQUEST) if each.option == "voice"]

    assert not effect.holds


def test_a_server_without_a_list_of_models_is_asked_for_the_one_that_is_named() -> None:
    with fake_server(Reply(parts=(wav(tone()),)), models=None) as fake:
        heard(loaded(fake, model="tts-1"))
        assert fake.asked[0]["model"] == "tts-1"
        with pytest.raises(HarnessError, match="the server lists none: name one"):
            loaded(fake)


def test_a_model_that_is_not_listed_or_not_alone_must_be_named() -> None:
    two = {"data": [*MODELS["data"], {"id": "large"}]}
    with fake_server(Reply(), models=two) as fake:
        for asked in ({}, {"model": "huge"}):
            with pytest.raises(HarnessError, match="the server lists tiny, large: name one of them"):
                loaded(fake, **asked)


ALL = wav(tone())
BROKEN = {
    "busy": (refused(429, "full", **{"Retry-After": "7"}), "busy", r"HTTP 429: full \(Retry-After: 7 s\)"),
    "server error": (refused(500, "boom"), "server error", "HTTP 500: boom"),
    "bare 503": (Reply(503, {"Content-Type": "text/html"}, (b"<h1>down</h1>",)), "server error", "HTTP 503: <h1>down</h1>"),
    "refused": (refused(400, "no such voice"), "refused", "HTTP 400: no such voice"),
    "unauthorised": (refused(401, "who are you"), "refused", "HTTP 401"),
    "nothing": (Reply(), "bad format", "ends after 0 bytes"),
    "a head alone": (Reply(parts=(wav(tone(0), size=0),)), "no audio", "without a single frame"),
    "json": (Reply(200, {"Content-Type": "application/json"}, (b'{"error": {"message": "later"}}',)), "bad format", "later"),
    "mp3": (Reply(parts=(b"\xff\xfb\x90\x64" + b"x" * 400,)), "bad format", "no WAV file: it begins with"),
    "cut": (Reply(parts=(ALL[:2000],), cut=True), "broken off", "broke off"),
    "short": (Reply(parts=(ALL[:2000],)), "bad format", "before the length that its head promised"),
    "odd": (Reply(parts=(wav(tone(), size=0)[:1999],)), "bad format", "ends within a frame"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_server_is_a_failure_of_one_kind_with_a_reason(name: str) -> None:
    reply, kind, reason = BROKEN[name]
    with fake_server(reply) as fake, pytest.raises(SpeechError, match=reason) as caught:
        heard(loaded(fake))

    assert caught.value.kind == kind
    assert failure_of(caught.value).kind == kind  # and so it stands in the run folder


def test_a_server_that_is_not_there_or_silent_is_named() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        with pytest.raises(SpeechError, match=f"{url} cannot be reached") as caught:
            HttpTarget().load(cell(url=url), {})
        assert caught.value.kind == "no connection"
    may = threading.Event()
    with fake_server(Reply(parts=(ALL[:1000], lambda: may.wait(10)))) as fake:
        with pytest.raises(SpeechError, match=r"did not answer, or paused, for 0\.1 s") as caught:
            heard(loaded(fake, timeout_s=0.1))
        may.set()
    assert caught.value.kind == "timeout"


@pytest.mark.parametrize(
    ("pipeline", "options", "message"),
    [
        ("flow", {}, "pipeline speech"),
        ("speech", {"nfe_steps": 8}, r"not 'speech' \['nfe_steps'\]"),
        ("speech", {"form": "mp3"}, "choose from wav, pcm, flac"),
        ("speech", {"form": "flac"}, "cannot be streamed"),
        ("speech", {"timeout_s": 0}, "timeout_s cannot be 0"),
        ("speech", {"streamed": "yes"}, "streamed cannot be 'yes'"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(pipeline: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        check_options(pipeline, options)  # type: ignore[arg-type]


def test_without_an_address_it_says_how_to_give_one() -> None:
    with pytest.raises(HarnessError, match=f"set {URL}"):
        HttpTarget().load(cell(), {})
    with pytest.raises(HarnessError, match="must begin with http://"):
        HttpTarget().load(cell(url="localhost:8080"), {})


def test_a_suite_can_name_it(make_suite: Callable[..., Suite]) -> None:
    suite = make_suite(
        target="http", pipeline="speech", axes={"streamed": [True, False]}, reference={"streamed": True}, fixed={}
    )
    cells = suite.expand().cells

    check_cells(cells)
    assert [each.slug for each in cells] == ["streamed-true", "streamed-false"]
