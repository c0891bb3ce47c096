"""
What comes over a wire: a foreign server's answers, requests at our own, documents and comments of a
pull request.
"""

import asyncio
import io
import json
import random
import zipfile
from pathlib import Path
from typing import Any

import httpx2
import numpy as np

from tests.engine.serve.fakes import MODEL, RATE_HZ, FakeBatcher, FakeSpeaker
from tests.fuzz import mutate
from tests.fuzz.driver import FaultError, check_harmless
from tests.harness.kill_accept import Trial
from tests.harness.report.outcomes import written
from voxgate.engine.config import FlowConfig
from voxgate.engine.serve.admission import AdmissionController
from voxgate.engine.serve.app import make_app
from voxgate.engine.serve.limits import Limits
from voxgate.engine.serve.model_info import ModelInfo
from voxgate.engine.timing import monotonic_s
from voxgate.harness.audio.files import flac_bytes, wav_bytes
from voxgate.harness.ci.accept import parse_request, with_reason
from voxgate.harness.ci.github import read_json, unpacked
from voxgate.harness.errors import HarnessError
from voxgate.harness.report.pr_comment import CommentLinks, comment, headline
from voxgate.harness.targets.http.client import (
    Ask,
    SpeechApi,
    reported_limits,
    reported_options,
    reported_voices,
)
from voxgate.harness.targets.http.target import chosen_model

HEADERS: dict[str, tuple[str, ...]] = {
    "content-type": (
        "audio/wav", "audio/pcm", "audio/L16;rate=24000;channels=1", "audio/flac", "audio/mpeg",
        "text/html",
        "application/json", "", "audio/pcm;rate=0", "audio/pcm; "
            "rate=99999999999999999999999", "audio/é", "x" * 500,
    ),
    "x-sample-rate": ("24000", "0", "-1", "nan", "16000", "٣", "1e9", "9" * 400),
    "content-encoding": ("identity", "gzip", ""),
    "content-length": ("0", "-1", "x", "99999999999"),
    "retry-after": ("1", "x", "-1"),
}  # fmt: skip
MODELS = {
    "object": "list",
    "data": [
        {
            "id": "a",
            "object": "model",
            "voices": ["slt", "rms"],
            "options": {"nfe_steps": 8, "x": True},
            "limits": {"queue": 3},
        },
        {"id": "b"},
    ],
}
SPEECH = {
    "model": MODEL,
    "input": "Hello there.",
    "voice": "slt",
    "response_format": "wav",
    "speed": 1.0,
    "seed": 3,
}
OPEN = "https://example.org/"
PLACE = CommentLinks(
    page=f"{OPEN}page", log=f"{OPEN}log", fetch="git fetch origin pull/12/merge", by_comment=True
)


