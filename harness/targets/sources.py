"""
The source recordings of requests, and the recordings of voices, before anything is measured: those
that flite is to speak are made, and every source is checked.

A file that cannot be converted, or would be by chance (two channels, of which an engine might take
one), is one line of error. What flite speaks is the request's text at 16 kHz, byte for byte the
same each time; where another flite speaks it otherwise, it is another workload.
"""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile

from voxgate.harness.audio import activity
from voxgate.harness.audio.files import pcm_wav_bytes, read_audio
from voxgate.harness.audio.recording import Recording, check_valid
from voxgate.harness.errors import HarnessError
from voxgate.harness.records.cell import Cell, Request, Workload
from voxgate.harness.records.files import file_sha256, write_file
from voxgate.harness.records.measurement import Missing
from voxgate.harness.suite.workload import FLITE
from voxgate.harness.targets.flite import flite_voices, speak

MADE_HZ = 16_000
"""Of what flite speaks, whichever voice."""
LEAST_HZ, MOST_HZ = 8_000, 192_000
"""A telephone's rate, and the highest that studios use."""
SHORTEST_S, LONGEST_S = 0.5, 600.0
QUIETEST_DB = -60.0
"""Of full scale: a source whose loud part is below holds nothing to convert."""
LEAST_VOICE_S = 0.7
"""Of speech: what the metrics that compare voices need."""
VOICE_TEXT = (
    "The birch canoe slid on the smooth planks. Glue the sheet to the dark blue background. "
    "It is easy to tell the depth of a well. These days a chicken leg is a rare dish."
)
"""
What flite says for the recording of a voice: the first of the Harvard sentences (IEEE 1969), which
hold the sounds of English as often as speech does.
"""


def with_sources(cells: Sequence[Cell]) -> tuple[Cell, ...]:
    """
    Return the cells with every source recording checked, and those made that flite is to speak.

    Raises HarnessError naming the first that cannot be had.
    """
    ready: list[tuple[Workload, Workload]] = []
    for cell in cells:
        if all(cell.workload != known for known, _ in ready):
            ready.append((cell.workload, _ready(cell.workload)))
    return tuple(
        replace(cell, workload=next(made for known, made in ready if known == cell.workload))
        for cell in cells
    )


def _ready(workload: Workload) -> Workload:
    requests = tuple(_with_source(request, workload.name) for request in workload.requests)
    voices = {
        speaker: _with_voice(file, f"workload {workload.name}, voices.{speaker}")
        for speaker, file in workload.voices.items()
    }
    return replace(workload, requests=requests, voices=voices)


def _with_source(request: Request, workload: str) -> Request:
    source = request.source
    if source is None:
        return request
    where = f"workload {workload}, request {request.id}: source"
    if source.made_by:
        path, digest = _made(source.made_by, request.text, where)
        source = replace(source, path=str(path), sha256=digest)
    check_source(Path(source.path), where)
    return replace(request, source=source)


def _with_voice(file: str, where: str) -> str:
    """
    Return the path of the recording of a voice. Raises HarnessError for one that none is heard in.
    """
    if FLITE.fullmatch(file):
        return str(_made(file, VOICE_TEXT, where)[0])
    _, recording = _read(Path(file), where)
    broken, speech = check_valid(recording), activity.segments(recording)
    if broken is not None:
        raise HarnessError(f"{where}: {file}: {broken.reason}; record it again")
    if isinstance(speech, Missing):
        raise HarnessError(f"{where}: {file}: {speech.reason}; give a recording of the voice")
    if speech.speech_s < LEAST_VOICE_S:
        raise HarnessError(
            f"{where}: {file} holds {speech.speech_s:.2f} s of speech; a voice is told by "
            f"{LEAST_VOICE_S} s or more"
        )
    return file


def check_source(path: Path, where: str) -> None:
    """Raise HarnessError, beginning with `where`, for a recording that cannot be converted."""
    channels, recording = _read(path, where)
    fault = _channels(channels) or _fault(recording)
    if fault is not None:
        raise HarnessError(f"{where}: {path} {fault}")


def _read(path: Path, where: str) -> tuple[int, Recording]:
    """Return the number of channels and the recording. Raises HarnessError for what is no audio."""
    try:
        with soundfile.SoundFile(path) as file:
            channels = file.channels
        return channels, Recording(*read_audio(path))
    except HarnessError as error:
        raise HarnessError(f"{where}: {error}") from error
    except (OSError, soundfile.SoundFileError) as error:
        raise HarnessError(
            f"{where}: {path} is no audio ({str(error).splitlines()[0]}); give a wav or flac file"
        ) from error


def _channels(count: int) -> str | None:
    if count == 1:
        return None
    return (
        f"has {count} channels; a source is one voice, and engines mix channels differently: mix "
        "it down to one"
    )


def _fault(recording: Recording) -> str | None:
    """Return why a recording cannot be converted; None where it can."""
    if not LEAST_HZ <= recording.rate_hz <= MOST_HZ:
        return f"has {recording.rate_hz} Hz; a source has {LEAST_HZ} to {MOST_HZ} Hz: resample it"
    broken = check_valid(recording)
    if broken is not None:
        return f"cannot be converted: {broken.reason}; record it again"
    if not SHORTEST_S <= recording.duration_s <= LONGEST_S:
        return (
            f"lasts {recording.duration_s:.2f} s; a source lasts {SHORTEST_S:g} to {LONGEST_S:g} "
            "s: cut it, or give another"
        )
    loud_db, speech = activity.loud_level(recording), activity.segments(recording)
    if isinstance(loud_db, Missing) or isinstance(speech, Missing):
        return "is silent; give a recording of a voice"
    if loud_db < QUIETEST_DB:
        return (
            f"is silent: its loud part is at {loud_db:.0f} dB of full scale, below "
            f"{QUIETEST_DB:g} dB; give a recording of a voice"
        )
    return None


def _made(made_by: str, text: str, where: str) -> tuple[Path, str]:
    """Have flite speak a text; return the file and its SHA-256. Raises HarnessError."""
    voice = made_by.removeprefix("flite:")
    voices = flite_voices()
    if not voices:
        raise HarnessError(
            f"{where} is {made_by}, and the program flite is not installed; install it (apt-get "
            "install flite), or give a file"
        )
    if voice not in voices:
        raise HarnessError(
            f"{where} is {made_by}, and flite has no such voice; it has {', '.join(voices)}"
        )
    try:
        spoken = Recording(*speak(voice, text)).at(MADE_HZ)
        content = pcm_wav_bytes(np.asarray(spoken, dtype=np.float32), MADE_HZ, made_by)
    except HarnessError as error:
        raise HarnessError(f"{where}: {error}") from error
    return _kept(content)


def _kept(content: bytes) -> tuple[Path, str]:
    """Write a recording under its digest into the user's cache, from where a run copies it."""
    digest = hashlib.sha256(content).hexdigest()
    root = os.environ.get("XDG_CACHE_HOME")
    folder = (Path(root) if root else Path.home() / ".cache") / "voxgate" / "sources"
    path = folder / f"{digest[:16]}.wav"
    if not path.is_file() or file_sha256(path) != digest:
        write_file(path, content, "set XDG_CACHE_HOME to a folder with room", parents=True)
    return path.absolute(), digest
