"""Makes small histories with known contents, for the tests of the site."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np

from tests.harness.report.making import HOSTILE
from voxgate.harness.history.database import open_history
from voxgate.harness.history.records import (
    Acknowledgement,
    EntryCell,
    EntryValue,
    HistoryEntry,
    digest_of,
)
from voxgate.harness.records.measurement import Better, Missing, Value
from voxgate.harness.report.site.build import build_site

TODAY = "2026-11-21"
LAST_NIGHT = datetime(2026, 11, 20, 2, tzinfo=timezone.utc)
EPYC, JETSON = "epyc-2c-24g-372952", "jetson-agx-orin-12c-62g-9e77b3"
NIGHTS = 40
STEP_NIGHT = 32
"""From this night on nfe_steps-8 is 8 % slower on the EPYC."""
SILENT_NIGHTS = 5
"""So many nights the Jetson has not run."""
UNHEARD_NIGHT = 20
"""Nobody listened in this night: WER is missing."""

LINES: tuple[tuple[str, str, Better, float], ...] = (
    ("latency_p50", "s", "lower", 0.412),
    ("latency_p95", "s", "lower", 0.520),
    ("rtf", "s/s", "lower", 0.155),
    ("snr", "dB", "higher", 17.0),
    ("pesq", "MOS-LQO", "higher", 3.6),
    ("stoi", "1", "higher", 0.98),
    ("wer", "1", "lower", 0.025),
    ("peak_rss", "bytes", "lower", 3.3e8),
    ("peak_cuda_bytes", "bytes", "lower", 0.0),
    ("stage.frontend", "s", "lower", 0.012),
    ("stage.acoustic", "s", "lower", 0.300),
    ("stage.vocoder", "s", "lower", 0.100),
)
SPEED = ("latency_p50", "latency_p95", "rtf", "stage.acoustic")
CELLS: Mapping[str, tuple[float, float]] = {
    "nfe_steps-32": (1.0, 4.64),
    "nfe_steps-8": (0.26, 3.56),
    "nfe_steps-4": (0.13, 2.9),
}
"""Slug -> share of the reference's time, PESQ."""
NO_BUDGETS = ""
BUDGETS = """schema_version = 1

[[budget]]
suite = "smoke"
cell = "nfe_steps-4"
metric = "latency_p50"
at_most = 0.05
why = "a reply must begin within a blink"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A site, and the history that it shows."""

    out: Path
    url: str

    def text(self, name: str = "index.html") -> str:
        return (self.out / name).read_text(encoding="utf-8")

    def pages(self) -> list[str]:
        return sorted(path.name for path in self.out.glob("*.html"))


def make_site(
    folder: Path,
    entries: Sequence[HistoryEntry],
    budgets: str = BUDGETS,
    known: Sequence[Acknowledgement] = (),
) -> Made:
    """Appends the entries to a history and builds its site."""
    url, baselines = f"sqlite:///{folder / 'history.sqlite'}", folder / "baselines"
    baselines.mkdir(parents=True)
    if budgets:
        (baselines / "budgets.toml").write_text(budgets)
    with open_history(url) as history:
        for entry in entries:
            history.append(entry)
        for word in known:
            history.acknowledge(word)
        build_site(history, folder / "site", baselines, TODAY)
    return Made(out=folder / "site", url=url)


def usual() -> list[HistoryEntry]:
    """One suite of three cells on two machines; see the constants for what happens in it."""
    rng = np.random.default_rng(7)
    nights = [night(number, EPYC, rng) for number in range(NIGHTS)]
    return [*nights, *(night(number, JETSON, rng) for number in range(NIGHTS - SILENT_NIGHTS))]


def acknowledged() -> Acknowledgement:
    """The Jetson's move to another place."""
    since = (LAST_NIGHT - timedelta(days=25)).isoformat()
    names = {"suite": "smoke", "cell": "*", "metric": "latency*", "machine": "jetson*"}
    return Acknowledgement(id=0, **names, since=since, why="it got a fan", by="dora", created=since)


def night(number: int, machine: str, rng: np.random.Generator) -> HistoryEntry:
    """One run of the suite."""
    created = (LAST_NIGHT - timedelta(days=NIGHTS - 1 - number)).isoformat()
    head = digest_of(created)[:7]
    slow = machine == EPYC and number >= STEP_NIGHT
    cells = tuple(
        _cell(slug, number, 3.0 if machine == JETSON else 1.0, slow and slug == "nfe_steps-8", rng)
        for slug in CELLS
    )
    verdict = "REGRESSED" if slow else "PASS"
    return HistoryEntry(
        digest=digest_of(machine, created),
        source="voxgate",
        suite="smoke",
        profile="cpu-gate",
        machine=machine,
        head=head,
        created=created,
        verdict=verdict,
        exit_code=int(slow),
        line="1 regressed, 2 passed" if slow else "3 passed",
        baseline='b07e11a, 2026-10-01 "first"',
        folder=f"runs/{number + 1:04}",
        question="Does a shorter solver keep the voice intelligible, and what does it buy?",
        environment=_environment(machine, number, head),
        complete=True,
        cells=cells,
    )


