"""
T3, the model of speech tokens: phones -> one code of the speech tokeniser every 40 ms.

A decoder as in Chatterbox, with a departure: it always knows which phone it is at.
A pointer into the phones is a part of its state, in the manner of ELLA-V (Song et al. 2024) and
VALL-T (Du et al. 2024): each input carries the phone to be spoken now, its neighbours and how long
it has lasted, and a second head predicts by how many phones the pointer advances with the next
token. The end of speech is the pointer's step past the last phone; no phone is spoken twice or left
out unless the pointer says so. `T3Shape.advances` of 1 leaves the pointer out: phones are then
found by attention alone, and a code of its own ends the speech.

The prefix is [speaker and question][phones][prompt tokens], all of which see each other. The
segments have rotary positions of their own, so padding moves nothing.

The pointer of a token is the phone at its second half: what is heard in its first half is that
phone or those before it, and all of them are known when the token is chosen.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from voxgate.engine.layers.kv_cache import KVCache, visible
from voxgate.engine.layers.llama import Llama, LlamaShape
from voxgate.engine.tokens.speech_tokenizer import LEVELS

MAX_PHONES = 383
MAX_PROMPT = 128
"""Tokens, about 5 s."""
PROMPT_POSITION = MAX_PHONES + 1
SPEECH_POSITION = PROMPT_POSITION + MAX_PROMPT
MAX_TOKENS = 1024
USUAL_STRETCH = 1.15
"""flite's pace at which the embedded voice speaks: the middle of the corpus."""
STRETCH_SPREAD = 0.1
NEIGHBOURS = (-1, 0, 1, 2)
"""Phones around the pointer that an input carries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class T3Shape:
    """The hyperparameters of a T3."""

    codes: int
    phones: int
    speakers: int
    width: int = 192
    depth: int = 5
    heads: int = 4
    hidden: int = 512
    advances: int = 4
    """Kinds of steps of the pointer, 0 to one less; 1: no pointer."""
    lasting: int = 12
    """How long a phone has lasted is told apart up to so many tokens, less one."""

    @property
    def pointer(self) -> bool:
        """Whether the model has a pointer into the phones."""
        return self.advances > 1

    @property
    def outputs(self) -> int:
        """Codes that the first head chooses from; the last one is the end, without a pointer."""
        return self.codes if self.pointer else self.codes + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Prefix:
    """
    The prefix of a batch: inputs (B, n, width), rotary positions (n,), and which are real, (B, n)
    bool or None if all are. `context` (B, P, width) holds a pointer's phones.
    """

    x: Tensor
    positions: Tensor
    padding: Tensor | None
    context: Tensor


class CodeVectors(nn.Module):
    """
    A vector per code: its own, and one for the level of each dimension of the quantiser. Codes that
    share levels so share a part of their vectors.
    """

    def __init__(self, codes: int, width: int) -> None:
        super().__init__()
        self.own_embed = nn.Parameter(torch.randn(codes, width) * width**-0.5)
        self.level_embed = nn.Parameter(torch.zeros(sum(LEVELS), width))
        self._levels: Tensor | None = None
        self._folded: Tensor | None = None

    def table(self) -> Tensor:
        """Return all vectors, (codes, width)."""
        if self._folded is not None:
            return self._folded
        levels = self._level_rows(self.own_embed)
        return self.own_embed + nn.functional.embedding(levels, self.level_embed).sum(1)

    def fold(self) -> None:
        """Compute the table once: for inference."""
        self._folded = self.table().detach()

    def _level_rows(self, like: Tensor) -> Tensor:
        """Return the rows of `level_embed` of every code, (codes, dimensions)."""
        if self._levels is None or self._levels.device != like.device:
            with torch.inference_mode(mode=False):
                self._levels = level_rows(like.shape[0]).to(like.device)
        return self._levels


def level_rows(codes: int) -> Tensor:
    """Return, for every code, the number of each of its levels among all levels, (codes, 5)."""
    columns, place_value, start = [], 1, 0
    for levels in LEVELS:
        columns.append(torch.arange(codes) // place_value % levels + start)
        place_value, start = place_value * levels, start + levels
    return torch.stack(columns, dim=1)


class T3(nn.Module):
    """Phones -> speech tokens."""

    def __init__(self, shape: T3Shape, dropout: float = 0.0) -> None:
        super().__init__()
        self.shape = shape
        width = shape.width
        self.speaker_embed = nn.Embedding(shape.speakers + 1, width)
        self.question_embed = nn.Embedding(3, width)
        self.pace_embed = nn.Parameter(torch.zeros(width))
        self.phone_embed = nn.Embedding(shape.phones, width)
        self.prompt_embed = nn.Parameter(torch.zeros(width))
        self.start_embed = nn.Parameter(torch.randn(width) * width**-0.5)
        self.code_in = CodeVectors(shape.codes, width)
        if shape.pointer:
            self.near_embed = nn.ModuleList(nn.Embedding(shape.phones, width) for _ in NEIGHBOURS)
            self.lasted_embed = nn.Embedding(shape.lasting, width)
            self.step_embed = nn.Embedding(shape.advances, width)
            self.advance_out = nn.Linear(width, shape.advances)
        else:
            self.phone_place_embed = nn.Embedding(MAX_PHONES, width)
            self.speech_place_embed = nn.Embedding(MAX_TOKENS, width)
            self.end_out = nn.Linear(width, 1)
        layers = LlamaShape(
            width=width, depth=shape.depth, heads=shape.heads, hidden=shape.hidden, dropout=dropout
        )
        self.llama = Llama(layers)
        self.code_out = CodeVectors(shape.codes, width)
        for module in self.modules():
            if isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=width**-0.5)

    def prepare(self) -> "T3":
        """Make the model ready to decode: as `Llama.prepare`, and fold the vectors of codes."""
        self.llama.prepare()
        return self.fold()

    def fold(self) -> "T3":
        """Compute the vectors of codes once: for inference."""
        self.code_in.fold()
        self.code_out.fold()
        return self

    def prefix(
        self,
        phones: Sequence[Tensor],
        speaker: Tensor,
        question: Tensor,
        prompts: Sequence[Tensor] | None = None,
        stretch: Tensor | None = None,
    ) -> Prefix:
        """
        Embed what is known before the first token.

        Args:
            phones: ids (P,) of each item, at most MAX_PHONES; all 0 for an unconditional row.
            speaker: (B,), from 1.
            question: (B,), 1 for a statement, 2 for a question.
            prompts: codes (N,) of each item, at most MAX_PROMPT, possibly none.
            stretch: (B,), of the corpus: above USUAL_STRETCH is slower; None for the usual.
        """
        ids = nn.utils.rnn.pad_sequence(list(phones), batch_first=True)
        spoken = _real([row.numel() for row in phones], ids)
        first = (self.speaker_embed(speaker) + self.question_embed(question))[:, None]
        if stretch is not None:
            pace = (stretch - USUAL_STRETCH) / STRETCH_SPREAD
            first = first + pace.to(first.dtype)[:, None, None] * self.pace_embed
        embedded = self.phone_embed(ids)
        if not self.shape.pointer:
            embedded = embedded + self.phone_place_embed.weight[: ids.shape[1]]
        parts, real = [first, embedded], [spoken.new_ones((len(ids), 1)), spoken]
        positions = [torch.arange(ids.shape[1] + 1, device=ids.device)]
        if prompts is not None and any(row.numel() for row in prompts):
            codes = nn.utils.rnn.pad_sequence(list(prompts), batch_first=True)
            parts.append(nn.functional.embedding(codes, self.code_in.table()) + self.prompt_embed)
            real.append(_real([row.numel() for row in prompts], codes))
            positions.append(PROMPT_POSITION + torch.arange(codes.shape[1], device=ids.device))
        padding = torch.cat(real, dim=1)
        return Prefix(
            x=torch.cat(parts, dim=1),
            positions=torch.cat(positions),
            padding=None if bool(padding.all()) else padding,
            context=self._context(ids),
        )

    def _context(self, ids: Tensor) -> Tensor:
        """Return the vectors of a pointer at each phone, (B, P, width): the phones around it."""
        if not self.shape.pointer:
            return self.phone_embed.weight.new_zeros((*ids.shape, self.shape.width))
        padded = nn.functional.pad(ids, (1, 2))
        near = [
            table(padded[:, 1 + shift : 1 + shift + ids.shape[1]])
            for shift, table in zip(NEIGHBOURS, self.near_embed, strict=True)
        ]
        return torch.stack(near).sum(0)

    def inputs(
        self, previous: Tensor, at: Tensor, lasted: Tensor, step: Tensor, first: int
    ) -> Tensor:
        """
        Embed the inputs of tokens, (B, n, width).

        Args:
            previous: code before each token, -1 before the first, (B, n).
            at: rows of `Prefix.context` at the pointer, (B, n, width).
            lasted: tokens for which the pointer has been where it is, (B, n).
            step: the pointer's last advance, (B, n).
            first: number of the first of the tokens.
        """
        x = nn.functional.embedding(previous.clamp(min=0), self.code_in.table())
        if first == 0:
            x = torch.where((previous < 0)[..., None], self.start_embed, x)
        if not self.shape.pointer:
            return x + self.speech_place_embed.weight[first : first + previous.shape[1]]
        spent = self.lasted_embed(lasted.clamp(max=self.shape.lasting - 1))
        embedded: Tensor = x + at + spent + self.step_embed(step)
        return embedded

    def heads(self, hidden: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the logits of codes (B, n, outputs), and of advances; None without a pointer."""
        logits = nn.functional.linear(hidden, self.code_out.table())
        if self.shape.pointer:
            return logits, self.advance_out(hidden)
        return torch.cat((logits, self.end_out(hidden)), dim=-1), None

    def forward(self, x: Tensor, positions: Tensor, cache: KVCache) -> tuple[Tensor, Tensor | None]:
        """
        Compute one step: the prefix with the first token, or a later token. A prefix begins anew.

        Args:
            x: inputs (B, n, width); only the last one's logits are computed.
            positions: rotary positions (n,).
            cache: holds the earlier ones.

        Returns: logits of codes (B, outputs), and of advances (B, advances).
        """
        if x.shape[1] > 1 and cache.length:  # the same call again, as of one who measures it
            cache.restart()
        hidden = self.llama(x, positions, cache)[:, -1]
        return self.heads(hidden)

    def teach(
        self, prefix: Prefix, previous: Tensor, pointer: Tensor, lasted: Tensor, step: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """
        Compute the logits of all tokens of known speech at once, for training: (B, T, ...).

        Args: as of `inputs`; `pointer` (B, T) is the phone of each token.
        """
        count = prefix.x.shape[1]
        rows = pointer[..., None].expand(-1, -1, self.shape.width)
        at = prefix.context.gather(1, rows)
        x = torch.cat((prefix.x, self.inputs(previous, at, lasted, step, 0)), dim=1)
        mask = visible(0, x.shape[1], count, prefix.padding, x.device)
        positions = torch.cat((prefix.positions, speech_positions(0, previous.shape[1], x.device)))
        return self.heads(self.llama(x, positions, None, mask)[:, count:])


def speech_positions(first: int, count: int, device: torch.device) -> Tensor:
    """Return the rotary positions of tokens."""
    return torch.arange(SPEECH_POSITION + first, SPEECH_POSITION + first + count, device=device)


def _real(lengths: Sequence[int], padded: Tensor) -> Tensor:
    places = torch.arange(padded.shape[1], device=padded.device)
    return places < torch.tensor(lengths, device=padded.device)[:, None]
