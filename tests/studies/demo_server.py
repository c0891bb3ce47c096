"""
A speech server for the demonstration: OpenAI's `POST /v1/audio/speech` with flite as its voice. Two
requests are spoken at once, the others wait, so that a load shows where the server is full.
"""

import io
import json
import threading
import time
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from voxgate.harness.targets.flite import speak

WORKERS = threading.Semaphore(2)
LATENCY_S = 0.12
"""Of a request that does not wait."""


@cache
def spoken(text: str) -> bytes:
    """Return a text as a WAV file."""
    audio, rate_hz = speak("slt", text)
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes((audio * 32767).astype("<i2").tobytes())
    return out.getvalue()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = spoken(asked["input"])
        with WORKERS:
            time.sleep(LATENCY_S)
        self._answer("audio/wav", answer)

    def do_GET(self) -> None:
        models = {"object": "list", "data": [{"id": "flite", "object": "model"}]}
        self._answer("application/json", json.dumps(models).encode())

    def _answer(self, kind: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serving() -> Iterator[str]:
    """Serve on a free port; give the address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
