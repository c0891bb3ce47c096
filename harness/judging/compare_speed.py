"""
Speed metrics against a baseline: process against process.

Processes are unpaired against a stored baseline, and paired round by round where both sides were
measured in turns. Decides nothing, knows no limit.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from harness import statistics
from harness.analysis.grouping import by_process, relative, usual_of
from harness.analysis.metric_rules import RELATIVE, STATISTICS
from harness.judging.shift import empty_comparison, with_shift
from harness.records.measurement import Measurement, Missing, UtteranceValue
from harness.records.verdict import Comparison

MATCHED = "latency_p50"
"""
The shift of the median latency is the median of the ratios of the same request (where both sides
were measured in turns, at the same time): a median over requests of unlike length would rest on the
two in the middle.
"""
Priors = tuple[statistics.Prior, statistics.Prior]
"""Of the baseline's side and of ours; the same twice for pairs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """The values of one speed metric of one cell, one group per process on either side."""

    before: Sequence[statistics.Group]
    now: Sequence[statistics.Group]
    statistic: statistics.Statistic | None
    """None: pairs, matched value by value."""
    paired: bool


def compare_speed(
    cell: str, now: Measurement, before: Measurement, speed: tuple[Pairing, Priors] | None
) -> Comparison:
    """Compare one speed metric of one cell; without a pairing there is no shift."""
    empty = empty_comparison(
        cell,
        now,
        before.summary,
        now.summary,
        *(sum(map(_is_number, each.values)) for each in (now, before)),
    )
    if speed is None:
        return empty
    pairing, priors = speed
    groups_before, groups, statistic = pairing.before, pairing.now, pairing.statistic
    if pairing.paired:
        shift = statistics.paired_shift(groups_before, groups, statistic, prior=priors[0])
        return with_shift(
            replace(empty, detail=f"{len(groups)} pairs of processes"), shift, absolute=False
        )
    assert statistic is not None, "only pairs are matched value by value"
    shift = statistics.shift(groups_before, groups, statistic, priors=priors)
    return with_shift(
        replace(empty, detail=f"{len(groups)} processes against {len(groups_before)}"),
        shift,
        absolute=False,
    )


def pairings_of(
    current: Mapping[str, Measurement], stored: Mapping[str, Measurement], paired: bool
) -> dict[str, Pairing]:
    """Group the values of every speed metric that has values on both sides."""
    if paired:  # all of them first: some are grouped by the values of another
        both = {
            name: matched(stored[name], now)
            for name, now in current.items()
            if name in STATISTICS and name in stored
        }
        stored = {**stored, **{name: before for name, (before, _) in both.items()}}
        current = {**current, **{name: now for name, (_, now) in both.items()}}
    found = {}
    for name, now in current.items():
        before = stored.get(name)
        if (
            name not in STATISTICS
            or before is None
            or isinstance(now.summary, Missing)
            or isinstance(before.summary, Missing)
        ):
            continue
        if name in RELATIVE and not paired:
            before, now = (relative(each, usual_of(before)) for each in (before, now))
        sides = by_process(before, stored), by_process(now, current)
        if all(sides):
            statistic = None if paired and name == MATCHED else STATISTICS[name]
            found[name] = Pairing(before=sides[0], now=sides[1], statistic=statistic, paired=paired)
    return found


def priors_of(cells: Sequence[Mapping[str, Pairing]], paired: bool) -> dict[str, Priors]:
    """
    Learn from all cells together how much processes (or rounds) differ, by metric: of the
    baseline's side and of ours.
    """
    found = {}
    for name in {name for cell in cells for name in cell}:
        several = [cell[name] for cell in cells if name in cell]
        if paired:
            prior = statistics.prior_of(
                [statistics.log_ratios(each.before, each.now, each.statistic) for each in several]
            )
            found[name] = (prior, prior)
        else:
            statistic = STATISTICS[name]
            sides = ([each.before for each in several], [each.now for each in several])
            before, now = (
                statistics.prior_of(
                    [statistics.log_statistics(groups, statistic) for groups in side]
                )
                for side in sides
            )
            found[name] = (before, now)
    return found


def matched(before: Measurement, now: Measurement) -> tuple[Measurement, Measurement]:
    """
    Put the values of both sides in the same order, by round, request and lap; what one side lacks
    (interrupted, disturbed) is left out on the other too, so that both did the same work.
    """
    sides = [_by_place(each) for each in (before, now)]
    places = sorted(sides[0].keys() & sides[1].keys())
    old, new = (
        replace(each, values=tuple(side[p] for p in places))
        for each, side in zip((before, now), sides, strict=True)
    )
    return old, new


def _by_place(measurement: Measurement) -> dict[tuple[int, str, int], UtteranceValue]:
    """Index values by round, request and lap."""
    laps: Counter[tuple[int, str]] = Counter()
    found: dict[tuple[int, str, int], UtteranceValue] = {}
    for each in measurement.values:
        place = (each.repeat, each.id)
        if _is_number(each):
            found[(*place, laps[place])] = each
        laps[place] += 1
    return found


def _is_number(value: UtteranceValue) -> bool:
    return isinstance(value.value, float)
