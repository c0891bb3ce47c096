"""
Fish-Speech's dual autoregressive decoder (Liao et al. 2024).

The slow stack reads frames, each a token and, where that stands for speech, eight codes.
Its hidden state before the last norm starts the fast stack, which writes the codes of one frame.

Both are stacks of the LLaMA kind.
The published ones rotate interleaved pairs of channels by a table in bf16; here the channels are
reordered at loading, and the table is rounded likewise.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from voxgate.engine.layers.kv_cache import DynamicCache, KVCache
from voxgate.engine.layers.llama import Llama, LlamaShape, Projection, RMSNorm


@dataclass(frozen=True, slots=True, kw_only=True)
class DualARShape:
    """The hyperparameters: of both stacks, and the numbers of tokens, codebooks and codes."""

    slow: LlamaShape
    fast: LlamaShape
    vocabulary: int
    codebooks: int
    codes: int
    """Of one codebook."""


class FishStack(Llama):
    """A stack that returns its hidden states before the last norm."""

    def __init__(self, shape: LlamaShape) -> None:
        super().__init__(shape)
        self.norm = nn.Identity()  # type: ignore[assignment]

    def _make_tables(self, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        cos, sin = super()._make_tables(device, torch.bfloat16)
        with torch.inference_mode(mode=False):
            return cos.to(dtype), sin.to(dtype)


class DualAR(nn.Module):
    """Both stacks, their embeddings and heads."""

    def __init__(self, shape: DualARShape) -> None:
        super().__init__()
        self.shape = shape
        slow, fast = shape.slow, shape.fast
        self.embeddings = nn.Embedding(shape.vocabulary, slow.width)
        self.codebook_embeddings = nn.Embedding(shape.codebooks * shape.codes, slow.width)
        self.slow = FishStack(slow)
        self.norm = RMSNorm(slow.width, slow.eps)
        self.output = Projection(slow.width, shape.vocabulary)
        self.fast_project_in: nn.Module = nn.Identity()
        if slow.width != fast.width:
            self.fast_project_in = nn.Linear(slow.width, fast.width)
        self.fast_embeddings = nn.Embedding(shape.codes, fast.width)
        self.fast = FishStack(fast)
        self.fast_norm = RMSNorm(fast.width, fast.eps)
        self.fast_output = Projection(fast.width, shape.codes)

    def prepare(self) -> "DualAR":
        """Join and pack matrices, for inference only: as `Llama.prepare`."""
        self.slow.prepare()
        self.fast.prepare()
        self.output.pack()
        self.fast_output.pack()
        return self

    def embed(self, frames: Tensor, first_semantic: int) -> Tensor:
        """
        Return the slow stack's inputs, (1, n, width).

        Args:
            frames: (1 + codebooks, n), a token and its codes per column.
            first_semantic: the token of code 0; those before stand for text, and their codes for
                nothing.
        """
        offsets = torch.arange(self.shape.codebooks, device=frames.device) * self.shape.codes
        codes = self.codebook_embeddings(frames[1:] + offsets[:, None]).sum(dim=0)
        tokens = frames[0]
        speech = (tokens >= first_semantic) & (tokens < first_semantic + self.shape.codes)
        embedded: Tensor = self.embeddings(tokens) + codes * speech[:, None]
        return embedded[None]

    def read(self, x: Tensor, cache: KVCache) -> tuple[Tensor, Tensor]:
        """
        Return the next token's logits (V,) and the fast stack's start (1, 1, width).

        Args:
            x: new inputs, (1, n, width).
            cache: holds the positions before.
        """
        positions = torch.arange(cache.length, cache.length + x.shape[1], device=x.device)
        hidden = self.slow(x, positions, cache)[:, -1:]
        logits: Tensor = self.output(self.norm(hidden))
        return logits[0, 0], self.fast_project_in(hidden)

    def fast_logits(self, x: Tensor, cache: DynamicCache) -> Tensor:
        """Return the logits (codes,) of the codebook whose input is x (1, 1, width)."""
        position = torch.full((1,), cache.length, device=x.device)
        logits: Tensor = self.fast_output(self.fast_norm(self.fast(x, position, cache)))
        return logits[0, 0]


@dataclass(frozen=True, slots=True, kw_only=True)
class FishSampling:
    """How a token or code is chosen; the published defaults."""

    temperature: float = 0.7
    top_p: float = 0.7
    repetition_penalty: float = 1.5


WINDOW = 16
"""Frames over which a repetition is penalised."""
LEAST_TEMPERATURE = 1e-5


def fish_probabilities(logits: Tensor, window: Tensor | None, sampling: FishSampling) -> Tensor:
    """
    Return the probabilities (V,) as Fish-Speech filters them.

    The repetition penalty comes first, then top-p, which drops the token at which the sum exceeds
    p, and then temperature.

    Args:
        logits: (V,).
        window: earlier tokens of this book, or None for no penalty.
        sampling: the options.
    """
    if window is not None:
        scores = logits[window]
        penalty = sampling.repetition_penalty
        penalised = torch.where(scores < 0, scores * penalty, scores / penalty)
        logits = logits.scatter(0, window, penalised)
    ordered, order = logits.sort(descending=True)
    dropped = ordered.softmax(dim=-1).cumsum(dim=-1) > sampling.top_p
    dropped[0] = False
    logits = logits.masked_fill(torch.zeros_like(dropped).scatter(0, order, dropped), -math.inf)
    return (logits / max(sampling.temperature, LEAST_TEMPERATURE)).softmax(dim=-1)


class FrameSampler:
    """Chooses the token and the codes of one frame after the other, from one seed."""

    def __init__(self, shape: DualARShape, sampling: FishSampling, seed: int) -> None:
        self.sampling = sampling
        self._sizes = [shape.vocabulary, *[shape.codes] * (shape.codebooks - 1)]
        self._generator = torch.Generator().manual_seed(seed)
        self._noise: list[Tensor] = []

    def begin(self) -> None:
        """Draw the noise of a frame, at once for all of its books."""
        flat = torch.empty(sum(self._sizes)).exponential_(1, generator=self._generator)
        self._noise = list(torch.split(flat, self._sizes))

    def choose(self, logits: Tensor, book: int, window: Tensor | None) -> Tensor:
        """Return the token (book 0) or code (1 to 7) of the frame, (), by exponential noise."""
        probabilities = fish_probabilities(logits.float(), window, self.sampling)
        return (probabilities / self._noise[book].to(logits.device)).argmax(dim=-1)


@dataclass(frozen=True, slots=True, kw_only=True)
class FishTokens:
    """The tokens that decoding needs to know: of code 0, and of the end."""

    first_semantic: int
    end: int


@torch.inference_mode()
def decode_frames(
    model: DualAR,
    prompt: Tensor,
    tokens: FishTokens,
    sampler: FrameSampler,
    limit: int,
) -> Tensor:
    """
    Return the frames after a prompt, (1 + codebooks, n), the one with the end included.

    As published, the first frame neither ends the speech nor counts as a repetition, and the
    window of the penalty begins with zeros.

    Args:
        model: both stacks.
        prompt: (1 + codebooks, T).
        tokens: their numbers.
        sampler: draws, with a seed of its own.
        limit: the most frames.
    """
    cache = DynamicCache()
    frame = _next_frame(model, prompt, tokens, sampler, cache, None)
    frames, history = [frame], prompt.new_zeros(len(prompt), WINDOW)
    said = 0
    while len(frames) < limit and not (said and int(frame[0, 0]) == tokens.end):
        frame = _next_frame(model, frame, tokens, sampler, cache, history)
        history = _remembered(history, frame, said)
        frames.append(frame)
        said += 1
    return torch.cat(frames, dim=1)


def _remembered(history: Tensor, frame: Tensor, said: int) -> Tensor:
    """Return the window with a frame in its first free column, or at its end."""
    if said < WINDOW:
        return torch.cat((history[:, :said], frame, history[:, said + 1 :]), dim=1)
    return torch.cat((history[:, 1:], frame), dim=1)


def _next_frame(
    model: DualAR,
    frames: Tensor,
    tokens: FishTokens,
    sampler: FrameSampler,
    cache: DynamicCache,
    history: Tensor | None,
) -> Tensor:
    """Return the frame (1 + codebooks, 1) after new frames."""
    sampler.begin()
    logits, start = model.read(model.embed(frames, tokens.first_semantic), cache)
    token = sampler.choose(logits, 0, None if history is None else history[0])
    fast_cache = DynamicCache()
    model.fast_logits(start, fast_cache)
    chosen = [token, (token - tokens.first_semantic).clamp(min=0)]
    for book in range(1, model.shape.codebooks):
        logits = model.fast_logits(model.fast_embeddings(chosen[-1])[None, None], fast_cache)
        window = None if history is None else history[book + 1]
        chosen.append(sampler.choose(logits, book, window))
    return torch.stack(chosen)[:, None]
