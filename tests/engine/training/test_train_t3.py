"""voxgate.engine.training.train_t3: labels of tokens, batches, and a corpus that can be learned."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from tests.engine.tokens.small_t3 import random_t3
from voxgate.engine.tokens.generate import Decoding, SpeechText, generate
from voxgate.engine.tokens.sampling import Sampling
from voxgate.engine.tokens.t3 import T3, T3Shape
from voxgate.engine.training import train_t3
from voxgate.engine.training.loop import TrainingSchedule, make_optimizers
from voxgate.engine.training.train_t3 import (
    NONE,
    T3Batches,
    collate,
    pointer_features,
    t3_loss,
    t3_shape,
    utterance,
    validate,
)


@dataclass
class SmallCorpus:
    """Random phones; the code of a token is that of its phone."""

    codes: Tensor
    index: Tensor
    phones: Tensor
    rows: Tensor
    stretch: Tensor
    training: int


def small_corpus(count: int = 12) -> SmallCorpus:
    generator = torch.Generator().manual_seed(0)
    parts: dict[str, list[Tensor]] = {"codes": [], "index": [], "phones": []}
    rows, frames, before = [], 0, 0
    for number in range(count):
        phones = torch.randint(2, 12, (5 + number % 4,), generator=generator)
        lasts = torch.randint(2, 6, phones.shape, generator=generator)
        lasts[-1] += int(-lasts.sum()) % 4
        index = torch.repeat_interleave(torch.arange(len(phones)), lasts)
        parts["codes"].append(phones[index[1::2]] * 100)
        parts["index"].append(index)
        parts["phones"].append(phones)
        rows.append(
            [frames, frames + len(index), 0, 0, before, before + len(phones), 1 + number % 3, 1]
        )
        frames, before = frames + len(index), before + len(phones)
    columns = {name: torch.cat(values).short() for name, values in parts.items()}
    return SmallCorpus(
        **columns, rows=torch.tensor(rows), stretch=torch.full((count,), 1.15), training=count - 2
    )


def test_a_pointer_is_described_by_how_long_it_stayed_and_how_far_it_went():
    lasted, before, after = pointer_features(torch.tensor([0, 0, 1, 1, 1, 4, 5]), 6, 4)

    assert after.tolist() == [0, 1, 0, 0, 3, 1, 1]
    assert before.tolist() == [0, 0, 1, 0, 0, 3, 1]
    assert lasted.tolist() == [0, 1, 0, 1, 2, 0, 0]


def test_the_pointer_of_a_token_is_the_phone_of_its_second_half():
    corpus = small_corpus()
    spoken = utterance(corpus, 3)

    first, last = corpus.rows[3, :2].tolist()
    assert torch.equal(spoken.pointer, corpus.index[first:last].view(-1, 2)[:, 1].long())
    assert torch.equal(spoken.phones[spoken.pointer] * 100, spoken.codes)


def test_inputs_are_the_codes_before_and_targets_those_to_come():
    corpus, generator = small_corpus(), torch.Generator().manual_seed(0)
    spoken = [utterance(corpus, 0), utterance(corpus, 3)]
    batch = collate(spoken, t3_shape(), generator)

    for row, item in enumerate(spoken):
        count = len(item.codes)
        assert batch.code[row, :count].tolist() == item.codes.tolist()
        assert (batch.code[row, count:] == NONE).all()
        assert batch.previous[row, 0] == -1
        heard = batch.previous[row, 1:count] == item.codes[:-1]
        assert heard.float().mean() > 0.8  # but for the few that are corrupted


def test_without_a_pointer_the_last_target_is_the_end():
    spoken = utterance(small_corpus(), 0)
    batch = collate([spoken], t3_shape(pointer=False), torch.Generator().manual_seed(0))

    assert batch.code[0, len(spoken.codes)] == 2000


def test_a_step_has_the_same_batch_again_and_only_utterances_for_training():
    corpus = small_corpus(40)
    batches = T3Batches(corpus, t3_shape(), seed=7)
    one, two = batches(5), batches(5)

    assert torch.equal(one.previous, two.previous)
    assert not torch.equal(one.code, batches(6).code)
    assert int(batches.usable.max()) < corpus.training


def test_some_items_have_a_prompt_and_some_no_text():
    batches = T3Batches(small_corpus(40), t3_shape(), seed=7)
    drawn = [batches(step) for step in range(6)]
    prompts = [prompt.numel() > 0 for batch in drawn for prompt in batch.prompts]
    dropped = [bool((phones == 0).all()) for batch in drawn for phones in batch.phones]

    assert 0.05 < sum(prompts) / len(prompts) < 0.3
    assert 0.03 < sum(dropped) / len(dropped) < 0.25


def test_tables_and_heads_are_left_to_adamw():
    model = T3(T3Shape(codes=2000, phones=51, speakers=3, width=32, depth=1, heads=2, hidden=32))
    schedule = TrainingSchedule(steps=1, learning_rate=1e-3)
    matrices = make_optimizers(model, schedule)[1].param_groups[0]["params"]

    names = {name for name, value in model.named_parameters() if any(value is m for m in matrices)}
    assert names == {
        f"llama.layers.0.{part}.weight"
        for part in (
            "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
            "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj",
        )
    }  # fmt: skip


@pytest.mark.parametrize("pointer", [True, False])
def test_validation_counts_every_token_of_the_utterances_left_out(pointer):
    model = random_t3(pointer=pointer)
    code, advance = validate(model, small_corpus())

    assert code > 1.0
    assert (advance > 0.1) == pointer


def test_a_small_model_learns_to_say_the_code_of_each_phone(monkeypatch):
    monkeypatch.setattr(train_t3, "POSITIONS_PER_BATCH", 128)
    corpus = small_corpus(30)
    torch.manual_seed(0)
    shape = T3Shape(codes=1200, phones=51, speakers=3, width=48, depth=1, heads=2, hidden=64)
    model = T3(shape)
    batches = T3Batches(corpus, shape, seed=1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for step in range(60):
        optimizer.zero_grad()
        t3_loss(model, batches(step)).backward()
        optimizer.step()

    item = utterance(corpus, corpus.training)
    text = SpeechText(phones=item.phones, speaker=item.speaker, question=1, seed=1)
    greedy = Decoding(sampling=Sampling(temperature=0.0, repetition_penalty=1.0))
    spoken = generate(model.eval(), model, [text], greedy)[0]

    expected = item.phones[torch.tensor(spoken.pointer)] * 100
    assert spoken.ended
    assert (spoken.codes == expected).float().mean() > 0.9
