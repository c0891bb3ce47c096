"""
Ten histories and runs with known faults planted in them, and what a reader must find: what is
worse, where, by how much over which limit, since when. Two more hold no fault at all. The same seed
makes the same pages.

python -m tests.harness.report.planted FOLDER    writes all of their pages, to be looked at
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from tests.harness.fake_runs import (
    EXACT,
    QUALITY,
    REQUESTS,
    cell,
    make_run,
    make_scores,
    policy,
    process,
    with_audio,
)
from voxgate.harness.analysis.aggregate import aggregate
from voxgate.harness.history.database import open_history
from voxgate.harness.history.records import (
    Acknowledgement,
    EntryCell,
    EntryValue,
    HistoryEntry,
    digest_of,
)
from voxgate.harness.judging.accept import accept
from voxgate.harness.judging.baseline import Baseline, load_baseline, machine_id
from voxgate.harness.judging.judge import judge
from voxgate.harness.records.environment import environment_from_json
from voxgate.harness.records.measurement import Better
from voxgate.harness.records.run import Failure, FailureKind, Run
from voxgate.harness.report.contents import Report, build_report, measured_before
from voxgate.harness.report.page import page
from voxgate.harness.report.site.build import build_site

TODAY = "2026-11-30"
LAST_NIGHT = datetime(2026, 11, 29, 2, tzinfo=timezone.utc)
NIGHTS = 60
XEON, JETSON = "xeon-4c-16g-a17c20", "jetson-agx-orin-12c-62g-9e77b3"
SLOWNESS = {XEON: 1.0, JETSON: 2.4}
"""Machine -> how long it takes, against the Xeon."""
LIMITS = {"latency_p50": 5.0, "pesq": 0.15}
"""What blocks, and its limit: in per cent, or in the metric's unit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """One thing that got worse. `size` and `limit` are in per cent, or in the metric's unit."""

    metric: str
    """Empty for a worker that died: it has no metric, no size and no limit."""
    cells: tuple[str, ...]
    """Labels."""
    machines: tuple[str, ...] = ()
    size: float | None = None
    limit: float | None = None
    since: str = ""
    """The first bad night; of a run, the day of the baseline that it is held against."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plant:
    """A change from one night on."""

    metric: str
    """`latency_p50` stands for all of the speed."""
    change: float
    """A share of the value; of PESQ, in its own unit."""
    night: int
    cells: tuple[str, ...]
    machines: tuple[str, ...] = (XEON,)
    suites: tuple[str, ...] = ("smoke", "options")
    known: str = ""
    """The reason for which it was acknowledged."""

    @property
    def truth(self) -> Truth:
        """What a reader must find."""
        return Truth(
            metric=self.metric,
            cells=tuple(slug.replace("-", "=", 1) for slug in self.cells),
            machines=self.machines,
            size=abs(self.change) * (1.0 if self.metric == "pesq" else 100.0),
            limit=LIMITS[self.metric],
            since=moment(self.night)[:10],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """A history of nights on two machines, and what happened in them."""

    plants: tuple[Plant, ...] = ()
    suites: tuple[str, ...] = ("smoke",)
    missed: Mapping[str, Sequence[int]] = field(default_factory=dict)
    """Machine -> the nights without a run."""
    first: int = 24
    """The first of the NIGHTS in which anything ran: short histories are quicker to write."""

    @property
    def truths(self) -> tuple[Truth, ...]:
        """What counts and nobody acknowledged, the most over its limit first."""
        counted = [each.truth for each in self.plants if each.metric in LIMITS and not each.known]
        return tuple(sorted(counted, key=lambda each: -(each.size or 0) / (each.limit or 1)))


def moment(night: int) -> str:
    """Return the time of a night's run, ISO, UTC."""
    return (LAST_NIGHT - timedelta(days=NIGHTS - 1 - night)).isoformat()


NFE8, NFE4 = "nfe_steps-8", "nfe_steps-4"
BOTH = (XEON, JETSON)
SLOWER = Plant(metric="latency_p50", change=0.08, night=48, cells=(NFE8,))
MUFFLED = Plant(metric="pesq", change=-0.33, night=53, cells=(NFE4,), machines=BOTH)
FLUKES = (
    Plant(metric="peak_rss", change=0.17, night=50, cells=(NFE4,), machines=BOTH),
    Plant(metric="peak_rss", change=0.14, night=56, cells=("nfe_steps-32",)),
)
"""Steps of a metric that only informs."""
MISSED = {XEON: (31, 42), JETSON: (31, 42, 43, 44, 45, 46)}
HISTORIES: Mapping[str, Planted] = {
    "steady": Planted(missed=MISSED),
    "one-cell-slower": Planted(plants=(SLOWER,)),
    "slower-on-both-machines": Planted(plants=(replace(SLOWER, change=0.13, machines=BOTH),)),
    "two-causes-among-flukes": Planted(
        plants=(SLOWER, MUFFLED, *FLUKES), suites=("smoke", "options"), missed=MISSED, first=0
    ),
    "muffled": Planted(plants=(replace(MUFFLED, change=-0.25),)),
    "slower-after-missed-nights": Planted(
        plants=(replace(SLOWER, change=0.1, night=47, machines=(JETSON,)),), missed=MISSED
    ),
    "new-beside-acknowledged": Planted(
        plants=(
            replace(SLOWER, change=0.2, night=38, machines=(JETSON,), known="it lost its fan"),
            replace(SLOWER, change=0.09, cells=(NFE4,)),
        )
    ),
}
"""One of them is as it always was."""

# the nights of a history --------------------------------------------------------------------------

CELLS: Mapping[str, tuple[float, float, Mapping[str, object]]] = {
    "nfe_steps-32": (1.0, 4.64, {"nfe_steps": 32}),
    NFE8: (0.26, 3.56, {"nfe_steps": 8}),
    NFE4: (0.14, 3.31, {"nfe_steps": 4}),
}
"""Slug -> share of the reference's time, PESQ, requested options."""
LINES: tuple[tuple[str, str, Better, float, float], ...] = (
    ("latency_p50", "s", "lower", 1.335, 0.008),
    ("latency_p95", "s", "lower", 1.856, 0.012),
    ("rtf", "s/s", "lower", 0.460, 0.008),
    ("pesq", "MOS-LQO", "higher", 0.0, 0.002),
    ("wer", "1", "lower", 0.025, 0.0),
    ("peak_rss", "bytes", "lower", 4.9e8, 0.004),
    ("stage.acoustic", "s", "lower", 1.05, 0.008),
    ("stage.vocoder", "s", "lower", 0.26, 0.008),
)
"""Metric, unit, direction, the reference's value, and by what share the nights differ."""
SPEED = ("latency", "rtf", "stage.acoustic")
QUESTIONS = {
    "smoke": "Is the voice as quick and as clear as it was?",
    "options": "What does each option cost, and what does it buy?",
}


def nights(history: Planted) -> list[HistoryEntry]:
    """Return the runs of a history, oldest first."""
    rng = np.random.default_rng(19)
    return [
        _night(history, suite, machine, night, rng)
        for night in range(history.first, NIGHTS)
        for machine in BOTH
        for suite in history.suites
        if night not in history.missed.get(machine, ())
    ]


def acknowledgements(history: Planted) -> list[Acknowledgement]:
    """Return a person's note on each change that is known."""
    return [
        Acknowledgement(
            id=0,
            suite="*",
            cell=each.cells[0],
            metric="*",
            machine=each.machines[0],
            since=moment(each.night),
            why=each.known,
            by="dora",
            created=moment(each.night + 4),
        )
        for each in history.plants
        if each.known
    ]


def write_history(history: Planted, url: str) -> None:
    """Append the nights of a history to a database."""
    with open_history(url) as opened:
        for entry in nights(history):
            opened.append(entry)
        for known in acknowledgements(history):
            opened.acknowledge(known)


def write_site(name: str, folder: Path) -> Path:
    """Write the site of a history into a folder; return its first page."""
    folder.mkdir(parents=True, exist_ok=True)
    url = f"sqlite:///{folder / 'history.sqlite'}"
    write_history(HISTORIES[name], url)
    with open_history(url) as opened:
        return build_site(opened, folder / "site", folder / "baselines", TODAY)


def _night(
    history: Planted, suite: str, machine: str, night: int, rng: np.random.Generator
) -> HistoryEntry:
    cells = tuple(_cell(history, suite, machine, night, slug, rng) for slug in CELLS)
    bad = [each for each in cells if each.verdict == "REGRESSED"]
    head = digest_of(moment(night))[:7]
    told = [f"{len(bad)} regressed"] if bad else []
    return HistoryEntry(
        digest=digest_of(suite, machine, moment(night)),
        source="voxgate",
        suite=suite,
        profile="cpu" if machine == XEON else "jetson-agx-orin-maxn",
        machine=machine,
        head=head,
        created=moment(night),
        verdict="REGRESSED" if bad else "PASS",
        exit_code=1 if bad else 0,
        line=", ".join([*told, f"{len(cells) - len(bad)} passed"]),
        baseline='b07e11a, 2026-09-30 "first"',
        folder=f"runs/{night + 1:04}",
        question=QUESTIONS[suite],
        environment=_environment(machine, night, head),
        complete=True,
        cells=cells,
    )


def _environment(machine: str, night: int, head: str) -> dict[str, object]:
    board = machine == JETSON
    return {
        "machine": {
            "id": machine,
            "cpu_model": "Cortex-A78AE" if board else "Intel Xeon (6/143/8)",
            "cores": 12 if board else 4,
            "gpus": ["Orin"] if board else [],
        },
        "toolchain": {
            "python": "3.11.7",
            "torch": "2.12.0" if night < SLOWER.night else "2.13.0",
            "commit": head,
        },
        "before": {"load_1min": round(0.1 + 0.002 * night, 3)},
    }


def _cell(
    history: Planted, suite: str, machine: str, night: int, slug: str, rng: np.random.Generator
) -> EntryCell:
    share, pesq, asked = CELLS[slug]
    moved = {
        each.metric: each.change
        for each in history.plants
        if night >= each.night
        and slug in each.cells
        and machine in each.machines
        and suite in each.suites
    }
    values = tuple(_value(line, share * SLOWNESS[machine], pesq, moved, rng) for line in LINES)
    broken = [each for each in values if each.verdict == "REGRESSED" and each.metric in LIMITS]
    check = {
        "option": "nfe_steps",
        "asked": asked["nfe_steps"],
        "observed": str(asked["nfe_steps"]),
        "holds": True,
        "why": "counted",
    }
    return EntryCell(
        cell=slug,
        label=slug.replace("-", "=", 1),
        config=asked,
        effective={**asked, "precision": "fp32", "threads": 1},
        effects=(check,),
        verdict="REGRESSED" if broken else "PASS",
        reason="; ".join(each.reason for each in broken) or "5 metrics within their limits",
        notes="",
        values=values,
    )


def _value(
    line: tuple[str, str, Better, float, float],
    time: float,
    pesq: float,
    moved: Mapping[str, float],
    rng: np.random.Generator,
) -> EntryValue:
    metric, unit, better, base, noise = line
    speed, shift = metric.startswith((*SPEED, "stage")), moved.get(metric, 0.0)
    if metric.startswith(SPEED):
        shift = moved.get("latency_p50", 0.0)
    usual = pesq if metric == "pesq" else base * (time if speed else 1.0)
    now = usual + shift if metric == "pesq" else usual * (1.0 + shift)
    value = now * float(np.exp(rng.normal(0.0, noise)))
    judged = not metric.startswith("stage")
    return EntryValue(
        metric=metric,
        unit=unit,
        better=better,
        version="1",
        value=value,
        low=0.992 * value if speed else None,
        high=1.008 * value if speed else None,
        n=24,
        verdict=None if not judged else "REGRESSED" if shift else "PASS",
        reason=_reason(metric, shift) if judged and shift else "",
        shift=shift if judged else None,
    )


def _reason(metric: str, shift: float) -> str:
    if metric == "pesq":
        return f"pesq {shift:+.2f}, limit -0.15"
    return f"{metric} {100.0 * shift:+.1f} %, limit +{10 if metric == 'peak_rss' else 5} %"


# the runs -----------------------------------------------------------------------------------------

WALLS_S = {32: 1.335, 16: 0.666, 8: 0.345, 4: 0.189}
BASELINE_DAY = "2026-11-20"
Changes = Mapping[tuple[int, str], Mapping[str, float]]
"""(Steps, metric) -> request -> value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantedRun:
    """A judged run, and what a reader must find."""

    report: Report
    truths: tuple[Truth, ...]


def _run(folder: Path | str, slower: Mapping[int, float], created: str) -> Run:
    """Return a run of four cells; `slower` holds the factors of their times."""
    cells = tuple(cell(steps) for steps in WALLS_S)
    first, rng = make_run({}, folder), np.random.default_rng(31 if slower else 29)
    processes = tuple(
        process(each.slug, repeat, walls, stages=partial(_stages, WALLS_S[steps]))
        for each, steps in zip(cells, WALLS_S, strict=True)
        for repeat, walls in enumerate(_walls(rng, WALLS_S[steps] * slower.get(steps, 1.0)))
    )
    environment = environment_from_json(
        {
            "machine": {"id": XEON, "cores": 4, "cpu_model": "Intel Xeon (6/143/8)"},
            "toolchain": {"commit": "9bd41f0" if slower else "3fa1c2e", "torch": "2.13.0"},
        }
    )
    return replace(
        first, cells=cells, processes=processes, environment=environment, created=created
    )


def _walls(rng: np.random.Generator, usual_s: float) -> list[list[float]]:
    """Return the times of three processes: each text has its own length, the rest is noise."""
    lengths = np.linspace(0.7, 1.3, len(REQUESTS))
    return [
        list(usual_s * np.tile(lengths, 3) * np.exp(rng.normal(0.0, 0.004, 24))) for _ in range(3)
    ]


def _stages(usual_s: float, wall_s: float) -> Mapping[str, float]:
    """The acoustic model has all that the request takes longer than usual."""
    return {
        "frontend": 0.02 * usual_s,
        "acoustic": wall_s - 0.24 * usual_s,
        "vocoder": 0.22 * usual_s,
    }


def _scores(run: Run, changes: Changes) -> dict[tuple[str, str], dict[str, object]]:
    quality = {"nfe-32": EXACT["pesq"], "nfe-16": 4.08, "nfe-8": 3.56, "nfe-4": 3.31}
    scores = make_scores(run)
    for (slug, request), values in scores.items():
        if slug != run.reference:
            values.update(QUALITY, pesq=quality[slug], golden_pesq=quality[slug])
        for (steps, metric), of in changes.items():
            if slug == f"nfe-{steps}" and request in of:
                values |= {metric: of[request], f"golden_{metric}": of[request]}
    return scores


@cache
def _baseline() -> Baseline:
    with TemporaryDirectory() as place:
        folder = Path(place)
        run = with_audio(_run(folder / "runs/0001", {}, f"{BASELINE_DAY}T10:00:00Z"))
        accept(run, aggregate(run, _scores(run, {})), "first", folder / "baselines")
        return load_baseline(folder / "baselines", "smoke", machine_id(run))


def _judged(
    truths: tuple[Truth, ...],
    slower: Mapping[int, float],
    changes: Changes,
    alter: Callable[[Run], Run] = lambda run: run,
) -> PlantedRun:
    """Judge a run in which something was changed since the baseline."""
    run = alter(_run("runs/0002", slower, "2026-11-29T10:00:00Z"))
    measured = aggregate(run, _scores(run, changes))
    baseline = _baseline()
    judgement = judge(run, measured, baseline, policy())
    before = measured_before(baseline)
    report = build_report(run, measured, judgement, before=before, policy=policy())
    return PlantedRun(report=report, truths=truths)


def _truth(metric: str, steps: int, size: float, limit: float) -> tuple[Truth, ...]:
    return (
        Truth(metric=metric, cells=(f"nfe={steps}",), size=size, limit=limit, since=BASELINE_DAY),
    )


def _died(run: Run) -> Run:
    why = Failure(
        kind=FailureKind.KILLED, reason="the worker was ended by SIGKILL (out of memory?)"
    )
    return replace(
        run, processes=(*run.processes, process("nfe-4", 3, [], failure=why, finished=False))
    )


MUFFLED_RUN: Changes = {(4, "pesq"): dict.fromkeys(REQUESTS, 3.31 - 0.41)}
ONE_BROKEN: Changes = {(8, "pesq"): {"u06": 2.4}}
RUNS: Mapping[str, Callable[[], PlantedRun]] = {
    "run-passed": partial(_judged, truths=(), slower={}, changes={}),
    "run-slower": partial(
        _judged, truths=_truth("latency_p50", 8, 13.1, 5.0), slower={8: 1.131}, changes={}
    ),
    "run-muffled": partial(
        _judged, truths=_truth("pesq", 4, 0.41, 0.15), slower={}, changes=MUFFLED_RUN
    ),
    "run-one-broken": partial(
        _judged, truths=_truth("pesq", 8, 1.16, 1.0), slower={}, changes=ONE_BROKEN
    ),
    "run-died": partial(
        _judged,
        truths=(Truth(metric="", cells=("nfe=4",), since=BASELINE_DAY),),
        slower={},
        changes={},
        alter=_died,
    ),
}
"""One of them passes."""


@cache
def planted_run(name: str) -> PlantedRun:
    """Return a planted run; nobody changes it."""
    return RUNS[name]()


def write_run(name: str, folder: Path) -> tuple[Path, tuple[Truth, ...]]:
    """Write the page of a run into a folder; return it, and what a reader must find in it."""
    folder.mkdir(parents=True, exist_ok=True)
    made = planted_run(name)
    path = folder / "page.html"
    path.write_text(page(made.report, lambda request: ()), encoding="utf-8")
    return path, made.truths


if __name__ == "__main__":
    for each in HISTORIES:
        print(write_site(each, Path(sys.argv[1]) / each))
    for each in RUNS:
        print(write_run(each, Path(sys.argv[1]) / each)[0])
