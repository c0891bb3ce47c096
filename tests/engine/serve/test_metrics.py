"""`GET /metrics`: what happens is counted by labels of few values; every figure is documented."""

import ast
import re
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import httpx2
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_open
from prometheus_client.parser import text_string_to_metric_families as parse

from tests.engine.serve.fakes import PIECE, RATE_HZ, FakeSpeaker, House, house
from voxgate.engine.serve.limits import Limits
from voxgate.engine.serve.metrics import (
    DROPS,
    ERROR_KINDS,
    PREFIX,
    ServerMetrics,
    gpu_memory_bytes,
    kind_of,
)

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "serving-and-load.md").read_text()


class Scrape:
    """The figures of a server at one moment."""

    def __init__(self, home: House) -> None:
        self.answer = home.client.get("/metrics")
        self.families = {each.name: each for each in parse(self.answer.text)}
        self._samples = {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in self.families.values()
            for sample in family.samples
        }

    def of(self, name: str, **labels: str) -> float:
        return self._samples.get((f"{PREFIX}_{name}", tuple(sorted(labels.items()))), 0.0)


def grown(home: House, act, name: str, **labels: str) -> float:
    """By how much a figure grows while something happens."""
    before = Scrape(home).of(name, **labels)
    act()
    pause = threading.Event()
    for _ in range(200):  # an answer is counted just after it was read
        if (change := Scrape(home).of(name, **labels) - before) > 0:
            break
        pause.wait(0.005)
    return change


@pytest.fixture(name="home", scope="module")
def _home():
    with house(Limits(window_ms=1, max_characters=200, max_body_bytes=4096, queue=1)) as found:
        yield found


class Growth:
    """By how much figures grew while something happened; waits for so many answers more."""

    def __init__(self, home: House, *acts) -> None:
        self._before = Scrape(home)
        for act in acts:
            act()
        self.after = Scrape(home)
        pause = threading.Event()
        for _ in range(200):  # an answer is counted just after it was read
            if self.answers() >= len(acts):
                break
            pause.wait(0.005)
            self.after = Scrape(home)

    def answers(self) -> float:
        """Answers on other routes than that of the figures."""
        return sum(
            self.of("requests_total", **sample.labels)
            for sample in self.after.families[f"{PREFIX}_requests"].samples
            if sample.name.endswith("_total") and sample.labels["route"] != "/metrics"
        )

    def of(self, name: str, **labels: str) -> float:
        return self.after.of(name, **labels) - self._before.of(name, **labels)


def test_an_answer_is_counted_with_its_wait_its_first_audio_and_its_audio(home):
    kanji = "\u65e5\u672c"
    streamed = {"input": f"Hello {kanji}.", "stream_format": "audio"}
    grown = Growth(home, home.ask, lambda: home.ask(**streamed))

    assert grown.of("requests_total", route="/v1/audio/speech", status="200") == 2
    assert grown.of("request_duration_seconds_count", route="/v1/audio/speech") == 2
    assert grown.of("audio_seconds_total") == pytest.approx(2 * 3 * PIECE / RATE_HZ)
    assert grown.of("engine_seconds_total") > 0
    for mode in ("whole", "streamed"):
        for name in ("first_audio_seconds_count", "queue_wait_seconds_count"):
            assert grown.of(name, mode=mode) == 1, (mode, name)
    assert grown.of("batch_texts_count") == grown.of("batch_texts_sum") == 1
    assert grown.of("real_time_factor_count") == 1 + 3
    assert grown.of("left_out_characters_total") == len(kanji)

    found = grown.after
    assert (found.of("requests_waiting"), found.of("queue_places")) == (0, 1)
    assert found.of("engine_alive") == 1 and found.of("connections") >= 1
    assert found.families["process_resident_memory_bytes"].samples[0].value > 2**20
    (info,) = found.families[f"{PREFIX}_info"].samples
    assert info.labels["model"] == "voxgate-fake"


def test_each_kind_of_error_is_counted_under_its_name(home):
    def post(body: bytes, **headers: str) -> httpx2.Response:
        kind = {"Content-Type": "application/json", **headers}
        return home.client.post("/v1/audio/speech", content=body, headers=kind)

    acts = {
        "invalid_request": lambda: home.ask(input=""),
        "model_not_found": lambda: home.ask(model="tts-1"),
        "not_found": lambda: home.client.get("/nowhere"),
        "method_not_allowed": lambda: home.client.get("/v1/audio/speech"),
        "unsupported_media_type": lambda: post(b"{}", **{"Content-Type": "text/plain"}),
        "body_too_large": lambda: post(b" " * 5000),
        "host_not_allowed": lambda: post(b"{}", Host="evil.example"),
    }
    grown = Growth(home, *acts.values())

    assert {kind: grown.of("errors_total", kind=kind) for kind in ERROR_KINDS} == {
        kind: float(kind in acts) for kind in ERROR_KINDS
    }
    assert grown.of("rejected_total", reason="body_too_large") == 1
    assert grown.of("rejected_total", reason="host_not_allowed") == 1


