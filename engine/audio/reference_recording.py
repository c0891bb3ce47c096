"""
Reads the recording of a voice: any rate and channels to trimmed mono at the rate that a pipeline
works at.

Limits are checked here, with words for the person who chose the recording. It knows no mel and no
model; how loud the recording is to be is the pipeline's business.
"""

import io
from pathlib import Path

import numpy as np
import soundfile
import soxr

from engine.errors import EngineError

SHORTEST_S, LONGEST_S = 0.5, 12.0
"""
Of the speech, after trimming. Longer ones are cut by F5-TTS's own command, too; each second costs
in every solver step.
"""
LONGEST_FILE_S = 120.0
LARGEST_FILE_BYTES = 50_000_000
LARGEST_TEXT_BYTES = 100_000
RATES_HZ = (1_000, 768_000)
LARGEST_CHANNELS = 64
BLOCK_FRAMES = 2**16
UNKNOWN_FROM_BYTES = 0x7FFF0000
"""A WAV file that was streamed did not know its length, and names a number near the largest one."""
SILENT_DB = -42.0
"""Below the loudest frame; what lies at the edges and is quieter is cut off, as F5-TTS does."""


def read_file(path: str) -> bytes:
    """
    Read the whole file. Raises EngineError if it is not there or too large to be a recording of a
    few seconds.
    """
    try:
        size = Path(path).stat().st_size
        content = Path(path).read_bytes() if size <= LARGEST_FILE_BYTES else b""
    except OSError as error:
        here = "" if Path(path).is_absolute() else f" (looked for in {Path.cwd()})"
        raise EngineError(
            f"reference {path} cannot be read: {error.strerror}{here}; name a wav or flac file"
        ) from None
    if not content:
        raise EngineError(
            f"reference {path} has {size} bytes; a recording of {LONGEST_S:.0f} s has less than 10 "
            "MB, and some"
        )
    return content


def text_of(path: str, text: str) -> str:
    """
    Give what the recording says: the text as told or, without one, the words of the .txt file
    beside the recording.
    """
    beside = Path(path).with_suffix(".txt")
    if not text.strip() and beside.is_file():
        text = _text(beside)
    if not text.strip():
        raise EngineError(
            f"reference {path} needs reference_text, the words that it says; give it, or write "
            f"{beside}"
        )
    return " ".join(text.split())


def speech_of(content: bytes, rate_hz: int, hop: int) -> np.ndarray:
    """
    Decode, mix down, resample and trim.

    Args:
        content: of a wav or flac file.
        rate_hz: of what is given back.
        hop: samples per frame; only whole frames are cut off.

    Returns: float32 (T,), from the first frame that sounds to the last, as loud as recorded.
    Raises: EngineError for what is no audio, holds no sound, or is too short or too long.
    """
    audio, recorded_hz = _decoded(content)
    if not np.isfinite(audio).all():
        raise EngineError("reference: the recording holds NaN or infinity; export it again")
    if recorded_hz != rate_hz and audio.size:
        audio = np.asarray(soxr.resample(audio, recorded_hz, rate_hz), dtype=np.float32)
    speech = _trimmed(audio, hop)
    seconds = speech.size / rate_hz
    if not SHORTEST_S <= seconds <= LONGEST_S:
        what = "silent" if not speech.size else f"{seconds:.2f} s of sound"
        raise EngineError(
            f"reference: the recording is {what}; give {SHORTEST_S} to {LONGEST_S:.0f} s of speech"
        )
    return speech


def _text(path: Path) -> str:
    """
    Read the words beside a recording. Raises EngineError for a file that cannot be read, or is no
    text of one recording.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_TEXT_BYTES + 1)
    except OSError as error:
        raise EngineError(
            f"reference text {path} cannot be read: {error.strerror}; give reference_text"
        ) from None
    if len(content) > LARGEST_TEXT_BYTES:
        raise EngineError(
            f"reference text {path} has more than {LARGEST_TEXT_BYTES} bytes; it holds other than "
            "what is said"
        )
    return content.decode("utf-8", "replace")


def _decoded(content: bytes) -> tuple[np.ndarray, int]:
    """
    Give mono float32 (T,) and its rate. Memory is taken for what is there, not for what the file's
    head claims.
    """
    try:
        with soundfile.SoundFile(io.BytesIO(content)) as file:
            _check_head(file)
            promised, rate_hz = int(file.frames), int(file.samplerate)
            blocks = []
            while len(block := file.read(BLOCK_FRAMES, dtype="float32", always_2d=True)):
                blocks.append(block.mean(axis=1, dtype=np.float32))
    except soundfile.LibsndfileError as error:
        raise EngineError(
            f"reference: the recording cannot be decoded ({error}); give a wav or flac file"
        ) from None
    audio = np.concatenate(blocks) if blocks else np.empty(0, np.float32)
    if audio.size < promised or _is_cut(content):
        raise EngineError(
            f"reference: the recording is torn: its head promises more than its {audio.size} "
            "frames; export it again"
        )
    return audio, rate_hz


def _is_cut(content: bytes) -> bool:
    """
    Whether the head of a WAV file promises bytes that are not there, which libsndfile passes over
    in silence.
    """
    place = 12
    while content[:4] == b"RIFF" and content[8:12] == b"WAVE" and place + 8 <= len(content):
        name, size = (
            content[place : place + 4],
            int.from_bytes(content[place + 4 : place + 8], "little"),
        )
        if name == b"data":
            return size < UNKNOWN_FROM_BYTES and place + 8 + size > len(content)
        place += 8 + size + size % 2
    return False


def _check_head(file: soundfile.SoundFile) -> None:
    """Raise EngineError for a head that claims what no recording of a voice has."""
    low, high = RATES_HZ
    if not low <= file.samplerate <= high or file.channels > LARGEST_CHANNELS:
        raise EngineError(
            f"reference: the recording has {file.channels} channels at {file.samplerate} Hz; give "
            f"1 to {LARGEST_CHANNELS} at {low} to {high} Hz"
        )
    seconds = file.frames / file.samplerate
    if seconds > LONGEST_FILE_S:
        raise EngineError(
            f"reference: the recording lasts {seconds:.0f} s; cut it to at most {LONGEST_S:.0f} s"
        )


def _trimmed(audio: np.ndarray, hop: int) -> np.ndarray:
    """Cut off whole silent frames at both ends; an unfinished last frame goes, too."""
    whole = audio[: audio.size // hop * hop].reshape(-1, hop)
    energy = np.square(whole, dtype=np.float64).mean(axis=1)
    if not energy.any():
        return audio[:0]
    sounding = np.flatnonzero(energy > energy.max() * 10 ** (SILENT_DB / 10))
    return whole[sounding[0] : sounding[-1] + 1].reshape(-1)
