"""
Targets by name: those of this package, those of installed packages (entry points
`voxgate.targets`), and any class that can be imported, named as `package.module:Class`.

A target's module is imported when the target is asked for, not before; it must not import its
engine.
"""

import importlib
import inspect
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from types import MappingProxyType
from typing import Any

from voxgate.harness.errors import HarnessError
from voxgate.harness.records.cell import SPEAKER, Cell, Option
from voxgate.harness.suite.suite import Suite
from voxgate.harness.suite.suite_checks import TAKES
from voxgate.harness.targets.adapter import adapted, option_check_of
from voxgate.harness.targets.command.files import find_program
from voxgate.harness.targets.other_python.probe import check_there, environment_facts, options_of
from voxgate.harness.targets.protocol import Target
from voxgate.harness.targets.slowdown import slowed

GROUP = "voxgate.targets"
BUILT_IN: Mapping[str, str] = MappingProxyType(
    {
        "engine": "voxgate.harness.targets.engine.target:EngineTarget",
        "flite": "voxgate.harness.targets.flite:FliteTarget",
        "scripted": "voxgate.harness.targets.scripted:ScriptedTarget",
        "control": "voxgate.harness.targets.fixed_work:ControlTarget",
        "command": "voxgate.harness.targets.command.target:CommandTarget",
        "http": "voxgate.harness.targets.http.target:HttpTarget",
    }
)
MEASURED: Mapping[str, str] = MappingProxyType({"engine": "voxgate.engine"})
"""
Built-in target -> the package that it measures; the others measure no code of a project.
"""


def known_targets() -> tuple[str, ...]:
    """Return the names of all targets."""
    return (*BUILT_IN, *sorted({point.name for point in entry_points(group=GROUP)} - set(BUILT_IN)))


def make_target(name: str) -> Target:
    """
    Make a target, not yet loaded; slowed down if the environment says so.

    Raises: HarnessError for an unknown name, and for a target that lacks a required method.
    """
    factory = _factory(name)
    _check_complete(name, factory)
    return slowed(adapted(factory()))


def package_of(name: str) -> str | None:
    """
    Return the package that a target measures; None where it measures no code of a project. Raises
    HarnessError for an unknown name.
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
    Check options by their target. Raises HarnessError for an unknown target, and for an option or a
    value that it refuses.
    """
    factory = _factory(target)
    _check_complete(target, factory)
    check = option_check_of(factory)
    if check is not None:
        check(pipeline, options)


def _check_complete(name: str, factory: Any) -> None:
    if inspect.isabstract(factory):
        missing = ", ".join(sorted(factory.__abstractmethods__))
        raise HarnessError(f"target {name!r} lacks {missing}; a target must have these methods")


def check_cells(cells: Sequence[Cell]) -> dict[str, object]:
    """
    Check the options of cells and of their requests by their targets, each in its environment.

    Returns the facts that the engines' own environments add to a toolchain. Raises HarnessError.
    """
    for word in {cell.command.words[0] for cell in cells if cell.command is not None}:
        find_program(word, Path())
    _check_reels(cells)
    _check_sources(cells)
    facts: dict[str, object] = {}
    for target, environment in dict.fromkeys((cell.target, cell.environment) for cell in cells):
        asked = options_of(
            cell for cell in cells if (cell.target, cell.environment) == (target, environment)
        )
        if environment:
            _check_elsewhere(target)
            facts |= environment_facts(environment, check_there(target, environment, asked))
            continue
        for pipeline, options in asked:
            check_options(target, pipeline, options)
    return facts


def _check_reels(cells: Sequence[Cell]) -> None:
    """Raise HarnessError for a reel that its target cannot speak."""
    for cell in cells:
        reel = next((request for request in cell.workload.requests if request.segments), None)
        if reel is None:
            continue
        which = f"request {reel.id} of workload {cell.workload.name} is a reel"
        if SPEAKER in cell.options:
            raise HarnessError(
                f"{which}, whose segments name their speakers; remove the option {SPEAKER}"
            )
        if not _speaks_reels(cell):
            where = " with environment=" if cell.environment else f" (pipeline {cell.pipeline})"
            raise HarnessError(
                f"{which}, and target {cell.target!r}{where} speaks no reels; use a workload "
                "without segments, or a target that does (docs/reels.md)"
            )


def _speaks_reels(cell: Cell) -> bool:
    if cell.environment:
        return False
    factory = _factory(cell.target)
    ours = isinstance(factory, type) and issubclass(factory, Target)
    return ours and bool(factory.speaks_reels(cell))


