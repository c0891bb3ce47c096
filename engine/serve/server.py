"""
The process: bind, load, listen, serve, and end well.

SIGTERM and Ctrl-C close the door first, then wait up to GRACE_S for what was let in. Beyond this
machine it is heard only when asked, and then it warns, since it knows neither passwords nor
encryption.

How many kernels a server keeps: a bound on what it has resident.

oneDNN builds a kernel for every shape of a product, and two caches of 1024 each keep them: its own,
and one of torch. Texts have hundreds of lengths, about twenty kernels each, so both caches fill up
with lengths that hardly ever come again, and a gigabyte is resident in the end. A pass through the
models needs its own kernels at every solver step, and nobody else's.
"""

import ipaddress
import os
import signal
import socket
from collections.abc import Callable, Sequence
from pathlib import Path

import click
import uvicorn
from starlette.applications import Starlette

from engine.config import OPTIONS, FlowConfig
from engine.errors import EngineError
from engine.pipelines.batching import Batcher
from engine.pipelines.flow import FlowPipeline
from engine.serve.admission import AdmissionController
from engine.serve.app import make_app
from engine.serve.connections import HEAD_BYTES, door_with
from engine.serve.hosts import hosts_of
from engine.serve.limits import Limits
from engine.serve.model_info import about_voice
from engine.timing import instant_s
from engine.weights.voice import DEFAULT_VOICE

GRACE_S = 30
BACKLOG = 256
"""Connections that the system accepts before the server has looked at them."""


def serve(
    config: FlowConfig,
    folder: Path | None,
    limits: Limits,
    host: str,
    port: int,
    allowed: Sequence[str] = (),
) -> None:
    """
    Serve until told to end; requests must name this machine, `host`, or a host that is `allowed`.

    Raises EngineError for an address, options or weights that cannot work.
    """
    hosts = hosts_of(host, allowed)
    with bound(host, port) as door:
        limit_onednn_cache()
        voice = folder or DEFAULT_VOICE
        pipeline = FlowPipeline.load({name: getattr(config, name) for name in OPTIONS}, voice)
        desk = AdmissionController(
            pipeline,
            limits,
            lambda speak, count, window_s: Batcher(speak, count, window_s, limits.queue),
            instant_s,
        )
        about = about_voice(voice, pipeline.sample_rate_hz, pipeline.config, limits)
        if not is_local(host):
            click.echo(
                f"engine: {host} is open to others, without password or encryption; put a proxy "
                "before it",
                err=True,
            )
        try:
            app = make_app(desk, about, hosts)
            run(
                app,
                limits,
                door,
                lambda: click.echo(f"listening on {address(door)}, model {about.model}"),
            )
        finally:
            desk.close()
    click.echo("ended")


def run(app: Starlette, limits: Limits, door: socket.socket, ready: Callable[[], None]) -> None:
    """Serve at a bound socket; `ready` is called when connections are accepted."""
    server = uvicorn.Server(configuration(app, limits))
    # uvicorn has its own while it runs, and then calls these
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: setattr(server, "should_exit", True))
    door.listen(BACKLOG)
    ready()
    server.run(sockets=[door])


def configuration(app: Starlette, limits: Limits) -> uvicorn.Config:
    """
    Configure the web server the same way everywhere, whatever else is installed; no line per
    request.
    """
    return uvicorn.Config(
        app,
        http=door_with(limits),
        h11_max_incomplete_event_size=HEAD_BYTES,
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


def bound(host: str, port: int) -> socket.socket:
    """Take the address, before anything is loaded; nobody can connect yet. Raises EngineError."""
    door = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind((host, port))
    except OSError as error:
        door.close()
        raise EngineError(
            f"cannot listen on {host}, port {port}: {error.strerror or error}; choose another"
        ) from None
    return door


def address(door: socket.socket) -> str:
    """Give the URL of a bound socket."""
    host, port = door.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_local(host: str) -> bool:
    """Whether only this machine can reach the host."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


CAPACITIES = ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY")
"""Both must be small: a kernel lives as long as either keeps it."""
KEPT = "64"
"""Those of two to four lengths. With 16 a pass was seen to build its kernels at every step anew."""


def limit_onednn_cache() -> None:
    """
    Bound the caches, where whoever started the process has not; to be called before anything is
    computed.
    """
    for name in CAPACITIES:
        os.environ.setdefault(name, KEPT)
