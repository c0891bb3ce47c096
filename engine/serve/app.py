"""
The web application: `POST /v1/audio/speech`, `GET /v1/models`, `GET /health`, errors as OpenAI's.

Knows HTTP; how requests wait and are spoken is the desk's business. A client that leaves is noticed
while it waits, and its work is given up.
"""

import asyncio
import re
from collections.abc import Awaitable
from typing import TypeVar

import numpy as np
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from engine.errors import EngineError
from engine.serve.admission import AdmissionController
from engine.serve.audio_stream import AudioStream, as_bytes
from engine.serve.errors import RefusedError
from engine.serve.hosts import Hosts
from engine.serve.model_info import About
from engine.serve.request import SpeechRequest, check_speakable, parse_speech
from engine.serve.response import encode, media_type

BODY_S = 10.0
"""How long a client may take to send its request."""
LEFT = 499
"""The status, which nobody reads, of an answer to a client that has left."""

Answer = TypeVar("Answer")


class _GoneError(Exception):
    """The client has left."""


def make_app(desk: AdmissionController, about: About, hosts: Hosts | None = None) -> Starlette:
    """Make the application. `hosts`: whom requests may name; this machine alone unless given."""
    site = _Site(desk, about)
    routes = [
        Route("/v1/audio/speech", site.speech, methods=["POST"]),
        Route("/v1/models", site.models, methods=["GET"]),
        Route("/health", site.health, methods=["GET"]),
    ]
    handlers = {
        RefusedError: _refused,
        HTTPException: _no_such_page,
        _GoneError: _left,
        ClientDisconnect: _left,
        Exception: _failed,
    }
    guard = Middleware(_HostCheck, hosts=hosts or Hosts())
    return Starlette(routes=routes, exception_handlers=handlers, middleware=[guard])  # type: ignore[arg-type]


class _HostCheck:
    """Refuses requests that name another host, before anything else is looked at."""

    def __init__(self, app: ASGIApp, hosts: Hosts) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let through what names us."""
        host = Headers(scope=scope).get("host") if scope["type"] == "http" else None
        if self._hosts.allow(host):
            await self._app(scope, receive, send)
            return
        message = (
            f"this server is not {host!r}; it answers to {self._hosts}: start it with "
            "--allowed-host NAME to add one"
        )
        refusal = RefusedError(421, message, code="host_not_allowed")
        await JSONResponse(refusal.document(), refusal.status)(scope, receive, send)


class _Site:
    """The pages."""

    def __init__(self, desk: AdmissionController, about: About) -> None:
        self._desk = desk
        self._about = about

    async def models(self, request: Request) -> Response:
        """List the one model, with what it runs with."""
        return JSONResponse({"object": "list", "data": [self._about.card()]})

    async def health(self, request: Request) -> Response:
        """Tell that the model is loaded, and how full the house is."""
        inside, queue = self._desk.inside, self._about.limits.queue
        return JSONResponse(
            {"status": "ok", "model": self._about.model, "inside": inside, "queue": queue}
        )

    async def speech(self, request: Request) -> Response:
        """Speak."""
        _check_type(request)
        limits = self._about.limits
        speech = parse_speech(
            await _body(request, limits.max_body_bytes), self._about.model, limits.max_characters
        )
        await asyncio.to_thread(check_speakable, speech)
        try:
            return await (
                self._streamed(request, speech) if speech.streamed else self._whole(request, speech)
            )
        except EngineError as error:
            raise RefusedError(400, str(error)) from None

    async def _whole(self, request: Request, speech: SpeechRequest) -> Response:
        order = self._desk.whole(speech)
        try:
            audio: np.ndarray = await _unless_gone(request, asyncio.wrap_future(order.future))
        finally:
            order.leave()
        body = await asyncio.to_thread(encode, audio, speech.form, self._about.sample_rate_hz)
        return Response(body, headers=self._headers(speech))

    async def _streamed(self, request: Request, speech: SpeechRequest) -> Response:
        pieces = AudioStream(self._desk, speech)
        try:
            first = await _unless_gone(request, pieces.next())
        except BaseException:
            pieces.leave()
            raise
        if first is None:
            raise RefusedError(500, "the engine made no audio", code="no_audio")
        body = as_bytes(first, pieces, speech.form, self._about.sample_rate_hz)
        return StreamingResponse(body, headers=self._headers(speech))

    def _headers(self, speech: SpeechRequest) -> dict[str, str]:
        rate_hz = self._about.sample_rate_hz
        return {"Content-Type": media_type(speech.form, rate_hz), "X-Sample-Rate": str(rate_hz)}


def _check_type(request: Request) -> None:
    """
    Insist on JSON: a page in a browser cannot send that to another site without asking it first.
    """
    found = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if found != "application/json":
        raise RefusedError(415, f"Content-Type must be application/json, not {found!r}")


async def _body(request: Request, max_bytes: int) -> bytes:
    """
    Read the body as far as it may go. Raises RefusedError for one that is too long, or too slow.
    """
    too_long = RefusedError(
        413,
        f"the body is longer than {max_bytes} bytes, the limit; split the text",
        code="body_too_large",
    )
    declared = request.headers.get("content-length", "")
    if re.fullmatch(r"[0-9]+", declared) and (len(declared) > 19 or int(declared) > max_bytes):
        raise too_long
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            async for part in request.stream():
                body += part
                if len(body) > max_bytes:
                    raise too_long
    except TimeoutError:
        raise RefusedError(
            408, f"the body did not arrive within {BODY_S:g} s", code="body_too_slow"
        ) from None
    return bytes(body)


async def _unless_gone(request: Request, awaited: Awaitable[Answer]) -> Answer:
    """Give what is awaited. Raises _GoneError if the client leaves first."""
    wanted = asyncio.ensure_future(awaited)
    leaving = asyncio.ensure_future(_leaves(request))
    try:
        await asyncio.wait({wanted, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not wanted.done():
            raise _GoneError
        return wanted.result()
    finally:
        leaving.cancel()
        wanted.cancel()


async def _leaves(request: Request) -> None:
    """Wait until the client has closed the connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _refused(request: Request, refusal: RefusedError) -> Response:
    return JSONResponse(refusal.document(), refusal.status, refusal.headers)


async def _no_such_page(request: Request, error: HTTPException) -> Response:
    known = "POST /v1/audio/speech, GET /v1/models, GET /health"
    refusal = RefusedError(
        error.status_code, f"{request.method} {request.url.path}: {error.detail}; there is {known}"
    )
    return JSONResponse(refusal.document(), error.status_code, error.headers)


async def _left(request: Request, error: Exception) -> Response:
    return Response(status_code=LEFT)


async def _failed(request: Request, error: Exception) -> Response:
    """
    Answer for a mistake of ours, without telling strangers more than that; uvicorn writes it into
    the log.
    """
    refusal = RefusedError(
        500, "the engine failed on this request; the server's log says why", code="engine_failed"
    )
    return JSONResponse(refusal.document(), refusal.status)
