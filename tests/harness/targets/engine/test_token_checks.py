"""
Options of the pipeline `token` that silently do nothing are found out, each by the check of its own
option. Every lie is planted in a real pipeline with small random weights.
"""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from tests.engine.pipelines.token_voice import write_random_token_voice
from voxgate.engine.config import Grid, Solver, TokenConfig, options_of
from voxgate.engine.config.choices import KVCacheKind
from voxgate.engine.layers.kv_cache import NoCache
from voxgate.engine.passes import Applied, precision, quantization, token_models
from voxgate.engine.pipelines import token, token_parts
from voxgate.engine.pipelines.pipeline import no_watch
from voxgate.engine.pipelines.token import TokenPipeline
from voxgate.engine.tokens import generate as loop
from voxgate.harness.records.cell import Request, RequestSegment
from voxgate.harness.targets.engine.target import EngineTarget
from voxgate.harness.targets.engine.token_checks import TOKEN_CHECKS

REQUEST = Request(id="u001", text="The ship sails.")
LONG = Request(
    id="p001",
    text=" ".join(f"Chunk number {n} goes by the river and over the bridge." for n in range(3)),
)
CHUNKS = {"chunk_characters": 80, "max_tokens": 24}
WIDE = {"temperature": 2.0, "top_p": 1.0}
"""Tokens that were said before can be drawn again."""


@pytest.fixture(name="folder", scope="module")
def _folder(tmp_path_factory):
    return write_random_token_voice(tmp_path_factory.mktemp("random-token-voice"))


@pytest.fixture(name="recording", scope="module")
def _recording(tmp_path_factory):
    path = tmp_path_factory.mktemp("recording") / "voice.wav"
    noise = np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)
    soundfile.write(path, noise, 16_000)
    return str(path)


@pytest.fixture(name="make")
def _make(folder):
    def make(**options) -> EngineTarget:
        target = EngineTarget()
        target.requested = {"threads": 1, "nfe_steps": 2, "max_tokens": 40, **options}
        target.pipeline = TokenPipeline.load(target.requested, folder)
        return target

    return make


def test_a_text_that_max_tokens_cut_is_told_and_nothing_is_left_for_the_next(make):
    target = make(max_tokens=8)
    said = [RequestSegment(speaker=name, text=REQUEST.text) for name in ("slt", "rms")]
    reel = Request(id="r001", text=f"{REQUEST.text} {REQUEST.text}", segments=tuple(said))

    for request, texts in ((REQUEST, ["the ship sails."]), (reel, ["the ship sails."] * 2)):
        target.unmarked = np.zeros(5, np.float32)  # as a synthesis before left it
        list(target.synthesize(request, no_watch))
        assert target.notices == tuple(("cut", text) for text in texts)
        assert target.unmarked is None


def _broken(target, request=REQUEST):
    return {check.option for check in target.observe(request) if check.in_effect is False}


def _unseen(target, request=REQUEST):
    return {check.option for check in target.observe(request) if check.in_effect is None}


def _decode_as(target, **changes):
    """Generate by other settings than those of the configuration."""
    generate = target.pipeline.generate

    def lying(model, forward, texts, decoding, **others):
        return generate(model, forward, texts, replace(decoding, **changes), **others)

    target.pipeline.generate = lying
    return target


def _sample_as(target, **changes):
    """Draw by other settings than those of the configuration."""
    sampler = target.pipeline.sampler
    target.pipeline.sampler = lambda how, seed, first: sampler(replace(how, **changes), seed, first)
    return target


def _texts_as(target, **changes):
    """Tell the model another text than that of the request."""
    generate = target.pipeline.generate

    def lying(model, forward, texts, *others, **named):
        return generate(
            model, forward, [replace(text, **changes) for text in texts], *others, **named
        )

    target.pipeline.generate = lying
    return target


def test_every_option_of_the_pipeline_has_a_check():
    assert set(TOKEN_CHECKS) == set(options_of(TokenConfig))


