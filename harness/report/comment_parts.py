"""
The parts of the comment on a pull request, in the order in which they are read: a heading with the
one number, three counted signs, the table of what broke its limit, where to listen, and a picture
of the shifts in characters, which needs no host.

Every text comes from a document of a stranger; `one_line` makes it stand for itself. Needs the
standard library alone.
"""

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from voxgate.harness.judging import phrases
from voxgate.harness.judging.causes import (
    Cause,
    causes,
    over_limit,
    short_name,
    telling_metric,
    told_shift,
)
from voxgate.harness.records.verdict import (
    WORST_FIRST,
    CellVerdict,
    Comparison,
    MetricVerdict,
    RemarkKind,
    RunVerdict,
    Verdict,
)
from voxgate.harness.report.changes import BROKEN, HEAD, MetricChange, limit_of, metric_change
from voxgate.harness.report.format import escaped, fitting, github_length, plain, plain_columns
from voxgate.harness.report.worst_utterances import ADDRESSED, heard_first

BAD, OPEN, GOOD = "\N{CROSS MARK}", "\N{WARNING SIGN}\ufe0f", "\N{WHITE HEAVY CHECK MARK}"
"""Signs that differ in colour and in shape; GitHub draws them, and so does every mail program."""
SOUND = "\N{SPEAKER WITH THREE SOUND WAVES}"
TEXT = 600
"""Characters of one text from outside; more is cut."""
SHORT = 120
"""Characters of one text in a heading or a table; more is cut."""
LABEL = 60
"""Characters of a label beside a commit, so that the number behind it is seen."""
SHARE = 6_000
"""Characters that one part may take of the whole."""
ROWS = 8
"""Of the table; the details have all."""
ROWS_OF_CAUSE = 3
CODE = 60
"""Characters of one text in the picture; more is cut."""
SEEN = 0.05
"""Of a limit: what moved less is not drawn."""
PICTURED = 14
"""Rows of the picture."""
HALF = 20
"""Characters of the picture's axis on each side of zero."""
REACH = 2.5
"""Multiples of the limit that the axis shows on each side."""
UNDECIDED = (Verdict.INCOMPARABLE, Verdict.NO_BASELINE, Verdict.UNRESOLVED)
UNCOMPARED = (Verdict.INCOMPARABLE, Verdict.NO_BASELINE)
DETAILED = (*BROKEN, Verdict.UNRESOLVED, Verdict.IMPROVED)
"""Verdicts whose whole reason is folded."""
PASSED = (Verdict.PASS, Verdict.IMPROVED)
WORDS = {
    Verdict.FAILED: "failed",
    Verdict.REGRESSED: "regressed",
    Verdict.INCOMPARABLE: "incomparable",
    Verdict.NO_BASELINE: "without baseline",
    Verdict.UNRESOLVED: "undecided",
}
HEADINGS = {
    Verdict.PASS: "nothing got slower or worse",
    Verdict.UNRESOLVED: "not decided",
    Verdict.INCOMPARABLE: "cannot be compared with the baseline",
    Verdict.REGRESSED: "slower or worse",
    Verdict.FAILED: "could not be measured as asked",
}


def one_line(text: str, length: int = TEXT) -> str:
    """Make a stranger's text one harmless line of limited length."""
    short = plain(text)
    return escaped(short if len(short) <= length else f"{short[:length]}…")


def sign_of(verdict: Verdict) -> str:
    """Return the sign of a verdict."""
    return BAD if verdict in BROKEN else GOOD if verdict in PASSED else OPEN


def heading(judgement: RunVerdict) -> str:
    """Return the one line that a reader needs: the largest change over its limit, and where."""
    lead = f"### {sign_of(judgement.verdict)} {one_line(judgement.suite, SHORT)}"
    blocking = [each for each in causes(judgement) if each.blocking]
    if judgement.verdict in BROKEN and blocking:
        more = len(blocking) - 1
        others = f", and {more} more cause{'s' if more > 1 else ''}" if more else ""
        return f"{lead}, {_where(blocking[0])}{one_line(blocking[0].size, SHORT)}{others}"
    if judgement.verdict is Verdict.NO_BASELINE:
        return f"{lead}: {escaped(phrases.line(judgement))}"
    if judgement.verdict is Verdict.IMPROVED:
        return f"{lead}: {_largest(judgement)}, and nothing got worse"
    return f"{lead}: {HEADINGS[judgement.verdict]}"


