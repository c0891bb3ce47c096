"""
Finds targets by name: the ones of this package, those that installed packages offer as entry points
`voxgate.targets`, and any class that can be imported, named as `package.module:Class`.

Nothing is imported before it is asked for. A target's module may have
`check_options(pipeline, options)`, which raises HarnessError for options that the target does not
know; it must not load anything heavy.
"""

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Any

from harness.errors import HarnessError
from harness.records.cell import Cell, Option
from harness.targets.protocol import Target
from harness.targets.slowdown import slowed

GROUP = "voxgate.targets"
BUILT_IN: Mapping[str, str] = MappingProxyType(
    {
        "engine": "harness.targets.engine.target:EngineTarget",
        "flite": "harness.targets.flite:FliteTarget",
        "scripted": "harness.targets.scripted:ScriptedTarget",
        "control": "harness.targets.fixed_work:ControlTarget",
        "http": "harness.targets.http.target:HttpTarget",
    }
)
MEASURED: Mapping[str, str] = MappingProxyType({"engine": "engine"})
"""
The package whose code a target of ours measures; those that are absent measure none of a project's.
"""


def known_targets() -> tuple[str, ...]:
    """Name all targets."""
    return (*BUILT_IN, *sorted({point.name for point in entry_points(group=GROUP)} - set(BUILT_IN)))


def make_target(name: str) -> Target:
    """
    Make a target, not yet loaded, slowed down if the environment says so. Raises HarnessError for
    an unknown name.
    """
    target: Target = _factory(name)()
    return slowed(target)


def package_of(name: str) -> str | None:
    """
    Name the package whose code a target measures; None where that is no code of a project.
    HarnessError if unknown.
    """
    if name in BUILT_IN:
        return MEASURED.get(name)
    if ":" in name:
        return name.partition(":")[0].partition(".")[0]
    for point in entry_points(group=GROUP):
        if point.name == name:
            return str(point.value).partition(":")[0].partition(".")[0]
    raise _unknown(name)


def check_options(target: str, pipeline: str, options: Mapping[str, Option]) -> None:
    """
    Raise HarnessError if the target does not exist or does not know one of the options (it then
    lists those it knows).
    """
    module = sys.modules[_factory(target).__module__]
    check: Callable[[str, Mapping[str, Option]], None] | None = getattr(
        module, "check_options", None
    )
    if check is not None:
        check(pipeline, options)


def check_cells(cells: Sequence[Cell]) -> None:
    """
    Raise HarnessError if a target does not know an option of a cell or of one of its requests.
    """
    for cell in cells:
        extras = {tuple(request.options.items()) for request in cell.workload.requests}
        for extra in sorted(extras, key=str):
            check_options(cell.target, cell.pipeline, {**cell.options, **dict(extra)})


def _factory(name: str) -> Any:
    if name in BUILT_IN:
        return _imported(BUILT_IN[name])
    if ":" in name:
        try:
            return _imported(name)
        except (ImportError, AttributeError) as error:
            raise HarnessError(
                f"target {name!r} cannot be imported: {error}; install its package, or set "
                "PYTHONPATH"
            ) from error
    for point in entry_points(group=GROUP):
        if point.name == name:
            return point.load()
    raise _unknown(name)


def _imported(place: str) -> Any:
    """Give what `package.module:Name` names."""
    module, _, attribute = place.partition(":")
    return getattr(importlib.import_module(module), attribute)


def _unknown(name: str) -> HarnessError:
    return HarnessError(
        f"unknown target {name!r}; known are {', '.join(known_targets())}, or name a class: "
        "package.module:Class"
    )
