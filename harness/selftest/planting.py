"""
Puts faults into the audio that a run left: a run like the first, of which some requests of one cell sound otherwise.

The first run stays as it is. Scores and decides nothing.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from harness import store
from harness.audio_io import read_audio, write_wav
from harness.cell import Cell, Workload
from harness.errors import HarnessError
from harness.profiles import Profile
from harness.progress import Progress
from harness.sample import ProcessRecord, Run, Sample
from harness.schedule import run_suite
from harness.selftest.faults import Change, Respeak
from harness.suite import Suite


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """One file of audio, and how long it is."""

    file: Path
    audio_s: float


def sounds_of(run: Run, slug: str) -> dict[str, Sound]:
    """Give the audio that a cell left, by request."""
    samples = [sample for process in run.processes if process.cell == slug for sample in process.samples]
    return {
        sample.request: Sound(file=Path(run.folder) / sample.audio_file, audio_s=sample.audio_s)
        for sample in reversed(samples)
        if sample.audio_file is not None
    }


def changed_sounds(sounds: Mapping[str, Sound], change: Change, folder: Path) -> dict[str, Sound]:
    """Write every sound with the fault into `folder`. Raises HarnessError if a file cannot be read or written."""
    folder.mkdir(parents=True, exist_ok=True)
    changed = {}
    for request, sound in sounds.items():
        audio, rate_hz = read_audio(sound.file)
        faulty, file = change(audio, rate_hz), (folder / f"{request}.wav").absolute()
        write_wav(file, faulty, rate_hz)
        changed[request] = Sound(file=file, audio_s=len(faulty) / rate_hz)
    return changed


def respoken_sounds(
    suite: Suite, cell: Cell, respeak: Respeak, profile: Profile, folder: Path, progress: Progress
) -> dict[str, Sound]:
    """
    Have the engine say something else, by request; requests that cannot be said otherwise are left out.

    Raises HarnessError if the engine does not, and KeyboardInterrupt if a person stops it.
    """
    requests = cell.workload.requests
    others = {request.id: respeak(request, requests) for request in requests}
    said = tuple(other for other in others.values() if other is not None)
    if not said:
        return {}
    asked = replace(cell, workload=Workload(name=cell.workload.name, requests=said))
    outcome = run_suite(suite, [asked], profile, folder, repeats=1, iterations=1, progress=progress)
    if outcome.interrupted:
        raise KeyboardInterrupt
    for failure in outcome.failures.values():
        raise HarnessError(f"the fault cannot be spoken: {failure.kind}: {failure.reason}")
    return sounds_of(store.load_run(folder), cell.slug)


def plant(run: Run, slug: str, sounds: Mapping[str, Sound], requests: Collection[str]) -> Run:
    """Give the run as if the cell had made these sounds for these requests."""

    def planted(sample: Sample) -> Sample:
        if sample.request not in requests or sample.request not in sounds:
            return sample
        sound = sounds[sample.request]
        kept = None if sample.audio_file is None else str(sound.file)
        return replace(sample, audio_file=kept, audio_s=sound.audio_s, audio_sha256="planted")

    def process(record: ProcessRecord) -> ProcessRecord:
        return record if record.cell != slug else replace(record, samples=tuple(map(planted, record.samples)))

    return replace(run, processes=tuple(map(process, run.processes)))
