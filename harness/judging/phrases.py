"""
The short phrases of a judgement: how far a value moved, and the verdict in one line. Decides
nothing.

Needs nothing but the records and the standard library, so that a job that only comments on a pull
request installs nothing.
"""

from collections.abc import Mapping

from harness.records.verdict import WORST_FIRST, Comparison, Verdict


def size(comparison: Comparison) -> str:
    """Show how far a value moved: `+9.8 % [+8.1 +11.6]`."""
    factor, unit = scale(comparison)
    low, high = comparison.low, comparison.high
    fine = comparison.absolute
    bounds = (
        ""
        if low is None or high is None
        else f" [{_signed(low * factor, fine)} {_signed(high * factor, fine)}]"
    )
    return f"{_signed((comparison.shift or 0.0) * factor, fine)}{unit and f' {unit}'}{bounds}"


def scale(comparison: Comparison) -> tuple[float, str]:
    """
    Give what a shift is multiplied with to be shown, and the unit that is shown, which a bare
    number has not.
    """
    return (
        (1.0, comparison.unit if comparison.unit != "1" else "")
        if comparison.absolute
        else (100.0, "%")
    )


def share(point: float, low: float | None, high: float | None) -> str:
    """Show a relative change: `-49.0 % [-50.1 -47.7]`."""
    bounds = (
        ""
        if low is None or high is None
        else f" [{_signed(low * 100.0, fine=False)} {_signed(high * 100.0, fine=False)}]"
    )
    return f"{_signed(point * 100.0, fine=False)} %{bounds}"


def line(counts: Mapping[Verdict, int], verdict: Verdict, accept: str = "") -> str:
    """
    Give the verdict in one line: `REGRESSED: 1 failed, 1 regressed, 4 passed`; `accept` is a
    command, if there is one.
    """
    names = {Verdict.PASS: "passed", Verdict.NO_BASELINE: "without baseline"}
    parts = [
        f"{counts[each]} {names.get(each, each.value.lower())}"
        for each in WORST_FIRST
        if counts.get(each)
    ]
    hint = f"; accept: {accept}" if accept and verdict is Verdict.NO_BASELINE else ""
    return f"{verdict}: {', '.join(parts) or 'no cells'}{hint}"


def joined(*parts: str) -> str:
    """Return the parts that are not empty as one line, with semicolons between them."""
    return "; ".join(filter(None, parts))


def _signed(value: float, fine: bool) -> str:
    """
    Write with one decimal; what is `fine` and less than one, such as seconds of lag, with two
    digits.
    """
    if fine and 1e-6 < abs(value) < 0.95:
        return f"{value:+.2g}"
    return f"{round(value, 1) + 0.0:+.1f}"  # adding zero turns -0.0 into 0.0
