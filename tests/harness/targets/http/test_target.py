"""The target `http` against honest and broken servers."""

import contextlib
import io
import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from tests.harness.targets.speech_servers import (
    MODELS,
    RATE_HZ,
    Fake,
    Reply,
    fake_server,
    refused,
    tone,
    wav,
)
from voxgate import Suite
from voxgate.harness.cli.main import invoke
from voxgate.harness.errors import HarnessError
from voxgate.harness.records.cell import Cell, Request, Workload
from voxgate.harness.records.run import OptionCheck
from voxgate.harness.runner.failures import classify
from voxgate.harness.runner.run_folder import load_run
from voxgate.harness.runner.timing import time_synthesis
from voxgate.harness.targets.http import client
from voxgate.harness.targets.http.client import (
    SpeechApi,
    SpeechError,
    reported_limits,
    reported_voices,
)
from voxgate.harness.targets.http.target import KEY, URL, HttpTarget
from voxgate.harness.targets.registry import check_cells, make_target

REQUEST = Request(id="r1", text="One.", options={"speaker": "slt"})


@pytest.fixture(autouse=True)
def _no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(URL, raising=False)
    monkeypatch.delenv(KEY, raising=False)


def cell(**options: object) -> Cell:
    workload = Workload(name="w", requests=(REQUEST,))
    return Cell(
        suite="s", target="http", pipeline="speech", workload=workload, axes={}, fixed=options
    )  # type: ignore[arg-type]


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


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ('{"count": 2, "characters": "\\u65e5#"}', (("dropped", "\u65e5#"),)),
        ('{"count": 2, "characters": ["a"]}', ()),
        ('"characters"', ()),
        ("[" * 3000, ()),
        ('{"count": 1, "characters": "' + "x" * 900 + '"}', (("dropped", "x" * 200),)),
        ("", ()),
    ],
)
def test_what_a_server_left_out_is_noted_as_far_as_it_can_be_read(
    header: str, told: tuple[tuple[str, str], ...]
) -> None:
    headers = {"Content-Type": "audio/wav", "X-Voxgate-Dropped": header}
    with fake_server(Reply(headers=headers, parts=(wav(tone()),))) as fake:
        target = loaded(fake)
        for _ in target.synthesize(Request(id="r1", text="One."), unwatched):
            pass
        assert tuple(target.notices) == told


def test_the_worker_times_it_like_any_target() -> None:
    from voxgate.harness.machine.clock import WallClock

    with fake_server(Reply(parts=(wav(tone()),))) as fake:
        timing = time_synthesis(loaded(fake), REQUEST, WallClock())

    assert len(timing.audio) == len(tone()) and 0 < timing.first_audio_s <= timing.wall_s


