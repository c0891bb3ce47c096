"""
Audio files in and out: one channel of float32 frames and a rate.

Knows file formats, through libsndfile; does not resample, trim, level or judge. A file that cannot be used is a
HarnessError that names it, so that a metric can turn it into one missing value.
"""

import io
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from harness.atomic import reason, write_atomic
from harness.errors import HarnessError

Audio = NDArray[np.float32]


def read_audio(path: Path) -> tuple[Audio, int]:
    """(frames as float32 in -1..1, shape [n]; rate in Hz). Several channels become their mean. Raises HarnessError."""
    try:
        frames, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, soundfile.SoundFileError) as error:
        raise HarnessError(f"cannot read audio {path}: {_first_line(error)}; give a wav or flac file") from error
    if frames.shape[1] == 1:
        return np.ascontiguousarray(frames[:, 0]), int(rate_hz)
    return np.asarray(frames.mean(axis=1), dtype=np.float32), int(rate_hz)


def length_s(path: Path) -> float:
    """Seconds of audio that the file promises; 0.0 where it cannot be read, which whoever reads it will say."""
    try:
        return float(soundfile.info(path).duration)
    except (OSError, soundfile.SoundFileError):
        return 0.0


def write_wav(path: Path, audio: Audio, rate_hz: int) -> None:
    """
    Write float32 wav, whole or not at all: no rounding, no clipping, NaN kept, so that what is scored is what was made.

    Raises HarnessError; its cause is the system's OSError where that has a reason, such as a full disk.
    """
    _write(path, wav_bytes(audio, rate_hz, str(path)))


def wav_bytes(audio: Audio, rate_hz: int, name: str) -> bytes:
    """Return a float32 wav file; `name` stands for the audio in errors. Raises HarnessError for what is no audio."""
    return _encoded(audio, rate_hz, "WAV", "FLOAT", name)


def write_flac(path: Path, audio: Audio, rate_hz: int) -> None:
    """Write `flac_bytes` to a file, whole or not at all. Raises HarnessError as `write_wav` does."""
    _write(path, flac_bytes(audio, rate_hz, str(path)))


def flac_bytes(audio: Audio, rate_hz: int, name: str) -> bytes:
    """
    Return a 24-bit flac file, for audio that is committed; 16-bit noise fills bands that were empty, which STOI hears.

    `name` stands for the audio in errors. Raises HarnessError for frames beyond -1..1 or not finite.
    """
    if audio.size and not np.all(np.abs(audio) <= 1.0):
        raise HarnessError(
            f"cannot write {name}: frames lie outside -1..1 or are not finite; level the audio first, or write wav"
        )
    return _encoded(audio, rate_hz, "FLAC", "PCM_24", name)


def _encoded(audio: Audio, rate_hz: int, kind: str, subtype: str, name: str) -> bytes:
    if audio.ndim != 1:
        raise HarnessError(f"cannot write {name}: audio has shape {list(audio.shape)}; give one channel, shape [n]")
    out = io.BytesIO()
    try:
        soundfile.write(out, audio, rate_hz, format=kind, subtype=subtype)
    except (OSError, soundfile.SoundFileError) as error:
        raise HarnessError(f"cannot write audio {name}: {_first_line(error)}; give a rate that {kind} knows") from error
    return out.getvalue()


def _write(path: Path, content: bytes) -> None:
    try:
        write_atomic(path, content, durable=False)  # it can be made again
    except OSError as error:
        advice = "choose a folder that exists and has room"
        raise HarnessError(f"cannot write audio {path}: {reason(error)}; {advice}") from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
