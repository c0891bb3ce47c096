"""voxgate.engine.tokens.t3: vectors of codes, the pointer's inputs, and padding."""

import math

import torch

from tests.engine.tokens.small_t3 import random_t3, some_text
from voxgate.engine.tokens.speech_tokenizer import LEVELS
from voxgate.engine.tokens.t3 import T3, CodeVectors, T3Shape, level_rows
from voxgate.engine.training.train_t3 import t3_shape


def test_the_embedded_size_fits_into_its_share_of_the_repository():
    model = T3(t3_shape())

    assert sum(parameter.numel() for parameter in model.parameters()) * 2 <= 6_300_000


def test_levels_of_a_code_are_its_digits():
    rows = level_rows(math.prod(LEVELS))

    starts = torch.tensor([0, 5, 10, 15, 19])
    digits = rows - starts
    assert torch.equal(digits[7], torch.tensor([2, 1, 0, 0, 0]))
    assert len(digits.unique(dim=0)) == 2000
    assert (rows.amin(0) == starts).all() and int(rows.max()) == sum(LEVELS) - 1


def test_codes_that_share_levels_share_a_part_of_their_vectors():
    vectors = CodeVectors(2000, 8)
    torch.nn.init.zeros_(vectors.own_embed)
    torch.nn.init.normal_(vectors.level_embed)
    table = vectors.table()

    # 1 and 0 differ in the first dimension alone, as do 6 and 5
    torch.testing.assert_close(table[1] - table[0], table[6] - table[5])
    vectors.fold()
    assert torch.equal(vectors.table(), table)


def teach(model: T3, texts, codes, pointers):
    prefix = model.prefix(
        [text.phones for text in texts],
        torch.tensor([text.speaker for text in texts]),
        torch.tensor([text.question for text in texts]),
        [text.prompt for text in texts],
    )
    none = torch.zeros_like(codes)
    return model.teach(prefix, codes, pointers, none, none)[0]


def test_a_padded_item_is_taught_as_it_is_alone():
    model = random_t3()
    texts = [some_text(9, seed=1, prompt=4), some_text(14, seed=2)]
    codes, pointers = torch.randint(2000, (2, 6)), torch.tensor([[0, 1, 2, 3, 4, 5]] * 2)

    together = teach(model, texts, codes, pointers)

    for row, text in enumerate(texts):
        alone = teach(model, [text], codes[row : row + 1], pointers[row : row + 1])
        torch.testing.assert_close(together[row], alone[0], atol=1e-4, rtol=1e-4)


def test_an_input_carries_the_phone_at_the_pointer_and_its_neighbours():
    model = random_t3()
    phones = [some_text(9, seed=1).phones]
    other = phones[0].clone()
    other[7] = (other[7] + 1) % 50 + 1
    labels = torch.tensor([1]), torch.tensor([1])

    one, two = (model.prefix([ids], *labels).context[0] for ids in (phones[0], other))

    changed = (one - two).abs().amax(-1) > 0
    assert changed.tolist() == [False] * 5 + [True] * 4  # 7 is at +2, +1, 0 and -1


def test_speech_does_not_see_what_is_still_to_come():
    model, text = random_t3(), some_text(9)
    codes, pointers = torch.randint(2000, (1, 8)), torch.arange(8)[None]
    changed = codes.clone()
    changed[0, 5] = (changed[0, 5] + 1) % 2000

    one, two = (teach(model, [text], given, pointers)[0] for given in (codes, changed))

    torch.testing.assert_close(one[:5], two[:5])
    assert not torch.allclose(one[5:], two[5:])


def test_a_model_without_a_pointer_has_a_code_that_ends():
    shape = T3Shape(codes=2000, phones=51, speakers=3, advances=1)

    assert not shape.pointer
    assert shape.outputs == 2001
    assert teach(
        random_t3(pointer=False), [some_text(9)], torch.zeros(1, 4).long(), torch.zeros(1, 4).long()
    ).shape == (1, 4, 2001)
