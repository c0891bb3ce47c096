"""
Whether one broken utterance in N is seen, and how often a clean one is called broken: the tables of
docs/evidence/one-in-n.md.

    python -m tests.studies.one_in_n FOLDER [PROMPTS] [--each 3] [--prompts 1000]

The embedded voice says the first POOL sentences of workload everyday-200. Every fault of FAULTS is
planted at its greatest strength into `--each` of them, and each file is scored once. A suite of N
utterances is then N of the clean ones, drawn again where N is more, one of which has the fault.
What is resynthesised is held against the same resynthesis. PROMPTS holds recorded prompts, a folder
per language, in any format of ffmpeg; `texts.txt` beside them has lines `name: text`. FOLDER keeps
sounds and scores: what is there is not made again.
"""

import argparse
import math
import re
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain
from pathlib import Path

import numpy as np

from voxgate.engine.pipelines.registry import pipeline_class
from voxgate.harness.analysis.metric_rules import WEIGHTS, is_speed
from voxgate.harness.audio.files import read_audio, write_wav
from voxgate.harness.judging.baseline import BASELINES
from voxgate.harness.judging.baseline_file import parse
from voxgate.harness.judging.compare_quality import compare_quality, utterance_changes
from voxgate.harness.judging.decide import decide
from voxgate.harness.judging.policy import DEFAULT, read_policy, shown_metrics
from voxgate.harness.metrics.registry import (
    entry,
    full_version,
    metric,
    needs_parity,
    select_metrics,
)
from voxgate.harness.metrics.word_errors import ErrorCounts
from voxgate.harness.records.cell import Request
from voxgate.harness.records.measurement import Measurement, Missing, UtteranceValue, Value
from voxgate.harness.records.verdict import Limit, Verdict
from voxgate.harness.scoring.scorer import UtteranceScores, score_quality
from voxgate.harness.scoring.tasks import AudioJob
from voxgate.harness.selftest.fault_effects import Change, SpokenUtterance
from voxgate.harness.selftest.faults import FAULTS, Fault
from voxgate.harness.selftest.resynthesis import resynthesised
from voxgate.harness.suite.workload import load_workload

