"""
Specimens: audio with a fault, made from existing audio or by the engine, as one more cell of the
run.

So each is scored and judged as any cell is, all at once, and compared with the cell it was made
from. Recorded audio is never changed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path

from voxgate.harness.audio.files import Audio, read_audio, write_wav
from voxgate.harness.audio.recording import read_recording
from voxgate.harness.errors import HarnessError
from voxgate.harness.machine.profiles import Profile
from voxgate.harness.python310 import StrEnum
from voxgate.harness.records.cell import Cell, Request
from voxgate.harness.records.run import Iteration, ProcessRecord, Run
from voxgate.harness.runner import run_folder
from voxgate.harness.runner.progress import Progress
from voxgate.harness.runner.runner import run_suite
from voxgate.harness.selftest.fault_effects import Change, SpokenUtterance
from voxgate.harness.selftest.resynthesis import another_take
from voxgate.harness.selftest.token_faults import Respeak, same_words
from voxgate.harness.suite.suite import Suite
from voxgate.harness.targets.registry import check_cells


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecimenAudio:
    """
    One file of audio, how long it is, and where the engine says that it joined chunks, if it does.
    """

    file: Path
    audio_s: float
    joins_s: tuple[float, ...] | None = None


Sounds = Mapping[str, SpecimenAudio]
"""By request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """The engine that synthesises faults: a cell, how it is run, and the folder for its audio."""

    suite: Suite
    profile: Profile
    cell: Cell
    folder: Path
    progress: Progress


def sounds_of(run: Run, slug: str) -> dict[str, SpecimenAudio]:
    """Return the recordings of a cell, by request."""
    iterations = list(
        chain.from_iterable(process.iterations for process in run.processes if process.cell == slug)
    )
    return {
        iteration.request: SpecimenAudio(
            file=(Path(run.folder) / iteration.audio_file).absolute(),
            audio_s=iteration.audio_s,
            joins_s=iteration.joins_s,
        )
        for iteration in reversed(iterations)
        if iteration.audio_file is not None
    }


def speeches_of(run: Run, slug: str) -> dict[str, SpokenUtterance]:
    """Read the audio that a cell left, by request. Raises HarnessError if a file cannot be read."""
    (cell,) = (candidate for candidate in run.cells if candidate.slug == slug)
    sounds = sounds_of(run, slug)
    spoken = {
        request.id: _read(run, cell, request, sounds[request.id])
        for request in cell.workload.requests
        if request.id in sounds
    }
    return _with_others(cell, spoken)


def _with_others(cell: Cell, spoken: Mapping[str, SpokenUtterance]) -> dict[str, SpokenUtterance]:
    """Add to each utterance the next one of its speaker that says another text, if any."""
    speakers = {each.id: each.options.get("speaker") for each in cell.workload.requests}
    names = list(spoken)

    def other(at: int) -> Audio | None:
        name, own = names[at], spoken[names[at]]
        later = [
            each for each in (*names[at + 1 :], *names[:at]) if speakers[each] == speakers[name]
        ]
        found = [spoken[each] for each in later if spoken[each].rate_hz == own.rate_hz]
        return next((each.audio for each in found if not same_words(each.text, own.text)), None)

    return {name: replace(spoken[name], other=other(at)) for at, name in enumerate(names)}


def changed_sounds(
    speeches: Mapping[str, SpokenUtterance], change: Change, folder: Path
) -> dict[str, SpecimenAudio]:
    """
    Write every utterance that can hold the fault into `folder`.

    Raises HarnessError if a file cannot be written, or if the change needs a package that is
    absent.
    """
    folder.mkdir(parents=True, exist_ok=True)
    changed = {}
    for request, speech in speeches.items():
        faulty = change(speech)
        if faulty is not None:
            file = (folder / f"{request}.wav").absolute()
            write_wav(file, faulty, speech.rate_hz)
            changed[request] = SpecimenAudio(
                file=file, audio_s=len(faulty) / speech.rate_hz, joins_s=speech.joins_s
            )
    return changed


def sayable(cell: Cell, respeak: Respeak) -> dict[str, Request]:
    """
    Return the changed requests, by request; empty where no request can be changed so, or the engine
    cannot do it.
    """
    requests = cell.workload.requests
    others = {request.id: respeak(request, requests) for request in requests}
    said = {name: other for name, other in others.items() if other is not None}
    try:
        check_cells([_asking(cell, said)])
    except HarnessError:
        return {}
    return said