class Answers:
    """Input: `path status form`, headers as JSON, and the body after an empty line."""

    name, share = "HTTP answers", 50.0

    def __init__(self, folder: Path) -> None:
        audio = (0.1 * np.sin(np.arange(2400) * 0.05)).astype(np.float32)
        frames = (audio * 32767).astype("<i2").tobytes()
        self._bodies = [
            wav_bytes(audio, 24_000, "x"),
            flac_bytes(audio, 24_000, "x"),
            frames,
            b"",
            b"<html>no</html>",
        ]
        self._bodies += [
            b"RIFF\xff\xff\xff\xffWAVE" + wav_bytes(audio, 24_000, "x")[12:],
            b"ID3\x03\x00" + frames,
        ]
        self._answer = httpx2.Response(200)
        self._api = SpeechApi("http://127.0.0.1:9", 5.0, "Canary7Bird")
        self._api._client = httpx2.Client(
            transport=httpx2.MockTransport(lambda request: self._answer)
        )

    def make(self, chance: random.Random) -> bytes:
        models = chance.random() < 0.3
        status = chance.choice((200, 200, 200, 200, 404, 429, 500, 503, 204, 302, 999))
        headers = {
            name: chance.choice(values) for name, values in HEADERS.items() if chance.random() < 0.4
        }
        whole = chance.choice(self._bodies)
        body = mutate.json_text(MODELS, chance) if models or chance.random() < 0.1 else whole
        if not models and chance.random() < 0.85:
            body = mutate.broken(body, chance)
        form, size = chance.choice(("wav", "pcm", "flac")), chance.choice((1, 7, 64, 10**6))
        first = f"{'models' if models else 'speech'} {status} {form} {size}"
        return f"{first}\n{json.dumps(headers)}\n\n".encode() + body

    def read(self, content: bytes) -> None:
        head, _, body = content.partition(b"\n\n")
        try:
            first, _, told = head.decode("latin-1").partition("\n")
            path, status, form, size = first.split(" ")
            headers = {str(name): str(value) for name, value in dict(json.loads(told)).items()}
            step = max(1, int(size))
            pieces = [body[at : at + step] for at in range(0, len(body), step)]
            self._answer = httpx2.Response(
                int(status),
                headers=[(n.encode(), v.encode("utf-8")) for n, v in headers.items()],
                stream=_Pieces(pieces),
            )
        except (ValueError, TypeError):
            return
        if path == "models":
            self._models()
            return
        heard = sum(
            piece.audio.size for piece in self._api.speak(Ask(text="Hello.", model="a", form=form))
        )
        if heard > 2 * len(body) + 1:
            raise FaultError("more frames than bytes", f"{heard} frames of {len(body)} bytes")

    def names(self, refusal: str) -> bool:
        return "Canary7Bird" not in refusal

    def _models(self) -> None:
        cards = self._api.models()
        for card in cards:
            json.dumps(
                [reported_options(card), reported_voices(card), reported_limits(card)],
                allow_nan=False,
            ).encode()
        chosen_model("", cards)


