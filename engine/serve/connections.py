"""
What a connection may do before, between and after its requests: uvicorn's protocol with the limits
that uvicorn does not have.

A request's head must arrive in time, however slowly its bytes drip. What idles is closed, and the
first to go where all places are taken, so that connections without a request keep nobody out; where
every place has a request, one more gets 429 at once (uvicorn's own limit would answer 503). A
client that takes nothing of its answer for a while is cut off. Knows no audio.
"""

import asyncio
import json
import socket

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from engine.serve.errors import RefusedError
from engine.serve.limits import Limits

HEAD_BYTES = 16_384
"""Of a request's head; uvicorn answers 400 to a longer one."""
SEND_BYTES = 2**17
"""
What the system keeps for a client that has not taken it; left to itself it keeps megabytes, and
tells of no progress until a third of them is taken, which a player in real time does not do in
`stall_s`.
"""
LAST_WORDS_S = 1.0
"""For an answer to arrive before its connection is torn down."""


class Door(H11Protocol):
    """
    One connection. Subclasses set `limits`, and `waiting`: the connections without a request, the
    longest waiting first.
    """

    limits: Limits
    waiting: "dict[Door, None]"
    _turned_away = False
    _head_timer: asyncio.TimerHandle | None = None
    _stall_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Let the connection in, in place of one that idles where there is none left."""
        super().connection_made(transport)
        # to be told of every byte that the client does not take
        transport.set_write_buffer_limits(high=0)
        transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BYTES
        )
        if len(self.connections) > self.limits.max_connections and not self._made_room():
            self._turn_away(_crowded(self.limits.max_connections))
            return
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """Read on; until a request is whole, its time runs."""
        if self._turned_away:
            return
        super().data_received(data)
        if self._at_work:
            self._work_begins()
        else:
            self._await_head()

    def on_response_complete(self) -> None:
        """Wait for the next request, for as long as uvicorn's `timeout_keep_alive` has it."""
        super().on_response_complete()
        if not self._at_work:
            self.waiting.setdefault(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self.waiting.pop(self, None)
        for timer in (self._head_timer, self._stall_timer):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Begin to watch whether the client takes anything."""
        super().pause_writing()
        self._watch(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """All was taken."""
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None
        super().resume_writing()

    @property
    def _at_work(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _await_head(self) -> None:
        """Start the time of the next head, unless it runs."""
        self.waiting.setdefault(self)
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self.limits.head_s, self._too_slow)

    def _work_begins(self) -> None:
        self.waiting.pop(self, None)
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _too_slow(self) -> None:
        message = f"the head of the request did not arrive within {self.limits.head_s} s"
        self._turn_away(RefusedError(408, message, code="head_too_slow"))

    def _made_room(self) -> bool:
        """
        Close the connection that has waited longest without a request; False where there is none.
        """
        longest = next((each for each in self.waiting if not each.transport.is_closing()), None)
        if longest is None:
            return False
        self.waiting.pop(longest)
        longest.transport.abort()
        return True

    def _turn_away(self, refusal: RefusedError) -> None:
        """
        Answer without reading further, and tear the connection down when the answer had time to
        arrive.
        """
        self._turned_away = True
        self.waiting.pop(self, None)
        if self.transport.is_closing():
            return
        # else an answer was sent, and the rest of its request never came
        if self.conn.our_state is h11.IDLE:
            self.transport.write(_raw(refusal))
        self.transport.pause_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(LAST_WORDS_S, self.transport.abort)

    def _watch(self, left_bytes: int) -> None:
        self._stall_timer = self.loop.call_later(self.limits.stall_s, self._stalled, left_bytes)

    def _stalled(self, before_bytes: int) -> None:
        """Cut the client off if it took nothing since."""
        left_bytes = self.transport.get_write_buffer_size()
        if left_bytes >= before_bytes:
            self.transport.abort()
        else:
            self._watch(left_bytes)


def door_with(limits: Limits) -> type[Door]:
    """Return the protocol class of one server, for uvicorn to make a connection's protocol of."""
    return type("LimitedDoor", (Door,), {"limits": limits, "waiting": {}})


def _crowded(most: int) -> RefusedError:
    message = (
        f"{most} connections are at work, which is all that this server lets in; try again in 1 s"
    )
    return RefusedError(429, message, code="too_many_connections", headers={"Retry-After": "1"})


def _raw(refusal: RefusedError) -> bytes:
    """Write an answer down without a request to it."""
    reasons = {408: "Request Timeout", 429: "Too Many Requests"}
    body = json.dumps(refusal.document()).encode()
    fixed = {
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "Connection": "close",
    }
    head = [f"HTTP/1.1 {refusal.status} {reasons[refusal.status]}"]
    head += [f"{name}: {value}" for name, value in {**fixed, **refusal.headers}.items()]
    return "\r\n".join([*head, "", ""]).encode() + body
