"""
The web application of a pipeline that converts recordings: `POST /v1/audio/conversions`, with
`GET /v1/models`, `GET /health` and `GET /metrics` beside it.

A request is a form (multipart/form-data) with the recording as `file`, and the options of one
request as fields: `speaker`, `pitch_shift`, `protect`, `response_format`. Its size is bounded
before it is read; errors have OpenAI's shape. No field names a path, so nothing of this machine is
read.
"""

import asyncio
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from functools import partial
from typing import Any, Protocol
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from voxgate.engine.audio.reference_recording import decode
from voxgate.engine.config import ConvertingConfig, options_of
from voxgate.engine.conversion.features import Converted
from voxgate.engine.conversion.source import SOURCE
from voxgate.engine.errors import EngineError
from voxgate.engine.serve.admission import EngineAdmission, Ticket
from voxgate.engine.serve.app import (
    application,
    health_response,
    read_body,
    unless_disconnected,
)
from voxgate.engine.serve.errors import ApiError
from voxgate.engine.serve.hosts import Hosts
from voxgate.engine.serve.jobs import BatchJob
from voxgate.engine.serve.limits import Limits
from voxgate.engine.serve.metrics import Mode
from voxgate.engine.serve.response import AudioFormat, encode, media_type
from voxgate.engine.serve.spans import StageRecorder

PATHS = ("source", "reference")
"""Options of a request that name files; no client may."""
MAX_PARTS = 32
MAX_FIELD_BYTES = 1000


class ConvertingVoice(Protocol):
    """The pipeline, or a fake of it."""

    sample_rate_hz: int
    config: Any

    def convert(self, audio: Any, sample_rate_hz: int, options: dict[str, object]) -> Converted:
        """Convert samples."""

    def for_request(self, options: dict[str, object]) -> Any:
        """Check the options of a request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversionRequest:
    """One recording to convert, as uploaded, and its options."""

    content: bytes
    options: dict[str, object]
    audio_format: AudioFormat


class ConversionAdmission(EngineAdmission):
    """Admits recordings: each is one job of the engine's thread."""

    def submit(self, convert: Callable[..., Converted]) -> Ticket:
        """Queue a conversion; the future returns a list with its result."""

        def timed() -> list[Converted]:
            parents, recorder = self._begin([job.future]), StageRecorder()
            watch = self._watching(recorder)
            return self._turn(lambda: [convert(**watch)], _audio_s, parents, recorder)

        job = BatchJob(timed)  # type: ignore[arg-type]  # a job hands it on

        def enqueue() -> Ticket:
            self._engine.submit_batch(job)
            return Ticket(job.future)

        return self._admit(enqueue, Mode.WHOLE)


def _audio_s(made: list[Converted]) -> float:
    """Return the seconds of what was converted."""
    return sum(
        float(each.audio.size / each.sample_rate_hz) for each in made if isinstance(each, Converted)
    )


def boundary_of(content_type: str) -> bytes:
    """
    Return what parts the fields of a form, by its Content-Type; other parameters are ignored.

    Raises: ApiError for a body of another type, or without a boundary.
    """
    kind, _, parameters = content_type.partition(";")
    found = re.search(
        r'(?:^|;)\s*boundary=(?:"([^"\r\n]{1,70})"|([^\s";,]{1,70}))\s*(?:;|$)',
        parameters,
        re.IGNORECASE,
    )
    if kind.strip().lower() != "multipart/form-data" or not found:
        raise ApiError(415, "Content-Type must be multipart/form-data with a boundary")
    return b"--" + (found[1] or found[2]).encode("latin-1", "replace")


def parse_form(body: bytes, mark: bytes) -> dict[str, bytes]:
    """
    Split a form (RFC 7578) at the mark that parts its fields; a file's name is not looked at.

    Raises: ApiError for other than a whole form of distinct named fields.
    """
    first, *parts = (b"\r\n" + body).split(b"\r\n" + mark)
    if first.strip() or not parts or not parts[-1].startswith(b"--") or len(parts) > MAX_PARTS:
        raise ApiError(400, "the body is no whole form; send it again")
    form: dict[str, bytes] = {}
    for part in parts[:-1]:
        head, divided, value = part.partition(b"\r\n\r\n")
        name = re.search(rb'content-disposition:[^\r\n]*?[;\s]name="([\w-]{1,64})"', head, re.I)
        if not divided or not name:
            raise ApiError(400, "the form has a part without a name")
        field = name[1].decode()
        if field in form:
            message = f"the form holds {field} twice; send one recording and one value per option"
            raise ApiError(400, message, param=field)
        form[field] = value
    return form