def _check_sources(cells: Sequence[Cell]) -> None:
    """Raise HarnessError for a source that its target cannot convert, and for one that lacks."""
    for cell in cells:
        takes = _takes_sources(cell)
        for request in cell.workload.requests:
            which = f"request {request.id} of workload {cell.workload.name}"
            who = f"target {cell.target!r} (pipeline {cell.pipeline})"
            if request.source is not None and takes is False:
                where = " with environment=" if cell.environment else ""
                raise HarnessError(
                    f"{which} has a source, and {who}{where} converts no recordings; use a "
                    "workload of texts, or a target that does (docs/adding-an-engine.md)"
                )
            if request.source is None and takes is True:
                raise HarnessError(
                    f"{which} has no source, and {who} converts recordings; add "
                    "source = 'file.wav' or 'flite:slt' to it, or use a workload with sources"
                )


def _takes_sources(cell: Cell) -> bool | None:
    if cell.environment:
        return False
    factory = _factory(cell.target)
    ours = isinstance(factory, type) and issubclass(factory, Target)
    return factory.takes_sources(cell) if ours else False


def takes_of(cells: Sequence[Cell], sampled: bool | None, takes: int | None) -> dict[str, int]:
    """
    Return the number of takes of each cell that samples, by slug: by its target's declaration, else
    by that of the suite, `sampled`. `takes` are those that the suite asks for, None for the usual.
    """
    told = {cell.slug: _samples(cell) for cell in cells if sampled is not False}
    chosen = [slug for slug, says in told.items() if (bool(sampled) if says is None else says)]
    return dict.fromkeys(chosen, takes or TAKES)


def check_takes(cells: Sequence[Cell], sampled: bool | None, takes: int | None) -> None:
    """Raise HarnessError where a suite asks for takes, and none of its cells samples."""
    if takes_of(cells, sampled, takes) or not (sampled or takes is not None):
        return
    if sampled:
        raise HarnessError(
            f"sampled=True, but target {cells[0].target!r} says that none of the cells samples, as "
            "with temperature=0; remove sampled=True, or add a cell that does"
        )
    raise HarnessError(
        f"takes={takes}, but neither the suite nor its target declares a sampled engine; add "
        "sampled=True, or remove takes"
    )


def has_takes(suite: Suite) -> bool:
    """Whether any cell of a suite samples."""
    return bool(takes_of(suite.expand().cells, suite.sampled, suite.takes))


def _samples(cell: Cell) -> bool | None:
    """Return what a cell's target declares of itself; None where it does not, or runs elsewhere."""
    if cell.environment:
        return None
    factory = _factory(cell.target)
    if isinstance(factory, type) and issubclass(factory, Target):
        return factory.samples(cell)
    told = getattr(factory, "sampled", None)
    return told if isinstance(told, bool) else None


def _check_elsewhere(target: str) -> None:
    if target in BUILT_IN:
        raise HarnessError(
            f"target {target!r} runs in voxgate's own environment; with environment= name a class "
            "that is importable there: target='package.module:Class'"
        )


def _factory(name: str) -> Any:
    if name in BUILT_IN:
        return _imported(BUILT_IN[name])
    if ":" in name:
        _look_in_project()
        return _loaded(name, lambda: _imported(name))
    for point in entry_points(group=GROUP):
        if point.name == name:
            return _loaded(name, point.load)
    raise _unknown(name)


def _look_in_project() -> None:
    """
    Let modules of the working directory be imported, behind all others: as in a worker, under
    pytest and in a comparison of revisions.
    """
    here = os.getcwd()  # noqa: PTH109 - a text, as the entries of sys.path are
    if here not in sys.path:
        sys.path.append(here)


def _loaded(name: str, load: Callable[[], Any]) -> Any:
    """Import a stranger's target. Raises HarnessError for whatever its module raises."""
    try:
        return load()
    except Exception as error:
        known = isinstance(error, ImportError | AttributeError)
        told = str(error) if known else f"{type(error).__name__}: {error}"
        raise HarnessError(
            f"target {name!r} cannot be imported: {' '.join(told.split())}; "
            + ("install its package, or set PYTHONPATH" if known else "correct it")
        ) from error


def _imported(place: str) -> Any:
    """Import the object that `package.module:Name` names."""
    module, _, attribute = place.partition(":")
    return getattr(importlib.import_module(module), attribute)


def _unknown(name: str) -> HarnessError:
    return HarnessError(
        f"unknown target {name!r}; known are {', '.join(known_targets())}, or name a class: "
        "package.module:Class"
    )
