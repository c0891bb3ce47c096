"""
A fake voice that hums, at once or after a signal; a fake of the batcher; a server in a thread.
"""

import contextlib
import queue
import socket
import threading
from concurrent.futures import Future
from dataclasses import dataclass, field

import httpx2
import numpy as np
import uvicorn

from voxgate.engine.config import FlowConfig
from voxgate.engine.pipelines.pipeline import AudioSegment, no_watch
from voxgate.engine.serve.admission import AdmissionController
from voxgate.engine.serve.app import make_app
from voxgate.engine.serve.limits import Limits
from voxgate.engine.serve.model_info import ModelInfo
from voxgate.engine.serve.server import bind_socket, url_of, uvicorn_config
from voxgate.engine.serve.spans import RequestSpans
from voxgate.engine.timing import monotonic_s

RATE_HZ = 16_000
PIECE = 1600
MODEL = "voxgate-fake"


def hum(text: str, speaker: str = "slt") -> np.ndarray:
    """Three pieces of audio that tell text and speaker apart."""
    pitch_hz = 100 + 10 * len(text) + {"slt": 0, "rms": 3, "awb": 7}[speaker]
    time_s = np.arange(3 * PIECE) / RATE_HZ
    return (0.5 * np.sin(2 * np.pi * pitch_hz * time_s)).astype(np.float32)


@dataclass
class FakeSpeaker:
    """Speaks when `may` is set; remembers its batches, and how many streamed pieces were made."""

    sample_rate_hz: int = RATE_HZ
    may: threading.Event = field(default_factory=threading.Event)
    began: threading.Event = field(default_factory=threading.Event)
    batches: list[list[str]] = field(default_factory=list)
    pieces: int = 0
    fails_after: int = 99
    holds_from: int = 0
    """The first piece of a stream that waits for `may`."""
    raises: Exception = field(default_factory=lambda: RuntimeError("secret of the engine"))

    def __post_init__(self) -> None:
        self.may.set()

    def segments(self, text, options=None, watch=no_watch):
        for count in range(3):
            with watch("acoustic"):
                self.began.set()
            if count >= self.holds_from:
                self.may.wait(10)
            if count >= self.fails_after:
                raise self.raises
            self.pieces += 1
            audio = hum(text, (options or {}).get("speaker", "slt"))[
                count * PIECE : (count + 1) * PIECE
            ]
            yield AudioSegment(audio=audio, last=count == 2)

    def synthesize_batch(self, texts, options=None, watch=no_watch):
        with watch("acoustic"):
            self.began.set()
        self.may.wait(10)
        self.batches.append(list(texts))
        if self.fails_after == 0:
            raise self.raises
        return [
            hum(text, each.get("speaker", "slt")) for text, each in zip(texts, options, strict=True)
        ]


class FakeBatcher:
    """Collects what waits while a batch is spoken."""

    def __init__(self, speak_many, max_batch, window_s):
        self._speak_many, self._max_batch, self._window_s = speak_many, max_batch, window_s
        self._queue = queue.Queue()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def submit(self, text, options):
        future = Future()
        self._queue.put((text, options, future))
        return future

    def close(self):
        self._queue.put(None)
        self._thread.join()

    def _work(self):
        while (first := self._queue.get()) is not None:
            batch = [first]
            with contextlib.suppress(queue.Empty):
                while len(batch) < self._max_batch:
                    batch.append(self._queue.get(timeout=self._window_s))
            ended = None in batch
            batch = [
                item
                for item in batch
                if item is not None and item[2].set_running_or_notify_cancel()
            ]
            self._answer(batch)
            if ended:
                return

    def _answer(self, batch):
        try:
            spoken = (
                self._speak_many(
                    [text for text, _, _ in batch], [options for _, options, _ in batch]
                )
                if batch
                else []
            )
        except Exception as error:
            for _, _, future in batch:
                future.set_exception(error)
            return
        for (_, _, future), audio in zip(batch, spoken, strict=True):
            future.set_result(audio)


@dataclass
class House:
    """A running server and what is behind it."""

    speaker: FakeSpeaker
    admission: AdmissionController
    url: str
    client: httpx2.Client

    def speech(self, **changes):
        """Return the JSON of a request."""
        return {"model": MODEL, "input": "Hello there.", "voice": "slt", **changes}

    def ask(self, **changes):
        """Send a request and return the complete response."""
        return self.client.post("/v1/audio/speech", json=self.speech(**changes))

    def raw(self, **changes) -> socket.socket:
        """Send a request over a bare connection, and return the connection."""
        body = httpx2.Request("POST", self.url, json=self.speech(**changes)).content
        host, port = self.url.removeprefix("http://").split(":")
        wire = socket.create_connection((host, int(port)))
        head = [
            "POST /v1/audio/speech HTTP/1.1",
            f"Host: {host}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
        ]
        wire.sendall("\r\n".join([*head, "", ""]).encode() + body)
        return wire


@contextlib.contextmanager
def house(limits: Limits, speaker: FakeSpeaker | None = None, spans: RequestSpans | None = None):
    """A server with a fake voice, in a thread of this process."""
    speaker = speaker or FakeSpeaker()
    admission = AdmissionController(speaker, limits, FakeBatcher, monotonic_s, spans)
    info = ModelInfo(
        model=MODEL,
        created=1,
        sample_rate_hz=RATE_HZ,
        config=FlowConfig(nfe_steps=7),
        limits=limits,
    )
    sock = bind_socket("127.0.0.1", 0)
    sock.listen()
    server = uvicorn.Server(uvicorn_config(make_app(admission, info), limits, admission.metrics))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]})
    thread.start()
    try:
        with httpx2.Client(base_url=url_of(sock), timeout=20, trust_env=False) as client:
            yield House(speaker=speaker, admission=admission, url=url_of(sock), client=client)
    finally:
        speaker.may.set()
        server.should_exit = True
        thread.join()
        admission.close()
        sock.close()
