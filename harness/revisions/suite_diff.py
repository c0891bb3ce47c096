"""
One suite in two trees: the cells that both define alike, and those that cannot be compared, with
the reason.

Reads suites and workloads of both trees; runs nothing of an engine.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from voxgate.harness.errors import HarnessError
from voxgate.harness.judging.compare import changed_options
from voxgate.harness.records.cell import Cell
from voxgate.harness.suite.selection import select_cells
from voxgate.harness.suite.suite import FOLDER, Expansion, Suite, has_suite, load_suite
from voxgate.harness.suite.workload import place


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteDiff:
    """What two trees ask of a suite."""

    suite: Suite
    """As BASE has it, or HEAD where BASE has none."""
    cells: tuple[Cell, ...]
    """Asked for by both, and so measured."""
    reference: str
    """BASE's reference cell where that is measured, else the first cell that is."""
    excluded: Mapping[str, str]
    added: tuple[Cell, ...] = ()
    """In HEAD only."""
    removed: tuple[Cell, ...] = ()
    """In BASE only."""
    changed: Mapping[str, tuple[str, ...]]
    """Cells of one name that ask for different things: slug -> the differences."""
    labels: Mapping[str, str]


def diff_suites(name: str, base: Path, head: Path, only: Sequence[str] = ()) -> SuiteDiff:
    """
    Compare a suite in two trees, or the part of it that the patterns `only` name.

    Raises HarnessError if HEAD has no such suite, if one of the two is broken, or if a pattern
    matches nothing.
    """
    now = _load_side(name, head, "HEAD")
    expanded = now.expand(head)
    before = _load_side(name, base, "BASE") if has_suite(name, base) else None
    stored = (
        before.expand(base)
        if before is not None
        else Expansion(cells=(), excluded={}, reference=expanded.reference)
    )
    old, new = _by_slug(stored.cells), _by_slug(expanded.cells)
    union = Expansion(cells=tuple({**new, **old}.values()), excluded={}, reference=stored.reference)
    picked = {cell.slug for cell in select_cells(union, only)}
    changed = {
        slug: reasons
        for slug in old
        if slug in new and slug in picked and (reasons := _changes(old[slug], new[slug]))
    }
    cells = tuple(
        cell for slug, cell in old.items() if slug in new and slug in picked and slug not in changed
    )
    kept = [cell.slug for cell in cells]
    return SuiteDiff(
        suite=before or now,
        cells=cells,
        reference=stored.reference if stored.reference in kept or not kept else kept[0],
        excluded=stored.excluded,
        added=tuple(cell for slug, cell in new.items() if slug not in old and slug in picked),
        removed=tuple(cell for slug, cell in old.items() if slug not in new and slug in picked),
        changed=changed,
        labels={slug: cell.label for slug, cell in {**old, **new}.items()},
    )


def _load_side(name: str, tree: Path, side: str) -> Suite:
    """Load a side's suite. Raises HarnessError that names a file which that side does not hold."""
    try:
        suite = load_suite(name, tree)
    except HarnessError as error:
        if has_suite(name, tree) or not has_suite(name, Path()):
            raise
        raise HarnessError(
            f"{side} has no suite {name!r}; commit {FOLDER}/{name}.py, which is there now"
        ) from error
    texts = place(suite.workload, tree)
    if not texts.exists() and place(suite.workload, Path()).exists():
        raise HarnessError(
            f"{side} has no {suite.workload}, the texts of its suite {name!r}; commit that file, "
            "which is there now"
        )
    return suite


def _by_slug(cells: Sequence[Cell]) -> dict[str, Cell]:
    return {cell.slug: cell for cell in cells}


def _changes(before: Cell, now: Cell) -> tuple[str, ...]:
    """Return how the definition of a cell differs between two trees; empty if it is the same."""
    if before.digest() == now.digest():
        return ()
    sides = [
        {
            "target": cell.target,
            "pipeline": cell.pipeline,
            "workload": f"{cell.workload.name} {cell.workload.digest()}",
            **({} if cell.command is None else {"command": str(cell.command)}),
        }
        for cell in (before, now)
    ]
    return (*changed_options(*sides), *changed_options(before.options, now.options))
