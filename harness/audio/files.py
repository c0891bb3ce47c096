"""
Read and write audio files: one channel of float32 samples and a rate.

Knows file formats, through libsndfile; does not resample, trim, level or judge. A file that cannot
be used is a HarnessError that names it, so that a metric can turn it into one missing value. A
file's header is believed only as far as its content bears it out: memory is allocated block by
block, never for the length that a header claims.
"""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from voxgate.harness.errors import HarnessError
from voxgate.harness.records.files import inside, reason, write_atomic
from voxgate.harness.records.run import Run

Audio = NDArray[np.float32]
ROUNDING = 1e-6
"""
Samples that differ by no more are the same sound: 120 dB below full scale, where only the order of
additions differs.
"""

LARGEST_FRAMES = 2**27
"""Of one file: 93 minutes at 24 kHz, and 512 MiB in memory."""
UNKNOWN_FRAMES = 2**63 - 1
"""
The length that libsndfile reports for a FLAC file that was streamed; it cannot read the last block
of one.
"""
LARGEST_CHANNELS = 64
RATES_HZ = (1_000, 768_000)
BLOCK_FRAMES = 2**16
UNKNOWN_FROM_BYTES = 0x7FFF0000
"""A WAV file that was streamed did not know its length, and names a number near the largest one."""


def read_audio(path: Path) -> tuple[Audio, int]:
    """
    Read an audio file; return float32 samples in -1..1, shape [n], and the rate in Hz.

    Several channels become their mean. Raises HarnessError.
    """
    try:
        return decode_audio(path)
    except HarnessError as error:
        raise HarnessError(f"cannot read audio {path}: {error}; give a wav or flac file") from error


def decode_audio(source: Path | IO[bytes]) -> tuple[Audio, int]:
    """
    Decode as `read_audio` does.

    Raises HarnessError for no audio, for more than the limits, and for less than the header
    promises.
    """
    try:
        missing_bytes = _missing_bytes(source)
        with soundfile.SoundFile(source) as file:
            _check_head(file)
            samples, rate_hz = _all_of(file), int(file.samplerate)
    except (OSError, soundfile.SoundFileError) as error:
        raise HarnessError(_first_line(error)) from error
    if missing_bytes:
        raise HarnessError(
            f"it ends {missing_bytes} bytes before the length that its head promises"
        )
    return samples, rate_hz


