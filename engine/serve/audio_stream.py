"""
Audio on its way from the engine's thread to the event loop, piece by piece.

Only so much lies in between: for a client that does not take what was spoken, nothing further is
spoken, and memory stays flat.
"""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import CancelledError, Future
from typing import Any

import numpy as np

from engine.serve.admission import AdmissionController
from engine.serve.request import SpeechRequest
from engine.serve.response import AudioFormat, pcm16, wav_header

AHEAD_S = 30.0
"""
Of audio that a client has not taken: beyond that, and a piece, its text has no turn at the engine.
"""


class AudioStream:
    """
    A text that is being spoken. Raises RefusedError, as the desk does, where no place is free.
    """

    def __init__(self, desk: AdmissionController, speech: SpeechRequest) -> None:
        self._loop = asyncio.get_running_loop()
        self._arrived: asyncio.Queue[np.ndarray | None] = asyncio.Queue()
        self._given = self._taken = 0
        """Frames; each number is written by one thread only."""
        self._most = round(AHEAD_S * desk.sample_rate_hz)
        self._order = desk.streamed(
            speech, self._give, lambda: self._given - self._taken < self._most
        )
        self._order.future.add_done_callback(self._end)

    async def next(self) -> np.ndarray | None:
        """Give the next piece; None after the last one. Raises what the engine raised."""
        piece = await self._arrived.get()
        if piece is None:
            self._order.future.result()
            return None
        self._taken += piece.size
        self._order.wake()
        return piece

    def leave(self) -> None:
        """Want no more of it."""
        self._order.leave()

    def _give(self, piece: np.ndarray | None) -> None:
        self._given += 0 if piece is None else piece.size
        self._loop.call_soon_threadsafe(self._arrived.put_nowait, piece)

    def _end(self, _done: "Future[Any]") -> None:
        self._give(None)


async def as_bytes(
    first: np.ndarray, pieces: AudioStream, form: AudioFormat, rate_hz: int
) -> AsyncIterator[bytes]:
    """
    Give the bytes of an answer, the first together with the file's head: a head alone cannot be
    played.

    What the engine raises half-way ends the connection before its proper end, which is how a client
    sees that audio is missing.
    """
    head = wav_header(rate_hz, None) if form is AudioFormat.WAV else b""
    try:
        piece: np.ndarray | None = first
        while piece is not None:
            yield head + pcm16(piece)
            head = b""
            piece = await pieces.next()
    except CancelledError:  # of the order: the client has left
        return
    finally:
        pieces.leave()
