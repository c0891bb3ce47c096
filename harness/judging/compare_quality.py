"""
Compare quality metrics with a baseline: utterance against utterance, paired by request id. Decides
nothing, knows no limit.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from voxgate.harness import statistics
from voxgate.harness.analysis.metric_rules import WEIGHTS
from voxgate.harness.judging.shift import empty_comparison, with_shift
from voxgate.harness.metrics.registry import base_name
from voxgate.harness.records.measurement import (
    Better,
    Measurement,
    Missing,
    Value,
    is_hidden,
    kind_of,
    values_by_id,
)
from voxgate.harness.records.verdict import Comparison, UtteranceChange

INAUDIBLE_DB = 60.0
"""
Ratios in dB are capped at this value. A difference 60 dB below the speech lies under the noise of a
quiet room and is masked by the speech itself. Differences beyond it (exact on the machine of the
baseline, 90 dB on a CPU that adds in another order, about 90 dB after rounding to 16 bits) are
arithmetic and not sound.
"""
RATIOS = (
    "wer",
    "cer",
    "wer_macro",
    "cer_macro",
    "wer_verbatim",
    "duration",
    "chars_per_s",
    "speech_rate",
)
"""
Quality metrics whose shift is a share of the baseline: rates of errors, durations and paces, read
and limited in percent.

