"""
The audio that faults are planted into, of an engine, measured by fresh processes, or recordings,
and the specimens that are made of it.

Recordings become a run, as if an engine had made them. A folder holds them with their texts:

    FOLDER/texts.toml      a workload (`harness/suite/workload.py`): id and text of each recording
    FOLDER/<id>.wav        or .flac

Reference and cell are the same audio. Recorded questions seldom have a statement of the same words
beside them. So unless the texts name such pairs, the first recordings are made into questions as
well, by raising their end as in a yes/no question.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from voxgate.harness.audio.files import read_audio, write_wav
from voxgate.harness.errors import HarnessError
from voxgate.harness.machine.profiles import Profile
from voxgate.harness.records.cell import Cell, Request, Workload
from voxgate.harness.records.run import Iteration, Phase, ProcessRecord, Run
from voxgate.harness.runner import run_folder
from voxgate.harness.runner.progress import Progress
from voxgate.harness.runner.runner import run_suite
from voxgate.harness.scoring.asr_floor import find_recordings
from voxgate.harness.selftest.fault_effects import SpokenUtterance
from voxgate.harness.selftest.faults import Fault, planted_faults
from voxgate.harness.selftest.resynthesis import bent, resynthesised
from voxgate.harness.selftest.specimens import (
    EVERY,
    Engine,
    Kind,
    Sounds,
    Specimen,
    SpecimenAudio,
    changed_sounds,
    in_every_and_in_one,
    respoken_sounds,
    sayable,
    sounds_of,
    speeches_of,
)
from voxgate.harness.suite.selection import matching_cells
from voxgate.harness.suite.suite import Expansion, Suite
from voxgate.harness.suite.workload import load_workload


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultlessRun:
    """
    A run without faults, the cell that gets them, the folder for them, and the engine that can
    change requests, if any.
    """

    audio: str
    """In words."""
    run: Run
    cell: Cell
    folder: Path
    clean: Mapping[str, Sounds]
    """The clean repeats: how each was made -> its audio."""
    engine: Engine | None = None

    @property
    def reference(self) -> Cell:
        """The reference cell."""
        (only,) = (cell for cell in self.run.cells if cell.slug == self.run.reference)
        return only

    @property
    def settings(self) -> list[Cell]:
        """The cells beside these two."""
        return [
            cell for cell in self.run.cells if cell.slug not in (self.run.reference, self.cell.slug)
        ]


def measured_ground(
    suite: Suite, only: Sequence[str], profile: Profile, folder: Path, progress: Progress
) -> FaultlessRun:
    """
    Measure the suite's cells, and the first two again in fresh processes. Raises HarnessError if a
    cell fails.
    """
    cells = cells_of(suite.expand(), only)
    run = _measured(suite, cells, profile, folder / "measured", progress)
    again = _measured(suite, cells[:2], profile, folder / "again", progress)
    cell = cells[1]
    return FaultlessRun(
        audio=f"{cell.target} {cell.label}",
        run=run,
        cell=cell,
        folder=folder / "faults",
        clean={
            "judged again": sounds_of(run, cell.slug),
            "measured again": sounds_of(again, cell.slug),
        },
        engine=Engine(
            suite=suite, profile=profile, cell=cell, folder=folder / "respoken", progress=progress
        ),
    )


def recorded_ground(recordings: Path, like: Run, folder: Path) -> FaultlessRun:
    """
    Return a folder of recordings as a run without faults. Raises HarnessError as `recordings_run`
    does.
    """
    run = recordings_run(recordings, like, folder / "questions")
    cell = run.cells[-1]
    clean = {"judged again": sounds_of(run, cell.slug)}
    return FaultlessRun(
        audio="recordings", run=run, cell=cell, folder=folder / "recordings", clean=clean
    )


def cells_of(expansion: Expansion, only: Sequence[str]) -> list[Cell]:
    """
    Return the reference, the cell that gets the faults, and the settings. Raises HarnessError if
    there is no second cell.
    """
    others = [
        cell for cell in matching_cells(expansion.cells, only) if cell.slug != expansion.reference
    ]
    if not others:
        raise HarnessError(
            f"faults are planted beside the reference cell {expansion.reference}; name another "
            "with --only"
        )
    return [*(cell for cell in expansion.cells if cell.slug == expansion.reference), *others]


def _measured(
    suite: Suite, cells: Sequence[Cell], profile: Profile, folder: Path, progress: Progress
) -> Run:
    """
    Measure the cells once. Raises HarnessError if one fails, and KeyboardInterrupt if a person
    stops it.
    """
    outcome = run_suite(
        suite,
        cells,
        profile,
        folder,
        repeats=1,
        iterations=1,
        progress=progress,
        command="selftest --quality",
        energy=False,
        stages=False,
    )
    if outcome.interrupted:
        raise KeyboardInterrupt
    for slug, failure in outcome.failures.items():
        raise HarnessError(f"cell {slug} cannot be measured: {failure.kind}: {failure.reason}")
    return run_folder.load_run(folder)


TEXTS = "texts.toml"
TAKES = ("recorded", "again")
QUESTIONS = 2
RISE_SEMITONES = 7.0
"""Yes/no questions rise by about half an octave; so the embedded voice's were made, too."""


