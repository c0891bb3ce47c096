"""
In which order cells are measured: pure functions, so that a test can read the order as a script.

Neighbours in time share whatever disturbs the machine, so cells take turns iteration by iteration,
and no cell always goes first or always follows the same other: with two cells the order is AB BA BA
AB, with three ABC CBA BCA ACB CAB BAC.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeVar

T = TypeVar("T")


class ScheduledIteration(NamedTuple):
    """
    One measured iteration to come: which cell, which request, in which pass through the workload,
    on which side.
    """

    cell: str
    request: str
    lap: int
    side: int = 0


def rotated(items: Sequence[T], by: int) -> tuple[T, ...]:
    """Begin with the item number `by`, modulo their count."""
    start = by % len(items) if items else 0
    return (*items[start:], *items[:start])


def batches(cells: Sequence[T], live: int, repeat: int) -> list[tuple[T, ...]]:
    """
    Cut the cells into groups of at most `live` that are measured together; other groups in every
    repeat.
    """
    assert live >= 1, f"at least one worker must be alive, not {live}"
    turned = rotated(cells, repeat)
    return [turned[start : start + live] for start in range(0, len(turned), live)]


def rotate(cells: Sequence[T], step: int) -> tuple[T, ...]:
    """
    Return the order of one step: forward, then backward, then both again beginning one further.
    """
    turned = rotated(cells, step // 2)
    return turned if step % 2 == 0 else turned[::-1]


def interleave(
    cells: Sequence[str], requests: Sequence[str], laps: int, repeat: int, sides: int = 1
) -> Iterator[ScheduledIteration]:
    """
    List all measured iterations of one group in one repeat: request by request, cells in turn, a
    cell's sides together.
    """
    step = repeat
    for lap in range(laps):
        for request in requests:
            for cell in rotate(cells, step):
                yield from (
                    ScheduledIteration(cell, request, lap, side)
                    for side in rotate(range(sides), step)
                )
            step += 1
