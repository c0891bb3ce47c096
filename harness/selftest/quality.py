"""
The selftest of quality from end to end: measure the engine, plant faults into its audio and into
recordings, score and judge.

The reference cell of a suite and one other are measured. Faults are planted into the other, whose
audio differs from the reference's anyhow: the harder case, since against exact audio every fault is
plain. The suite's further cells are settings, which replace the reference itself. Every specimen is
a cell of one run, so that all are scored at once and judged as `voxgate ab` does: against the same
audio without the fault.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from voxgate.harness.analysis.aggregate import aggregate
from voxgate.harness.analysis.metric_rules import is_speed
from voxgate.harness.judging.baseline import BASELINES, machine_id, of_run, revision
from voxgate.harness.judging.judge import judge
from voxgate.harness.judging.policy import Policy, limits_of
from voxgate.harness.machine.profiles import get_profile
from voxgate.harness.metrics import registry
from voxgate.harness.records.run import Run
from voxgate.harness.records.verdict import MetricVerdict
from voxgate.harness.runner.progress import Progress, ScoreProgress
from voxgate.harness.scoring.score_run import RunScores, models_of, score_run
from voxgate.harness.selftest.quality_result import (
    Compares,
    FaultResult,
    Matrix,
    MetricColumn,
    QualityTrust,
    columns_with_sight,
    compares,
    sight_of,
)
from voxgate.harness.selftest.specimens import (
    Kind,
    Specimen,
    slugs_of,
    with_other_takes,
    with_specimens,
)
from voxgate.harness.selftest.speech_sources import (
    FaultlessRun,
    check_recordings,
    clean,
    measured_ground,
    plant,
    recorded_ground,
    settings,
)
from voxgate.harness.selftest.speed_plan import SelftestPlan, folder_of
from voxgate.harness.suite.suite import Suite, load_suite

AT_A_TIME = 16
"""Specimens that are judged together: the rules look at every pair of cells."""
Scorer = Callable[[Run], RunScores]


def quality_selftest(
    question: SelftestPlan,
    progress: Progress,
    scoring: ScoreProgress | None = None,
    baselines: Path = BASELINES,
) -> QualityTrust | None:
    """
    Run a selftest of quality; None if a person interrupted it.

    Raises HarnessError for anything that cannot be meant, a folder that is in use, and as
    `score_quality` does.
    """
    policy, folder = limits_of(baselines), folder_of(question)
    suite, profile = load_suite(question.suite), get_profile(question.profile)
    columns = columns_of(policy, suite, blocking=question.blocking)
    if question.recordings is not None:
        check_recordings(question.recordings)
    nothing_golden = folder / "no golden audio"
    try:
        spoken = measured_ground(suite, question.only, profile, folder, progress)
        grounds = [
            spoken,
            *(
                [recorded_ground(question.recordings, spoken.run, folder)]
                if question.recordings
                else []
            ),
        ]
        matrices = [
            matrix_of(
                ground,
                policy,
                columns,
                lambda run: score_run(run, nothing_golden, progress=scoring),
                greatest=question.greatest,
            )
            for ground in grounds
        ]
    except KeyboardInterrupt:
        return None
    seeing = columns_with_sight(columns, matrices)
    return QualityTrust(
        suite=suite.name,
        profile=profile.name,
        machine=machine_id(spoken.run),
        head=revision(spoken.run),
        created=spoken.run.created,
        columns=seeing,
        valueless=tuple(column.metric for column in columns if column not in seeing),
        unjudged=unjudged_of(policy, suite),
        matrices=tuple(matrices),
    )


def columns_of(policy: Policy, suite: Suite, *, blocking: bool = False) -> tuple[MetricColumn, ...]:
    """Return the quality metrics that the policy judges, in the order of the registry."""
    columns = (column_of(spec, policy) for spec in _quality_of(suite) if spec.name in policy)
    return tuple(column for column in columns if column.blocks or not blocking)


def column_of(spec: registry.MetricSpec, policy: Policy) -> MetricColumn:
    """Describe a metric that the policy judges."""
    return MetricColumn(
        metric=spec.name,
        family=spec.family,
        blocks=policy[spec.name].blocking or policy[spec.name].worst_blocks,
        compares=compares(spec.source, spec.family),
    )


def unjudged_of(policy: Policy, suite: Suite) -> tuple[str, ...]:
    """Name the metrics of quality that are shown in reports and never judged."""
    return tuple(spec.name for spec in _quality_of(suite) if spec.name not in policy)


def _quality_of(suite: Suite) -> list[registry.MetricSpec]:
    """
    Return the quality metrics of the suite.

    Metrics against golden audio are left out: they would hold the reference cell's audio against
    itself and repeat the metrics against the reference.
    """
    models = models_of(suite)
    entries = [
        registry.entry(metric.name)
        for metric in registry.select_metrics(suite.metrics, suite.conditions, models)
    ]
    return [spec for spec in entries if not spec.golden and not is_speed(spec.name)]


def matrix_of(
    ground: FaultlessRun,
    policy: Policy,
    columns: Sequence[MetricColumn],
    scorer: Scorer,
    *,
    greatest: bool = False,
) -> Matrix:
    """Plant the faults into the audio, score it, and return the result of each metric."""
    planted, left_out = plant(ground, greatest=greatest)
    specimens = sorted(
        [*planted, *settings(ground), *clean(ground)], key=lambda item: list(Kind).index(item.kind)
    )
    verdicts = verdicts_of(ground, specimens, policy, columns, scorer)
    return Matrix(
        audio=ground.audio,
        utterances=len(ground.cell.workload.requests),
        findings=tuple(_finding(*item, columns) for item in zip(specimens, verdicts, strict=True)),
        left_out=left_out,
    )


def verdicts_of(
    ground: FaultlessRun,
    specimens: Sequence[Specimen],
    policy: Policy,
    columns: Sequence[MetricColumn],
    scorer: Scorer,
) -> list[Sequence[MetricVerdict]]:
    """
    Judge all specimens; metrics between takes once more, on a run whose references are other takes,
    since the suite's own reference is nearly the same performance.
    """
    verdicts = judged(ground.run, specimens, policy, columns, scorer)
    takes = [column for column in columns if column.compares is Compares.TAKES]
    if not takes:
        return verdicts
    other = with_other_takes(ground.run, ground.reference.slug, ground.folder / "other-takes")
    others = judged(other, specimens, policy, takes, scorer)
    names = {column.metric for column in takes}
    return [
        [*(verdict for verdict in one if verdict.metric not in names), *other]
        for one, other in zip(verdicts, others, strict=True)
    ]


def judged(
    run: Run,
    specimens: Sequence[Specimen],
    policy: Policy,
    columns: Sequence[MetricColumn],
    scorer: Scorer,
) -> list[Sequence[MetricVerdict]]:
    """
    Score all specimens at one go, and judge each against the cell it was made from, or against its
    own original.
    """
    names = tuple(column.metric for column in columns)
    originals = [replace(each, sounds=each.original) for each in specimens if each.original]
    every = [*specimens, *originals]
    many, slugs = replace(with_specimens(run, every), metrics=names), slugs_of(run, every)
    scores = scorer(many)
    now = aggregate(many, scores.values, [registry.metric(name) for name in names], scores.versions)
    of_originals = iter(slugs[len(specimens) :])
    bases = [next(of_originals) if each.original else each.base for each in specimens]
    before = now | {slug: now[base] for slug, base in zip(slugs, bases, strict=False)}
    verdicts: dict[str, Sequence[MetricVerdict]] = {}
    for first in range(0, len(specimens), AT_A_TIME):
        part = _with_cells(many, run, slugs[first : first + AT_A_TIME])
        judgement = judge(part, now, of_run(part, before), policy, paired=True)
        verdicts |= {cell.cell: cell.metrics for cell in judgement.cells}
    return [verdicts[slug] for slug in slugs[: len(specimens)]]


def _with_cells(many: Run, run: Run, slugs: Sequence[str]) -> Run:
    """Return the run with the cells that were measured and these specimens alone."""
    kept = {*slugs, *(cell.slug for cell in run.cells)}
    return replace(
        many,
        cells=tuple(cell for cell in many.cells if cell.slug in kept),
        processes=tuple(process for process in many.processes if process.cell in kept),
    )


def _finding(
    specimen: Specimen, verdicts: Sequence[MetricVerdict], columns: Sequence[MetricColumn]
) -> FaultResult:
    metrics = {column.metric for column in columns}
    return FaultResult(
        fault=specimen.fault,
        strength=specimen.strength,
        kind=specimen.kind,
        extent=specimen.extent,
        sights={
            verdict.metric: sight_of(verdict) for verdict in verdicts if verdict.metric in metrics
        },
    )