def _header(text: str) -> bytes:
    """Return a header's value as a server hands it on: bytes that are read as Latin-1."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")


class _Pieces(httpx2.SyncByteStream):
    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = pieces

    def __iter__(self) -> Any:
        yield from self._pieces


class Requests:
    """
    Input: `method path`, headers as JSON, and the body after an empty line; at the server's
    application itself.
    """

    name, share = "speech requests", 40.0

    def __init__(self, folder: Path) -> None:
        limits = Limits(max_characters=200, window_ms=0.0)
        self._desk = AdmissionController(FakeSpeaker(), limits, FakeBatcher, monotonic_s)
        info = ModelInfo(
            model=MODEL,
            created=1,
            sample_rate_hz=RATE_HZ,
            config=FlowConfig(nfe_steps=7),
            limits=limits,
        )
        self._app = make_app(self._desk, info)
        self._loop = asyncio.new_event_loop()

    def close(self) -> None:
        """End the threads."""
        self._desk.close()
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    def make(self, chance: random.Random) -> bytes:
        method, path = "POST", "/v1/audio/speech"
        if chance.random() < 0.08:
            method, path = (
                chance.choice(("GET", "PUT", "HEAD", "x")),
                chance.choice(("/health", "/v1/models", "/../x", "//", "/%00")),
            )
        headers = {"host": "127.0.0.1", "content-type": "application/json"}
        if chance.random() < 0.1:
            headers[chance.choice(("host", "content-type", "content-length", "x-é"))] = mutate.text(
                chance
            )[:200]
        asked = {**SPEECH, **({"stream_format": "audio"} if chance.random() < 0.2 else {})}
        body = (
            mutate.json_text(asked, chance)
            if chance.random() < 0.9
            else mutate.broken(json.dumps(asked).encode(), chance)
        )
        return f"{method} {path}\n{json.dumps(headers)}\n\n".encode("utf-8", "surrogatepass") + body

    def read(self, content: bytes) -> None:
        head, _, body = content.partition(b"\n\n")
        try:
            first, _, told = head.decode("latin-1").partition("\n")
            method, path = first.split(" ", 1)
            headers = [
                (str(n).lower().encode(), _header(str(v)))
                for n, v in dict(json.loads(told)).items()
            ]
        except (ValueError, TypeError):
            return
        status, answer, ended = self._loop.run_until_complete(
            self._ask(method, path, headers, body)
        )
        if status >= 500 or not ended:
            raise FaultError(f"status {status}, ended {ended}", answer[:300].decode("latin-1"))
        if status >= 400:
            raise HarnessError(answer.decode("utf-8", "replace") or f"status {status}")

    def names(self, refusal: str) -> bool:
        if refusal.startswith("status "):
            return True
        try:
            return bool(json.loads(refusal)["error"]["message"])
        except (ValueError, KeyError, TypeError):
            return "host" in refusal.lower()

    async def _ask(
        self, method: str, path: str, headers: list[tuple[bytes, bytes]], body: bytes
    ) -> tuple[int, bytes, bool]:
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method,
            "path": path, "scheme": "http",
            "raw_path": path.encode("latin-1"), "query_string": b"", "root_path": "",
            "headers": headers,
            "client": ("127.0.0.1", 5), "server": ("127.0.0.1", 80),
        }  # fmt: skip
        sent: list[dict[str, Any]] = []
        asked = iter([{"type": "http.request", "body": body, "more_body": False}])
        done = asyncio.Event()

        async def receive() -> dict[str, Any]:
            for each in asked:
                return each
            await done.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        try:
            await asyncio.wait_for(self._app(scope, receive, send), 30.0)
        finally:
            done.set()
        status = next(
            (int(each["status"]) for each in sent if each["type"] == "http.response.start"), 599
        )
        answer = b"".join(
            each.get("body", b"") for each in sent if each["type"] == "http.response.body"
        )
        return status, answer, bool(sent) and not sent[-1].get("more_body", False)


class Documents:
    """Input: the judgement that the gate of a pull request left, as JSON."""

    name, share = "documents of pull requests", 8.0

    def __init__(self, folder: Path) -> None:
        self._wholes = [
            json.loads(written(name))
            for name in ("regressed-speed", "not-in-effect", "no-baseline")
        ]

    def make(self, chance: random.Random) -> bytes:
        return mutate.json_text(chance.choice(self._wholes), chance)

    def read(self, content: bytes) -> None:
        document = read_json(content, "judgement.json")
        text = comment(document, PLACE)
        if len(text.encode("utf-16-le")) // 2 > 65_536:
            raise FaultError("a comment that GitHub refuses", str(len(text)))
        check_harmless(text, mutate.CANARIES)
        headline(document)

    def names(self, refusal: str) -> bool:
        return "judgement" in refusal


class Comments:
    """
    Input: the first byte says what: a comment that asks to accept, a candidate baseline, or an
    archive.
    """

    name, share = "comments and artifacts", 60.0

    def __init__(self, folder: Path) -> None:
        trial = Trial(folder / "trial")
        self._text = (trial.baselines / "smoke" / "quality.json").read_text()
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("smoke/quality.json", self._text[:2000])
            archive.writestr("smoke/golden/u01.flac", b"fLaC" * 20)
        self._archive = packed.getvalue()

    def make(self, chance: random.Random) -> bytes:
        way = chance.random()
        if way < 0.4:
            parts = (
                "/voxgate accept",
                " ",
                "smoke",
                " The new voice",
                "\n",
                "/voxgate",
                "../x",
                "\t",
                *mutate.TEXTS,
            )
            return b"c" + "".join(chance.choice(parts) for _ in range(chance.randint(1, 8))).encode(
                "utf-8", "surrogatepass"
            )
        if way < 0.6:
            return b"b" + mutate.broken(self._text.encode(), chance)
        return b"z" + mutate.broken(
            self._archive, chance, (b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06", b"\x00" * 4)
        )

    def read(self, content: bytes) -> None:
        kind, rest = content[:1], content[1:]
        if kind == b"z":
            unpacked(rest, "voxgate-baseline-smoke")
        elif kind == b"b":
            with_reason(rest.decode("utf-8", "replace"), "It's worth it", "smoke")
        elif kind == b"c":
            request = parse_request(
                rest.decode("utf-8", "replace"), 12, "ann", "2026-11-20T02:00:00Z"
            )
            if "\n" in request.why or "/" in request.suite:
                raise FaultError("an odd request", repr(request))

    def names(self, refusal: str) -> bool:
        return True