SIZES = (8, 24, 100, 200)
POOL = 24
SEED = 18
SLICE = 24
"""Files that are scored at a time: what is done is kept when the study is stopped."""
PLAIN = {"threads": 1, "nfe_steps": 8}
VARIANTS: Mapping[str, Mapping[str, object]] = {
    "bf16": {**PLAIN, "precision": "bf16"},
    "int8 (weights)": {**PLAIN, "quantization": "int8-weight-only"},
}
"""Precisions whose audio nobody tells apart."""
OTHER_TAKE = {**PLAIN, "seed": 7}
ALARMS = (Verdict.REGRESSED, Verdict.FAILED)
HEAVY_EVERY = 7
"""Of the prompts, one of so many is also heard by the networks; no multiple of the ways."""
PROMPTS = "prompts: "
"""Before the name of what is done to them."""
LONG_BYTES = 40_000
"""Of the file of a prompt that tells whose voice it is: 5 s of G.722."""
NO_SPEECH = re.compile(r"^silence/|tone|beep|tt-monkeys|confbridge-(join|leave)$")
"""Names of Asterisk's prompts that nobody speaks."""
HARMLESS: Mapping[str, Sequence[str]] = {
    "16-bit dither": ("-af", "aresample=osf=s16:dither_method=triangular"),
    "24 kHz and back": ("-af", "aresample=24000:resampler=swr,aresample=16000"),
    "Opus, 96 kbit/s": ("-c:a", "libopus", "-b:a", "96k", "-f", "ogg"),
    "MP3, 96 kbit/s": ("-c:a", "libmp3lame", "-b:a", "96k", "-f", "mp3"),
}
"""What is done to a prompt that nobody hears: arguments of ffmpeg. Each prompt gets one of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """One file, the clean one that it is held against, and what it is an example of."""

    kind: str
    request: Request
    path: Path
    clean: Path
    voice: Path
    strength: str = ""

    @property
    def job(self) -> AudioJob:
        """What the scorer gets."""
        audio, rate_hz = read_audio(self.path)
        return AudioJob(
            key=str(self.path),
            utterance=self.request.id,
            path=self.path,
            text=self.request.text,
            language=self.request.language,
            reference=self.clean,
            voice=self.voice,
            joins_s=(len(audio) / rate_hz / 2.0,),
        )


def faults_of(*, harmless: bool) -> tuple[Fault, ...]:
    """Return each fault of the selftest at its greatest strength, or what nobody hears."""
    chosen = {
        (fault.name, fault.strength if harmless else ""): fault
        for fault in FAULTS
        if fault.harmless is harmless
    }
    return tuple(chosen.values())


@cache
def _engine(options: tuple[tuple[str, object], ...]) -> object:
    return pipeline_class("flow").load(dict(options))


def say(request: Request, path: Path, options: Mapping[str, object] = PLAIN) -> Path:
    """Speak a request into a file, unless it is there."""
    if not path.is_file():
        seed = options.get("seed")
        asked = {**request.options, **({} if seed is None else {"seed": seed})}
        engine = _engine(tuple((k, v) for k, v in options.items() if k != "seed"))
        path.parent.mkdir(parents=True, exist_ok=True)
        audio = engine.synthesize(request.text, asked)  # type: ignore[attr-defined]
        write_wav(path, audio, engine.sample_rate_hz)  # type: ignore[attr-defined]
    return path


def pool() -> tuple[Request, ...]:
    """Return the sentences that stand for the suite."""
    return load_workload("everyday-200").requests[:POOL]


def clean_sounds(folder: Path) -> list[Sound]:
    """Speak the pool; the voice of each speaker is another sentence of it."""
    last = load_workload("everyday-200").requests[POOL : POOL + 2]
    voices = {
        each.options["speaker"]: say(each, folder / "voices" / f"{each.id}.wav") for each in last
    }
    return [
        Sound(
            kind="clean",
            request=each,
            path=path,
            clean=path,
            voice=voices[each.options["speaker"]],
        )
        for each in pool()
        for path in (say(each, folder / "clean" / f"{each.id}.wav"),)
    ]


def variant_sounds(folder: Path, clean: Sequence[Sound]) -> Iterator[Sound]:
    """Speak the pool in other precisions, once more as it is, and as another take."""
    for name, options in (*VARIANTS.items(), ("repeat", PLAIN), ("another take", OTHER_TAKE)):
        place = folder / name.replace(" ", "-")
        for each in clean:
            path = say(each.request, place / f"{each.request.id}.wav", options)
            yield replace(each, kind=name, path=path)


def planted_sounds(
    folder: Path, clean: Sequence[Sound], faults: Sequence[Fault], each: int
) -> Iterator[Sound]:
    """Plant every fault into the first utterances that can hold it, from another one on each."""
    for number, fault in enumerate(faults):
        place = folder / "faults" / f"{fault.name}, {fault.strength}".replace(" ", "-")
        turned = [*clean[number % POOL :], *clean[: number % POOL]]
        made = (_planted(fault, sound, place / f"{sound.request.id}.wav") for sound in turned)
        held = (sound for sound in made if sound is not None)
        yield from (sound for sound, _ in zip(held, range(each), strict=False))


def _planted(fault: Fault, clean: Sound, path: Path) -> Sound | None:
    found = replace(clean, kind=fault.name, strength=fault.strength, path=path)
    if fault.resynthesised:
        base = path.parents[1] / "resynthesised" / path.name
        found = replace(found, clean=_changed(clean, resynthesised, base) or clean.path)
    said = None if fault.respeak is None else fault.respeak(clean.request, pool())
    if said is not None:
        say(said, path)
        return found
    made = None if fault.change is None else _changed(clean, fault.change, path)
    return None if made is None else found


def _changed(clean: Sound, change: Change, path: Path) -> Path | None:
    """Write the changed audio, unless it is there; None for speech that cannot be changed so."""
    if path.is_file():
        return path
    audio, rate_hz = read_audio(clean.path)
    voice, _ = read_audio(clean.voice)
    speech = SpokenUtterance(
        audio=audio,
        rate_hz=rate_hz,
        text=clean.request.text,
        joins_s=(len(audio) / rate_hz / 2.0,),
        voice=voice,
    )
    changed = change(speech)
    if changed is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_wav(path, changed, rate_hz)
    return None if changed is None else path


def prompt_sounds(folder: Path, prompts: Path, most: int) -> Iterator[Sound]:
    """Decode recorded prompts of each language in turn, and change each so that nobody hears it."""
    ways, voices = list(HARMLESS), dict[str, Path]()
    for number, (request, source) in enumerate(_prompts(prompts, most)):
        name = f"{request.language}-{'-'.join(source.parts[-2:])}".removesuffix(source.suffix)
        clean = _converted(source, folder / "prompts" / f"{name}.wav", ())
        way = ways[number % len(ways)]
        changed = _converted(clean, folder / way.replace(" ", "-") / f"{name}.wav", HARMLESS[way])
        if source.stat().st_size > LONG_BYTES:
            voices.setdefault(request.language, clean)
        whose = Sound(
            kind="prompt",
            request=request,
            path=clean,
            clean=clean,
            voice=voices.get(request.language, clean),
        )
        yield whose
        yield replace(whose, kind=f"{PROMPTS}{way}", path=changed)


def _prompts(prompts: Path, most: int) -> list[tuple[Request, Path]]:
    """Return the recordings of speech, the languages in turn, with their texts where known."""
    found = {folder.name: _recordings(folder) for folder in sorted(prompts.iterdir())}
    turns = [
        (language, text, path)
        for place in range(max(map(len, found.values())))
        for language, files in found.items()
        for text, path in files[place : place + 1]
    ]
    return [
        (Request(id=f"p{number:04d}", text=text, language=language), path)
        for number, (language, text, path) in enumerate(turns[:most])
    ]


def _recordings(folder: Path) -> list[tuple[str, Path]]:
    """Return (text, file) of a language's prompts, without tones and silence."""
    texts = folder / "texts.txt"
    lines = texts.read_text().splitlines() if texts.is_file() else []
    told = {name: text.strip() for name, _, text in (line.partition(":") for line in lines)}
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path != texts)
    named = [(told.get(_name(path, folder), ""), path) for path in paths]
    return [
        (text, path)
        for text, path in named
        if not text.startswith("[") and not NO_SPEECH.search(_name(path, folder))
    ]