@pytest.mark.parametrize(
    ("asked", "unseen"),
    [
        ({}, {"repetition_penalty"}),
        ({"kv_cache": "off", "speed": 1.1, "speaker": "awb", "seed": 7}, {"repetition_penalty"}),
        ({"kv_cache": "static", "cfg_passes": 2, "cfg_weight": 1.5, **WIDE}, set()),
        ({"kv_cache": "off", "cfg_passes": 2, **WIDE, "min_p": 0.05}, {"repetition_penalty"}),
        ({"cfg_weight": 0.0, **WIDE, "repetition_penalty": 1.3}, set()),
        ({"cfg_weight": 0.0, "cfg_passes": 2, **WIDE}, {"cfg_passes"}),
        ({"temperature": 0.0}, {"top_p", "min_p"}),
        ({"top_p": 0.6, "temperature": 1.5, "early_stop": False}, {"repetition_penalty"}),
        ({"precision_tokens": "bf16", "max_tokens": 1000}, {"repetition_penalty", "max_tokens"}),
        ({"precision_acoustic": "bf16", "precision_vocoder": "bf16"}, {"repetition_penalty"}),
        ({"solver": "midpoint", "cfg_strength": 0.0, "sway": 0.0}, {"repetition_penalty"}),
    ],
)
def test_an_honest_engine_keeps_every_promise(make, asked, unseen):
    checks = make(**asked).observe(REQUEST)

    assert [check for check in checks if check.in_effect is False] == []
    assert {check.option for check in checks if check.in_effect is None} <= unseen
    assert {check.option for check in checks} == set(options_of(TokenConfig))


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"batch": 2, "kv_cache": "static"},
        {"batch": 2, "kv_cache": "dynamic", "cfg_passes": 2},
        {"workers": 2},
        {"workers": 2, "kv_cache": "static", "batch": 2},
    ],
)
def test_an_honest_engine_keeps_every_promise_over_many_chunks(make, asked):
    assert _broken(make(**CHUNKS, **asked), LONG) == set()


def test_observing_leaves_the_pipeline_as_it_was(make):
    target = make(kv_cache="static")
    pipeline, draw = target.pipeline, torch.multinomial
    before = pipeline.synthesize(REQUEST.text)
    callables = (pipeline.tokens, pipeline.acoustic, pipeline.generate, pipeline.sampler)
    target.observe(REQUEST)

    assert (pipeline.synthesize(REQUEST.text) == before).all()
    assert callables == (
        *(pipeline.tokens, pipeline.acoustic, pipeline.generate, pipeline.sampler),
    )
    assert torch.multinomial is draw
    assert "body" not in vars(pipeline.voice.t3.llama)


@pytest.mark.parametrize("asked", list(KVCacheKind))
@pytest.mark.parametrize("used", list(KVCacheKind))
def test_lie_another_kv_cache(make, asked, used):
    target = _decode_as(make(kv_cache=asked, temperature=0.0), kv_cache=used)

    assert _broken(target) == (set() if asked is used else {"kv_cache"})


def test_lie_a_static_cache_that_is_made_anew(make, monkeypatch):
    monkeypatch.setattr(loop.StaticCaches, "give_back", lambda caches, cache: None)

    assert _broken(make(kv_cache="static")) == {"kv_cache"}


@pytest.mark.parametrize(
    ("asked", "used"), [(0.5, 0.0), (0.0, 0.5), (0.5, 0.7), (1.5, 0.5), (0.3, 0.29)]
)
def test_lie_guidance_of_another_weight(make, asked, used):
    assert "cfg_weight" in _broken(_decode_as(make(cfg_weight=asked), cfg_weight=used))


def test_lie_a_weight_of_zero_that_computes_both_rows(make):
    """What is drawn is right, the work is not."""
    target = _decode_as(make(cfg_weight=0.0), cfg_weight=1e-12)

    assert _broken(target) == {"cfg_weight"}


def test_lie_guidance_away_from_the_same_text(make, monkeypatch):
    zeros = torch.zeros_like
    monkeypatch.setattr(
        loop.torch,
        "zeros_like",
        lambda like: torch.where(like > 1, 2, like) if like.dim() == 1 else zeros(like),
    )

    assert "cfg_weight" in _broken(make())


