"""voxgate.engine.tokens.sampling: the filters, their order, and seeds."""

import pytest
import torch

from voxgate.engine.tokens.sampling import (
    Sampling,
    TokenSampler,
    filtered,
    keep_min_p,
    keep_top_p,
    penalised,
)

PLAIN = Sampling(temperature=1.0, top_p=1.0, min_p=0.0, repetition_penalty=1.0)


def _logits(*probabilities):
    return torch.tensor(probabilities).log()


def _kept(logits):
    return torch.isfinite(logits).tolist()


def test_min_p_is_relative_to_the_most_probable_token():
    assert _kept(keep_min_p(_logits(0.5, 0.3, 0.15, 0.05), 0.5)) == [True, True, False, False]
    assert _kept(keep_min_p(_logits(0.5, 0.5), 1.0)) == [True, True]


@pytest.mark.parametrize(
    ("top_p", "kept"),
    [
        (0.99, [True, True, True, True]),
        (0.9, [True, True, True, False]),
        (0.6, [True, True, False, False]),
        (1e-6, [True, False, False, False]),
    ],
)
def test_top_p_keeps_the_smallest_set_of_at_least_that_probability(top_p, kept):
    assert _kept(keep_top_p(_logits(0.5, 0.3, 0.15, 0.05), top_p)) == kept


def test_the_repetition_penalty_lowers_a_token_once_whatever_its_sign():
    logits = torch.tensor([2.0, -2.0, 2.0])

    assert penalised(logits, torch.tensor([0, 1, 0]), 2.0).tolist() == [1.0, -4.0, 2.0]


def test_the_penalty_comes_before_the_temperature_and_the_filters():
    logits = torch.tensor([2.0, 1.5])
    sampling = Sampling(temperature=0.5, top_p=1.0, min_p=0.5, repetition_penalty=2.0)

    # token 0 is most probable before the penalty, and dropped after it
    assert filtered(logits, torch.tensor([0]), sampling).tolist() == [-torch.inf, 3.0]


def test_temperature_0_is_the_most_probable_token_and_draws_nothing():
    sampler = TokenSampler(Sampling(temperature=0.0, repetition_penalty=3.0), 0, torch.tensor([2]))

    assert int(sampler.choose(torch.tensor([1.0, 2.0, 3.0]))) == 1
    # tokens 2 and 1 are said now: 1/1, 2/3, 3/3
    assert int(sampler.choose(torch.tensor([1.1, 2.0, 3.0]))) == 0
    assert sampler.seen.tolist() == [2, 1, 0]


def test_the_same_seed_draws_the_same_tokens_and_another_does_not():
    logits = torch.randn(50, generator=torch.Generator().manual_seed(1))

    def drawn(seed):
        sampler = TokenSampler(PLAIN, seed, torch.tensor([0]))
        return [int(sampler.choose(logits)) for _ in range(20)]

    assert drawn(1) == drawn(1) != drawn(2)


def test_tokens_are_those_of_torch_multinomial_from_the_same_seed():
    logits = torch.randn(50, generator=torch.Generator().manual_seed(1))
    sampler = TokenSampler(PLAIN, 7, torch.tensor([0]))

    torch.manual_seed(7)
    expected = [int(torch.multinomial(logits.softmax(-1)[None], 1)) for _ in range(10)]

    assert [int(sampler.choose(logits)) for _ in range(10)] == expected
