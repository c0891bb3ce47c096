"""
The web application: `POST /v1/audio/speech`, `GET /v1/models`, `GET /health`, `GET /metrics`, with
OpenAI's errors.

It handles HTTP; queueing and synthesis belong to admission and scheduler.
A client that disconnects is noticed while it waits, and its work is cancelled.
"""

import asyncio
import re
from collections.abc import Awaitable, Sequence
from typing import TypeVar

import anyio
import numpy as np
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from voxgate.engine.errors import EngineError
from voxgate.engine.serve.admission import AdmissionController, EngineAdmission
from voxgate.engine.serve.audio_stream import AudioStream, encode_stream
from voxgate.engine.serve.errors import ApiError
from voxgate.engine.serve.hosts import Hosts
from voxgate.engine.serve.limits import Limits
from voxgate.engine.serve.metrics import (
    CLIENT_CLOSED_REQUEST,
    ERROR,
    RequestObserver,
    kind_of,
    metrics_response,
)
from voxgate.engine.serve.model_info import ModelInfo
from voxgate.engine.serve.request import SpeechRequest, check_speakable, parse_speech
from voxgate.engine.serve.response import (
    DROPPED_HEADER,
    dropped_header,
    encode,
    media_type,
)

BODY_TIMEOUT_S = 10.0
"""How long a client may take to send its request."""

Result = TypeVar("Result")


class _DisconnectedError(Exception):
    """The client has disconnected."""


def make_app(
    admission: AdmissionController, info: ModelInfo, hosts: Hosts | None = None
) -> Starlette:
    """
    Return the application.

    `hosts` are the names that requests may use; this machine alone by default.
    """
    endpoints = _Endpoints(admission, info)
    routes = [
        Route("/v1/audio/speech", endpoints.speech, methods=["POST"]),
        Route("/v1/models", endpoints.models, methods=["GET"]),
        Route("/health", endpoints.health, methods=["GET"]),
    ]
    admission.metrics.name_model(info.model)
    return application(routes, admission, hosts)


def health_response(admission: EngineAdmission, model: str, limits: Limits) -> Response:
    """Return the state of the engine; 503 if its thread has ended, so that nothing is answered."""
    state = {"model": model, "inside": admission.in_flight, "queue": limits.queue}
    if admission.alive:
        return JSONResponse({"status": "ok", **state})
    return JSONResponse({"status": "stopped", **state}, status_code=503)


def application(
    routes: Sequence[Route], admission: EngineAdmission, hosts: Hosts | None = None
) -> Starlette:
    """
    Return an application of these routes, with the admission's figures at `/metrics`, OpenAI's
    errors, and a check of host names.
    """

    async def metrics(request: Request) -> Response:
        """Return the figures of this server."""
        return metrics_response(admission.metrics, request)

    every = [*routes, Route("/metrics", metrics, methods=["GET"])]
    handlers = {
        ApiError: _api_error_response,
        HTTPException: _http_error_response,
        _DisconnectedError: _disconnected_response,
        ClientDisconnect: _disconnected_response,
        Exception: _internal_error_response,
    }
    observer = Middleware(
        RequestObserver,
        metrics=admission.metrics,
        routes=frozenset(route.path for route in every),
        now_s=admission.now_s,
        spans=admission.spans,
    )
    guard = Middleware(_HostCheck, hosts=hosts or Hosts())
    return Starlette(routes=every, exception_handlers=handlers, middleware=[observer, guard])  # type: ignore[arg-type]