def test_it_asks_as_the_api_has_it() -> None:
    with fake_server(Reply(parts=(wav(tone()),))) as fake:
        heard(loaded(fake))
        heard(loaded(fake, voice="alloy", speed=1.5, seed=3, streamed=False))

    assert fake.asked[0] == {
        "model": "tiny", "input": "One.", "voice": "slt", "response_format": "wav",
        "stream_format": "audio",
    }  # fmt: skip
    assert fake.asked[1] == {
        "model": "tiny", "input": "One.", "voice": "alloy", "response_format": "wav", "speed": 1.5,
        "seed": 3,
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
def test_bare_frames_have_the_rate_that_the_headers_tell_or_the_apis(
    headers: dict[str, str], rate_hz: int
) -> None:
    with fake_server(Reply(headers=headers, parts=(wav(tone())[44:],))) as fake:
        target = loaded(fake, form="pcm")
        assert sum(map(len, heard(target))) == len(tone())
        assert target.sample_rate_hz == rate_hz


def test_l16_is_in_network_byte_order_unless_the_option_says_otherwise() -> None:
    little = wav(tone())[44:]
    big = np.frombuffer(little, "<i2").astype(">i2").tobytes()
    for frames, options in ((big, {}), (little, {"byte_order": "little"})):
        reply = Reply(headers={"Content-Type": "audio/L16; rate=22050"}, parts=(frames,))
        with fake_server(reply) as fake:
            audio = np.concatenate(heard(loaded(fake, form="pcm", **options)))
            np.testing.assert_allclose(audio, tone(), atol=1e-4)
            assert "byte_order" not in fake.asked[-1]
    reply = Reply(headers={"Content-Type": "audio/L16"}, parts=(little,))
    with fake_server(reply) as fake, pytest.raises(SpeechError, match="byte_order='little'") as it:
        heard(loaded(fake, form="pcm"))
    assert it.value.kind == "bad format"


def voices(asked: dict[str, Any]) -> Reply:
    """An honest server: voice, seed and speed change the audio."""
    pitch = 5 + {"slt": 0, "rms": 1}.get(asked.get("voice", "slt"), 2) + asked.get("seed", 0) % 3
    return Reply(
        parts=(
            wav(
                (0.5 * np.sin(np.arange(round(9000 / asked.get("speed", 1.0))) / pitch)).astype(
                    np.float32
                )
            ),
        )
    )


def seen(
    reply: Reply | Callable[[dict[str, Any]], Reply], **options: object
) -> dict[str, OptionCheck]:
    with fake_server(reply) as fake:
        return {effect.option: effect for effect in loaded(fake, **options).observe(REQUEST)}


def test_voice_seed_and_speed_are_heard_at_an_honest_server() -> None:
    effects = seen(voices, voice="rms", speed=1.5, seed=4)

    assert {name for name, effect in effects.items() if effect.in_effect} == {
        "voice",
        "speed",
        "seed",
    }
    assert {name for name, effect in effects.items() if effect.reason == "heard"} == {
        "voice",
        "speed",
        "seed",
    }
    assert (
        effects["speaker"].in_effect is None
        and effects["speed"].observed == "1.50 times as fast as speed 1"
    )
    assert "url" not in effects


@pytest.mark.parametrize("option", ["voice", "speed", "seed", "speaker"])
def test_a_server_that_passes_over_an_option_is_found_out(option: str) -> None:
    ignored = "voice" if option == "speaker" else option
    options: dict[str, object] = {
        "voice": {"voice": "rms"},
        "speed": {"speed": 1.2},
        "seed": {"seed": 4},
    }.get(option, {})
    effects = seen(
        lambda asked: voices({name: value for name, value in asked.items() if name != ignored}),
        **options,
    )

    broken = [name for name, effect in effects.items() if effect.in_effect is False]
    assert broken == [option] if option in ("voice", "speaker") else option in broken


def test_what_leaves_no_trace_is_recorded_as_told() -> None:
    with fake_server(voices) as fake:
        target = loaded(fake, model="tiny")
        effects = {effect.option: effect for effect in target.observe(REQUEST)}
        assert target.effective()["server.nfe_steps"] == 8
    assert (effects["model"].in_effect, effects["model"].reason) == (
        None,
        "tiny is listed, as the server tells",
    )
    with fake_server(voices, models=None) as fake:
        (effect,) = [
            each for each in loaded(fake, model="x").observe(REQUEST) if each.option == "speaker"
        ]
    assert (effect.in_effect, effect.observed, effect.reason) == (
        None,
        "not observable",
        "sent, and not refused",
    )


def test_a_server_that_never_says_the_same_twice_shows_nothing_by_other_audio() -> None:
    count = iter(range(99))

    def unseeded(asked: dict[str, Any]) -> Reply:
        return Reply(parts=(wav(tone(4410 + next(count))),))

    effects = seen(unseeded, voice="rms", seed=3)
    assert {effects[name].in_effect for name in ("voice", "seed")} == {None}
    assert effects["voice"].reason == "the same request sounds otherwise each time"


def test_another_seed_that_changes_no_more_than_rounding_is_not_in_effect() -> None:
    def almost(asked: dict[str, Any]) -> Reply:
        file = io.BytesIO()
        audio = tone() + np.float32(2e-7 * asked.get("seed", 0))
        soundfile.write(file, audio, RATE_HZ, format="WAV", subtype="FLOAT")
        return Reply(parts=(file.getvalue(),))

    assert seen(almost, seed=3)["seed"].in_effect is False


def test_streaming_holds_only_where_several_pieces_came() -> None:
    body = wav(tone(), size=0xFFFFFFFF)
    may = threading.Event()
    apart = Reply(parts=(body[:4000], lambda: may.wait(0.05), body[4000:]))
    assert seen(apart, streamed=True)["streamed"].in_effect is True
    assert seen(Reply(parts=(wav(tone()),)), streamed=True)["streamed"].in_effect is None
    assert seen(Reply(parts=(wav(tone()),)), streamed=False, form="wav")["form"].in_effect is True


def test_a_voice_that_the_server_does_not_have_is_not_in_effect() -> None:
    assert not seen(voices, voice="nova")["voice"].in_effect


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
            with pytest.raises(
                HarnessError, match="the server lists tiny, large: name one of them"
            ):
                loaded(fake, **asked)


ALL = wav(tone())
BROKEN = {
    "busy": (
        refused(429, "full", **{"Retry-After": "7"}),
        "busy",
        r"HTTP 429: full \(Retry-After: 7 s\)",
    ),
    "server error": (refused(500, "boom"), "server error", "HTTP 500: boom"),
    "bare 503": (
        Reply(503, {"Content-Type": "text/html"}, (b"<h1>down</h1>",)),
        "server error",
        "HTTP 503: <h1>down</h1>",
    ),
    "refused": (refused(400, "no such voice"), "refused", "HTTP 400: no such voice"),
    "unauthorised": (refused(401, "who are you"), "refused", "HTTP 401"),
    "nothing": (Reply(), "bad format", "ends after 0 bytes"),
    "a head alone": (Reply(parts=(wav(tone(0), size=0),)), "no audio", "without a single frame"),
    "json": (
        Reply(200, {"Content-Type": "application/json"}, (b'{"error": {"message": "later"}}',)),
        "bad format",
        "later",
    ),
    "mp3": (
        Reply(parts=(b"\xff\xfb\x90\x64" + b"x" * 400,)),
        "bad format",
        "no WAV file: it begins with",
    ),
    "cut": (Reply(parts=(ALL[:2000],), cut=True), "broken off", "broke off"),
    "short": (Reply(parts=(ALL[:2000],)), "bad format", "before the length that its head promised"),
    "odd": (Reply(parts=(wav(tone(), size=0)[:1999],)), "bad format", "ends within a frame"),
    "a file per chunk": (
        Reply(parts=(ALL, ALL)),
        "bad format",
        "a second WAV file behind the first",
    ),
    "packed": (
        Reply(headers={"Content-Type": "audio/wav", "Content-Encoding": "gzip"}),
        "bad format",
        "Content-Encoding gzip",
    ),
    "an error with 200": (
        Reply(
            headers={"Content-Type": "application/problem+json"},
            parts=(b'{"error": {"message": "no voice"}}',),
        ),
        "bad format",
        r"sent application/problem\+json in place of audio: no voice",
    ),
    "a page that claims to be audio": (
        Reply(parts=(b"<html>502 Bad Gateway, sorry</html>",)),
        "bad format",
        "text: '<html>502",
    ),
    "another rate than it says": (
        Reply(headers={"Content-Type": "audio/wav; rate=8000"}, parts=(ALL,)),
        "bad format",
        "22050 Hz and the server's headers 8000 Hz",
    ),
}
FRAMES = ALL[44:]
PCM = {"Content-Type": "audio/pcm"}
NO_PCM = {
    "a WAV file": (Reply(headers=PCM, parts=(ALL,)), "a WAV file was sent"),
    "an MP3 file": (
        Reply(headers=PCM, parts=(b"ID3\x03\0\0\0\0\0\0" + b"x" * 99,)),
        "an MP3 file was sent",
    ),
    "told to be MP3": (
        Reply(headers={"Content-Type": "audio/mpeg"}, parts=(FRAMES,)),
        "asked for bare PCM, the server sent audio/mpeg",
    ),
    "told to be WAV": (
        Reply(headers={"Content-Type": "audio/x-wav"}, parts=(ALL,)),
        "the server sent audio/x-wav",
    ),
    "stereo": (
        Reply(headers={"Content-Type": "audio/pcm; rate=24000; channels=2"}, parts=(FRAMES,)),
        "with 1 channels, the server sent 2",
    ),
    "24 bits": (
        Reply(headers=PCM | {"X-Bit-Depth": "24"}, parts=(FRAMES,)),
        "with 16 bits, the server sent 24",
    ),
    "an absurd rate": (
        Reply(headers={"Content-Type": "audio/pcm; rate=24"}, parts=(FRAMES,)),
        "has 24 Hz, which no audio has",
    ),
    "half a frame": (Reply(headers=PCM, parts=(FRAMES[:-1],)), "ends within a frame: 1 of 2 bytes"),
    "an error": (
        Reply(headers=PCM, parts=(b'{"error": {"message": "out of memory"}}',)),
        'text: \'{"error"',
    ),
}


@pytest.mark.parametrize("name", NO_PCM)
def test_asked_for_pcm_and_sent_something_else_is_a_failure_that_says_what(name: str) -> None:
    reply, reason = NO_PCM[name]
    with fake_server(reply) as fake, pytest.raises(SpeechError, match=reason) as caught:
        heard(loaded(fake, form="pcm"))

    assert caught.value.kind == "bad format"


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_server_is_a_failure_of_one_kind_with_a_reason(name: str) -> None:
    reply, kind, reason = BROKEN[name]
    with fake_server(reply) as fake, pytest.raises(SpeechError, match=reason) as caught:
        heard(loaded(fake))

    assert caught.value.kind == kind
    assert classify(caught.value).kind == kind  # and so it stands in the run folder


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
        ("speech", {"byte_order": "middle"}, "byte_order cannot be 'middle'; choose from little"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(
    pipeline: str, options: dict[str, object], message: str
) -> None:
    with pytest.raises(HarnessError, match=message):
        HttpTarget.check_options(pipeline, options)  # type: ignore[arg-type]


def test_without_an_address_it_says_how_to_give_one() -> None:
    with pytest.raises(HarnessError, match=f"set {URL}"):
        HttpTarget().load(cell(), {})
    with pytest.raises(HarnessError, match="must begin with http://"):
        HttpTarget().load(cell(url="localhost:8080"), {})


def test_a_suite_can_name_it(make_suite: Callable[..., Suite]) -> None:
    suite = make_suite(
        target="http",
        pipeline="speech",
        axes={"streamed": [True, False]},
        reference={"streamed": True},
        fixed={},
    )
    cells = suite.expand().cells

    check_cells(cells)
    assert [each.slug for each in cells] == ["streamed-true", "streamed-false"]


SUITE = """
from voxgate import Suite

axes = {"streamed": [True, False]}
suite = Suite(target="http", pipeline="speech", workload="w.toml", axes=axes, reference={"streamed": True}, repeats=1)
"""  # noqa: E501


@pytest.fixture(name="project")
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    # the harness beside these tests
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[4]))
    (tmp_path / "suites").mkdir()
    (tmp_path / "suites" / "s.py").write_text(SUITE)
    (tmp_path / "w.toml").write_text('[[request]]\nid = "r1"\ntext = "One."\nspeaker = "slt"\n')
    return tmp_path