def _name(path: Path, folder: Path) -> str:
    return path.relative_to(folder).with_suffix("").as_posix()


def _converted(source: Path, path: Path, arguments: Sequence[str]) -> Path:
    """Pass a file through ffmpeg, and back to 16-bit WAV at 16 kHz."""
    if path.is_file():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    end = ("-ar", "16000", "-ac", "1", "-c:a", "pcm_s16le", "-f", "wav")
    quiet = ("ffmpeg", "-v", "error", "-y")
    part = path.with_suffix(".part")
    if "-f" in arguments:
        coded = subprocess.run(
            [*quiet, "-i", source, *arguments, "-"], capture_output=True, check=True
        ).stdout
        subprocess.run([*quiet, "-i", "-", *end, part], input=coded, check=True)
    else:
        subprocess.run([*quiet, "-i", source, *arguments, *end, part], check=True)
    part.rename(path)
    return path


def judged_metrics() -> list[str]:
    """Return the qualities that the policy judges, without those against golden audio."""
    names = [each.name for each in select_metrics(None, ())]
    return [
        name for name in names if name in limits() and not is_speed(name) and not entry(name).golden
    ]


@cache
def limits() -> Mapping[str, Limit]:
    """Return the default policy."""
    return read_policy(DEFAULT, shown_metrics())


