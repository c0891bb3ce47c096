"""
Forced alignment: the phone durations of a recording, from synthesised speech of the same words.

Dynamic time warping over the distance between mel frames (Sakoe & Chiba 1978).
Every frame of the recording is matched to one synthesised frame, monotonically.
The phones of the synthesised frames are known.
Uses no model; accuracy: `docs/evidence/reference-voice.md`.
The harness has a warping of its own for mel distances, because the engine does not import it.
"""

import numpy as np
import torch
from torch import Tensor

MAX_STEP = 3
"""
Synthesised frames that one recorded frame may advance.

A recording may be three times as fast, or pause for any time.
"""
STEP_COST = (0.3, 0.0, 0.15, 0.3)
"""
Cost of advancing by 0, 1, 2 or 3 frames, in units of the mean distance.

Where all frames sound alike the path advances evenly.
"""
MIN_DISTANCE = 1e-6
"""Added to the mean distance, so that the step cost also decides where all frames are equal."""


def align_frames(recorded: Tensor, spoken: Tensor) -> np.ndarray:
    """
    Match every recorded frame with a synthesised one.

    Args:
        recorded: (R, bands) mel.
        spoken: (S, bands) mel of the same words, S at most MAX_STEP times R - 1, plus 1.

    Returns: int64 (R,), ascending, from 0 to S - 1.
    """
    distance = torch.cdist(_mean_normalised(recorded), _mean_normalised(spoken)).double().numpy()
    steps = np.array(STEP_COST)[:, None] * (distance.mean() + MIN_DISTANCE)
    cost = np.full(distance.shape[1], np.inf)
    cost[0] = distance[0, 0]
    advance = np.zeros(distance.shape, dtype=np.int64)
    for row in range(1, len(distance)):
        candidates = np.stack(
            [
                np.concatenate((np.full(step, np.inf), cost[: cost.size - step]))
                for step in range(MAX_STEP + 1)
            ]
        )
        advance[row] = (candidates + steps).argmin(axis=0)
        cost = (candidates + steps).min(axis=0) + distance[row]
    assert np.isfinite(cost[-1]), f"{len(distance)} frames cannot pass through {cost.size}"
    path = np.zeros(len(distance), dtype=np.int64)
    path[-1] = distance.shape[1] - 1
    for row in range(len(distance) - 1, 0, -1):
        path[row - 1] = path[row] - advance[row, path[row]]
    return path


def aligned_durations(recorded: Tensor, spoken: Tensor, durations: Tensor) -> Tensor:
    """
    Return the number of recorded frames of every phone, at least one each.

    Args:
        recorded: (R, bands) mel.
        spoken: (S, bands) mel of the same phones.
        durations: (P,) frames of `spoken` per phone; P at most R.

    Returns: int64 (P,), which sums to R.
    """
    phone_of_frame = torch.repeat_interleave(torch.arange(durations.numel()), durations).numpy()
    lengths = np.bincount(
        phone_of_frame[align_frames(recorded, spoken)], minlength=durations.numel()
    )
    order = np.arange(1, lengths.size + 1)
    # every phone ends a frame or more after the one before
    ends = np.maximum.accumulate(lengths.cumsum() - order) + order
    ends = np.minimum(ends, len(recorded) - (lengths.size - order))
    return torch.from_numpy(np.diff(ends, prepend=0))


def _mean_normalised(mel: Tensor) -> Tensor:
    """
    Subtract each band's mean (cepstral mean normalisation), which removes microphone and level.
    """
    mel = mel.float().cpu()
    return mel - mel.mean(dim=0)
