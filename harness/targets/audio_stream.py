"""
Reads audio as it arrives over a wire, piece by piece: WAV with 16-bit or float frames, bare 16-bit PCM, or FLAC, which is
whole before it can be read.

Knows bytes; knows no HTTP and no clock. What cannot be audio is a FormatError that says what was found instead.
"""

import io
import struct
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from harness.audio_io import LARGEST_CHANNELS, RATES_HZ, UNKNOWN_FROM_BYTES, decoded
from harness.errors import HarnessError

Audio = NDArray[np.float32]

PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
FILE_BYTES = 2**28
"""Of a file that must be whole before it is read."""
HEAD_LIMIT_BYTES = 65_536
"""What may stand before the frames of a WAV file."""


class FormatError(HarnessError):
    """What was received is not the audio that it should be."""


class AudioReader(Protocol):
    """Takes bytes, gives audio."""

    rate_hz: int

    def feed(self, received: bytes) -> Audio:
        """Give what can be played by now, float32 (n,); n may be 0. Raises FormatError."""

    def end(self) -> Audio:
        """Give the rest. Raises FormatError where something is missing."""


def make_reader(form: str, rate_hz: int) -> AudioReader:
    """Give a reader for `wav`, `pcm` (whose rate must be known beforehand) or `flac`."""
    if form == "pcm":
        return PcmReader(rate_hz)
    return WavReader() if form == "wav" else FlacReader()


class PcmReader:
    """Frames of 16 bits, little endian, one channel."""

    def __init__(self, rate_hz: int) -> None:
        self.rate_hz = rate_hz
        self._frames = _Frames(code=PCM, bits=16, channels=1)

    def feed(self, received: bytes) -> Audio:
        """Give all whole frames."""
        return self._frames.feed(received)

    def end(self) -> Audio:
        """Give nothing."""
        return self._frames.end()


class WavReader:
    """A WAV file of any number of channels, which become their mean."""

    def __init__(self) -> None:
        self.rate_hz = 0
        self._head = b""
        self._frames: _Frames | None = None
        self._left_bytes: int | None = None
        """Of the frames; None where the file does not say."""

    def feed(self, received: bytes) -> Audio:
        """Give all whole frames; none before the head is whole."""
        if self._frames is None:
            self._head += received
            received = self._read_head()
        if self._frames is None:
            return np.empty(0, np.float32)
        if self._left_bytes is not None:  # behind the frames there may be other chunks
            received = received[: self._left_bytes]
            self._left_bytes -= len(received)
        return self._frames.feed(received)

    def end(self) -> Audio:
        """Give nothing. Raises FormatError where frames are missing that the head promised."""
        if self._frames is None:
            raise FormatError(f"the audio is no WAV file: it ends after {len(self._head)} bytes, before any frame")
        if self._left_bytes:
            raise FormatError(f"the WAV file ends {self._left_bytes} bytes before the length that its head promised")
        return self._frames.end()

    def _read_head(self) -> bytes:
        """Read the chunks up to the frames, once they are there; gives the bytes that are frames already."""
        head = self._head
        if not b"RIFF".startswith(head[:4]) or not b"WAVE".startswith(head[8:12]):
            raise FormatError(f"the audio is no WAV file: it begins with {head[:12]!r}")
        place, form = 12, b""
        while len(head) >= place + 8:
            name, size = head[place : place + 4], int.from_bytes(head[place + 4 : place + 8], "little")
            if name == b"data":
                self._frames = self._frames_of(form)
                self._left_bytes = size if 0 < size < UNKNOWN_FROM_BYTES else None
                return head[place + 8 :]
            if size > HEAD_LIMIT_BYTES or place > HEAD_LIMIT_BYTES:
                raise FormatError(f"the WAV file has {name!r} of {size} bytes before its frames")
            form = head[place + 8 : place + 8 + size] if name == b"fmt " else form
            place += 8 + size + size % 2
        return b""

    def _frames_of(self, form: bytes) -> "_Frames":
        if len(form) < 16:
            raise FormatError("the WAV file does not say what its frames are (no fmt chunk)")
        code, channels, self.rate_hz, _, _, bits = struct.unpack("<HHIIHH", form[:16])
        if code == EXTENSIBLE and len(form) >= 26:
            code = int.from_bytes(form[24:26], "little")
        sound = 0 < channels <= LARGEST_CHANNELS and RATES_HZ[0] <= self.rate_hz <= RATES_HZ[1]
        if (code, bits) not in ((PCM, 16), (FLOAT, 32)) or not sound:
            raise FormatError(
                f"the WAV file has frames of code {code}, {bits} bits, {channels} channels at {self.rate_hz} Hz;"
                " 16-bit and float frames can be read"
            )
        return _Frames(code=code, bits=bits, channels=channels)


class FlacReader:
    """A FLAC file; nothing of it can be read before its end."""

    def __init__(self) -> None:
        self.rate_hz = 0
        self._file = io.BytesIO()

    def feed(self, received: bytes) -> Audio:
        """Keep it. Raises FormatError for more than any answer has."""
        self._file.write(received)
        if self._file.tell() > FILE_BYTES:
            raise FormatError(f"the FLAC file has more than {FILE_BYTES} bytes")
        return np.empty(0, np.float32)

    def end(self) -> Audio:
        """Give all of it."""
        self._file.seek(0)
        try:
            frames, self.rate_hz = decoded(self._file)
        except HarnessError as error:
            raise FormatError(f"the audio is no FLAC file: {error}") from None
        return frames


class _Frames:
    """Cuts bytes into frames; half a frame waits for its other half."""

    def __init__(self, *, code: int, bits: int, channels: int) -> None:
        self._type = np.dtype("<i2" if code == PCM else "<f4")
        self._scale = 1.0 / 32768.0 if code == PCM else 1.0
        self._channels = channels
        self._size_bytes = channels * bits // 8
        self._half = b""

    def feed(self, received: bytes) -> Audio:
        """Give all whole frames, channels as their mean."""
        received = self._half + received
        whole = len(received) // self._size_bytes * self._size_bytes
        self._half = received[whole:]
        frames = np.frombuffer(received[:whole], dtype=self._type).astype(np.float32) * np.float32(self._scale)
        return frames if self._channels == 1 else np.asarray(frames.reshape(-1, self._channels).mean(axis=1), np.float32)

    def end(self) -> Audio:
        """Give nothing. Raises FormatError where half a frame is left."""
        if self._half:
            raise FormatError(f"the audio ends within a frame: {len(self._half)} of {self._size_bytes} bytes are there")
        return np.empty(0, np.float32)