def light_metrics() -> list[str]:
    """Return the metrics that need no network and no recogniser."""
    sources = {name: entry(name).source for name in judged_metrics()}
    return [name for name, source in sources.items() if source is not None and not source.heavy]


Scores = Mapping[str, UtteranceScores]


def scored(
    sounds: Iterable[Sound], names: Sequence[str], folder: Path
) -> dict[str, UtteranceScores]:
    """Score the files, a slice at a time; return the scores by path."""
    jobs = list({str(each.path): each.job for each in sounds}.values())
    found: dict[str, UtteranceScores] = {}
    for start in range(0, len(jobs), SLICE):
        found |= score_quality(
            jobs[start : start + SLICE], cache_dir=folder / "scores", metrics=names, workers=1
        )
        print(f"scored {len(found)} of {len(jobs)}", flush=True)
    return found


def value_of(scores: UtteranceScores, name: str) -> Value:
    """Return one value; the number of words for the weights of a rate."""
    counts = {"wer_words": scores.words, "cer_chars": scores.chars}
    held = counts.get(name, scores.values.get(name, Missing("not applicable")))
    return float(held.reference_words) if isinstance(held, ErrorCounts) else held


def measurement(name: str, values: Sequence[Value]) -> Measurement:
    """Return the measurement of a cell whose utterances have these values."""
    spec = metric(name)
    numbers = [value for value in values if isinstance(value, float)]
    gaps = [value for value in values if isinstance(value, Missing)]
    summary: Value = gaps[0] if gaps or not numbers else sum(numbers) / len(numbers)
    return Measurement(
        metric=name,
        unit=spec.unit,
        better=spec.better,
        version=full_version(name),
        values=tuple(UtteranceValue(id=f"u{n:03d}", value=each) for n, each in enumerate(values)),
        summary=summary,
    )


def alarm(name: str, before: Sequence[UtteranceScores], now: Sequence[UtteranceScores]) -> str:
    """Return how a blocking metric sees a change: `mean`, `worst`, or empty where it does not."""
    limit = limits()[name]
    old, new = ([value_of(each, name) for each in side] for side in (before, now))
    if old == new or not any(isinstance(value, float) for value in old):
        return ""
    weights = None
    if name in WEIGHTS:
        words = [value_of(each, WEIGHTS[name]) for each in now]
        weights = {f"u{n:03d}": w for n, w in enumerate(words) if isinstance(w, float)}
    compared = compare_quality("cell", measurement(name, new), measurement(name, old), weights)
    means, whole = decide(compared, replace(limit, worst=None)), decide(compared, limit)
    if means.blocking and means.verdict in ALARMS:
        return "mean"
    return "worst" if whole.blocking and whole.verdict in ALARMS else ""


def blocks(name: str) -> bool:
    """Return whether one utterance beyond its limit fails the cell."""
    return limits()[name].blocking or limits()[name].worst_blocks


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """How one planted utterance is seen in a suite of a size: metric -> `mean` or `worst`."""

    fault: tuple[str, str]
    size: int
    seen: Mapping[str, str]

    def by(self, *, parity: bool, how: Sequence[str] = ("mean", "worst")) -> list[str]:
        """Return the metrics that saw it."""
        return [n for n, way in self.seen.items() if way in how and (parity or not needs_parity(n))]


def sightings(clean: Sequence[Sound], faulty: Sequence[Sound], scores: Scores) -> list[Sighting]:
    """Judge a suite of each size around every planted utterance."""
    rng, ground = np.random.default_rng(SEED), [scores[str(each.path)] for each in clean]
    found = []
    for sound in faulty:
        good, bad = scores[str(sound.clean)], scores[str(sound.path)]
        for size in SIZES:
            others = [ground[place] for place in rng.integers(0, len(ground), size - 1)]
            seen = {name: alarm(name, [good, *others], [bad, *others]) for name in judged_metrics()}
            found.append(Sighting(fault=(sound.kind, sound.strength), size=size, seen=seen))
    return found