def check_recordings(folder: Path) -> tuple[Workload, dict[str, Path]]:
    """
    Return the texts of a folder. Raises HarnessError if there are none, or not a recording of each.
    """
    workload = load_workload(str((folder / TEXTS).absolute()))
    return workload, find_recordings(workload, folder)


def recordings_run(folder: Path, like: Run, place: Path) -> Run:
    """
    Return the recordings of a folder as a run beside another one, made on the same machine;
    questions go into `place`.

    Raises HarnessError as `check_recordings` does, or if a recording cannot be read.
    """
    workload, files = check_recordings(folder)
    sounds = {name: _sound(file.absolute()) for name, file in files.items()}
    questions = _questions(workload.requests)
    asked = _risen(questions, sounds, place)
    requests = (*workload.requests, *(question for question in questions if question.id in asked))
    cells = tuple(_cell(replace(workload, requests=requests), take) for take in TAKES)
    return replace(
        like,
        suite="recordings",
        reference=cells[0].slug,
        cells=cells,
        excluded={},
        processes=tuple(_process(cell, sounds | asked) for cell in cells),
        folder=str(folder.absolute()),
    )


def _sound(file: Path) -> SpecimenAudio:
    audio, rate_hz = read_audio(file)
    return SpecimenAudio(file=file, audio_s=len(audio) / rate_hz)


def _questions(requests: Sequence[Request]) -> list[Request]:
    """
    Return the first statements as questions in the same words; none where the texts hold such pairs
    themselves.
    """
    if any(request.statement for request in requests):
        return []
    statements = [request for request in requests if request.text.rstrip().endswith(".")][
        :QUESTIONS
    ]
    return [
        replace(r, id=f"{r.id}-asked", text=f"{r.text.rstrip()[:-1]}?", statement=r.id)
        for r in statements
    ]


def _risen(
    questions: Sequence[Request], statements: Mapping[str, SpecimenAudio], place: Path
) -> dict[str, SpecimenAudio]:
    """
    Return the audio of questions made of statements; none without WORLD, which the fault `flat
    question` will report.
    """
    place.mkdir(parents=True, exist_ok=True)
    found = {}
    for request in questions:
        audio, rate_hz = read_audio(statements[str(request.statement)].file)
        try:
            risen = bent(SpokenUtterance(audio=audio, rate_hz=rate_hz), RISE_SEMITONES)
        except HarnessError:
            return {}
        file = (place / f"{request.id}.wav").absolute()
        write_wav(file, risen, rate_hz)
        found[request.id] = SpecimenAudio(file=file, audio_s=len(risen) / rate_hz)
    return found


def _cell(workload: Workload, take: str) -> Cell:
    return Cell(
        suite="recordings",
        target="recordings",
        pipeline="none",
        workload=workload,
        axes={"take": take},
    )


def _process(cell: Cell, sounds: Mapping[str, SpecimenAudio]) -> ProcessRecord:
    return ProcessRecord(
        cell=cell.slug,
        repeat=0,
        cold=None,
        effective={},
        effects=(),
        iterations=tuple(
            _sample(cell.slug, number, *item) for number, item in enumerate(sounds.items())
        ),
        peak_rss_bytes=None,
        peak_cuda_bytes=None,
        failure=None,
        finished=True,
    )


