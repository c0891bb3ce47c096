"""
The selftest of quality from end to end: measure two cells, plant faults into the audio of one, score and judge as ever.

The reference cell and one other are measured. Every fault is planted into the other cell, whose audio differs from the
reference's anyhow: the harder case, since against exact audio every fault is plain. Judged as `voxgate ab` does: against the
run without faults.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import store
from harness.baseline import golden_dir, machine_id, of_run, revision, write_golden
from harness.cell import Cell
from harness.errors import HarnessError
from harness.judgement import MetricVerdict, Verdict
from harness.measure import Measurements, is_speed, measure
from harness.pipeline import BASELINES, ScoreProgress, chosen, shown_metrics
from harness.policy import Policy, load_policy
from harness.profiles import Profile, get_profile
from harness.progress import Progress
from harness.sample import Run
from harness.schedule import run_suite
from harness.scoring import RunScores, score_run
from harness.selftest.faults import FAULTS, Fault
from harness.selftest.planting import Sound, changed_sounds, plant, respoken_sounds, sounds_of
from harness.selftest.speed import Question, folder_of, matching
from harness.suite import Expansion, Suite, load_suite
from harness.verdict import judge

ALARMS = (Verdict.REGRESSED, Verdict.FAILED)
EVERY, ONE = "every utterance", "one utterance"
NO_FAULT = (("none", "judged again"), ("none", "measured again"))
"""The clean repeats: the same audio, and audio that fresh processes made."""
Scorer = Callable[[Run, Path], RunScores]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What became of one fault: which metrics that block found it, and which only advise."""

    fault: str
    strength: str
    extent: str
    harmless: bool
    """Then an alarm is a false one."""
    by: tuple[str, ...]
    advised_by: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityTrust:
    """All that a selftest of quality found. `left_out` holds faults that could not be planted, with the reason."""

    suite: str
    profile: str
    cell: str
    utterances: int
    machine: str
    head: str
    findings: tuple[Finding, ...]
    left_out: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What faults are tried on: the engine's set-up, the folder, and the run without faults."""

    suite: Suite
    profile: Profile
    cell: Cell
    folder: Path
    run: Run
    progress: Progress


class Listener:
    """Scores runs that are like the first, and judges one cell of them against it."""

    def __init__(self, base: Run, slug: str, policy: Policy, folder: Path, scorer: Scorer) -> None:
        """Score the first run; its audio is the golden audio of the others."""
        self._slug, self._policy, self._scorer = slug, policy, scorer
        self._golden = golden_dir(folder, base.suite)
        write_golden(base, self._golden)
        self._baseline = of_run(base, self._measure(base))

    def alarms(self, run: Run) -> list[MetricVerdict]:
        """Give the metrics of quality that are REGRESSED or FAILED."""
        judgement = judge(run, self._measure(run), self._baseline, self._policy, paired=True)
        metrics = next(cell.metrics for cell in judgement.cells if cell.cell == self._slug)
        return [each for each in metrics if each.verdict in ALARMS and not is_speed(each.metric)]

    def _measure(self, run: Run) -> Measurements:
        scores = self._scorer(run, self._golden)
        return measure(run, scores.values, versions=scores.versions)


def quality_selftest(
    question: Question, progress: Progress, told: ScoreProgress | None = None, baselines: Path = BASELINES
) -> QualityTrust | None:
    """
    Run a selftest of quality; None if a person interrupted it.

    Raises HarnessError for anything that cannot be meant, a folder that is in use, and as `score_quality` does.
    """
    policy = load_policy(baselines, shown_metrics())
    folder = folder_of(question)
    suite, profile = load_suite(question.suite), get_profile(question.profile)
    cells = two_cells(suite.expand(), question.only)
    try:
        run, again = (_measured(suite, cells, profile, folder / name, progress) for name in ("measured", "again"))
        bench = Bench(suite=suite, profile=profile, cell=cells[-1], folder=folder, run=run, progress=progress)
        listener = Listener(run, bench.cell.slug, policy, folder, lambda run, golden: score_run(run, golden, progress=told))
        findings, left_out = try_faults(bench, listener)
    except KeyboardInterrupt:
        return None
    return QualityTrust(
        suite=suite.name,
        profile=profile.name,
        cell=bench.cell.slug,
        utterances=len(bench.cell.workload.requests),
        machine=machine_id(run),
        head=revision(run),
        findings=(*try_clean(listener, run, again), *findings),
        left_out=left_out,
    )


def two_cells(expansion: Expansion, only: Sequence[str]) -> list[Cell]:
    """Choose the reference and the first other cell that is asked for. Raises HarnessError if there is none."""
    others = [cell for cell in matching(chosen(expansion, only), only) if cell.slug != expansion.reference]
    if not others:
        raise HarnessError(f"faults are planted beside the reference cell {expansion.reference}; name another with --only")
    return [*(cell for cell in expansion.cells if cell.slug == expansion.reference), others[0]]


def try_clean(listener: Listener, *runs: Run) -> list[Finding]:
    """Judge runs without faults: each alarm is a false one."""
    return [
        _finding(Fault(name=name, strength=strength, harmless=True), EVERY, listener.alarms(run))
        for (name, strength), run in zip(NO_FAULT, runs, strict=True)
    ]


def try_faults(bench: Bench, listener: Listener) -> tuple[list[Finding], dict[str, str]]:
    """Plant each fault at each strength in every utterance, and at its greatest in one; judge. Names what cannot be planted."""
    findings, left_out = [], {}
    for kind, several in FAULTS.items():
        for fault in several:
            sounds = _sounds(bench, fault)
            if not sounds:
                left_out[kind] = "no request of the workload can be said that way"
                continue
            findings.append(_try(bench, listener, fault, EVERY, sounds, list(sounds)))
            if fault is several[-1] and not fault.harmless:
                findings.append(_try(bench, listener, fault, ONE, sounds, list(sounds)[:1]))
    return findings, left_out


def _try(
    bench: Bench, listener: Listener, fault: Fault, extent: str, sounds: Mapping[str, Sound], requests: Collection[str]
) -> Finding:
    return _finding(fault, extent, listener.alarms(plant(bench.run, bench.cell.slug, sounds, requests)))


def _sounds(bench: Bench, fault: Fault) -> dict[str, Sound]:
    place = bench.folder / "faults" / f"{fault.name} {fault.strength}".replace(" ", "-")
    if fault.change is not None:
        return changed_sounds(sounds_of(bench.run, bench.cell.slug), fault.change, place)
    assert fault.respeak is not None, "a fault changes the audio or what is said"
    return respoken_sounds(bench.suite, bench.cell, fault.respeak, bench.profile, place, bench.progress)


def _finding(fault: Fault, extent: str, alarms: Sequence[MetricVerdict]) -> Finding:
    return Finding(
        fault=fault.name,
        strength=fault.strength,
        extent=extent,
        harmless=fault.harmless,
        by=tuple(each.metric for each in alarms if each.blocking),
        advised_by=tuple(each.metric for each in alarms if not each.blocking),
    )


def _measured(suite: Suite, cells: Sequence[Cell], profile: Profile, folder: Path, progress: Progress) -> Run:
    """Measure the cells once. Raises HarnessError if one fails, and KeyboardInterrupt if a person stops it."""
    outcome = run_suite(suite, cells, profile, folder, repeats=1, iterations=1, progress=progress, command="selftest --quality")
    if outcome.interrupted:
        raise KeyboardInterrupt
    for slug, failure in outcome.failures.items():
        raise HarnessError(f"cell {slug} cannot be measured: {failure.kind}: {failure.reason}")
    return store.load_run(folder)