def fault_table(found: Sequence[Sighting]) -> list[list[str]]:
    """Return a line per fault: how many of its utterances are seen, and by what."""
    head = ["fault", "strength", "n", *(f"mean, N = {size}" for size in SIZES), "`worst`"]
    rows = [[*head, "metrics without parity", "with parity"]]
    for fault in dict.fromkeys(each.fault for each in found):
        own = [each for each in found if each.fault == fault]
        last = [each for each in own if each.size == SIZES[-1]]
        means = [
            str(sum(bool(each.by(parity=False, how=("mean",))) for each in own if each.size == n))
            for n in SIZES
        ]
        names = list(dict.fromkeys(chain.from_iterable(each.by(parity=False) for each in last)))
        rows.append(
            [
                *fault,
                str(len(last)),
                *means,
                _bold(sum(bool(each.by(parity=False)) for each in last), len(last)),
                " ".join(f"`{name}`" for name in names),
                str(sum(bool(each.by(parity=True)) for each in last)),
            ]
        )
    return rows


def _bold(count: int, of: int) -> str:
    return str(count) if count == of else f"**{count}**"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """How one utterance without a fault moved in one metric, as a share of the limit `worst`."""

    kind: str
    name: str
    id: str
    worse: float
    share: float


def changes(sounds: Sequence[Sound], scores: Scores, names: Sequence[str]) -> list[Change]:
    """Compare each harmless file with the clean one, in every metric that has `worst`."""
    found = []
    for sound in sounds:
        good, now = scores[str(sound.clean)], scores[str(sound.path)]
        for name in names:
            worst = limits()[name].worst
            sides = [measurement(name, [value_of(each, name)]) for each in (now, good)]
            for each in utterance_changes(*sides):
                share = math.inf if worst is None else each.worse / worst
                found.append(
                    Change(
                        kind=sound.kind,
                        name=name,
                        id=sound.path.stem,
                        worse=each.worse,
                        share=share,
                    )
                )
    return found


STORED: Mapping[str, tuple[str, str, Sequence[str]]] = {
    "baselines: bf16": ("precision-fp32", "precision-bf16", ("precision",)),
    "baselines: int8": (
        "quantization-none",
        "quantization-int8-(dynamic|weight-only)",
        ("quantization",),
    ),
    "baselines: compiled": (
        "compile-off.compile_vocoder-off",
        "compile-.*compile_vocoder-.*",
        ("compile",),
    ),
}
"""What is compared: the words in the name of a cell, those of the other, and the suites."""


def stored_changes() -> Iterator[Change]:
    """Compare the cells of stored baselines that differ in precision or compilation alone."""
    for kind, (plain, other, suites) in STORED.items():
        for suite in suites:
            cells = _stored(suite)
            for slug, before in cells.items():
                if plain in slug:
                    pattern = re.compile(re.escape(slug).replace(re.escape(plain), other))
                    twins = [now for name, now in cells.items() if pattern.fullmatch(name)]
                    for now in twins:
                        yield from _stored_changes(kind, now, before)


def _stored(suite: str) -> Mapping[str, Mapping[str, Measurement]]:
    path = BASELINES / suite / "quality.json"
    return parse(path.read_text(), str(path)).measurements


def _stored_changes(
    kind: str, now: Mapping[str, Measurement], before: Mapping[str, Measurement]
) -> Iterator[Change]:
    for name in (each for each in judged_metrics() if each in now and each in before):
        worst = limits()[name].worst
        for each in utterance_changes(now[name], before[name]):
            share = math.inf if worst is None else each.worse / worst
            yield Change(kind=kind, name=name, id=each.id, worse=each.worse, share=share)


