"""
The quick arithmetic of the models says what the formulas say, and says it under torch.compile and
while training, too.
"""

import copy
from dataclasses import replace

import pytest
import torch

from tests.engine import plain_models
from tests.engine.conftest import TINY_DIT, TINY_VOCODER
from voxgate.engine.acoustic.dit import DiT
from voxgate.engine.acoustic.f5_dit import F5DiT, F5Shape
from voxgate.engine.alphabet import SAMPLE_RATE_HZ
from voxgate.engine.errors import EngineError
from voxgate.engine.vocoder.vocos import Vocos, VocosShape, waveform

F5 = F5Shape(
    characters=9,
    bands=20,
    width=128,
    depth=2,
    hidden=256,
    text_width=32,
    text_blocks=2,
    text_hidden=64,
)
LENGTHS = (1, 2, 7, 30, 65)
LIMIT = 2e-5


def _random(model, seed=3):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in model.parameters():
            scale = 0.1 if weight.ndim < 2 else weight[0].numel() ** -0.5
            weight.copy_(scale * torch.randn(weight.shape, generator=generator))
    return model.eval().requires_grad_(False)


def _told(model, frames, *, batch=2, same_time=True):
    generator = torch.Generator().manual_seed(frames)
    bands, text_width = model.shape.bands, model.shape.text_width
    noisy, prompt_mel = (torch.randn(batch, frames, bands, generator=generator) for _ in range(2))
    text = torch.randn(batch, frames, text_width, generator=generator)
    t = torch.full((1,), 0.37).expand(batch) if same_time else torch.linspace(0.1, 0.9, batch)
    return noisy, prompt_mel, text, t


def _apart(ours, plain):
    assert ours.shape == plain.shape
    return float((ours.double() - plain).abs().max() / plain.abs().max().clamp(min=1.0))


@pytest.fixture(name="dit", scope="module")
def _dit():
    return _random(DiT(TINY_DIT))


@pytest.mark.parametrize("frames", LENGTHS)
@pytest.mark.parametrize("batch", [1, 2, 3])
@pytest.mark.parametrize("same_time", [True, False])
def test_the_embedded_model_says_what_its_formulas_say(dit, frames, batch, same_time):
    told = _told(dit, frames, batch=batch, same_time=same_time)

    with torch.inference_mode():
        assert (
            _apart(
                dit(*told), plain_models.dit(plain_models.weights_of(dit), TINY_DIT.heads, *told)
            )
            < LIMIT
        )


def test_the_inputs_are_left_as_they_are(dit):
    told = _told(dit, 9)
    before = [x.clone() for x in told]
    with torch.inference_mode():
        first = dit(*told)
        second = dit(*told)

    assert all(torch.equal(a, b) for a, b in zip(told, before, strict=True))
    assert torch.equal(first, second)


def test_one_time_for_all_says_what_equal_times_say(dit):
    *told, t = _told(dit, 12)

    with torch.inference_mode():
        torch.testing.assert_close(
            dit(*told, t), dit(*told, t.contiguous()), atol=LIMIT, rtol=LIMIT
        )


def test_a_mask_hides_padding_from_attention(dit):
    told = _told(dit, 60)
    mask = torch.ones(2, 1, 1, 60, dtype=torch.bool)
    mask[..., 40:] = False
    plain = plain_models.dit(plain_models.weights_of(dit), TINY_DIT.heads, *told, mask)

    with torch.inference_mode():
        assert _apart(dit(*told, mask), plain) < LIMIT
        assert _apart(dit(*told), plain) > LIMIT


def test_training_says_the_same_and_every_weight_learns(dit):
    """In training nothing may be taken from what was kept for inference, nor written in place."""
    model = _random(DiT(TINY_DIT)).requires_grad_(True)
    told = _told(model, 12, same_time=False)
    with torch.inference_mode():
        kept = model(*told)

    velocity = model.train()(*told)
    velocity.square().sum().backward()

    assert _apart(velocity.detach(), kept.double()) < LIMIT
    idle = [
        n
        for n, w in model.named_parameters()
        if not n.startswith("text_embed") and (w.grad is None or not w.grad.any())
    ]
    assert [name for name in idle if not name.endswith("to_k.bias")] == []


def test_weights_that_change_are_seen(dit):
    """
    Whatever is kept of the weights for speed must not outlive them: training evaluates between its
    steps.
    """
    model = _random(DiT(TINY_DIT))
    told = _told(model, 12)
    with torch.inference_mode():
        model(*told)
    _random(model, seed=4)

    with torch.inference_mode():
        assert (
            _apart(
                model(*told),
                plain_models.dit(plain_models.weights_of(model), TINY_DIT.heads, *told),
            )
            < LIMIT
        )
    model.load_state_dict(dit.state_dict())
    with torch.inference_mode():
        assert torch.equal(model(*told), dit(*told))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_another_precision_is_taken_everywhere(dit, dtype):
    model = _random(DiT(TINY_DIT))
    told = _told(model, 12)
    with torch.inference_mode():
        exact = model(*told)
        lower = model.to(dtype)(*(x.to(dtype) for x in told[:3]), told[3])

    assert lower.dtype is dtype
    assert _apart(lower, exact.double()) < (0.1 if dtype is torch.bfloat16 else LIMIT)


