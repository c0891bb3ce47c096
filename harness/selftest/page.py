"""
The pages of the two selftests: how often the gate was right, and which metric saw which fault.
"""

from collections.abc import Sequence
from itertools import chain

from voxgate.harness.report.badges import Badge
from voxgate.harness.report.pictures.matrix import MatrixKind, MatrixRow, SignMatrix
from voxgate.harness.report.pictures.panel import PanelLimit, PanelValue, panel
from voxgate.harness.report.verb_page import PagePart, PageTable, VerbPage
from voxgate.harness.selftest import render_quality, render_speed
from voxgate.harness.selftest.quality_result import (
    FaultResult,
    Matrix,
    MetricColumn,
    QualityTrust,
    Sight,
    false_alarms,
    overlooked,
)
from voxgate.harness.selftest.simulated_gate import MOST_ROUNDS
from voxgate.harness.selftest.speed_result import Reach, SizeResult, Trust

KINDS = {
    Sight.SEEN: MatrixKind(style="seen", sign="●", meaning="seen, and it blocks"),
    Sight.ADVISED: MatrixKind(style="advised", sign="○", meaning="seen, and it advises"),
    Sight.UNPROVEN: MatrixKind(style="unproven", sign="◆", meaning="beyond its margin, not proven"),
    Sight.UNSEEN: MatrixKind(style="unseen", sign="·", meaning="not seen"),
    Sight.ABSENT: MatrixKind(style="absent", sign="", meaning="no value"),
}
HEADINGS = {
    "fit": "Verdicts on speed can be trusted on this machine.",
    "not fit": "Verdicts on speed cannot be trusted on this machine.",
    "undecided": "Too little was measured to tell whether verdicts can be trusted.",
}
BADGES = {
    "fit": Badge(word="FIT", kind="good"),
    "not fit": Badge(word="NOT FIT", kind="bad"),
    "undecided": Badge(word="UNDECIDED", kind="open"),
}


def speed_page(trust: Trust) -> VerbPage:
    """Return the page of a selftest of speed."""
    setup, found = trust.setup, trust.fit
    alarms = next((each for each in trust.sizes if not each.size), None)
    worst = max((each.sees for each in trust.noise), default=None)
    return VerbPage(
        title=f"Selftest {setup.suite}",
        crumb=f"selftest · {setup.suite} · {setup.profile} · {trust.machine}",
        mark=BADGES[found.status],
        heading=HEADINGS[found.status],
        line=render_speed.line(trust),
        tiles=(
            *(() if alarms is None else (_alarms(alarms),)),
            *(() if worst is None else ((f"{worst * 100:.1f} %", SEEN, ""),)),
        ),
        facts=(
            ("machine", f"{trust.machine} ({trust.quiet})"),
            ("measured", trust.head),
            ("stage that is slowed", setup.stage),
        ),
        parts=tuple(filter(None, (_found(trust), _seen(trust), _speed_tables(trust)))),
    )


SEEN = f"is the least slow-down that {MOST_ROUNDS} rounds of every cell find"


def _alarms(same: SizeResult) -> tuple[str, str, str]:
    rate = same.flagged
    return (str(rate.count), f"false alarms in {rate.total} comparisons of equal engines", "")


def _found(trust: Trust) -> PagePart | None:
    """Return the picture of how often each slow-down was found."""
    values = [
        PanelValue(
            across=each.size * 100.0,
            value=each.flagged.share * 100.0,
            low=each.flagged.low * 100.0,
            high=each.flagged.high * 100.0,
            words=f"{each.size * 100:g} % slower: called slower in "
            f"{render_speed.shown_rate(each.flagged)} of {each.flagged.total}",
        )
        for each in trust.sizes
    ]
    limit = PanelLimit(
        value=trust.limit * 100.0, text=f"limit {trust.limit * 100:g} %", upright=True
    )
    drawn = panel(
        ("called slower, % of the comparisons", "planted slow-down, %"),
        [("", values)],
        limit,
        at_values=True,
        top=100.0,
    )
    if drawn is None or len(values) < 2:
        return None
    return PagePart(
        name="found",
        title="What is found",
        pictures=((_found_caption(trust.sizes), (drawn,)),),
        remarks=(
            "0 % are equal engines: each call there is a false alarm. Bars are 95 % intervals.",
        ),
    )