def alarm_table(found: Sequence[Change]) -> list[list[str]]:
    """Return a line per material: utterances, and those that a metric without parity stops."""
    rows = [["without a fault", "utterances", "alarms", "nearest to its limit"]]
    for kind in dict.fromkeys(each.kind for each in found):
        own = [each for each in found if each.kind == kind and math.isfinite(each.share)]
        blocking = [each for each in own if blocks(each.name) and not needs_parity(each.name)]
        stopped = {each.id for each in blocking if each.share > 1.0}
        near = max(blocking, key=lambda each: each.share)
        rows.append(
            [
                kind,
                str(Counter(each.name for each in own).most_common(1)[0][1]),
                _bold(len(stopped), 0),
                f"`{near.name}` {near.worse:.3g} of {limits()[near.name].worst:g} ({near.id})",
            ]
        )
    return rows


def margin_table(found: Sequence[Change], kinds: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """Return a line per metric: its limit, and the largest change without a fault by material."""
    rows = [["metric", "`worst`", "blocks", *kinds]]
    for name in dict.fromkeys(each.name for each in found):
        limit = limits()[name]
        cells = []
        for held in kinds.values():
            own = [each.worse for each in found if each.name == name and each.kind in held]
            cells.append(f"{max(own):.3g} (n={len(own)})" if own else "")
        worst = "" if limit.worst is None else f"{limit.worst:g}"
        rows.append([f"`{name}`", worst, "yes" if blocks(name) else "", *cells])
    return rows


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """Lay rows out as a table."""
    lines = [rows[0], ["---"] * len(rows[0]), *rows[1:]]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def main(options: argparse.Namespace) -> None:
    """Do all of it, and print."""
    folder = options.folder.resolve()
    moved = [*stored_changes()]
    if options.recordings is not None:
        moved += _moved_prompts(folder, options)
    kinds = {"repeats, precisions": ["repeat", *VARIANTS, *STORED]}
    if options.each:
        moved += _planted_and_spoken(folder, options)
        kinds["nobody hears"] = list(dict.fromkeys(each.kind for each in moved if "," in each.kind))
    prompts = [f"{PROMPTS}{way}" for way in HARMLESS]
    kinds |= {"prompts": prompts, "another take": ["another take"]}
    print(markdown(alarm_table(moved)), end="\n\n")
    print(markdown(margin_table(moved, kinds)))


def _planted_and_spoken(folder: Path, options: argparse.Namespace) -> list[Change]:
    """Print the table of faults; return how the sounds without a fault moved."""
    names = judged_metrics()
    clean = clean_sounds(folder)
    faulty = list(planted_sounds(folder, clean, faults_of(harmless=False), options.each))
    unheard = [
        replace(each, kind=f"{each.kind}, {each.strength}")
        for each in planted_sounds(folder, clean, faults_of(harmless=True), options.each)
    ]
    variants = [*variant_sounds(folder, clean[: options.variants]), *unheard]
    bases = [replace(each, path=each.clean) for each in faulty]
    scores = scored([*clean, *bases, *faulty, *variants], names, folder)
    print(markdown(fault_table(sightings(clean, faulty, scores))), end="\n\n")
    return changes(variants, scores, names)


def _moved_prompts(folder: Path, options: argparse.Namespace) -> list[Change]:
    """Compare the prompts: all by what needs no network, and one of HEAVY_EVERY by all."""
    prompts = list(prompt_sounds(folder, options.recordings, options.prompts))
    heavy = [each for each in prompts if int(each.request.id[1:]) % HEAVY_EVERY == 0]
    human = [each for each in prompts if each.kind != "prompt"]
    others = [name for name in judged_metrics() if name not in light_metrics()]
    quick = scored(prompts, light_metrics(), folder)
    slow = scored(heavy, others, folder)
    return [
        *changes(human, quick, light_metrics()),
        *changes([each for each in human if str(each.path) in slow], slow, others),
    ]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("recordings", type=Path, nargs="?")
    parser.add_argument("--each", type=int, default=3)
    parser.add_argument("--variants", type=int, default=POOL)
    parser.add_argument("--prompts", type=int, default=1000)
    return parser.parse_args()


if __name__ == "__main__":
    main(_options())
