"""
voxgate.engine.fish: Fish-Speech 1.5 loads strictly, decodes frames, and, beside the package,
computes the same.

The last needs an interpreter that sees fish-speech-lib 0.1.1.1, named by VOXGATE_FISH_PYTHON.
"""

import json
import os

import pytest
import torch

from tests.studies import fish_parity
from voxgate.engine.errors import EngineError
from voxgate.engine.fish.checkpoint import load_dual_ar, load_firefly
from voxgate.engine.fish.dual_ar import (
    WINDOW,
    DualARShape,
    FishSampling,
    FishTokens,
    FrameSampler,
    decode_frames,
    fish_probabilities,
)
from voxgate.engine.fish.firefly import Firefly, FireflyShape
from voxgate.engine.layers.llama import LlamaShape

PYTHON = "VOXGATE_FISH_PYTHON"
WIDTH, CODES, BOOKS, VOCABULARY = 128, 16, 3, 40
FIRST, NEVER = VOCABULARY - CODES, -1
CONFIG = {
    "model_type": "dual_ar",
    "n_head": 2,
    "rope_base": 1e6,
    "norm_eps": 1e-6,
    "max_seq_len": 64,
}


def _stack(prefix, generator):
    shapes = {
        "attention.wqkv.weight": (2 * WIDTH, WIDTH),
        "attention.wo.weight": (WIDTH, WIDTH),
        "feed_forward.w1.weight": (64, WIDTH),
        "feed_forward.w3.weight": (64, WIDTH),
        "feed_forward.w2.weight": (WIDTH, 64),
        "attention_norm.weight": (WIDTH,),
        "ffn_norm.weight": (WIDTH,),
    }
    return {
        f"{prefix}.0.{name}": torch.randn(shape, generator=generator) / WIDTH**0.5
        for name, shape in shapes.items()
    }


@pytest.fixture
def tensors():
    generator = torch.Generator().manual_seed(3)
    matrices = {
        "embeddings.weight": (VOCABULARY, WIDTH),
        "codebook_embeddings.weight": (BOOKS * CODES, WIDTH),
        "output.weight": (VOCABULARY, WIDTH),
        "fast_embeddings.weight": (CODES, WIDTH),
        "fast_output.weight": (CODES, WIDTH),
    }
    made = {name: 0.2 * torch.randn(shape, generator=generator) for name, shape in matrices.items()}
    norms = {"norm.weight": torch.ones(WIDTH), "fast_norm.weight": torch.ones(WIDTH)}
    return made | norms | _stack("layers", generator) | _stack("fast_layers", generator)


def _written(folder, tensors, config=CONFIG):
    torch.save(tensors, folder / "model.pth")
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def _frames(model, *, seed=1, limit=30, end=NEVER):
    prompt = torch.zeros(1 + BOOKS, 5, dtype=torch.long)
    sampler = FrameSampler(model.shape, FishSampling(), seed)
    return decode_frames(model, prompt, FishTokens(first_semantic=FIRST, end=end), sampler, limit)


def test_sizes_follow_from_the_tensors_and_a_training_wrapper_is_taken_off(tensors, tmp_path):
    plain = load_dual_ar(_written(tmp_path, tensors))
    wrapped = {f"model.{name}": value for name, value in tensors.items()}
    again = load_dual_ar(_written(tmp_path, {"state_dict": wrapped}))

    stack = LlamaShape(
        width=WIDTH,
        depth=1,
        heads=2,
        kv_heads=1,
        hidden=64,
        eps=1e-6,
        theta=1e6,
        positions=64,
    )
    assert plain.shape == DualARShape(
        slow=stack, fast=stack, vocabulary=VOCABULARY, codebooks=BOOKS, codes=CODES
    )
    assert torch.equal(_frames(plain), _frames(again))


def test_frames_are_seeded_and_end(tensors, tmp_path):
    model = load_dual_ar(_written(tmp_path, tensors)).prepare()
    frames = _frames(model)

    assert frames.shape == (1 + BOOKS, 30)
    assert torch.equal(frames, _frames(model)), "the same seed"
    assert not torch.equal(frames, _frames(model, seed=2))
    assert 0 <= int(frames[1:].min()) <= int(frames[1:].max()) < CODES
    assert torch.equal(frames[1], (frames[0] - FIRST).clamp(min=0)), "the first book is the token"
    token = int(frames[0, 7])
    first = next(index for index in range(1, 30) if int(frames[0, index]) == token)
    assert torch.equal(_frames(model, end=token), frames[:, : first + 1])


