"""
Watch where in the text T3 is, by three of its attention heads, and end what has gone wrong.

The rules are those of chatterbox-tts 0.1.7, whose multilingual model always runs them:

- before the last three tokens of the text, the stop token is suppressed;
- after the text is said, it is forced when the end is held for 5 frames, or earlier text gets
  5 frames of attention again;
- it is forced when the same token comes twice in a row.

The package makes the whole model compute attention in the open, and adds hooks at every call that
nothing removes. Here the three heads' scores are computed beside the fused attention, and the
probes are gone when the sequence ends.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor

from voxgate.engine.errors import EngineError
from voxgate.engine.layers.llama import CausalAttention, DecoderLayer, Llama

ALIGNED_HEADS = ((12, 15), (13, 11), (9, 2))
"""(layer, head) of the published model that follow the text."""
FORBIDDEN = -(2.0**15)
NEAR_END = 3
"""Tokens of text, at the end: the last is the stop token, and the one before it punctuation."""
HELD_FRAMES = 5.0
"""Of attention, 200 ms."""
SHORT_TEXT = 5
"""Tokens up to which a text may end at any time."""
BACK, AHEAD = -4, 7
"""Tokens of text by which the position may move in one frame, both excluded."""


class AlignmentWatch:
    """The state of one sequence: `position` in the text, and whether it is `complete`."""

    def __init__(self, text_tokens: int, stop: int) -> None:
        self.text_tokens, self.stop = text_tokens, stop
        self.position = 0
        self.complete = False
        self._frame = 0
        self._held = torch.zeros(NEAR_END)
        self._repeated = 0.0
        self._said: list[int] = []

    def adjust(self, logits: Tensor, attention: Tensor, last_token: int) -> Tensor:
        """
        Return the logits (V,) with the stop token suppressed, forced, or as it was.

        Args:
            logits: of the next token.
            attention: of the new frames over the text, (n, text_tokens).
            last_token: the one that the logits follow.
        """
        rows = attention.float().cpu().clone()
        # nothing is said before its time
        rows[:, self._frame + 1 :] = 0.0
        self._frame += 1
        heard = int(rows[-1].argmax())
        self._move(heard, rows)
        self._said = [*self._said[-2:], last_token]
        if self._has_failed():
            forced = torch.full_like(logits, FORBIDDEN)
            forced[self.stop] = -FORBIDDEN
            return forced
        if heard < self.text_tokens - NEAR_END and self.text_tokens > SHORT_TEXT:
            logits = logits.clone()
            logits[self.stop] = FORBIDDEN
        return logits

    def _move(self, heard: int, rows: Tensor) -> None:
        if BACK < heard - self.position < AHEAD:
            self.position = heard
        if self.complete:
            self._held += rows[:, -NEAR_END:].sum(0)
            earlier = rows[:, :-SHORT_TEXT]
            self._repeated += float(earlier.amax(1).sum()) if earlier.numel() else 0.0
        self.complete = self.complete or self.position >= self.text_tokens - NEAR_END

    def _has_failed(self) -> bool:
        held = self.complete and float(self._held.max()) >= HELD_FRAMES
        repeated = self.complete and self._repeated > HELD_FRAMES
        twice = len(self._said) >= 3 and self._said[-1] == self._said[-2]
        return held or repeated or twice


class HeadProbe:
    """The mean attention of the aligned heads, of row 0, over the text."""

    def __init__(self, heads: Sequence[tuple[int, int]], text: slice) -> None:
        self.heads, self.text = heads, text
        self._length, self._count = 0, 0
        self._rows: dict[tuple[int, int], Tensor] = {}

    def expect(self, length: int) -> None:
        """Announce a step after which the sequence has `length` positions."""
        first = max(self._length, self.text.stop)
        self._length, self._count = length, length - first

    def hear(self, layer: int, q: Tensor, k: Tensor) -> None:
        """
        Compute the heads of a layer for the new positions behind the text; q and k as
        `CausalAttention.probe` gets them.
        """
        places = torch.arange(self._length, device=k.device)
        seen = places[None] <= places[-self._count :, None]
        for number, head in self.heads:
            if number == layer:
                queries = q[0, head, -self._count :].float()
                keys = k[0, head, : self._length].float()
                scores = queries @ keys.T * queries.shape[-1] ** -0.5
                attention = scores.masked_fill(~seen, -torch.inf).softmax(-1)
                self._rows[number, head] = attention[:, self.text]

    def attention(self) -> Tensor:
        """Return the attention of the new positions, (n, text tokens)."""
        return torch.stack([self._rows[head] for head in self.heads]).mean(0)


def check_heads(model: Llama, heads: Sequence[tuple[int, int]] = ALIGNED_HEADS) -> None:
    """Raise EngineError for a model that has not these heads."""
    shape = model.shape
    if any(layer >= shape.depth or head >= shape.heads for layer, head in heads):
        raise EngineError(
            f"alignment=on reads heads that follow the text in the published model, and this one "
            f"has {shape.depth} layers of {shape.heads} heads; use alignment=off"
        )


@contextmanager
def probing(
    model: Llama, text: slice, heads: Sequence[tuple[int, int]] = ALIGNED_HEADS
) -> Iterator[HeadProbe]:
    """
    Read heads of a model while the context lasts; `text` is the text's place in the sequence.

    Raises: EngineError for a model without these heads.
    """
    check_heads(model, heads)
    probe = HeadProbe(heads, text)
    watched = {layer: _attention_of(model, layer) for layer, _ in heads}
    try:
        for layer, attention in watched.items():
            attention.probe = partial(probe.hear, layer)
        yield probe
    finally:
        for attention in watched.values():
            attention.probe = None


def _attention_of(model: Llama, layer: int) -> CausalAttention:
    block = model.layers[layer]
    assert isinstance(block, DecoderLayer)
    return block.self_attn
