"""
The limits of a connection: uvicorn's protocol with timeouts and a bound that uvicorn lacks.

The head of a request must arrive in time, however slowly its bytes drip.
Idle connections are closed after a timeout, and earlier if all places are taken, so that
connections without a request exclude nobody.
If every connection has a request, one more gets 429 at once (uvicorn's own limit would answer 503).
A client that stops reading its response is disconnected.
"""

import asyncio
import json
import socket

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from voxgate.engine.serve.errors import ApiError
from voxgate.engine.serve.limits import Limits
from voxgate.engine.serve.metrics import CLIENT_STALLED, IDLE_EVICTED, ServerMetrics

MAX_HEAD_BYTES = 16_384
"""Of a request's head; uvicorn answers 400 to a longer one."""
SEND_BUFFER_BYTES = 2**17
"""
Size of the socket's send buffer.

By default the system buffers megabytes, and reports no progress until a third of them is read,
which a player in real time does not do within `stall_s`.
"""
CLOSE_DELAY_S = 1.0
"""Time for a response to arrive before its connection is aborted."""


class ConnectionGuard(H11Protocol):
    """
    One connection.

    Subclasses set `limits`, `metrics` and `idle`: the connections without a request, the longest
    idle first.
    """

    limits: Limits
    metrics: ServerMetrics
    idle: "dict[ConnectionGuard, None]"
    _rejected = False
    _head_timer: asyncio.TimerHandle | None = None
    _stall_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept the connection, if necessary in place of an idle one."""
        super().connection_made(transport)
        self.metrics.connected(1)
        # so that every unread byte pauses writing
        transport.set_write_buffer_limits(high=0)
        transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES
        )
        if len(self.connections) > self.limits.max_connections and not self._evict_idle():
            self._reject(_too_many_connections(self.limits.max_connections))
            return
        self._start_head_timer()

    def data_received(self, data: bytes) -> None:
        """Parse data; the timeout of the head runs until it is complete."""
        if self._rejected:
            return
        super().data_received(data)
        if self._in_request:
            self._request_began()
        else:
            self._start_head_timer()

    def on_response_complete(self) -> None:
        """Wait for the next request, up to uvicorn's `timeout_keep_alive`."""
        super().on_response_complete()
        if not self._in_request:
            self.idle.setdefault(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Remove the connection and cancel its timers."""
        self.metrics.connected(-1)
        self.idle.pop(self, None)
        for timer in (self._head_timer, self._stall_timer):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Start to watch whether the client reads anything."""
        super().pause_writing()
        self._start_stall_timer(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """Stop watching: the client has read everything."""
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None
        super().resume_writing()

    @property
    def _in_request(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _start_head_timer(self) -> None:
        """Start the timeout of the next head, unless it runs."""
        self.idle.setdefault(self)
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self.limits.head_s, self._head_timed_out)

    def _request_began(self) -> None:
        self.idle.pop(self, None)
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_timed_out(self) -> None:
        message = f"the head of the request did not arrive within {self.limits.head_s} s"
        self._reject(ApiError(408, message, code="head_too_slow"))

    def _evict_idle(self) -> bool:
        """Close the longest idle connection and return True; return False if there is none."""
        longest = next(
            (connection for connection in self.idle if not connection.transport.is_closing()), None
        )
        if longest is None:
            return False
        self.idle.pop(longest)
        self.metrics.dropped(IDLE_EVICTED)
        longest.transport.abort()
        return True

    def _reject(self, error: ApiError) -> None:
        """
        Answer without reading further, and abort the connection after the answer had time to
        arrive.
        """
        self._rejected = True
        self.idle.pop(self, None)
        if self.transport.is_closing():
            return
        self.metrics.failed(error.code)
        # otherwise a response was sent, and the rest of its request never arrived
        if self.conn.our_state is h11.IDLE:
            self.transport.write(_raw_response(error))
        self.transport.pause_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(CLOSE_DELAY_S, self.transport.abort)

    def _start_stall_timer(self, unsent_bytes: int) -> None:
        self._stall_timer = self.loop.call_later(self.limits.stall_s, self._stalled, unsent_bytes)

    def _stalled(self, unsent_before_bytes: int) -> None:
        """Disconnect the client if it has read nothing since."""
        unsent_bytes = self.transport.get_write_buffer_size()
        if unsent_bytes >= unsent_before_bytes:
            self.metrics.dropped(CLIENT_STALLED)
            self.transport.abort()
        else:
            self._start_stall_timer(unsent_bytes)


def connection_guard(limits: Limits, metrics: ServerMetrics) -> type[ConnectionGuard]:
    """
    Return the protocol class of one server, of which uvicorn makes an instance per connection.
    """
    shared = {"limits": limits, "metrics": metrics, "idle": {}}
    return type("LimitedConnectionGuard", (ConnectionGuard,), shared)


def _too_many_connections(most: int) -> ApiError:
    message = (
        f"{most} connections are at work, which is all that this server lets in; try again in 1 s"
    )
    return ApiError(429, message, code="too_many_connections", headers={"Retry-After": "1"})


def _raw_response(error: ApiError) -> bytes:
    """Return a response's bytes, for a connection without a parsed request."""
    reasons = {408: "Request Timeout", 429: "Too Many Requests"}
    body = json.dumps(error.body()).encode()
    fixed = {
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "Connection": "close",
    }
    head = [f"HTTP/1.1 {error.status} {reasons[error.status]}"]
    head += [f"{name}: {value}" for name, value in {**fixed, **error.headers}.items()]
    return "\r\n".join([*head, "", ""]).encode() + body
