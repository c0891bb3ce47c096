"""
Budgets: the highest or lowest acceptable value of a metric, independent of its past.

Reads `baselines/budgets.toml`, which is reviewed like a baseline, and is strict: a line that can
never apply (unknown key or metric, wrong direction) is refused. Knows no trend; decides only
whether values keep a budget.

Margins: the least shift that matters in a trend, as a share of the policy's limit, so that one file
alone defines limits. Knows no series and decides nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from types import MappingProxyType

import numpy as np

from voxgate.harness.analysis.metric_rules import is_known
from voxgate.harness.errors import HarnessError
from voxgate.harness.history.records import Array, Series
from voxgate.harness.history.series import Nights
from voxgate.harness.metrics.registry import known_metrics
from voxgate.harness.records.documents import read_toml
from voxgate.harness.records.verdict import Limit

SCHEMA_VERSION = 1
"""Of budgets.toml. History: 1, 2026-11, first."""
FILE = "budgets.toml"
KEYS = ("suite", "cell", "metric", "machine", "at_most", "at_least", "why")
LARGEST = 1e300
"""Of a bound: beyond, whole numbers no longer fit into a float."""
LAST = 4
"""
Nights of which more than half must break the budget: three of four, as for an alarm, so that a bad
night does not break it. Of one or two nights all must, since a new cell over its budget is over it
from its first night on.
"""
NONE: Mapping[str, str] = MappingProxyType({})
WRONG_WAY = {"lower": "at_least", "higher": "at_most"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """
    One line of budgets.toml. `suite`, `cell` and `machine` are patterns (`fnmatch`); `metric` is a
    name.

    Exactly one of `at_most` and `at_least` is set, in the metric's base unit (s, bytes; a share for
    WER).
    """

    suite: str
    cell: str
    metric: str
    machine: str
    at_most: float | None
    at_least: float | None
    why: str

    @property
    def name(self) -> str:
        """Return the budget's name as in its file."""
        where = "" if self.machine == "*" else f" on {self.machine}"
        return f"{self.suite} / {self.cell} / {self.metric}{where} {self.bound}"

    @property
    def bound(self) -> str:
        """Return the limit as text: `at most 0.3`."""
        return (
            f"at least {self.at_least:g}" if self.at_most is None else f"at most {self.at_most:g}"
        )

    def holds(self, series: Series) -> bool:
        """Whether the budget applies to this series."""
        patterns = (
            (series.suite, self.suite),
            (series.cell, self.cell),
            (series.machine, self.machine),
        )
        return series.metric == self.metric and all(
            fnmatchcase(name, pattern) for name, pattern in patterns
        )

    def excess(self, value: float) -> float:
        """
        Return by how much a value breaks the budget, in the metric's unit; negative where it keeps
        it.
        """
        return value - self.at_most if self.at_most is not None else (self.at_least or 0.0) - value


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """
    A budget broken since a UTC day; `value` is the median of the newest nights, in the metric's
    unit.
    """

    budget: Budget
    since: str
    value: float


def load_budgets(baselines_dir: Path, imported: Mapping[str, str] = NONE) -> tuple[Budget, ...]:
    """
    Load `baselines_dir/budgets.toml`; without the file there are no budgets.

    `imported` are the metrics of other tools in the history, with their better direction; they may
    have budgets too. Raises HarnessError naming the file, the entry and the key of a fault.
    """
    path = baselines_dir / FILE
    if not path.exists():
        return ()
    data = read_toml(path, "the budgets")
    version, entries = data.get("schema_version"), data.get("budget", [])
    if version != SCHEMA_VERSION:
        raise HarnessError(
            f"{path}: schema_version is {version!r}, this voxgate reads {SCHEMA_VERSION}; correct "
            "it or upgrade"
        )
    unknown = sorted(set(data) - {"schema_version", "budget"})
    if unknown or not isinstance(entries, list):
        raise HarnessError(
            f"{path}: expected [[budget]] entries beside schema_version, found "
            f"{', '.join(unknown) or 'none'}"
        )
    return tuple(
        _budget(f"{path}: budget {number}", entry, imported)
        for number, entry in enumerate(entries, 1)
    )


def broken_by(budgets: Iterable[Budget], nights: Nights) -> Broken | None:
    """
    Return the budget that more than half of the newest nights break, the most exceeded one; None if
    all are kept.
    """
    checked = [_broken(budget, nights) for budget in budgets]
    broken = [verdict for verdict in checked if verdict is not None]
    return max(broken, key=lambda verdict: verdict.budget.excess(verdict.value), default=None)


def unmatched(budgets: Iterable[Budget], series: Sequence[Series]) -> tuple[str, ...]:
    """Return, a line each, the budgets that apply to no series: they guard nothing."""
    idle = [budget for budget in budgets if not any(map(budget.holds, series))]
    return tuple(
        f"budget {budget.name} matches no series of the history; correct it in {FILE} or measure "
        "the cell"
        for budget in idle
    )


def _broken(budget: Budget, nights: Nights) -> Broken | None:
    over = np.array([budget.excess(float(value)) > 0.0 for value in nights.values], dtype=bool)
    broken = [
        2 * over[max(0, end - LAST) : end].sum() > min(end, LAST) for end in range(1, len(over) + 1)
    ]
    if not any(broken[-1:]):
        return None
    kept = np.flatnonzero(~np.array(broken))
    turned = int(kept[-1]) + 1 if len(kept) else 0
    first = max(0, turned - LAST + 1)
    first += int(np.argmax(over[first:]))
    return Broken(
        budget=budget, since=str(nights.days[first]), value=float(np.median(nights.values[-LAST:]))
    )


