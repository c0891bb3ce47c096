"""voxgate.engine.tokens.generate: caches, guidance, batches, the pointer and the ends."""

from dataclasses import replace

import pytest
import torch

from tests.engine.tokens.small_t3 import random_t3, some_text
from voxgate.engine.config.choices import KVCacheKind
from voxgate.engine.tokens.generate import LONGEST_STAY, Decoding, StaticCaches, generate
from voxgate.engine.tokens.sampling import Sampling, TokenSampler

SAMPLED = Sampling(temperature=0.9, min_p=0.02, repetition_penalty=1.1)
GREEDY = Sampling(temperature=0.0, repetition_penalty=1.0)
DECODING = Decoding(sampling=SAMPLED, max_tokens=30)


def codes_of(model, texts, decoding=DECODING, **others):
    spoken = generate(model, model, texts, decoding, **others)
    return [tokens.codes.tolist() for tokens in spoken]


class Watched:
    """Calls a model and notes the rows and positions of each call."""

    def __init__(self, model):
        self.model, self.calls = model, []

    def __call__(self, x, positions, cache):
        self.calls.append(tuple(x.shape[:2]))
        return self.model(x, positions, cache)


@pytest.mark.parametrize("sampling", [SAMPLED, GREEDY])
@pytest.mark.parametrize("pointer", [True, False])
def test_all_caches_give_the_same_tokens(pointer, sampling):
    model, text = random_t3(pointer=pointer), some_text(8)
    spoken = [
        codes_of(model, [text], replace(DECODING, kv_cache=kind, sampling=sampling))
        for kind in KVCacheKind
    ]

    assert spoken[0] == spoken[1] == spoken[2]
    assert len(spoken[0][0]) > 3


def test_a_cache_computes_one_position_per_token_and_none_computes_all():
    model, text = random_t3(), some_text(12)
    with_cache, without = Watched(model), Watched(model)
    generate(model, with_cache, [text], DECODING)
    generate(model, without, [text], replace(DECODING, kv_cache=KVCacheKind.OFF))

    assert with_cache.calls[:3] == [(2, 14), (2, 1), (2, 1)]
    assert without.calls == with_cache.calls  # the cache puts the earlier inputs in front


def test_guidance_doubles_the_rows_and_zero_leaves_them_out():
    model, text = random_t3(), some_text()
    guided, plain = Watched(model), Watched(model)
    generate(model, guided, [text], replace(DECODING, cfg_weight=0.5))
    generate(model, plain, [text], replace(DECODING, cfg_weight=0.0))

    assert {rows for rows, _ in guided.calls} == {2}
    assert {rows for rows, _ in plain.calls} == {1}


def test_guided_logits_go_beyond_the_conditional_ones():
    model, text = random_t3(), some_text()
    rows, seen = [], []

    def keep(x, positions, cache):
        rows.append(model(x, positions, cache)[0])
        return rows[-1], torch.zeros(2, 4)

    class Noting(TokenSampler):
        def choose(self, logits):
            seen.append(logits)
            return super().choose(logits)

    generate(model, keep, [text], replace(DECODING, cfg_weight=0.7, max_tokens=1), sampler=Noting)

    cond, uncond = rows[0]
    torch.testing.assert_close(seen[0], cond + 0.7 * (cond - uncond))
    assert not torch.allclose(cond, uncond)


def test_a_seed_gives_its_tokens_again_and_another_seed_others():
    model = random_t3()
    first, again, other = (codes_of(model, [some_text(seed=3)]) for _ in range(3))
    moved = codes_of(model, [replace(some_text(seed=3), seed=4)])

    assert first == again == other
    assert moved != first


@pytest.mark.parametrize("kind", list(KVCacheKind))
@pytest.mark.parametrize("cfg_weight", [0.0, 0.5])
def test_a_batch_gives_the_tokens_of_each_text_alone(kind, cfg_weight):
    model = random_t3()
    texts = [some_text(4, 1), some_text(9, 2, prompt=5), some_text(6, 3)]
    decoding = replace(DECODING, kv_cache=kind, cfg_weight=cfg_weight)

    together = codes_of(model, texts, decoding)

    assert together == [codes_of(model, [text], decoding)[0] for text in texts]
    assert len({len(codes) for codes in together}) > 1  # each ended on its own


def test_every_phone_is_visited_in_order_and_the_last_one_ends():
    model = random_t3()
    spoken = generate(model, model, [some_text(9)], DECODING)[0]

    steps = torch.tensor(spoken.pointer).diff()
    assert spoken.ended
    assert spoken.pointer[0] == 0 and spoken.pointer[-1] >= 9 - 3
    assert ((steps >= 0) & (steps <= 3)).all()
    assert len(spoken.codes) == len(spoken.pointer)


def test_a_pointer_that_is_stuck_moves_on():
    model = random_t3()
    torch.nn.init.zeros_(model.advance_out.weight)
    model.advance_out.bias.copy_(torch.tensor([50.0, 0.0, 0.0, 0.0]))

    spoken = generate(model, model, [some_text(5)], replace(DECODING, max_tokens=400))[0]

    assert spoken.ended
    assert len(spoken.codes) == 5 * LONGEST_STAY


@pytest.mark.parametrize("pointer", [True, False])
def test_without_early_stop_a_text_goes_on_to_its_limit(pointer):
    model = random_t3(pointer=pointer)
    decoding = replace(DECODING, early_stop=False, max_tokens=70)
    spoken = generate(model, model, [some_text(5)], decoding)[0]

    assert (len(spoken.codes), spoken.ended) == (70, False)
    assert int(spoken.codes.max()) < 2000


def test_a_limit_ends_a_text_that_has_not_ended():
    model = random_t3()
    spoken = generate(model, model, [some_text(40)], replace(DECODING, max_tokens=7))[0]

    assert (len(spoken.codes), spoken.ended) == (7, False)


def test_a_static_cache_is_used_again():
    model = random_t3()
    caches = StaticCaches(model, 60)
    decoding = replace(DECODING, kv_cache=KVCacheKind.STATIC)
    texts = [some_text(6, 1), some_text(15, 2, prompt=5)]

    spoken = [codes_of(model, [text], decoding, caches=caches)[0] for text in texts]
    lent = caches.lend(2)
    caches.give_back(lent)

    assert caches.lend(2) is lent
    assert spoken == [codes_of(model, [text], DECODING)[0] for text in texts]


@pytest.mark.parametrize("kind", list(KVCacheKind))
def test_the_first_call_can_be_run_again_by_who_measures_it(kind):
    model, calls = random_t3(), []

    def keep(*arguments):
        outputs = model(*arguments)
        calls.append((arguments, outputs[0].clone()))
        return outputs

    texts = [some_text(4, 1), some_text(9, 2)]
    generate(model, keep, texts, replace(DECODING, kv_cache=kind))
    (arguments, logits), *later = calls

    with torch.inference_mode():
        for _ in range(3):
            torch.testing.assert_close(model(*arguments)[0], logits, atol=1e-5, rtol=1e-5)
    assert len(later) > 2


def test_a_prepared_model_gives_the_same_tokens():
    text = some_text(prompt=6)
    before = codes_of(random_t3(), [text])

    assert codes_of(random_t3().prepare(), [text]) == before
