"""
The files that a command writes: checked before any work is done, then written.

A fault is an EngineError that names the file.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

from voxgate.engine.audio.captions import Caption, captions_text, check_format
from voxgate.engine.errors import EngineError


def check_audio_place(output: Path) -> None:
    """Check that an audio file can be written."""
    if output.suffix.lower() not in (".wav", ".flac"):
        raise EngineError(f"output {output} must end in .wav or .flac")
    check_place(output)


def check_place(output: Path) -> None:
    """Check that a file can be written."""
    if not output.parent.is_dir():
        raise EngineError(f"output folder {output.parent} does not exist; make it first")
    if output.is_dir() or not os.access(output if output.exists() else output.parent, os.W_OK):
        raise EngineError(f"output {output} cannot be written; choose another path")


def check_captions_place(path: Path) -> None:
    """Check that captions can be written, in the format of the suffix."""
    check_format(path)
    check_place(path)


def check_distinct(paths: Sequence[Path]) -> None:
    """Check that no file is written over another one of a reel, its script included."""
    for number, path in enumerate(paths):
        if path.resolve() in [other.resolve() for other in paths[:number]]:
            raise EngineError(f"{path} is named twice, as script, output or captions; name another")


def write_audio(output: Path, audio: np.ndarray, sample_rate_hz: int) -> None:
    """Write 16-bit PCM."""
    try:
        soundfile.write(output, audio, sample_rate_hz, subtype="PCM_16")
    except (OSError, soundfile.LibsndfileError) as error:
        raise EngineError(
            f"output {output} could not be written ({error}); is the disk full?"
        ) from None


def write_captions(path: Path, captions: Sequence[Caption]) -> None:
    """Write captions in the format of the path's suffix, as UTF-8."""
    try:
        path.write_text(captions_text(path, captions), encoding="utf-8")
    except OSError as error:
        raise EngineError(f"output {path} could not be written ({error.strerror})") from None
