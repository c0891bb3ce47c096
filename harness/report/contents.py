"""
What a report is about: a run, its measurements and the judgement on it, and the few facts to look
up in them.

Knows no format. Audio comes through a function, so that no report needs to know where it is kept.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from harness.records.cell import Cell
from harness.records.measurement import Measurement
from harness.records.run import OptionCheck, Phase, Run
from harness.records.verdict import RunVerdict
from harness.scoring.asr_floor import Floor

GOLDEN = "golden"
"""Stands in place of a cell's slug where the accepted audio is asked for."""

AudioLoader = Callable[[str, str], bytes | None]
"""(slug or GOLDEN, request id) -> a WAV file's bytes, or None where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All that a report shows."""

    run: Run
    measurements: Mapping[str, Sequence[Measurement]]
    judgement: RunVerdict
    floor: Floor | None = None
    """Of the workload; None where nobody made one."""


def cell_of(run: Run, slug: str) -> Cell | None:
    """Find a cell of the run; None for a cell that only the suite or the baseline knows."""
    return next((cell for cell in run.cells if cell.slug == slug), None)


def effects_of(run: Run, slug: str) -> tuple[OptionCheck, ...]:
    """Give what was observed of a cell: of its last process that was observed at all."""
    found = [
        process.effects for process in run.processes if process.cell == slug and process.effects
    ]
    return found[-1] if found else ()


def effective_of(run: Run, slug: str) -> Mapping[str, object]:
    """Give every option of the cell as the target resolved it; empty where nothing was loaded."""
    found = [
        process.effective for process in run.processes if process.cell == slug and process.effective
    ]
    return found[-1] if found else {}


def differences(run: Run, slug: str) -> tuple[str, ...]:
    """
    Say what was asked of a cell and was not so: one line per option, from what was observed and
    what was resolved.
    """
    cell = cell_of(run, slug)
    if cell is None:
        return ()
    lines = {
        each.option: f"asked {each.option}={each.asked}, in effect {each.observed}: {each.why}"
        for each in effects_of(run, slug)
        if each.holds is False
    }
    effective = effective_of(run, slug)
    for name, asked in cell.options.items():
        if name in effective and effective[name] != asked:
            lines.setdefault(name, f"asked {name}={asked}, in effect {effective[name]}")
    return tuple(lines.values())


def all_differences(run: Run) -> dict[str, list[str]]:
    """
    Say for every cell what was asked of it and was not so; cells where all is as asked are left
    out.
    """
    return {cell.slug: list(lines) for cell in run.cells if (lines := differences(run, cell.slug))}


def measured_count(run: Run) -> int:
    """Count the measured iterations."""
    return sum(
        sample.phase is Phase.MEASURED for process in run.processes for sample in process.samples
    )