def _budget(where: str, entry: object, imported: Mapping[str, str]) -> Budget:
    if not isinstance(entry, dict):
        raise HarnessError(f"{where} is {entry!r}; write it as a [[budget]] table")
    unknown = sorted(set(entry) - set(KEYS))
    if unknown:
        raise HarnessError(
            f"{where}: {unknown[0]}: there is no such key; known are {', '.join(KEYS)}"
        )
    suite, cell, metric, why = (
        _text(where, key, entry.get(key)) for key in ("suite", "cell", "metric", "why")
    )
    machine = _text(where, "machine", entry.get("machine", "*"))
    if not is_known(metric) and metric not in imported:
        names = ", ".join(metric_spec.name for metric_spec in known_metrics())
        others = "".join(f", {name}" for name in sorted(imported))
        raise HarnessError(
            f"{where}: there is no metric {metric!r}; known are {names}{others}, and stage.<name>"
        )
    at_most, at_least = (_number(where, key, entry.get(key)) for key in ("at_most", "at_least"))
    _check_bound(where, metric, entry, imported)
    return Budget(
        suite=suite,
        cell=cell,
        metric=metric,
        machine=machine,
        at_most=at_most,
        at_least=at_least,
        why=why,
    )


def _check_bound(
    where: str, metric: str, entry: Mapping[str, object], imported: Mapping[str, str]
) -> None:
    given = [key for key in ("at_most", "at_least") if key in entry]
    if len(given) != 1:
        raise HarnessError(
            f"{where}: found {' and '.join(given) or 'no limit'}; give exactly one of at_most and "
            "at_least"
        )
    better = next(
        (metric_spec.better for metric_spec in known_metrics() if metric_spec.name == metric),
        imported.get(metric, "lower"),
    )
    if WRONG_WAY.get(better) == given[0]:
        raise HarnessError(
            f"{where}: {given[0]} on {metric}, of which {better} is better, forbids what is good; "
            "turn it round"
        )


def _text(where: str, key: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise HarnessError(f"{where}: {key} is {value!r}; it must be text")
    return value


def _number(where: str, key: str, value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < LARGEST:
        raise HarnessError(
            f"{where}: {key} is {value!r}; it must be a number in the metric's base unit"
        )
    return float(value)


STEP = 0.2
"""
A step is dated from a fifth of the policy's limit on: 1 % of a latency (limit 5 %), 0.2 dB (limit 1
dB), 0.2 points of WER.

1 % is the night-to-night variation of unchanged code (coefficient of variation of a nightly median
on quiet machines: 0.5 to 1 %), so the date of anything smaller would be noise. Five dated steps of
this size that nobody answered make a regression beyond the limit.
"""
ALARM = 0.6
"""
An alarm needs three fifths of the policy's limit: 3 % of a latency, 0.6 dB, 0.6 points of WER.

Below the limit, as the gate's line is (0.7 of it, `judging/decide.py`), because a line at 5 % finds
a true 5 % only every other night; lower than the gate's, because three nights must agree.
`docs/how-trends-are-read.md` has the error rates.
"""
WHOLE = 1.0
"""The limit itself, against which the size of a change is told."""
RELATIVE = 0.05
DECIBELS = 1.0
"""
The limit of a metric that the policy does not know (imported ones, stages): the policy's usual
ones.
"""


def usual_limit(unit: str, *, blocking: bool) -> Limit:
    """Return the limit of a metric of another tool that the policy does not know."""
    relative, absolute = (None, DECIBELS) if unit == "dB" else (RELATIVE, None)
    return Limit(
        relative=relative,
        absolute=absolute,
        blocking=blocking,
        against="baseline",
        evidence="none",
        min_acceptable=None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Margin:
    """
    A shift matters when it exceeds both: `relative`, a share of the level, and `absolute`, in the
    metric's unit.
    """

    relative: float = 0.0
    absolute: float = 0.0

    def of(self, level: Array) -> Array:
        """Return the margin at each level, in the metric's unit."""
        return np.maximum(self.relative * np.abs(level), self.absolute)

    def at(self, level: float) -> float:
        """Return the margin at one level, in the metric's unit."""
        return max(self.relative * abs(level), self.absolute)


NO_MARGIN = Margin()


def margin_of(metric: str, unit: str, policy: Mapping[str, Limit], share: float) -> Margin:
    """
    Return `share` (STEP, ALARM, WHOLE) of the policy's limit of a metric; of the usual limit where
    the policy has no line.
    """
    limit = policy.get(metric)
    if limit is None:
        return (
            Margin(absolute=share * DECIBELS) if unit == "dB" else Margin(relative=share * RELATIVE)
        )
    return Margin(
        relative=share * (limit.relative or 0.0), absolute=share * (limit.absolute or 0.0)
    )


def shift_of(before: float, after: float, margin: Margin) -> tuple[float, bool]:
    """
    Return the shift, and whether it is a difference in the metric's unit: where the margin has no
    share, or `before` is 0.
    """
    absolute = margin.relative == 0.0 or before == 0.0
    return (after - before, True) if absolute else ((after - before) / abs(before), False)


def shift_text(shift: float, absolute: bool, unit: str) -> str:
    """Format a shift: `+6.1 %`, `-0.7 dB`."""
    return f"{shift:+.3g} {unit}".rstrip() if absolute else f"{100.0 * shift:+.1f} %"
