"""
Recordings as a run, as if an engine had made them: a folder of speech and what is said in it.

    FOLDER/texts.toml      a workload (`harness/suite/workload.py`): id and text of each recording
    FOLDER/<id>.wav        or .flac

Reference and cell are the same audio. People seldom ask what they also tell in the same words, so unless the texts name such
pairs, the first recordings are made into questions as well: by raising their end, as a yes/no question does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from harness.audio.files import read_audio, write_wav
from harness.errors import HarnessError
from harness.records.cell import Cell, Request, Workload
from harness.records.run import Phase, ProcessRecord, Run, Sample
from harness.scoring.floor_making import recorded
from harness.selftest.resynthesis import bent
from harness.selftest.specimens import Sound
from harness.selftest.speech import Speech
from harness.suite.workload import load_workload

TEXTS = "texts.toml"
TAKES = ("recorded", "again")
QUESTIONS = 2
RISE_SEMITONES = 7.0
"""Yes/no questions rise by about half an octave; so the embedded voice's were made, too."""


def check_recordings(folder: Path) -> tuple[Workload, dict[str, Path]]:
    """Give what a folder holds. Raises HarnessError if that is no texts, or not a recording of each."""
    workload = load_workload(str((folder / TEXTS).absolute()))
    return workload, recorded(workload, folder)


def recordings_run(folder: Path, like: Run, place: Path) -> Run:
    """
    Give the recordings of a folder as a run beside another one, made on the same machine; questions go into `place`.

    Raises HarnessError as `check_recordings` does, or if a recording cannot be read.
    """
    workload, files = check_recordings(folder)
    told = {name: _sound(file.absolute()) for name, file in files.items()}
    questions = _questions(workload.requests)
    asked = _risen(questions, told, place)
    requests = (*workload.requests, *(each for each in questions if each.id in asked))
    cells = tuple(_cell(replace(workload, requests=requests), take) for take in TAKES)
    return replace(
        like,
        suite="recordings",
        reference=cells[0].slug,
        cells=cells,
        excluded={},
        processes=tuple(_process(cell, told | asked) for cell in cells),
        folder=str(folder.absolute()),
    )


def _sound(file: Path) -> Sound:
    audio, rate_hz = read_audio(file)
    return Sound(file=file, audio_s=len(audio) / rate_hz)


def _questions(requests: Sequence[Request]) -> list[Request]:
    """Give the first statements as questions in the same words; none where the texts hold such pairs themselves."""
    if any(request.statement for request in requests):
        return []
    told = [request for request in requests if request.text.rstrip().endswith(".")][:QUESTIONS]
    return [replace(r, id=f"{r.id}-asked", text=f"{r.text.rstrip()[:-1]}?", statement=r.id) for r in told]


def _risen(questions: Sequence[Request], told: Mapping[str, Sound], place: Path) -> dict[str, Sound]:
    """Give the audio of questions made of statements; none without WORLD, which the fault `flat question` will say."""
    place.mkdir(parents=True, exist_ok=True)
    found = {}
    for request in questions:
        audio, rate_hz = read_audio(told[str(request.statement)].file)
        try:
            risen = bent(Speech(audio=audio, rate_hz=rate_hz), RISE_SEMITONES)
        except HarnessError:
            return {}
        file = (place / f"{request.id}.wav").absolute()
        write_wav(file, risen, rate_hz)
        found[request.id] = Sound(file=file, audio_s=len(risen) / rate_hz)
    return found


def _cell(workload: Workload, take: str) -> Cell:
    return Cell(suite="recordings", target="recordings", pipeline="none", workload=workload, axes={"take": take})


def _process(cell: Cell, sounds: Mapping[str, Sound]) -> ProcessRecord:
    return ProcessRecord(
        cell=cell.slug,
        repeat=0,
        cold=None,
        effective={},
        effects=(),
        samples=tuple(_sample(cell.slug, number, *each) for number, each in enumerate(sounds.items())),
        peak_rss_bytes=None,
        peak_cuda_bytes=None,
        failure=None,
        finished=True,
    )


def _sample(slug: str, number: int, request: str, sound: Sound) -> Sample:
    return Sample(
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
