"""
OpenTelemetry spans of a server: each request, its wait for the engine, each turn of the engine on
it, and the stages of that turn. Off unless an address is given, and then nothing is imported.

While the engine works, only the moments of stages are noted; the spans are made from them after the
turn, and sent by a thread of the SDK. A request of a client that is traced continues its trace (the
header `traceparent`). No text of a client is an attribute.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import Scope

from voxgate.engine.errors import EngineError
from voxgate.engine.timing import unix_ns

SERVICE = "voxgate-engine"
PATH = "/v1/traces"
"""Of OTLP over HTTP."""
_current: ContextVar[Any] = ContextVar("voxgate_request_span", default=None)


@dataclass(frozen=True, slots=True)
class StageInterval:
    """When a stage ran, in nanoseconds since 1970."""

    stage: str
    start_ns: int
    end_ns: int


class StageRecorder:
    """Notes when stages run; pass `watch` to a pipeline."""

    def __init__(self) -> None:
        self._stages: list[StageInterval] = []

    @contextmanager
    def watch(self, stage: str) -> Iterator[None]:
        """Note the body of the `with` statement as `stage`."""
        start_ns = unix_ns()
        try:
            yield
        finally:
            self._stages.append(StageInterval(stage, start_ns, unix_ns()))

    def take(self) -> list[StageInterval]:
        """Return what was noted since the last call."""
        taken, self._stages = self._stages, []
        return taken


class RequestSpans:
    """The spans of one server; without a tracer there are none, and every call does nothing."""

    def __init__(self, tracer: Any = None) -> None:
        self._tracer = tracer

    @property
    def is_on(self) -> bool:
        """Whether spans are made."""
        return self._tracer is not None

    @contextmanager
    def request(self, scope: Scope, route: str) -> Iterator[Any]:
        """Make the span of a request; what is admitted within the block belongs to it."""
        if self._tracer is None:
            yield None
            return
        from opentelemetry.propagate import extract
        from opentelemetry.trace import SpanKind

        method = scope["method"] if scope["method"] in ("GET", "POST", "HEAD") else "_OTHER"
        with self._tracer.start_as_current_span(
            f"{method} {route}",
            context=extract(dict(Headers(scope=scope))),
            kind=SpanKind.SERVER,
            attributes={"http.request.method": method, "http.route": route},
        ) as span:
            token = _current.set(span)
            try:
                yield span
            finally:
                _current.reset(token)

    def parent(self) -> Any:
        """Return the span of the request that is handled here; None where there is none."""
        return _current.get()

    def emit(
        self,
        parent: Any,
        name: str,
        start_ns: int,
        *,
        stages: Sequence[StageInterval] = (),
        attributes: Mapping[str, float] | None = None,
        failed: bool = False,
    ) -> None:
        """Make a span that ends now, with a child for each stage; none without a parent."""
        if self._tracer is None or parent is None:
            return
        from opentelemetry.trace import Status, StatusCode, set_span_in_context

        context = set_span_in_context(parent)
        span = self._tracer.start_span(
            name, context=context, start_time=start_ns, attributes=dict(attributes or {})
        )
        within = set_span_in_context(span)
        for each in stages:
            child = self._tracer.start_span(each.stage, context=within, start_time=each.start_ns)
            child.end(each.end_ns)
        if failed:
            span.set_status(Status(StatusCode.ERROR))
        span.end(unix_ns())


def spans_to(address: str | None) -> RequestSpans:
    """
    Return spans that are sent to an address by OTLP over HTTP; None sends and imports nothing.

    Raises: EngineError for what is no address, and where OpenTelemetry is not installed.
    """
    if address is None:
        return RequestSpans()
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise EngineError(
            f"--spans must be an address such as http://127.0.0.1:4318, not {address!r}"
        )
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise EngineError(f"--spans needs {error.name}; install voxgate[otel]") from None
    path = parts.path.rstrip("/")
    endpoint = address if path.endswith(PATH) else f"{address.rstrip('/')}{PATH}"
    return RequestSpans(tracer_of(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint))))


def tracer_of(processor: Any) -> Any:
    """Return a tracer of its own provider, whose spans a processor takes."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

    provider = TracerProvider(resource=Resource.create({"service.name": SERVICE}))
    provider.add_span_processor(processor)
    return provider.get_tracer("voxgate.engine.serve")
