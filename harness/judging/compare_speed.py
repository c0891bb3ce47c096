"""
Compare speed metrics with a baseline: process against process.

Processes are unpaired against a stored baseline, and paired round by round where both sides were
measured in turns. Decides nothing, knows no limit.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from voxgate.harness import statistics
from voxgate.harness.analysis.grouping import by_process, relative_to_typical, typical_values
from voxgate.harness.analysis.metric_rules import RELATIVE, STATISTICS
from voxgate.harness.judging.shift import empty_comparison, with_shift
from voxgate.harness.records.measurement import Measurement, Missing, UtteranceValue
from voxgate.harness.records.verdict import Comparison

MATCHED = "latency_p50"
"""
Latency p50 is compared request by request where both sides were measured in turns: the shift is the
median of the per-request ratios. A ratio of medians would depend only on the two requests of middle
length.
"""
Priors = tuple[statistics.Prior, statistics.Prior]
"""Of the baseline's processes and of the run's; the same twice for pairs."""


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
        *(sum(map(_is_number, side.values)) for side in (now, before)),
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
    pairings = {}
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
            before, now = (
                relative_to_typical(side, typical_values(before)) for side in (before, now)
            )
        sides = by_process(before, stored), by_process(now, current)
        if all(sides):
            statistic = None if paired and name == MATCHED else STATISTICS[name]
            pairings[name] = Pairing(
                before=sides[0], now=sides[1], statistic=statistic, paired=paired
            )
    return pairings


def priors_of(cells: Sequence[Mapping[str, Pairing]], paired: bool) -> dict[str, Priors]:
    """
    Estimate from all cells together how much processes (or rounds) differ, by metric: for the
    baseline and for the run.
    """
    priors: dict[str, Priors] = {}
    for name in set[str]().union(*cells):
        pairings = [cell[name] for cell in cells if name in cell]
        priors[name] = _paired_priors(pairings) if paired else _unpaired_priors(name, pairings)
    return priors


def _paired_priors(pairings: Sequence[Pairing]) -> Priors:
    ratios = [statistics.log_ratios(pair.before, pair.now, pair.statistic) for pair in pairings]
    prior = statistics.prior_of(ratios)
    return prior, prior


def _unpaired_priors(name: str, pairings: Sequence[Pairing]) -> Priors:
    def prior(sides: Sequence[Sequence[statistics.Group]]) -> statistics.Prior:
        statistic = STATISTICS[name]
        return statistics.prior_of([statistics.log_statistics(side, statistic) for side in sides])

    return prior([pair.before for pair in pairings]), prior([pair.now for pair in pairings])


def matched(before: Measurement, now: Measurement) -> tuple[Measurement, Measurement]:
    """
    Return both sides with their values in the same order: by round, request and pass. A value that
    one side lacks (interrupted, disturbed) is left out on the other too, so that both did the same
    work.
    """
    sides = [_by_place(side) for side in (before, now)]
    places = sorted(sides[0].keys() & sides[1].keys())
    old, new = (tuple(map(side.__getitem__, places)) for side in sides)
    return replace(before, values=old), replace(now, values=new)


def _by_place(measurement: Measurement) -> dict[tuple[int, str, int], UtteranceValue]:
    """Index values by round, request and pass."""
    passes: Counter[tuple[int, str]] = Counter()
    indexed: dict[tuple[int, str, int], UtteranceValue] = {}
    for value in measurement.values:
        place = (value.repeat, value.id)
        if _is_number(value):
            indexed[value.repeat, value.id, passes[place]] = value
        passes[place] += 1
    return indexed


def _is_number(value: UtteranceValue) -> bool:
    return isinstance(value.value, float)
