"""
Decode with T3: one token of speech at a time, from the prefix until the stop token.

Under guidance two rows of one batch share the cache, and both are fed with the same token.
Without guidance there is one row, where chatterbox-tts 0.1.7 stops with an error.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from voxgate.engine.chatterbox.alignment import AlignmentWatch, HeadProbe, probing
from voxgate.engine.chatterbox.t3 import (
    SPEECH_CODES,
    START_SPEECH,
    STOP_SPEECH,
    ChatterboxT3,
)
from voxgate.engine.config import KVCacheKind
from voxgate.engine.layers.kv_cache import DynamicCache, KVCache, NoCache, StaticCache
from voxgate.engine.tokens.sampling import Sampling, TokenSampler

Backbone = Callable[[Tensor, Tensor, KVCache], Tensor]
"""Runs the Llama: inputs (rows, n, width), positions (n,), cache -> states (rows, n, width)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class T3Decoding:
    """How a sequence is decoded."""

    sampling: Sampling
    seed: int = 0
    cfg_weight: float = 0.5
    """Of classifier-free guidance; 0 leaves the second row out."""
    max_tokens: int = 1000
    alignment: bool = False
    """Whether the position in the text may suppress or force the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """The `tokens` as drawn, and whether the last is the stop token."""

    tokens: tuple[int, ...]
    ended: bool

    @property
    def codes(self) -> Tensor:
        """What is speech: after a start token, before the stop token, below SPEECH_CODES; (n,)."""
        drawn = self.tokens
        if START_SPEECH in drawn:
            drawn = drawn[drawn.index(START_SPEECH) + 1 :]
        if STOP_SPEECH in drawn:
            drawn = drawn[: drawn.index(STOP_SPEECH)]
        return torch.tensor([token for token in drawn if token < SPEECH_CODES], dtype=torch.long)


def make_cache(kind: KVCacheKind, t3: ChatterboxT3, *, rows: int, positions: int) -> KVCache:
    """Return an empty cache for one sequence of at most so many positions."""
    if kind is KVCacheKind.OFF:
        return NoCache()
    if kind is KVCacheKind.DYNAMIC:
        return DynamicCache()
    shape = t3.shape.backbone
    return StaticCache(
        layers=shape.depth,
        rows=rows,
        heads=shape.key_heads,
        capacity=positions,
        head_width=shape.head_width,
        like=t3.speech_emb.weight,
    )


@torch.inference_mode()
def decode(
    t3: ChatterboxT3,
    run: Backbone,
    conditioning: Tensor,
    text: Tensor,
    cache: KVCache,
    how: T3Decoding,
) -> Decoded:
    """
    Decode the tokens of one text.

    Args:
        t3: the model.
        run: its backbone, as the passes left it.
        conditioning: of `ChatterboxT3.condition`, (34, width).
        text: (t,) tokens, with start and stop.
        cache: empty.
        how: sampling, guidance and limits.

    Raises: EngineError if the model has no heads for `alignment`, or the cache no room.
    """
    prefix = t3.prefix(conditioning, text, guided=how.cfg_weight > 0.0)
    sampler = TokenSampler(
        how.sampling, how.seed, torch.tensor([START_SPEECH], device=prefix.device)
    )
    first = t3.conditioning_positions
    place = slice(first, first + len(text))
    watching = _watching(t3, place) if how.alignment else nullcontext(_Unwatched())
    with watching as watch:
        tokens = list(_loop(t3, run, prefix, cache, how, sampler, watch))
    return Decoded(tokens=tuple(tokens), ended=tokens[-1] == STOP_SPEECH)


def _loop(
    t3: ChatterboxT3,
    run: Backbone,
    x: Tensor,
    cache: KVCache,
    how: T3Decoding,
    sampler: TokenSampler,
    watch: "_Unwatched",
) -> Iterator[int]:
    rows, length, _ = x.shape
    positions = torch.arange(length + how.max_tokens, device=x.device)
    begin, token = 0, START_SPEECH
    for step in range(how.max_tokens):
        watch.expect(length + step)
        states = run(x, positions[begin : length + step], cache)
        logits = watch.adjust(guided(t3.logits(states), how.cfg_weight), token)
        drawn = sampler.choose(logits)
        token = int(drawn)
        yield token
        if token == STOP_SPEECH:
            return
        begin = length + step
        x = t3.speech(drawn, step + 1).expand(rows, 1, -1)


def guided(logits: Tensor, weight: float) -> Tensor:
    """Return the guided logits (V,) of one or two rows (rows, V)."""
    if len(logits) == 1:
        return logits[0]
    return logits[0] + weight * (logits[0] - logits[1])


class _Unwatched:
    """Decodes without a look at the attention."""

    def expect(self, length: int) -> None:
        """Announce a step."""

    def adjust(self, logits: Tensor, last_token: int) -> Tensor:
        """Return the logits as they are."""
        return logits


class _Watched(_Unwatched):
    def __init__(self, probe: HeadProbe, state: AlignmentWatch) -> None:
        self._probe, self._state = probe, state

    def expect(self, length: int) -> None:
        self._probe.expect(length)

    def adjust(self, logits: Tensor, last_token: int) -> Tensor:
        return self._state.adjust(logits, self._probe.attention(), last_token)


@contextmanager
def _watching(t3: ChatterboxT3, text: slice) -> Iterator[_Unwatched]:
    with probing(t3.tfmr, text) as probe:
        yield _Watched(probe, AlignmentWatch(text.stop - text.start, STOP_SPEECH))
