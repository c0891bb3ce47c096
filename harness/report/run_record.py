"""
The record of one run, from a judged run or from the history: all that its page shows of it.

Both the single page (`page.py`) and the site (`site/run_view.py`) fill a `RunRecord`; `run_page.py`
makes the view of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from voxgate.harness.judging.tradeoff import SpeedGain
from voxgate.harness.machine.quietness import MachineState
from voxgate.harness.records.measurement import Measurement
from voxgate.harness.report.charts import ChartImage
from voxgate.harness.report.contents import ReelTable
from voxgate.harness.report.tables import NextStep, TableColumn
from voxgate.harness.report.worst_utterances import BrokenUtterance

if TYPE_CHECKING:
    from voxgate.harness.report.listening.player import Player


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedMeasurement:
    """One metric of a cell with its verdict as words; empty texts where nothing is known."""

    measurement: Measurement
    verdict: str = ""
    baseline: str = ""
    reason: str = ""
    spread: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckLine:
    """One option check, as text; `in_effect` is None where nothing could be observed."""

    option: str
    requested: str
    observed: str
    in_effect: bool | None
    reason: str
    is_fact: bool = False
    """Whether it is no option but a fact that nobody requested."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedCell:
    """
    One cell of a run. `address` is its page, if it has one; `reasons` and then `notes` are lines
    that stand below its row. A cell that has reasons is unfolded.
    """

    label: str
    verdict: str | None
    reasons: tuple[str, ...]
    measured: tuple[JudgedMeasurement, ...]
    requested: Mapping[str, object]
    effective: Mapping[str, object]
    checks: tuple[CheckLine, ...]
    address: str = ""
    notes: tuple[str, ...] = ()
    broken: tuple[BrokenUtterance, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunBefore:
    """The run before it, and (fact, before, now) where machine or toolchain differ."""

    head: str
    created: str
    changed: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """A run and all that its page shows of it, wherever it comes from."""

    title: str
    suite: str
    profile: str
    machine: str
    state: MachineState
    """How quiet the machine was."""
    verdict: str | None
    question: str
    line: str
    head: str
    created: str
    baseline: str
    run: str
    """Where the run lies, and what there is of it."""
    columns: tuple[TableColumn, ...]
    cells: tuple[RecordedCell, ...]
    fastest: SpeedGain | None
    gain: str
    """Of the fastest cell over the reference, with its interval."""
    charts: tuple[ChartImage, ...]
    environment: Mapping[str, str]
    before: RunBefore | None = None
    remarks: tuple[str, ...] = ()
    """On the main table."""
    next_step: NextStep | None = None
    """How the run gets its missing baseline."""
    excluded: Mapping[str, str] | None = None
    reels: tuple[ReelTable, ...] = ()
    player: "Player | None" = None
    """None where no audio belongs to the page."""
    trail: Sequence[tuple[str, str]] = ()
    """(title, address) of the pages above this one."""
    links: Sequence[tuple[str, str]] = ()
    """(title, address) of pages about the run; a title alone is a remark."""
