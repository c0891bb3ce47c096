"""
How often is an engine that samples called worse than itself, and which faults are still seen? The
figures of docs/sampled-engines.md.

    python -m tests.studies.take_against_take FOLDER [PIPELINE ...]

An embedded voice says TEXTS sentences of workload everyday-short in POOL takes. COMPARISONS times
two sets of TAKES that have none in common are drawn out of the pool and judged by the policy, as a
gate does: every verdict beyond PASS is chance. Then each planted fault is judged against takes of
other seeds without it. Audio and scores are kept in FOLDER, so that it may be stopped.
"""

import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from voxgate.engine.pipelines.registry import pipeline_class
from voxgate.harness.analysis.metric_rules import WEIGHTS
from voxgate.harness.audio.files import read_audio, write_wav
from voxgate.harness.judging.compare_takes import compare_takes
from voxgate.harness.judging.decide import decide
from voxgate.harness.judging.judge import with_evidence
from voxgate.harness.judging.policy import DEFAULT, Policy, read_policy, shown_metrics
from voxgate.harness.metrics.registry import entries, full_version, metric, needs_parity
from voxgate.harness.metrics.word_errors import ErrorCounts
from voxgate.harness.records.cell import Request
from voxgate.harness.records.measurement import Measurement, Missing, UtteranceValue, Value
from voxgate.harness.records.verdict import MetricVerdict, Verdict
from voxgate.harness.scoring.scorer import UtteranceScores, score_quality
from voxgate.harness.scoring.tasks import AudioJob
from voxgate.harness.selftest.faults import wrong_word
from voxgate.harness.suite.workload import load_workload

TEXTS, POOL, TAKES, COMPARISONS = 8, 20, 5, 300
VOICES: Mapping[str, Mapping[str, Any]] = {"flow": {"nfe_steps": 8}, "token": {}}
"""Pipeline -> its options. Only a token voice draws the durations, too."""
SEED = 20261130
OTHER = {"slt": "rms", "rms": "slt"}

Change = Callable[[np.ndarray], np.ndarray]
Respeak = Callable[[Request], Request | None]


def softer(audio: np.ndarray) -> np.ndarray:
    """Return the audio 6 dB softer."""
    return audio / 2.0


def noisy(audio: np.ndarray) -> np.ndarray:
    """Add white noise 25 dB below the audio."""
    level = float(np.sqrt(np.mean(audio**2))) * 10.0 ** (-25.0 / 20.0)
    noise = np.random.default_rng(SEED).standard_normal(audio.size)
    return np.asarray(audio + level * noise, dtype=np.float32)


def other_speaker(request: Request) -> Request:
    """Return the request for the other voice."""
    speaker = OTHER[str(request.options["speaker"])]
    return replace(request, options={**request.options, "speaker": speaker})


def other_word(request: Request) -> Request | None:
    """Replace the longest word."""
    return wrong_word(request, (request,))


FAULTS: Mapping[str, tuple[Respeak | None, Change | None]] = {
    "wrong word in every text": (other_word, None),
    "other speaker": (other_speaker, None),
    "6 dB softer": (None, softer),
    "noise 25 dB below": (None, noisy),
}


def main(arguments: Sequence[str]) -> None:
    """Print the tables of each voice as Markdown."""
    folder, chosen = Path(arguments[0]), arguments[1:] or list(VOICES)
    limits = with_evidence(read_policy(DEFAULT, shown_metrics()))
    for name in chosen:
        pool = score_takes(folder / name, speak_pool(name, folder / name))
        print(f"\n### {name}\n")
        print("\n".join(alarm_lines(pool, limits)))
        print()
        print("\n".join(fault_lines(name, folder / name, pool, limits)))


Spoken = dict[tuple[str, int], tuple[Request, Path]]
"""(request id, take) -> the text that is meant, and the audio."""
Pool = Mapping[str, Measurement]
"""Metric -> all values, by request and take."""


def speak_pool(name: str, folder: Path) -> Spoken:
    """Let a voice say every text in POOL takes."""
    return speak(name, folder / "clean", range(POOL), None, None)


def speak(
    name: str, folder: Path, seeds: Sequence[int], respeak: Respeak | None, change: Change | None
) -> Spoken:
    """Let a voice say every text once per seed; what lies in the folder is taken from there."""
    folder.mkdir(parents=True, exist_ok=True)
    voice = None
    spoken: Spoken = {}
    for request in load_workload("everyday-short").requests[:TEXTS]:
        said = request if respeak is None else respeak(request)
        for take, seed in enumerate(seeds):
            path = folder / f"{request.id}.{take}.wav"
            if said is not None and not path.exists():
                voice = voice or pipeline_class(name).load({**VOICES[name], "threads": 1})
                audio = voice.synthesize(said.text, {**said.options, "seed": seed})
                audio = np.asarray(audio if change is None else change(audio), dtype=np.float32)
                write_wav(path, audio, voice.sample_rate_hz)
            if path.exists():
                spoken[request.id, take] = (request, path)
    return spoken


def score_takes(folder: Path, spoken: Spoken, references: Spoken | None = None) -> Pool:
    """
    Score every take; where another take is needed, that is the next one, or the same one of
    `references`.
    """
    count = 1 + max(take for _, take in spoken)
    jobs = []
    for (name, take), (request, path) in spoken.items():
        other = spoken[name, (take + 1) % count] if references is None else references[name, take]
        jobs.append(
            AudioJob(
                key=f"{name} {take}",
                utterance=name,
                path=path,
                text=request.text,
                reference=other[1],
            )
        )
    names = [spec.name for spec in entries().values() if is_scored(spec.name)]
    scores = score_quality(jobs, cache_dir=folder / "cache", metrics=names, workers=2)
    return measurements(scores, spoken)


