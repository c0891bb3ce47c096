"""
Classifier-free guidance (Ho & Salimans 2022) as one batched pass: told and untold side by side,
batch of two.

Turns a DiT and what it is to say into the velocity that the solver follows. Outside an interval of
the flow's times the untold half can be left out, which halves the work of those steps (Kynkäänniemi
et al. 2024).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from engine.acoustic.dit import DiT
from engine.duration.frames import Frames


@dataclass(frozen=True, slots=True, kw_only=True)
class CFGVelocity:
    """
    The velocity of the flow for one utterance, or for B of the same padded length (`batched.py`).

    forward: the DiT, or what a pass made of it; (noisy, known, text, t) -> velocity.
    text: (2 B, T, text_width) first all told, then all untold, or (B, T, text_width) without
    guidance.
    known: as many rows, (..., T, bands), zeros.
    since, until: the flow times between which, both included, guidance works.
    """

    forward: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
    text: Tensor
    known: Tensor
    strength: float
    since: float = 0.0
    until: float = 1.0

    def __call__(self, state: Tensor, t: float) -> Tensor:
        """Give the velocity (B, T, bands) in fp32 at time t."""
        count = state.shape[0]
        rows = self.text.shape[0] if self.since <= t <= self.until else count
        noisy = state.to(self.text.dtype)
        noisy = noisy.expand(rows, -1, -1) if count == 1 else noisy.repeat(rows // count, 1, 1)
        times = torch.full((1,), t, device=state.device).expand(rows)
        velocity = self.forward(noisy, self.known[:rows], self.text[:rows], times).float()
        if rows == count:
            return velocity
        told, uncond = velocity.chunk(2)
        return torch.lerp(uncond, told, 1.0 + self.strength)


def guide(
    dit: DiT,
    forward: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor],
    frames: Frames,
    strength: float,
) -> CFGVelocity:
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
    return CFGVelocity(forward=forward, text=text, known=known, strength=strength)


def _with_untold(told: Tensor) -> Tensor:
    return torch.cat((told, torch.zeros_like(told)))


def with_reference(guided: CFGVelocity, *references: Tensor | None) -> CFGVelocity:
    """
    Let the told rows, which come first, copy from a recording's mel (R, bands) each; the untold
    ones stay untold.
    """
    if all(reference is None for reference in references):
        return guided
    known = guided.known.clone()
    for row, reference in enumerate(references):
        if reference is not None:
            known[row, : len(reference)] = reference.to(known)
    return replace(guided, known=known)
