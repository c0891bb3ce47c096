"""
What a cell costs, which stage to slow down, and how long a unit of extra work takes in it: one process per cell, measured
before the first round.

The extra work is measured where it will be done, inside the stage of the running engine, since caches and clocks are what
they are there. Decides nothing.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from harness.errors import HarnessError
from harness.machine.profiles_table import Profile
from harness.records.cell import Cell
from harness.records.run import Phase, ProcessRecord
from harness.runner import run_folder
from harness.runner.progress import Progress
from harness.runner.round import Side
from harness.runner.runner import Schedule, make_header
from harness.runner.worker_process import Launch
from harness.selftest.speed_plan import Cost
from harness.suite.suite import Suite
from harness.targets.slowdown import APART, WHOLE, SlowDown

UNITS = 200
"""About 10 ms: long enough to be timed to a per cent, short beside the synthesis that it must not disturb."""
SYNTHESES = 4
"""What a process does before it is measured: first, twice warm-up, and once observed, which is not recorded."""


def calibrate(
    suite: Suite, cells: Sequence[Cell], profile: Profile, folder: Path, stage: str, timeout_s: float, progress: Progress
) -> tuple[dict[str, Cost], dict[str, str]] | None:
    """
    Measure each cell once, with extra work that is timed apart; None if a person interrupted it.

    Returns the costs by slug, and why the cells without one failed. Raises HarnessError if no cell works.
    """
    order = SlowDown(stage=stage, units={c.slug: {r.id: UNITS for r in c.workload.requests} for c in cells}, apart=True)
    header = make_header(suite, cells, profile, repeats=1, iterations=None, command=f"selftest {suite.name}: calibration")
    side = Side(header=header, folder=folder, launch=Launch(env=order.env()))
    run_folder.create_run(folder, header)
    (outcome,) = Schedule([side], profile, timeout_s, progress).run()
    if outcome.interrupted:
        return None
    failures = {slug: f"{failure.kind}: {failure.reason}" for slug, failure in outcome.failures.items()}
    if len(failures) == len(cells):
        raise HarnessError(f"no cell can be measured; {next(iter(failures))}: {next(iter(failures.values()))}")
    records = run_folder.load_run(folder).processes
    return {record.cell: cost_of(record) for record in records if record.cell not in failures}, failures


def longest_stage(suite: Suite, cell: Cell, profile: Profile, folder: Path, timeout_s: float, progress: Progress) -> str | None:
    """
    Measure a cell once and name the stage that takes most of its time, WHOLE where the target tells of none; None if a person
    interrupted it. Raises HarnessError if the cell fails.
    """
    header = make_header(suite, [cell], profile, repeats=1, iterations=1, command=f"selftest {suite.name}: stages")
    run_folder.create_run(folder, header)
    (outcome,) = Schedule([Side(header=header, folder=folder, launch=Launch())], profile, timeout_s, progress).run()
    if outcome.interrupted:
        return None
    for slug, failure in outcome.failures.items():
        raise HarnessError(f"no cell can be measured; {slug}: {failure.kind}: {failure.reason}")
    samples = [
        each for record in run_folder.load_run(folder).processes for each in record.samples if each.phase is Phase.MEASURED
    ]
    seconds: dict[str, float] = {}
    for sample in samples:
        for stage, stage_s in sample.stages_s.items():
            seconds[stage] = seconds.get(stage, 0.0) + stage_s
    return max(seconds, key=seconds.__getitem__, default=WHOLE)


def cost_of(record: ProcessRecord) -> Cost:
    """Read the costs off one process whose extra work was timed apart."""
    assert record.cold is not None, "the only process of a cell starts alone"
    measured = [sample for sample in record.samples if sample.phase is Phase.MEASURED]
    plain = [(sample.request, sample.wall_s - sample.stages_s[APART]) for sample in measured]
    per_request = {
        name: float(np.median([seconds for request, seconds in plain if request == name]))
        for name in dict.fromkeys(request for request, _ in plain)
    }
    return Cost(
        prepare_s=record.cold.import_s + record.cold.load_s + SYNTHESES * float(np.mean(list(per_request.values()))),
        measure_s=sum(seconds for _, seconds in plain),
        request_s=per_request,
        unit_s=float(np.median([sample.stages_s[APART] / UNITS for sample in measured])),
    )
