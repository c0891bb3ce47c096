"""
Make a run the baseline of its suite. `accept` is the only writer of `baselines/`.

All files of a suite change at once or not at all (`replace_folder.py`). Compares and decides
nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from types import MappingProxyType

from voxgate.harness.analysis.caveats import lost_watermark, not_sampled
from voxgate.harness.analysis.grouping import Measurements, by_name
from voxgate.harness.analysis.metric_rules import is_helper
from voxgate.harness.errors import HarnessError
from voxgate.harness.judging.baseline import (
    KINDS,
    Baseline,
    as_golden,
    baseline_file_of,
    copy_golden,
    count_measured,
    file_name,
    load_baseline,
    machine_id,
    suite_dir,
)
from voxgate.harness.judging.baseline_check import fault_of_kind
from voxgate.harness.judging.baseline_file import BaselineFile, Kind, parse, render
from voxgate.harness.judging.judge import judge
from voxgate.harness.judging.policy import Policy
from voxgate.harness.judging.replace_folder import replacement
from voxgate.harness.machine.quietness import restlessness
from voxgate.harness.records.cell import Cell
from voxgate.harness.records.files import reason, write_atomic
from voxgate.harness.records.measurement import Measurement, Missing, MissingKind, Value
from voxgate.harness.records.run import Run, failure_of
from voxgate.harness.records.verdict import MetricVerdict, Verdict

NO_LIMITS: Policy = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineChange:
    """One line that `accept` changed; None where the entry did not exist, or no longer does."""

    cell: str
    metric: str
    unit: str
    old: Value | None
    new: Value | None


def accept(
    run: Run,
    measurements: Measurements,
    why: str,
    baselines_dir: Path,
    *,
    only: str | None = None,
    partial: bool = False,
    loaded: bool = False,
    policy: Policy = NO_LIMITS,
) -> tuple[BaselineChange, ...]:
    """
    Make a run the baseline of its suite: quality, this machine's speed, and the reference cell's
    audio as golden audio.

    `only` is one of KINDS and leaves the other kind as it is; the golden audio belongs to quality.
    `partial` accepts an incomplete run or one with failed cells, without those cells. `loaded`
    accepts speeds of a machine that was not quiet. A cell has failed that `judge` calls FAILED by
    `policy` and the baseline until now: a process failed, a watermark is lost, no baseline excuses
    a value, or a blocking metric lost the value that the baseline has. Accepts whole suites only.
    Returns the changes.

    Raises HarnessError for an empty reason, for such runs without the option, and for files that
    cannot be read or written.
    """
    _check_reason(run, why, partial)
    machine, folder = machine_id(run), suite_dir(baselines_dir, run.suite)
    before = load_baseline(baselines_dir, run.suite, machine)
    cells = _acceptable(run, partial, _failures(run, measurements, before, policy))
    replaced = [file for file in before.files if only in (None, file.kind)]
    _check_nothing_lost(run, cells, () if partial else replaced)
    trouble = "" if only == "quality" else _quiet_enough(run, cells, loaded)
    after = {cell.slug: by_name(as_golden(measurements[cell.slug])) for cell in cells}
    reasons: dict[Kind, str] = {"quality": why.strip(), "speed": f"{why.strip()}{trouble}"}
    files = {
        file_name(kind, machine): baseline_file_of(run, cells, after, told, kind, str(folder))
        for kind, told in reasons.items()
        if only in (None, kind)
    }
    if folder.is_symlink():
        raise HarnessError(f"{folder} is a link; a baseline is a folder of its own, put it there")
    try:
        with replacement(folder) as draft:
            _write(run, files, draft)
    except OSError as error:
        raise HarnessError(
            f"cannot write the baseline in {folder}: {reason(error)}; the old one is whole; make "
            "room, or make it writable"
        ) from error
    return _changes(replaced, _of_kind(after, only))


def _write(run: Run, files: Mapping[str, BaselineFile], draft: Path) -> None:
    """
    Write the files into the draft of a suite's folder. Raises HarnessError for a file that could
    not be read again.
    """
    for name, file in files.items():
        golden = copy_golden(run, draft / "golden") if file.kind == "quality" else None
        text = render(replace(file, golden=golden))
        try:
            parse(text, name)
        except HarnessError as error:
            raise HarnessError(f"{run.folder} cannot become the baseline: {error}") from error
        write_atomic(draft / name, text)


def _of_kind(
    measured: Mapping[str, Mapping[str, Measurement]], only: str | None
) -> dict[str, dict[str, Measurement]]:
    kinds = KINDS if only is None else (only,)

    def keep(named: Mapping[str, Measurement]) -> dict[str, Measurement]:
        kept = [name for name in named if any(fault_of_kind(name, kind) is None for kind in kinds)]
        return {name: named[name] for name in kept}

    return {slug: keep(named) for slug, named in measured.items()}


def change_line(change: BaselineChange) -> str:
    """Format one change: `nfe_steps-8 latency_p50: 0.1213 -> 0.1098 s`; a ratio has no unit."""
    unit = "" if change.unit == "1" else f" {change.unit}"
    return f"{change.cell} {change.metric}: {_shown(change.old)} -> {_shown(change.new)}{unit}"


def _failures(
    run: Run, measurements: Measurements, before: Baseline, policy: Policy
) -> dict[str, str]:
    """
    Return why cells failed, by slug, as `judge` says: as a whole, or in a blocking metric.

    A metric that the run does not measure any more is no failure here: to accept such a run is how
    a metric is given up.
    """
    causes: dict[str, str] = {}
    judged = {cell.cell: cell for cell in judge(run, measurements, before, policy).cells}
    for cell in run.cells:
        failed = [each for each in judged[cell.slug].metrics if _is_failed(each)]
        measured = measurements.get(cell.slug, ())
        whole = (
            failure_of(cell.slug, run) or lost_watermark(cell, measured) or not_sampled(run, cell)
        )
        cause = whole or (f"{failed[0].reason}{_advice(failed[0])}" if failed else None)
        if cause is not None:
            causes[cell.slug] = cause
    return causes


def _is_failed(metric: MetricVerdict) -> bool:
    now = None if metric.comparison is None else metric.comparison.current
    given_up = isinstance(now, Missing) and now.kind is MissingKind.NOT_MEASURED
    return metric.blocking and metric.verdict is Verdict.FAILED and not given_up


def _advice(metric: MetricVerdict) -> str:
    lost = metric.comparison is not None and isinstance(metric.comparison.current, Missing)
    return (
        f"; if that is meant, write blocking = false for {metric.metric} in the policy"
        if lost
        else ""
    )


def _check_reason(run: Run, why: str, partial: bool) -> None:
    """Raise HarnessError without a reason, and for an incomplete run unless `partial`."""
    if not why.strip():
        raise HarnessError('a baseline needs a reason that a reviewer can read; give --why "..."')
    if not run.complete and not partial:
        raise HarnessError(
            f"{run.folder} is not complete, so it cannot become the baseline; finish it with "
            "--resume"
        )


def _check_nothing_lost(run: Run, cells: Sequence[Cell], replaced: Sequence[BaselineFile]) -> None:
    """Raise HarnessError if the suite has cells with a baseline that the run did not measure."""
    known = {*run.unmeasured, *(cell.slug for cell in run.cells)} - {cell.slug for cell in cells}
    lost = sorted(known & set(chain.from_iterable(file.cells for file in replaced)))
    if lost:
        raise HarnessError(
            f"{run.folder} did not measure {', '.join(lost)}, whose baseline would be lost; run "
            "the whole suite, or add --partial to give it up"
        )


def _acceptable(run: Run, partial: bool, failed: Mapping[str, str]) -> list[Cell]:
    """Return the cells that may be accepted. Raises HarnessError if the run may not."""
    if failed and not partial:
        slug, reason = next(iter(failed.items()))
        raise HarnessError(
            f"cell {slug} failed ({reason}), so {run.folder} cannot become the baseline; mend it "
            "and run again"
        )
    measured = {process.cell for process in run.processes if count_measured((process,))}
    cells = [cell for cell in run.cells if cell.slug in measured and cell.slug not in failed]
    if run.reference not in {cell.slug for cell in cells}:
        raise HarnessError(
            f"{run.folder} has no samples of the reference cell {run.reference}, run the suite "
            "again"
        )
    return cells


def _quiet_enough(run: Run, cells: Sequence[Cell], loaded: bool) -> str:
    """
    Return the text that the reason of a speed baseline adds. Raises HarnessError if the machine was
    not quiet, unless `loaded`.
    """
    trouble = restlessness(run, cells)
    if trouble and not loaded:  # against such speeds, the next slow-down reads as an improvement
        raise HarnessError(
            f"the speeds of {run.folder} are not those of a quiet machine: {trouble}; run it again "
            "when the machine is idle (voxgate doctor says when), accept --only quality, or add "
            "--loaded to accept them all the same"
        )
    return f" (accepted --loaded: {trouble.partition(' (')[0]})" if trouble else ""


def _changes(
    before: Sequence[BaselineFile], after: Mapping[str, Mapping[str, Measurement]]
) -> tuple[BaselineChange, ...]:
    old: dict[tuple[str, str], Measurement] = {}
    for file in before:
        old.update(_by_cell_and_metric(file.measurements))
    new = _by_cell_and_metric(after)
    keys = [key for key in sorted({*old, *new}) if not is_helper(key[1])]
    pairs = [(key, old.get(key), new.get(key)) for key in keys]
    return tuple(_change(key, was, now) for key, was, now in pairs if not _same(was, now))


def _by_cell_and_metric(
    measured: Mapping[str, Mapping[str, Measurement]],
) -> dict[tuple[str, str], Measurement]:
    flat: dict[tuple[str, str], Measurement] = {}
    for slug, named in measured.items():
        flat.update({(slug, name): measurement for name, measurement in named.items()})
    return flat


def _change(
    key: tuple[str, str], was: Measurement | None, now: Measurement | None
) -> BaselineChange:
    either = now or was
    assert either is not None, "a change has at least one side"
    old, new = (None if side is None else side.summary for side in (was, now))
    return BaselineChange(cell=key[0], metric=key[1], unit=either.unit, old=old, new=new)


def _same(was: Measurement | None, now: Measurement | None) -> bool:
    """Whether both stand for the same number, up to the file's rounding."""
    if was is None or now is None:
        return was is now
    if isinstance(was.summary, Missing) or isinstance(now.summary, Missing):
        return was.summary == now.summary
    return abs(was.summary - now.summary) <= 1e-6 * max(abs(was.summary), abs(now.summary))


def _shown(value: Value | None) -> str:
    if value is None:
        return "none"
    return f"missing ({value.reason})" if isinstance(value, Missing) else f"{value:.4g}"
