"""
T3, the model of Chatterbox that writes speech tokens: a Llama behind a prefix of conditioning and
text.

The sequence is speaker (1 position), prompt through a perceiver (32), emotion (1), the text, and
the start token twice, both at position 0: so the package has it, and with one start token the
logits are others.
Under classifier-free guidance a second row has zeros in place of the text's vectors, to which the
text's positions are still added.

Parameter names are those of the published checkpoints, English and multilingual.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from voxgate.engine.layers.llama import Llama, LlamaShape, Projection, RopeScaling

START_TEXT, STOP_TEXT = 255, 0
START_SPEECH, STOP_SPEECH = 6561, 6562
SPEECH_CODES = 6561
"""Tokens that are speech: from 0 to below this number."""
TOKENS_PER_SECOND = 25
PROMPT_TOKENS = 150
"""Of the recording, 6 s."""
HEAD_WIDTH = 64
PERCEIVER_HEADS = 4
MAX_POSITIONS = 8192
"""Of prefix and speech together; text and speech have tables of their own, which are shorter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatterboxT3Shape:
    """The hyperparameters, which follow from the tensors' shapes."""

    text_tokens: int
    speech_tokens: int = 8194
    width: int = 1024
    hidden: int = 4096
    layers: int = 30
    text_positions: int = 2050
    speech_positions: int = 4100
    queries: int = 32
    """Of the perceiver."""
    speaker_size: int = 256

    @property
    def backbone(self) -> LlamaShape:
        """The hyperparameters of the stack."""
        return LlamaShape(
            width=self.width,
            depth=self.layers,
            heads=self.width // HEAD_WIDTH,
            hidden=self.hidden,
            eps=1e-5,
            theta=500_000.0,
            scaling=RopeScaling(),
            positions=MAX_POSITIONS,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class T3Voice:
    """
    A voice as T3 is told of it: `speaker` (size,) of the voice encoder, `prompt` (n,) speech tokens
    of the recording, and `emotion`, which exaggerates above 0.5.
    """

    speaker: Tensor
    prompt: Tensor
    emotion: float = 0.5


class LearnedPositions(nn.Module):
    """A vector for every position, from 0."""

    def __init__(self, positions: int, width: int) -> None:
        super().__init__()
        self.emb = nn.Embedding(positions, width)

    def forward(self, first: int, count: int) -> Tensor:
        """Return the vectors (count, width) from position `first`."""
        return self.emb.weight[first : first + count]


class PerceiverAttention(nn.Module):
    """Attention with a residual; queries and keys go through the same norm."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.to_q = nn.Linear(width, width)
        self.to_k = nn.Linear(width, width)
        self.to_v = nn.Linear(width, width)
        self.proj_out = nn.Linear(width, width)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """Attend, (B, n, width) over (B, m, width)."""
        seen = self.norm(context)
        q, k, v = (
            part.unflatten(-1, (PERCEIVER_HEADS, -1)).transpose(1, 2)
            for part in (self.to_q(self.norm(x)), self.to_k(seen), self.to_v(seen))
        )
        mixed = nn.functional.scaled_dot_product_attention(q, k, v)
        out: Tensor = x + self.proj_out(mixed.transpose(1, 2).flatten(2))
        return out


class Perceiver(nn.Module):
    """Vectors of a prompt of any length -> as many as there are queries; one block, used twice."""

    def __init__(self, queries: int, width: int) -> None:
        super().__init__()
        self.pre_attention_query = nn.Parameter(torch.zeros(1, queries, width))
        self.attn = PerceiverAttention(width)

    def forward(self, prompt: Tensor) -> Tensor:
        """Resample (B, n, width) to (B, queries, width)."""
        read = self.attn(self.pre_attention_query.expand(len(prompt), -1, -1), prompt)
        resampled: Tensor = self.attn(read, read)
        return resampled


class ConditioningEncoder(nn.Module):
    """Speaker, prompt and emotion as the first positions of the sequence."""

    def __init__(self, shape: ChatterboxT3Shape) -> None:
        super().__init__()
        self.spkr_enc = nn.Linear(shape.speaker_size, shape.width)
        self.emotion_adv_fc = nn.Linear(1, shape.width, bias=False)
        self.perceiver = Perceiver(shape.queries, shape.width)

    def forward(self, speaker: Tensor, prompt: Tensor, emotion: Tensor) -> Tensor:
        """Return (queries + 2, width) of a speaker (size,), a prompt (n, width), a number (1,)."""
        return torch.cat(
            (self.spkr_enc(speaker)[None], self.perceiver(prompt[None])[0], self._emotion(emotion))
        )

    def _emotion(self, emotion: Tensor) -> Tensor:
        vector: Tensor = self.emotion_adv_fc(emotion)[None]
        return vector


class ChatterboxT3(nn.Module):
    """
    The model. Public beside the networks: `shape`. To decode, see
    `voxgate.engine.chatterbox.t3_decoding`.
    """

    def __init__(self, shape: ChatterboxT3Shape) -> None:
        super().__init__()
        self.shape = shape
        self.tfmr = Llama(shape.backbone)
        self.cond_enc = ConditioningEncoder(shape)
        self.text_emb = nn.Embedding(shape.text_tokens, shape.width)
        self.speech_emb = nn.Embedding(shape.speech_tokens, shape.width)
        self.text_pos_emb = LearnedPositions(shape.text_positions, shape.width)
        self.speech_pos_emb = LearnedPositions(shape.speech_positions, shape.width)
        self.text_head = Projection(shape.width, shape.text_tokens)
        """Of the training loss; without use afterwards."""
        self.speech_head = Projection(shape.width, shape.speech_tokens)

    @property
    def conditioning_positions(self) -> int:
        """Positions before the text."""
        return self.shape.queries + 2

    def condition(self, voice: T3Voice) -> Tensor:
        """Return the first positions (34, width) of every text that a voice says."""
        like = self.speech_emb.weight
        prompt = self.speech_emb(voice.prompt.to(like.device))
        placed = prompt + self.speech_pos_emb(0, len(prompt))
        emotion = torch.tensor([voice.emotion], device=like.device, dtype=like.dtype)
        encoded: Tensor = self.cond_enc(voice.speaker.to(like), placed, emotion)
        return encoded

    def prefix(self, conditioning: Tensor, text: Tensor, *, guided: bool) -> Tensor:
        """
        Return all positions before the first token of speech, (rows, n, width).

        Args:
            conditioning: of `condition`.
            text: (t,) tokens, with start and stop.
            guided: whether a second row without text is wanted.
        """
        said = self.text_emb(text)
        rows = torch.stack((said, torch.zeros_like(said))) if guided else said[None]
        placed = rows + self.text_pos_emb(0, len(text))
        start = self.speech(START_SPEECH, 0)
        shared = (conditioning[None], torch.cat((start, start))[None])
        before, after = (part.expand(len(rows), -1, -1) for part in shared)
        return torch.cat((before, placed, after), dim=1)

    def speech(self, token: Tensor | int, position: int) -> Tensor:
        """Return the input (1, width) of one token of speech at its own position."""
        place: Tensor = self.speech_pos_emb(position, 1)
        return self.speech_emb.weight[token].view(1, -1) + place

    def logits(self, hidden: Tensor) -> Tensor:
        """Return the logits of the next token, fp32 (rows, tokens), of states (rows, n, width)."""
        scores: Tensor = self.speech_head(hidden[:, -1])
        return scores.float()
