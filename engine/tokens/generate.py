"""
Generate speech tokens with T3, one step of the model per token.

Several texts form a batch: each row draws from its own seed and ends on its own. Classifier-free
guidance doubles the rows: the unconditional ones, which have no phones, follow the conditional ones
and share their tokens, and their KV cache too, unless they are a pass of their own (`cfg_passes`).

The loop calls `forward` (T3, or what a pass made of it) once per pass and token, and a sampler per
row; both come from the caller, so that they can be observed.
"""

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor

from voxgate.engine.config import KVCacheKind, TokenConfig
from voxgate.engine.layers.kv_cache import DynamicCache, KVCache, NoCache, StaticCache
from voxgate.engine.tokens.sampling import Sampling, TokenSampler
from voxgate.engine.tokens.t3 import (
    MAX_PHONES,
    MAX_PROMPT,
    SPEECH_POSITION,
    T3,
    USUAL_STRETCH,
    Prefix,
)

LONGEST_STAY = 16
"""Tokens after which the pointer moves on in any case, 0.64 s: a model that is stuck ends."""
ADVANCE_TEMPERATURE = 0.3
"""At most: pace varies less than sound, as it does among flite's own utterances."""

Forward = Callable[[Tensor, Tensor, KVCache], tuple[Tensor, Tensor | None]]
MakeSampler = Callable[[Sampling, int, Tensor], TokenSampler]
TOKEN_SAMPLER: MakeSampler = TokenSampler
"""The maker of samplers that draw as `sampling` describes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoding:
    """How tokens are generated."""

    kv_cache: KVCacheKind = KVCacheKind.DYNAMIC
    cfg_weight: float = 0.5
    """Logits are conditional + weight x (conditional - unconditional); 0 leaves the rows out."""
    cfg_passes: int = 1
    """2: conditional and unconditional rows are a forward pass each, with a cache each."""
    max_tokens: int = 400
    early_stop: bool = True
    """End where the text ends; else at `max_tokens`."""
    sampling: Sampling = field(default_factory=Sampling)


def decoding_of(config: TokenConfig) -> Decoding:
    """Return how a configuration generates tokens."""
    return Decoding(
        kv_cache=config.kv_cache,
        cfg_weight=config.cfg_weight,
        cfg_passes=config.cfg_passes,
        max_tokens=config.max_tokens,
        early_stop=config.early_stop,
        sampling=Sampling(
            temperature=config.temperature,
            top_p=config.top_p,
            min_p=config.min_p,
            repetition_penalty=config.repetition_penalty,
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechText:
    """
    A text for T3: phones (P,) long, speaker and question from 1, prompt codes (N,), a seed, and the
    pace: above USUAL_STRETCH is slower.
    """

    phones: Tensor
    speaker: int
    question: int
    seed: int
    prompt: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.long))
    stretch: float = USUAL_STRETCH


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechTokens:
    """
    Generated codes, long (T,), whether the text ended by itself, and the phone of each code (empty
    without a pointer).
    """

    codes: Tensor
    ended: bool
    pointer: tuple[int, ...]


class StaticCaches:
    """Static caches of a model, lent to one generation at a time; `capacity` in positions."""

    def __init__(self, model: T3, max_tokens: int) -> None:
        self._model = model
        self._capacity = 1 + MAX_PHONES + MAX_PROMPT + max_tokens
        self._free: list[StaticCache] = []
        self._lock = threading.Lock()

    def lend(self, rows: int) -> StaticCache:
        """Return a cache for so many rows, a used one if there is one."""
        with self._lock:
            for number, cache in enumerate(self._free):
                if cache.rows == rows:
                    return self._free.pop(number)
        shape = self._model.llama.shape
        return StaticCache(
            layers=shape.depth,
            rows=rows,
            heads=shape.key_heads,
            capacity=self._capacity,
            head_width=shape.head_width,
            like=self._model.start_embed,
        )

    def give_back(self, cache: StaticCache) -> None:
        """Take a cache back, for another generation."""
        with self._lock:
            self._free.append(cache)


@torch.inference_mode()
def generate(
    model: T3,
    forward: Forward,
    texts: Sequence[SpeechText],
    decoding: Decoding,
    *,
    sampler: MakeSampler = TOKEN_SAMPLER,
    caches: StaticCaches | None = None,
) -> list[SpeechTokens]:
    """
    Generate the tokens of texts, in one batch.

    Args:
        model: embeds the inputs.
        forward: computes the steps: `model`, or what passes made of it.
        texts: of one batch.
        decoding: shared by all.
        sampler: makes the sampler of a row.
        caches: lends static caches; None makes one where `decoding` needs it.
    """
    guided = decoding.cfg_weight > 0.0
    prefix = _prefix(model, texts, guided=guided)
    caches = caches or StaticCaches(model, decoding.max_tokens)
    with _caches_for(prefix, decoding, caches) as passes:
        return _Generation(model, forward, texts, decoding, sampler).run(prefix, passes)


@contextmanager
def _caches_for(
    prefix: Prefix, decoding: Decoding, caches: StaticCaches
) -> Iterator[list[KVCache]]:
    """Yield the cache of each forward pass; `caches` lends static ones."""
    passes = decoding.cfg_passes if decoding.cfg_weight > 0.0 else 1
    count, rows = prefix.x.shape[1], len(prefix.x) // passes
    padding = [None] * passes if prefix.padding is None else prefix.padding.chunk(passes)
    if decoding.kv_cache is not KVCacheKind.STATIC:
        kind = NoCache if decoding.kv_cache is KVCacheKind.OFF else DynamicCache
        yield [kind(prefix=count, padding=each) for each in padding]
        return
    lent = [caches.lend(rows) for _ in padding]
    try:
        for cache, each in zip(lent, padding, strict=True):
            cache.reset(prefix=count, padding=each)
        yield list(lent)
    finally:
        for cache in lent:
            caches.give_back(cache)


def _prefix(model: T3, texts: Sequence[SpeechText], *, guided: bool) -> Prefix:
    """Return the prefix of all rows: conditional ones, then unconditional ones without phones."""
    device = model.start_embed.device
    copies = 2 if guided else 1
    phones = [text.phones.to(device) for text in texts]
    if guided:
        phones += [torch.zeros_like(row) for row in phones]
    return model.prefix(
        phones,
        torch.tensor([text.speaker for text in texts] * copies, device=device),
        torch.tensor([text.question for text in texts] * copies, device=device),
        [text.prompt.to(device) for text in texts] * copies,
        torch.tensor([text.stretch for text in texts] * copies, device=device),
    )


class _Row:
    """The state of one text: its codes, and its pointer."""

    def __init__(self, text: SpeechText, sampler: TokenSampler) -> None:
        self.phones = text.phones.numel()
        self.sampler = sampler
        self.random = random.Random(text.seed)
        self.codes: list[int] = []
        self.pointers: list[int] = []
        self.pointer = self.lasted = self.step = 0
        self.previous = -1
        self.ended = False

    def move(self, by: int, *, stay: bool) -> None:
        """Move the pointer; past the last phone the text has ended, unless it is to `stay`."""
        by = max(by, 1) if self.lasted + 1 >= LONGEST_STAY else by
        if self.pointer + by >= self.phones:
            self.ended = not stay
            by = self.phones - 1 - self.pointer
        self.pointer, self.step = self.pointer + by, by
        self.lasted = 0 if by else self.lasted + 1

    def spoken(self) -> SpeechTokens:
        """Return the result."""
        return SpeechTokens(
            codes=torch.tensor(self.codes, dtype=torch.long),
            ended=self.ended,
            pointer=tuple(self.pointers),
        )


class _Generation:
    """One batch while it is generated."""

    def __init__(
        self,
        model: T3,
        forward: Forward,
        texts: Sequence[SpeechText],
        decoding: Decoding,
        sampler: MakeSampler,
    ) -> None:
        self.model, self.forward, self.decoding = model, forward, decoding
        self.device = model.start_embed.device
        none = torch.zeros(0, dtype=torch.long, device=self.device)
        self.all = [_Row(text, sampler(decoding.sampling, text.seed, none)) for text in texts]
        self.live = list(self.all)
        """Rows that are computed."""
        self.copies = 2 if decoding.cfg_weight > 0.0 else 1

    def run(self, prefix: Prefix, caches: Sequence[KVCache]) -> list[SpeechTokens]:
        """Generate until every row has ended, at most `max_tokens`; a cache for each pass."""
        context = prefix.context
        positions = torch.arange(
            SPEECH_POSITION, SPEECH_POSITION + self.decoding.max_tokens, device=self.device
        )
        for number in range(self.decoding.max_tokens):
            x = self._inputs(context, number)
            at = positions[number : number + 1]
            if number == 0:
                x, at = torch.cat((prefix.x, x), dim=1), torch.cat((prefix.positions, at))
            self._choose(*self._logits(x, at, caches))
            if all(row.ended for row in self.live):
                break
            context = self._leave(context, caches)
        return [row.spoken() for row in self.all]

    def _logits(
        self, x: Tensor, at: Tensor, caches: Sequence[KVCache]
    ) -> tuple[Tensor, Tensor | None]:
        """Compute the logits of all rows, in a pass for each cache."""
        if len(caches) == 1:
            return self.forward(x, at, caches[0])
        parts = zip(x.chunk(len(caches)), caches, strict=True)
        outputs = [self.forward(rows, at, cache) for rows, cache in parts]
        advances = [each for _, each in outputs if each is not None]
        codes = torch.cat([each for each, _ in outputs])
        return codes, torch.cat(advances) if advances else None

    def _inputs(self, context: Tensor, number: int) -> Tensor:
        state = torch.tensor(
            [(row.previous, row.pointer, row.lasted, row.step) for row in self.live] * self.copies,
            device=self.device,
        )
        previous, pointer, lasted, step = state.unsqueeze(1).unbind(-1)
        at = context[torch.arange(len(context), device=self.device)[:, None], pointer]
        return self.model.inputs(previous, at, lasted, step, number)

    def _choose(self, codes: Tensor, advances: Tensor | None) -> None:
        """Draw the next code of every row, and move its pointer."""
        codes = self._guided(codes.float())
        moves = self._advances(advances)
        for number, row in enumerate(self.live):
            if row.ended:  # a row of a static cache stays in the batch
                continue
            code = int(row.sampler.choose(codes[number]))
            if code == self.model.shape.codes:
                row.ended = True
                continue
            row.codes.append(code)
            row.previous = code
            if moves is not None:
                row.pointers.append(row.pointer)
                row.move(_drawn(moves[number], row.random), stay=not self.decoding.early_stop)

    def _guided(self, logits: Tensor) -> Tensor:
        if self.copies == 2:
            cond, uncond = logits.chunk(2)
            logits = cond + self.decoding.cfg_weight * (cond - uncond)
        if not self.model.shape.pointer and not self.decoding.early_stop:
            logits[:, -1] = -torch.inf
        return logits

    def _advances(self, logits: Tensor | None) -> list[list[float]] | None:
        """Return the probabilities of every row's next advance."""
        if logits is None:
            return None
        temperature = min(ADVANCE_TEMPERATURE, self.decoding.sampling.temperature)
        cond = logits[: len(self.live)].float()
        if temperature == 0.0:
            cond = torch.where(cond == cond.amax(-1, keepdim=True), 0.0, -torch.inf)
        shares: list[list[float]] = (cond / (temperature or 1.0)).softmax(-1).tolist()
        return shares

    def _leave(self, context: Tensor, caches: Sequence[KVCache]) -> Tensor:
        """Take ended rows out of the batch, where the caches can."""
        kept = [number for number, row in enumerate(self.live) if not row.ended]
        if len(kept) == len(self.live) or isinstance(caches[0], StaticCache):
            return context
        numbers = torch.tensor(kept, device=self.device)
        offsets = torch.arange(self.copies, device=self.device)[:, None] * len(self.live)
        rows = (offsets + numbers).flatten()
        for cache in caches:
            cache.keep(rows[: len(rows) // len(caches)])
        self.live = [self.live[number] for number in kept]
        return context[rows]


def _drawn(shares: Sequence[float], source: random.Random) -> int:
    """Draw an index by its share."""
    left = source.random()
    for index, share in enumerate(shares):
        left -= share
        if left < 0.0:
            return index
    return max(range(len(shares)), key=shares.__getitem__)
