"""A small web server whose answers a test writes: honest ones, and broken ones."""

import contextlib
import json
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

RATE_HZ = 22_050
MODELS: dict[str, Any] = {
    "object": "list",
    "data": [{"id": "tiny", "voices": ["slt", "rms"], "options": {"nfe_steps": 8}}],
}


def tone(frames: int = 4410) -> np.ndarray:
    """Audio to compare with, float32 (n,)."""
    return (0.5 * np.sin(np.arange(frames) / 7)).astype(np.float32)


def wav(
    audio: np.ndarray,
    rate_hz: int = RATE_HZ,
    size: int | None = None,
    channels: int = 1,
    extra: bytes = b"",
) -> bytes:
    """
    A WAV file of 16 bits; `size` in its head in place of the true one, `extra` chunks before the
    frames.
    """
    frames = np.rint(audio * 32768).clip(-32768, 32767).astype("<i2").repeat(channels).tobytes()
    form = struct.pack("<HHIIHH", 1, channels, rate_hz, 2 * channels * rate_hz, 2 * channels, 16)
    data = b"data" + struct.pack("<I", len(frames) if size is None else size) + frames
    return (
        b"RIFF"
        + struct.pack("<I", 0xFFFFFFFF)
        + b"WAVEfmt "
        + struct.pack("<I", 16)
        + form
        + extra
        + data
    )


@dataclass
class Reply:
    """
    What a request is answered with: `parts` are sent one by one; a callable between them is called;
    `cut` breaks off.
    """

    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "audio/wav"})
    parts: tuple[bytes | Callable[[], object], ...] = ()
    cut: bool = False


def refused(status: int, message: str = "no", **headers: str) -> Reply:
    """An error in OpenAI's shape."""
    body = json.dumps({"error": {"message": message}}).encode()
    return Reply(
        status=status, headers={"Content-Type": "application/json", **headers}, parts=(body,)
    )


@dataclass
class Fake:
    """
    A running server: `asked` is the JSON of every request, `models` the answer of `/v1/models`
    (None: 404; bytes: raw).
    """

    url: str
    reply: Callable[[dict[str, Any]], Reply]
    models: Any
    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)


@contextlib.contextmanager
def fake_server(
    reply: Reply | Callable[[dict[str, Any]], Reply], models: Any = MODELS
) -> Iterator[Fake]:
    """Serve until the context ends."""
    fake = Fake(url="", reply=reply if callable(reply) else lambda _: reply, models=models)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def do_GET(self) -> None:
            found = fake.models is not None
            body = (
                fake.models if isinstance(fake.models, bytes) else json.dumps(fake.models).encode()
            )
            self._send(Reply(200 if found else 404, {"Content-Type": "application/json"}, (body,)))

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            fake.asked.append(asked)
            fake.keys.append(self.headers.get("Authorization"))
            self._send(fake.reply(asked))

        def _send(self, reply: Reply) -> None:
            self.send_response(reply.status)
            for name, value in {**reply.headers, "Transfer-Encoding": "chunked"}.items():
                self.send_header(name, value)
            self.end_headers()
            with contextlib.suppress(OSError):
                for part in reply.parts:
                    if callable(part):
                        part()
                    elif part:
                        self.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
                        self.wfile.flush()
                if reply.cut:
                    self.close_connection = True
                else:
                    self.wfile.write(b"0\r\n\r\n")

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    fake.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
    )
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
