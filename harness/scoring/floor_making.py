"""
Makes a floor: lets flite, or a folder of recordings, say a workload's texts, and has a judge of runs listen.

Knows where the audio comes from; what a floor is, `asr_floor.py` knows, and the scorer does the listening, so that a floor and a
run can only differ in who speaks.
"""

import contextlib
import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from harness.audio.files import write_wav
from harness.errors import HarnessError
from harness.metrics.word_errors import ErrorCounts
from harness.models.language import primary
from harness.records.cell import ENGLISH, Cell, Workload
from harness.records.measurement import Missing
from harness.records.run import OPENAI
from harness.scoring.asr_floor import Floor, FloorUtterance, floor_path, save_floor
from harness.scoring.score_run import default_cache_dir, versions_of
from harness.scoring.scorer import Progress, UtteranceScores, score_quality
from harness.scoring.tasks import AudioJob
from harness.scoring.transcription import JudgeOptions
from harness.suite.workload import load_workload
from harness.targets.flite import FliteTarget

SUFFIXES = (".flac", ".wav")
METRICS = ("wer", "cer")


def make_floor(
    name: str,
    recordings: Path | None = None,
    speaker: str | None = None,
    progress: Progress | None = None,
    judge: str = OPENAI,
) -> tuple[Path, Floor]:
    """
    Make and write the floor of a workload, spoken by flite or by the `speaker` of a folder of `recordings`, heard by `judge`.

    Raises HarnessError if a text was not said or not heard: a floor with gaps would be too high.
    """
    if speaker and recordings is None:
        raise HarnessError("--speaker says who speaks in --recordings FOLDER; give both")
    workload = load_workload(name)
    with tempfile.TemporaryDirectory() as folder:
        files = _spoken(workload, Path(folder)) if recordings is None else recorded(workload, recordings)
        scores = _scored(workload, files, progress, judge)
    who = (speaker or recordings.name) if recordings is not None else _flite_and_voices(workload)
    floor = Floor(
        workload=name,
        speaker=who,
        versions={metric: version for metric, version in versions_of(scores.values()).items() if metric in METRICS},
        utterances={r.id: _utterance(r.text, r.id, scores[r.id]) for r in workload.requests},
    )
    path = floor_path(name)
    save_floor(path, floor)
    return path, floor


def _spoken(workload: Workload, folder: Path) -> dict[str, Path]:
    """Let flite say everything, each request with the voice that it asks for."""
    foreign = [request.id for request in workload.requests if primary(request.language) != ENGLISH]
    if foreign:
        raise HarnessError(f"flite speaks English only, and {foreign[0]} is not English; give --recordings FOLDER")
    target, files = FliteTarget(), {}
    target.load(Cell(suite="floor", target="flite", pipeline="flite", workload=workload, axes={}), {})
    for request in workload.requests:
        chunks = list(target.synthesize(request, lambda stage: contextlib.nullcontext()))
        files[request.id] = folder / f"{request.id}.wav"
        write_wav(files[request.id], np.concatenate(chunks), target.sample_rate_hz)
    return files


def recorded(workload: Workload, folder: Path) -> dict[str, Path]:
    """Find one recording per request, named after it."""
    files = {}
    for request in workload.requests:
        found = [path for suffix in SUFFIXES if (path := folder / f"{request.id}{suffix}").is_file()]
        if len(found) != 1:
            many = "several recordings" if found else "no recording"
            raise HarnessError(f"{folder} holds {many} of {request.id}; it needs one file {request.id}.wav or .flac")
        files[request.id] = found[0]
    return files


def _scored(workload: Workload, files: Mapping[str, Path], progress: Progress | None, judge: str) -> dict[str, UtteranceScores]:
    jobs = [AudioJob(key=r.id, utterance=r.id, path=files[r.id], text=r.text, language=r.language) for r in workload.requests]
    options = JudgeOptions(engine=judge)
    return score_quality(jobs, cache_dir=default_cache_dir(), judge=options, metrics=METRICS, progress=progress)


def _utterance(text: str, name: str, scores: UtteranceScores) -> FloorUtterance:
    for each in (scores.transcript, scores.words, scores.chars):
        if isinstance(each, Missing):
            raise HarnessError(f"there can be no floor: {name} has no value: {each.reason}")
    assert isinstance(scores.transcript, str), "Missing was refused above"
    assert isinstance(scores.words, ErrorCounts) and isinstance(scores.chars, ErrorCounts), "Missing was refused above"
    return FloorUtterance(text=text, heard=scores.transcript, words=scores.words, chars=scores.chars)


def _flite_and_voices(workload: Workload) -> str:
    voices: Sequence[str] = sorted({str(request.options.get("speaker", "slt")) for request in workload.requests})
    told = subprocess.run(["flite", "--version"], capture_output=True, text=True, check=False)
    number = re.search(r"flite-([\d.]*\d)", told.stdout + told.stderr)
    return f"flite {number[1] if number else '(unknown version)'} ({', '.join(voices)})"
