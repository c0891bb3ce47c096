"""
The first words of every report: what got worse as lines, the change that tells each cell, a few
figures, and the next step.

Chooses among what was decided before, for terminal, Markdown, the page of a run and the site;
knows no format.
"""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace

from voxgate.harness.analysis.grouping import by_name
from voxgate.harness.judging import phrases
from voxgate.harness.judging.causes import (
    WORSE,
    Cause,
    causes,
    merged_causes,
    over_limit,
    short_name,
    telling_metric,
    told_shift,
)
from voxgate.harness.judging.tradeoff import SpeedGain
from voxgate.harness.machine.quietness import restlessness
from voxgate.harness.records.measurement import Measurement
from voxgate.harness.records.run import FailureKind, Run
from voxgate.harness.records.verdict import (
    EXPLANATIONS,
    CellVerdict,
    MetricVerdict,
    RemarkKind,
    RunVerdict,
    Verdict,
)
from voxgate.harness.report.badges import kind
from voxgate.harness.report.contents import Report
from voxgate.harness.report.format import plain, shown

NO_BASELINE = "none"
ENDED = (FailureKind.KILLED, FailureKind.DIED, FailureKind.TIMEOUT)
"""Failures of a process that tell no cause of their own."""
RISES, FALLS = "▲", "▼"
FIGURES = (("pesq", "PESQ"), ("wer", "WER"), ("dnsmos_ovrl", "DNSMOS"))
"""Qualities of which the first that was measured is named beside a speed-up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that got worse: its sentence, and the cells it concerns, the worst first."""

    sentence: str
    cells: tuple[str, ...]
    """Labels."""
    slugs: tuple[str, ...]
    metric: str
    blocking: bool
    failed: bool
    since: str = ""
    """`since the baseline of 2026-11-20`; empty where unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The change that tells a cell: `▲ +13.1 %` of `p50`, its interval, its limit."""

    metric: str
    name: str
    """Of the metric, short."""
    arrow: str
    """Where the number rises or falls beyond its limit; empty where it does not."""
    size: str
    interval: str
    """`[+12.0 +14.3]`, 95 %; empty where none is known."""
    kind: str
    """`good`, `open` or `bad`, or `steady`."""
    over: float
    """The size as a multiple of its limit."""
    limit: str
    """`5 %`; empty where none counts."""
    told: str
    """All of it in one line."""

    def text(self, *, interval: bool) -> str:
        """Return the change as one text: `▲ +13.1 % [+12.0 +14.3] p50`."""
        bounds = self.interval if interval else ""
        return " ".join(filter(None, (self.arrow, self.size, bounds, self.name)))


def cause_lines(judgement: RunVerdict) -> tuple[Finding, ...]:
    """Return what got worse, the blocking first."""
    day = judgement.baseline_date
    against = "" if judgement.baseline == NO_BASELINE else f"against {plain(judgement.baseline)}"
    of_day = f"the baseline of {plain(day)}"
    since, before = (f"{word} {of_day}" if day else against for word in ("since", "measured in"))
    lines = map(_cause_line, causes(judgement))
    return tuple(replace(line, since=before if line.failed else since) for line in lines)


def _cause_line(cause: Cause) -> Finding:
    return Finding(
        sentence=plain(cause.sentence),
        cells=tuple(plain(cell.label) for cell in cause.cells),
        slugs=tuple(cell.cell for cell in cause.cells),
        metric=cause.metric,
        blocking=cause.blocking,
        failed=cause.verdict is Verdict.FAILED,
    )


def headline(lines: Sequence[Finding]) -> str:
    """
    Return how many things got worse: `2 things got worse, 1 could not be measured as asked.`; empty
    where nothing did.
    """
    counts = [
        sum(line.blocking and line.failed is failed for line in lines) for failed in (False, True)
    ]
    parts = [f"{counts[0]} thing{'s' if counts[0] > 1 else ''} got worse"] if counts[0] else []
    noun = "" if parts else f" thing{'s' if counts[1] > 1 else ''}"
    parts += [f"{counts[1]}{noun} could not be measured as asked"] if counts[1] else []
    return f"{', '.join(parts)}." if parts else ""


def cell_change(cell: CellVerdict) -> Change | None:
    """Return the change that tells a cell; None where nothing was compared."""
    metric = telling_metric(cell)
    return None if metric is None else change_of(metric)


