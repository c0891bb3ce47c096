"""The record between the duration model and the acoustic model: per-frame conditioning."""

from dataclasses import dataclass

import torch
from torch import Tensor

PLACES = 8
"""Resolution of the position inside a phone: eighths of the phone's duration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameConditioning:
    """
    Conditioning of the acoustic model, one value per mel frame: int64 tensors (B, T).

    Index 0 means "none" in every tensor: padding, and the unconditional rows of guidance.
    """

    phone: Tensor
    place: Tensor
    speaker: Tensor
    question: Tensor

    def to(self, device: torch.device) -> "FrameConditioning":
        """Return a copy on `device`."""
        moved = (x.to(device) for x in (self.phone, self.place, self.speaker, self.question))
        return FrameConditioning(
            **dict(zip(("phone", "place", "speaker", "question"), moved, strict=True))
        )