The shift of every other one is a difference in its own unit. Decibels, loudness, cents and
semitones are logarithms already. Event rates, counts, shares and times of silence are zero in good
audio, where any fault would be an infinite ratio. Opinion scores, intelligibility, similarities and
correlations lie on scales with ends and no meaningful zero: 5 % of a poor score is less than of a
good one, though a listener hears the same step. Of plug-ins' metrics only the unit is known.
"""


def compare_quality(
    cell: str, now: Measurement, before: Measurement, weights: Mapping[str, float] | None
) -> Comparison:
    """
    Compare over the utterances that have a value on both sides: their mean, and each with itself.
    If one lost its value, the current side is Missing, unless noise hides it: then the others are
    compared, as far as there are any.
    """
    compared = _compare_means(cell, now, before, weights)
    return replace(compared, changes=utterance_changes(now, before))


def utterance_changes(now: Measurement, before: Measurement) -> tuple[UtteranceChange, ...]:
    """
    Return the change of each utterance that has a value on both sides, the worst first. Of several
    takes of an utterance, the worst on each side counts, and what the takes of the baseline differ
    by among themselves is no change.
    """
    old, new = values_by_id(before.values), values_by_id(now.values)
    cap = INAUDIBLE_DB if now.unit == "dB" else math.inf
    changes = [
        _utterance_change(name, takes, new[name], now.better, cap)
        for name, takes in old.items()
        if name in new
    ]
    return tuple(sorted(changes, key=lambda change: -change.worse))


def _utterance_change(
    name: str, before: Sequence[float], now: Sequence[float], better: Better, cap: float
) -> UtteranceChange:
    """Compare the worst takes; where neither direction is better, both the least and the most."""
    rising = UtteranceChange(id=name, before=max(before), now=max(now), worse=0.0)
    falling = UtteranceChange(id=name, before=min(before), now=min(now), worse=0.0)
    spread = min(max(before), cap) - min(min(before), cap)
    candidates = [
        replace(each, worse=sign * (min(each.now, cap) - min(each.before, cap)) - spread)
        for each, sign, skipped in ((rising, 1.0, "higher"), (falling, -1.0, "lower"))
        if better != skipped
    ]
    return max(candidates, key=lambda each: each.worse)


def _compare_means(
    cell: str, now: Measurement, before: Measurement, weights: Mapping[str, float] | None
) -> Comparison:
    counts = len(now.values), len(before.values)
    old, new = numeric_values(before), numeric_values(now)
    hidden = {value.id for value in now.values if is_hidden(value.value)}
    names = [name for name in old if name in new]
    missing = [name for name in old if name not in new and (name not in hidden or not names)]
    if missing:
        return empty_comparison(cell, now, _value(before, old), _why_lost(missing, now), *counts)
    if not names:
        return empty_comparison(cell, now, before.summary, now.summary, *counts)
    old = {name: old[name] for name in names}
    if weights is not None:
        return _compare_rate(cell, now, before, weights)
    cap = INAUDIBLE_DB if now.unit == "dB" else math.inf
    difference = statistics.paired_bootstrap(
        [min(new[name], cap) - min(old[name], cap) for name in names]
    )
    detail = (
        ""
        if len(names) == len(now.values)
        else f"{len(names)} of {len(now.values)} utterances have a value on both sides"
    )
    values = _value(before, old), _value(now, {name: new[name] for name in names})
    return scaled(
        empty_comparison(cell, now, *values, *counts, detail=detail),
        difference,
        sum(old.values()) / len(old),
    )


def _compare_rate(
    cell: str, now: Measurement, before: Measurement, word_counts: Mapping[str, float]
) -> Comparison:
    """Compare two corpus rates over the same utterances, each weighted by its words."""
    counts = len(now.values), len(before.values)
    old, new = numeric_values(before), numeric_values(now)
    weights = {name: word_counts[name] for name in old if name in word_counts}
    total = sum(weights.values())
    if len(weights) < len(old) or total <= 0.0:
        return empty_comparison(
            cell,
            now,
            before.summary,
            Missing(f"no {WEIGHTS[now.metric]}; score the run again"),
            *counts,
        )
    difference = statistics.paired_rate_difference(
        [old[n] for n in weights], [new[n] for n in weights], list(weights.values())
    )
    base, rate = (_weighted_mean(side, weights) for side in (old, new))
    detail = f"{rate * total:.0f} errors in {total:.0f}, {base * total:.0f} in the baseline"
    return scaled(empty_comparison(cell, now, base, rate, *counts, detail=detail), difference, base)


def _weighted_mean(values: Mapping[str, float], weights: Mapping[str, float]) -> float:
    weighted = sum(values[name] * weight for name, weight in weights.items())
    return weighted / sum(weights.values())


def scaled(
    comparison: Comparison, difference: statistics.Shift, base: float, chance: float | None = None
) -> Comparison:
    """
    Add a difference: in its own unit, or relative to the baseline's mean (a constant here) for
    ratio metrics. `chance` is the spread of takes.
    """
    absolute = base <= 0.0 or base_name(comparison.metric) not in RATIOS
    scale = 1.0 if absolute else base
    low, high, at_least, at_most = (
        None if bound is None else bound / scale
        for bound in (difference.low, difference.high, difference.at_least, difference.at_most)
    )
    shift = statistics.Shift(
        point=difference.point / scale, low=low, high=high, at_least=at_least, at_most=at_most
    )
    own = None if chance is None or not math.isfinite(chance) else chance / scale
    return replace(with_shift(comparison, shift, absolute=absolute), chance=own)


def numeric_values(measurement: Measurement) -> dict[str, float]:
    """Return the values that are numbers, by request."""
    return {value.id: value.value for value in measurement.values if isinstance(value.value, float)}


def _value(side: Measurement, values: Mapping[str, float]) -> Value:
    """Return the summary, or the mean of the known values where gaps left none."""
    return sum(values.values()) / len(values) if isinstance(side.summary, Missing) else side.summary


def _why_lost(missing: Sequence[str], now: Measurement) -> Missing:
    gaps = {value.id: value.value for value in now.values if isinstance(value.value, Missing)}
    causes = [gaps.get(name, Missing("not measured")) for name in missing]
    reason = causes[0].reason
    if len(missing) < len(now.values):
        reason = f"{len(missing)} of {len(now.values)} utterances, {missing[0]}: {reason}"
    return Missing(reason, kind_of(causes))
