"""
When iterations and their stages ran, by the clock of the machine: what spans are made of.

A run that was asked for it (`--spans`) keeps a line for each iteration in `spans/`, written when
nothing is timed. Apart from the records of measuring, which tell how long something took.
"""

from dataclasses import dataclass
from typing import Annotated

from voxgate.harness.records.constraints import Range, Row
from voxgate.harness.records.run import Count, Length, Phase, Time

FACT = "spans"
"""Name of the fact in the toolchain of a run that kept such times."""
Moment = Annotated[float, Range(0.0, 1e11)]
"""Seconds since 1970."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedStage(Row):
    """When a stage ran, in seconds from the request."""

    stage: str
    start_s: Time
    end_s: Time


@dataclass(frozen=True, slots=True, kw_only=True)
class IterationTrace:
    """When one iteration ran."""

    cell: str
    repeat: Count
    iteration: Count
    phase: Phase
    request: str
    began_s: Moment
    wall_s: Length
    first_audio_s: Time
    stages: tuple[TimedStage, ...]
    """Empty where the engine runs in an environment of its own."""