@pytest.mark.slow
def test_the_compiled_model_says_the_same_in_one_graph_for_every_length():
    """One block: compiling takes as long as the graph is, and the blocks are alike."""
    dit = _random(DiT(replace(TINY_DIT, depth=1)))
    compiled = torch.compile(dit, dynamic=True, fullgraph=True)

    for frames in (9, 30, 65):
        told = _told(dit, frames)
        with torch.inference_mode():
            assert _apart(compiled(*told), dit(*told).double()) < LIMIT


@pytest.mark.parametrize(("version", "turned"), [(1, 2), (0, 1)])
@pytest.mark.parametrize("same_time", [True, False])
@pytest.mark.parametrize("frames", [1, 12, 33])
def test_the_published_model_says_what_its_formulas_say(version, turned, same_time, frames):
    model = _random(F5DiT(replace(F5, version=version)))
    told = _told(model, frames, same_time=same_time)

    with torch.inference_mode():
        ours, plain = (
            model(*told),
            plain_models.f5_dit(plain_models.weights_of(model), model.shape.heads, turned, *told),
        )
    assert _apart(ours, plain) < LIMIT


@pytest.mark.parametrize(
    "shape", [TINY_VOCODER, VocosShape(bands=20, width=32, hidden=48, blocks=2, n_fft=64, hop=16)]
)
@pytest.mark.parametrize("frames", [1, 2, 5, 40])
@pytest.mark.parametrize("batch", [1, 2])
def test_the_vocoder_says_what_its_formulas_say(shape, frames, batch):
    model = _random(Vocos(shape))
    mel = torch.randn(batch, frames, shape.bands, generator=torch.Generator().manual_seed(frames))

    with torch.inference_mode():
        ours = model(mel)
    assert _apart(ours, plain_models.vocos(plain_models.weights_of(model), mel)) < LIMIT


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("frames", [2, 3, 8, 50])
def test_the_inverse_transform_says_what_its_formula_says(frames, batch):
    shape = VocosShape(n_fft=64, hop=16)
    projected = torch.randn(batch, frames, 66, generator=torch.Generator().manual_seed(frames))

    ours = waveform(projected, shape)

    assert ours.shape == (batch, (frames - 1) * 16) and ours.dtype is torch.float32
    assert _apart(ours, plain_models.waveform(projected, 64, 16)) < LIMIT


@pytest.mark.slow
def test_the_embedded_voice_sounds_as_its_formulas_do():
    """
    Audio of the real voice through the pipeline, and by the formulas: far below what 16 bits
    resolve.
    """
    from voxgate.engine.pipelines.flow import FlowPipeline

    pipeline = FlowPipeline.load({"nfe_steps": 2, "threads": 1, "cfg_strength": 2.0})
    voice = pipeline.voice
    audio = torch.from_numpy(pipeline.synthesize("Where did you put the scissors?"))
    acoustic, vocoder = plain_models.weights_of(voice.dit), plain_models.weights_of(voice.vocoder)
    pipeline.acoustic = lambda *told: plain_models.dit(
        acoustic, voice.dit.shape.heads, *told
    ).float()
    pipeline.vocoder = lambda mel: plain_models.vocos(vocoder, mel).float()
    plain = torch.from_numpy(pipeline.synthesize("Where did you put the scissors?"))

    assert audio.shape == plain.shape and audio.numel() > SAMPLE_RATE_HZ
    assert float((audio - plain).abs().max()) < 1e-4


def test_a_hop_that_does_not_divide_the_frames_is_refused():
    with pytest.raises(EngineError, match="needs a hop that divides them, not 15"):
        VocosShape(n_fft=64, hop=15)


def test_a_model_that_has_spoken_can_be_copied_and_trained_on(dit):
    """The training loop copies the model for its moving average."""
    told = _told(dit, 20)
    with torch.inference_mode():
        dit(*told)
        copied = copy.deepcopy(dit)

        assert torch.equal(copied(*told), dit(*told))


def test_training_in_mixed_precision_goes_through():
    model = _random(DiT(TINY_DIT)).requires_grad_(True).train()
    told = _told(model, 12, same_time=False)

    with torch.autocast("cpu", torch.bfloat16):
        velocity = model(*told)
    velocity.float().square().sum().backward()

    assert all(
        w.grad is not None and w.grad.isfinite().all()
        for w in model.transformer_blocks.parameters()
    )
