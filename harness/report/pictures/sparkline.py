"""
Lines as big as a word: the last nights of a series about its level, with its limit as a band.

All lines of one metric share a scale, in multiples of the limit, so that a step beyond the limit
looks like one and noise looks like noise. A night without a run is a gap in the line and a tick on
the floor.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]
WIDTH, HEIGHT = 100.0, 24.0
"""Of the view box, which the page scales."""
MIDDLE, REACH, FLOOR = 11.0, 10.0, 24.0
LEAST_EXTENT, MOST_EXTENT = 1.25, 5.0
"""Multiples of the limit that are in the picture at least, and at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spark:
    """
    `path` draws the values with gaps, `beyond` again those over the limit, `floor` the nights
    without a run; `top` and `height` are the band of the limit, `changes` the places of steps.
    """

    path: str
    beyond: str
    floor: str
    top: str
    height: str
    changes: tuple[str, ...]
    words: str
    is_advisory: bool = False
    """Whether what is beyond the limit only informs, and is not red."""


def extent_of(lines: Iterable[Numbers]) -> float:
    """Return the multiple of the limit up to which lines of one metric are drawn."""
    tops = (float(np.nanmax(np.abs(line))) for line in lines if not np.isnan(line).all())
    return min(MOST_EXTENT, max((LEAST_EXTENT, *tops)))


def sparkline(
    over: Numbers,
    worse: Numbers,
    missed: Collection[int],
    changes: Sequence[int],
    extent: float,
    words: str,
) -> Spark | None:
    """
    Draw nights, one an item, NaN where there is no value: `over` is the distance from the level in
    multiples of the limit, `worse` the same with the bad side positive. None for fewer than two.
    """
    known = np.flatnonzero(~np.isnan(over))
    if len(known) < 2:
        return None
    x = (np.arange(len(over)) + 0.5) / len(over) * WIDTH
    y = MIDDLE - np.clip(over, -extent, extent) / extent * REACH
    parts = list(_parts(known.tolist(), missed))
    high = chain.from_iterable(_runs(part, worse) for part in parts)
    band = REACH / extent
    return Spark(
        path="".join(_path(x, y, part) for part in parts),
        beyond="".join(_path(x, y, part) for part in high),
        floor="".join(f"M{x[place]:.1f} {FLOOR:.0f}v-3" for place in missed),
        top=f"{MIDDLE - band:.1f}",
        height=f"{2.0 * band:.1f}",
        changes=tuple(f"{x[change]:.1f}" for change in changes if change < len(over)),
        words=words,
    )


def _parts(known: Sequence[int], missed: Collection[int]) -> Iterator[list[int]]:
    """Part the places with a value where a night was missed between two of them."""
    part: list[int] = []
    gaps = set(missed)
    for place in known:
        if part and not gaps.isdisjoint(range(part[-1] + 1, place)):
            yield part
            part = []
        part.append(place)
    yield part


def _runs(part: Sequence[int], worse: Numbers) -> Iterator[list[int]]:
    """Return the neighbouring places beyond the limit."""
    run: list[int] = []
    for place in part:
        if worse[place] > 1.0:
            run.append(place)
        elif run:
            yield run
            run = []
    if run:
        yield run


def _path(x: Numbers, y: Numbers, places: Sequence[int]) -> str:
    """Return a path; a single night is a short dash."""
    if len(places) == 1:
        return f"M{x[places[0]] - 0.4:.1f} {y[places[0]]:.1f}h.8"
    points = " ".join(f"{x[place]:.1f} {y[place]:.1f}" for place in places)
    return f"M{points}"
