"""Training of voice conversion: phones are found in time, batches come from the seed alone."""

from pathlib import Path

import numpy as np
import pytest
import torch

from voxgate.engine.alphabet import PHONE_IDS, PHONES
from voxgate.engine.conversion.content_encoder import BANDS
from voxgate.engine.errors import EngineError
from voxgate.engine.layers.mel import HOP
from voxgate.engine.training import conversion
from voxgate.engine.training.align import align_phones
from voxgate.engine.training.conversion_crops import (
    CROP,
    ConversionCrops,
    SpokenRow,
    labels_at,
)
from voxgate.engine.training.conversion_data import FLITE_VOICES, VALIDATION, SpokenCorpus
from voxgate.engine.training.train_conversion import ConversionTraining, conversion_loss
from voxgate.engine.weights.conversion_voice import load_conversion_voice

PAUSE, AA, SS, IY = (PHONE_IDS[name] for name in ("pau", "aa", "s", "iy"))
SCALE = (0.0, 1.0)


def likelihoods(frames: list[int]) -> np.ndarray:
    """Return log-likelihoods that favour one phone in each frame."""
    table = np.full((len(frames), len(PHONES)), -5.0)
    table[np.arange(len(frames)), frames] = -0.1
    return table


def test_alignment_follows_the_likelihood() -> None:
    frames = [PAUSE] * 4 + [AA] * 7 + [SS] * 2 + [IY] * 5 + [PAUSE] * 3
    ends, mean = align_phones(likelihoods(frames), np.array([PAUSE, AA, SS, IY, PAUSE]))
    assert ends.tolist() == [4, 11, 13, 18, 21]
    assert mean == pytest.approx(-0.1)


def test_alignment_leaves_out_a_pause_that_was_not_made() -> None:
    frames = [AA] * 5 + [SS] * 4
    ends, mean = align_phones(likelihoods(frames), np.array([PAUSE, AA, PAUSE, SS, PAUSE]))
    assert ends.tolist() == [0, 5, 5, 9, 9]
    assert mean == pytest.approx(-0.1)


def test_alignment_keeps_a_phone_that_is_no_pause() -> None:
    """A vowel swallowed by its neighbours costs more than one bad frame."""
    frames = [AA] * 5 + [SS] * 5
    ends, _ = align_phones(likelihoods(frames), np.array([AA, IY, SS]))
    assert ends[1] - ends[0] == 1


def spoken_corpus(utterances: int = VALIDATION + 8, frames: int = 160) -> SpokenCorpus:
    """Return noise with the labels of four voices, the same phones in each."""
    generator = torch.Generator().manual_seed(0)
    samples = frames * HOP
    phones = torch.tensor([PAUSE, AA, SS, PAUSE], dtype=torch.int16)
    ends = torch.tensor([20, 80, 120, frames], dtype=torch.int32) * HOP
    rows = [
        [n * samples, (n + 1) * samples, n * frames, (n + 1) * frames, 4 * n, 4 * n + 4,
         n % FLITE_VOICES, 1]
        for n in range(utterances)
    ]  # fmt: skip
    count = utterances * frames
    return SpokenCorpus(
        audio=torch.randint(-9000, 9000, (count * HOP,), generator=generator).to(torch.int16),
        mel=torch.randn((count, 80), generator=generator).half(),
        pitch=torch.full((count, 2), 5.0).half(),
        phones=phones.repeat(utterances),
        ends=ends.repeat(utterances),
        rows=torch.tensor(rows),
    )


def test_labels_are_those_of_the_time() -> None:
    corpus = spoken_corpus()
    phone, place = labels_at(
        corpus, SpokenRow(*corpus.rows[3].tolist()), torch.tensor([0.0, 20.0, 79.9])
    )
    assert phone.tolist() == [PAUSE, AA, AA]
    assert place.tolist() == [1, 1, 8]


def test_a_batch_comes_from_the_seed_and_the_step() -> None:
    corpus = spoken_corpus()
    crops = ConversionCrops((corpus, corpus), SCALE, 3)
    one, again, other = crops(5), crops(5), ConversionCrops((corpus, corpus), SCALE, 4)(5)
    assert one.heard.shape == (14, CROP, BANDS)
    assert torch.equal(one.heard, again.heard)
    assert torch.equal(one.frames.phone, again.frames.phone)
    assert not torch.equal(one.heard, other.heard)
    assert one.heard.mean(dim=1).abs().max() < 1e-4, "each band's mean is removed"
    assert torch.isfinite(conversion_loss(ConversionTraining(), one, _TextEmbedding()))


class _TextEmbedding(torch.nn.Module):
    def forward(self, frames: object) -> torch.Tensor:
        return torch.ones(14, CROP, 128)


def test_an_utterance_without_times_is_left_out() -> None:
    corpus = spoken_corpus()
    untimed = corpus.ends.clone()
    untimed[:4] = 0
    usable = ConversionCrops(
        (corpus, SpokenCorpus(**{**_fields(corpus), "ends": untimed})), SCALE, 3
    ).usable
    assert [len(numbers) for numbers in usable] == [8, 7]


def _fields(corpus: SpokenCorpus) -> dict[str, torch.Tensor]:
    return {name: getattr(corpus, name) for name in SpokenCorpus.__dataclass_fields__}


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Embed each voice from two utterances."""
    monkeypatch.setattr(conversion, "EMBEDDED", 2)


@pytest.mark.usefixtures("few")
def test_exported_models_load(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = ConversionTraining().eval()
    corpus = spoken_corpus()
    conversion.export(model, corpus, SCALE, tmp_path)
    voice = load_conversion_voice(tmp_path)
    assert voice.targets.embedding.shape == (FLITE_VOICES, model.voice.shape.voice)
    assert voice.targets.log_f0.tolist() == [5.0] * FLITE_VOICES
    mel = torch.randn(1, 30, BANDS)
    with torch.inference_mode():
        assert torch.allclose(voice.encoder(mel), model.encoder(mel), atol=0.02)


@pytest.mark.usefixtures("few")
def test_models_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    from voxgate.engine.conversion.mel_decoder import MelDecoder, MelDecoderShape
    from voxgate.engine.weights.voice import save_model

    conversion.export(ConversionTraining(), spoken_corpus(), SCALE, tmp_path)
    foreign = MelDecoder(MelDecoderShape(content=8))
    scale = {"mel_mean": "0.0", "mel_std": "1.0"}
    save_model(tmp_path / "mel_decoder.safetensors", foreign, foreign.shape, **scale)
    with pytest.raises(EngineError, match="mel_decoder's content are 8"):
        load_conversion_voice(tmp_path)
