"""
voxgate.engine.chatterbox.t3, t3_decoding and checkpoint: the prefix, caches, guidance, strict
loading.

That the tokens are those of chatterbox-tts is held by test_parity.py.
"""

import pytest
import torch
from safetensors.torch import load_file, save_file

from voxgate.engine.chatterbox.checkpoint import UNUSED, load_t3, load_text_half
from voxgate.engine.chatterbox.random_weights import write_random_text_half
from voxgate.engine.chatterbox.t3 import START_SPEECH, STOP_SPEECH, T3Voice
from voxgate.engine.chatterbox.t3_decoding import Decoded, T3Decoding, decode, guided, make_cache
from voxgate.engine.config import KVCacheKind
from voxgate.engine.config.chatterbox import ModelVariant
from voxgate.engine.errors import EngineError
from voxgate.engine.tokens.sampling import Sampling

TEXT = torch.tensor([255, 20, 30, 40, 50, 0])
FILE = "t3_cfg.safetensors"


@pytest.fixture(name="folder", scope="module")
def _folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("chatterbox")
    write_random_text_half(folder, ModelVariant.ENGLISH, small=True)
    return folder


@pytest.fixture(name="t3")
def _t3(folder):
    return load_t3(folder / FILE)


@pytest.fixture(name="conditioning")
def _conditioning(t3):
    generator = torch.Generator().manual_seed(1)
    speaker = torch.rand(256, generator=generator)
    prompt = torch.randint(0, 6561, (150,), generator=generator)
    with torch.inference_mode():
        return t3.condition(T3Voice(speaker=speaker, prompt=prompt))


def _tokens(t3, conditioning, kind=KVCacheKind.DYNAMIC, **how):
    how = {"sampling": Sampling(), "max_tokens": 8, **how}
    cache = make_cache(kind, t3, rows=2 if how.get("cfg_weight", 0.5) else 1, positions=300)
    return decode(t3, t3.tfmr, conditioning, TEXT, cache, T3Decoding(**how)).tokens


def test_the_prefix_is_conditioning_text_and_the_start_token_twice(t3, conditioning):
    with torch.inference_mode():
        prefix = t3.prefix(conditioning, TEXT, guided=True)
        start = t3.speech(START_SPEECH, 0)[0]

    assert prefix.shape == (2, 34 + len(TEXT) + 2, 128)
    assert torch.equal(prefix[:, -1], prefix[:, -2]) and torch.equal(prefix[0, -1], start)
    assert torch.equal(prefix[0, :34], prefix[1, :34])
    # the text's positions stay where its vectors are zeros
    assert torch.equal(prefix[1, 34:40], t3.text_pos_emb(0, len(TEXT)))
    assert not torch.equal(prefix[0, 34:40], prefix[1, 34:40])


@pytest.mark.parametrize("cfg_weight", [0.5, 0.0])
def test_every_cache_gives_the_same_tokens(t3, conditioning, cfg_weight):
    off, dynamic, static = (
        _tokens(t3, conditioning, kind, cfg_weight=cfg_weight) for kind in KVCacheKind
    )

    assert off == dynamic == static and len(set(off)) > 1


def test_packed_weights_give_the_same_tokens_and_int8_the_same_shape(folder, t3, conditioning):
    plain = _tokens(t3, conditioning)
    assert _tokens(t3, conditioning, seed=1) != plain

    t3.tfmr.prepare()
    t3.speech_head.pack()
    assert _tokens(t3, conditioning) == plain

    other = load_t3(folder / FILE)
    other.tfmr.join()
    other.tfmr.quantize()
    assert len(_tokens(other, conditioning)) == len(plain)


def test_without_guidance_there_is_one_row_and_it_is_the_first_of_two(t3, conditioning):
    rows = []

    def counted(x, positions, cache):
        rows.append(len(x))
        return t3.tfmr(x, positions, cache)

    how = {"sampling": Sampling(), "max_tokens": 2}
    with torch.inference_mode():
        for weight in (0.0, 0.5):
            cache = make_cache(KVCacheKind.DYNAMIC, t3, rows=2, positions=99)
            decode(t3, counted, conditioning, TEXT, cache, T3Decoding(**how, cfg_weight=weight))
        both, one = (
            t3.logits(t3.tfmr(prefix, torch.arange(prefix.shape[1])))
            for prefix in (t3.prefix(conditioning, TEXT, guided=two) for two in (True, False))
        )

    assert rows == [1, 1, 2, 2]
    torch.testing.assert_close(guided(one, 0.7), both[0], atol=1e-4, rtol=0)
    torch.testing.assert_close(guided(both, 2.0), 3 * both[0] - 2 * both[1])


