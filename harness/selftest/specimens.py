"""
Makes the audio that holds a fault: out of audio that there is, or by the engine, which is told to say something else.

What was recorded stays as it is. Scores and decides nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from harness.audio.files import read_audio, write_wav
from harness.audio.recording import read_recording
from harness.errors import HarnessError
from harness.machine.profiles_table import Profile
from harness.records.cell import Cell, Request
from harness.records.run import Run
from harness.runner import run_folder
from harness.runner.progress import Progress
from harness.runner.runner import run_suite
from harness.selftest.respeech import Respeak
from harness.selftest.speech import Change, Speech
from harness.suite.suite import Suite
from harness.targets.registry import check_cells


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """One file of audio, how long it is, and where the engine says that it joined chunks, if it does."""

    file: Path
    audio_s: float
    joins_s: tuple[float, ...] | None = None


Sounds = Mapping[str, Sound]
"""By request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """What says things otherwise: a cell, how it is run, and the folder for what it says."""

    suite: Suite
    profile: Profile
    cell: Cell
    folder: Path
    progress: Progress


def sounds_of(run: Run, slug: str) -> dict[str, Sound]:
    """Give the audio that a cell left, by request."""
    samples = [sample for process in run.processes if process.cell == slug for sample in process.samples]
    return {
        sample.request: Sound(
            file=(Path(run.folder) / sample.audio_file).absolute(), audio_s=sample.audio_s, joins_s=sample.joins_s
        )
        for sample in reversed(samples)
        if sample.audio_file is not None
    }


def speeches_of(run: Run, slug: str) -> dict[str, Speech]:
    """Read the audio that a cell left, by request. Raises HarnessError if a file cannot be read."""
    (cell,) = (each for each in run.cells if each.slug == slug)
    sounds = sounds_of(run, slug)
    return {
        request.id: _read(run, cell, request, sounds[request.id]) for request in cell.workload.requests if request.id in sounds
    }


def changed_sounds(speeches: Mapping[str, Speech], change: Change, folder: Path) -> dict[str, Sound]:
    """
    Write every utterance that can hold the fault into `folder`.

    Raises HarnessError if a file cannot be written, or if the change needs a package that is absent.
    """
    folder.mkdir(parents=True, exist_ok=True)
    changed = {}
    for request, speech in speeches.items():
        faulty = change(speech)
        if faulty is not None:
            file = (folder / f"{request}.wav").absolute()
            write_wav(file, faulty, speech.rate_hz)
            changed[request] = Sound(file=file, audio_s=len(faulty) / speech.rate_hz, joins_s=speech.joins_s)
    return changed


def sayable(cell: Cell, respeak: Respeak) -> dict[str, Request]:
    """Give what would be said instead, by request; empty where no request can be said otherwise, or the engine cannot do it."""
    requests = cell.workload.requests
    others = {request.id: respeak(request, requests) for request in requests}
    said = {name: other for name, other in others.items() if other is not None}
    try:
        check_cells([_asking(cell, said)])
    except HarnessError:
        return {}
    return said


def respoken_sounds(engine: Engine, asked: Mapping[str, Mapping[str, Request]]) -> dict[str, dict[str, Sound]]:
    """
    Have the engine say everything that is asked for, by fault and request, in one process.

    Raises HarnessError if the engine does not, and KeyboardInterrupt if a person stops it.
    """
    places = {f"{request}.{number}": (fault, request) for number, fault in enumerate(asked) for request in asked[fault]}
    if not places:
        return {}
    cell = _asking(engine.cell, {name: asked[fault][request] for name, (fault, request) in places.items()})
    outcome = run_suite(
        engine.suite,
        [cell],
        engine.profile,
        engine.folder,
        repeats=1,
        iterations=1,
        progress=engine.progress,
        energy=False,
        stages=False,
    )
    if outcome.interrupted:
        raise KeyboardInterrupt
    for failure in outcome.failures.values():
        raise HarnessError(f"the faults cannot be spoken: {failure.kind}: {failure.reason}")
    spoken = sounds_of(run_folder.load_run(engine.folder), cell.slug)
    return {fault: {r: spoken[name] for name, (f, r) in places.items() if f == fault} for fault in asked}


def _read(run: Run, cell: Cell, request: Request, sound: Sound) -> Speech:
    audio, rate_hz = read_audio(sound.file)
    file = cell.voice_of(request)
    voice = None if file is None else read_recording(Path(run.folder) / file).at(rate_hz).astype("float32")
    return Speech(audio=audio, rate_hz=rate_hz, text=request.text, joins_s=sound.joins_s, voice=voice)


def _asking(cell: Cell, requests: Mapping[str, Request]) -> Cell:
    """Give the cell with these requests for its workload, named by their keys."""
    said = tuple(replace(request, id=name, statement=None) for name, request in requests.items())
    return replace(cell, workload=replace(cell.workload, requests=said))