def respoken_sounds(
    engine: Engine, asked: Mapping[str, Mapping[str, Request]]
) -> dict[str, dict[str, SpecimenAudio]]:
    """
    Synthesise all changed requests in one process; return the audio by fault and request.

    Raises HarnessError if the engine fails, and KeyboardInterrupt if a person stops it.
    """
    places: dict[str, tuple[str, str]] = {}
    for number, fault in enumerate(asked):
        places |= {f"{request}.{number}": (fault, request) for request in asked[fault]}
    if not places:
        return {}
    cell = _asking(
        engine.cell, {name: asked[fault][request] for name, (fault, request) in places.items()}
    )
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
    by_fault: dict[str, dict[str, SpecimenAudio]] = {fault: {} for fault in asked}
    for name, (fault, request) in places.items():
        by_fault[fault][request] = spoken[name]
    return by_fault


def _read(run: Run, cell: Cell, request: Request, sound: SpecimenAudio) -> SpokenUtterance:
    audio, rate_hz = read_audio(sound.file)
    file = cell.voice_of(request)
    voice = (
        None
        if file is None
        else read_recording(Path(run.folder) / file).at(rate_hz).astype("float32")
    )
    return SpokenUtterance(
        audio=audio, rate_hz=rate_hz, text=request.text, joins_s=sound.joins_s, voice=voice
    )


def _asking(cell: Cell, requests: Mapping[str, Request]) -> Cell:
    """Return the cell with these requests as its workload, named by their keys."""
    said = tuple(replace(request, id=name, statement=None) for name, request in requests.items())
    return replace(cell, workload=replace(cell.workload, requests=said))


EVERY, ONE = "every utterance", "one utterance"
AXIS = "specimen"


class Kind(StrEnum):
    """What a specimen is."""

    FAULT = "fault"
    SETTING = "setting"
    """The engine ran with other options than it was asked for."""
    HARMLESS = "harmless"
    """Nothing that anybody could hear: an alarm is a false one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Specimen:
    """
    One fault at one strength in one or in every utterance of the cell `base`; `sounds` replace
    those that the cell made.
    """

    fault: str
    strength: str
    kind: Kind
    extent: str
    base: str
    sounds: Mapping[str, SpecimenAudio]
    original: Mapping[str, SpecimenAudio] = field(default_factory=dict)
    """The audio without the fault, where it is not what the base made."""


def in_every_and_in_one(specimen: Specimen) -> list[Specimen]:
    """
    Return the specimen, and another with the fault in its first utterance only, if it has more.
    """
    first = list(specimen.sounds)[:1]
    sounds, original = (
        {name: each[name] for name in first if name in each}
        for each in (specimen.sounds, specimen.original)
    )
    alone = (
        [replace(specimen, extent=ONE, sounds=sounds, original=original)]
        if len(specimen.sounds) > 1
        else []
    )
    return [replace(specimen, extent=EVERY), *alone]


def slugs_of(run: Run, specimens: Sequence[Specimen]) -> list[str]:
    """Name the cells that the specimens become."""
    cells = {cell.slug: cell for cell in run.cells}
    return [_cell(cells[specimen.base], number).slug for number, specimen in enumerate(specimens)]


def with_specimens(run: Run, specimens: Sequence[Specimen]) -> Run:
    """
    Return the run with one more cell for each specimen: the audio of its base, with some sounds
    replaced.
    """
    cells = {cell.slug: cell for cell in run.cells}
    added = [
        (_cell(cells[specimen.base], number), specimen) for number, specimen in enumerate(specimens)
    ]
    processes: list[ProcessRecord] = []
    for cell, specimen in added:
        processes += _processes(run, specimen.base, cell.slug, specimen.sounds)
    return replace(
        run,
        cells=(*run.cells, *(cell for cell, _ in added)),
        processes=(*run.processes, *processes),
    )


def with_sounds(run: Run, slug: str, sounds: Sounds) -> Run:
    """Return the run in which that cell has made these sounds."""
    changed = _processes(run, slug, slug, sounds)
    others = (process for process in run.processes if process.cell != slug)
    return replace(run, processes=(*others, *changed))


def with_other_takes(run: Run, slug: str, folder: Path) -> Run:
    """
    Return the run in which that cell has spoken another time, by resynthesis. Raises HarnessError
    without pyworld.
    """
    return with_sounds(run, slug, changed_sounds(speeches_of(run, slug), another_take, folder))


def _cell(base: Cell, number: int) -> Cell:
    return replace(base, axes={**base.axes, AXIS: number})


def _processes(run: Run, base: str, slug: str, sounds: Sounds) -> list[ProcessRecord]:
    def planted(iteration: Iteration) -> Iteration:
        sound = sounds.get(iteration.request)
        if sound is None:
            return replace(iteration, cell=slug)
        kept = None if iteration.audio_file is None else str(sound.file)
        return replace(
            iteration,
            cell=slug,
            audio_file=kept,
            audio_s=sound.audio_s,
            joins_s=sound.joins_s,
            audio_sha256="planted",
        )

    return [
        replace(process, cell=slug, iterations=tuple(map(planted, process.iterations)))
        for process in run.processes
        if process.cell == base
    ]
