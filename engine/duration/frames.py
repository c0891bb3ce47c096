"""The record between the duration model and the acoustic model: what every mel frame is to say."""

from dataclasses import dataclass

import torch
from torch import Tensor

PLACES = 8
"""How finely the place inside a phone is told: eighths of its duration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frames:
    """
    What every mel frame is to say: int64 tensors (B, T).

    Index 0 means "not told" everywhere: padding, and the unconditional half of guidance.
    """

    phone: Tensor
    place: Tensor
    speaker: Tensor
    question: Tensor

    def to(self, device: torch.device) -> "Frames":
        """Move to a device."""
        moved = (x.to(device) for x in (self.phone, self.place, self.speaker, self.question))
        return Frames(**dict(zip(("phone", "place", "speaker", "question"), moved, strict=True)))
