"""
The server's figures for Prometheus, at `GET /metrics`.

Every label has few values, whatever clients send: routes are those of the application, kinds of
errors those of `ERROR_KINDS`, and no text, voice or address of a client is a label. Each server has
a registry of its own; the process's memory, CPU time and open files stand beside its figures.
"""

import sys
from collections.abc import Callable, Iterable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import choose_encoder
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from voxgate.engine.python310 import StrEnum
from voxgate.engine.serve.spans import RequestSpans

PREFIX = "voxgate_server"
OTHER = "other"
ERROR = "voxgate.error"
"""Where the handler of an error leaves its kind for the observer, in the request's scope."""
REJECTIONS = (
    "queue_full",
    "too_many_connections",
    "head_too_slow",
    "body_too_slow",
    "body_too_large",
    "host_not_allowed",
    "foreign_origin",
)
"""Kinds of errors with which a request is turned away before it is work."""
KIND_OF_STATUS = {
    400: "invalid_request",
    404: "not_found",
    405: "method_not_allowed",
    415: "unsupported_media_type",
    500: "engine_failed",
}
BROKEN_STREAM = "broken_stream"
"""The engine failed after the first audio was sent."""
ERROR_KINDS = (
    *KIND_OF_STATUS.values(),
    "model_not_found",
    "voice_not_found",
    *REJECTIONS,
    "no_audio",
    BROKEN_STREAM,
    OTHER,
)
CLIENT_LEFT, CLIENT_STALLED, IDLE_EVICTED = "client_left", "client_stalled", "idle_evicted"
DROPS = (CLIENT_LEFT, CLIENT_STALLED, IDLE_EVICTED)
CLIENT_CLOSED_REQUEST = 499
"""The status of a response to a client that has disconnected; nobody reads it."""

REQUEST_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
FIRST_AUDIO_S = (0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 30)
WAIT_S = (0.001, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30)
REAL_TIME_FACTOR = (0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 5)
BATCH_TEXTS = (1, 2, 3, 4, 6, 8, 12, 16, 32, 64, 256)


class Mode(StrEnum):
    """How a request is answered."""

    WHOLE = "whole"
    STREAMED = "streamed"


