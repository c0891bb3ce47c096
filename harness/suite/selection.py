"""
Which cells of a suite are meant: patterns of slugs, as `--only` takes them.
"""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from voxgate.harness.errors import HarnessError
from voxgate.harness.records.cell import Cell
from voxgate.harness.suite.suite import Expansion


def matching_cells(cells: Sequence[Cell], only: Sequence[str]) -> tuple[Cell, ...]:
    """
    Return the cells whose slug matches a pattern, in their order; all where there is no pattern.

    Raises HarnessError for a pattern that matches no cell.
    """
    for pattern in only:
        if not any(fnmatchcase(cell.slug, pattern) for cell in cells):
            raise HarnessError(
                f"--only {pattern!r} matches no cell; the cells are "
                f"{', '.join(cell.slug for cell in cells)}"
            )
    return tuple(
        cell
        for cell in cells
        if not only or any(fnmatchcase(cell.slug, pattern) for pattern in only)
    )


def select_cells(expansion: Expansion, only: Sequence[str]) -> tuple[Cell, ...]:
    """
    Return the matching cells and the reference cell, in the suite's order.

    Raises HarnessError for a pattern that matches no cell.
    """
    slugs = {cell.slug for cell in matching_cells(expansion.cells, only)}
    return tuple(cell for cell in expansion.cells if cell.slug in slugs | {expansion.reference})