def test_the_penalty_comes_before_the_filter_and_the_filter_before_the_temperature():
    logits = torch.tensor([2.0, 1.5, -1.0, 0.0])
    window = torch.zeros(WINDOW, dtype=torch.long)

    kept = fish_probabilities(logits, None, FishSampling(top_p=0.8, repetition_penalty=9.0))
    penalised = fish_probabilities(logits, window, FishSampling(top_p=0.8, repetition_penalty=9.0))
    greedy = fish_probabilities(logits, None, FishSampling(top_p=1e-6, temperature=0.0))

    # softmax .53 .32 .03 .07: the sum exceeds .8 at the second, which is dropped
    assert kept.nonzero().flatten().tolist() == [0]
    assert penalised.nonzero().flatten().tolist() == [1], "2.0 / 9 is below 1.5"
    assert greedy.tolist() == [1.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.pop("fast_norm.weight"), "missing tensors fast_norm.weight; not a dual"),
        (lambda t: t.pop("output.weight"), "missing tensors output.weight"),
        (lambda t: t.update({"score.weight": torch.ones(2)}), "unknown tensors score.weight"),
        (
            lambda t: t.update({"layers.0.attention.wqkv.weight": torch.ones(9, WIDTH)}),
            "wqkv.weight has shape",
        ),
        (lambda t: t.pop("fast_layers.0.attention.wqkv.weight"), "missing tensors fast_layers"),
    ],
)
def test_a_tensor_that_does_not_belong_is_named(tensors, tmp_path, change, words):
    change(tensors)

    with pytest.raises(EngineError, match=words):
        load_dual_ar(_written(tmp_path, tensors))


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"model_type": "naive"}, "model_type must be 'dual_ar'"),
        (CONFIG | {"n_head": 0}, "n_head is 0"),
        (CONFIG | {"n_head": 3}, "3 attention heads do not divide"),
        (CONFIG | {"rope_base": "much"}, "rope_base is much"),
        ([], "model_type"),
    ],
)
def test_a_configuration_that_fits_no_decoder_is_refused(tensors, tmp_path, config, words):
    with pytest.raises(EngineError, match=words):
        load_dual_ar(_written(tmp_path, tensors, config))


CODEC = FireflyShape(widths=(8, 64), depths=(1, 1), head_width=32)


def _published_codec(model):
    tensors = {}
    for name, value in model.state_dict().items():
        if name.startswith("head.") and name.endswith("weight"):
            stem = name.removesuffix("weight") + "parametrizations.weight."
            tensors |= {
                f"{stem}original0": torch.norm_except_dim(value, 2, 0),
                f"{stem}original1": value,
            }
        else:
            tensors[name] = value
    return tensors


@pytest.fixture
def codec():
    torch.manual_seed(5)
    model = Firefly(CODEC).eval().requires_grad_(False)
    for name, value in model.named_parameters():
        if name.endswith("gamma"):
            value.fill_(0.5)
    return model


def test_the_published_codec_has_the_published_tensors():
    with torch.device("meta"):
        model = Firefly(FireflyShape())

    assert len(_published_codec(model)) == 547
    assert sum(value.numel() for value in model.state_dict().values()) == pytest.approx(
        47.05e6, rel=1e-3
    )


def test_a_published_codec_loads_and_is_causal(codec, tmp_path):
    path = tmp_path / "firefly.pth"
    wrapped = {f"generator.{name}": value for name, value in _published_codec(codec).items()}
    torch.save({"state_dict": wrapped | {"discriminator.weight": torch.ones(2)}}, path)

    loaded = load_firefly(path)

    assert loaded.shape == CODEC
    codes = torch.randint(0, 1000, (8, 5), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        audio, start = loaded.decode(codes), loaded.decode(codes[:, :3])
        again = codec.decode(codes)
        read = loaded.encode(0.1 * torch.randn(4 * 2048 + 600))
    assert audio.shape == (5 * 2048,)
    assert torch.allclose(audio, again, atol=1e-6), "the folded weights are rounded once more"
    assert torch.allclose(audio[: len(start)], start, atol=1e-6), "later codes change nothing"
    assert read.shape == (8, 5) and 0 <= int(read.min()) <= int(read.max()) < 1000


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.pop("head.conv_pre.conv.bias"), "missing tensors head.conv_pre.conv.bias"),
        (lambda t: t.update({"vq.weight": torch.ones(2)}), "unknown tensors vq.weight"),
        (
            lambda t: t.pop("head.ups.0.conv.parametrizations.weight.original0"),
            "unknown tensors head.ups.0.conv.parametrizations.weight.original1",
        ),
        (
            lambda t: t.update({"head.conv_pre.conv.weight": torch.ones(2)}),
            "unknown tensors head.conv_pre.conv.weight",
        ),
    ],
)
def test_a_codec_tensor_that_does_not_belong_is_named(codec, tmp_path, change, words):
    tensors = _published_codec(codec)
    change(tensors)
    torch.save(tensors, tmp_path / "firefly.pth")

    with pytest.raises(EngineError, match=words):
        load_firefly(tmp_path / "firefly.pth")


@pytest.mark.slow
@pytest.mark.skipif(PYTHON not in os.environ, reason=f"{PYTHON} names no interpreter")
def test_decoder_and_codec_equal_the_package(tmp_path):
    case = fish_parity.case_of(fish_parity.SMALL, fish_parity.SMALL_CODEC, 24)
    fish_parity.prepare(tmp_path, os.environ[PYTHON], case)

    apart = [stage for stage in fish_parity.compare(tmp_path) if not stage.fits]

    assert apart == []
