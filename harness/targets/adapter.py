"""
Adapts targets that do not subclass `voxgate.Target`: plug-ins written before it was a base class.

Optional abilities were attributes that a target had or had not. This is the only module that looks
for them. Removed with the next release.
"""

import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from voxgate.harness.machine.clock import Clock
from voxgate.harness.records.cell import Cell, Request
from voxgate.harness.records.run import OptionCheck
from voxgate.harness.targets.protocol import IsolatedStage, Options, StageWatch, Target


def adapted(target: Any) -> Target:
    """Return the target itself if it is one, else an adapter, with a DeprecationWarning."""
    if isinstance(target, Target):
        return target
    _warn(f"{type(target).__name__} does not subclass voxgate.Target; subclass it")
    return AdaptedTarget(target)


def option_check_of(factory: Any) -> Callable[[str, Options], None] | None:
    """
    Return the function that checks a target's options: its own `check_options`, or the former
    function of that name in its module; None where there is neither.
    """
    if isinstance(factory, type) and issubclass(factory, Target):
        definer = next(kind for kind in factory.__mro__ if "check_options" in vars(kind))
        if definer is not Target:
            return factory.check_options
    former: Callable[[str, Options], None] | None = getattr(
        sys.modules[factory.__module__], "check_options", None
    )
    if former is not None:
        _warn(f"check_options of {factory.__module__} belongs into its target, as a classmethod")
    return former


class AdaptedTarget(Target):
    """A target by its attributes: those that it lacks are those of `Target`."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    @property
    def sample_rate_hz(self) -> int:  # type: ignore[override]
        """Of the plug-in."""
        return int(self._inner.sample_rate_hz)

    @property
    def clock(self) -> Clock | None:  # type: ignore[override]
        """Of the plug-in."""
        clock: Clock | None = getattr(self._inner, "clock", Target.clock)
        return clock

    @property
    def elsewhere(self) -> bool:  # type: ignore[override]
        """Of the plug-in."""
        return bool(getattr(self._inner, "elsewhere", Target.elsewhere))

    @property
    def chunk_boundaries_s(self) -> tuple[float, ...] | None:  # type: ignore[override]
        """Of the plug-in, whose attribute was called `joins_s`."""
        joins_s = getattr(self._inner, "joins_s", None)
        return None if joins_s is None else tuple(joins_s)

    def imports_for(self, cell: Cell) -> tuple[str, ...]:
        """Return the modules that the plug-in names."""
        return tuple(getattr(self._inner, "imports", Target.imports))

    def load(self, cell: Cell, defaults: Options) -> None:
        """Load the plug-in."""
        self._inner.load(cell, defaults)

    def effective(self) -> Options:
        """Return the options of the plug-in."""
        options: Options = self._inner.effective()
        return options

    def synthesize(self, request: Request, watch: StageWatch) -> Iterator[np.ndarray]:
        """Yield the audio of the plug-in."""
        audio: Iterator[np.ndarray] = self._inner.synthesize(request, watch)
        return audio

    def observe(self, request: Request) -> tuple[OptionCheck, ...]:
        """Observe the plug-in."""
        return tuple(self._inner.observe(request))

    def isolated_stages(self, request: Request, watch: StageWatch) -> Mapping[str, IsolatedStage]:
        """Return the isolated stages of the plug-in, whose method was called `alone`."""
        alone: Callable[[Request, StageWatch], Mapping[str, IsolatedStage]] | None = getattr(
            self._inner, "alone", None
        )
        if alone is None:
            return super().isolated_stages(request, watch)
        return alone(request, watch)

    def settled(self) -> bool:
        """Whether the plug-in is settled."""
        return bool(self._inner.settled())


def _warn(problem: str) -> None:
    warnings.warn(
        f"{problem} (docs/adding-an-engine.md); the old form goes with the next release",
        DeprecationWarning,
        stacklevel=3,
    )
