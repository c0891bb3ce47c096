"""
Encode audio: bare 16-bit PCM, WAV, or FLAC.

The length of a streamed WAV file is unknown; its header has the largest number, as other tools
write it.
"""

import io
import json
import struct

import numpy as np

from voxgate.engine.python310 import StrEnum
from voxgate.engine.text.spoken import distinct

UNKNOWN_BYTES = 0xFFFFFFFF
HEADER_BYTES = 44
FULL_SCALE = 32767


DROPPED_HEADER = "X-Voxgate-Dropped"
DROPPED_CHARACTERS = 40
"""Of the header; `count` counts all."""


class AudioFormat(StrEnum):
    """The encoding of a response."""

    WAV = "wav"
    PCM = "pcm"
    """Samples alone, little endian; the rate is in the response's headers."""
    FLAC = "flac"


STREAMABLE = (AudioFormat.WAV, AudioFormat.PCM)


def media_type(audio_format: AudioFormat, rate_hz: int) -> str:
    """Return the Content-Type of an encoding."""
    return (
        f"audio/pcm; rate={rate_hz}; channels=1"
        if audio_format is AudioFormat.PCM
        else f"audio/{audio_format}"
    )


def dropped_header(characters: str) -> str:
    """
    Return the header for what was left out of a text, as JSON in ASCII.

    >>> dropped_header("ab" * 3)
    '{"count": 6, "characters": "ab"}'
    """
    shown = distinct(characters)[:DROPPED_CHARACTERS]
    return json.dumps({"count": len(characters), "characters": shown})


def encode(audio: np.ndarray, audio_format: AudioFormat, rate_hz: int) -> bytes:
    """
    Encode complete audio, float32 (T,).

    Raises: ValueError for samples that are not finite.
    """
    if audio_format is AudioFormat.FLAC:
        return _flac(audio, rate_hz)
    samples = pcm16(audio)
    return (
        samples if audio_format is AudioFormat.PCM else wav_header(rate_hz, len(samples)) + samples
    )


def pcm16(audio: np.ndarray) -> bytes:
    """
    Encode samples as 16-bit little endian, clipped.

    Raises: ValueError for NaN, which would become noise at full scale.
    """
    if not np.isfinite(audio).all():
        raise ValueError("the engine made audio that is not finite")
    return bytes(
        np.clip(np.rint(audio * FULL_SCALE), -FULL_SCALE - 1, FULL_SCALE).astype("<i2").tobytes()
    )


def wav_header(rate_hz: int, size_bytes: int | None) -> bytes:
    """Return the header of a mono WAV file; `size_bytes` None is an unknown length."""
    riff_bytes = UNKNOWN_BYTES if size_bytes is None else size_bytes + HEADER_BYTES - 8
    data_bytes = UNKNOWN_BYTES if size_bytes is None else size_bytes
    fmt_chunk = struct.pack("<HHIIHH", 1, 1, rate_hz, 2 * rate_hz, 2, 16)
    return (
        b"RIFF"
        + struct.pack("<I", riff_bytes)
        + b"WAVEfmt "
        + struct.pack("<I", 16)
        + fmt_chunk
        + b"data"
        + struct.pack("<I", data_bytes)
    )


def _flac(audio: np.ndarray, rate_hz: int) -> bytes:
    import soundfile

    samples = np.frombuffer(pcm16(audio), dtype="<i2")
    file = io.BytesIO()
    soundfile.write(file, samples, rate_hz, format="FLAC", subtype="PCM_16")
    return file.getvalue()
