"""
How often `in_process_drift` cries wolf, and which drift it sees:
`python -m tests.studies.in_process_drift --runs 1000`.

Generated calls, measured by the real estimator (`harness/analysis/in_process_drift.py`) and held
against the real limit of the policy. Every process speaks its texts in passes, as a worker does.
Prints a table of Markdown.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from voxgate.harness import statistics
from voxgate.harness.analysis.in_process_drift import LEAST_PAIRS, PER_CALLS, growth
from voxgate.harness.analysis.metric_rules import DRIFT
from voxgate.harness.judging.policy import DEFAULT, read_policy, shown_metrics

TEXTS = 8
WARMED = 3
"""Calls before the first that is measured."""
SPREAD = 0.015
"""Of one call, as a share."""


@dataclass(frozen=True, slots=True)
class Calls:
    """The relative times of one process's calls, and of the fixed work beside them, each (n,)."""

    own: np.ndarray
    beside: np.ndarray


Noise = Callable[[np.random.Generator, int], Calls]


def quiet(rng: np.random.Generator, count: int) -> Calls:
    return Calls(np.exp(SPREAD * rng.standard_normal(count)), _steady(rng, count))


def heavy_tails(rng: np.random.Generator, count: int) -> Calls:
    """Student's t with 1.5 degrees of freedom, upwards only: its variance is infinite."""
    return Calls(1.0 + SPREAD * np.abs(rng.standard_t(1.5, count)), _steady(rng, count))


def stalls(rng: np.random.Generator, count: int) -> Calls:
    """One call in ten takes two to ten times as long."""
    struck = rng.random(count) < 0.1
    return Calls(
        quiet(rng, count).own * np.where(struck, rng.uniform(2, 10, count), 1.0),
        _steady(rng, count),
    )


def correlated(rng: np.random.Generator, count: int) -> Calls:
    """A busy neighbour comes and goes: AR(1) of 0.95 with a spread of 4 %."""
    level = np.empty(count)
    level[0] = 0.04 * rng.standard_normal()
    for call in range(1, count):
        level[call] = 0.95 * level[call - 1] + 0.04 * np.sqrt(1 - 0.95**2) * rng.standard_normal()
    return Calls(np.exp(level) * quiet(rng, count).own, _steady(rng, count))


def walk(rng: np.random.Generator, count: int) -> Calls:
    """A machine that wanders by 0.5 % from call to call, and never comes back."""
    return Calls(
        np.exp(np.cumsum(0.005 * rng.standard_normal(count))) * quiet(rng, count).own,
        _steady(rng, count),
    )


def warming(rng: np.random.Generator, count: int) -> Calls:
    """What was not warm yet after the warm-up: 30 % slower at first, a third less each call."""
    return Calls(
        quiet(rng, count).own * (1 + 0.3 * (2 / 3) ** np.arange(count)), _steady(rng, count)
    )


def heating(rng: np.random.Generator, count: int) -> Calls:
    """Every process slows the machine by up to 10 %, and the fixed work with it."""
    ramp = 1 + 0.10 * (1 - np.exp(-np.arange(count) / 30))
    return Calls(quiet(rng, count).own * ramp, _steady(rng, count) * ramp)


def heating_unwatched(rng: np.random.Generator, count: int) -> Calls:
    """The same without fixed work, as with several threads: nothing tells it from a leak."""
    return replace(heating(rng, count), beside=np.ones(count))


def _steady(rng: np.random.Generator, count: int) -> np.ndarray:
    return 1.0 + 0.005 * np.abs(rng.standard_t(2.0, count))


def measured(calls: Calls, leak: float) -> float | None:
    """Return the drift of one process; `leak` is added per PER_CALLS calls."""
    number = WARMED + np.arange(calls.own.size)
    own = calls.own * (1 + leak / PER_CALLS * number)
    slopes = growth(_by_text(number, own))
    beside = growth(_by_text(number, calls.beside))
    return None if slopes is None else slopes - max(0.0, beside or 0.0)


def _by_text(number: np.ndarray, times: np.ndarray) -> dict[str, list[tuple[int, float]]]:
    return {
        f"u{text}": list(
            zip(number[text::TEXTS].tolist(), times[text::TEXTS].tolist(), strict=True)
        )
        for text in range(TEXTS)
    }


@dataclass(frozen=True, slots=True)
class Plan:
    """Passes through the texts in a process, processes of a cell, cells of a suite."""

    passes: int
    processes: int
    cells: int

    def __str__(self) -> str:
        return f"{self.cells} | {self.processes} | {self.passes * TEXTS}"


def alarmed(rng: np.random.Generator, noise: Noise, plan: Plan, leak: float, limit: float) -> float:
    """Return the share of a run's cells that are beyond the limit."""
    count = plan.passes * TEXTS
    cells = [
        np.array([measured(noise(rng, count), leak) for _ in range(plan.processes)], dtype=float)
        for _ in range(plan.cells)
    ]
    prior = statistics.prior_of(cells)
    return float(np.mean([statistics.mean_interval(cell, prior)[0] > limit for cell in cells]))


def share(noise: Noise, plan: Plan, leak: float, limit: float, runs: int) -> float:
    """Return the share over many runs, in percent."""
    rng = np.random.default_rng(20261130)
    return 100 * float(np.mean([alarmed(rng, noise, plan, leak, limit) for _ in range(runs)]))


def seen(plan: Plan, limit: float, runs: int) -> str:
    """Return the smallest leak per PER_CALLS calls that nine runs in ten report."""
    for leak in (0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1.2, 1.6, 2.4, 3.2):
        if share(quiet, plan, leak, limit, runs) >= 90.0:
            return f"{100 * leak:g} %"
    return "none"


NOISES: Sequence[Noise] = (quiet, heavy_tails, stalls, correlated, walk, warming, heating)
PLANS = (
    Plan(passes=2, processes=3, cells=1),
    Plan(passes=2, processes=3, cells=6),
    Plan(passes=3, processes=3, cells=6),
    Plan(passes=5, processes=3, cells=6),
    Plan(passes=8, processes=3, cells=1),
    Plan(passes=8, processes=3, cells=6),
    Plan(passes=5, processes=8, cells=6),
    Plan(passes=25, processes=3, cells=1),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=300)
    runs = parser.parse_args().runs
    limit = read_policy(DEFAULT, shown_metrics())[DRIFT].absolute or 0.0
    assert min(plan.passes for plan in PLANS) * TEXTS > LEAST_PAIRS
    noises = (*NOISES, heating_unwatched)
    names = " | ".join(noise.__name__.replace("_", " ") for noise in noises)
    print(f"| cells | processes | calls in each | {names} | sees |")
    print("|" + " ---: |" * (4 + len(noises)))
    for plan in PLANS:
        # as many cells of few runs as of many
        repeats = max(2, runs // plan.cells // (1 if plan.passes < 20 else 5))
        wrong = " | ".join(f"{share(noise, plan, 0.0, limit, repeats):.1f} %" for noise in noises)
        print(f"| {plan} | {wrong} | {seen(plan, limit, max(2, repeats // 4))} |", flush=True)


if __name__ == "__main__":
    main()
