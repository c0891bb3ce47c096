"""
Holds our change points against Apache Otava's, on seeded series: the table of
docs/evidence/change-points.md.

    python -m pip install --no-deps --target build/otava apache-otava==0.8.0
    PYTHONPATH=build/otava python -m tests.harness.history.against_otava

Without its dependencies (it pins numpy 2.2 and brings BigQuery, Slack and PostgreSQL clients), its
calculation runs on ours. `--dates` prints the table that test_changes.py keeps, so that the tests
need no Otava.
"""

import sys
import time
from collections.abc import Callable

import numpy as np

from voxgate.harness.history.budget import Margin
from voxgate.harness.history.change_points import change_points, steps
from voxgate.harness.history.records import Array

ANY = Margin()
NEAR = 2
"""Nights by which a date may be off."""
SERIES = 300
BAD_SHARE = 0.03
Dates = list[int]
Finder = Callable[[Array], Dates]


def stepped(seed: int, bad_share: float = 0.0) -> tuple[Array, Dates]:
    """
    Make 60 to 300 nights with 1 % of noise and up to two steps of 3 to 8 %, up or down, and say
    where they are.
    """
    rng = np.random.default_rng(seed)
    count = int(rng.integers(60, 300))
    values = 1.0 + 0.01 * rng.normal(size=count)
    steps = sorted(
        rng.choice(np.arange(15, count - 15), size=rng.integers(0, 3), replace=False).tolist()
    )
    for step in steps:
        values[step:] *= 1.0 + rng.choice([-1.0, 1.0]) * rng.choice([0.03, 0.05, 0.08])
    bad = rng.random(count) < bad_share
    return np.where(bad, values * rng.uniform(1.05, 1.30, count), values), steps


def otava(values: Array) -> Dates:
    """Return Otava's change points with its defaults: window 50, p below 0.001, any magnitude."""
    from otava.analysis import compute_change_points  # a list: it takes no window of an array

    return [int(change_point.index) for change_point in compute_change_points(values.tolist())[0]]


def ours(values: Array) -> Dates:
    """Return our change points, of any magnitude."""
    return [
        change_point.index
        for change_point in change_points(values, np.full(len(values), "", dtype=object), ANY)
    ]


def ours_bare(values: Array) -> Dates:
    """Return our change points without putting lone bad nights aside."""
    return steps(values, ANY)


def compare(find: Finder, bad_share: float) -> str:
    """
    Return the row of one finder: true steps that it dates, how well, what it finds besides, and its
    time.
    """
    made = [stepped(seed, bad_share) for seed in range(SERIES)]
    begun = time.process_time()
    found = [find(values) for values, _ in made]
    spent_ms = (time.process_time() - begun) / SERIES * 1000.0
    misses = [
        min((abs(date - step) for date in dates), default=999)
        for dates, (_, steps) in zip(found, made, strict=True)
        for step in steps
    ]
    extra = sum(
        min((abs(date - step) for step in steps), default=999) > NEAR
        for dates, (_, steps) in zip(found, made, strict=True)
        for date in dates
    )
    years = sum(len(values) for values, _ in made) / 365.0
    near, exact = (sum(miss <= by for miss in misses) for by in (NEAR, 0))
    return f"{near} of {len(misses)} | {exact} | {extra / years:.2f} | {spent_ms:.2f} ms"


def main() -> None:
    """Print the table, or the dates that the tests keep."""
    if "--dates" in sys.argv:
        for seed in range(40):
            print(f"    {seed}: {tuple(otava(stepped(seed)[0]))},")
        return
    same = sum(
        otava(values) == ours_bare(values)
        for values, _ in (stepped(seed) for seed in range(SERIES))
    )
    print(f"the same dates, all of them, in {same} of {SERIES} series without bad nights\n")
    print(
        "| series | method | steps dated within 2 nights | exactly | others, per series and year | "
        "time per series |"
    )
    print("|---|---|---:|---:|---:|---:|")
    for name, share in (("no bad nights", 0.0), ("3 % bad nights", BAD_SHARE)):
        for method, find in (
            ("apache-otava 0.8.0", otava),
            ("voxgate, lone bad nights left in", ours_bare),
            ("voxgate", ours),
        ):
            print(f"| {name} | {method} | {compare(find, share)} |")


if __name__ == "__main__":
    main()