def test_what_clients_invent_makes_no_label(home):
    names = {each.split(" ")[0] for each in Scrape(home).answer.text.splitlines()}
    for number in range(2):
        home.client.get(f"/made-up-{number}")
        home.client.request(f"ODD{number}", "/health")
        home.ask(model=f"made-up-{number}", voice=f"made-up-{number}")
    found = Scrape(home).answer.text
    new = {each.split(" ")[0] for each in found.splitlines()} - names

    assert "made-up" not in found and "ODD" not in found
    assert {re.search(r'route="([^"]*)"', each)[1] for each in new} <= {
        *("other", "/health", "/v1/audio/speech", "/metrics")
    }


def test_a_full_queue_rejects_and_shows_who_waits_and_who_is_spoken(home):
    home.speaker.may.clear()
    home.speaker.began.clear()
    try:
        with home.raw():
            assert home.speaker.began.wait(10)
            assert Scrape(home).of("requests_in_flight") == 1
            assert grown(home, home.ask, "rejected_total", reason="queue_full") == 1
    finally:
        home.speaker.may.set()


def test_work_that_waits_behind_other_work_is_seen_to_wait():
    speaker = FakeSpeaker()
    speaker.may.clear()
    names = ("requests_in_flight", "requests_waiting")

    def until(*wanted: int) -> None:
        pause = threading.Event()
        for _ in range(500):
            found = Scrape(home)
            if tuple(map(found.of, names)) == wanted:
                return
            pause.wait(0.01)
        raise AssertionError((wanted, *map(found.of, names)))

    with house(Limits(window_ms=1), speaker) as home:
        streamed = {"stream_format": "audio"}
        with home.raw(**streamed), home.raw(**streamed), home.raw():
            until(3, 2)
            speaker.may.set()
            until(0, 0)


@pytest.mark.parametrize(
    ("fails_after", "kind"), [(0, "engine_failed"), (1, "broken_stream")], ids=["first", "later"]
)
def test_a_failing_engine_is_an_error_of_its_kind(home, fails_after, kind):
    def ask() -> None:
        try:
            home.ask(stream_format="audio")
        except httpx2.TransportError:
            assert kind == "broken_stream"

    home.speaker.fails_after = fails_after
    try:
        assert grown(home, ask, "errors_total", kind=kind) == 1
    finally:
        home.speaker.fails_after = 99


def test_a_client_that_leaves_is_dropped(home):
    home.speaker.holds_from = 1
    home.speaker.may.clear()

    def leave() -> None:
        wire = home.raw(stream_format="audio")
        assert wire.recv(100)
        wire.close()

    try:
        assert grown(home, leave, "dropped_total", reason="client_left") == 1
    finally:
        home.speaker.holds_from = 0
        home.speaker.may.set()


def test_openmetrics_is_sent_to_who_asks_for_it(home):
    accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
    answer = home.client.get("/metrics", headers=accept)

    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert f"{PREFIX}_requests" in {each.name for each in parse_open(answer.text)}
    assert Scrape(home).answer.headers["content-type"].startswith("text/plain")


def test_gpu_memory_is_that_of_all_gpus_and_zero_before_one_is_used(monkeypatch):
    held = {0: 3, 1: 4}
    cuda = SimpleNamespace(device_count=lambda: 2, memory_reserved=held.get)
    for used, expected in ((True, 7.0), (False, 0.0)):
        cuda.is_initialized = lambda used=used: used
        monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
        assert gpu_memory_bytes() == expected
    monkeypatch.delitem(sys.modules, "torch")
    assert gpu_memory_bytes() == 0.0


def codes() -> set[str]:
    """The codes of all errors that the server's files raise."""
    found = set()
    for path in (ROOT / "engine" / "serve").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.keyword) and node.arg == "code":
                found |= {node.value.value} if isinstance(node.value, ast.Constant) else set()
    return found


def test_every_code_of_an_error_is_a_kind_of_its_own_or_of_its_status():
    """A new code is counted as `other` until it has a place here."""
    assert len(codes()) > 5
    assert {code: kind_of(0, code) for code in codes()} == {code: code for code in codes()}
    assert kind_of(404, "odd") == "not_found" and kind_of(418, None) == "other"


def documented() -> set[str]:
    return set(re.findall(rf"`({PREFIX}_[a-z_]+|process_[a-z_]+)[`{{]", PAGE))


def test_every_figure_and_every_label_value_is_documented_and_no_other():
    families = list(ServerMetrics().registry.collect())
    exported = {
        f"{each.name}_total"
        if each.type == "counter" and each.name.startswith(PREFIX)
        else each.name
        for each in families
    }

    assert {name for name in exported if name.startswith(PREFIX)} == {
        name for name in documented() if name.startswith(PREFIX)
    }
    assert "process_resident_memory_bytes" in documented()
    told = set(re.findall(r"`([a-z_]+)`", PAGE))
    assert {*ERROR_KINDS, *DROPS} <= told
