"""
The records of a bisection: the targets and their choice, the evidence of each step, and the result
of each search.

`bisect.py` and `bisect_step.py` make them; they are shown or written as JSON.
"""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from itertools import chain
from typing import Any

from voxgate.harness.analysis.metric_rules import is_speed
from voxgate.harness.machine.git import Commit
from voxgate.harness.python310 import StrEnum
from voxgate.harness.records.verdict import (
    CellVerdict,
    MetricVerdict,
    RunVerdict,
    Verdict,
    judgement_to_dict,
)

SCHEMA_VERSION = 1
"""Of the JSON that `bisect --json` writes. History: 1, 2026-11, first."""


class CommitState(StrEnum):
    """What a commit is in a search."""

    GOOD = "good"
    BAD = "bad"
    SKIP = "skip"


@dataclass(frozen=True, slots=True, kw_only=True)
class BisectTarget:
    """What is searched for: one metric of one cell."""

    cell: str
    metric: str

    @property
    def family(self) -> str:
        """`speed` or `quality`."""
        return "speed" if is_speed(self.metric) else "quality"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The evidence of one comparison."""

    aim: BisectTarget
    base: str
    """The commit that it was held against."""
    commit: Commit
    state: CommitState
    verdict: str
    shift: str
    """With metric and interval; empty where there is none."""
    reason: str
    stage: str = ""
    """The stage that moved, with its share; of speeds only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Culprit:
    """What a search ended with: the culprit, or the commits that it may be."""

    aim: BisectTarget
    culprit: Commit | None
    candidates: tuple[Commit, ...]
    why: str
    """What is known of the culprit, or why there is none."""
    stage: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BisectReport:
    """All that a bisection brought."""

    folder: str
    ends: RunVerdict
    """Of BAD against GOOD."""
    findings: tuple[Culprit, ...]
    why: str
    """Why nothing was searched for; empty otherwise."""

    @property
    def exit_code(self) -> int:
        """
        0 where every search ended with a commit: the question is answered. 1 where there was none
        because the ends could not run, 3 where one did not end with a commit, or there was nothing
        to search for.
        """
        if not self.findings and self.ends.verdict is Verdict.FAILED:
            return 1
        return (
            0
            if self.findings and all(finding.culprit is not None for finding in self.findings)
            else 3
        )

    @property
    def line(self) -> str:
        """The answer in one line."""
        return self.why or "; ".join(map(finding_line, self.findings))


def finding_line(finding: Culprit) -> str:
    """
    Return a finding in one line: `speed: 3fa1c2e 2026-11-20 "double the vocoder", latency_p50 +8.1
    % ..., vocoder ...`.
    """
    if finding.culprit is None:
        names = ", ".join(commit.commit[:7] for commit in finding.candidates)
        return (
            f"{finding.aim.family}: undecided{', one of ' if names else ''}{names}: {finding.why}"
        )
    commit = finding.culprit
    evidence = ", ".join(filter(None, [finding.why, finding.stage]))
    name = f'{commit.commit[:7]} {commit.date[:10]} "{commit.subject}"'
    return f"{finding.aim.family}: {name}, {evidence}"


def evidence_rows(search: BisectReport) -> list[tuple[str, ...]]:
    """
    Return the steps of all searches as rows of text, with titles; empty where nothing was searched
    for.
    """
    steps = list(chain.from_iterable(finding.steps for finding in search.findings))
    titles = ("search", "cell", "commit", "against", "verdict", "shift", "subject")
    rows = [
        (
            step.aim.family,
            step.aim.cell,
            step.commit.commit[:7],
            step.base[:7],
            f"{step.verdict}{' (skipped)' if step.state is CommitState.SKIP else ''}",
            step.shift or "-",
            step.commit.subject,
        )
        for step in steps
    ]
    return [titles, *rows] if rows else []


def step_line(step: Step) -> str:
    """
    Show a step: `speed 3fa1c2e against b07e11a: REGRESSED +8.1 % [+7.2 +9.0] vocoder +31 % is 97 %
    of it`.
    """
    outcome = (
        step.reason
        if step.state is CommitState.SKIP
        else " ".join(filter(None, [step.shift, step.stage]))
    )
    commits = f"{step.commit.commit[:7]} against {step.base[:7]}"
    return f"{step.aim.family} {commits}: {step.verdict} {outcome}".strip()


def search_to_dict(search: BisectReport) -> dict[str, Any]:
    """Return the report as plain JSON values."""
    return {
        "schema_version": SCHEMA_VERSION,
        "folder": search.folder,
        "exit_code": search.exit_code,
        "line": search.line,
        "ends": judgement_to_dict(search.ends),
        "findings": [_finding_to_dict(finding) for finding in search.findings],
    }


def _finding_to_dict(finding: Culprit) -> Mapping[str, Any]:
    return {"family": finding.aim.family, **asdict(finding)}


PREFERRED = ("latency_p50", "rtf", "latency_p95")
"""
Speeds in the order in which they are searched by: the first is matched request by request, and the
quietest.
"""


def choose_targets(
    ends: RunVerdict, cell: str | None, metric: str | None, reference: str
) -> tuple[BisectTarget, ...]:
    """
    Return the targets of the search: the clearest REGRESSED speed, and the clearest quality.

    The reference cell's quality counts for every cell: golden audio is its audio, and shows the
    smallest change.
    """
    regressed = [
        (judged, verdict)
        for judged in ends.cells
        for verdict in judged.metrics
        if verdict.verdict is Verdict.REGRESSED
    ]
    named = [
        (judged, verdict)
        for judged, verdict in regressed
        if _is_asked(judged, verdict, cell, reference)
        and (verdict.metric == metric or (metric is None and verdict.blocking))
    ]
    aims = []
    for speed in (True, False):
        family = [pair for pair in named if is_speed(pair[1].metric) == speed]
        if family:
            judged, verdict = min(family, key=_order)
            aims.append(BisectTarget(cell=judged.cell, metric=verdict.metric))
    return tuple(aims)


def _is_asked(
    judged: CellVerdict, verdict: MetricVerdict, cell: str | None, reference: str
) -> bool:
    return cell in (None, judged.cell) or (
        judged.cell == reference and not is_speed(verdict.metric)
    )


def undecided_families(
    ends: RunVerdict, cell: str | None, metric: str | None, decided: Collection[str]
) -> tuple[Culprit, ...]:
    """
    Return a finding without a culprit for each family in which GOOD and BAD could not be told
    apart.
    """
    undecided: dict[str, Culprit] = {}
    if all(judged.verdict is Verdict.FAILED for judged in ends.cells):
        return ()
    for judged in ends.cells:
        for verdict in judged.metrics:
            aim = BisectTarget(cell=judged.cell, metric=verdict.metric)
            asked = (
                verdict.blocking
                and cell in (None, judged.cell)
                and metric in (None, verdict.metric)
            )
            if asked and verdict.verdict is Verdict.UNRESOLVED and aim.family not in decided:
                why = f"GOOD and BAD could not be told apart: {verdict.reason}"
                undecided.setdefault(
                    aim.family,
                    Culprit(aim=aim, culprit=None, candidates=(), why=why, stage="", steps=()),
                )
    return tuple(undecided.values())


def _order(pair: tuple[CellVerdict, MetricVerdict]) -> tuple[int, float]:
    """Order by metric, the quietest first, then by size, the largest first."""
    metric, comparison = pair[1].metric, pair[1].comparison
    rank = PREFERRED.index(metric) if metric in PREFERRED else len(PREFERRED)
    return rank, -abs(comparison.shift or 0.0) if comparison is not None else 0.0