@pytest.mark.parametrize(("asked", "used"), [(1, 2), (2, 1)])
def test_lie_another_number_of_passes(make, asked, used):
    assert _broken(_decode_as(make(cfg_passes=asked), cfg_passes=used)) == {"cfg_passes"}


def test_lie_one_pass_that_is_two_inside(make):
    """The loop makes one call; the layers compute the rows one after the other."""
    target = make(kv_cache="off")
    forward = target.pipeline.tokens

    def tokens(x, positions, cache):
        if not hasattr(cache, "rows_apart"):
            cache.rows_apart = [NoCache(prefix=cache.prefix) for _ in x]
        outputs = [
            forward(row, positions, each)
            for row, each in zip(x.split(1), cache.rows_apart, strict=True)
        ]
        return tuple(torch.cat(each) for each in zip(*outputs, strict=True))

    target.pipeline.tokens = tokens
    assert "cfg_passes" in _broken(target)


@pytest.mark.parametrize(
    ("option", "asked", "used"),
    [
        ("temperature", 0.5, 1.0),
        ("temperature", 2.0, 0.5),
        ("temperature", 0.0, 0.5),
        ("temperature", 0.5, 0.0),
        ("top_p", 0.5, 1.0),
        ("top_p", 1.0, 0.5),
        ("top_p", 0.9, 0.6),
        ("min_p", 0.2, 0.0),
        ("min_p", 0.0, 0.2),
        ("min_p", 0.05, 0.3),
        ("repetition_penalty", 1.5, 1.0),
        ("repetition_penalty", 1.0, 1.5),
    ],
)
def test_lie_tokens_drawn_by_another_setting(make, option, asked, used):
    options = {**WIDE, option: asked}
    broken = _broken(_sample_as(make(**options), **{option: used}))

    # a greedy draw has no seed
    assert broken - ({"seed"} if (option, used) == ("temperature", 0.0) else set()) == {option}


def test_lie_two_filters_that_are_left_out(make):
    target = _sample_as(make(temperature=2.0, top_p=0.7, min_p=0.3), top_p=1.0, min_p=0.0)

    assert _broken(target) == {"top_p", "min_p"}


def test_lie_a_penalty_that_a_greedy_draw_ignores(make):
    """Random logits repeat no token by themselves, so they are made to."""
    target = make(temperature=0.0, repetition_penalty=3.0)
    inner = target.pipeline.tokens

    def biased(x, positions, cache):
        codes, advances = inner(x, positions, cache)
        codes[:, 5] = codes.amax(-1) + 0.1
        return codes, advances

    target.pipeline.tokens = biased
    honest = _broken(target)

    assert (honest, _broken(_sample_as(target, repetition_penalty=1.0))) == (
        set(),
        {"repetition_penalty"},
    )


def test_lie_a_token_that_was_not_drawn(make):
    target = make(**WIDE)
    inner = target.pipeline.sampler

    def sampler(how, seed, first):
        made = inner(how, seed, first)
        draw = made._draw
        made._draw = lambda logits: (draw(logits) + 1) % 2000
        return made

    target.pipeline.sampler = sampler
    assert "temperature" in _broken(target)


@pytest.mark.parametrize(("asked", "used"), [(30, 60), (60, 30), (1000, 40)])
def test_lie_another_limit_of_tokens(make, asked, used):
    target = _decode_as(make(max_tokens=asked, early_stop=False), max_tokens=used)

    assert "max_tokens" in _broken(target)


def test_a_limit_that_a_text_does_not_reach_is_found_out_all_the_same(make):
    assert "max_tokens" in _broken(_decode_as(make(max_tokens=60), max_tokens=50))
    assert _unseen(make(max_tokens=1000)) >= {"max_tokens"}


@pytest.mark.parametrize("asked", [True, False])
def test_lie_an_end_of_the_text_that_is_not_heeded(make, asked):
    target = _decode_as(make(early_stop=asked), early_stop=not asked)

    assert "early_stop" in _broken(target)


