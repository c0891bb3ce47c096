"""
What a connection may do to a server, over real sockets: drip, idle, come in hundreds, never read,
name another host.
"""

import contextlib
import json
import select
import socket
import threading
import time

import numpy as np
import pytest

from tests.engine.serve.fakes import RATE_HZ, FakeSpeaker, house
from tests.engine.serve.test_app import until
from voxgate.engine.errors import EngineError
from voxgate.engine.pipelines.pipeline import AudioSegment
from voxgate.engine.serve.audio_stream import MAX_BUFFERED_S
from voxgate.engine.serve.hosts import Hosts, hosts_of
from voxgate.engine.serve.limits import Limits

HEALTH = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
MANY = 3000
"""Seconds of audio: more than all buffers of a connection hold."""


class LongSpeaker(FakeSpeaker):
    """Speaks for most of an hour, a second a piece."""

    def segments(self, text, options=None):
        for count in range(MANY):
            self.pieces += 1
            yield AudioSegment(audio=np.full(RATE_HZ, 0.25, np.float32), last=count == MANY - 1)

    def synthesize_batch(self, texts, options=None):
        return [np.full(MANY // 4 * RATE_HZ, 0.25, np.float32) for _ in texts]


@contextlib.contextmanager
def connected(home, receive_bytes=None):
    """A bare connection."""
    host, port = home.url.removeprefix("http://").split(":")
    with socket.socket() as wire:
        if receive_bytes:
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        wire.settimeout(20)
        wire.connect((host, int(port)))
        yield wire


def received(wire):
    """All that still comes, until the other side ends it."""
    content = b""
    with contextlib.suppress(ConnectionError):
        while part := wire.recv(65536):
            content += part
    return content


def asked_health(wire):
    """Ask, and read the whole answer."""
    wire.sendall(HEALTH)
    answer = b""
    while b"}" not in answer:
        answer += wire.recv(65536)
    assert answer.startswith(b"HTTP/1.1 200")


def is_closed(wire):
    """Whether the other side has ended the connection, without waiting for it."""
    if not select.select([wire], [], [], 0)[0]:
        return False
    try:
        return wire.recv(1, socket.MSG_PEEK) == b"" or b"408" in wire.recv(4096)
    except ConnectionError:
        return True


def send_speech(home, wire, **changes):
    body = json.dumps(home.speech(**changes)).encode()
    head = (
        "POST /v1/audio/speech HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}"
    )
    wire.sendall(head.encode() + b"\r\n\r\n" + body)


@pytest.mark.parametrize("first", [True, False], ids=["first request", "second request"])
def test_a_head_that_drips_is_given_up_in_time_whatever_its_pace(first):
    with house(Limits(head_s=1, idle_s=30)) as home, connected(home) as wire:
        if not first:
            asked_health(wire)
        began_s = time.monotonic()
        wire.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
        with contextlib.suppress(OSError):
            while not select.select([wire], [], [], 0.05)[0] and time.monotonic() - began_s < 15:
                wire.sendall(b"a")
        answer = received(wire)
        assert time.monotonic() - began_s < 10
        assert answer.startswith(b"HTTP/1.1 408") and b"head_too_slow" in answer


def test_connections_that_say_nothing_are_closed():
    with (
        house(Limits(head_s=1, idle_s=1)) as home,
        connected(home) as silent,
        connected(home) as idle,
    ):
        asked_health(idle)
        assert received(silent).startswith(b"HTTP/1.1 408")
        assert received(idle) == b""


def test_the_rest_of_a_request_that_was_answered_already_does_not_hold_the_connection():
    with house(Limits(head_s=1, idle_s=1)) as home, connected(home) as wire:
        wire.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n")
        assert wire.recv(65536).startswith(b"HTTP/1.1 200")
        closed, began_s = False, time.monotonic()
        while not closed and time.monotonic() - began_s < 15:
            try:
                wire.sendall(b"x")
                time.sleep(0.05)
            except OSError:
                closed = True
        assert closed


def test_a_head_without_an_end_is_refused():
    with house(Limits()) as home, connected(home) as wire:
        with contextlib.suppress(OSError):
            wire.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 100_000)
        assert received(wire)[:12] in (b"HTTP/1.1 400", b"")


def test_five_hundred_idle_connections_keep_nobody_out():
    with house(Limits(max_connections=50, head_s=60)) as home, contextlib.ExitStack() as stack:
        idle = []
        for number in range(500):
            idle.append(stack.enter_context(connected(home)))
            if number % 100 == 99:
                with connected(home) as wire:
                    asked_health(wire)
        assert until(lambda: sum(not is_closed(wire) for wire in idle) <= 50)
        assert not is_closed(idle[-1]), "the longest idle ones go first"
        assert home.ask().status_code == 200


def test_where_every_connection_is_at_work_one_more_is_told_to_come_again():
    speaker = FakeSpeaker()
    speaker.may.clear()
    with (
        house(Limits(max_connections=2, window_ms=0), speaker) as home,
        connected(home) as one,
        connected(home) as other,
    ):
        for wire in (one, other):
            send_speech(home, wire)
        assert until(lambda: home.admission.in_flight == 2)
        with connected(home) as further:
            further.sendall(HEALTH)
            refused = received(further)
            assert (
                refused.startswith(b"HTTP/1.1 429")
                and b"too_many_connections" in refused
                and b"Retry-After: 1" in refused
            )
        speaker.may.set()
        for wire in (one, other):
            assert wire.recv(65536).startswith(b"HTTP/1.1 200")
        assert until(lambda: home.admission.in_flight == 0) and home.ask().status_code == 200


def test_a_client_that_never_reads_its_stream_is_cut_off_and_costs_no_memory_meanwhile():
    speaker = LongSpeaker()
    with house(Limits(stall_s=2), speaker) as home, connected(home, receive_bytes=4096) as wire:
        send_speech(home, wire, stream_format="audio", response_format="pcm")
        assert until(lambda: speaker.pieces > MAX_BUFFERED_S)
        counts = []
        assert until(
            lambda: (
                counts.append(speaker.pieces) or (len(counts) > 50 and counts[-1] == counts[-50])
            )
        )
        assert speaker.pieces < MANY / 3, "it speaks on for nobody"
        assert home.client.get("/health").json()["inside"] == 1
        assert home.ask(response_format="flac", input="Others are served.").status_code == 200
        assert until(lambda: home.admission.in_flight == 0), "it is cut off"
        assert speaker.pieces < MANY / 3
        assert len(received(wire)) < MANY * RATE_HZ, "it is seen that audio is missing"


def test_a_client_that_never_reads_a_whole_answer_is_cut_off():
    with (
        house(Limits(stall_s=1, window_ms=0), LongSpeaker()) as home,
        connected(home, receive_bytes=4096) as wire,
    ):
        send_speech(home, wire)
        assert until(lambda: home.admission.in_flight == 0)
        time.sleep(2.5)
        assert len(received(wire)) < MANY // 4 * RATE_HZ * 2


def test_a_client_that_reads_slowly_is_not_cut_off_and_misses_nothing():
    with (
        house(Limits(stall_s=1), LongSpeaker()) as home,
        connected(home, receive_bytes=16_384) as wire,
    ):
        send_speech(home, wire, stream_format="audio", response_format="pcm")
        answer, pause = wire.recv(100), threading.Event()
        assert answer.startswith(b"HTTP/1.1 200")
        size, until_s = 0, time.monotonic() + 4.0
        while part := wire.recv(65536):
            size += len(part)
            if time.monotonic() < until_s:  # at 300 kB/s, far below what the engine speaks
                pause.wait(len(part) / 300_000)
            if part.endswith(b"0\r\n\r\n"):
                break
        assert size > MANY * RATE_HZ * 2


OURS = (
    "localhost",
    "LOCALHOST:8080",
    "localhost.",
    "127.0.0.1",
    "127.0.0.1:1",
    "127.8.8.8",
    "[::1]",
    "[::1]:8080",
)
FOREIGN = (
    "evil.example",
    "evil.example:8080",
    "localhost.evil.example",
    "127.0.0.1.nip.io",
    "10.0.0.7",
    "[2001:db8::1]",
    "localhost@evil.example",
    "localhost/x",
    "",
    "::1",
    "x" * 300,
    "localhost:port",
)


@pytest.fixture(name="home", scope="module")
def _home():
    with house(Limits()) as found:
        yield found


@pytest.mark.parametrize("host", OURS)
def test_requests_that_name_this_machine_are_answered(home, host):
    assert home.client.get("/health", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", FOREIGN)
def test_requests_that_name_another_host_are_refused_in_words(home, host):
    for answer in (
        home.client.get("/v1/models", headers={"Host": host}),
        home.client.post("/v1/audio/speech", headers={"Host": host}, json=home.speech()),
        home.client.get("/nowhere", headers={"Host": host}),
    ):
        assert answer.status_code == 421
        assert answer.json()["error"]["code"] == "host_not_allowed"
        assert "--allowed-host NAME" in answer.json()["error"]["message"]


def test_an_old_client_that_names_no_host_is_answered(home):
    with connected(home) as wire:
        wire.sendall(b"GET /health HTTP/1.0\r\n\r\n")
        assert received(wire).startswith(b"HTTP/1.1 200")


def test_the_names_of_a_server_are_those_it_was_given():
    named = hosts_of("voice.example", ("Speech.Local.", "10.0.0.7", "[2001:db8::1]:80"))
    allowed = (
        "voice.example:80",
        "speech.local",
        "10.0.0.7:8080",
        "[2001:db8:0::1]",
        "localhost",
        "127.0.0.1",
        None,
    )
    assert all(named.allow(host) for host in allowed)
    assert not any(named.allow(host) for host in ("evil.example", "10.0.0.8", "0.0.0.0"))
    everywhere = hosts_of("0.0.0.0", ())
    assert (
        everywhere.allow("192.168.1.5:8080")
        and everywhere.allow("[fe80::1]")
        and not everywhere.allow("evil.example")
    )
    assert not hosts_of("127.0.0.1", ()).allow("192.168.1.5") and hosts_of("::1", ()) == Hosts(
        names=frozenset({"localhost", "::1"})
    )


@pytest.mark.parametrize("name", ["http://x", "x/y", "", "a b", "x:port", "*", "\x1b"])
def test_a_name_that_is_none_is_refused_before_anything_is_loaded(name):
    with pytest.raises(EngineError, match="--allowed-host must be a name"):
        hosts_of("127.0.0.1", (name,))
