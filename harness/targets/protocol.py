"""
The five things a target can do. It reads no clocks and writes no files; the worker does.

What one check of an option found, and the options that it was held against.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from harness.records.cell import Cell, Option, Request
from harness.records.run import OptionCheck, StageWork

StageWatch = Callable[[str], AbstractContextManager[None]]
"""Called by the target as `with watch("vocoder"): ...` around each of its stages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alone:
    """The model of a stage by itself."""

    run: Callable[[], object]
    """Runs it once, on what it was first given."""
    work: StageWork | None = None
    """
    How much that was; None where the target does not tell, and then nobody can say whether another
    did the same.
    """


class Target(Protocol):
    """
    A voice engine under measurement. One object serves one cell in one process.

    A target that makes long audio in chunks may have an attribute `joins_s`: seconds from the start
    of the last synthesis to each place where two chunks meet. Such places are then searched for
    clicks.

    A target that can run the models of its stages by themselves may have a method
    `alone(request, watch)`: it speaks the request and gives an `Alone` by stage.

    A target whose engine runs in another process has `elsewhere = True`: the memory of the worker
    is then none of the engine's.
    """

    sample_rate_hz: int

    def load(self, cell: Cell, defaults: Mapping[str, Option]) -> None:
        """
        Import the engine and make it ready; `defaults` come from the profile (device, threads), the
        cell's options win.

        Raises HarnessError with the engine's own sentence when the engine refuses the
        configuration.
        """

    def effective(self) -> Mapping[str, Option]:
        """Give every option as resolved by the engine, defaults included."""

    def synthesize(self, request: Request, watch: StageWatch) -> Iterator[np.ndarray]:
        """Yield float32 mono audio chunks, each playable when yielded."""

    def observe(self, request: Request) -> tuple[OptionCheck, ...]:
        """
        Run one synthesis with observers attached and hold what was seen against what was asked.
        """

    def settled(self) -> bool:
        """Tell whether the last synthesis compiled nothing new, so that measuring may begin."""


Options = Mapping[str, Option]


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What one check found."""

    observed: str
    holds: bool | None
    """None where nothing of it could be seen."""
    why: str
