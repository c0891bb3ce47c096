"""
Which metric sees the faults of autoregressive token models, utterance by utterance, and how often
each cries wolf. The section of docs/evidence/sensitivity.md.

    python -m tests.studies.token_faults FOLDER

A voice of flite and an embedded one say sentences of workload everyday-200: CLEAN of them for
the false alarms, of which the first FAULTY carry each fault. Words that are said twice or left out
are really spoken so. A metric sees a fault in an utterance if its value is larger than without.
"""

import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from voxgate.engine.pipelines.registry import pipeline_class
from voxgate.harness.audio.files import read_audio, write_wav
from voxgate.harness.records.cell import Request
from voxgate.harness.records.measurement import Missing
from voxgate.harness.scoring.score_run import default_cache_dir
from voxgate.harness.scoring.scorer import UtteranceScores, score_quality
from voxgate.harness.scoring.tasks import AudioJob
from voxgate.harness.selftest.fault_effects import SpokenUtterance
from voxgate.harness.selftest.faults import FAULTS, Fault
from voxgate.harness.selftest.trials import clopper_pearson
from voxgate.harness.suite.workload import load_workload

VOICES = ("flite slt", "embedded rms")
CLEAN, FAULTY = 12, 4
KINDS = ("run-away", "stuck", "said twice", "early end", "spill-over")
METRICS = (
    "length_off",
    "held_sound",
    "repeats",
    "reference_spill",
    "reference_snippet",
    "cut_tail",
    "leading_words",
    "trailing_words",
    "lost_words",
    "repeated_words",
    "wer",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """One file: who says which request, and with which fault ("" for none)."""

    voice: str
    request: Request
    fault: str
    path: Path
    prompt: Path

    @property
    def job(self) -> AudioJob:
        """What the scorer gets."""
        return AudioJob(
            key=str(self.path),
            utterance=self.request.id,
            path=self.path,
            text=self.request.text,
            voice=self.prompt,
        )


class Speakers:
    """Voices that say a text into a file."""

    def __init__(self) -> None:
        self._engine = pipeline_class("flow").load({"threads": 1, "nfe_steps": 8})

    def say(self, voice: str, text: str, path: Path) -> Path:
        """Speak, unless the file is there."""
        path.parent.mkdir(parents=True, exist_ok=True)
        kind, name = voice.split()
        if path.is_file():
            return path
        if kind == "flite":
            subprocess.run(["flite", "-voice", name, "-t", text, "-o", str(path)], check=True)
        else:
            audio = self._engine.synthesize(text, {"speaker": name})
            write_wav(path, audio, self._engine.sample_rate_hz)
        return path


def faults() -> list[Fault]:
    """Return the faults of token models."""
    return [fault for fault in FAULTS if fault.name.startswith(KINDS)]


def takes(speakers: Speakers, folder: Path) -> Iterator[Take]:
    """Make every file."""
    *requests, last = load_workload("everyday-200").requests[: CLEAN + 1]
    for voice in VOICES:
        place = folder / voice.replace(" ", "-")
        prompt = speakers.say(voice, last.text, place / "prompt.wav")
        for number, request in enumerate(requests):
            path = speakers.say(voice, request.text, place / "clean" / f"{request.id}.wav")
            clean = Take(voice=voice, request=request, fault="", path=path, prompt=prompt)
            yield clean
            for fault in faults() if number < FAULTY else ():
                yield from _planted(speakers, clean, fault, place)


def _planted(speakers: Speakers, clean: Take, fault: Fault, folder: Path) -> Iterator[Take]:
    name = f"{fault.name}, {fault.strength}"
    path = folder / name.replace(" ", "-") / f"{clean.request.id}.wav"
    if fault.respeak is not None:
        said = fault.respeak(clean.request, ())
        if said is None:
            return
        speakers.say(clean.voice, said.text, path)
    else:
        assert fault.change is not None
        audio, rate_hz = read_audio(clean.path)
        prompt, _ = read_audio(clean.prompt)
        changed = fault.change(SpokenUtterance(audio=audio, rate_hz=rate_hz, voice=prompt))
        if changed is None:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        write_wav(path, changed, rate_hz)
    yield Take(voice=clean.voice, request=clean.request, fault=name, path=path, prompt=clean.prompt)


def seen(faulty: float | Missing, clean: float | Missing) -> bool:
    """Whether a fault raised a value."""
    return isinstance(faulty, float) and isinstance(clean, float) and faulty > clean + 1e-9


def rows(made: Sequence[Take], scores: Mapping[str, UtteranceScores]) -> Iterator[list[str]]:
    """Return the lines of the table: false alarms, then a line per fault."""
    clean = {(each.voice, each.request.id): each for each in made if not each.fault}
    quiet = [scores[str(each.path)].values for each in clean.values()]
    yield ["no fault: alarms", str(len(quiet)), *(_alarms(quiet, name) for name in METRICS)]
    for fault in dict.fromkeys(each.fault for each in made if each.fault):
        bad = [each for each in made if each.fault == fault]
        pairs = [
            (scores[str(each.path)].values, scores[str(clean[each.voice, each.request.id].path)])
            for each in bad
        ]
        shares = [
            sum(seen(now[name], before.values[name]) for now, before in pairs) for name in METRICS
        ]
        most = max(shares)
        cells = [
            f"**{count}**" if count == most else f"{count}" if count else "" for count in shares
        ]
        yield [fault, str(len(bad)), *cells]


def _alarms(quiet: Sequence[Mapping[str, object]], name: str) -> str:
    count = sum(values[name] != 0.0 for values in quiet)
    low, high = clopper_pearson(count, len(quiet))
    return f"{count} [{100 * low:.1f} {100 * high:.1f}] %"


def main(folder: Path) -> None:
    """Do all of it, and print."""
    made = list(takes(Speakers(), folder))
    scores = score_quality(
        [each.job for each in made],
        cache_dir=default_cache_dir(),
        metrics=[*METRICS, "length_ratio"],
        workers=1,
    )
    head = ["fault", "utterances", *(f"`{name}`" for name in METRICS)]
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows(made, scores)]
    print("\n".join(f"| {' | '.join(cells)} |" for cells in lines))


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
