"""
A target that does additional work in one stage: a slowdown of known size, for `voxgate selftest`.

It is real work in the engine's own process, done while the stage is timed: matrix products of fixed
size, on the engine's device and with its threads; never a sleep, never a changed number. The audio
is unchanged, to the bit. Where the target has a virtual clock, a unit of work advances it by
VIRTUAL_UNIT_S.

The environment variable VOXGATE_SLOWED, which only workers read, holds the amount, so that a cell
has the same options on all sides:

    {"stage": "vocoder", "units": {"<slug>": {"<request>": 37}}, "apart": false}

`apart` counts the work as a stage of its own, `slowed`: so selftest measures the duration of a
unit.
"""

import importlib.util
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np

from voxgate.harness.errors import HarnessError
from voxgate.harness.machine.clock import VirtualClock
from voxgate.harness.records.cell import Cell, Option, Request
from voxgate.harness.targets.protocol import ForwardingTarget, StageWatch, Target

SLOWED = "VOXGATE_SLOWED"
APART = "slowed"
WHOLE = "whole"
"""
In place of a stage, for a target without stages: the work is done after the last of its audio.
"""
EDGE = 128
"""
A product of two 128 x 128 matrices: 4 million operations, some 50 us on one core; 3 % of a quick
synthesis are dozens.
"""
VIRTUAL_UNIT_S = 1e-4

Work = Callable[[int], None]
"""Does a number of units."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowDown:
    """Units of work to add to a stage: slug -> request id -> units."""

    stage: str
    units: Mapping[str, Mapping[str, int]]
    apart: bool = False

    def env(self) -> dict[str, str]:
        """Return the environment variables of a worker."""
        return {
            SLOWED: json.dumps(
                {"stage": self.stage, "units": self.units, "apart": self.apart}, sort_keys=True
            )
        }


def slowed(target: Target) -> Target:
    """Return the target, or a slowed one if the environment says so."""
    order = os.environ.get(SLOWED)
    return SlowedTarget(target, SlowDown(**json.loads(order))) if order else target


def slow_down_of(slug: str, request: str) -> dict[str, object] | None:
    """
    Return the extra work of one request as plain JSON, for an engine in another process; None if
    the environment asks for none. Raises HarnessError if it leaves the request out.
    """
    order = os.environ.get(SLOWED)
    if not order:
        return None
    slow = SlowDown(**json.loads(order))
    units = slow.units.get(slug, {})
    if request not in units:
        raise _left_out(slug, request)
    return {"stage": slow.stage, "units": units[request], "apart": slow.apart}


def _left_out(slug: str, request: str) -> HarnessError:
    return HarnessError(
        f"{SLOWED} names no units for {slug}, request {request}; run selftest from the start"
    )


class SlowedTarget(ForwardingTarget):
    """Passes everything on to another target, and does additional work in one of its stages."""

    def __init__(self, inner: Target, order: SlowDown) -> None:
        super().__init__(inner)
        self._order = order
        self._units: Mapping[str, int] = {}
        self._work: Work = _nothing

    def load(self, cell: Cell, defaults: Mapping[str, Option]) -> None:
        """
        Load the other target. Raises HarnessError if the order leaves a request of the cell out.
        """
        self._inner.load(cell, defaults)
        self._units = self._order.units.get(cell.slug, {})
        lacking = [
            request.id for request in cell.workload.requests if request.id not in self._units
        ]
        if lacking:
            raise _left_out(cell.slug, lacking[0])
        clock = self._inner.clock
        device = str({**defaults, **cell.options}.get("device", "cpu"))
        self._work = _virtual_work(clock) if isinstance(clock, VirtualClock) else _work_on(device)

    def synthesize(self, request: Request, watch: StageWatch) -> Iterator[np.ndarray]:
        """
        Synthesise; do the additional work when the stage is first entered, or at the end. Raises
        HarnessError where the stage is never entered.
        """
        return self._slower(request, watch, partial(self._inner.synthesize, request))

    def convert_live(
        self, request: Request, packets: Iterator[np.ndarray], watch: StageWatch
    ) -> Iterator[np.ndarray]:
        """Convert live; otherwise as `synthesize`."""
        return self._slower(request, watch, partial(self._inner.convert_live, request, packets))

    def _slower(
        self,
        request: Request,
        watch: StageWatch,
        spoken: Callable[[StageWatch], Iterator[np.ndarray]],
    ) -> Iterator[np.ndarray]:
        stages: list[str] = []

        @contextmanager
        def slower(stage: str) -> Iterator[None]:
            with watch(stage):
                yield
                if stage == self._order.stage and stage not in stages:
                    self._work_more(request, watch)
                stages.append(stage)

        yield from spoken(slower)
        if self._order.stage == WHOLE and not stages:
            self._work_more(request, watch)
        elif self._order.stage not in stages:
            names = ", ".join(dict.fromkeys(stages)) or "none"
            raise HarnessError(
                f"the target has no stage {self._order.stage!r} to slow down; its stages are "
                f"{names}"
            )

    def _work_more(self, request: Request, watch: StageWatch) -> None:
        if not self._order.apart:
            self._work(self._units[request.id])
            return
        with watch(APART):
            self._work(self._units[request.id])


def _nothing(count: int) -> None:
    """Do nothing, before the target is loaded."""


def _virtual_work(clock: VirtualClock) -> Work:
    """Return work that advances a virtual clock."""
    return lambda count: clock.advance(count * VIRTUAL_UNIT_S)


def _work_on(device: str) -> Work:
    """
    Return work by the library that the engine is likely to use: torch, else numpy, which every
    worker has.
    """
    return _torch_work(device) if importlib.util.find_spec("torch") is not None else _numpy_work()


def _numpy_work() -> Work:
    """
    Return work on the CPU: products whose result is the matrix itself, so that no number ever
    grows.
    """
    matrix = np.full((EDGE, EDGE), 1.0 / EDGE, np.float32)
    product = np.empty_like(matrix)

    def work(count: int) -> None:
        for _ in range(count):
            np.matmul(matrix, matrix, out=product)

    return work


def _torch_work(device: str) -> Work:
    """
    Return work by torch on a device: products whose result is the matrix itself, so that no
    number ever grows.
    """
    import torch

    matrix = torch.full((EDGE, EDGE), 1.0 / EDGE, device=device)
    product = torch.empty_like(matrix)

    def work(count: int) -> None:
        for _ in range(count):
            torch.mm(matrix, matrix, out=product)

    return work
