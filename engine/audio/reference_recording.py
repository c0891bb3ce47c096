"""
Load a prompt recording: any rate and channels to trimmed mono at a pipeline's sample rate.

Limits are checked here, with messages for the person who chose the recording.
It uses neither mel nor models; the level is set by the pipeline.
"""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

from voxgate.engine.errors import EngineError

SHORTEST_S, LONGEST_S = 0.5, 12.0
"""
Duration of the speech after trimming.

F5-TTS's own command also cuts longer recordings; each second costs time in every solver step.
"""
MAX_FILE_S = 120.0
MAX_FILE_BYTES = 50_000_000
MAX_TEXT_BYTES = 100_000
RATES_HZ = (1_000, 768_000)
MAX_CHANNELS = 64
BLOCK_SAMPLES = 2**16
CANCELLED = 1e-4
"""Peak of the mean of the channels against that of a channel, at which nothing is left of it."""
UNKNOWN_LENGTH_BYTES = 0x7FFF0000
"""Streamed WAV files have an unknown length and declare a size near the largest number."""
SILENT_DB = -42.0
"""Below the loudest frame; quieter frames at the edges are trimmed, as F5-TTS does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingKind:
    """One use of recordings: its name in messages, and how large a file may be."""

    noun: str
    max_bytes: int
    max_file_s: float
    """Of the file, before anything is trimmed."""
    bytes_advice: str
    """In the message for a file that is too large."""
    length_advice: str
    """In the message for a file that is too long."""


REFERENCE = RecordingKind(
    noun="reference",
    max_bytes=MAX_FILE_BYTES,
    max_file_s=MAX_FILE_S,
    bytes_advice=f"a recording of {LONGEST_S:.0f} s has less than 10 MB, and some",
    length_advice=f"cut it to at most {LONGEST_S:.0f} s",
)


def read_file(path: str, kind: RecordingKind = REFERENCE) -> bytes:
    """
    Return the bytes of the file.

    Raises: EngineError if it does not exist or is too large for a recording of its kind.
    """
    try:
        size = Path(path).stat().st_size
        with Path(path).open("rb") as file:  # a device or a pipe has size 0, and may have no end
            content = file.read(kind.max_bytes + 1) if size <= kind.max_bytes else b""
    except OSError as error:
        searched = "" if Path(path).is_absolute() else f" (looked for in {Path.cwd()})"
        raise EngineError(
            f"{kind.noun} {path} cannot be read: {error.strerror}{searched}; name a wav or flac "
            "file"
        ) from None
    if not content and not size:
        raise EngineError(f"{kind.noun} {path} is empty; export it again, or name another file")
    if not content or len(content) > kind.max_bytes:
        count = f"more than {kind.max_bytes}" if content else size
        raise EngineError(f"{kind.noun} {path} has {count} bytes; {kind.bytes_advice}")
    return content


def transcript_of(path: str, text: str) -> str:
    """
    Return the recording's transcript: `text`, or without it the content of the .txt file beside the
    recording.
    """
    text_path = Path(path).with_suffix(".txt")
    if not text.strip() and text_path.is_file():
        text = _read_transcript(text_path)
    if not text.strip():
        raise EngineError(
            f"reference {path} needs reference_text, the words that it says; give it, or write "
            f"{text_path}"
        )
    return " ".join(text.split())


def load_speech(content: bytes, rate_hz: int, hop: int) -> np.ndarray:
    """
    Decode, mix down, resample and trim a recording.

    Args:
        content: the bytes of a wav or flac file.
        rate_hz: sample rate of the result.
        hop: samples per frame; only whole frames are trimmed.

    Returns: float32 (T,), from the first frame with sound to the last, at the recorded level.
    Raises: EngineError for bytes that are no audio, and for audio that is silent, too short or too
    long.
    """
    audio, recorded_hz = decode(content)
    if not np.isfinite(audio).all():
        raise EngineError("reference: the recording holds NaN or infinity; export it again")
    if recorded_hz != rate_hz and audio.size:
        audio = np.asarray(soxr.resample(audio, recorded_hz, rate_hz), dtype=np.float32)
    speech = _trim(audio, hop)
    seconds = speech.size / rate_hz
    if not SHORTEST_S <= seconds <= LONGEST_S:
        finding = "silent" if not speech.size else f"{seconds:.2f} s of sound"
        raise EngineError(
            f"reference: the recording is {finding}; give {SHORTEST_S} to {LONGEST_S:.0f} s of "
            "speech"
        )
    return speech


def _read_transcript(path: Path) -> str:
    """
    Read the transcript beside a recording.

    Raises: EngineError for a file that cannot be read, or is too large for one recording.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_TEXT_BYTES + 1)
    except OSError as error:
        raise EngineError(
            f"reference text {path} cannot be read: {error.strerror}; give reference_text"
        ) from None
    if len(content) > MAX_TEXT_BYTES:
        raise EngineError(
            f"reference text {path} has more than {MAX_TEXT_BYTES} bytes; it holds other than "
            "what is said"
        )
    return content.decode("utf-8", "replace")


