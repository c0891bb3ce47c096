"""
Sparklines: the last values of a series as one small path.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

SPARK_RUNS = 60
"""Runs in a sparkline: as many as still can be told apart."""
TOP, BOTTOM = 3.0, 21.0
"""Of a sparkline, the path of an SVG of 100 x 24, which its page scales."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spark:
    """
    `path` draws the values, with gaps where there are none; `changes` are the places of steps;
    `words` say the same.
    """

    path: str
    changes: tuple[str, ...]
    words: str


def sparkline(
    values: npt.NDArray[np.float64], changes: Collection[int], words: str
) -> Spark | None:
    """Draw the last values (NaN where there is none); None for fewer than two."""
    first = max(0, len(values) - SPARK_RUNS)
    visible = values[first:]
    finite = np.isfinite(visible)
    if np.count_nonzero(finite) < 2:
        return None
    low, high = visible[finite].min(), visible[finite].max()
    x = np.linspace(0.0, 100.0, len(visible))
    y = (
        BOTTOM - (visible - low) / (high - low) * (BOTTOM - TOP)
        if high > low
        else np.full(len(visible), (TOP + BOTTOM) / 2)
    )
    steps = tuple(f"{x[change - first]:.1f}" for change in changes if change >= first)
    return Spark(path=_path(x, y, finite), changes=steps, words=words)


def _path(
    x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], finite: npt.NDArray[np.bool_]
) -> str:
    parts, pen = [], "M"
    for across, down, is_known in zip(x.tolist(), y.tolist(), finite.tolist(), strict=True):
        if is_known:
            parts.append(f"{pen}{across:.1f} {down:.1f}")
        pen = "L" if is_known else "M"
    return "".join(parts)
