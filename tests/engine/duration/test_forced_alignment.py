"""
voxgate.engine.duration.forced_alignment: phones are found by laying a recording upon the same words
spoken.
"""

import itertools

import numpy as np
import pytest
import torch

from voxgate.engine.duration.forced_alignment import (
    MAX_STEP,
    STEP_COST,
    align_frames,
    aligned_durations,
)


def _sounds(count, seed=0, bands=12):
    return torch.randn(count, bands, generator=torch.Generator().manual_seed(seed)) * 3


def _spoken(lengths, seed=0):
    """Every phone a sound of its own, with a little noise."""
    generator = torch.Generator().manual_seed(seed + 1)
    sounds = _sounds(len(lengths), seed).repeat_interleave(torch.tensor(lengths), dim=0)
    return sounds + 0.1 * torch.randn(sounds.shape, generator=generator)


def test_the_phones_of_a_recording_with_another_rhythm_are_found():
    told, recorded = [8, 5, 3, 9, 4, 8], [8, 9, 6, 4, 8, 8]

    heard = aligned_durations(_spoken(recorded) * 1.0, _spoken(told, seed=0), torch.tensor(told))

    assert heard.tolist() == recorded


def test_a_microphone_that_colours_every_band_changes_nothing():
    told, recorded = [8, 5, 3, 9, 4, 8], [8, 9, 6, 4, 8, 8]
    coloured = _spoken(recorded) + torch.linspace(-2.0, 2.0, 12)

    assert aligned_durations(coloured, _spoken(told), torch.tensor(told)).tolist() == recorded


@pytest.mark.parametrize(
    ("recorded", "told"),
    [(40, [8, 1, 1, 1, 8]), (20, [8, 20, 20, 8]), (12, [1] * 12), (30, [8, 0, 9, 8])],
)
def test_whatever_is_heard_every_phone_lasts_and_all_frames_are_given(recorded, told):
    heard = aligned_durations(_sounds(recorded, 1), _sounds(sum(told), 2), torch.tensor(told))

    assert int(heard.sum()) == recorded and int(heard.min()) >= 1 and heard.numel() == len(told)


def test_silence_all_through_is_shared_out_evenly():
    heard = aligned_durations(torch.zeros(30, 4), torch.zeros(30, 4), torch.tensor([10, 10, 10]))

    assert heard.tolist() == [10, 10, 10]


def test_the_path_is_the_cheapest_of_all():
    """Every path of a small problem is tried."""
    recorded, spoken = _sounds(6, 3, bands=3), _sounds(7, 4, bands=3)
    distance = torch.cdist(recorded - recorded.mean(0), spoken - spoken.mean(0)).double().numpy()

    def cost(steps):
        path = np.cumsum((0, *steps))
        return distance[np.arange(6), path].sum() + distance.mean() * sum(
            STEP_COST[step] for step in steps
        )

    ways = [steps for steps in itertools.product(range(MAX_STEP + 1), repeat=5) if sum(steps) == 6]
    best = min(ways, key=cost)

    assert align_frames(recorded, spoken).tolist() == np.cumsum((0, *best)).tolist()