def decode(content: bytes, kind: RecordingKind = REFERENCE) -> tuple[np.ndarray, int]:
    """
    Return mono float32 (T,) and its rate.

    Memory is allocated for the samples that exist, not for the number that the header declares.

    Raises: EngineError for bytes that are no whole recording of a voice.
    """
    try:
        with soundfile.SoundFile(io.BytesIO(content)) as file:
            _check_header(file, kind)
            declared, rate_hz = int(file.frames), int(file.samplerate)
            blocks, loudest = [], 0.0
            while len(block := file.read(BLOCK_SAMPLES, dtype="float32", always_2d=True)):
                loudest = max(loudest, float(np.abs(block).max()))
                blocks.append(block.mean(axis=1, dtype=np.float32))
    except soundfile.LibsndfileError as error:
        raise EngineError(
            f"{kind.noun}: the recording cannot be decoded "
            f"({error.error_string.rstrip('.')}); give a wav or flac file"
        ) from None
    audio = np.concatenate(blocks) if blocks else np.empty(0, np.float32)
    if audio.size < declared or _is_truncated(content):
        raise EngineError(
            f"{kind.noun}: the recording is torn: its head promises more than its {audio.size} "
            "frames; export it again"
        )
    if loudest > 0 and np.abs(audio).max() <= CANCELLED * loudest:
        raise EngineError(
            f"{kind.noun}: the channels of the recording cancel each other out; keep one of them"
        )
    return audio, rate_hz


def _is_truncated(content: bytes) -> bool:
    """
    Return whether the header of a WAV file declares bytes that do not exist, which libsndfile
    ignores.
    """
    offset = 12
    while content[:4] == b"RIFF" and content[8:12] == b"WAVE" and offset + 8 <= len(content):
        name, size = (
            content[offset : offset + 4],
            int.from_bytes(content[offset + 4 : offset + 8], "little"),
        )
        if name == b"data":
            return size < UNKNOWN_LENGTH_BYTES and offset + 8 + size > len(content)
        offset += 8 + size + size % 2
    return False


def _check_header(file: soundfile.SoundFile, kind: RecordingKind) -> None:
    """Raise EngineError for a header that no recording of a voice has."""
    low, high = RATES_HZ
    if not low <= file.samplerate <= high or file.channels > MAX_CHANNELS:
        raise EngineError(
            f"{kind.noun}: the recording has {file.channels} channels at {file.samplerate} Hz; "
            f"give 1 to {MAX_CHANNELS} at {low} to {high} Hz"
        )
    seconds = file.frames / file.samplerate
    if seconds > kind.max_file_s:
        raise EngineError(f"{kind.noun}: the recording lasts {seconds:.0f} s; {kind.length_advice}")


def _trim(audio: np.ndarray, hop: int) -> np.ndarray:
    """Trim whole silent frames at both ends, and an incomplete last frame."""
    frames = audio[: audio.size // hop * hop].reshape(-1, hop)
    energy = np.square(frames, dtype=np.float64).mean(axis=1)
    if not energy.any():
        return audio[:0]
    sounding = np.flatnonzero(energy > energy.max() * 10 ** (SILENT_DB / 10))
    return frames[sounding[0] : sounding[-1] + 1].reshape(-1)
