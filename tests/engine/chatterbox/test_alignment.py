"""voxgate.engine.chatterbox.alignment: the rules, and probes that leave no trace."""

import pytest
import torch

from voxgate.engine.chatterbox.alignment import AlignmentWatch, check_heads, probing
from voxgate.engine.errors import EngineError
from voxgate.engine.layers.kv_cache import DynamicCache, NoCache
from voxgate.engine.layers.llama import Llama, LlamaShape

TOKENS, STOP = 10, 3
HEADS = ((0, 1), (1, 0))


def _heard(place):
    return torch.nn.functional.one_hot(torch.tensor([place]), TOKENS).float()


def _follow(watch, places, tokens=None):
    """Return what became of the stop token's logit: suppressed, free or forced."""
    found = []
    for number, place in enumerate(places):
        last = 100 + number if tokens is None else tokens[number]
        logits = watch.adjust(torch.zeros(5), _heard(place), last)
        stop = float(logits[STOP])
        found.append("free" if stop == 0.0 else "suppressed" if stop < 0 else "forced")
    return found


def test_the_end_is_suppressed_until_the_last_three_tokens_of_the_text():
    found = _follow(AlignmentWatch(TOKENS, STOP), [0, 1, 2, 3, 4, 5, 6, 7, 8])

    assert found == ["suppressed"] * 7 + ["free"] * 2


def test_a_short_text_may_end_at_any_time():
    watch = AlignmentWatch(5, STOP)

    assert float(watch.adjust(torch.zeros(5), torch.tensor([[1.0, 0, 0, 0, 0]]), 1)[STOP]) == 0.0


def test_an_end_that_is_held_for_five_frames_is_forced():
    found = _follow(AlignmentWatch(TOKENS, STOP), [0, 1, 2, 3, 4, 5, 6, 7, 8, *[9] * 5])

    assert found[-6:] == ["free"] * 5 + ["forced"]


def test_text_that_is_said_again_after_the_end_is_ended():
    found = _follow(AlignmentWatch(TOKENS, STOP), [0, 1, 2, 3, 4, 5, 6, 7, *[1] * 6])

    assert found[8:] == ["suppressed"] * 5 + ["forced"]


def test_the_same_token_twice_in_a_row_is_an_end_but_not_at_the_start():
    watch = AlignmentWatch(TOKENS, STOP)

    assert _follow(watch, [0, 0, 0, 0], [9, 9, 8, 8]) == ["suppressed"] * 3 + ["forced"]


def test_a_jump_does_not_move_the_position():
    watch = AlignmentWatch(TOKENS, STOP)
    _follow(watch, [0, 1, 2, *[1, 2] * 5, 9])
    assert watch.position == 2

    _follow(watch, [8])
    assert watch.position == 8


@pytest.mark.parametrize("kind", [DynamicCache, NoCache])
def test_the_probe_reads_the_attention_of_new_positions_over_the_text(kind):
    torch.manual_seed(0)
    model = Llama(LlamaShape(width=32, depth=2, heads=2, hidden=48)).eval()
    x = torch.randn(2, 9, 32)
    expected = {}

    def keep(layer, q, k):
        scores = (q @ k.transpose(-1, -2)) * 16**-0.5
        mask = torch.ones(9, 9).tril().bool()
        expected[layer] = scores.masked_fill(~mask, -torch.inf).softmax(-1)

    with torch.inference_mode():
        for number, layer in enumerate(model.layers):
            layer.self_attn.probe = lambda q, k, n=number: keep(n, q, k)
        model(x, torch.arange(9))
        mean = torch.stack([expected[layer][0, head] for layer, head in HEADS]).mean(0)
        cache, read = kind(), []
        with probing(model, slice(2, 6), HEADS) as probe:
            for begin, end in ((0, 8), (8, 9)):
                probe.expect(end)
                model(x[:, begin:end], torch.arange(begin, end), cache)
                read.append(probe.attention())

    torch.testing.assert_close(torch.cat(read), mean[6:, 2:6])
    assert all(layer.self_attn.probe is None for layer in model.layers), "nothing stays behind"
    assert not any(module._forward_hooks for module in model.modules())


def test_a_model_without_the_heads_is_refused():
    model = Llama(LlamaShape(width=32, depth=2, heads=2, hidden=48))

    with pytest.raises(EngineError, match=r"2 layers of 2 heads; use alignment=off"):
        check_heads(model)