def test_a_run_measures_it_in_worker_processes(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fake_server(voices) as fake:
        monkeypatch.setenv(URL, fake.url)
        assert invoke(["run", "s", "--profile", "cpu", "--iterations", "2"]) == 0
    run = load_run(project / "runs" / "0001")

    assert [process.cell for process in run.processes] == ["streamed-true", "streamed-false"]
    for process in run.processes:
        assert process.effective["server.nfe_steps"] == 8 and process.effective["url"] == fake.url
        assert any(
            effect.option == "speaker" and effect.reason == "heard" for effect in process.effects
        )
        assert process.peak_rss_bytes is None  # the worker's own memory is not the server's
        assert process.iterations[-1].audio_s == pytest.approx(9000 / RATE_HZ)


def test_a_run_against_a_full_server_fails_with_its_reason(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fake_server(refused(429, "full")) as fake:
        monkeypatch.setenv(URL, fake.url)
        assert invoke(["run", "s", "--profile", "cpu"]) == 1
    failures = [process.failure for process in load_run(project / "runs" / "0001").processes]

    assert all(
        failure is not None and (failure.kind, failure.reason) == ("busy", "HTTP 429: full")
        for failure in failures
    )


ODD_MODELS = {
    "no JSON": b"<html>",
    "nothing": b"",
    "null": b"null",
    "a number": b"5",
    "a list": b"[]",
    "no data": b"{}",
    "data null": b'{"data": null}',
    "data a number": b'{"data": 5}',
    "data a word": b'{"data": "tiny"}',
    "data an object": b'{"data": {"id": "tiny"}}',
    "deep": b'{"data": ' + b"[" * 100_000,
    "no text": b"\xff\xfe\x00",
    "long": b'{"data": ["' + b"x" * 2**21 + b'"]}',
    "a long number": b'{"data": ' + b"9" * 10_000 + b"}",
}


@pytest.mark.parametrize("name", ODD_MODELS)
def test_a_list_of_models_that_is_none_is_one_clear_error(name: str) -> None:
    with (
        fake_server(Reply(), models=ODD_MODELS[name]) as fake,
        pytest.raises(SpeechError) as raised,
    ):
        loaded(fake)
    assert raised.value.kind == "bad format" and "gives no list of models" in str(raised.value)
    assert str(raised.value).isprintable() and len(str(raised.value)) < 400


def test_odd_entries_of_a_list_of_models_are_passed_over() -> None:
    odd = [
        None,
        5,
        "tiny",
        [],
        {},
        {"id": None},
        {"id": 7},
        {"id": ""},
        {"id": "\x1b[31m"},
        {"id": "x" * 1000},
    ]
    told = (
        b'{"id": "tiny", "options": {"a": NaN, "b": [1], "c": 1e999, "\\u001b": 1, "d": "\\u001b", '
        b'"e": 8, "f": 1' + b"0" * 400
    )
    told += (
        b'.5, "g": true}, "voices": [null, {"x": 1}, "slt", 5, ""], "limits": {"queue": 32, "x": '
        b"NaN}}"
    )
    models = (
        b'{"data": ['
        + b",".join(json.dumps(each).encode() for each in odd)
        + b","
        + told
        + b","
        + told
        + b"]}"
    )
    with fake_server(Reply(), models=models) as fake:
        target, card = loaded(fake), SpeechApi(fake.url, 5.0).models()[0]
    shown = {
        name: value for name, value in target.effective().items() if name.startswith("server.")
    }
    assert (target.effective()["model"], shown) == ("tiny", {"server.e": 8, "server.g": True})
    assert (reported_voices(card), reported_limits(card)) == (["slt"], {"queue": 32})
    assert [reported_voices({"voices": each}) for each in (None, 5, "slt", {})] == [None] * 4


def test_a_rate_that_no_audio_has_is_refused() -> None:
    reply = Reply(headers={"Content-Type": f"audio/pcm; rate={'9' * 5000}"}, parts=(b"\0\0",))
    with fake_server(reply) as fake, pytest.raises(SpeechError, match="which no audio has"):
        heard(loaded(fake, form="pcm"))


def test_an_endless_refusal_is_not_read_to_its_end() -> None:
    reply = Reply(
        status=400,
        headers={"Content-Type": "text/plain"},
        parts=tuple(b"no\x1b[31m " * 20_000 for _ in range(100)),
    )
    with (
        fake_server(reply) as fake,
        pytest.raises(SpeechError, match=r"HTTP 400: no \[31m no") as raised,
    ):
        heard(loaded(fake))
    assert len(str(raised.value)) < 300


def test_a_server_that_never_stops_speaking_is_broken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "LARGEST_FRAMES", 10_000)
    reply = Reply(headers={"Content-Type": "audio/pcm"}, parts=(bytes(8192),) * 100)
    with (
        fake_server(reply) as fake,
        pytest.raises(SpeechError, match="more than 10000 frames for one text") as raised,
    ):
        heard(loaded(fake, form="pcm"))
    assert raised.value.kind == "bad format"
