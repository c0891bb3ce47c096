"""
Makes a history to try things on: `python -m tests.harness.history.make_history
sqlite:////tmp/h.sqlite --nights 1000`

Two suites on two machines, every night one run each, so that there are `series` lines of `nights`
points. What is planted is known: steps that stay, spikes of one night, and nights that nobody ran.
The same seed makes the same history.
"""

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

import numpy as np

from voxgate.harness.history.database import open_history
from voxgate.harness.history.records import EntryCell, EntryValue, HistoryEntry, digest_of
from voxgate.harness.records.measurement import Better, Missing, Value

SUITES = ("smoke", "precision")
MACHINES = ("epyc-2c-8g-51d0aa", "jetson-agx-orin-12c-62g-9e77b3")
LAST_NIGHT = datetime(2026, 11, 20, 2, tzinfo=timezone.utc)
STEP, SPIKE = 0.08, 0.4
"""Relative, always to the worse."""
NIGHT_CV = 0.01
FAILED = Missing("no measured iteration: timeout: 600 s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """
    A metric, with the value that it has in the first cell, and its spread from night to night as a
    share of NIGHT_CV.
    """

    metric: str
    unit: str
    better: Better
    value: float
    spread: float = 1.0


LINES = (
    Line(metric="latency_p50", unit="s", better="lower", value=0.412),
    Line(metric="latency_p95", unit="s", better="lower", value=0.520, spread=2.0),
    Line(metric="rtf", unit="s/s", better="lower", value=0.155),
    Line(metric="cold_start", unit="s", better="lower", value=3.1, spread=5.0),
    Line(metric="peak_rss", unit="bytes", better="lower", value=3.3e8, spread=0.2),
    Line(metric="snr", unit="dB", better="higher", value=17.0, spread=0.0),
    Line(metric="pesq", unit="MOS-LQO", better="higher", value=3.6, spread=0.0),
    Line(metric="stoi", unit="1", better="higher", value=0.98, spread=0.0),
    Line(metric="wer", unit="1", better="lower", value=0.025, spread=0.0),
    Line(metric="duration", unit="s", better="neither", value=2.9, spread=0.0),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """
    What was done to one line: a `step` from that night on, or a `spike` of one night, as a share of
    the value.
    """

    suite: str
    machine: str
    cell: str
    metric: str
    kind: str
    created: str
    size: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """
    One suite on one machine: the nights that were run, and values of shape (cells, lines, nights).
    """

    suite: str
    machine: str
    cells: tuple[str, ...]
    nights: tuple[str, ...]
    ran: np.ndarray
    values: np.ndarray
    planted: tuple[Planted, ...]


def make_history(
    url: str, *, series: int = 80, nights: int = 60, seed: int = 1, missed: float = 0.03
) -> tuple[Planted, ...]:
    """
    Fills a database. `series` is rounded up to whole cells; a share `missed` of the nights is not
    run.
    """
    groups = make_groups(series=series, nights=nights, seed=seed, missed=missed)
    with open_history(url) as history:
        for night in range(nights):
            for group in groups:
                if group.ran[night]:
                    history.append(entry_of(group, night))
    return tuple(each for group in groups for each in group.planted)


def make_groups(*, series: int, nights: int, seed: int, missed: float) -> list[Group]:
    """Draws all values."""
    rng = np.random.default_rng(seed)
    dates = tuple(
        (LAST_NIGHT - timedelta(days=nights - 1 - night)).isoformat() for night in range(nights)
    )
    cells = cell_names(-(-series // (len(SUITES) * len(MACHINES) * len(LINES))))
    return [
        make_group(rng, suite, machine, cells, dates, missed)
        for suite in SUITES
        for machine in MACHINES
    ]


def make_group(
    rng: np.random.Generator,
    suite: str,
    machine: str,
    cells: tuple[str, ...],
    dates: tuple[str, ...],
    missed: float,
) -> Group:
    """Draws one suite on one machine: every fourth line of time gets a step or a spike."""
    nights = len(dates)
    spread = np.array([line.spread for line in LINES]) * NIGHT_CV
    base = (
        np.array([line.value for line in LINES])[None, :]
        * (1 + 0.05 * np.arange(len(cells)))[:, None]
    )
    values = base[:, :, None] * np.exp(
        rng.normal(0, 1, (len(cells), len(LINES), nights)) * spread[None, :, None]
    )
    ran = rng.random(nights) >= missed
    ran[[0, -1]] = True
    planted = []
    for index in range(0, len(cells) * len(LINES), 4):
        cell, line = divmod(index, len(LINES))
        kind, night = (
            ("step", "spike")[index // 4 % 2],
            int(rng.integers(nights // 3, max(nights // 3 + 1, nights - 10))),
        )
        size = (STEP if kind == "step" else SPIKE) * (-1 if LINES[line].better == "higher" else 1)
        values[cell, line, night : None if kind == "step" else night + 1] *= 1 + size
        ran[night] = True
        where = {
            "suite": suite,
            "machine": machine,
            "cell": cells[cell],
            "metric": LINES[line].metric,
        }
        planted.append(Planted(**where, kind=kind, created=dates[night], size=size))
    return Group(
        suite=suite,
        machine=machine,
        cells=cells,
        nights=dates,
        ran=ran,
        values=values,
        planted=tuple(planted),
    )


def cell_names(count: int) -> tuple[str, ...]:
    """Names cells as suites do."""
    steps, precisions = (32, 16, 8, 4, 2), ("fp32", "bf16", "fp16")
    names = [f"nfe_steps-{step}.precision-{kind}" for step in steps for kind in precisions]
    return tuple(
        names[n] if n < len(names) else f"{names[n % len(names)]}.seed-{n // len(names)}"
        for n in range(count)
    )


def entry_of(group: Group, night: int) -> HistoryEntry:
    """Return the run of one night."""
    created = group.nights[night]
    head = digest_of(created)[:7]
    cells = tuple(entry_cell(group, number, night) for number in range(len(group.cells)))
    return HistoryEntry(
        digest=digest_of("made up", group.suite, group.machine, created),
        source="voxgate",
        suite=group.suite,
        profile="cuda" if group.machine.startswith("jetson") else "cpu-gate",
        machine=group.machine,
        head=head,
        created=created,
        verdict="PASS",
        exit_code=0,
        line=f"PASS: {len(cells)} passed",
        baseline='b07e11a, 2026-11-20 "made up"',
        folder=f"runs/{night + 1:04}",
        question="Does a shorter solver keep the voice intelligible, and what does it buy?",
        environment={
            "machine": {"id": group.machine, "cores": 2},
            "toolchain": {"torch": "2.13.0", "commit": head},
        },
        complete=True,
        cells=cells,
    )


def entry_cell(group: Group, number: int, night: int) -> EntryCell:
    """Return one cell of one night; one in a thousand failed."""
    slug = group.cells[number]
    options = dict(part.split("-", 1) for part in slug.split("."))
    failed = (night * 31 + number * 7) % 1000 == 999
    verdict = "FAILED" if failed else "PASS"
    values = tuple(
        entry_value(line, FAILED if failed else float(v))
        for line, v in zip(LINES, group.values[number, :, night], strict=True)
    )
    return EntryCell(
        cell=slug,
        label=slug.replace("-", "=").replace(".", " "),
        config=options,
        effective={**options, "threads": 1},
        effects=(),
        verdict=verdict,
        reason=FAILED.reason if failed else "latency_p50 +0.1 % [-0.4 +0.6]",
        notes="",
        values=values,
    )


def entry_value(line: Line, value: Value) -> EntryValue:
    """Return one number with an interval of 1 %."""
    number = value if isinstance(value, float) else None
    return EntryValue(
        metric=line.metric,
        unit=line.unit,
        better=line.better,
        version="1",
        value=value,
        low=None if number is None else 0.99 * number,
        high=None if number is None else 1.01 * number,
        n=0 if number is None else 24,
        verdict="FAILED" if number is None else "PASS",
        shift=None if number is None else 0.001,
    )


def planted_lines(planted: Sequence[Planted]) -> Iterator[str]:
    """Return the planted changes, one line each."""
    for each in planted:
        yield (
            f"{each.created} {each.kind} {each.size:+.0%} {each.suite} {each.machine} {each.cell} "
            f"{each.metric}"
        )


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("url")
    parser.add_argument("--series", type=int, default=80)
    parser.add_argument("--nights", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--missed", type=float, default=0.03, help="share of nights that nobody ran"
    )
    asked = parser.parse_args()
    began_s = time.perf_counter()
    planted = make_history(
        asked.url, series=asked.series, nights=asked.nights, seed=asked.seed, missed=asked.missed
    )
    print("\n".join(planted_lines(planted)))
    print(
        f"{asked.url}: about {asked.series * asked.nights} points in "
        f"{time.perf_counter() - began_s:.1f} s"
    )


if __name__ == "__main__":
    main()
