"""
The worst utterances as text: how a quality spreads over a cell, and which utterances to hear first.

Reads the records of verdicts and decides nothing. Needs the standard library alone, so that a
comment on a pull request can be written without anything installed.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest

from voxgate.harness.judging.causes import merged_causes
from voxgate.harness.records.verdict import CellVerdict, MetricVerdict, Verdict
from voxgate.harness.report.format import escaped, plain, shown_value

HEARD_FIRST = 8
"""Utterances of a cell that are listed."""
METRICS = 3
"""Of an utterance that are listed."""
ADDRESSED = re.compile(r"[a-z0-9_-][a-z0-9._-]{0,99}")
"""An utterance that can stand in an address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenUtterance:
    """One utterance that is broken by itself, and what of it: `pesq 3.81 -> 1.20`, worst first."""

    id: str
    changes: tuple[str, ...]

    def __str__(self) -> str:
        more = len(self.changes) - METRICS
        return ", ".join(self.changes[:METRICS]) + (f" and {more} more" if more > 0 else "")


def spread_text(metric: MetricVerdict) -> str:
    """Return how a quality spreads: `p5 2.91, p95 3.42, worst 2.10 (u017)`; empty of a speed."""
    comparison = metric.comparison
    if comparison is None or comparison.spread is None:
        return ""
    spread, name, unit = comparison.spread, metric.metric, comparison.unit
    p5, p95, worst = (
        shown_value(name, unit, value) for value in (spread.p5, spread.p95, spread.value)
    )
    word = "farthest" if comparison.better == "neither" else "worst"
    return f"p5 {p5}, p95 {p95}, {word} {worst} ({plain(spread.worst)})"


def spread_lines(cell: CellVerdict) -> tuple[str, ...]:
    """Return how the qualities spread that tell what regressed, one line each."""
    telling = [cause.worst for cause in merged_causes((cell,)) if cause.blocking]
    told = [(metric.metric, spread_text(metric)) for metric in telling]
    return tuple(f"{name} now: {text}" for name, text in told if text)


def broken_utterances(cell: CellVerdict) -> tuple[BrokenUtterance, ...]:
    """Return the utterances of a cell that are beyond the limit of one, the worst first."""
    found: dict[str, list[tuple[float, str]]] = {}
    for metric in cell.metrics:
        for each in metric.utterances:
            excess = each.worse / metric.worst if metric.worst else 0.0
            found.setdefault(each.id, []).append((excess, _change(metric, each.before, each.now)))
    ordered = sorted(found.items(), key=lambda pair: -max(pair[1])[0])
    return tuple(_broken(name, held) for name, held in ordered)


def _broken(name: str, held: Sequence[tuple[float, str]]) -> BrokenUtterance:
    return BrokenUtterance(id=name, changes=tuple(text for _, text in sorted(held, reverse=True)))


def _change(metric: MetricVerdict, before: float, now: float) -> str:
    unit = "" if metric.comparison is None else metric.comparison.unit
    old, new = (shown_value(metric.metric, unit, value) for value in (before, now))
    return f"{metric.metric} {old} → {new}"


def worst_heard(cell: CellVerdict) -> tuple[str, ...]:
    """
    Return the utterances of a cell that tell its change best: the broken ones, then those that are
    worse in what regressed (what blocks first), the worst first.
    """
    regressed = [each for each in cell.metrics if each.verdict is Verdict.REGRESSED]
    regressed.sort(key=lambda each: not each.blocking)
    compared = [each.comparison for each in regressed if each.comparison is not None]
    worse = [change.id for each in compared for change in each.changes if change.worse > 0.0]
    lowest = [each.spread.worst for each in compared if each.spread is not None]
    broken = [each.id for each in broken_utterances(cell)]
    return tuple(dict.fromkeys([*broken, *worse[:HEARD_FIRST], *lowest]))


def red_cells(cells: Iterable[CellVerdict]) -> Mapping[str, tuple[str, ...]]:
    """
    Return the cells that failed or regressed with the utterances of each to hear first: slug ->
    ids; cells whose quality is worse stand first.
    """
    red = [cell for cell in cells if cell.verdict in (Verdict.FAILED, Verdict.REGRESSED)]
    found = {cell.cell: worst_heard(cell) for cell in red}
    return dict(sorted(found.items(), key=lambda pair: not pair[1]))


def heard_first(cells: Sequence[CellVerdict]) -> tuple[str, ...]:
    """
    Return the ids of the utterances to hear first, each once: the worst of every red cell, then
    the second of each, and last the broken ones of other cells.
    """
    worst = chain.from_iterable(zip_longest(*red_cells(cells).values()))
    broken = (each.id for each in chain.from_iterable(map(broken_utterances, cells)))
    return tuple(dict.fromkeys(name for name in chain(worst, broken) if name is not None))


def comment_lines(cells: Sequence[CellVerdict], page: str) -> list[str]:
    """
    Return a Markdown line per cell with broken utterances, each linked to its place on the page
    that holds both voices, where there is one.
    """
    broken = [(cell.label, broken_utterances(cell)) for cell in cells]
    return [f"- {escaped(plain(label))}: {_listed(few, page)}" for label, few in broken if few]


def _listed(few: Sequence[BrokenUtterance], page: str) -> str:
    shown = [f"{_linked(each.id, page)} {escaped(str(each))}" for each in few[:HEARD_FIRST]]
    more = [f"and {len(few) - HEARD_FIRST} more"] if len(few) > HEARD_FIRST else []
    return "; ".join([*shown, *more])


def _linked(name: str, page: str) -> str:
    if not page or ADDRESSED.fullmatch(name) is None:
        return escaped(plain(name))
    return f"[{escaped(name)}]({page.partition('#')[0]}#u={name})"
