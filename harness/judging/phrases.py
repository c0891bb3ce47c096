"""
The short phrases of a judgement: the size of a shift, and the verdict in one line. Decides nothing.

Imports nothing but the records and the standard library, so that a job that only comments on a pull
request installs nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from voxgate.harness.records.verdict import (
    EXPLANATIONS,
    WORST_FIRST,
    CellVerdict,
    Comparison,
    Remark,
    RemarkKind,
    RunVerdict,
    UtteranceChange,
    Verdict,
)

SCALES: Mapping[str, tuple[float, str]] = MappingProxyType(
    {
        "s": (1000.0, "ms"),
        "s/s": (1.0, ""),
        "1": (1.0, ""),
        "bytes": (1 / 2**20, "MiB"),
        "1/100 calls": (100.0, "% per 100 calls"),
    }
)
"""Base unit -> what to multiply with, and the unit that is shown. A bare number has none."""
PERCENT = (100.0, "%")
POINTS = (100.0, "points")
ERROR_RATES = (
    *("wer", "cer", "wer_macro", "cer_macro", "wer_over_half", "wer_verbatim"),
    *("insertions", "deletions", "substitutions"),
)
"""Metrics whose values are shown in percent, and whose differences in percentage points."""
READINGS = ("golden_", "phone_")
"""Prefixes of the same metric read otherwise."""
UTTERANCES = 3
"""That a reason names."""
NAMES = 12
"""Of cells that share a line."""


def size(comparison: Comparison) -> str:
    """Format a shift: `+9.8 % [+8.1 +11.6]`."""
    factor, unit = scale(comparison)
    low, high = comparison.low, comparison.high
    fine = comparison.absolute
    bounds = (
        ""
        if low is None or high is None
        else f" [{_signed(low * factor, fine)} {_signed(high * factor, fine)}]"
    )
    return f"{_signed((comparison.shift or 0.0) * factor, fine)}{unit and f' {unit}'}{bounds}"


def broken_utterances(
    comparison: Comparison, broken: Sequence[UtteranceChange], worst: float, allowed: int
) -> str:
    """
    Name the utterances that are worse by more than a limit: `pesq of u017 3.81 -> 1.2, of u3 4.1 ->
    2.9 and of 2 more, limit -1 MOS for one utterance`.
    """
    named = [f"of {each.id} {each.before:.3g} -> {each.now:.3g}" for each in broken[:UTTERANCES]]
    more = len(broken) - UTTERANCES
    told = f"{', '.join(named)}{f' and of {more} more' if more > 0 else ''}"
    unit = "" if comparison.unit == "1" else f" {comparison.unit}"
    sign = {"lower": "+", "higher": "-", "neither": "+-"}[comparison.better]
    many = f", which {allowed} may exceed" if allowed else ""
    return f"{comparison.metric} {told}, limit {sign}{worst:.3g}{unit} for one utterance{many}"


def scale(comparison: Comparison) -> tuple[float, str]:
    """Return the factor and the unit in which a shift is shown."""
    if not comparison.absolute:
        return PERCENT
    factor, unit = unit_scale(comparison.metric, comparison.unit)
    return POINTS if unit == PERCENT[1] else (factor, unit)


def unit_scale(metric: str, unit: str) -> tuple[float, str]:
    """Return the factor and the unit in which a metric's values are shown."""
    base = base_metric(metric)
    if base in ERROR_RATES:
        return PERCENT
    return (1.0, unit) if base == "duration" else SCALES.get(unit, (1.0, unit))


def base_metric(metric: str) -> str:
    """Name the metric itself, without the prefixes that say how it was read."""
    for prefix in READINGS:
        metric = metric.removeprefix(prefix)
    return metric


def amount(comparison: Comparison, value: float) -> str:
    """Format the size of a shift or limit, without sign: `9.8 %`, `0.5 MOS-LQO`."""
    factor, unit = scale(comparison)
    size = abs(value) * factor
    coarse = size >= 10.0 or (not comparison.absolute and size >= 0.95)
    number = f"{size:{'.1f' if coarse else '.3g'}}".removesuffix(".0")
    return f"{number} {'point' if (number, unit) == ('1', POINTS[1]) else unit}".rstrip()


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldShift:
    """
    The change that tells a metric: that of the mean, or of the utterance that alone broke the limit
    of one. `size`, `limit_size` and `limit_line` are its texts in every format.
    """

    comparison: Comparison
    """Its two values are those of the utterance where there is one, and it then has no interval."""
    limit: float | None
    utterance: str = ""
    """Empty where the mean tells it."""

    def named(self, metric: str) -> str:
        """Return a name of the metric, and the utterance: `pesq of u06`."""
        return f"{metric} of {self.utterance}" if self.utterance else metric

    @property
    def size(self) -> str:
        """`+9.8 % [+8.1 +11.6]`; empty where nothing was compared."""
        return "" if self.comparison.shift is None else size(self.comparison)

    @property
    def limit_size(self) -> str:
        """`5 %`, without the sign; empty where there is none."""
        return amount(self.comparison, self.limit) if self.limit else ""

    @property
    def limit_line(self) -> str:
        """`+5 %`, with the sign of the direction that is worse; empty where there is none."""
        sign = {"lower": "+", "higher": "-", "neither": "±"}[self.comparison.better]
        return self.limit_size and f"{sign}{self.limit_size}"


