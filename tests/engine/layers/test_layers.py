"""voxgate.engine.layers: shapes and properties."""

import numpy as np
import torch

from voxgate.engine.layers.attention import Attention, apply_rope, plain_attention, rope_tables
from voxgate.engine.layers.mel import (
    BANDS,
    HOP,
    log_mel,
    mel_filterbank,
    slaney_filterbank,
)
from voxgate.engine.layers.time_conditioning import TimestepEmbedding


def test_every_mel_band_hears_something_and_bands_tile_the_spectrum():
    bank = mel_filterbank(16_000)

    assert bank.shape == (BANDS, 513)
    assert (bank.sum(1) > 0).all()
    assert float(bank.max()) <= 1.0


def test_a_tone_lands_in_its_mel_band():
    t = torch.arange(16_000) / 16_000
    mel = log_mel(torch.sin(2 * torch.pi * 1000 * t)[None], mel_filterbank(16_000))
    loudest = int(mel[0, 20].argmax())

    bank = mel_filterbank(16_000)
    assert mel.shape == (1, 16_000 // HOP + 1, BANDS)
    assert abs(float(torch.linspace(0, 8000, 513)[bank[loudest].argmax()]) - 1000) < 40


def test_slaneys_filters_are_those_of_librosa():
    bank = slaney_filterbank(16_000, n_fft=400, bands=40)

    assert bank.shape == (40, 201)
    # librosa.filters.mel(sr=16000, n_fft=400, n_mels=40), version 0.11
    expected = {
        (0, 1): 0.00739021,
        (14, 26): 0.00125142,
        (20, 45): 0.00502048,
        (39, 190): 0.00121515,
    }
    for place, value in expected.items():
        assert abs(float(bank[place]) - value) < 1e-8


def test_rotary_scores_depend_on_distance_alone():
    cos, sin = rope_tables(20, 8, torch.device("cpu"))
    q, k = torch.randn(8), torch.randn(8)
    rotated_q, rotated_k = (apply_rope(x.expand(1, 1, 20, 8), cos, sin)[0, 0] for x in (q, k))

    scores = rotated_q @ rotated_k.T

    np.testing.assert_allclose(scores[3, 5], scores[13, 15], atol=1e-5)
    assert abs(float(scores[3, 5] - scores[3, 9])) > 1e-4


def test_written_out_attention_agrees_with_the_fused_one_and_ignores_padding():
    q, k, v = (torch.randn(2, 3, 10, 8) for _ in range(3))
    mask = torch.ones(2, 1, 1, 10, dtype=torch.bool)
    mask[:, :, :, 7:] = False

    ours = plain_attention(q, k, v, mask)
    fused = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)

    torch.testing.assert_close(ours, fused, atol=1e-5, rtol=1e-4)


def test_attention_takes_the_same_result_in_training_and_evaluation():
    layer = Attention(32, 4)
    tables = rope_tables(9, 8, torch.device("cpu"))
    x = torch.randn(2, 9, 32)

    torch.testing.assert_close(
        layer.train()(x, *tables), layer.eval()(x, *tables), atol=1e-5, rtol=1e-4
    )


def test_different_times_have_different_embeddings():
    layer = TimestepEmbedding(16)
    a, b = layer(torch.tensor([0.1, 0.9])).detach()

    assert float((a - b).abs().max()) > 1e-3
