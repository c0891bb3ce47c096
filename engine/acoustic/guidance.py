"""
Classifier-free guidance (Ho & Salimans 2022) as one batched pass: told and untold side by side, batch of two.

Turns a DiT and what it is to say into the velocity that the solver follows.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.acoustic.dit import DiT, Frames


@dataclass(frozen=True, slots=True, kw_only=True)
class Guided:
    """
    The velocity of the flow for one utterance, or for B of the same padded length (`together.py`).

    forward: the DiT, or what a pass made of it; (noisy, known, text, t) -> velocity.
    text: (2 B, T, text_width) first all told, then all untold, or (B, T, text_width) without guidance.
    known: as many rows, (..., T, bands), zeros.
    """

    forward: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
    text: Tensor
    known: Tensor
    strength: float

    def __call__(self, state: Tensor, t: float) -> Tensor:
        """Give the velocity (B, T, bands) in fp32 at time t."""
        rows, dtype = self.text.shape[0], self.text.dtype
        times = torch.full((rows,), t, device=state.device)
        noisy = state.to(dtype).repeat(rows // state.shape[0], 1, 1)
        velocity = self.forward(noisy, self.known, self.text, times).float()
        if rows == state.shape[0]:
            return velocity
        told, untold = velocity.chunk(2)
        return told + self.strength * (told - untold)


def guide(dit: DiT, forward: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor], frames: Frames, strength: float) -> Guided:
    """Embed the text once for all steps; `frames` (1, T)."""
    if strength > 0:
        frames = Frames(
            phone=_with_untold(frames.phone),
            place=_with_untold(frames.place),
            speaker=_with_untold(frames.speaker),
            question=_with_untold(frames.question),
        )
    text = dit.text_embed(frames)
    known = text.new_zeros(*text.shape[:2], dit.shape.bands)
    return Guided(forward=forward, text=text, known=known, strength=strength)


def _with_untold(told: Tensor) -> Tensor:
    return torch.cat((told, torch.zeros_like(told)))
