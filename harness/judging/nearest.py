"""
The baseline that a run is held against where its machine has none of its own name: that of the same
machine under the name that an older voxgate gave it, or as it was set up before.

A machine's name holds what is set on it. So a board that somebody put into another power mode has
no baseline by its name; what it has is one of itself set up otherwise, and to say which setting
differs is worth more than to say that there is none.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from harness.errors import HarnessError
from harness.judging.baseline import Baseline, load_baseline, load_speed, machine_id, suite_dir
from harness.judging.baseline_file import BaselineFile
from harness.machine.identity import differing, is_same_hardware
from harness.records.run import Run

PREFIX, SUFFIX = "speed@", ".json"


def baseline_of(baselines_dir: Path, run: Run) -> Baseline:
    """
    Load the baseline that a run is to be held against. Raises HarnessError as `load_baseline` does.
    """
    found = load_baseline(baselines_dir, run.suite, machine_id(run))
    if found.speed is not None:
        return found
    return replace(found, speed=_nearest(suite_dir(baselines_dir, run.suite), run))


def _nearest(folder: Path, run: Run) -> BaselineFile | None:
    """
    Return the newest of the same hardware that differs least; without cells that the run has not,
    which prove nothing.
    """
    facts = run.environment.machine.facts
    same = [
        each
        for each in _others(folder, run.suite, facts)
        if is_same_hardware(each.environment, facts)
    ]
    least = min((len(differing(each.environment, facts)) for each in same), default=0)
    near = [each for each in same if len(differing(each.environment, facts)) == least]
    best = max(near, key=lambda each: each.created, default=None)
    return None if best is None else _only(best, {cell.slug for cell in run.cells})


def _others(folder: Path, suite: str, facts: Mapping[str, object]) -> Iterator[BaselineFile]:
    """
    Read the speed baselines of machines whose names tell of as many cores and as much memory; a
    broken one is not ours.
    """
    size = f"-{facts.get('cores')}c-{facts.get('ram_gib')}g-"
    for path in sorted(folder.glob(f"{PREFIX}*{SUFFIX}")):
        machine = path.name.removeprefix(PREFIX).removesuffix(SUFFIX)
        if size not in machine:
            continue
        try:
            found = load_speed(folder, suite, machine)
        except HarnessError:
            continue
        if found is not None:
            yield found


def _only(file: BaselineFile, slugs: set[str]) -> BaselineFile:
    cells = {slug: each for slug, each in file.cells.items() if slug in slugs}
    return replace(
        file,
        cells=cells,
        measurements={slug: each for slug, each in file.measurements.items() if slug in slugs},
    )
