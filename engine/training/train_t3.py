"""
Train T3 on the codes of the corpus and flite's exact phone times.

Two losses: the next code, and the pointer's next advance. Texts are dropped at random, which
guidance requires, and codes are corrupted, so that the model forgives its own mistakes.
A share of the items has a prompt: the last tokens of another utterance by the same speaker.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from voxgate.engine.alphabet import PHONES, SPEAKERS
from voxgate.engine.tokens.speech_tokenizer import CODES
from voxgate.engine.tokens.t3 import MAX_PHONES, MAX_PROMPT, T3, T3Shape
from voxgate.engine.training.loop import TrainingSchedule, train
from voxgate.engine.training.token_data import TokenCorpus

POSITIONS_PER_BATCH = 1536
"""Of prefix and speech together, padding included."""
LONGEST_TOKENS = 240
BUCKET_TOKENS = 8
DROPOUT = 0.1
DROP_TEXT = 0.1
CORRUPT = 0.03
PROMPT_SHARE = 0.15
SHORTEST_PROMPT = 12
LONGEST_PROMPT = 75
ADVANCE_WEIGHT = 0.5
NONE = -100
"""Target of a position without loss."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodedSpeech:
    """One utterance: codes (T,), phones (P,), the pointer of each token (T,), labels from 1."""

    codes: Tensor
    phones: Tensor
    pointer: Tensor
    speaker: int
    question: int
    stretch: float
    prompt: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class T3Batch:
    """Padded inputs (B, T) of `T3.teach`, and its targets; NONE where there is no loss."""

    phones: list[Tensor]
    prompts: list[Tensor]
    speaker: Tensor
    question: Tensor
    stretch: Tensor
    previous: Tensor
    pointer: Tensor
    lasted: Tensor
    step: Tensor
    code: Tensor
    advance: Tensor


