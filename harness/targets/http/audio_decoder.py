"""
Decodes audio as it arrives, chunk by chunk: WAV with 16-bit or float samples, bare 16-bit PCM, or
FLAC, which must be complete before it can be read.

Knows bytes; knows no HTTP and no clock. Bytes that are no audio, or not the requested format, are a
FormatError that names what they are: nothing is decoded as another format, and nothing is dropped.
"""

import io
import struct
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from voxgate.harness.audio.files import LARGEST_CHANNELS, UNKNOWN_FROM_BYTES, decode_audio
from voxgate.harness.errors import HarnessError
from voxgate.harness.targets.http.audio_format import WAV_HEAD, bytes_to_tell, format_of

Audio = NDArray[np.float32]

PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
FILE_BYTES = 2**28
"""Of a file that must be whole before it is read."""
HEAD_LIMIT_BYTES = 65_536
"""What may stand before the frames of a WAV file."""
HEAD_BYTES = 12
"""RIFF, a size, and WAVE."""
LEAST_HZ, MOST_HZ = 4_000, 384_000
"""
Rates that a voice may have; beyond them a head is damaged, and every length that follows from it is
wrong.
"""
NOISE_STEP = 1.0
"""
Step from sample to sample, as a share of the mean magnitude, from which frames are noise: white
noise has 1.33, speech a tenth of that.
"""
SWAPPED_FACTOR = 4.0
"""Ratio of the steps, as read and in the other byte order, that shows swapped bytes."""
FLAC_HEADS = (b"fLaC\x00\x00\x00\x22", b"fLaC\x80\x00\x00\x22")
"""The mark, and the STREAMINFO block of 34 bytes that always follows it."""


class FormatError(HarnessError):
    """The received bytes are not the audio that they should be."""


class AudioReader(Protocol):
    """Decodes bytes to audio, incrementally."""

    rate_hz: int

    def feed(self, received: bytes) -> Audio:
        """Return the samples that are complete, float32 (n,); n may be 0. Raises FormatError."""

    def end(self) -> Audio:
        """Return the remaining samples. Raises FormatError where something is missing."""


def make_reader(
    form: str, rate_hz: int, stated_hz: int | None = None, byte_order: str = "little"
) -> AudioReader:
    """
    Return a reader for `wav`, `pcm` (whose rate and byte order, `little` or `big`, must be known
    beforehand) or `flac`.

    `stated_hz` is the rate in the server's headers, which a file must not contradict.
    """
    if form == "pcm":
        return PcmReader(rate_hz, byte_order)
    return WavReader(stated_hz) if form == "wav" else FlacReader(stated_hz)


class PcmReader:
    """
    Frames of 16 bits, one channel.

    Audio in the wrong byte order is loud noise, and in the right one it is not: that is an error,
    and never measured as speech.
    """

    def __init__(self, rate_hz: int, byte_order: str = "little") -> None:
        self.rate_hz = rate_hz
        self._byte_order = byte_order
        self._begin: bytes | None = b""
        """Held back until it is known to be no file; None from then on."""
        self._frames = _Frames(code=PCM, bits=16, channels=1, byte_order=byte_order)
        self._magnitude, self._steps, self._swapped_steps = 0.0, 0.0, 0.0
        """Of all samples; of the steps between them, as read and in the other byte order."""

    def feed(self, received: bytes) -> Audio:
        """Return all complete samples. Raises FormatError for any kind of file, and for text."""
        if self._begin is not None:
            self._begin += received
            if len(self._begin) < bytes_to_tell(self._begin):
                return np.empty(0, np.float32)
            received = self._checked()
        return self._counted(self._frames.feed(received))

    def end(self) -> Audio:
        """
        Return the samples held back of a very short response. Raises FormatError where all samples
        make sense in the other byte order alone.
        """
        rest = (
            np.empty(0, np.float32)
            if self._begin is None
            else self._counted(self._frames.feed(self._checked()))
        )
        self._frames.end()
        noisy = self._steps > NOISE_STEP * self._magnitude
        if noisy and self._steps > SWAPPED_FACTOR * self._swapped_steps:
            other = "little" if self._byte_order == "big" else "big"
            raise FormatError(
                f"the audio is noise when read {self._byte_order}-endian and smooth when read "
                f"{other}-endian; set the option byte_order={other!r}"
            )
        return rest

    def _counted(self, audio: Audio) -> Audio:
        frames = np.rint(audio * 32768.0).astype(np.int16)
        self._magnitude += float(np.abs(audio).sum()) * 32768.0
        self._steps += _steps(frames)
        self._swapped_steps += _steps(frames.byteswap())
        return audio

    def _checked(self) -> bytes:
        begin, self._begin = self._begin or b"", None
        named = format_of(begin)
        if named is not None:
            raise FormatError(f"the audio is not bare 16-bit PCM: {named} was sent")
        return begin


