"""
Classifier-free guidance (Ho & Salimans 2022) in one batched pass.

The unconditional rows follow the conditional ones in the batch, so that a call of the solver is
one forward pass of the DiT.
Outside a guidance interval the unconditional rows are left out, which halves the work of those
steps (Kynkäänniemi et al. 2024).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from voxgate.engine.acoustic.dit import DiT
from voxgate.engine.duration.frames import FrameConditioning


@dataclass(frozen=True, slots=True, kw_only=True)
class CFGVelocity:
    """
    The guided velocity of one utterance, or of B of the same padded length (`batched.py`).

    forward: the DiT, or what a pass made of it; (noisy, prompt_mel, text, t) -> velocity.
    text: (2 B, T, text_width), all conditional rows, then all unconditional ones; (B, T,
    text_width) without guidance.
    prompt_mel: as many rows, (..., T, bands), zeros without a prompt.
    strength: of the guidance.
    cfg_start, cfg_stop: the interval of flow times with guidance, both ends included.
    """

    forward: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
    text: Tensor
    prompt_mel: Tensor
    strength: float
    cfg_start: float = 0.0
    cfg_stop: float = 1.0

    def __call__(self, state: Tensor, t: float) -> Tensor:
        """Return the velocity (B, T, bands) in fp32 at time t."""
        count = state.shape[0]
        rows = self.text.shape[0] if self.cfg_start <= t <= self.cfg_stop else count
        noisy = state.to(self.text.dtype)
        noisy = noisy.expand(rows, -1, -1) if count == 1 else noisy.repeat(rows // count, 1, 1)
        times = torch.full((1,), t, device=state.device).expand(rows)
        velocity = self.forward(noisy, self.prompt_mel[:rows], self.text[:rows], times).float()
        if rows == count:
            return velocity
        cond, uncond = velocity.chunk(2)
        return torch.lerp(uncond, cond, 1.0 + self.strength)


def guide(
    dit: DiT,
    forward: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor],
    frames: FrameConditioning,
    strength: float,
) -> CFGVelocity:
    """
    Return the CFG velocity of one utterance; its text is embedded once for all steps.

    Args:
        dit: the model that embeds the text.
        forward: the DiT, or what a pass made of it.
        frames: the conditioning, (1, T).
        strength: of the guidance; 0 leaves the unconditional row out.
    """
    if strength > 0:
        frames = FrameConditioning(
            phone=_with_uncond(frames.phone),
            place=_with_uncond(frames.place),
            speaker=_with_uncond(frames.speaker),
            question=_with_uncond(frames.question),
        )
    text = dit.text_embed(frames)
    prompt_mel = text.new_zeros(*text.shape[:2], dit.shape.bands)
    return CFGVelocity(forward=forward, text=text, prompt_mel=prompt_mel, strength=strength)


def guide_states(
    dit: DiT,
    forward: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor],
    states: Tensor,
    strength: float,
) -> CFGVelocity:
    """
    Return the CFG velocity of one utterance whose text embedding is given, (1, T, text_width), as
    `TokenStates` makes it from speech tokens; the rest as in `guide`.
    """
    text = states
    if strength > 0:
        none = torch.zeros(states.shape[:2], dtype=torch.long, device=states.device)
        nothing = FrameConditioning(phone=none, place=none, speaker=none, question=none)
        text = torch.cat((states, dit.text_embed(nothing).to(states.dtype)))
    prompt_mel = text.new_zeros(*text.shape[:2], dit.shape.bands)
    return CFGVelocity(forward=forward, text=text, prompt_mel=prompt_mel, strength=strength)


def _with_uncond(cond: Tensor) -> Tensor:
    return torch.cat((cond, torch.zeros_like(cond)))


def with_prompt(guided: CFGVelocity, *prompt_mels: Tensor | None) -> CFGVelocity:
    """
    Return a velocity whose conditional rows, which come first, see a prompt's mel (R, bands) each.

    The unconditional rows stay zero.
    """
    if all(prompt is None for prompt in prompt_mels):
        return guided
    stacked = guided.prompt_mel.clone()
    for row, prompt in enumerate(prompt_mels):
        if prompt is not None:
            stacked[row, : len(prompt)] = prompt.to(stacked)
    return replace(guided, prompt_mel=stacked)