def test_lie_a_seed_that_is_cached_away(make):
    target = make()
    generate, kept = target.pipeline.generate, []

    def lying(*arguments, **named):
        kept.append(kept[0] if kept else generate(*arguments, **named))
        return kept[-1]

    target.pipeline.generate = lying
    assert "seed" in _broken(target)


def test_lie_a_seed_of_the_noise_alone(make):
    assert _broken(_texts_as(make(), seed=3)) == {"seed"}


def test_lie_tokens_that_are_drawn_anew_each_time(make):
    target = make()
    sampler, count = target.pipeline.sampler, iter(range(100))
    target.pipeline.sampler = lambda how, seed, first: sampler(how, next(count), first)

    assert _broken(target) == {"seed"}


def test_lie_noise_that_is_not_the_seeds(make, monkeypatch):
    noise = token.initial_noise
    monkeypatch.setattr(token, "initial_noise", lambda seed, *others: noise(5, *others))

    assert _broken(make()) == {"seed"}


def test_lie_another_pace_or_speaker(make):
    assert _broken(_texts_as(make(speed=1.1), stretch=1.15)) == {"speed"}
    assert _broken(_texts_as(make(speaker="awb"), speaker=1)) == {"speaker"}


def test_lie_chunks_of_another_size(make, monkeypatch):
    phonemise = token_parts.phonemise
    monkeypatch.setattr(
        token_parts, "phonemise", lambda text, **_: phonemise(text, max_characters=200)
    )

    assert "chunk_characters" in _broken(make(**CHUNKS), LONG)


def test_lie_a_batch_that_is_spoken_one_by_one(make, monkeypatch):
    in_turn = token.in_turn
    monkeypatch.setattr(token, "in_turn", lambda count, batch: in_turn(count, 1))

    assert _broken(make(**CHUNKS, batch=2), LONG) == {"batch"}


def test_lie_a_batch_whose_tokens_are_drawn_one_by_one(make):
    target = make(**CHUNKS, batch=2)
    original = target.pipeline.speech_tokens
    target.pipeline.speech_tokens = lambda parts: [
        spoken for part in parts for spoken in original([part])
    ]

    assert _broken(target, LONG) == {"batch"}


def test_lie_workers_that_wait_for_each_other(make):
    target = make(**CHUNKS, workers=2)
    target.pipeline._workers = None

    assert "workers" in _broken(target, LONG)


def test_a_recording_in_front_of_both_models_is_observed(make, recording):
    assert _broken(make(reference=recording)) == set()


def test_lie_a_recording_that_the_model_of_tokens_does_not_get(make, recording):
    target = _texts_as(make(reference=recording), prompt=torch.zeros(0, dtype=torch.long))

    assert _broken(target) == {"reference"}


def test_lie_a_recording_that_is_not_used_at_all(make, recording):
    target = make()
    target.requested["reference"] = recording

    assert _broken(target) == {"reference"}


@pytest.mark.parametrize("model", ["tokens", "acoustic", "vocoder"])
def test_lie_bf16_that_runs_in_fp32(make, monkeypatch, model):
    def nothing(models, wanted, option):
        return Applied(option=option, requested=wanted, effect="bfloat16", reason="asked")

    monkeypatch.setattr(precision, "apply", nothing)
    target = make()
    target.requested[f"precision_{model}"] = "bf16"

    assert f"precision_{model}" in _broken(target)


@pytest.mark.parametrize("model", ["tokens", "acoustic", "vocoder"])
def test_lie_int8_that_quantises_nothing(make, monkeypatch, model):
    def nothing(models, wanted, option):
        return Applied(option=option, requested=wanted, effect="all layers", reason="asked")

    monkeypatch.setattr(quantization, "apply", nothing)

    assert _broken(make(**{f"quantization_{model}": "int8-weight-only"})) == {
        f"quantization_{model}"
    }


def test_lie_int8_of_another_model(make, monkeypatch):
    apply = quantization.apply

    def other(models, wanted, option):
        return apply({} if option == "quantization_tokens" else models, wanted, option)

    monkeypatch.setattr(quantization, "apply", other)

    assert _broken(make(quantization_tokens="int8-weight-only")) == {"quantization_tokens"}