def test_speech_is_what_stands_between_start_and_stop():
    def codes(*tokens):
        return Decoded(tokens=tokens, ended=True).codes.tolist()

    assert codes(5, 6, STOP_SPEECH) == [5, 6]
    assert codes(5, START_SPEECH, 7, 8000, 9, STOP_SPEECH) == [7, 9]
    assert codes(STOP_SPEECH) == []


def test_the_end_is_the_stop_token_or_the_limit(t3, conditioning):
    never = t3.speech_head.weight.clone()
    cache = make_cache(KVCacheKind.DYNAMIC, t3, rows=2, positions=99)
    how = T3Decoding(sampling=Sampling(temperature=0.0, repetition_penalty=1.0), max_tokens=4)
    limited = decode(t3, t3.tfmr, conditioning, TEXT, cache, how)
    assert len(limited.tokens) == 4 and not limited.ended

    # a head that knows the stop token alone
    t3.speech_head.weight.data = torch.zeros_like(never)
    t3.logits = lambda hidden: torch.eye(never.shape[0])[[STOP_SPEECH] * len(hidden)]
    cache = make_cache(KVCacheKind.DYNAMIC, t3, rows=2, positions=99)
    ended = decode(t3, t3.tfmr, conditioning, TEXT, cache, how)
    assert ended.tokens == (STOP_SPEECH,) and ended.ended


def test_a_static_cache_without_room_says_so(t3, conditioning):
    cache = make_cache(KVCacheKind.STATIC, t3, rows=2, positions=10)
    long = torch.tensor([255, *[20] * 300, 0])

    with pytest.raises(EngineError, match="does not fit into a static KV cache of 256"):
        decode(t3, t3.tfmr, conditioning, long, cache, T3Decoding(sampling=Sampling()))


def _changed(folder, tmp_path, change):
    tensors = load_file(folder / FILE)
    change(tensors)
    save_file(tensors, tmp_path / "t3.safetensors")
    return tmp_path / "t3.safetensors"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.pop("text_head.weight"), "missing tensors text_head.weight"),
        (lambda t: t.pop("speech_emb.weight"), "missing tensors speech_emb.weight"),
        (
            lambda t: t.update({"tfmr.wte.weight": torch.zeros(2)}),
            "unknown tensors tfmr.wte.weight",
        ),
        (
            lambda t: t.update({"tfmr.norm.weight": torch.zeros(7)}),
            r"tfmr.norm.weight has shape \(7,\), expected \(128,\)",
        ),
        (
            lambda t: t.update({"tfmr.norm.weight": torch.full((128,), torch.nan)}),
            "tfmr.norm.weight holds NaN",
        ),
        (lambda t: t.update({"speech_emb.weight": torch.zeros(3)}), "too few dimensions"),
        (
            lambda t: t.update({"speech_emb.weight": torch.zeros(100, 128)}),
            "100 tokens of speech of width 128, expected more than 6562",
        ),
    ],
)
def test_what_is_wrong_with_a_checkpoint_is_named(folder, tmp_path, change, words):
    with pytest.raises(EngineError, match=words):
        load_t3(_changed(folder, tmp_path, change))


def test_the_unused_embedding_may_be_missing_and_training_may_wrap_the_tensors(folder, tmp_path):
    tensors = load_file(folder / FILE)
    assert UNUSED in tensors
    tensors.pop(UNUSED)
    torch.save({"model": [tensors]}, tmp_path / "t3.pt")

    loaded, plain = load_t3(tmp_path / "t3.pt"), load_t3(folder / FILE)

    assert torch.equal(loaded.text_emb.weight, plain.text_emb.weight)


def test_parts_that_do_not_belong_together_are_refused(folder, tmp_path):
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    load_text_half(tmp_path, ModelVariant.ENGLISH)
    with pytest.raises(EngineError, match=r"grapheme_mtl_merged_expanded_v1.json cannot be read"):
        load_text_half(tmp_path, ModelVariant.MULTILINGUAL)

    def shrink(tensors):
        tensors["text_emb.weight"] = tensors["text_emb.weight"][:300].clone()
        tensors["text_head.weight"] = tensors["text_head.weight"][:300].clone()

    (tmp_path / FILE).write_bytes(_changed(folder, tmp_path, shrink).read_bytes())
    with pytest.raises(EngineError, match=r"tokenizer.json has 323 tokens, the model 300"):
        load_text_half(tmp_path, ModelVariant.ENGLISH)
    with pytest.raises(EngineError, match="is no folder"):
        load_text_half(tmp_path / "none", ModelVariant.ENGLISH)
