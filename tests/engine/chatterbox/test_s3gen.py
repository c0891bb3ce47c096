"""
voxgate.engine.chatterbox: S3Gen loads strictly, computes conditions once, and, beside the package,
computes the same.

The last needs an interpreter that sees chatterbox-tts 0.1.7, named by VOXGATE_CHATTERBOX_PYTHON.
"""

import copy
import math
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tests.studies import s3gen_parity
from voxgate.engine.acoustic.solver import time_grid
from voxgate.engine.chatterbox import s3gen_checkpoint
from voxgate.engine.chatterbox.campplus import kaldi_fbank
from voxgate.engine.chatterbox.hift import HOP, draw_source, fade_start
from voxgate.engine.chatterbox.s3_tokenizer import (
    N_FFT,
    STRIDE_FRAMES,
    S3TokenizerShape,
    mel_filters,
)
from voxgate.engine.chatterbox.s3gen import (
    S3Gen,
    S3GenShape,
    S3Prompt,
    cosine_times,
    draw_noise,
    flow_velocity,
    speech_mel,
)
from voxgate.engine.chatterbox.s3gen_checkpoint import (
    load_s3gen,
    published_layout,
    published_tensors,
)
from voxgate.engine.chatterbox.s3gen_flow import EstimatorShape, attend
from voxgate.engine.config import Solver
from voxgate.engine.errors import EngineError

PYTHON = "VOXGATE_CHATTERBOX_PYTHON"
SHAPE = S3GenShape(
    tokenizer=S3TokenizerShape(width=64, layers=1),
    layers=1,
    up_layers=1,
    estimator=EstimatorShape(width=32, heads=1, middle=2, blocks=1),
    hift_width=32,
)
SINE_HZ = 1000.0


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Threads of small work wait for each other, on a busy machine for minutes."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def model(one_thread):
    torch.manual_seed(3)
    return S3Gen(SHAPE).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def prompt(model):
    generator = torch.Generator().manual_seed(4)
    with torch.inference_mode():
        return model.read_prompt(
            0.1 * torch.randn(12_480, generator=generator),
            0.1 * torch.randn(8_320, generator=generator),
        )


def _mel(model, prompt, *, cfg_rate=0.7, times=None, solver=Solver.EULER, forward=None):
    times = cosine_times(3) if times is None else times
    tokens = torch.arange(8) * 700
    frames = 2 * (len(prompt.tokens) + len(tokens))
    noise = draw_noise(frames, torch.Generator().manual_seed(1))
    with torch.inference_mode():
        velocity = flow_velocity(
            model.flow, tokens, prompt, times, cfg_rate=cfg_rate, forward=forward
        )
        return speech_mel(velocity, noise, times, prompt, solver)


def test_the_published_sizes_have_the_published_tensors():
    with torch.device("meta"):
        layout = published_layout(S3Gen(S3GenShape()))

    parts = ("tokenizer", "speaker_encoder", "flow", "mel2wav")
    counts = {part: sum(name.startswith(f"{part}.") for name in layout) for part in parts}
    assert counts == {"tokenizer": 102, "speaker_encoder": 937, "flow": 1121, "mel2wav": 328}
    assert "mel2wav.ups.0.parametrizations.weight.original0" in layout
    assert "flow.decoder.estimator.mid_blocks.11.1.3.ff.net.0.proj.weight" in layout


def test_what_was_saved_as_published_computes_the_same(model, prompt, tmp_path):
    path = tmp_path / "s3gen.safetensors"
    save_file(published_tensors(model), path)

    loaded = load_s3gen(path)

    assert loaded.shape == SHAPE
    mel = _mel(model, prompt)
    assert torch.equal(_mel(loaded, prompt), mel)
    draws = draw_source(mel.shape[1], torch.Generator().manual_seed(2))
    with torch.inference_mode():
        audio, again = (
            each.mel2wav(mel, each.mel2wav.source(mel, draws)) for each in (model, loaded)
        )
    assert audio.shape == (1, mel.shape[1] * HOP)
    assert torch.allclose(audio, again, atol=1e-6), "the folded weights are rounded once more"


GAIN = "mel2wav.conv_pre.parametrizations.weight.original0"
COUNTER = "speaker_encoder.head.bn1.num_batches_tracked"
MIXER = "flow.decoder.estimator.time_embed_mixer.weight"
PROJECTION = "flow.encoder_proj.bias"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.pop(GAIN), f"missing tensors {GAIN}; not a checkpoint of Chatterbox's S3Gen"),
        (lambda t: t.pop(COUNTER), f"missing tensors {COUNTER};"),
        (lambda t: t.pop(PROJECTION), f"missing tensors {PROJECTION};"),
        (lambda t: t.update({MIXER: torch.ones(2)}), f"unknown tensors {MIXER};"),
        (lambda t: t.update({"mel2wav.conv_pre.weight": torch.ones(2)}), "unknown tensors mel2wav"),
        (lambda t: t.update({PROJECTION: torch.ones(2)}), r"encoder_proj.bias has shape \(2,\)"),
        (lambda t: t.update({GAIN: torch.ones(2)}), "no weight normalisation"),
        (lambda t: t.update({PROJECTION: torch.full((80,), math.nan)}), "holds NaN"),
        (lambda t: t.update({"tokenizer.window": torch.ones(N_FFT)}), "not that of the tokeniser"),
        (lambda t: t.pop("flow.decoder.estimator.final_proj.weight"), "missing tensors flow.dec"),
        (
            lambda t: t.update({"tokenizer.encoder.conv1.weight": torch.ones(70, 128, 3)}),
            r"conv1.weight has shape \(70, 128, 3\)",
        ),
    ],
)
def test_a_tensor_that_does_not_belong_is_named(model, monkeypatch, change, words):
    tensors = published_tensors(model)
    change(tensors)
    monkeypatch.setattr(s3gen_checkpoint, "read_tensors", lambda _: tensors)

    with pytest.raises(EngineError, match=words):
        load_s3gen(Path("s3gen.safetensors"))