def status_line(judgement: RunVerdict) -> str:
    """
    Return what stands beside a commit, as plain text: the largest change over its limit, where
    something broke one, and else the verdict in one line.
    """
    blocking = [each for each in causes(judgement) if each.blocking]
    if judgement.verdict not in BROKEN or not blocking:
        return phrases.line(judgement)
    first, more = blocking[0], len(blocking) - 1
    label = plain(first.cells[0].label)[:LABEL]
    where = label if len(first.cells) == 1 else f"{len(first.cells)} cells, worst {label}"
    return f"{where}: {plain(first.size)}{f', and {more} more' if more else ''}"


def _where(cause: Cause) -> str:
    label = one_line(cause.cells[0].label, SHORT)
    return f"{label}: " if len(cause.cells) == 1 else f"{len(cause.cells)} cells, worst {label}: "


def _largest(judgement: RunVerdict) -> str:
    """
    Return the largest change of a run in which nothing broke, for the better where it improved:
    `nfe=8 p50 +0.8 % (limit +5 %)`. Empty where nothing was compared.
    """
    better = judgement.verdict is Verdict.IMPROVED
    shown = [
        (size, cell, metric.metric, told)
        for cell in judgement.cells
        for metric in cell.metrics
        if metric.blocking and (size := over_limit(metric)) is not None
        if metric.verdict is Verdict.IMPROVED or not better
        if (told := told_shift(metric)) is not None and told.size
    ]
    if judgement.verdict not in PASSED or not shown:
        return "something got better" if better else ""
    _, cell, metric, told = max(shown, key=lambda each: -each[0] if better else each[0])
    where = f"{one_line(cell.label, SHORT)} {one_line(told.named(short_name(metric)), SHORT)}"
    change = told.size.partition(" [")[0]
    return f"{where} {one_line(f'{change} (limit {limit_of(told)})', SHORT)}"


def counts(judgement: RunVerdict) -> str:
    """Return the verdict and how many cells have which sign."""
    better = judgement.counts.get(Verdict.IMPROVED, 0)
    good = judgement.counts.get(Verdict.PASS, 0) + better
    improved = f" ({better} better)" if better else ""
    largest = _largest(judgement) if judgement.verdict is Verdict.PASS else ""
    if largest:
        improved += f" · largest change {largest}"
    return (
        f"**{escaped(judgement.verdict.value)}**: {BAD} {_counted(judgement, BROKEN)} · "
        f"{OPEN} {_counted(judgement, UNDECIDED)} · {GOOD} {good} passed{improved}"
    )


def _counted(judgement: RunVerdict, verdicts: Sequence[Verdict]) -> str:
    found = [(judgement.counts.get(each, 0), WORDS[each]) for each in verdicts]
    told = [f"{count} {word}" for count, word in found if count]
    return ", ".join(told) or f"0 {WORDS[verdicts[-1]]}"


def table(judgement: RunVerdict) -> str:
    """Return the rows of what broke its limit, or else of what is undecided or better."""
    rows = _broken_rows(judgement) or _other_rows(judgement)
    if not rows:
        return ""
    head = f"| {' | '.join(map(escaped, HEAD))} |\n| --- | ---: | ---: | ---: | ---: |"
    lines = [f"| {' | '.join(each)} |" for each in rows]
    return f"{head}\n{_shortened(lines)}"


def _shortened(lines: Sequence[str]) -> str:
    """Return the first lines of a part, and how many more there are."""
    some = list(lines[:ROWS])
    while len(some) > 1 and github_length("\n".join(some)) > SHARE:
        some.pop()
    more = len(lines) - len(some)
    return "\n".join([*some, *([f"\n{more} more in the details."] if more else [])])


def left_out_lines(lines: Sequence[str], room: int, what: str) -> str:
    """Join the lines that fit into so many characters, and say how many are left out."""
    return fitting(
        lines,
        room,
        lambda count: (
            f"\n{count} more {what} are left out here: the whole list stands on the page."
        ),
    )


