"""
The figures of a run at a glance: how many cells got worse, the largest change over its limit, the
fastest cell fit to ship, how quiet the machine was, and when.
"""

from dataclasses import dataclass
from itertools import chain

from voxgate.harness.machine.quietness import QUIET, UNKNOWN
from voxgate.harness.records.verdict import Verdict
from voxgate.harness.report.badges import of_verdict
from voxgate.harness.report.findings import NO_WINNER, winners
from voxgate.harness.report.run_record import RunRecord

NO_COMMIT = "none"
"""The revision of a run outside of any repository."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One figure of a run, with a note below it."""

    value: str
    note: str
    kind: str = ""
    """`good`, `open`, `bad`, or empty for none of them."""


def tiles(record: RunRecord) -> tuple[Tile, ...]:
    """Return the figures of a run, the most important first."""
    state = record.state.status
    quiet = Tile(
        value=state,
        note=f"machine {record.machine}",
        kind="good" if state == QUIET else "open",
    )
    return (
        *_count_tiles(record),
        *_change_tiles(record),
        *_speed_tiles(record),
        *([] if state == UNKNOWN else [quiet]),
        Tile(value=record.created[:10], note=_measured(record)),
    )


def _measured(record: RunRecord) -> str:
    return f"measured at {record.head}" if record.head != NO_COMMIT else "measured, of no commit"


def _count_tiles(record: RunRecord) -> list[Tile]:
    kinds = [of_verdict(cell.verdict).kind for cell in record.cells]
    many = len(kinds)
    if not many:
        return []
    if bad := kinds.count("bad"):
        return [Tile(value=str(bad), note=f"of {many} cells got worse or failed", kind="bad")]
    if all(cell.verdict == Verdict.NO_BASELINE for cell in record.cells):
        return [Tile(value=str(many), note="cells measured, without a baseline yet")]
    if open_ := kinds.count("open"):
        return [Tile(value=str(open_), note=f"of {many} cells not decided", kind="open")]
    return [Tile(value=str(many), note="cells passed" if many > 1 else "cell passed", kind="good")]


def _change_tiles(record: RunRecord) -> list[Tile]:
    """Return the largest change over its limit; of a cell that got worse where one did."""
    changed = [(cell.change, cell.label) for cell in record.cells if cell.change is not None]
    if not changed:
        return []
    change, label = max(changed, key=lambda pair: (pair[0].kind == "bad", pair[0].over))
    if (record.causes and change.kind != "bad") or not change.over:
        return []
    limit = f", limit {change.limit}" if change.limit else ""
    return [
        Tile(
            value=f"{change.arrow} {change.size}".strip(),
            note=f"{'largest ' if change.kind == 'steady' else ''}change: {change.name} of {label}"
            f"{limit}",
            kind="" if change.kind == "steady" else change.kind,
        )
    ]


def _speed_tiles(record: RunRecord) -> list[Tile]:
    """Return the fastest cell fit to ship; none where no cell has a speed."""
    best = record.fastest
    every = chain.from_iterable(cell.measured for cell in record.cells)
    if best is None and not any(each.measurement.metric == "rtf" for each in every):
        return []
    if best is None:
        return [Tile(value="none", note="of the cells is fit to ship")]
    if best.times is None or not record.gain:
        value, gain = f"rtf {best.rtf:.3g}", ""
    else:
        value, gain = f"{best.times:.2g}x", f"the reference's speed, rtf {best.rtf:.3g}: "
    if best.ties:
        return [Tile(value=value, note=f"{gain}{winners(best)}; {NO_WINNER}")]
    return [Tile(value=value, note=f"{gain}{best.label}, the fastest fit to ship")]
