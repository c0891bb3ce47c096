"""voxgate.engine.passes.padding: few lengths, and the same result."""

import numpy as np
import pytest
import torch

from voxgate.engine.acoustic.dit import InputEmbedding
from voxgate.engine.layers.mel import BANDS
from voxgate.engine.passes.padding import PaddedVocos
from voxgate.engine.pipelines.flow import FlowPipeline
from voxgate.engine.vocoder import vocos
from voxgate.engine.weights.voice import load_voice

TEXT = "Is this the same voice?"
SAME = 1e-4
INAUDIBLE_DB = 60.0
"""Of the whole: see test_runtimes."""


def largest(a: np.ndarray, b: np.ndarray) -> float:
    assert a.shape == b.shape
    return float(np.abs(a - b).max())


def mel_and_audio(text: str, **options: object) -> tuple[list[np.ndarray], np.ndarray]:
    """Speak with the embedded voice; gives the mel of every chunk and the audio."""
    pipeline = FlowPipeline.load({"threads": 1, "nfe_steps": 4, **options})
    mels, vocoder = [], pipeline.vocoder
    pipeline.vocoder = lambda mel: (mels.append(mel.numpy().copy()), vocoder(mel))[1]
    return mels, pipeline.synthesize(text)


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        "No.",
        TEXT,
        "Somebody has to say a little more than that, so that there is something to hear.",
    ],
)
@pytest.mark.parametrize("multiple", [64])
def test_padding_does_not_change_the_embedded_voice(text: str, multiple: int) -> None:
    (mels, audio), (others, other) = (
        mel_and_audio(text, pad_frames=each) for each in (0, multiple)
    )

    assert max(largest(a, b) for a, b in zip(mels, others, strict=True)) < SAME
    assert 10 * np.log10((audio**2).sum() / ((audio - other) ** 2).sum()) > INAUDIBLE_DB


@pytest.mark.slow
@pytest.mark.parametrize("frames", [5, 63, 64, 200])
def test_a_padded_vocoder_of_the_embedded_voice_answers_the_same_mel_alike(frames: int) -> None:
    vocoder = load_voice().vocoder
    mel = torch.randn((2, frames, BANDS), generator=torch.Generator().manual_seed(frames))
    wanted = vocoder(mel)

    assert largest(PaddedVocos(vocoder, 64)(mel).numpy(), wanted.numpy()) < SAME * float(
        wanted.abs().max()
    )


def test_without_the_vocoders_mask_it_would_change(
    make_pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tests above can fail: a vocoder that looks at its padding is heard."""
    exact = make_pipeline().synthesize(TEXT)
    monkeypatch.setattr(vocos, "_masked", lambda x, mask: x)

    assert largest(exact, make_pipeline(pad_frames=64).synthesize(TEXT)) > SAME


def test_without_the_mask_of_the_position_convolution_it_would_change(
    make_pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = make_pipeline().synthesize(TEXT)
    forward = InputEmbedding.forward
    monkeypatch.setattr(
        InputEmbedding,
        "forward",
        lambda self, noisy, prompt_mel, text, mask=None: forward(self, noisy, prompt_mel, text),
    )

    assert largest(exact, make_pipeline(pad_frames=64).synthesize(TEXT)) > SAME


@pytest.mark.parametrize(
    ("options", "tolerance"),
    [
        ({}, SAME),
        ({"cfg_strength": 0.0}, SAME),
        ({"runtime_acoustic": "onnx", "runtime_vocoder": "onnx"}, SAME),
        ({"quantization": "int8-weight-only"}, SAME),
        ({"precision": "bf16"}, 0.05),
    ],
    ids=str,
)
def test_padding_goes_with_every_other_pass(
    make_pipeline,
    options: dict[str, object],
    tolerance: float,
    tmp_path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    exact, padded = (
        make_pipeline(**options).synthesize(TEXT),
        make_pipeline(pad_frames=32, **options).synthesize(TEXT),
    )

    assert largest(exact, padded) < tolerance * max(1.0, float(np.abs(exact).max()))


def test_only_multiples_reach_the_models(make_pipeline) -> None:
    pipeline = make_pipeline(pad_frames=50)
    lengths = set()
    for model in (pipeline.voice.dit, pipeline.vocoder.inner):
        model.register_forward_pre_hook(lambda module, args: lengths.add(args[0].shape[1]))
    for text in ("No.", TEXT, "One, two, three, four."):
        pipeline.synthesize(text)

    assert lengths and all(length % 50 == 0 for length in lengths)
    assert len(lengths) < 6


def test_frames_that_are_masked_already_stay_so(make_pipeline) -> None:
    """A batch that was padded to its longest comes with a mask of its own."""
    pipeline = make_pipeline(pad_frames=16)
    seen = []
    pipeline.acoustic.inner = lambda *args: (seen.append(args[4]), args[0])[1]
    mask = torch.ones(2, 1, 1, 10, dtype=torch.bool)
    mask[1, :, :, 7:] = False
    mel = torch.zeros(2, 10, BANDS)
    given = pipeline.acoustic(mel, mel, torch.zeros(2, 10, 16), torch.zeros(2), mask)

    assert given.shape == mel.shape
    assert seen[0].shape == (2, 1, 1, 16)
    assert seen[0].sum(-1).flatten().tolist() == [10, 7]


def test_no_padding_leaves_the_models_alone(make_pipeline) -> None:
    pipeline = make_pipeline(pad_frames=0)

    assert pipeline.acoustic is pipeline.voice.dit and pipeline.vocoder is pipeline.voice.vocoder


def test_a_vocoder_hears_nothing_of_frames_that_are_masked_already() -> None:
    vocoder = load_voice().vocoder
    mel = torch.randn((2, 40, BANDS), generator=torch.Generator().manual_seed(1))
    mask = torch.ones((2, 40, 1), dtype=torch.bool)
    mask[1, 30:] = False
    given = PaddedVocos(vocoder, 64)(mel, mask)

    assert largest(given[1:, :30].numpy(), vocoder(mel[1:, :30]).numpy()) < SAME * float(
        given.abs().max()
    )