class ServerMetrics:
    """The figures of one server. Thread-safe."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._requests = self._counter("requests", "Answers by route and status", "route", "status")
        self._duration_s = self._seconds(
            "request_duration", "From a request's head to its answer's end", REQUEST_S, "route"
        )
        self._first_audio_s = self._seconds(
            "first_audio", "From the head of a request to its first audio", FIRST_AUDIO_S, "mode"
        )
        self._wait_s = self._seconds(
            "queue_wait", "From admission to the engine's first work on it", WAIT_S, "mode"
        )
        self._batch = self._histogram("batch_texts", "Whole texts in one batch", BATCH_TEXTS)
        self._factor = self._histogram(
            "real_time_factor",
            "Engine time over audio time, of each turn of the engine",
            REAL_TIME_FACTOR,
        )
        self._engine_s = self._counter("engine_seconds", "Time that the engine has worked")
        self._audio_s = self._counter("audio_seconds", "Audio that the engine has made")
        self._errors = self._counter("errors", "Requests that failed, by kind", "kind")
        self._rejected = self._counter("rejected", "Requests that were turned away", "reason")
        self._dropped = self._counter(
            "dropped", "Requests and connections that ended early", "reason"
        )
        self._left_out = self._counter(
            "left_out_characters", "Characters of texts that were not said, as no voice can"
        )
        self._connections = self._gauge("connections", "Open connections")
        self._declare_gauges()
        self._zero()

    def _declare_gauges(self) -> None:
        self._in_flight = self._gauge(
            "requests_in_flight", "Requests that wait or are in synthesis"
        )
        self._waiting = self._gauge("requests_waiting", "Requests on which no work has begun")
        self._places = self._gauge("queue_places", "Most requests in flight; one more gets 429")
        gpu = self._gauge("gpu_memory_bytes", "GPU memory that torch holds; 0 where it uses none")
        gpu.set_function(gpu_memory_bytes)
        self._alive = self._gauge("engine_alive", "1 while the engine's thread runs, else 0")
        self._info = self._gauge(
            "info", "1; the model and the version are labels", "model", "version"
        )

    def _zero(self) -> None:
        """Show every kind from the start, so that its first event is an increase."""
        for kind in ERROR_KINDS:
            self._errors.labels(kind)
        for reason in REJECTIONS:
            self._rejected.labels(reason)
        for reason in DROPS:
            self._dropped.labels(reason)
        for mode in Mode:
            self._wait_s.labels(mode)
            self._first_audio_s.labels(mode)

    def watch_admission(
        self,
        places: int,
        in_flight: Callable[[], float],
        waiting: Callable[[], float],
        alive: Callable[[], float],
    ) -> None:
        """Read these at every scrape."""
        self._places.set(places)
        self._in_flight.set_function(in_flight)
        self._waiting.set_function(waiting)
        self._alive.set_function(alive)

    def name_model(self, model: str) -> None:
        """Set the model that is served."""
        self._info.labels(model, _version()).set(1)

    def answered(self, route: str, status: int, duration_s: float) -> None:
        """Count an answer."""
        self._requests.labels(route, str(status)).inc()
        self._duration_s.labels(route).observe(duration_s)

    def first_audio(self, mode: Mode, after_s: float) -> None:
        """Observe the time to first audio."""
        self._first_audio_s.labels(mode).observe(after_s)

    def begun(self, mode: Mode, wait_s: float) -> None:
        """Observe how long a request has waited for the engine."""
        self._wait_s.labels(mode).observe(wait_s)

    def turn(self, engine_s: float, audio_s: float) -> None:
        """Count one turn of the engine and the audio that it made."""
        self._engine_s.inc(max(0.0, engine_s))
        self._audio_s.inc(audio_s)
        if audio_s > 0.0:
            self._factor.observe(engine_s / audio_s)

    def batch(self, texts: int) -> None:
        """Observe the size of a batch."""
        self._batch.observe(texts)

    def failed(self, kind: str | None) -> None:
        """Count an error; an unknown kind is `other`."""
        known = kind if kind in ERROR_KINDS else OTHER
        self._errors.labels(known).inc()
        if known in REJECTIONS:
            self._rejected.labels(known).inc()

    def dropped(self, reason: str) -> None:
        """Count a request or connection that ended early."""
        self._dropped.labels(reason if reason in DROPS else OTHER).inc()

    def left_out(self, characters: int) -> None:
        """Count characters of a text that cannot be said."""
        self._left_out.inc(characters)

    def connected(self, change: int) -> None:
        """Count a connection that opens (1) or closes (-1)."""
        self._connections.inc(change)

    def text(self, accept: str) -> tuple[bytes, str]:
        """Return all figures and their media type, in the format that a client accepts."""
        encode, media_type = choose_encoder(accept)
        return encode(self.registry), media_type

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"{PREFIX}_{name}", f"{text}.", labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"{PREFIX}_{name}", f"{text}.", labels, registry=self.registry)

    def _seconds(self, name: str, text: str, edges: Iterable[float], *labels: str) -> Histogram:
        return self._histogram(f"{name}_seconds", text, edges, *labels)

    def _histogram(self, name: str, text: str, edges: Iterable[float], *labels: str) -> Histogram:
        return Histogram(
            f"{PREFIX}_{name}", f"{text}.", labels, buckets=tuple(edges), registry=self.registry
        )


def kind_of(status: int, code: str | None) -> str:
    """Return the kind of an error by its code, else by its status."""
    return code if code in ERROR_KINDS else KIND_OF_STATUS.get(status, OTHER)


def gpu_memory_bytes() -> float:
    """Return the memory that torch holds on all GPUs, its cache included; starts no GPU."""
    torch: Any = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return 0.0
    numbers = range(torch.cuda.device_count())
    return float(sum(torch.cuda.memory_reserved(number) for number in numbers))


def _version() -> str:
    try:
        return version("voxgate")
    except PackageNotFoundError:
        return "unknown"


class RequestObserver:
    """
    Counts the requests of an application, outermost of what handles them.

    `now_s` returns the time in seconds that never decrease.
    """

    def __init__(
        self,
        app: ASGIApp,
        metrics: ServerMetrics,
        routes: frozenset[str],
        now_s: Callable[[], float],
        spans: RequestSpans,
    ) -> None:
        self._app, self._metrics, self._routes = app, metrics, routes
        self._now_s, self._spans = now_s, spans

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and observe its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        route = scope["path"] if scope["path"] in self._routes else OTHER
        with self._spans.request(scope, route) as span:
            answer = _Answer(self._metrics, self._now_s)
            try:
                await self._observed(scope, receive, send, route, answer)
            finally:
                if span is not None:
                    span.set_attributes(answer.attributes)

    async def _observed(
        self, scope: Scope, receive: Receive, send: Send, route: str, answer: "_Answer"
    ) -> None:
        try:
            await self._app(scope, receive, answer.sending(send))
        except Exception:
            answer.status = answer.status or 500
            self._metrics.failed(BROKEN_STREAM if answer.has_begun else KIND_OF_STATUS[500])
            raise
        else:
            answer.count_end(scope.get(ERROR))
        finally:
            self._metrics.answered(
                route, answer.status or CLIENT_CLOSED_REQUEST, self._now_s() - answer.began_s
            )


class _Answer:
    """What has been sent of one answer."""

    def __init__(self, metrics: ServerMetrics, now_s: Callable[[], float]) -> None:
        self._metrics, self._now_s = metrics, now_s
        self.began_s = now_s()
        self.status = 0
        self._first_s: float | None = None
        self._is_audio = self._is_whole = self.has_begun = False

    @property
    def attributes(self) -> dict[str, int | float]:
        """What a span tells of it."""
        first = {} if self._first_s is None else {"voxgate.first_audio_s": self._first_s}
        return {"http.response.status_code": self.status or CLIENT_CLOSED_REQUEST, **first}

    def sending(self, send: Send) -> Send:
        """Return `send`, observed."""

        async def observed(message: Message) -> None:
            self._see(message)
            await send(message)

        return observed

    def _see(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = dict(message.get("headers", ()))
            self._is_audio = headers.get(b"content-type", b"").startswith(b"audio/")
            return
        more = message.get("more_body", False)
        if message.get("body") and not self.has_begun:
            self.has_begun = True
            if self._is_audio:
                mode = Mode.STREAMED if more else Mode.WHOLE
                self._first_s = self._now_s() - self.began_s
                self._metrics.first_audio(mode, self._first_s)
        self._is_whole = not more

    def count_end(self, kind: str | None) -> None:
        """Count how an answer ended that raised nothing."""
        if self.status in (0, CLIENT_CLOSED_REQUEST) or not self._is_whole:
            self._metrics.dropped(CLIENT_LEFT)
        elif self.status >= 400:
            self._metrics.failed(kind or kind_of(self.status, None))


def metrics_response(metrics: ServerMetrics, request: Request) -> Response:
    """Return all figures: Prometheus' text, or OpenMetrics for a client that asks for it."""
    body, media_type = metrics.text(request.headers.get("accept", ""))
    return Response(body, headers={"Content-Type": media_type})