class _HostCheck:
    """Rejects requests for other host names, before anything else is read."""

    def __init__(self, app: ASGIApp, hosts: Hosts) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on requests for an accepted host."""
        host = Headers(scope=scope).get("host") if scope["type"] == "http" else None
        if self._hosts.allow(host):
            await self._app(scope, receive, send)
            return
        message = (
            f"this server is not {host!r}; it answers to {self._hosts}: start it with "
            "--allowed-host NAME to add one"
        )
        error = ApiError(421, message, code="host_not_allowed")
        scope[ERROR] = error.code
        await JSONResponse(error.body(), error.status)(scope, receive, send)


class _Endpoints:
    """The endpoints."""

    def __init__(self, admission: AdmissionController, info: ModelInfo) -> None:
        self._admission = admission
        self._info = info

    async def models(self, request: Request) -> Response:
        """Return the one model, with its effective options."""
        return JSONResponse({"object": "list", "data": [self._info.card()]})

    async def health(self, request: Request) -> Response:
        """Report that the model is loaded, and the number of requests in flight."""
        return health_response(self._admission, self._info.model, self._info.limits)

    async def speech(self, request: Request) -> Response:
        """Return the synthesised audio, whole or as a stream."""
        _check_content_type(request)
        limits = self._info.limits
        speech = parse_speech(
            await read_body(request, limits.max_body_bytes),
            self._info.model,
            limits.max_characters,
            self._info.config.language,
        )
        dropped = await asyncio.to_thread(check_speakable, speech)
        try:
            response = await (
                self._streamed(request, speech) if speech.streamed else self._whole(request, speech)
            )
        except EngineError as error:
            raise ApiError(400, str(error)) from None
        if dropped:
            self._admission.metrics.left_out(len(dropped))
            response.headers[DROPPED_HEADER] = dropped_header(dropped)
        return response

    async def _whole(self, request: Request, speech: SpeechRequest) -> Response:
        ticket = self._admission.submit(speech)
        try:
            audio: np.ndarray = await unless_disconnected(
                request, asyncio.wrap_future(ticket.future)
            )
        finally:
            ticket.cancel()
        body = await asyncio.to_thread(
            encode, audio, speech.audio_format, self._info.sample_rate_hz
        )
        return Response(body, headers=self._headers(speech))

    async def _streamed(self, request: Request, speech: SpeechRequest) -> Response:
        stream = AudioStream(self._admission, speech)
        try:
            first = await unless_disconnected(request, stream.next())
        except BaseException:
            stream.cancel()
            raise
        if first is None:
            raise ApiError(500, "the engine made no audio", code="no_audio")
        body = encode_stream(first, stream, speech.audio_format, self._info.sample_rate_hz)
        return StreamingResponse(body, headers=self._headers(speech))

    def _headers(self, speech: SpeechRequest) -> dict[str, str]:
        rate_hz = self._info.sample_rate_hz
        return {
            "Content-Type": media_type(speech.audio_format, rate_hz),
            "X-Sample-Rate": str(rate_hz),
        }


def _check_content_type(request: Request) -> None:
    """
    Require JSON: a page in a browser cannot send it to another site without a preflight request.
    """
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "application/json":
        raise ApiError(415, f"Content-Type must be application/json, not {content_type!r}")


async def read_body(request: Request, max_bytes: int) -> bytes:
    """
    Read the body up to the limit.

    Raises: ApiError for one that is too long, or too slow.
    """
    too_long = ApiError(
        413,
        f"the body is longer than {max_bytes} bytes, the limit; split it",
        code="body_too_large",
    )
    declared = request.headers.get("content-length", "")
    if re.fullmatch(r"[0-9]+", declared) and (len(declared) > 19 or int(declared) > max_bytes):
        raise too_long
    body = bytearray()
    try:
        with anyio.fail_after(BODY_TIMEOUT_S):
            async for part in request.stream():
                body += part
                if len(body) > max_bytes:
                    raise too_long
    except TimeoutError:
        raise ApiError(
            408, f"the body did not arrive within {BODY_TIMEOUT_S:g} s", code="body_too_slow"
        ) from None
    return bytes(body)


async def unless_disconnected(request: Request, awaited: Awaitable[Result]) -> Result:
    """Return the awaited result. Raises _DisconnectedError if the client disconnects first."""
    result = asyncio.ensure_future(awaited)
    disconnect = asyncio.ensure_future(_wait_for_disconnect(request))
    try:
        await asyncio.wait({result, disconnect}, return_when=asyncio.FIRST_COMPLETED)
        if not result.done():
            raise _DisconnectedError
        return result.result()
    finally:
        disconnect.cancel()
        result.cancel()


async def _wait_for_disconnect(request: Request) -> None:
    """Wait until the client has closed the connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _api_error_response(request: Request, error: ApiError) -> Response:
    request.scope[ERROR] = kind_of(error.status, error.code)
    return JSONResponse(error.body(), error.status, error.headers)


async def _http_error_response(request: Request, error: HTTPException) -> Response:
    routes = ", ".join(
        f"{method} {route.path}"
        for route in request.app.routes
        for method in sorted(set(route.methods) - {"HEAD"})
    )
    api_error = ApiError(
        error.status_code, f"{request.method} {request.url.path}: {error.detail}; there is {routes}"
    )
    return JSONResponse(api_error.body(), error.status_code, error.headers)


async def _disconnected_response(request: Request, error: Exception) -> Response:
    return Response(status_code=CLIENT_CLOSED_REQUEST)


async def _internal_error_response(request: Request, error: Exception) -> Response:
    """Return a 500 without details; uvicorn logs them."""
    api_error = ApiError(
        500, "the engine failed on this request; the server's log says why", code="engine_failed"
    )
    return JSONResponse(api_error.body(), api_error.status)
