"""
The baseline for a run whose machine has none of its own name: that of the same machine under the
name that an older voxgate gave it, or with other settings.

A machine's name includes its settings. A board in another power mode therefore has no baseline by
its name. It has one of the same hardware with other settings, and the setting that differs is more
useful to the reader than "no baseline".
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from voxgate.harness.errors import HarnessError
from voxgate.harness.judging.baseline import (
    Baseline,
    load_baseline,
    load_speed,
    machine_id,
    suite_dir,
)
from voxgate.harness.judging.baseline_file import BaselineFile
from voxgate.harness.machine.identity import differing, is_same_hardware
from voxgate.harness.records.run import Run

PREFIX, SUFFIX = "speed@", ".json"


def baseline_of(baselines_dir: Path, run: Run) -> Baseline:
    """
    Load the baseline that a run is compared with. Raises HarnessError as `load_baseline` does.
    """
    baseline = load_baseline(baselines_dir, run.suite, machine_id(run))
    if baseline.speed is not None:
        return baseline
    return replace(baseline, speed=_nearest(suite_dir(baselines_dir, run.suite), run))


def _nearest(folder: Path, run: Run) -> BaselineFile | None:
    """
    Return the newest baseline of the same hardware with the fewest differing settings, without the
    cells that the run lacks.
    """
    facts = run.environment.machine.facts
    same = [
        file
        for file in _others(folder, run.suite, facts)
        if is_same_hardware(file.environment, facts)
    ]
    least = min((len(differing(file.environment, facts)) for file in same), default=0)
    near = [file for file in same if len(differing(file.environment, facts)) == least]
    best = max(near, key=lambda file: file.created, default=None)
    return None if best is None else _only(best, {cell.slug for cell in run.cells})


def _others(folder: Path, suite: str, facts: Mapping[str, object]) -> Iterator[BaselineFile]:
    """
    Load the speed baselines of machines whose names have as many cores and as much memory. Broken
    files are skipped.
    """
    size = f"-{facts.get('cores')}c-{facts.get('ram_gib')}g-"
    for path in sorted(folder.glob(f"{PREFIX}*{SUFFIX}")):
        machine = path.name.removeprefix(PREFIX).removesuffix(SUFFIX)
        if size not in machine:
            continue
        try:
            file = load_speed(folder, suite, machine)
        except HarnessError:
            continue
        if file is not None:
            yield file


def _only(file: BaselineFile, slugs: set[str]) -> BaselineFile:
    cells = {slug: cell for slug, cell in file.cells.items() if slug in slugs}
    return replace(
        file,
        cells=cells,
        measurements={
            slug: measured for slug, measured in file.measurements.items() if slug in slugs
        },
    )