def in_points(comparison: Comparison, limit: float | None) -> ToldShift:
    """Return the change of the mean; of a rate of errors in points, not as a share of the rate."""
    before, is_rate = comparison.baseline, base_metric(comparison.metric) in ERROR_RATES
    if comparison.absolute or not is_rate or not isinstance(before, float):
        return ToldShift(comparison=comparison, limit=limit)
    shift, low, high, allowed = (
        None if part is None else part * before
        for part in (comparison.shift, comparison.low, comparison.high, limit)
    )
    points = replace(comparison, absolute=True, shift=shift, low=low, high=high)
    return ToldShift(comparison=points, limit=allowed)


def share(point: float, low: float | None, high: float | None) -> str:
    """Format a relative change: `-49.0 % [-50.1 -47.7]`."""
    bounds = (
        ""
        if low is None or high is None
        else f" [{_signed(low * 100.0, fine=False)} {_signed(high * 100.0, fine=False)}]"
    )
    return f"{_signed(point * 100.0, fine=False)} %{bounds}"


def line(judgement: RunVerdict) -> str:
    """
    Return the verdict in one line: `REGRESSED: 1 failed, 1 regressed, 4 passed`.

    Where nothing is wrong but a baseline is missing, the line ends with what was within its
    baseline, and what has none.
    """
    names = {Verdict.PASS: "passed", Verdict.NO_BASELINE: "without baseline"}
    parts = [
        f"{judgement.counts[name]} {names.get(name, name.value.lower())}"
        for name in WORST_FIRST
        if judgement.counts.get(name)
    ]
    if judgement.verdict is Verdict.NO_BASELINE and list(judgement.counts) == [Verdict.NO_BASELINE]:
        parts = [f"{judgement.counts[Verdict.NO_BASELINE]} cells measured"]
    lacking = _lacking(judgement) if judgement.verdict is Verdict.NO_BASELINE else ""
    return joined(f"{judgement.verdict}: {', '.join(parts) or 'no cells'}", lacking)


NOT_WITHIN = {
    "speed": "speed has no baseline on this machine yet",
    "quality": "quality has metrics without baseline",
}


def _lacking(judgement: RunVerdict) -> str:
    within = any(
        metric.blocking and metric.verdict in (Verdict.PASS, Verdict.IMPROVED)
        for cell in judgement.cells
        for metric in cell.metrics
    )
    lacking = judgement.without_baseline
    if len(lacking) == len(NOT_WITHIN) and not within:
        return "neither quality nor speed has a baseline yet"
    good = [name for name in ("quality", "speed") if within and name not in lacking]
    return joined(
        *(f"{name} within its baseline" for name in good), *(NOT_WITHIN[name] for name in lacking)
    )


def cells_named(labels: Sequence[str]) -> str:
    """Return the name of a cell, or of several that share a line: `2 cells: nfe=8, nfe=4`."""
    if len(labels) == 1:
        return labels[0]
    more = f" and {len(labels) - NAMES} more" if len(labels) > NAMES else ""
    return f"{len(labels)} cells: {', '.join(labels[:NAMES])}{more}"


def joined(*parts: str) -> str:
    """Return the parts that are not empty as one line, with semicolons between them."""
    return "; ".join(filter(None, parts))


def remark_text(remark: Remark) -> str:
    """Format a remark: `in effect: nfe_steps was 8, is 32`."""
    if remark.kind is RemarkKind.STAGE:
        return " is ".join(remark.facts)
    lead = "in effect: " if remark.kind is RemarkKind.SETTINGS else ""
    return f"{lead}{', '.join(remark.facts)}"


def with_remarks(cell: CellVerdict, remarks: Iterable[Remark]) -> CellVerdict:
    """Return the cell with other remarks, and the notes and notices that are their text."""
    kept = tuple(remarks)
    notes = [remark_text(remark) for remark in kept if remark.kind in EXPLANATIONS]
    notices = [remark_text(remark) for remark in kept if remark.kind not in EXPLANATIONS]
    return replace(cell, remarks=kept, notes=joined(*notes), notices=tuple(notices))


def unexplained(cell: CellVerdict) -> CellVerdict:
    """Return the cell without the remarks that explain its verdict, which is no more."""
    kept = tuple(remark for remark in cell.remarks if remark.kind not in EXPLANATIONS)
    return replace(cell, remarks=kept, notes="")


def _signed(value: float, fine: bool) -> str:
    """
    Format with one decimal; values below one with two digits where `fine`, such as seconds of lag.
    """
    if fine and 1e-6 < abs(value) < 0.95:
        return f"{value:+.2g}"
    return f"{round(value, 1) + 0.0:+.1f}"  # adding zero turns -0.0 into 0.0