def _found_caption(sizes: Sequence[SizeResult]) -> str:
    told = [
        f"{each.size * 100:g} % in {each.flagged.share * 100:.0f} %" for each in sizes if each.size
    ]
    return f"Found as slower: {', '.join(told)} of the comparisons."


def _seen(trust: Trust) -> PagePart | None:
    """Return the picture of time against the least slow-down that is seen."""
    every = [
        ("worst cell", [_reached(each, each.sees_worst) for each in trust.curve]),
        ("middle cell", [_reached(each, each.sees_median) for each in trust.curve]),
    ]
    lines = every if len(trust.noise) > 1 else every[:1]
    limit = PanelLimit(value=trust.limit * 100.0, text=f"limit {trust.limit * 100:g} %")
    drawn = panel(
        ("least slow-down that is found, %", "minutes of an A/B, log scale"),
        lines,
        limit,
        is_log=True,
    )
    if drawn is None:
        return None
    within = render_speed.within(trust.curve)
    told = (
        "No number of rounds tried fits into five minutes."
        if within is None
        else f"In five minutes, {within.rounds} rounds, the worst cell sees "
        f"{within.sees_worst * 100:.1f} %."
    )
    return PagePart(name="time", title="What it takes", pictures=((told, (drawn,)),))


def _reached(each: Reach, share: float) -> PanelValue:
    minutes = each.duration_s / 60.0
    return PanelValue(
        across=minutes,
        value=share * 100.0,
        words=f"{each.rounds} rounds, {minutes:.1f} minutes: {share * 100.0:.1f} % is found",
    )


def _speed_tables(trust: Trust) -> PagePart:
    return PagePart(
        name="figures",
        title="All figures",
        tables=tuple(
            PageTable(caption=each.title, head=each.head, rows=each.rows)
            for each in render_speed.tables(trust)
        ),
        remarks=(*render_speed.remarks(trust), render_speed.NOTE),
    )


def quality_page(trust: QualityTrust) -> VerbPage:
    """Return the page of a selftest of quality."""
    fine = render_quality.exit_code(trust) == 0
    alarms = sum(len(false_alarms(each)) for each in trust.matrices)
    missed = set(chain.from_iterable(map(overlooked, trust.matrices)))
    return VerbPage(
        title=f"Selftest {trust.suite}, quality",
        crumb=f"selftest · quality · {trust.suite} · {trust.machine}",
        mark=Badge(
            word="TRUSTWORTHY" if fine else "NOT TRUSTWORTHY", kind="good" if fine else "bad"
        ),
        heading="Planted faults are seen, and harmless changes are not."
        if fine
        else "A planted fault was overlooked, or a harmless change was called one.",
        line=render_quality.line(trust),
        tiles=(
            (str(alarms), "false alarms", "bad" if alarms else ""),
            (str(len(missed)), "faults overlooked", "open" if missed else ""),
        ),
        facts=(("measured", render_quality.heading(trust)),),
        parts=(
            *(_matrix_part(each, trust.columns, n) for n, each in enumerate(trust.matrices, 1)),
            PagePart(
                name="remarks",
                title="Remarks",
                lines=tuple(render_quality.remarks(trust)),
                remarks=(*render_quality.unseeable(trust), render_quality.NOTE),
            ),
        ),
    )


def _matrix_part(found: Matrix, columns: Sequence[MetricColumn], number: int) -> PagePart:
    missed = overlooked(found)
    told = (
        f"overlooked even at its greatest: {', '.join(missed)}"
        if missed
        else "each is seen at its greatest by a metric that blocks"
    )
    families: dict[str, list[MetricColumn]] = {}
    for column in columns:
        families.setdefault(column.family, []).append(column)
    ordered = list(chain.from_iterable(families.values()))
    return PagePart(
        name=f"faults-{number}",
        title=f"Faults in {found.audio}",
        matrices=(
            SignMatrix(
                caption=f"{len(found.greatest)} faults in {found.utterances} utterances: {told}.",
                head=("fault", "strength"),
                groups=tuple((name, len(members)) for name, members in families.items()),
                columns=tuple(column.metric for column in ordered),
                rows=tuple(_row(each, ordered) for each in found.rows),
                kinds=tuple(KINDS.values()),
            ),
        ),
    )


def _row(found: FaultResult, columns: Sequence[MetricColumn]) -> MatrixRow:
    sights = (found.sights.get(column.metric, Sight.ABSENT) for column in columns)
    return MatrixRow(
        names=(found.fault, found.strength), cells=tuple(KINDS[sight] for sight in sights)
    )
