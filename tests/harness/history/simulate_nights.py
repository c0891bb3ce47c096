"""
How often the nightly alarm is wrong, and how soon it is right: the tables of
docs/how-trends-are-read.md.

    python -m tests.harness.history.simulate_nights

A night's value is 1 with normal noise; on some nights the machine is bad and the value 5 to 30 %
higher.
"""

from collections.abc import Callable
from itertools import product

import numpy as np

from voxgate.harness.history.alarm import LEAST_REFERENCE, OF, REFERENCE, watches
from voxgate.harness.history.budget import ALARM, RELATIVE, STEP, Array, Margin
from voxgate.harness.history.change_points import change_points

YEAR = 365
BAD_SHARE = 0.03
MARGIN = Margin(relative=ALARM * RELATIVE)
STEPS = Margin(relative=STEP * RELATIVE)
Rule = Callable[[Array], int]
"""Counts the alarms that a rule raises over a series."""


def nights(
    rng: np.random.Generator, series: int, count: int, spread: float, kept: float = 0.0
) -> Array:
    """
    Make (series, count) values; `kept` is the share of a night's noise that the next night keeps:
    AR(1).
    """
    fresh = rng.normal(0.0, spread * np.sqrt(1.0 - kept**2), (series, count))
    fresh[:, 0] /= np.sqrt(1.0 - kept**2)
    noise = fresh.copy()
    for night in range(1, count):
        noise[:, night] += kept * noise[:, night - 1]
    bad = rng.random((series, count)) < BAD_SHARE
    return np.asarray((1.0 + noise) * np.where(bad, rng.uniform(1.05, 1.30, (series, count)), 1.0))


def ours(values: Array) -> int:
    """Count the alarms of `alarm.py`, both sides."""
    return len(watches(values, MARGIN))


def last_night(values: Array) -> int:
    """
    Count the nights that lie 5 % above the median of the 21 before them: what a plain threshold
    does.
    """
    before = np.median(np.lib.stride_tricks.sliding_window_view(values, REFERENCE), axis=1)[:-1]
    return int(np.sum(values[REFERENCE:] > 1.05 * before))


def steps(values: Array) -> int:
    """Count the change points."""
    return len(change_points(values, [""] * len(values), STEPS))


def false_per_year(
    rng: np.random.Generator, rule: Rule, spread: float, kept: float = 0.0, years: int = 1000
) -> float:
    """Return the alarms per metric and year where nothing changed."""
    return float(np.mean([rule(values) for values in nights(rng, years, YEAR, spread, kept)]))


def found_after(
    rng: np.random.Generator,
    shift: float,
    spread: float,
    before: int = REFERENCE + OF,
    trials: int = 1000,
    after: int = 60,
) -> Array:
    """
    Return the nights after which a step of `shift` was an alarm, infinity where it never was;
    `before` is the past.
    """
    values = nights(rng, trials, before + after, spread)
    values[:, before:] *= 1.0 + shift
    return np.array([_first_after(value, before, shift) for value in values])


def _first_after(values: Array, step: int, shift: float) -> float:
    right = [
        w.raised - step + 1
        for w in watches(values, MARGIN)
        if w.raised >= step and w.sign == np.sign(shift)
    ]
    return float(right[0]) if right else np.inf


def main() -> None:
    """Print both tables as Markdown."""
    rng = np.random.default_rng(1)
    cases = ((0.005, 0.0), (0.01, 0.0), (0.01, 0.5), (0.02, 0.0), (0.03, 0.0))
    print(
        "| false alarms per metric and year | CV 0.5 % | CV 1 % | CV 1 %, AR(1) 0.5 | CV 2 % | CV "
        "3 % |"
    )
    print("|---|---:|---:|---:|---:|---:|")
    for name, rule in (
        ("this rule", ours),
        ("last night 5 % over the median", last_night),
        ("a change point", steps),
    ):
        print(
            f"| {name} |" + "".join(f" {false_per_year(rng, rule, *case):.2f} |" for case in cases)
        )
    print(
        "\n| true step | CV | nights before it | found after 3 nights | 4 | 7 | 14 | median nights "
        "|"
    )
    print("|---:|---:|---:|---:|---:|---:|---:|---:|")
    for spread, shift, before in product(
        (0.01, 0.02), (0.03, 0.04, 0.05, 0.075, 0.10, -0.05), (REFERENCE + OF, LEAST_REFERENCE)
    ):
        late = found_after(rng, shift, spread, before)
        shares = "".join(f" {100 * np.mean(late <= within):.0f} % |" for within in (3, 4, 7, 14))
        median = np.median(late)
        text = f"{median:.0f}" if np.isfinite(median) else "never"
        print(f"| {100 * shift:+.1f} % | {100 * spread:.0f} % | {before} |{shares} {text} |")


if __name__ == "__main__":
    main()
