"""
Make the header of a run from its suite, its cells and this machine.

Apart from the record itself, which readers of run folders load too: this imports targets.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from voxgate.harness.machine.clock import now_utc_iso
from voxgate.harness.machine.identity import environment
from voxgate.harness.machine.profiles import Profile
from voxgate.harness.models.own_model import records_of
from voxgate.harness.records.cell import Cell
from voxgate.harness.records.own_model import model_entries
from voxgate.harness.records.run import WORKLOAD
from voxgate.harness.records.traces import FACT
from voxgate.harness.runner.run_header import RunHeader
from voxgate.harness.suite.suite import Suite
from voxgate.harness.targets.registry import check_cells, check_takes, takes_of
from voxgate.harness.targets.sources import with_sources


def header_of_suite(
    suite: Suite,
    cells: Sequence[Cell],
    *,
    reference: str,
    excluded: Mapping[str, str],
    profile: str,
    repeats: int | None,
    iterations: int | None,
    command: str,
    engine: Mapping[str, object] | None = None,
) -> RunHeader:
    """
    Return the header of a run that begins now; None for `repeats` and `iterations` takes the
    suite's. `engine` are the facts of the engine's own environment. Source recordings are checked,
    and made. Raises HarnessError for one that cannot be converted.
    """
    return RunHeader(
        suite=suite.name,
        question=suite.question,
        reference=reference,
        cells=with_sources(cells),
        excluded=excluded,
        profile=profile,
        environment=environment(engine),
        created=now_utc_iso(),
        repeats=suite.repeats if repeats is None else repeats,
        iterations=suite.iterations if iterations is None else iterations,
        min_time_s=suite.min_time_s,
        command=command,
        metrics=None if suite.metrics is None else tuple(suite.metrics),
        conditions=tuple(suite.conditions),
        judge=suite.judge,
        models=records_of(model_entries(suite.models)),
        budget_s=float(suite.budget_s) or None,
        takes=takes_of(cells, suite.sampled, suite.takes),
    )


def make_header(
    suite: Suite,
    cells: Sequence[Cell],
    profile: Profile,
    *,
    repeats: int | None,
    iterations: int | None,
    command: str,
    spans: bool = False,
) -> RunHeader:
    """
    Return the header of a run; with `spans` it says that the run keeps when its stages ran. Raises
    HarnessError for options that the target does not know, and for a source recording that cannot
    be converted.
    """
    engine_facts = {**check_cells(cells), **({FACT: "kept"} if spans else {})}
    expansion = suite.expand()
    check_takes(expansion.cells, suite.sampled, suite.takes)
    header = header_of_suite(
        suite,
        cells,
        reference=expansion.reference,
        excluded=expansion.excluded,
        profile=profile.name,
        repeats=repeats,
        iterations=iterations,
        engine=engine_facts,
        command=command,
    )
    chosen = {cell.slug for cell in cells}
    return replace(
        header,
        unmeasured={c.slug: c.label for c in expansion.cells if c.slug not in chosen},
        workload=suite.workload if re.fullmatch(WORKLOAD, suite.workload) else "",
    )