def test_the_two_formulas_may_be_present(model, monkeypatch):
    formulas = {
        "tokenizer._mel_filters": mel_filters().clone(),
        "tokenizer.window": torch.hann_window(N_FFT),
    }
    tensors = published_tensors(model) | formulas
    monkeypatch.setattr(s3gen_checkpoint, "read_tensors", lambda _: tensors)

    assert load_s3gen(Path("s3gen.safetensors")).shape == SHAPE


def test_long_audio_is_read_in_windows_that_overlap(model):
    mel = torch.randn(128, STRIDE_FRAMES + 600, generator=torch.Generator().manual_seed(5))

    with torch.inference_mode():
        tokens = model.tokenizer(mel)
        first, second = model.tokenizer(mel[:, :3000]), model.tokenizer(mel[:, STRIDE_FRAMES:])

    assert torch.equal(tokens, torch.cat((first[:-50], second[50:])))
    assert len(tokens) == mel.shape[1] // 4


def test_encoder_and_times_run_once_and_guidance_in_one_pass(model, prompt):
    calls = {"encoder": 0, "times": 0}
    rows = []

    def count(name):
        def hook(*_):
            calls[name] += 1

        return hook

    def forward(noisy, times, conditions):
        velocity = model.flow.estimator(noisy, times, conditions)
        rows.append(len(velocity))
        return velocity

    hooks = [
        model.flow.encoder.register_forward_hook(count("encoder")),
        model.flow.estimator.time_mlp.register_forward_hook(count("times")),
    ]
    guided = _mel(model, prompt, forward=forward)
    plain = _mel(model, prompt, cfg_rate=0.0, forward=forward)
    for hook in hooks:
        hook.remove()

    assert calls == {"encoder": 2, "times": 2}, "once per utterance, whatever the steps"
    assert rows == [2, 2, 2, 1, 1, 1], "without guidance the unconditional row is left out"
    assert guided.shape == plain.shape == (1, 16, 80)
    assert not torch.allclose(guided, plain, atol=1e-4)


def test_half_precision_changes_little(model, prompt):
    half = copy.deepcopy(model).to(torch.bfloat16)
    mel = _mel(model, prompt)
    draws = draw_source(mel.shape[1], torch.Generator().manual_seed(2))
    with torch.inference_mode():
        source = model.mel2wav.source(mel, draws)
        audio = model.mel2wav(mel, source)
        rounded = half.mel2wav(mel.bfloat16(), source)

    assert torch.allclose(_mel(half, prompt), mel, atol=0.1)
    assert rounded.dtype == torch.float32, "the inverse STFT needs it"
    assert torch.allclose(rounded, audio, atol=0.05 * float(audio.abs().max()))


def test_solvers_of_higher_order_get_the_times_between(model, prompt):
    fine = _mel(model, prompt, times=time_grid(24, -1.0))
    heun = _mel(model, prompt, times=time_grid(8, -1.0), solver=Solver.HEUN)

    assert torch.allclose(fine, heun, atol=0.2)
    assert time_grid(10, -1.0) == pytest.approx(cosine_times(10), abs=1e-6)


def test_tokens_that_are_no_speech_are_refused(model, prompt):
    with pytest.raises(EngineError, match="reach from 5 to 6561"):
        flow_velocity(model.flow, torch.tensor([5, 6561]), _without_tokens(prompt), (0.0, 1.0))


def _without_tokens(prompt):
    return S3Prompt(tokens=prompt.tokens[:0], mel=prompt.mel[:0], speaker=prompt.speaker)


def test_attention_head_by_head_equals_the_fused_kernel():
    q, k, v = (
        torch.randn(2, 150, 3, 64, generator=torch.Generator().manual_seed(seed)).transpose(1, 2)
        for seed in range(3)
    )
    with torch.inference_mode():
        ours = attend(q, k, v)

    expected = torch.nn.functional.scaled_dot_product_attention(q, k, v)
    assert torch.allclose(ours, expected, atol=1e-5)


def test_a_tone_peaks_in_its_band():
    time_s = torch.arange(16_000) / 16_000
    fbank = kaldi_fbank(torch.sin(2 * math.pi * SINE_HZ * time_s))

    top = 1127 * math.log1p(8000 / 700)
    low = 1127 * math.log1p(20 / 700)
    band = (1127 * math.log1p(SINE_HZ / 700) - low) / (top - low) * 81 - 1
    assert fbank.shape == (98, 80)
    assert (fbank.mean(dim=0).argmax() - band).abs() <= 1


def test_the_start_is_silent_and_then_fades_in():
    faded = fade_start(torch.ones(1, 2000))

    assert not faded[0, :480].any()
    assert (faded[0, 480:960].diff() >= 0).all()
    assert faded[0, 959:].eq(1.0).all()
    assert fade_start(torch.ones(1, 100)).shape == (1, 100)


@pytest.mark.slow
@pytest.mark.skipif(PYTHON not in os.environ, reason=f"{PYTHON} names no interpreter")
def test_every_stage_equals_the_package(tmp_path):
    s3gen_parity.prepare(tmp_path, os.environ[PYTHON], s3gen_parity.SMALL)

    apart = [stage for stage in s3gen_parity.compare(tmp_path) if not stage.fits]

    assert apart == []
