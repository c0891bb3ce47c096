"""
Predict the alignment of phones and mel frames.

Durations come from the duration model, then every frame gets its phone and its position in it.
Always fp32 on the CPU.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from voxgate.engine.duration.frames import PLACES, FrameConditioning
from voxgate.engine.duration.predictor import DurationModel

DURATION_SCALE = 1.15
"""
Factor on flite's own durations at speed=1.

Slower speech is more intelligible, for people and for speech recognisers.
"""
MAX_PHONE_FRAMES = 60
EDGE_SILENCE_FRAMES = 8
"""Silence at both ends of a chunk: 128 ms. The crossfade of two chunks lies inside it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alignment:
    """
    The conditioning of one chunk, frame by frame, with the durations that it was made from.

    `durations` (P,) are frames per phone.
    `prompt_mel` (R, bands) is the normalised mel of a prompt, None without one.
    The first R of `frames` describe the prompt.
    """

    frames: FrameConditioning
    durations: Tensor
    prompt_mel: Tensor | None = None

    @property
    def prompt_frames(self) -> int:
        """Number of leading frames that belong to the prompt and are not synthesised."""
        return 0 if self.prompt_mel is None else len(self.prompt_mel)


def expand_to_frames(phones: Tensor, durations: Tensor) -> tuple[Tensor, Tensor]:
    """
    Return the phone of every mel frame and the position of the frame inside its phone.

    Args:
        phones: (P,) ids.
        durations: (P,) frames per phone, 0 allowed.

    Returns: phone (F,) and place (F,), the latter from 1 to PLACES.
    """
    index = torch.repeat_interleave(torch.arange(phones.numel()), durations)
    starts = torch.cumsum(durations, 0) - durations
    offset = torch.arange(index.numel()) - starts[index]
    return phones[index], 1 + (offset * PLACES) // durations[index]


def predict_alignment(
    model: DurationModel, phone_ids: tuple[int, ...], *, speaker: int, question: bool, speed: float
) -> Alignment:
    """
    Predict durations and expand the phones to mel frames.

    Args:
        model: the duration model, fp32 on the CPU.
        phone_ids: of one chunk, with silence at both ends.
        speaker: index, from 0.
        question: whether the pitch rises at the end.
        speed: above 1 is faster.

    Returns: the alignment, with `frames` of shape (1, F).
    """
    phones = torch.tensor(phone_ids)
    conditions = torch.tensor([speaker + 1]), torch.tensor([2 if question else 1])
    predicted = model(phones[None], *conditions)[0].exp() * (DURATION_SCALE / speed)
    durations = predicted.round().clamp(1, MAX_PHONE_FRAMES).long()
    durations[0] = durations[-1] = EDGE_SILENCE_FRAMES
    phone, place = expand_to_frames(phones, durations)
    row = torch.ones_like(phone)
    frames = FrameConditioning(
        phone=phone[None],
        place=place[None],
        speaker=(row * conditions[0])[None],
        question=(row * conditions[1])[None],
    )
    return Alignment(frames=frames, durations=durations)