def utterance(corpus: TokenCorpus, number: int) -> CodedSpeech:
    """Return one utterance of the corpus, without a prompt."""
    first, last, _, _, phones_from, phones_to, speaker, question = corpus.rows[number].tolist()
    return CodedSpeech(
        codes=corpus.codes[first // 2 : last // 2].long(),
        phones=corpus.phones[phones_from:phones_to].long(),
        # the phone at the second half of each token
        pointer=corpus.index[first + 1 : last : 2].long(),
        speaker=speaker,
        question=question,
        stretch=float(corpus.stretch[number]),
        prompt=torch.zeros(0, dtype=torch.long),
    )


def pointer_features(pointer: Tensor, phones: int, advances: int) -> tuple[Tensor, Tensor, Tensor]:
    """
    Return, for each token (T,): how long the pointer has been there, its last and its next advance.

    The last token's next advance goes past the last phone.
    """
    after = torch.diff(pointer, append=torch.tensor([phones])).clamp(0, advances - 1)
    before = torch.cat((torch.zeros(1, dtype=torch.long), after[:-1]))
    places = torch.arange(pointer.numel())
    entered = torch.where((before > 0) | (places == 0), places, torch.zeros_like(places))
    return places - entered.cummax(0).values, before, after


class T3Batches:
    """Makes the batch of any step from the seed and the step alone."""

    def __init__(self, corpus: TokenCorpus, shape: T3Shape, seed: int) -> None:
        self.corpus, self.shape, self.seed = corpus, shape, seed
        rows = corpus.rows[: corpus.training]
        self.tokens = (rows[:, 1] - rows[:, 0]) // 2
        phones = rows[:, 5] - rows[:, 4]
        fits = (self.tokens <= LONGEST_TOKENS) & (phones <= MAX_PHONES)
        fits &= rows[:, 6] <= shape.speakers  # the tokeniser learns from more
        self.usable = torch.nonzero(fits).squeeze(1)
        # neighbours in this order are of similar length
        self.usable = self.usable[self.tokens[self.usable].argsort(stable=True)]
        self.positions = self.tokens[self.usable] + phones[self.usable] + 1
        self.by_speaker = {
            speaker: self.usable[rows[self.usable, 6] == speaker]
            for speaker in set(rows[self.usable, 6].tolist())
        }

    def __call__(self, step: int) -> T3Batch:
        """Return the batch of a step: utterances of similar length, as many as fit."""
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + step)
        count = self.usable.numel()
        centre = int(torch.randint(count, (1,), generator=generator))
        size = max(1, POSITIONS_PER_BATCH // int(self.positions[centre]))
        spread = max(size, count // 50)
        first = min(max(0, centre - spread // 2), max(0, count - spread))
        near = self.usable[first : first + spread]
        picks = near[torch.randperm(near.numel(), generator=generator)[:size]].tolist()
        spoken = [self._with_prompt(utterance(self.corpus, n), generator) for n in picks]
        return collate(spoken, self.shape, generator)

    def _with_prompt(self, spoken: CodedSpeech, generator: torch.Generator) -> CodedSpeech:
        """Put the last tokens of another utterance by the same speaker in front of some."""
        if float(torch.rand((), generator=generator)) >= PROMPT_SHARE:
            return spoken
        own = self.by_speaker[spoken.speaker]
        other = utterance(
            self.corpus, int(own[torch.randint(own.numel(), (1,), generator=generator)])
        )
        length = int(torch.randint(SHORTEST_PROMPT, LONGEST_PROMPT + 1, (1,), generator=generator))
        return replace(spoken, prompt=other.codes[-min(length, MAX_PROMPT) :])


def collate(spoken: Sequence[CodedSpeech], shape: T3Shape, generator: torch.Generator) -> T3Batch:
    """Pad utterances to the longest, drop texts and corrupt codes."""
    dropped = torch.rand((len(spoken),), generator=generator) < DROP_TEXT
    columns: dict[str, list[Tensor]] = {name: [] for name in COLUMNS}
    for item in spoken:
        for name, column in _columns(item, shape, generator).items():
            columns[name].append(column)
    longest = max(column.numel() for column in columns["code"])
    # few lengths occur, for the kernels that are made per shape
    length = -(-longest // BUCKET_TOKENS) * BUCKET_TOKENS
    padded = {name: _padded(columns[name], length, PADDING.get(name, 0)) for name in COLUMNS}
    return T3Batch(
        phones=[
            torch.zeros_like(item.phones) if drop else item.phones
            for item, drop in zip(spoken, dropped.tolist(), strict=True)
        ],
        prompts=[item.prompt for item in spoken],
        speaker=torch.tensor([item.speaker for item in spoken]),
        question=torch.tensor([item.question for item in spoken]),
        stretch=torch.tensor([item.stretch for item in spoken]),
        **padded,
    )


COLUMNS = ("previous", "pointer", "lasted", "step", "code", "advance")
PADDING = {"code": NONE, "advance": NONE}


def _columns(item: CodedSpeech, shape: T3Shape, generator: torch.Generator) -> dict[str, Tensor]:
    heard = item.codes.clone()
    wrong = torch.rand(heard.shape, generator=generator) < CORRUPT
    heard[wrong] = torch.randint(shape.codes, (int(wrong.sum()),), generator=generator)
    start, end = torch.tensor([-1]), torch.tensor([shape.codes])
    if not shape.pointer:
        still = torch.zeros(heard.numel() + 1, dtype=torch.long)
        return {
            "previous": torch.cat((start, heard)), "code": torch.cat((item.codes, end)),
            "pointer": still, "lasted": still, "step": still, "advance": still,
        }  # fmt: skip
    lasted, before, after = pointer_features(item.pointer, item.phones.numel(), shape.advances)
    return {
        "previous": torch.cat((start, heard[:-1])), "code": item.codes, "pointer": item.pointer,
        "lasted": lasted, "step": before, "advance": after,
    }  # fmt: skip


def _padded(columns: Sequence[Tensor], length: int, value: int) -> Tensor:
    whole = torch.full((len(columns), length), value)
    for row, column in zip(whole, columns, strict=True):
        row[: column.numel()] = column
    return whole


def t3_losses(model: T3, batch: T3Batch) -> tuple[Tensor, Tensor]:
    """Return the cross-entropies of the next code and of the next advance."""
    prefix = model.prefix(batch.phones, batch.speaker, batch.question, batch.prompts, batch.stretch)
    codes, advances = model.teach(prefix, batch.previous, batch.pointer, batch.lasted, batch.step)
    code = nn.functional.cross_entropy(
        codes.float().flatten(0, 1), batch.code.flatten(), ignore_index=NONE
    )
    if advances is None:
        return code, torch.zeros(())
    return code, nn.functional.cross_entropy(
        advances.float().flatten(0, 1), batch.advance.flatten(), ignore_index=NONE
    )


def t3_loss(model: T3, batch: T3Batch) -> Tensor:
    """Return the loss of a batch."""
    with torch.autocast("cpu", torch.bfloat16):
        code, advance = t3_losses(model, batch)
    return code + ADVANCE_WEIGHT * advance


@torch.no_grad()
def validate(model: T3, corpus: TokenCorpus) -> tuple[float, float]:
    """Return both cross-entropies over the utterances that were not trained on."""
    shape, generator = model.shape, torch.Generator().manual_seed(0)
    totals, tokens = torch.zeros(2), 0
    for number in range(corpus.training, corpus.rows.shape[0]):
        item = utterance(corpus, number)
        if item.speaker > shape.speakers:
            continue
        batch = _clean(item, shape, generator)
        counted = int((batch.code != NONE).sum())
        totals += counted * torch.stack(t3_losses(model.eval(), batch))
        tokens += counted
    code, advance = (totals / max(1, tokens)).tolist()
    return code, advance


def _clean(item: CodedSpeech, shape: T3Shape, generator: torch.Generator) -> T3Batch:
    """Return a batch of one with its text and the codes as they are."""
    batch = collate([item], shape, generator)
    previous = torch.full_like(batch.previous, 0)
    spoken = item.codes[: batch.previous.shape[1] - 1]
    previous[0, 0], previous[0, 1 : 1 + spoken.numel()] = -1, spoken
    return T3Batch(
        phones=[item.phones], prompts=batch.prompts, speaker=batch.speaker,
        question=batch.question, stretch=batch.stretch, previous=previous, pointer=batch.pointer,
        lasted=batch.lasted, step=batch.step, code=batch.code, advance=batch.advance,
    )  # fmt: skip


def t3_shape(*, pointer: bool = True) -> T3Shape:
    """Return the shape of the embedded voice's T3."""
    return T3Shape(
        codes=CODES, phones=len(PHONES), speakers=len(SPEAKERS), advances=4 if pointer else 1
    )


def run(
    corpus: TokenCorpus, folder: Path, *, steps: int, seed: int, pointer: bool = True
) -> nn.Module:
    """Train and return the averaged T3; its checkpoint is `t3`, `t3-plain` without a pointer."""
    torch.manual_seed(seed)
    shape = t3_shape(pointer=pointer)
    model = T3(shape, DROPOUT)
    batches = T3Batches(corpus, shape, seed)

    def loss_of(step: int) -> Tensor:
        # dropout draws from the global generator, which a resumed run has elsewhere
        torch.manual_seed(seed * 1_000_003 + step)
        return t3_loss(model, batches(step))

    return train(
        "t3" if pointer else "t3-plain",
        model,
        loss_of,
        TrainingSchedule(steps=steps, learning_rate=3e-3, warmup=60, ema=0.998, seed=seed),
        folder,
    )