def _steps(frames: NDArray[np.int16]) -> float:
    return float(np.abs(np.diff(frames.astype(np.int32))).sum())


class WavReader:
    """A WAV file of any number of channels, which become their mean."""

    def __init__(self, stated_hz: int | None = None) -> None:
        self.rate_hz = 0
        self.channels = 0
        """0 before the head has been read."""
        self._stated_hz = stated_hz
        self._head = b""
        self._frames: _Frames | None = None
        self._left_bytes: int | None = None
        """Of the frames; None where the file does not say."""
        self._behind = _Behind()

    def feed(self, received: bytes) -> Audio:
        """Return all complete samples; none before the header is complete."""
        if self._frames is None:
            self._head += received
            received = self._read_head()
        if self._frames is None:
            return np.empty(0, np.float32)
        if self._left_bytes is not None:  # behind the frames there may be other chunks
            self._behind.feed(received[self._left_bytes :])
            received = received[: self._left_bytes]
            self._left_bytes -= len(received)
        return self._frames.feed(received)

    def end(self) -> Audio:
        """Return nothing. Raises FormatError where samples are missing, by the header."""
        if self._frames is None:
            raise FormatError(
                f"the audio is no WAV file: it ends after {len(self._head)} bytes, before any frame"
            )
        if self._left_bytes:
            raise FormatError(
                f"the WAV file ends {self._left_bytes} bytes before the length that its head "
                "promised"
            )
        self._behind.end()
        return self._frames.end()

    def _read_head(self) -> bytes:
        """
        Read the RIFF chunks up to the samples, once they are there; return the bytes that are
        samples already.
        """
        head = self._head
        if not b"RIFF".startswith(head[:4]) or not b"WAVE".startswith(head[8:12]):
            named = format_of(head)
            raise FormatError(
                f"the audio is no WAV file: it begins with {head[:12]!r}"
                f"{f' ({named})' if named else ''}"
            )
        place, form = 12, b""
        while len(head) >= place + 8:
            name, size = (
                head[place : place + 4],
                int.from_bytes(head[place + 4 : place + 8], "little"),
            )
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
        code, channels, self.rate_hz, bytes_per_s, frame_bytes, bits = struct.unpack(
            "<HHIIHH", form[:16]
        )
        self.channels = channels
        if code == EXTENSIBLE and len(form) >= 26:
            code = int.from_bytes(form[24:26], "little")
        if (
            (code, bits) not in ((PCM, 16), (FLOAT, 32))
            or not 0 < channels <= LARGEST_CHANNELS
            or not self.rate_hz
        ):
            raise FormatError(
                f"the WAV file has frames of code {code}, {bits} bits, {channels} channels at "
                f"{self.rate_hz} Hz; 16-bit and float frames can be read"
            )
        if frame_bytes != channels * bits // 8 or bytes_per_s not in (
            0,
            self.rate_hz * frame_bytes,
        ):
            raise FormatError(
                f"the WAV file's head contradicts itself: {channels} channels of {bits} bits at "
                f"{self.rate_hz} Hz in frames of {frame_bytes} bytes, {bytes_per_s} bytes a second"
            )
        check_rate(self.rate_hz, self._stated_hz, "WAV file")
        return _Frames(code=code, bits=bits, channels=channels)


