"""
Compare a quality of a cell that samples with its baseline: the takes of each text then, and the
takes now. Decides nothing, knows no limit.

Two takes are two performances, and differ. What is compared are two sets of them: over texts, with
takes nested in each, and against the spread that the takes themselves show (`statistics/takes.py`).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from voxgate.harness import statistics
from voxgate.harness.analysis.metric_rules import WEIGHTS
from voxgate.harness.judging.compare_quality import INAUDIBLE_DB, scaled
from voxgate.harness.judging.shift import empty_comparison
from voxgate.harness.records.measurement import (
    Measurement,
    Missing,
    UtteranceValue,
    is_hidden,
    kind_of,
    values_by_id,
)
from voxgate.harness.records.verdict import Comparison, UtteranceChange


def has_takes(*sides: Measurement) -> bool:
    """Whether a side has several values of one utterance."""
    return any(len(values_by_id(side.values)) < _count(side) for side in sides)


def _count(side: Measurement) -> int:
    return sum(isinstance(value.value, float) for value in side.values)


def compare_takes(
    cell: str,
    now: Measurement,
    before: Measurement,
    weights: Mapping[str, float] | None,
    *,
    bounded: bool = True,
) -> Comparison:
    """
    Compare over the utterances that have values on both sides, all together and each with itself.
    If one lost its values, or some of them, the current side is Missing, unless noise hides them:
    then the others are compared, as far as there are any. Without `bounded` the shift has no
    interval.
    """
    compared = _compare_sets(cell, now, before, weights, bounded=bounded)
    return replace(compared, changes=_gaps(now, before))


def _compare_sets(
    cell: str,
    now: Measurement,
    before: Measurement,
    weights: Mapping[str, float] | None,
    *,
    bounded: bool,
) -> Comparison:
    counts = len(now.values), len(before.values)
    old, new = values_by_id(before.values), values_by_id(now.values)
    missing = [value for value in now.values if isinstance(value.value, Missing)]
    hidden = {value.id for value in missing if is_hidden(value.value)}
    names = [name for name in old if name in new]
    gaps = [value for value in missing if value.id in old and not (names and value.id in hidden)]
    lost = [name for name in old if name not in new and not (names and name in hidden)]
    if gaps or lost:
        return empty_comparison(cell, now, before.summary, _why_lost(gaps, lost), *counts)
    if not names:
        return empty_comparison(cell, now, before.summary, now.summary, *counts)
    old = {name: old[name] for name in names}
    words = None if weights is None else [weights.get(name, 0.0) for name in old]
    if words is not None and sum(words) <= 0.0:
        no_words = Missing(f"no {WEIGHTS[now.metric]}; score the run again")
        return empty_comparison(cell, now, before.summary, no_words, *counts)
    then, current = (_capped([side[name] for name in old], now.unit) for side in (old, new))
    found = statistics.takes_shift(then, current, words, bounded=bounded)
    base, mean = _mean(then, words), _mean(current, words)
    empty = empty_comparison(cell, now, base, mean, *counts, detail=_detail(then, current))
    return scaled(empty, found.shift, base, found.spread)


def _gaps(now: Measurement, before: Measurement) -> tuple[UtteranceChange, ...]:
    """
    Return the gap between the takes of each utterance then and now, the worst first: the best take
    now against the worst take then. A single bad take is chance, and opens none.
    """
    cap = INAUDIBLE_DB if now.unit == "dB" else math.inf
    old, new = values_by_id(before.values), values_by_id(now.values)
    changes: list[UtteranceChange] = []
    for name in filter(new.__contains__, old):
        rising, falling = (max(old[name]), min(new[name])), (min(old[name]), max(new[name]))
        sides = {"lower": (rising,), "higher": (falling,), "neither": (rising, falling)}
        gaps = {
            (1.0 if pair is rising else -1.0) * (min(pair[1], cap) - min(pair[0], cap)): pair
            for pair in sides[now.better]
        }
        worse = max(gaps)
        then, current = gaps[worse]
        changes.append(UtteranceChange(id=name, before=then, now=current, worse=worse))
    return tuple(sorted(changes, key=lambda change: -change.worse))


def _capped(takes: Sequence[Sequence[float]], unit: str) -> list[np.ndarray]:
    cap = INAUDIBLE_DB if unit == "dB" else math.inf
    return [np.minimum(np.asarray(each, dtype=np.float64), cap) for each in takes]


def _mean(takes: Sequence[np.ndarray], words: Sequence[float] | None) -> float:
    return float(np.average([each.mean() for each in takes], weights=words))


def _detail(before: Sequence[np.ndarray], now: Sequence[np.ndarray]) -> str:
    old, new = (round(sum(map(len, side)) / len(side)) for side in (before, now))
    return f"{new} takes of each of {len(now)} texts, {old} in the baseline"


def _why_lost(gaps: Sequence[UtteranceValue], lost: Sequence[str]) -> Missing:
    causes = [value.value for value in gaps if isinstance(value.value, Missing)]
    if not causes:
        return Missing(f"{len(lost)} utterances, {lost[0]}: not measured")
    return Missing(f"{len(gaps)} takes, one of {gaps[0].id}: {causes[0].reason}", kind_of(causes))
