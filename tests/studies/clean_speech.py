"""
How often the fault detectors cry wolf: they listen to speech in which nothing is wrong. The table
of docs/evidence/metrics.md.

    python -m tests.studies.clean_speech FOLDER [VOICE ...]

Each of flite's voices (all that the program has, if none is named) says the first SENTENCES texts
of workload everyday-200; people are the recordings of `material.py`, from the package index. Every
file is heard as it is and through a telephone line; spill-over is looked for against another
sentence of the same voice. Prints Markdown.
"""

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from tests.harness.metrics.material import people
from voxgate.harness.audio.recording import Recording, read_recording
from voxgate.harness.audio.telephone import line
from voxgate.harness.metrics.clicks import clicks_score
from voxgate.harness.metrics.dropouts import dropouts_per_s
from voxgate.harness.metrics.metric import MetricInput
from voxgate.harness.metrics.prompt_leakage import prompt_leakage_s
from voxgate.harness.metrics.repetition import repeats_per_s
from voxgate.harness.records.measurement import Missing, Value
from voxgate.harness.selftest.trials import clopper_pearson
from voxgate.harness.suite.workload import load_workload

SENTENCES = 50
DETECTORS: Mapping[str, Callable[[MetricInput], Value]] = {
    "clicks": clicks_score,
    "dropouts": dropouts_per_s,
    "repeats": repeats_per_s,
    "reference_spill": prompt_leakage_s,
}
Subjects = Mapping[str, Sequence[MetricInput]]
"""How they are heard -> each recording, with another one of its voice."""
HEARD: Mapping[str, Callable[[Recording], Recording]] = {
    "as it is": lambda recording: recording,
    "telephone": line,
}


def voices() -> tuple[str, ...]:
    """Name the voices that are built into flite."""
    told = subprocess.run(["flite", "-lv"], capture_output=True, text=True, check=True).stdout
    return tuple(told.partition(":")[2].split())


def spoken(voice: str, folder: Path) -> Iterator[Path]:
    """Let a voice say one sentence more than is counted: the last is the recording of the voice."""
    folder.mkdir(parents=True, exist_ok=True)
    for request in load_workload("everyday-200").requests[: SENTENCES + 1]:
        path = folder / f"{request.id}.wav"
        if not path.is_file():
            subprocess.run(
                ["flite", "-voice", voice, "-t", request.text, "-o", str(path)], check=True
            )
        yield path


def subjects_of(files: Sequence[Path]) -> Subjects:
    """Give what there is to hear, in each way; the last file is the recording of the voice."""
    *heard, prompt = [read_recording(path) for path in files]
    return {
        way: [MetricInput(audio=hear(each), voice=hear(prompt)) for each in heard]
        for way, hear in HEARD.items()
    }


def rows(who: str, heard: Subjects) -> Iterator[tuple[str, ...]]:
    """Give a line for each way to hear them."""
    for way, subjects in heard.items():
        seconds = f"{sum(each.audio.duration_s for each in subjects):.0f}"
        yield (
            who,
            way,
            str(len(subjects)),
            seconds,
            *(alarms(detect, subjects) for detect in DETECTORS.values()),
        )


def alarms(detect: Callable[[MetricInput], Value], subjects: Sequence[MetricInput]) -> str:
    """Give the number of recordings with an alarm, and the 95 % interval of their share."""
    found = [detect(each) for each in subjects]
    missing = [each.reason for each in found if isinstance(each, Missing)]
    assert not missing, missing
    count = sum(each != 0.0 for each in found)
    low, high = clopper_pearson(count, len(found))
    return f"{count} [{100 * low:.1f} {100 * high:.1f}] %"


def main(folder: Path, names: Sequence[str]) -> None:
    """Do all of it, and print."""
    heard = {
        f"flite {name}": subjects_of(list(spoken(name, folder / name)))
        for name in names or voices()
    }
    real = [source.path for source in people(Path(sys.executable), folder / "people")]
    heard |= {"people": subjects_of(real)} if real else {}
    heard["all"] = {
        way: [each for several in heard.values() for each in several[way]] for way in HEARD
    }
    table = [row for who, subjects in heard.items() for row in rows(who, subjects)]
    head = (
        "voice",
        "heard",
        "recordings",
        "seconds",
        *(f"`{name}`: with an alarm [95 %]" for name in DETECTORS),
    )
    print(
        "\n".join(
            f"| {' | '.join(cells)} |"
            for cells in (head, ("---", "---", *["---:"] * (len(head) - 2)), *table)
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), sys.argv[2:])