def _sample(slug: str, number: int, request: str, sound: SpecimenAudio) -> Iteration:
    return Iteration(
        cell=slug,
        repeat=0,
        iteration=number,
        phase=Phase.MEASURED,
        request=request,
        wall_s=sound.audio_s,
        audio_s=sound.audio_s,
        first_audio_s=0.0,
        stages_s={},
        audio_sha256="recorded",
        audio_file=str(sound.file),
    )


CANNOT = "no utterance can hold it"


def plant(ground: FaultlessRun, *, greatest: bool = False) -> tuple[list[Specimen], dict[str, str]]:
    """Return every fault, in every utterance and in one, and why some cannot be planted."""
    faults = planted_faults(greatest=greatest)
    respoken, speeches = _respoken(ground, faults), speeches_of(ground.run, ground.cell.slug)
    specimens: list[Specimen] = []
    left_out = {}
    for fault in faults:
        said = respoken.get(_label(fault))
        try:
            made = (said, {}) if said else _changed(ground, speeches, fault)
        except HarnessError as error:
            left_out[fault.name] = str(error)
            continue
        if made[0]:
            specimens += _specimens(ground.cell, fault, *made)
        else:
            left_out.setdefault(fault.name, CANNOT)
    planted = {specimen.fault for specimen in specimens}
    return specimens, {name: why for name, why in left_out.items() if name not in planted}


def _specimens(base: Cell, fault: Fault, sounds: Sounds, original: Sounds) -> list[Specimen]:
    kind = Kind.HARMLESS if fault.harmless else Kind.FAULT
    specimen = _specimen(base, (fault.name, fault.strength), kind, sounds, original)
    return [specimen] if fault.harmless else in_every_and_in_one(specimen)


def settings(ground: FaultlessRun) -> list[Specimen]:
    """
    Return the audio of every further cell in place of the reference's, as if an option had been
    ignored.
    """
    run, reference = ground.run, ground.reference
    asked, original = f"asked for {reference.label}", sounds_of(run, reference.slug)
    made = {_difference(cell, reference): sounds_of(run, cell.slug) for cell in ground.settings}
    return [
        _specimen(reference, (name, asked), Kind.SETTING, sounds, original)
        for name, sounds in made.items()
    ]


def clean(ground: FaultlessRun) -> list[Specimen]:
    """Return the repeats without fault: each alarm on them is a false one."""
    return [
        _specimen(ground.cell, ("no fault", how), Kind.HARMLESS, sounds, {})
        for how, sounds in ground.clean.items()
    ]


def _respoken(ground: FaultlessRun, faults: Sequence[Fault]) -> dict[str, dict[str, SpecimenAudio]]:
    """Synthesise every fault that the engine can be asked for."""
    if ground.engine is None:
        return {}
    asked = {
        _label(fault): sayable(ground.engine.cell, fault.respeak)
        for fault in faults
        if fault.respeak is not None
    }
    return respoken_sounds(ground.engine, {name: said for name, said in asked.items() if said})


def _changed(
    ground: FaultlessRun, speeches: Mapping[str, SpokenUtterance], fault: Fault
) -> tuple[Sounds, Sounds]:
    """
    Make the fault out of the audio that there is; return it, and the same without, where that is
    resynthesised.
    """
    assert fault.change is not None, "every fault can be made of audio"
    name = re.sub(r"[^\w.]+", "-", _label(fault))
    sounds = changed_sounds(speeches, fault.change, ground.folder / name)
    if not fault.resynthesised:
        return sounds, {}
    held = {each: speech for each, speech in speeches.items() if each in sounds}
    return sounds, changed_sounds(held, resynthesised, ground.folder / "resynthesised")


def _label(fault: Fault) -> str:
    return f"{fault.name} {fault.strength}"


def _specimen(
    base: Cell, name: tuple[str, str], kind: Kind, sounds: Sounds, original: Sounds
) -> Specimen:
    fault, strength = name
    return Specimen(
        fault=fault,
        strength=strength,
        kind=kind,
        extent=EVERY,
        base=base.slug,
        sounds=sounds,
        original=original,
    )


def _difference(cell: Cell, reference: Cell) -> str:
    """
    Name the options by which a cell differs from the reference; its label where it only leaves some
    to the defaults.
    """
    other = {name: value for name, value in cell.axes.items() if reference.axes.get(name) != value}
    return " ".join(f"{name}={value}" for name, value in other.items()) or cell.label
