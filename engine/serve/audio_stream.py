"""
Audio of one stream on its way from the engine thread to the event loop.

The buffer is bounded: for a client that does not read, synthesis pauses, and memory stays flat.
"""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import CancelledError, Future
from typing import Any

import numpy as np

from voxgate.engine.serve.admission import AdmissionController
from voxgate.engine.serve.request import SpeechRequest
from voxgate.engine.serve.response import AudioFormat, pcm16, wav_header

MAX_BUFFERED_S = 30.0
"""Unread audio beyond which, plus one chunk, a stream is not scheduled."""


class AudioStream:
    """A stream in synthesis. Raises ApiError when the limit of requests is reached."""

    def __init__(self, admission: AdmissionController, speech: SpeechRequest) -> None:
        self._loop = asyncio.get_running_loop()
        self._chunks: asyncio.Queue[np.ndarray | None] = asyncio.Queue()
        self._produced_samples = self._consumed_samples = 0
        """Samples; each number is written by one thread only."""
        self._max_buffered_samples = round(MAX_BUFFERED_S * admission.sample_rate_hz)
        self._ticket = admission.submit_stream(
            speech,
            self._deliver,
            lambda: self._produced_samples - self._consumed_samples < self._max_buffered_samples,
        )
        self._ticket.future.add_done_callback(self._end)

    async def next(self) -> np.ndarray | None:
        """Return the next chunk; None after the last one. Raises the engine's exceptions."""
        chunk = await self._chunks.get()
        if chunk is None:
            self._ticket.future.result()
            return None
        self._consumed_samples += chunk.size
        self._ticket.wake()
        return chunk

    def cancel(self) -> None:
        """Cancel the stream."""
        self._ticket.cancel()

    def _deliver(self, chunk: np.ndarray | None) -> None:
        self._produced_samples += 0 if chunk is None else chunk.size
        self._loop.call_soon_threadsafe(self._chunks.put_nowait, chunk)

    def _end(self, _future: "Future[Any]") -> None:
        self._deliver(None)


async def encode_stream(
    first: np.ndarray, stream: AudioStream, audio_format: AudioFormat, rate_hz: int
) -> AsyncIterator[bytes]:
    """
    Yield the bytes of a response.

    The WAV header comes with the first chunk, because a header alone cannot be played.
    An exception during synthesis closes the connection before its proper end, which is how a client
    detects missing audio.
    """
    head = wav_header(rate_hz, None) if audio_format is AudioFormat.WAV else b""
    try:
        chunk: np.ndarray | None = first
        while chunk is not None:
            yield head + pcm16(chunk)
            head = b""
            chunk = await stream.next()
    except CancelledError:  # of the ticket: the client has left
        return
    finally:
        stream.cancel()