class FlacReader:
    """A FLAC file; nothing of it can be read before its end."""

    def __init__(self, stated_hz: int | None = None) -> None:
        self.rate_hz = 0
        self._stated_hz = stated_hz
        self._file = io.BytesIO()

    def feed(self, received: bytes) -> Audio:
        """Buffer the bytes. Raises FormatError for more than FILE_BYTES."""
        self._file.write(received)
        if self._file.tell() > FILE_BYTES:
            raise FormatError(f"the FLAC file has more than {FILE_BYTES} bytes")
        return np.empty(0, np.float32)

    def end(self) -> Audio:
        """Return all samples."""
        body = self._file.getvalue()
        if not body.startswith(b"fLaC") and (named := format_of(body)) is not None:
            raise FormatError(f"the audio is no FLAC file: {named} was sent")
        if sum(map(body.count, FLAC_HEADS)) > 1:
            raise FormatError(
                "the server sent several FLAC files in one answer; only one was asked for"
            )
        self._file.seek(0)
        try:
            frames, self.rate_hz = decode_audio(self._file)
        except HarnessError as error:
            raise FormatError(f"the audio is no FLAC file: {error}") from None
        check_rate(self.rate_hz, self._stated_hz, "FLAC file")
        return frames


def check_rate(rate_hz: int, stated_hz: int | None, kind: str) -> None:
    """Raise FormatError for a rate that no voice has, or that contradicts the headers."""
    if not LEAST_HZ <= rate_hz <= MOST_HZ:
        raise FormatError(
            f"the {kind} has {rate_hz} Hz, which no audio has: voices have {LEAST_HZ} to {MOST_HZ} "
            "Hz"
        )
    if stated_hz is not None and stated_hz != rate_hz:
        raise FormatError(
            f"the {kind} has {rate_hz} Hz and the server's headers {stated_hz} Hz; one of them is "
            "wrong"
        )


class _Behind:
    """
    The part of a WAV file behind the samples: RIFF chunks without audio. Anything else would be
    dropped, and is refused.
    """

    def __init__(self) -> None:
        self._kept = b""
        self._skip_bytes = 0

    def feed(self, received: bytes) -> None:
        """
        Skip complete RIFF chunks. Raises FormatError for a second file, and for bytes that belong
        to no chunk.
        """
        self._kept += received
        while self._kept:
            skipped = min(self._skip_bytes, len(self._kept))
            self._kept, self._skip_bytes = self._kept[skipped:], self._skip_bytes - skipped
            if self._skip_bytes or len(self._kept) < 8:
                return
            name, size = self._kept[:4], int.from_bytes(self._kept[4:8], "little")
            if name == b"RIFF":
                raise FormatError(SEVERAL)
            if not name.isascii() or not name.decode("ascii").isprintable():
                raise FormatError(
                    "the WAV file goes on behind the length that its head promised, with "
                    f"{self._kept[:8]!r}"
                )
            self._kept, self._skip_bytes = self._kept[8:], size + size % 2

    def end(self) -> None:
        """
        Raise FormatError for an incomplete RIFF chunk; its padding byte may be there or not.
        """
        if len(self._kept) > 1 or self._skip_bytes > 1:
            raise FormatError(
                "the WAV file goes on behind the length that its head promised, with no whole chunk"
            )


SEVERAL = (
    "the server sent a second WAV file behind the first; one for the whole answer was asked for"
)


class _Frames:
    """
    Cuts bytes into samples of all channels; an incomplete one waits for its rest. A file's header
    among them is no sound.
    """

    def __init__(self, *, code: int, bits: int, channels: int, byte_order: str = "little") -> None:
        self._type = np.dtype("i2" if code == PCM else "f4").newbyteorder(
            ">" if byte_order == "big" else "<"
        )
        self._scale = 1.0 / 32768.0 if code == PCM else 1.0
        self._channels = channels
        self._size_bytes = channels * bits // 8
        self._half = b""
        self._last = b""

    def feed(self, received: bytes) -> Audio:
        """
        Return all complete samples, channels as their mean. Raises FormatError for the header of a
        WAV file among them.
        """
        if WAV_HEAD.search(self._last + received):
            raise FormatError(SEVERAL)
        self._last = (self._last + received)[1 - HEAD_BYTES :]
        received = self._half + received
        whole = len(received) // self._size_bytes * self._size_bytes
        self._half = received[whole:]
        frames = np.frombuffer(received[:whole], dtype=self._type).astype(np.float32)
        if self._scale != 1.0:
            frames = frames * np.float32(self._scale)
        return (
            frames
            if self._channels == 1
            else np.asarray(frames.reshape(-1, self._channels).mean(axis=1), np.float32)
        )

    def end(self) -> Audio:
        """Return nothing. Raises FormatError where part of a sample is left."""
        if self._half:
            raise FormatError(
                f"the audio ends within a frame: {len(self._half)} of {self._size_bytes} bytes are "
                "there"
            )
        return np.empty(0, np.float32)