def is_scored(name: str) -> bool:
    """Whether a metric of audio is judged of a cell that samples."""
    spec = entries()[name]
    plain = spec.condition is None and not spec.golden and spec.family != "speed"
    return plain and not needs_parity(name)


def measurements(scores: Mapping[str, UtteranceScores], spoken: Spoken) -> Pool:
    """Return the values by metric, with the words of each text as weights."""
    values: dict[str, list[UtteranceValue]] = {}
    for name, take in spoken:
        found = scores[f"{name} {take}"]
        counts: dict[str, Value] = {
            key: float(each.reference_words)
            for key, each in found.counts.items()
            if isinstance(each, ErrorCounts)
        }
        audio_s = read_audio(spoken[name, take][1])
        counts["duration"] = len(audio_s[0]) / audio_s[1]
        counts |= found.values
        for key, value in counts.items():
            values.setdefault(key, []).append(UtteranceValue(id=name, value=value, repeat=take))
    return {key: measurement(key, each) for key, each in values.items()}


def measurement(name: str, values: Sequence[UtteranceValue]) -> Measurement:
    """Return values as the measurement of a metric, or of a weight."""
    known = name in entries()
    gap = next((each.value for each in values if isinstance(each.value, Missing)), None)
    return Measurement(
        metric=name,
        unit=metric(name).unit if known else "1",
        better=metric(name).better if known else "neither",
        version=full_version(name) if known else "1",
        values=tuple(values),
        summary=0.0 if gap is None else gap,
    )


def only(found: Measurement, takes: Mapping[str, Sequence[int]]) -> Measurement:
    """Return the measurement of some takes of each text."""
    kept = [each for each in found.values if each.repeat in takes.get(each.id, ())]
    return replace(found, values=tuple(kept))


def judged(
    before: Pool,
    now: Pool,
    drawn: tuple[Mapping[str, Sequence[int]], Mapping[str, Sequence[int]]],
    limits: Policy,
) -> list[MetricVerdict]:
    """Judge some takes of one pool against some of another; what is not installed is left out."""
    verdicts = []
    for name in sorted(before.keys() & now.keys() & limits.keys()):
        old, new = only(before[name], drawn[0]), only(now[name], drawn[1])
        if not old.values or not new.values or isinstance(old.summary, Missing):
            continue
        weights = None
        if name in WEIGHTS:
            weights = {each.id: float(each.value) for each in before[WEIGHTS[name]].values}  # type: ignore[arg-type]
        verdicts.append(decide(compare_takes("cell", new, old, weights), limits[name]))
    return verdicts


def alarm_lines(pool: Pool, limits: Policy) -> list[str]:
    """Compare the pool with itself, and return what was called worse."""
    rng, verdicts, alarms = np.random.default_rng(SEED), Counter[tuple[str, str]](), 0
    shifts: dict[str, float] = {}
    texts = sorted({each.id for each in pool["duration"].values})
    for _ in range(COMPARISONS):
        orders = {name: rng.permutation(POOL)[: 2 * TAKES].tolist() for name in texts}
        halves = (
            {name: order[:TAKES] for name, order in orders.items()},
            {name: order[TAKES:] for name, order in orders.items()},
        )
        found = judged(pool, pool, halves, limits)
        wrong = [v for v in found if v.verdict in (Verdict.REGRESSED, Verdict.FAILED)]
        alarms += any(each.blocking for each in wrong)
        for each in found:
            verdicts[each.metric, each.verdict.value] += 1
            size = abs((each.comparison and each.comparison.shift) or 0.0)
            shifts[each.metric] = max(shifts.get(each.metric, 0.0), size)
    lines = [
        f"{alarms} of {COMPARISONS} comparisons of {TAKES} with {TAKES} takes of {len(texts)} "
        "texts have a blocking metric that is REGRESSED or FAILED.",
        "",
        "| metric | largest shift | REGRESSED or FAILED | UNRESOLVED | IMPROVED |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for name in sorted(shifts):
        counts = [
            sum(verdicts[name, kind] for kind in kinds)
            for kinds in (("REGRESSED", "FAILED"), ("UNRESOLVED",), ("IMPROVED",))
        ]
        if limits[name].blocking or any(counts):
            lines.append(f"| {name} | {shifts[name]:.3g} | {' | '.join(map(str, counts))} |")
    return lines


def fault_lines(name: str, folder: Path, pool: Pool, limits: Policy) -> list[str]:
    """Plant the faults into takes of other seeds, and return which metrics see them."""
    lines = ["| planted in every take | blocking metrics that are REGRESSED |", "| --- | --- |"]
    clean = speak_pool(name, folder)
    for fault, (respeak, change) in FAULTS.items():
        place = folder / fault.replace(" ", "-")
        spoken = speak(name, place, range(100, 100 + TAKES), respeak, change)
        now = score_takes(folder, spoken, clean)
        texts = {each.id for each in now["duration"].values}
        drawn = dict.fromkeys(texts, range(TAKES))
        before = {key: only(each, drawn) for key, each in pool.items()}
        found = judged(before, now, (drawn, drawn), limits)
        seen = [v.metric for v in found if v.verdict is Verdict.REGRESSED and v.blocking]
        lines.append(f"| {fault} | {', '.join(seen) or 'none'} |")
    return lines


if __name__ == "__main__":
    main(sys.argv[1:])