def change_of(metric: MetricVerdict) -> Change | None:
    """Return the change of a metric; None where nothing was compared."""
    told = told_shift(metric)
    if told is None or told.comparison.shift is None:
        return None
    size, bracket, bounds = told.size.partition(" [")
    beyond = metric.verdict in WORSE or metric.verdict is Verdict.IMPROVED
    return Change(
        metric=metric.metric,
        name=plain(told.named(short_name(metric.metric))),
        arrow=(RISES if told.comparison.shift > 0.0 else FALLS) if beyond else "",
        size=size,
        interval=f"{bracket.strip()}{bounds}",
        kind="steady" if metric.verdict is Verdict.PASS else kind(metric.verdict),
        over=abs(over_limit(metric) or 0.0),
        limit=told.limit_size,
        told=plain(metric.reason),
    )


def broken_metrics(cell: CellVerdict) -> frozenset[str]:
    """Return the metrics that broke their limit and count for the verdict."""
    return frozenset(
        metric.metric for metric in cell.metrics if metric.blocking and metric.verdict in WORSE
    )


def own_causes(cell: CellVerdict) -> tuple[str, ...]:
    """Return what got worse in a cell and counts, a sentence each."""
    return tuple(plain(each.sentence) for each in merged_causes((cell,)) if each.blocking)


def own_reasons(cell: CellVerdict) -> tuple[str, ...]:
    """Return what explains the causes of a cell; the verdict's reason where it has none."""
    if own_causes(cell):
        return explanations(cell)
    return () if cell.verdict is Verdict.PASS else (plain(cell.reason),)