def test_lie_a_step_that_is_not_compiled(make, monkeypatch):
    def nothing(t3, mode, *, on_cpu):
        return Applied(option="compile", requested=mode, effect="compiled", reason="asked")

    monkeypatch.setattr(token_models, "_compile_step", nothing)
    target = make(kv_cache="static", compile="default")
    assert _broken(target) == {"compile"}

    llama = target.pipeline.voice.t3.llama
    llama.step = llama.body  # looks like one, and is the eager code
    assert _broken(target) == {"compile"}


@pytest.mark.slow
def test_an_honest_compiled_step_keeps_every_promise(make):
    target = make(kv_cache="static", compile="default", max_tokens=12)
    target.pipeline.synthesize(REQUEST.text)

    assert _broken(target) == set()


@pytest.mark.parametrize(
    ("option", "asked", "used"),
    [("nfe_steps", 4, 3), ("sway", 0.0, -1.0), ("cfg_strength", 2.0, 1.0)],
)
def test_lie_another_flow(make, option, asked, used):
    target = make(**{option: asked, "nfe_steps": asked if option == "nfe_steps" else 4})
    target.pipeline.config = replace(target.pipeline.config, **{option: used})

    assert option in _broken(target)


def test_lie_another_solver(make):
    target = make(nfe_steps=4, solver="heun")
    target.pipeline.config = replace(target.pipeline.config, solver=Solver.MIDPOINT)

    assert "solver" in _broken(target)


def test_lie_even_steps_instead_of_pruned_ones(make):
    target = make(nfe_steps=6, grid="epss")
    target.pipeline.config = replace(target.pipeline.config, grid=Grid.UNIFORM)

    assert "grid" in _broken(target)


def test_lie_more_threads_than_asked(make, monkeypatch):
    target = make(max_tokens=8, nfe_steps=1)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)  # two would wait for a processor

    assert _broken(target) == {"threads"}


def test_lie_a_start_that_is_not_faded(make):
    target = make()
    target.requested["fade_in_ms"] = 40.0

    assert "fade_in_ms" in _broken(target)


def test_lie_weights_on_another_device(make):
    target = make()
    target.requested["device"] = "cuda"

    assert _broken(target) == {"device"}


TWO = """
[[request]]
id = "a"
text = "The red bus stops here."
speaker = "slt"

[[request]]
id = "b"
text = "Seven birds sang."
speaker = "rms"
"""


@pytest.mark.slow
def test_a_run_of_suite_kv_cache_observes_every_cell_of_the_trained_voice(tmp_path):
    whole = 'axes={"kv_cache": ["off", "dynamic", "static"], "cfg_weight": [0.0, 0.5]}'
    text = (Path(__file__).parents[4] / "suites" / "kv_cache.py").read_text()
    assert whole in text
    small = text.replace(whole, 'axes={"kv_cache": ["off", "static"], "cfg_weight": [0.5]}')
    suite, run = tmp_path / "kv_cache.py", tmp_path / "run"
    suite.write_text(small.replace("everyday-short", "two.toml"))
    (tmp_path / "two.toml").write_text(TWO)
    words = ["run", str(suite), "--out", str(run), "--repeats", "1", "--iterations", "1"]

    voxgate = [sys.executable, "-m", "voxgate", *words]
    subprocess.run(voxgate, check=True, capture_output=True, cwd=tmp_path)

    seen = {}
    for path in sorted(run.glob("processes/*.jsonl")):
        records = map(json.loads, path.read_text().splitlines())
        effects = next(each["effects"] for each in records if each["kind"] == "effects")
        assert [each for each in effects if each["holds"] is False] == []
        checks = {each["option"]: each for each in effects}
        seen[checks["kv_cache"]["asked"]] = checks["kv_cache"]
        assert "weight 0.500" in checks["cfg_weight"]["observed"]
    assert seen["off"]["observed"].endswith("nothing kept")
    assert seen["static"]["observed"].startswith("at most 1 positions per token, memory used again")
