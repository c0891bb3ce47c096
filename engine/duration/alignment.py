"""
From phones to mel frames: predicted durations, then what every frame is to say. Always fp32 on the
CPU.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from engine.duration.frames import PLACES, Frames
from engine.duration.predictor import DurationModel

PACE = 1.15
"""
How much slower than flite's own pace speed=1 is; slower speech is clearer, to people and to
recognisers.
"""
LONGEST_PHONE_FRAMES = 60
EDGE_SILENCE_FRAMES = 8
"""Silence asked for at both ends of a chunk: 128 ms, which the join of two chunks shares."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """
    What one chunk is to say, frame by frame; `durations` (P,) are frames per phone.

    `reference` (R, bands) is the normalised mel of a recording, which the first R of `frames`
    describe; None without one.
    """

    frames: Frames
    durations: Tensor
    reference: Tensor | None = None

    @property
    def prompt_frames(self) -> int:
        """Frames in front that are known already, and no part of the speech."""
        return 0 if self.reference is None else len(self.reference)


def spread(phones: Tensor, durations: Tensor) -> tuple[Tensor, Tensor]:
    """
    Say for every mel frame which phone it belongs to and where in the phone it lies.

    Args:
        phones: (P,) ids.
        durations: (P,) frames each, 0 allowed.

    Returns: phone (F,) and place (F,) in 1..PLACES.
    """
    index = torch.repeat_interleave(torch.arange(phones.numel()), durations)
    starts = torch.cumsum(durations, 0) - durations
    inside = torch.arange(index.numel()) - starts[index]
    return phones[index], 1 + (inside * PLACES) // durations[index]


def plan(
    model: DurationModel, phone_ids: tuple[int, ...], *, speaker: int, question: bool, speed: float
) -> Content:
    """
    Predict durations and spread the phones over mel frames.

    Args:
        model: the duration model, fp32 on the CPU.
        phone_ids: of one chunk, silence at both ends.
        speaker: index, from 0.
        question: whether the voice is to rise at the end.
        speed: above 1 is faster.

    Returns: frames of shape (1, F).
    """
    phones = torch.tensor(phone_ids)
    told = torch.tensor([speaker + 1]), torch.tensor([2 if question else 1])
    predicted = model(phones[None], *told)[0].exp() * (PACE / speed)
    durations = predicted.round().clamp(1, LONGEST_PHONE_FRAMES).long()
    durations[0] = durations[-1] = EDGE_SILENCE_FRAMES
    phone, place = spread(phones, durations)
    row = torch.ones_like(phone)
    frames = Frames(
        phone=phone[None],
        place=place[None],
        speaker=(row * told[0])[None],
        question=(row * told[1])[None],
    )
    return Content(frames=frames, durations=durations)
