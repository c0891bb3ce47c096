"""
The stages of a cell as text, one line each: as the whole was measured, as the pass of its own saw them, and alone.

Knows which measurements hold them; knows no format.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.analysis.aggregate import STAGE
from harness.analysis.stages_apart import ALONE, SYNCED
from harness.records.measurement import Measurement, Missing
from harness.report.format import shown_value

NOTHING = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class StageLine:
    """One stage: milliseconds as text, `-` where there is no such value."""

    name: str
    measured: str
    synced: str
    alone: str


def stage_lines(measurements: Sequence[Measurement]) -> tuple[StageLine, ...]:
    """Give the stages of a cell; empty where no pass looked at them."""
    columns = {prefix: _column(measurements, prefix) for prefix in (STAGE, SYNCED, ALONE)}
    if not columns[SYNCED]:
        return ()
    names = dict.fromkeys(name for prefix in (SYNCED, STAGE, ALONE) for name in columns[prefix])
    return tuple(_line(name, columns) for name in names)


def _column(measurements: Sequence[Measurement], prefix: str) -> dict[str, str]:
    found = [each for each in measurements if each.metric.startswith(prefix) and not isinstance(each.summary, Missing)]
    return {each.metric.removeprefix(prefix): shown_value("stage", each.unit, each.summary) for each in found}


def _line(name: str, columns: Mapping[str, Mapping[str, str]]) -> StageLine:
    measured, synced, alone = (columns[prefix].get(name, NOTHING) for prefix in (STAGE, SYNCED, ALONE))
    return StageLine(name=name, measured=measured, synced=synced, alone=alone)