def parse_conversion(form: dict[str, bytes], config: type[ConvertingConfig]) -> ConversionRequest:
    """Check the fields of a form. Raises ApiError for one that is missing, unknown or invalid."""
    specs = {
        name: spec
        for name, spec in options_of(config).items()
        if spec.per_request and name not in PATHS
    }
    content = form.pop("file", b"")
    if not content:
        raise ApiError(400, "file must be the recording to convert", param="file")
    wanted = _word(form.pop("response_format", b"wav"), "response_format")
    if wanted not in tuple(AudioFormat):
        known = ", ".join(AudioFormat)
        message = f"response_format cannot be {wanted!r}; this server sends {known}"
        raise ApiError(400, message, param="response_format")
    options: dict[str, object] = {}
    for name, value in form.items():
        if name not in specs:
            known = ", ".join(("file", "response_format", *specs))
            raise ApiError(400, f"unknown field {name!r}; known are {known}", param=name)
        try:
            options[name] = specs[name].checked(specs[name].from_word(_word(value, name)))
        except EngineError as error:
            raise ApiError(400, str(error), param=name) from None
    return ConversionRequest(content=content, options=options, audio_format=AudioFormat(wanted))


def _word(value: bytes, name: str) -> str:
    if len(value) > MAX_FIELD_BYTES:
        raise ApiError(400, f"{name} has more than {MAX_FIELD_BYTES} bytes", param=name)
    return value.decode("utf-8", "replace")


def make_conversion_app(
    admission: ConversionAdmission,
    pipeline: ConvertingVoice,
    model: str,
    limits: Limits,
    hosts: Hosts | None = None,
) -> Starlette:
    """Return the application; `hosts` are the names that requests may use."""
    endpoints = _ConversionEndpoints(admission, pipeline, model, limits, hosts or Hosts())
    routes = [
        Route("/v1/audio/conversions", endpoints.convert, methods=["POST"]),
        Route("/v1/models", endpoints.models, methods=["GET"]),
        Route("/health", endpoints.health, methods=["GET"]),
    ]
    admission.metrics.name_model(model)
    return application(routes, admission, hosts)


@dataclass(frozen=True, slots=True)
class _ConversionEndpoints:
    admission: ConversionAdmission
    pipeline: ConvertingVoice
    model: str
    limits: Limits
    hosts: Hosts

    async def models(self, request: Request) -> Response:
        """Return the one model, with its effective options."""
        config = self.pipeline.config
        options = {field.name: getattr(config, field.name) for field in fields(config)}
        if self.admission.spans.is_on:
            options["spans"] = True
        card = {
            "id": self.model,
            "object": "model",
            "sample_rate_hz": self.pipeline.sample_rate_hz,
            "options": {name: value for name, value in options.items() if name not in PATHS},
            "limits": asdict(self.limits),
        }
        return JSONResponse({"object": "list", "data": [card]})

    async def health(self, request: Request) -> Response:
        """Report that the model is loaded, and the number of requests in flight."""
        return health_response(self.admission, self.model, self.limits)

    async def convert(self, request: Request) -> Response:
        """Return the converted recording."""
        self._check_origin(request)
        mark = boundary_of(request.headers.get("content-type", ""))
        body = await read_body(request, self.limits.max_upload_bytes)
        form = parse_form(body, mark)
        asked = parse_conversion(form, type(self.pipeline.config))
        try:
            audio, rate_hz = await asyncio.to_thread(decode, asked.content, SOURCE)
            run = partial(self.pipeline.convert, audio, rate_hz, asked.options)
            ticket = self.admission.submit(run)
            try:
                (converted,) = await unless_disconnected(
                    request, asyncio.wrap_future(ticket.future)
                )
            finally:
                ticket.cancel()
        except EngineError as error:
            raise ApiError(400, str(error), param="file") from None
        content = await asyncio.to_thread(
            encode, converted.audio, asked.audio_format, converted.sample_rate_hz
        )
        return Response(content, headers=_headers(converted, asked.audio_format))

    def _check_origin(self, request: Request) -> None:
        """
        Refuse pages of other sites: a browser sends a form anywhere without asking first.
        """
        origin = request.headers.get("origin")
        if origin is not None and not self.hosts.allow(urlsplit(origin).netloc or None):
            raise ApiError(403, f"pages of {origin!r} may not convert here", code="foreign_origin")


def _headers(converted: Converted, audio_format: AudioFormat) -> dict[str, str]:
    headers = {
        "Content-Type": media_type(audio_format, converted.sample_rate_hz),
        "X-Sample-Rate": str(converted.sample_rate_hz),
    }
    if converted.likeness is not None:
        headers["X-Source-Likeness"] = f"{converted.likeness:.3f}"
    if converted.warning:
        headers["X-Source-Warning"] = converted.warning
    return headers
