"""
Batched guidance: several utterances in one forward pass, padded to the longest and masked.

Each utterance has its own text and noise.
The text embedding's convolutions and the inverse STFT are cheap and see neighbouring frames, so
they run per utterance.
Inside the models the mask excludes padding.
The result equals that of a single utterance up to the rounding of sums in another order.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from voxgate.engine.acoustic.dit import DiT
from voxgate.engine.acoustic.guidance import CFGVelocity, guide, with_prompt
from voxgate.engine.duration.frames import FrameConditioning


def pad(rows: Sequence[Tensor]) -> Tensor:
    """Stack rows (1, T, W) of several lengths into (B, longest, W), zero-padded at the end."""
    return torch.nn.utils.rnn.pad_sequence([row[0] for row in rows], batch_first=True)


def frame_mask(lengths: Sequence[int], device: torch.device) -> Tensor | None:
    """Return the mask of real frames, (B, longest) bool; None if no frame is padding."""
    if min(lengths) == max(lengths):
        return None
    return torch.arange(max(lengths), device=device) < torch.tensor(lengths, device=device)[:, None]


def batched_cfg(
    dit: DiT,
    forward: Callable[..., Tensor],
    conditionings: Sequence[FrameConditioning],
    prompt_mels: Sequence[Tensor | None],
    strength: float,
) -> CFGVelocity:
    """
    Return the CFG velocity of several utterances; for one it is `guide`.

    Args:
        dit: the model that embeds the text, each utterance by itself.
        forward: the DiT, or what the passes made of it.
        conditionings: (1, T) per utterance.
        prompt_mels: (R, bands) per utterance, None without a prompt.
        strength: of the guidance, 0 for none.
    """
    pairs = zip(conditionings, prompt_mels, strict=True)
    velocities = [
        with_prompt(guide(dit, forward, frames, strength), prompt_mel)
        for frames, prompt_mel in pairs
    ]
    return stacked_cfg(velocities, forward)


def stacked_cfg(velocities: Sequence[CFGVelocity], forward: Callable[..., Tensor]) -> CFGVelocity:
    """Return the CFG velocity of several utterances, each with its own, in one forward pass."""
    if len(velocities) == 1:
        return velocities[0]
    mask = frame_mask(
        [velocity.text.shape[1] for velocity in velocities], velocities[0].text.device
    )
    return replace(
        velocities[0],
        forward=forward if mask is None else _masked(forward, mask),
        text=_stack_rows([velocity.text for velocity in velocities]),
        prompt_mel=_stack_rows([velocity.prompt_mel for velocity in velocities]),
    )


def _stack_rows(utterances: Sequence[Tensor]) -> Tensor:
    """
    Stack the conditional rows of all utterances, then the unconditional ones: (2 B, longest, W).
    """
    stacked: list[Tensor] = []
    for row in range(utterances[0].shape[0]):
        stacked += [rows[row : row + 1] for rows in utterances]
    return pad(stacked)


def _masked(
    forward: Callable[..., Tensor], mask: Tensor
) -> Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]:
    """Return `forward` with the mask added to every call, repeated for the unconditional rows."""

    def call(noisy: Tensor, prompt_mel: Tensor, text: Tensor, t: Tensor) -> Tensor:
        return forward(
            noisy,
            prompt_mel,
            text,
            t,
            mask.repeat(noisy.shape[0] // mask.shape[0], 1)[:, None, None],
        )

    return call
