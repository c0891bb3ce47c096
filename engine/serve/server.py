"""
The server process: bind, load, listen, serve, shut down.

SIGTERM and Ctrl-C close the socket first, then wait up to GRACE_S for requests in flight.
The server is reachable from other machines only on request, and then prints a warning, because it
has neither passwords nor encryption.

It also bounds oneDNN's kernel caches, and with them the resident memory.
oneDNN compiles a kernel for every shape of a product, and two caches of 1024 each keep them: its
own, and one of torch.
Texts have hundreds of lengths, with about twenty kernels each, so both caches would fill up with
lengths that hardly ever recur, and a gigabyte would be resident.
A pass through the models needs its own kernels at every solver step, and no others.
"""

import ipaddress
import os
import signal
import socket
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import uvicorn
from starlette.applications import Starlette

from voxgate.engine.config import OPTIONS, PipelineConfig, options_of
from voxgate.engine.errors import EngineError
from voxgate.engine.pipelines.batching import Batcher
from voxgate.engine.pipelines.flow import FlowPipeline
from voxgate.engine.pipelines.registry import pipeline_class
from voxgate.engine.serve.admission import AdmissionController, EngineAdmission
from voxgate.engine.serve.app import make_app
from voxgate.engine.serve.connections import MAX_HEAD_BYTES, connection_guard
from voxgate.engine.serve.hosts import Hosts, hosts_of
from voxgate.engine.serve.limits import Limits
from voxgate.engine.serve.metrics import ServerMetrics
from voxgate.engine.serve.model_info import OWNER, voice_model_info
from voxgate.engine.serve.spans import RequestSpans, spans_to
from voxgate.engine.timing import monotonic_s
from voxgate.engine.weights.voice import VOICES

GRACE_S = 30
BACKLOG = 256
"""Connections that the system accepts before the server has accepted them."""


def serve(
    config: PipelineConfig,
    folder: Path | None,
    limits: Limits,
    host: str,
    port: int,
    allowed: Sequence[str] = (),
    spans: str | None = None,
) -> None:
    """
    Serve until a signal arrives.

    Args:
        config: options of the pipeline.
        folder: of the voice, None for the embedded one.
        limits: of the server.
        host: address to listen on.
        port: 0 for any free one.
        allowed: further host names that requests may use.
        spans: where OpenTelemetry spans are sent; None makes none.

    Raises: EngineError for an address, options or weights that cannot work.
    """
    hosts, made = hosts_of(host, allowed), spans_to(spans)
    with bind_socket(host, port) as sock:
        limit_onednn_cache()
        make = _conversion if config.converts else _speech
        app, admission, model = make(config, folder, limits, hosts, made)
        if not is_local(host):
            click.echo(
                f"engine: {host} is open to others, without password or encryption; put a proxy "
                "before it",
                err=True,
            )
        try:
            web = uvicorn_config(app, limits, admission.metrics)
            run(web, sock, lambda: click.echo(f"listening on {url_of(sock)}, model {model}"))
        finally:
            admission.close()
    click.echo("ended")


def _speech(
    config: PipelineConfig, folder: Path | None, limits: Limits, hosts: Hosts, spans: RequestSpans
) -> tuple[Starlette, EngineAdmission, str]:
    """Load the voice that speaks; return its application, admission and model's name."""
    pipeline = FlowPipeline.load({name: getattr(config, name) for name in OPTIONS}, folder)
    voice = folder or VOICES[pipeline.config.language]
    admission = AdmissionController(
        pipeline,
        limits,
        lambda speak, count, window_s: Batcher(speak, count, window_s, limits.queue),
        monotonic_s,
        spans,
    )
    info = voice_model_info(voice, pipeline.sample_rate_hz, pipeline.config, limits)
    info = replace(info, spans=spans.is_on)
    return make_app(admission, info, hosts), admission, info.model


def _conversion(
    config: PipelineConfig, folder: Path | None, limits: Limits, hosts: Hosts, spans: RequestSpans
) -> tuple[Starlette, EngineAdmission, str]:
    """Load a voice that recordings are converted into; return as `_speech`."""
    from voxgate.engine.serve.conversions import ConversionAdmission, make_conversion_app

    options = {name: getattr(config, name) for name in options_of(type(config))}
    pipeline: Any = pipeline_class(config.pipeline).load(options, folder)
    admission = ConversionAdmission(limits, monotonic_s, spans)
    model = f"{OWNER}-{folder.resolve().name if folder else config.pipeline}"
    return make_conversion_app(admission, pipeline, model, limits, hosts), admission, model


def run(config: uvicorn.Config, sock: socket.socket, ready: Callable[[], None]) -> None:
    """Serve on a bound socket; `ready` is called when connections are accepted."""
    server = uvicorn.Server(config)
    # uvicorn installs its own while it runs, and then calls these
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: setattr(server, "should_exit", True))
    sock.listen(BACKLOG)
    ready()
    server.run(sockets=[sock])


def uvicorn_config(app: Starlette, limits: Limits, metrics: ServerMetrics) -> uvicorn.Config:
    """Return the web server's configuration, the same whatever else is installed; no access log."""
    return uvicorn.Config(
        app,
        http=connection_guard(limits, metrics),
        h11_max_incomplete_event_size=MAX_HEAD_BYTES,
        timeout_keep_alive=limits.idle_s,
        loop="asyncio",
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE_S,
    )


def bind_socket(host: str, port: int) -> socket.socket:
    """
    Return a socket bound to the address, before anything is loaded; nobody can connect yet.

    Raises: EngineError for an address that cannot be used.
    """
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        raise EngineError(
            f"cannot listen on {host}, port {port}: {error.strerror or error}; choose another"
        ) from None
    return sock


def url_of(sock: socket.socket) -> str:
    """Return the URL of a bound socket."""
    host, port = sock.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_local(host: str) -> bool:
    """Return whether only this machine can reach the host."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


CAPACITIES = ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY")
"""Both must be small: a kernel lives as long as either cache keeps it."""
CACHED_KERNELS = "64"
"""The kernels of two to four lengths. With 16, a pass recompiled its kernels at every step."""


def limit_onednn_cache() -> None:
    """Bound the caches, unless the environment sets them; call before any computation."""
    for name in CAPACITIES:
        os.environ.setdefault(name, CACHED_KERNELS)
