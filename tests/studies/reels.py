"""
Which variants of the engine make a reel of 15 segments and two speakers within its budget?

    python -m tests.studies.reels FOLDER [--repeats 3] [--out docs/evidence/reels.md]

Measures the suite `reel_variants` into FOLDER (a run that is whole is only read), has its quality
scored, and writes the page. The wall times are those of every measured reel, disturbed ones
included, since a reel takes seconds: the page says how busy the machine was.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tests.studies.streaming import measured
from voxgate.harness.analysis.grouping import by_name
from voxgate.harness.machine.interference import interference_causes
from voxgate.harness.machine.quietness import fitness
from voxgate.harness.records.cell import Cell
from voxgate.harness.records.environment import facts_of
from voxgate.harness.records.measurement import Measurement, Missing
from voxgate.harness.records.run import ColdStart, Iteration, Phase, Run
from voxgate.harness.report.format import kept, shown
from voxgate.harness.runner import run_folder

SUITE = "reel_variants"
QUALITY = (
    ("snr", "snr dB"),
    ("wer", "wer %"),
    ("caption_drift", "captions ms"),
    ("speaker_confusion", "confused"),
)
COLUMNS = ("cell", "n", "wall s", "budget", "rtf", "audio s", "cold s", *(t for _, t in QUALITY))
ABOUT = (
    "Wall is the median of the measured reels, with the least and the greatest in brackets; cold "
    "is the start of a fresh process, its import, load and first reel; snr is against the first "
    "cell.\nThe audio is the same in all fp32 cells but for the order in which sums are added up."
)


def iterations_of(run: Run, cell: Cell) -> list[Iteration]:
    """Return the measured iterations of a cell, of all its processes."""
    of_cell = [process for process in run.processes if process.cell == cell.slug]
    return [s for process in of_cell for s in process.iterations if s.phase is Phase.MEASURED]


def row(run: Run, cell: Cell, named: dict[str, Measurement]) -> list[str]:
    """Return the row of one cell."""
    samples = iterations_of(run, cell)
    if not samples:
        return [cell.label, "0", *["not measured"] * (len(COLUMNS) - 2)]
    walls, audio_s = [s.wall_s for s in samples], samples[0].audio_s
    wall_s = float(np.median(walls))
    budget = "" if run.budget_s is None else kept(wall_s / run.budget_s)
    cold = [_cold_s(p.cold) for p in run.processes if p.cell == cell.slug and p.cold is not None]
    return [
        cell.label,
        str(len(samples)),
        f"{wall_s:.2f} [{min(walls):.2f} {max(walls):.2f}]",
        budget,
        f"{wall_s / audio_s:.3f}",
        f"{audio_s:.1f}",
        f"{np.median(cold):.1f}" if cold else "",
        *(_shown(named.get(name)) for name, _ in QUALITY),
    ]


def _cold_s(cold: ColdStart) -> float:
    return cold.import_s + cold.load_s + cold.first_synthesis_s


def _shown(measurement: Measurement | None) -> str:
    absent = measurement is None or isinstance(measurement.summary, Missing)
    return "missing" if measurement is None or absent else shown(measurement, interval=False)


def page(run: Run) -> str:
    """Return the whole page."""
    measurements = run_folder.load_measurements(Path(run.folder))
    rows = [row(run, cell, by_name(measurements[cell.slug])) for cell in run.cells]
    return "\n".join(
        ["# Reels: variants against a budget", "", origin(run), "", *table(rows), "", ABOUT, ""]
    )


def origin(run: Run) -> str:
    """Describe where the figures come from, a sentence a line."""
    machine, toolchain = facts_of(run.environment.machine), facts_of(run.environment.toolchain)
    assert isinstance(machine, dict) and isinstance(toolchain, dict)
    state = fitness(run.environment)
    quiet = state.status if state.status == "quiet" else f"{state.status}: {state.detail}"
    every = [s for cell in run.cells for s in iterations_of(run, cell)]
    disturbed = sum(bool(interference_causes(s)) for s in every)
    left = ", ".join(run.unmeasured.values())
    unmeasured = f"\nNot measured in this run: {left}." if left else ""
    return (
        f"`python -m tests.studies.reels FOLDER` measures the suite `{run.suite}` and writes this "
        f"page.\nMeasured {run.created[:10]} on {machine['cpu_model']} "
        f"({machine['cores']} CPUs, {quiet}), torch {toolchain['torch']}, profile "
        f"`{run.profile}`: one reel of "
        f"{len(run.cells[0].workload.requests[0].segments)} segments, NFE "
        f"{run.cells[0].options['nfe_steps']}.\n"
        f"The budget is {run.budget_s:g} s of wall time.\n"
        f"Of {len(every)} reels {disturbed} shared their CPU with another process.{unmeasured}"
    )


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table in Markdown."""
    rules = ["---", *["---:"] * (len(COLUMNS) - 1)]
    return [f"| {' | '.join(line)} |" for line in (COLUMNS, rules, *rows)]


def main() -> None:
    """Measure, and write the page."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("folder", type=Path)
    words.add_argument("--repeats", type=int, default=3)
    words.add_argument("--out", type=Path, default=Path("docs/evidence/reels.md"))
    given = words.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    given.out.write_text(page(measured(given.folder, SUITE, given.repeats)), encoding="utf-8")


if __name__ == "__main__":
    main()