def explanations(cell: CellVerdict) -> tuple[str, ...]:
    """Return what explains a change but the stage, which a cause names already."""
    told = [each for each in cell.remarks if each.kind in EXPLANATIONS]
    if not cell.remarks:  # of a document without remarks
        return (plain(cell.notes),) if cell.notes else ()
    return tuple(
        plain(phrases.remark_text(each)) for each in told if each.kind is not RemarkKind.STAGE
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class NextStep:
    """What to do next: a sentence, and the command to copy; empty where there is none."""

    sentence: str
    command: str = ""
    headline: str = ""
    """Of a first run: `First run on this machine: quality passes`."""
    tells_gain: bool = False
    """Whether the sentence names the fastest cell already."""
    otherwise: "NextStep | None" = None
    """What to do in the other case."""

    @property
    def all(self) -> tuple["NextStep", ...]:
        """This step, and the one for the other case."""
        return (self,) if self.otherwise is None else (self, self.otherwise)

    @property
    def text(self) -> str:
        """The headline and the sentence."""
        return f"{self.headline}. {self.sentence}" if self.headline else self.sentence


def next_step(contents: Report) -> NextStep | None:
    """
    Return the step that gives a run its missing baseline, that shows the error for which it failed,
    or that finds or accepts what got worse; None where there is none.

    Speeds of a machine that was not quiet make no baseline: the step is then to run again.
    """
    judgement = contents.judgement
    if judgement.verdict is Verdict.FAILED:
        return _traceback_step(contents.run) or _again_step(contents.run)
    if judgement.verdict is Verdict.REGRESSED:
        return _regressed_step(contents)
    if not judgement.accept:
        return None
    trouble = restlessness(contents.run) if "speed" in judgement.without_baseline else ""
    if trouble:
        return NextStep(
            sentence=plain(
                f"these speeds make no baseline, because {trouble}; run it again when the machine "
                "is idle (voxgate doctor says when)"
            )
        )
    return _first_step(contents)


def _first_step(contents: Report) -> NextStep:
    """Return what a run without baseline shows, and the command that keeps it as one."""
    judgement = contents.judgement
    speed_only = judgement.without_baseline == ("speed",)
    known = "speed" not in judgement.without_baseline
    first = (
        "First run on this machine: quality passes"
        if speed_only
        else "Some qualities have no baseline yet"
        if known
        else "First run of this suite: nothing to compare with yet"
    )
    gain = gain_sentence(contents)
    return NextStep(
        headline=first,
        sentence=f"{f'{gain}. ' if gain else ''}Keep it as the baseline:",
        command=judgement.accept,
        tells_gain=bool(gain),
    )


def gain_sentence(contents: Report) -> str:
    """
    Return what the fastest cell buys: `nfe=8 is 4.1 [4.0 4.2] times as fast as the reference at
    PESQ 3.23`; empty where none is fit to ship, or it is the reference.
    """
    best, gain = contents.fastest, gain_text(contents)
    if best is None or not gain:
        return ""
    quality = quality_text(contents.measurements.get(best.cell, ()))
    at = f" at {quality}" if quality else ""
    if best.ties:
        return plain(f"{winners(best)} are {gain}{at}: {NO_WINNER}")
    return plain(f"{best.label} is {gain}{at}")


TIED = 2
"""Cells without a winner that are named."""
NO_WINNER = "no winner, their intervals overlap"


def winners(best: SpeedGain) -> str:
    """Name the fastest cell, and those whose intervals overlap with its own."""
    labels = (best.label, *best.ties)
    more = f" and {len(labels) - TIED} more" if len(labels) > TIED else ""
    return plain(f"{' and '.join(labels[:TIED])}{more}")


def quality_text(measured: Sequence[Measurement]) -> str:
    """Return the first of FIGURES that was measured: `PESQ 3.23`; empty where none was."""
    named = by_name(measured)
    for metric, title in FIGURES:
        if metric in named and isinstance(named[metric].summary, float):
            return f"{title} {shown(named[metric], interval=False)}"
    return ""


def _traceback_step(run: Run) -> NextStep | None:
    """Return the step that shows the first traceback of a worker; None where it wrote none."""
    for process in run.processes:
        if process.failure is not None and process.failure.kind is FailureKind.ERROR:
            file = f"{run.folder}/processes/{process.cell}.{process.repeat}.stderr"
            return NextStep(
                sentence=f"for the whole traceback of {plain(process.cell)}:",
                command=plain(shlex.join(["cat", file])),
            )
    return None


def _again_step(run: Run) -> NextStep | None:
    """Return the step that starts a process alone which ended without a traceback."""
    for process in run.processes:
        if process.failure is not None and process.failure.kind in ENDED:
            words = ["voxgate", "run", run.suite, "--profile", run.profile, "--only", process.cell]
            return NextStep(
                sentence="to see whether it happens again, alone:",
                command=plain(shlex.join([*words, "--repeats", "1"])),
            )
    return None


def _regressed_step(contents: Report) -> NextStep | None:
    """
    Return the step that finds the commit of the first cause, where both ends are commits, and how
    to accept it.
    """
    judgement, run = contents.judgement, contents.run
    first = next((each for each in causes(judgement) if each.blocking and each.metric), None)
    toolchain = run.environment.toolchain
    is_kept = bool(judgement.baseline_date)  # and not measured in turns with another
    accept = plain(f'voxgate accept {shlex.quote(str(run.folder))} --why "..."')
    meant = NextStep(sentence="if it is meant to be so:", command=accept) if is_kept else None
    ends = (judgement.baseline_commit, toolchain.commit or "")
    if first is None or toolchain.dirty_files or not all(ends) or ends[0] == ends[1]:
        return meant
    of = ("--profile", run.profile, "--cell", first.cells[0].cell, "--metric", first.metric)
    return NextStep(
        sentence="find the commit:",
        command=plain(shlex.join(["voxgate", "bisect", *ends, run.suite, *of])),
        otherwise=meant,
    )


def gain_line(contents: Report) -> str:
    """
    Return the fastest cell fit to ship and its gain over the reference; empty where there is none
    or it is the reference.
    """
    gain, best = gain_text(contents), contents.fastest
    if best is None or not gain:
        return ""
    if best.ties:
        return f"fastest cells fit to ship: {winners(best)}, {gain}; {NO_WINNER}"
    return f"fastest cell fit to ship: {plain(best.label)}, {gain}"


def gain_text(contents: Report) -> str:
    """Return the gain of the fastest cell: `2.1 [2.0 2.2] times as fast as the reference`."""
    best = contents.fastest
    if best is None or best.times is None or best.cell == contents.run.reference:
        return ""
    bounds = "" if best.low is None or best.high is None else f" [{best.low:.3g} {best.high:.3g}]"
    return f"{best.times:.3g}{bounds} times as fast as the reference"
