"""
Hears where the phones of a recording are, by laying it upon the same words spoken by the engine,
whose phones are known.

Dynamic programming over the distance between mel frames (Sakoe & Chiba 1978). Every frame of the
recording is matched to one of the spoken words', forwards only. Knows no model; how good it is:
`docs/evidence/reference-voice.md`.
"""

import numpy as np
import torch
from torch import Tensor

LARGEST_STEP = 3
"""
Spoken frames that one recorded frame may move on: a recording may be three times as fast, or pause
as long as it likes.
"""
STEP_COST = (0.3, 0.0, 0.15, 0.3)
"""
Of standing still and of moving on by 1, 2, 3 frames, in units of the mean distance: where all
sounds alike, go evenly.
"""
ALL_ALIKE = 1e-6
"""Added to the mean distance, so that this holds where every frame is the same, too."""


def matched(recorded: Tensor, spoken: Tensor) -> np.ndarray:
    """
    Match every recorded frame with a spoken one.

    Args:
        recorded: (R, bands) mel.
        spoken: (S, bands) mel of the same words, S at most LARGEST_STEP times R - 1, plus 1.

    Returns: int64 (R,), ascending, from 0 to S - 1.
    """
    distance = torch.cdist(_levelled(recorded), _levelled(spoken)).double().numpy()
    steps = np.array(STEP_COST)[:, None] * (distance.mean() + ALL_ALIKE)
    cost = np.full(distance.shape[1], np.inf)
    cost[0] = distance[0, 0]
    came = np.zeros(distance.shape, dtype=np.int64)
    for row in range(1, len(distance)):
        ways = np.stack(
            [
                np.concatenate((np.full(by, np.inf), cost[: cost.size - by]))
                for by in range(LARGEST_STEP + 1)
            ]
        )
        came[row] = (ways + steps).argmin(axis=0)
        cost = (ways + steps).min(axis=0) + distance[row]
    assert np.isfinite(cost[-1]), f"{len(distance)} frames cannot pass through {cost.size}"
    path = np.zeros(len(distance), dtype=np.int64)
    path[-1] = distance.shape[1] - 1
    for row in range(len(distance) - 1, 0, -1):
        path[row - 1] = path[row] - came[row, path[row]]
    return path


def heard_durations(recorded: Tensor, spoken: Tensor, durations: Tensor) -> Tensor:
    """
    Say how many recorded frames every phone lasts, at least one each.

    Args:
        recorded: (R, bands).
        spoken: (S, bands) of the same phones.
        durations: (P,) frames of `spoken` that each phone lasts; P at most R.
    """
    phone_of_frame = torch.repeat_interleave(torch.arange(durations.numel()), durations).numpy()
    lengths = np.bincount(phone_of_frame[matched(recorded, spoken)], minlength=durations.numel())
    order = np.arange(1, lengths.size + 1)
    # every phone ends a frame or more after the one before
    ends = np.maximum.accumulate(lengths.cumsum() - order) + order
    ends = np.minimum(ends, len(recorded) - (lengths.size - order))
    return torch.from_numpy(np.diff(ends, prepend=0))


def _levelled(mel: Tensor) -> Tensor:
    """Take each band's mean away, so that neither the microphone nor the level plays a part."""
    mel = mel.float().cpu()
    return mel - mel.mean(dim=0)