def same_audio(first: Audio, second: Audio) -> bool:
    """
    Return whether two recordings are the same, up to the rounding of another order of
    additions.
    """
    return first.shape == second.shape and (
        not first.size or bool(np.abs(first - second).max() <= ROUNDING)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioHeader:
    """The promises of an audio file's header."""

    frames: int
    rate_hz: int
    channels: int

    @property
    def duration_s(self) -> float:
        """Seconds of audio."""
        return self.frames / self.rate_hz


def header_of(path: Path) -> AudioHeader | None:
    """Return the header of an audio file; None where reading the file reports an error."""
    try:
        with soundfile.SoundFile(path) as file:
            _check_head(file)
            return AudioHeader(frames=file.frames, rate_hz=file.samplerate, channels=file.channels)
    except (OSError, soundfile.SoundFileError, HarnessError):
        return None


def promised_duration_s(path: Path) -> float:
    """
    Return the seconds of audio that the file promises; 0.0 where it cannot be read.

    Reading the file then reports the error.
    """
    header = header_of(path)
    return 0.0 if header is None else header.duration_s


def _check_head(file: Any) -> None:
    """Raise HarnessError for a header with values beyond the limits of this module."""
    low, high = RATES_HZ
    if not low <= file.samplerate <= high:
        raise HarnessError(
            f"its head claims {file.samplerate} Hz; rates are from {low} to {high} Hz"
        )
    if file.channels > LARGEST_CHANNELS:
        raise HarnessError(
            f"its head claims {file.channels} channels; there may be {LARGEST_CHANNELS}"
        )
    if file.frames == UNKNOWN_FRAMES:
        raise HarnessError(
            "its head does not tell how long it is; write the file again with its length"
        )
    if file.frames > LARGEST_FRAMES:
        raise HarnessError(f"its head claims {file.frames} frames; there may be {LARGEST_FRAMES}")


def _missing_bytes(source: Path | IO[bytes]) -> int:
    """
    Return the number of bytes that the header of a WAV file promises and that are not there.

    libsndfile ignores them silently.
    """
    if isinstance(source, Path):
        with source.open("rb") as file:
            return _missing_bytes(file)
    place, end = 12, source.seek(0, 2)
    source.seek(0)
    head = source.read(12)
    while head[:4] == b"RIFF" and head[8:12] == b"WAVE" and place + 8 <= end:
        source.seek(place)
        name, size = source.read(4), int.from_bytes(source.read(4), "little")
        if name == b"data":
            source.seek(0)
            return max(0, place + 8 + size - end) if size < UNKNOWN_FROM_BYTES else 0
        place += 8 + size + size % 2
    source.seek(0)
    return 0


def _all_of(file: Any) -> Audio:
    """
    Read block by block, as the mean of the channels.

    Raises HarnessError where less can be read than the header promises.
    """
    blocks: list[Audio] = [np.empty(0, np.float32)]
    try:
        while len(block := file.read(BLOCK_FRAMES, dtype="float32", always_2d=True)):
            blocks.append(
                block[:, 0].copy()
                if block.shape[1] == 1
                else np.asarray(block.mean(axis=1), dtype=np.float32)
            )
    except soundfile.SoundFileError as error:  # libsndfile's error at the end of a FLAC file
        raise HarnessError(
            f"its head promises {file.frames} frames, not all of which can be read "
            f"({_first_line(error)})"
        ) from error
    samples = np.concatenate(blocks)
    if samples.size < file.frames:
        raise HarnessError(f"its head promises {file.frames} frames, {samples.size} are there")
    return samples


def write_wav(path: Path, audio: Audio, rate_hz: int) -> None:
    """
    Write a float32 WAV file, whole or not at all.

    No rounding, no clipping, NaN kept, so that the scored audio is the synthesised audio.
    Raises HarnessError; its cause is the system's OSError where that has a reason, such as a
    full disk.
    """
    _write(path, wav_bytes(audio, rate_hz, str(path)))


def wav_bytes(audio: Audio, rate_hz: int, name: str) -> bytes:
    """
    Return a float32 WAV file; `name` stands for the audio in errors.

    Raises HarnessError for anything but one channel at a valid rate.
    """
    return _encoded(audio, rate_hz, "WAV", "FLOAT", name)


def pcm_wav_bytes(audio: Audio, rate_hz: int, name: str) -> bytes:
    """
    Return a WAV file of 16 bits, which every engine reads; samples beyond -1..1 are clipped.

    Raises HarnessError as `wav_bytes` does.
    """
    return _encoded(np.clip(audio, -1.0, 1.0), rate_hz, "WAV", "PCM_16", name)


def write_flac(path: Path, audio: Audio, rate_hz: int) -> None:
    """
    Write `flac_bytes` to a file, whole or not at all. Raises HarnessError as `write_wav` does.
    """
    _write(path, flac_bytes(audio, rate_hz, str(path)))


def flac_bytes(audio: Audio, rate_hz: int, name: str) -> bytes:
    """
    Return a 24-bit FLAC file, for audio that is committed.

    16-bit noise would fill bands that were empty, which STOI is sensitive to. `name` stands for
    the audio in errors. Raises HarnessError for samples beyond -1..1 or not finite.
    """
    if audio.size and not np.all(np.abs(audio) <= 1.0):
        raise HarnessError(
            f"cannot write {name}: frames lie outside -1..1 or are not finite; level the audio "
            "first, or write wav"
        )
    return _encoded(audio, rate_hz, "FLAC", "PCM_24", name)


def _encoded(audio: Audio, rate_hz: int, kind: str, subtype: str, name: str) -> bytes:
    if audio.ndim != 1:
        raise HarnessError(
            f"cannot write {name}: audio has shape {list(audio.shape)}; give one channel, shape [n]"
        )
    out = io.BytesIO()
    try:
        soundfile.write(out, audio, rate_hz, format=kind, subtype=subtype)
    except (OSError, soundfile.SoundFileError) as error:
        raise HarnessError(
            f"cannot write audio {name}: {_first_line(error)}; give a rate that {kind} knows"
        ) from error
    return out.getvalue()


def _write(path: Path, content: bytes) -> None:
    try:
        write_atomic(path, content, durable=False)  # it can be made again
    except OSError as error:
        advice = "choose a folder that exists and has room"
        raise HarnessError(f"cannot write audio {path}: {reason(error)}; {advice}") from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def audio_files(run: Run, *, marked: bool = False) -> dict[tuple[str, str], Path]:
    """
    Return the audio files of a run, (slug, request id) -> path, of the first process that kept
    any: the audio that is judged, or that with its watermark where both exist.

    They may have been deleted. Raises HarnessError for one that does not lie in the run's
    folder.
    """
    files: dict[tuple[str, str], Path] = {}
    for process in run.processes:
        for iteration in process.iterations:
            name = iteration.marked_file if marked else iteration.audio_file
            if name is not None:
                place = (iteration.cell, iteration.request)
                files.setdefault(place, inside(Path(run.folder), name))
    return files
