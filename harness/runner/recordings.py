"""
Recordings of an utterance: the accepted audio, and the audio of every cell in this run and in the
run before it.

Opens run folders, so that no report needs to. Returns recordings unchanged, or the reason for their
absence; levels, compares and draws nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from voxgate.harness.audio.files import Audio, audio_files, read_audio
from voxgate.harness.errors import HarnessError
from voxgate.harness.records.cell import Cell, Request
from voxgate.harness.records.files import inside
from voxgate.harness.records.measurement import Missing
from voxgate.harness.records.run import Run, failure_of
from voxgate.harness.runner import run_folder

When = Literal["golden", "previous", "current", "marked", "source"]
"""`marked` is current with its watermark, the audio that a user hears."""
NOT_KEPT = "no audio of this utterance was kept"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptAudio:
    """One channel, shape [n], finite and not empty, and its rate."""

    frames: Audio
    rate_hz: int

    @property
    def duration_s(self) -> float:
        """Seconds from the first frame to the last."""
        return len(self.frames) / self.rate_hz


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """
    One recording of one utterance, or why there is none. `cell` is a slug; the golden take is the
    reference cell's, and so is the source, which all cells converted.
    """

    when: When
    cell: str
    sound: KeptAudio | Missing


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """
    A run, and where its audio lies: (slug, request id) -> path. `marked` has that with a watermark,
    where `files` has the same audio without.
    """

    run: Run
    files: Mapping[tuple[str, str], Path]
    marked: Mapping[tuple[str, str], Path]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recordings:
    """
    Source of recordings: a run, the run before it if there is one, and the folder of the golden
    audio.
    """

    current: Kept
    previous: Kept | None
    golden: Path

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The cells of the run, the reference first."""
        return cells_of(self.current.run)

    @property
    def requests(self) -> tuple[Request, ...]:
        """Every utterance of the run, in the order of the workload."""
        return requests_of(self.current.run)


def cells_of(run: Run) -> tuple[Cell, ...]:
    """Return the cells of a run, the reference first."""
    return tuple(sorted(run.cells, key=lambda cell: cell.slug != run.reference))


def requests_of(run: Run) -> tuple[Request, ...]:
    """Return every utterance of a run, in the order of the workload."""
    every = (request for cell in cells_of(run) for request in cell.workload.requests)
    return tuple({request.id: request for request in every}.values())


def recordings_of(run: Run, golden: Path, previous: Path | None = None) -> Recordings:
    """
    Return the recordings of a run, beside those of a folder where one is named. Raises HarnessError
    for audio outside the run's folder, and where `store.load_run` does.
    """
    before = None if previous is None else _open(previous)
    return Recordings(current=_kept(run), previous=before, golden=golden)


def open_recordings(folder: Path, previous: Path | None, golden: Path) -> Recordings:
    """Read both run folders. Raises HarnessError where `store.load_run` does."""
    before = None if previous is None else _open(previous)
    return Recordings(current=_open(folder), previous=before, golden=golden)


def takes(recordings: Recordings, request: str) -> tuple[Take, ...]:
    """
    Return the recordings of an utterance: the golden one, then previous, current and, where there
    is one, marked of every cell, the reference cell first; at the end, so that it sets no level,
    the source of a conversion.
    """
    recordings_ = [_golden(recordings, request)]
    for cell in recordings.cells:
        if recordings.previous is not None:
            recordings_.append(
                Take(
                    when="previous",
                    cell=cell.slug,
                    sound=_before(recordings.previous, cell, request),
                )
            )
        recordings_.append(
            Take(
                when="current", cell=cell.slug, sound=_sound(recordings.current, cell.slug, request)
            )
        )
        product = recordings.current.marked.get((cell.slug, request))
        if product is not None:
            sound = read_take(product) if product.is_file() else Missing(NOT_KEPT)
            recordings_.append(Take(when="marked", cell=cell.slug, sound=sound))
    return (*recordings_, *_source(recordings.current.run, request))


def _source(run: Run, name: str) -> tuple[Take, ...]:
    """Return the recording that a request converts; none for a text."""
    request = next((each for each in requests_of(run) if each.id == name), None)
    if request is None or request.source is None:
        return ()
    try:
        path = inside(Path(run.folder), request.source.path)
    except HarnessError as error:
        return (Take(when="source", cell=run.reference, sound=Missing(str(error))),)
    gone = Missing("the source is no longer in the run folder")
    sound = read_take(path) if path.is_file() else gone
    return (Take(when="source", cell=run.reference, sound=sound),)


def _open(folder: Path) -> Kept:
    return _kept(run_folder.load_run(folder))


def _kept(run: Run) -> Kept:
    return Kept(run=run, files=audio_files(run), marked=audio_files(run, marked=True))


def _golden(recordings: Recordings, request: str) -> Take:
    try:
        path = inside(recordings.golden, f"{request}.flac")
    except HarnessError as error:
        return Take(when="golden", cell=recordings.current.run.reference, sound=Missing(str(error)))
    sound = (
        read_take(path)
        if path.is_file()
        else Missing("no golden audio of this utterance is accepted")
    )
    return Take(when="golden", cell=recordings.current.run.reference, sound=sound)


def _before(run_audio: Kept, cell: Cell, request: str) -> KeptAudio | Missing:
    """Return the recording of the same cell in the previous run, if it had the same request."""
    before = next((other for other in run_audio.run.cells if other.slug == cell.slug), None)
    if before is None:
        return Missing("the previous run had no such cell")
    if before.digest() != cell.digest():
        return Missing("the previous run asked for something else under this name")
    return _sound(run_audio, cell.slug, request)


def _sound(run_audio: Kept, slug: str, request: str) -> KeptAudio | Missing:
    path = run_audio.files.get((slug, request))
    if path is not None and path.is_file():
        return read_take(path)
    failure = failure_of(slug, run_audio.run)
    return Missing(f"FAILED {failure}" if failure else NOT_KEPT)


def read_take(path: Path) -> KeptAudio | Missing:
    """Read a recording that can be heard; Missing where it cannot."""
    try:
        frames, rate_hz = read_audio(path)
    except HarnessError as error:
        return Missing(str(error))
    if not frames.size:
        return Missing("the audio is empty")
    return (
        KeptAudio(frames=frames, rate_hz=rate_hz)
        if np.isfinite(frames).all()
        else Missing("the audio holds NaN or infinity")
    )
