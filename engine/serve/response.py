"""
Audio as bytes: 16-bit PCM bare, in a WAV file, or as FLAC.

A WAV file that is streamed does not know its length yet; its header then holds the largest number,
as other tools write it.
"""

import io
import struct
from enum import StrEnum

import numpy as np

UNKNOWN_BYTES = 0xFFFFFFFF
HEADER_BYTES = 44
FULL_SCALE = 32767


class AudioFormat(StrEnum):
    """How audio is sent."""

    WAV = "wav"
    PCM = "pcm"
    """Frames alone, little endian; the rate stands in the answer's headers."""
    FLAC = "flac"


STREAMABLE = (AudioFormat.WAV, AudioFormat.PCM)


def media_type(form: AudioFormat, rate_hz: int) -> str:
    """Name the form for an answer's Content-Type."""
    return f"audio/pcm; rate={rate_hz}; channels=1" if form is AudioFormat.PCM else f"audio/{form}"


def encode(audio: np.ndarray, form: AudioFormat, rate_hz: int) -> bytes:
    """
    Give whole audio, float32 (T,), as bytes. Raises ValueError for frames that are not finite.
    """
    if form is AudioFormat.FLAC:
        return _flac(audio, rate_hz)
    frames = pcm16(audio)
    return frames if form is AudioFormat.PCM else wav_header(rate_hz, len(frames)) + frames


def pcm16(audio: np.ndarray) -> bytes:
    """
    Give the frames as 16-bit little endian, clipped. Raises ValueError for NaN: noise at full scale
    is no answer.
    """
    if not np.isfinite(audio).all():
        raise ValueError("the engine made audio that is not finite")
    return bytes(
        np.clip(np.rint(audio * FULL_SCALE), -FULL_SCALE - 1, FULL_SCALE).astype("<i2").tobytes()
    )


def wav_header(rate_hz: int, size_bytes: int | None) -> bytes:
    """Give the head of a WAV file of one channel; None: nobody knows yet how much follows."""
    whole = UNKNOWN_BYTES if size_bytes is None else size_bytes + HEADER_BYTES - 8
    data = UNKNOWN_BYTES if size_bytes is None else size_bytes
    form = struct.pack("<HHIIHH", 1, 1, rate_hz, 2 * rate_hz, 2, 16)
    return (
        b"RIFF"
        + struct.pack("<I", whole)
        + b"WAVEfmt "
        + struct.pack("<I", 16)
        + form
        + b"data"
        + struct.pack("<I", data)
    )


def _flac(audio: np.ndarray, rate_hz: int) -> bytes:
    import soundfile

    frames = np.frombuffer(pcm16(audio), dtype="<i2")
    file = io.BytesIO()
    soundfile.write(file, frames, rate_hz, format="FLAC", subtype="PCM_16")
    return file.getvalue()
