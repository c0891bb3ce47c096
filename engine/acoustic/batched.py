"""
Several utterances in one forward pass: padded to the longest, masked, each with its own text and
noise.

What is cheap and sees its neighbours (the text embedding's convolutions, the inverse STFT) is done
for each alone; where the models let frames mix, the mask keeps padding out. So an utterance is what
it would be by itself, but for the rounding of sums that are added up in another order.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from engine.acoustic.dit import DiT
from engine.acoustic.guidance import CFGVelocity, guide, with_reference
from engine.duration.frames import Frames


def pad(rows: Sequence[Tensor]) -> Tensor:
    """Stack rows (1, T, W) of several lengths to (B, longest, W), zeros behind."""
    return torch.nn.utils.rnn.pad_sequence([row[0] for row in rows], batch_first=True)


def mask_of(lengths: Sequence[int], device: torch.device) -> Tensor | None:
    """Say which frames are real, (B, longest) bool; None where no frame is padding."""
    if min(lengths) == max(lengths):
        return None
    return torch.arange(max(lengths), device=device) < torch.tensor(lengths, device=device)[:, None]


def batched_cfg(
    dit: DiT,
    forward: Callable[..., Tensor],
    several: Sequence[Frames],
    references: Sequence[Tensor | None],
    strength: float,
) -> CFGVelocity:
    """
    Embed every text by itself, then let the velocity follow all; `several` (1, T) each. For one it
    is `guide`.
    """
    pairs = zip(several, references, strict=True)
    each = [
        with_reference(guide(dit, forward, frames, strength), reference)
        for frames, reference in pairs
    ]
    if len(each) == 1:
        return each[0]
    mask = mask_of([one.text.shape[1] for one in each], each[0].text.device)
    text, known = (_halves([getattr(one, name) for one in each]) for name in ("text", "known"))
    return replace(
        each[0], forward=forward if mask is None else _masked(forward, mask), text=text, known=known
    )


def _halves(several: Sequence[Tensor]) -> Tensor:
    """Put the told rows of all first, then the untold ones, padded: (2 B, longest, W)."""
    return pad([half[row : row + 1] for row in range(several[0].shape[0]) for half in several])


def _masked(
    forward: Callable[..., Tensor], mask: Tensor
) -> Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]:
    """Add the mask to every call, for told rows alone or for told and untold ones."""

    def call(noisy: Tensor, known: Tensor, text: Tensor, t: Tensor) -> Tensor:
        return forward(
            noisy, known, text, t, mask.repeat(noisy.shape[0] // mask.shape[0], 1)[:, None, None]
        )

    return call
