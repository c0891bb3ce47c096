"""
Chunks of a recording: windows of equal length over its frames, and the audio of each put together.

A window holds the frames that it keeps and, on either side, neighbours that the models look at.
Where they look no further, chunks and the whole recording give the same numbers. At the ends of the
recording a window is moved inwards in place of being shortened, so all windows of a recording have
one length: they share a batch without padding or masks.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from voxgate.engine.audio.postprocess import CROSSFADE

Work = TypeVar("Work")
LEAST_KEPT = 6
"""Frames that the last window keeps at least: its audio is longer than a crossfade."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameWindow:
    """Frames `start` to `stop` are computed, of which `keep_start` to `keep_stop` are kept."""

    start: int
    stop: int
    keep_start: int
    keep_stop: int

    @property
    def frames(self) -> int:
        """Frames that are computed."""
        return self.stop - self.start

    def kept(self, frames: Tensor) -> Tensor:
        """Return the kept part of computed frames, (..., frames, C)."""
        return frames[..., self.keep_start - self.start : self.keep_stop - self.start, :]


def windows(frames: int, core: int, context: int) -> list[FrameWindow]:
    """
    Cut `frames` into windows that keep `core` frames each; 0 or a longer core: one window.

    The last one keeps LEAST_KEPT frames to `core` and as many more.

    >>> windows(40, 16, 6)[2]
    FrameWindow(start=12, stop=40, keep_start=32, keep_stop=40)
    """
    if not 0 < core < frames - LEAST_KEPT:
        return [FrameWindow(start=0, stop=frames, keep_start=0, keep_stop=frames)]
    length = min(frames, core + 2 * context)
    firsts = [*range(0, frames - LEAST_KEPT, core)]
    return [
        FrameWindow(
            start=(start := min(max(0, first - context), frames - length)),
            stop=start + length,
            keep_start=first,
            keep_stop=following,
        )
        for first, following in zip(firsts, [*firsts[1:], frames], strict=True)
    ]


def kept_audio(
    window: FrameWindow, audio: np.ndarray, *, hop: int, frames: int, crossfade: int = CROSSFADE
) -> np.ndarray:
    """
    Return the part of a window's audio that the recording gets: from half a crossfade before its
    kept frames to half a crossfade behind them.

    Args:
        window: with at least half a crossfade of context on either side.
        audio: of the computed frames, (T,); its first sample is the centre of the first frame.
        hop: samples per frame.
        frames: of the whole recording; its audio ends with the centre of the last.
        crossfade: samples that two neighbours share.
    """
    half, origin = crossfade // 2, window.start * hop
    first = window.keep_start * hop - half if window.keep_start else 0
    last = (frames - 1) * hop if window.keep_stop == frames else window.keep_stop * hop + half
    return audio[first - origin : last - origin]


def in_groups(
    work: Sequence[Work], size: int, length: Callable[[Work], int]
) -> Iterator[list[Work]]:
    """Group neighbours of equal length, `size` at a time at most."""
    group: list[Work] = []
    for each in work:
        if group and (len(group) == size or length(each) != length(group[0])):
            yield group
            group = []
        group.append(each)
    if group:
        yield group


def stacked(frames: Sequence[Tensor], parts: Sequence[FrameWindow]) -> Tensor:
    """Stack the computed frames of windows: each of its own recording (F, ...) -> (B, W, ...)."""
    return torch.stack(
        [each[part.start : part.stop] for each, part in zip(frames, parts, strict=True)]
    )