def _broken_rows(judgement: RunVerdict) -> list[list[str]]:
    blocking = [each for each in causes(judgement) if each.blocking and each.metric]
    return list(chain.from_iterable(map(_rows_of, blocking)))


def _rows_of(cause: Cause) -> list[list[str]]:
    """Return the metrics of a cause that count, of its worst cell, the one that tells it first."""
    cell = cause.cells[0]
    named = (cause.metric, *cause.also)
    broken = [each for each in cell.metrics if each.metric in named and _breaks(each)]
    broken.sort(key=lambda each: named.index(each.metric))
    more = len(cause.cells) - 1
    others = f" and {more} more cell{'s' if more > 1 else ''}" if more else ""
    return [_row(metric_change(cell, each), others) for each in broken[:ROWS_OF_CAUSE]]


def _breaks(metric: MetricVerdict) -> bool:
    return metric.blocking and metric.verdict in BROKEN


def _other_rows(judgement: RunVerdict) -> list[list[str]]:
    """Return the telling change of each cell that has one and did not simply pass."""
    told = [
        (cell, telling_metric(cell))
        for cell in judgement.cells
        if cell.verdict in (Verdict.UNRESOLVED, Verdict.IMPROVED)
    ]
    return [
        _row(replace(metric_change(cell, metric), verdict=cell.verdict), "")
        for cell, metric in told
        if metric is not None and metric.comparison is not None
        if metric.comparison.shift is not None
    ]


def _row(change: MetricChange, others: str) -> list[str]:
    size, mark, interval = change.change.partition(" [")
    told = (change.metric, change.base, change.head, size, f"{mark}{interval}", change.limit)
    metric, base, head, size, interval, limit = (_unbroken(text) for text in told)
    name = f"{sign_of(change.verdict)} **{metric}**, {one_line(change.label, SHORT)}"
    return [f"{name}{others}", base, head, f"**{size}** {interval}".strip(), limit]


def _unbroken(text: str) -> str:
    """Keep a number and its unit on one line."""
    return one_line(text, SHORT).replace(" ", "\N{NO-BREAK SPACE}")


def reason_lines(judgement: RunVerdict, verdicts: Collection[Verdict]) -> list[str]:
    """Return why cells have one of some verdicts; those of one reason share a line."""
    labels: dict[tuple[Verdict, str], list[str]] = {}
    for cell in sorted(judgement.cells, key=lambda cell: WORST_FIRST.index(cell.verdict)):
        if cell.verdict in verdicts:
            key = cell.verdict, one_line(cell.reason)
            labels.setdefault(key, []).append(one_line(cell.label))
    return [
        f"- {sign_of(verdict)} **{phrases.cells_named(named)}** {escaped(verdict.value)}: {reason}"
        for (verdict, reason), named in labels.items()
    ]


def whole_cells(judgement: RunVerdict) -> str:
    """Return the cells that no row of a metric shows: failed as a whole, or not comparable."""
    failed = [_failed_line(cause) for cause in causes(judgement) if not cause.metric]
    if len(failed) == 1:  # the heading says it
        failed = []
    return left_out_lines([*failed, *reason_lines(judgement, UNCOMPARED)], SHARE, "cells")


def _failed_line(cause: Cause) -> str:
    labels = [one_line(cell.label) for cell in cause.cells]
    return f"- {BAD} **{phrases.cells_named(labels)}**: {one_line(cause.sentence)}"


def moved_too(judgement: RunVerdict) -> str:
    """Return, for each cause that counts, the stage that moved and what moved with it."""
    told = [each for each in causes(judgement) if each.blocking and each.metric]
    rest = [(each, _further(each)) for each in told]
    return _shortened(
        [
            f"- **{one_line(short_name(each.metric))}**: {one_line(text[:1].lower() + text[1:])}"
            for each, text in rest
            if text
        ]
    )


def _further(cause: Cause) -> str:
    """Return what a cause says beside its size; of other words also what is heard."""
    text = cause.sentence.removeprefix(cause.size).lstrip(":. ")
    heard = [each for each in cause.cells[0].remarks if each.kind is RemarkKind.HEARD]
    words = (
        heard[0].facts if heard and phrases.base_metric(cause.metric) in phrases.ERROR_RATES else ()
    )
    return ". ".join(filter(None, (", ".join(words), text)))