def _environment(machine: str, number: int, head: str) -> dict[str, object]:
    torch = "2.13.0" if number < NIGHTS - 1 else "2.13.1"
    return {
        "machine": {"id": machine, "cpu_model": "AMD EPYC (25/17/1)", "cores": 2, "gpus": []},
        "toolchain": {"python": "3.11.7", "torch": torch, "commit": head},
        "before": {"load_1min": round(0.1 + 0.01 * number, 2)},
    }


def _cell(slug: str, number: int, factor: float, slow: bool, rng: np.random.Generator) -> EntryCell:
    share, pesq = CELLS[slug]
    values = tuple(
        _value(*line, number, factor * share * (1.08 if slow else 1.0), pesq, rng) for line in LINES
    )
    asked = {"nfe_steps": int(slug.removeprefix("nfe_steps-"))}
    return EntryCell(
        cell=slug,
        label=slug.replace("-", "="),
        config=asked,
        effective={**asked, "precision": "fp32", "threads": 1},
        effects=(
            {
                "option": "nfe_steps",
                "asked": asked["nfe_steps"],
                "observed": str(asked["nfe_steps"]),
                "holds": True,
                "why": "counted",
            },
        ),
        verdict="REGRESSED" if slow else "PASS",
        reason="latency_p50 +8.0 % [+7.2 +8.8], limit +5 %; acoustic +10 % is 97 % of it"
        if slow
        else "7 metrics within their limits",
        notes="acoustic +10 % is 97 % of it" if slow else "",
        values=values,
    )


def _value(
    metric: str,
    unit: str,
    better: Better,
    base: float,
    number: int,
    factor: float,
    pesq: float,
    rng: np.random.Generator,
) -> EntryValue:
    speed = metric in SPEED
    size = base * factor if metric.startswith(("latency", "rtf", "stage")) else base
    size = {"pesq": pesq, "snr": 120.0 if pesq > 4.6 else base}.get(metric, size)
    value: Value = size * float(np.exp(rng.normal(0, 0.008))) if speed else size
    if metric == "wer" and number == UNHEARD_NIGHT:
        value = Missing("no ASR weights")
    if metric == "peak_cuda_bytes":
        value = Missing("no CUDA device")
    known = isinstance(value, float)
    return EntryValue(
        metric=metric,
        unit=unit,
        better=better,
        version="1",
        value=value,
        low=0.99 * value if known and speed else None,
        high=1.01 * value if known and speed else None,
        n=24,
        verdict=None if metric.startswith("stage") else "PASS" if known else "UNRESOLVED",
        reason="" if isinstance(value, float) else f"{metric}: {value.reason}",
    )


def hostile() -> list[HistoryEntry]:
    """Every text that comes from outside is an attack."""
    rng = np.random.default_rng(1)
    return [_hostile(night(number, EPYC, rng), number) for number in range(3)]


def _hostile(entry: HistoryEntry, number: int) -> HistoryEntry:
    bad = {"option": HOSTILE, "asked": HOSTILE, "observed": HOSTILE, "holds": False, "why": HOSTILE}
    cells = tuple(
        replace(
            cell,
            cell=f"{HOSTILE} {cell.cell}",
            label=HOSTILE,
            config={HOSTILE: HOSTILE, "__proto__": "x"},
            effective={HOSTILE: HOSTILE},
            effects=(bad,),
            verdict="FAILED",
            reason=HOSTILE,
            notes=HOSTILE,
            values=tuple(_hostile_value(value, number) for value in cell.values),
        )
        for cell in entry.cells
    )
    texts = dict.fromkeys(
        ("suite", "profile", "machine", "head", "line", "baseline", "folder", "question"), HOSTILE
    )
    environment = {
        "machine": {"id": HOSTILE, HOSTILE: [HOSTILE]},
        "toolchain": {"__proto__": HOSTILE},
        HOSTILE: HOSTILE,
    }
    return replace(entry, **texts, verdict="FAILED", environment=environment, cells=cells)


def _hostile_value(value: EntryValue, number: int) -> EntryValue:
    if value.metric == "wer":
        return replace(
            value, value=Missing(HOSTILE), verdict="FAILED", reason=HOSTILE, low=None, high=None
        )
    return (
        replace(value, metric=HOSTILE, unit=HOSTILE)
        if value.metric == "stoi"
        else replace(value, verdict="FAILED", reason=HOSTILE)
    )


def with_values(entry: HistoryEntry, values: Mapping[str, tuple[str, float]]) -> HistoryEntry:
    """Return an entry whose cells have further values: metric -> unit, value."""
    more = tuple(
        EntryValue(metric=metric, unit=unit, better="lower", version="1", value=value, n=3)
        for metric, (unit, value) in values.items()
    )
    cells = tuple(replace(cell, values=(*cell.values, *more)) for cell in entry.cells)
    return replace(entry, cells=cells)