def hear(judgement: RunVerdict, page: str) -> str:
    """Return links that play the old voice and the new one, the worst utterance first."""
    if not page:
        return ""
    place = page.partition("#")[0]
    worst = [each for each in utterances_to_hear(judgement) if ADDRESSED.fullmatch(each)]
    links = [f"[{escaped(each)}]({place}#u={each})" for each in worst[:ROWS_OF_CAUSE]]
    if not links:
        return f"{SOUND} [Hear the old voice and the new]({place}#listen)"
    return f"{SOUND} **Hear the old voice and the new:** {', '.join(links)}"


def utterances_to_hear(judgement: RunVerdict) -> tuple[str, ...]:
    """Return the broken utterances, then the worst one of each quality that regressed."""
    broken = [cell for cell in judgement.cells if cell.verdict in BROKEN]
    metrics = filter(_breaks, chain.from_iterable(cell.metrics for cell in broken))
    spreads = [each.comparison.spread for each in metrics if each.comparison is not None]
    worst = [each.worst for each in spreads if each is not None]
    return tuple(dict.fromkeys((*heard_first(broken), *worst)))


def picture(judgement: RunVerdict) -> str:
    """
    Return the shifts as a picture in characters, each on the scale of its limit, the worst first:
    `nfe=8 latency_p50  ·······│·······┊··├●┤··  +10.0 %`. Empty where nothing moved.
    """
    every = sorted(_pictured(judgement.cells), key=lambda each: -each.size)
    moved = [each for each in every if abs(each.size) >= SEEN]
    shown = moved[:PICTURED]
    if not shown:
        return ""
    title = ("", "better".ljust(HALF) + "0" + "limit".rjust(round(HALF / REACH) + 2), "change")
    drawing = plain_columns([title, *(each.texts for each in shown)], left=(0, 1))
    more = len(every) - len(shown)
    rest = f"\n\n{more} more metrics moved less." if more else ""
    return "\n".join(["```text", *drawing, f"```{rest}"])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drawn:
    """One row of the picture."""

    size: float
    """As a multiple of the limit, + is worse."""
    texts: tuple[str, str, str]


def _pictured(cells: Iterable[CellVerdict]) -> Iterator[_Drawn]:
    for cell in cells:
        for metric in cell.metrics:
            size, told = over_limit(metric), told_shift(metric)
            if not metric.blocking or told is None or size is None or not told.limit:
                continue
            if told.size and math.isfinite(size):
                one = " of one" if told.utterance else ""
                name = f"{_bare(cell.label)} {_bare(metric.metric)}{one}"
                drawn = _drawn(told.comparison, told.limit)
                yield _Drawn(size=size, texts=(name, drawn, _bare(told.size)))


def _drawn(comparison: Comparison, limit: float) -> str:
    """Draw a shift and its interval on an axis that ends at `REACH` times the limit."""
    shift = comparison.shift or 0.0
    farther = -1.0 if shift < 0.0 else 1.0
    turned = {"lower": 1.0, "higher": -1.0, "neither": farther}[comparison.better] / limit
    ends = [shift if each is None else each for each in (comparison.low, comparison.high)]
    low, high = sorted(_place(each * turned) for each in ends)
    point = _place(shift * turned)
    line = ["·"] * (2 * HALF + 1)
    line[HALF], line[_place(1.0)] = "│", "┊"
    line[low : high + 1] = ["┼" if each == "┊" else "─" for each in line[low : high + 1]]
    if low < point:
        line[low] = "├"
    if high > point:
        line[high] = "┤"
    line[point] = "●"
    return "".join(line)


def _place(multiple: float) -> int:
    return HALF + round(max(-REACH, min(REACH, multiple)) / REACH * HALF)


def _bare(text: str) -> str:
    """Make a stranger's text stand for itself in a block of code, which a backtick would end."""
    short = plain(text).replace("`", "'")
    return short if len(short) <= CODE else f"{short[:CODE]}…"
