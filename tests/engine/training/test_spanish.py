"""The Spanish voice's training: its sentences, its palatals, its start from the English voice."""

import random

import numpy as np
import pytest
import torch

from voxgate.engine.alphabet import SAMPLE_RATE_HZ, SPANISH_PHONE_IDS
from voxgate.engine.duration.frames import FrameConditioning
from voxgate.engine.layers.mel import HOP
from voxgate.engine.training import (
    data,
    spanish,
    spanish_align,
    spanish_corpus,
    spanish_texts,
    train_acoustic,
)

WORDS = ("llave", "queso", "zumo")


@pytest.fixture(autouse=True)
def few_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spanish_texts, "dictionary_words", lambda: WORDS)


def test_sentences_depend_on_the_seed_alone_and_only_yes_no_questions_rise() -> None:
    first, again = (list(spanish_texts.training_sentences(300, 3, frozenset())) for _ in range(2))
    assert first == again
    assert any(rises for _, rises in first)
    for text, rises in first:
        asks = text.endswith("?")
        wh = text.startswith(tuple(t.split(" {")[0].split()[0] for t in spanish_texts.WH))
        assert rises == (asks and not wh)
        assert " de el " not in text


def test_heldout_sentences_are_never_trained_on() -> None:
    texts = [text for text, _ in spanish_texts.training_sentences(50, 3, frozenset())]
    held = frozenset(spanish_texts.heldout_key(text) for text in texts[:10])
    others = [text for text, _ in spanish_texts.training_sentences(60, 3, held)]
    assert not held & {spanish_texts.heldout_key(text) for text in others}


def test_a_sentence_pauses_at_its_marks() -> None:
    phones = spanish_align.sentence_phones("¿Quién, ella?")
    assert [i for i, name in enumerate(phones) if name == "pau"] == [0, 5, len(phones) - 1]
    assert phones[6:-1] == ["e1", "ll", "a"]


def planted_corpus() -> spanish_align.AlignedCorpus:
    """One utterance `pau a1 ll a pau` of tones, with ten frames a phone."""
    corpus = spanish_align.AlignedCorpus(())
    phones = ["pau", "a1", "ll", "a", "pau"]
    seconds = np.arange(50 * HOP) / SAMPLE_RATE_HZ
    tone = 0.2 * np.sin(2 * np.pi * 150 * seconds)
    corpus.audio.append((tone * 32767).astype(np.int16))
    corpus.rows.append([tone.size, 0, 0, 1000])
    corpus.phones.append(np.array([SPANISH_PHONE_IDS[name] for name in phones]))
    corpus.mels.append(torch.zeros(50, spanish_align.BANDS))
    corpus.ends[0] = np.array([10, 20, 30, 40, 50])
    return corpus


def share_above_2_khz(audio: np.ndarray) -> float:
    power = np.abs(np.fft.rfft(audio.astype(float))) ** 2
    hz = np.fft.rfftfreq(audio.size, 1 / SAMPLE_RATE_HZ)
    return float(power[hz > 2000].sum() / power.sum())


def test_a_replaced_palatal_is_friction_and_its_neighbours_stay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    corpus = planted_corpus()
    before = corpus.audio[0].copy()
    noise = np.random.default_rng(0).normal(0, 0.1, 900)
    monkeypatch.setattr(spanish_align, "VOICED_SHARE", 0.0)
    spanish_align.replace_palatals(corpus, 0, [noise], random.Random(1))
    assert corpus.phones[0][2] == SPANISH_PHONE_IDS["sh"]
    assert share_above_2_khz(corpus.audio[0][21 * HOP : 28 * HOP]) > 0.6
    assert share_above_2_khz(before[21 * HOP : 28 * HOP]) < 0.01
    np.testing.assert_array_equal(corpus.audio[0][: 19 * HOP], before[: 19 * HOP])
    np.testing.assert_array_equal(corpus.audio[0][31 * HOP :], before[31 * HOP :])


def test_a_voiced_palatal_keeps_its_voice_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = planted_corpus()
    noise = np.random.default_rng(0).normal(0, 0.1, 900)
    monkeypatch.setattr(spanish_align, "VOICED_SHARE", 1.0)
    spanish_align.replace_palatals(corpus, 0, [noise], random.Random(1))
    assert corpus.phones[0][2] == SPANISH_PHONE_IDS["zh"]
    assert 0.02 < share_above_2_khz(corpus.audio[0][21 * HOP : 28 * HOP]) < 0.5


def test_friction_is_joined_without_a_gap() -> None:
    parts = [np.ones(400)] * 5
    joined = spanish_align.joined(parts, 1200, 128)
    assert joined.size == 1200
    assert joined.min() > 0.99


def test_the_classifier_learns_the_phones_of_what_it_is_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(spanish_align, "BATCH", 1)
    monkeypatch.setattr(spanish_align, "WIDTH", 96)
    corpus = planted_corpus()
    labels = corpus.labels(0)
    corpus.mels[0] = torch.randn(50, spanish_align.BANDS)
    corpus.mels[0][torch.arange(50), labels] += 8.0
    model = spanish_align.train_classifier(corpus, steps=90, seed=1)
    heard = spanish_align.classifier_likelihood(corpus, model)(0)
    corpus.ends.clear()
    assert corpus.align([0], lambda _: heard) == 1.0
    assert np.abs(corpus.ends[0] - np.array([10, 20, 30, 40, 50])).max() <= 1


def test_a_phone_lasts_two_frames_and_a_tap_one() -> None:
    names = ["pau", "a", "r", "a", "pau"]
    phones = np.array([SPANISH_PHONE_IDS[name] for name in names])
    nothing = np.zeros((12, 2 * len(SPANISH_PHONE_IDS)), dtype=np.float32)
    nothing[:, SPANISH_PHONE_IDS["pau"]] = 3.0
    ends, _ = spanish_align.align_states(nothing, phones)
    assert ends[-1] == 12
    lengths = np.diff(ends, prepend=0)
    assert lengths[1] >= 2 and lengths[2] >= 1 and lengths[3] >= 2


def test_a_question_that_falls_is_raised_and_one_that_rises_is_kept() -> None:
    pytest.importorskip("pyworld")
    falling, rising = (swept_voice(180.0, end_hz) for end_hz in (140.0, 270.0))
    risen = spanish_corpus.rise(falling)
    assert risen.size == falling.size
    assert end_semitones(risen) - end_semitones(falling) > 5.0
    np.testing.assert_array_equal(spanish_corpus.rise(rising), rising)


def swept_voice(start_hz: float, end_hz: float) -> np.ndarray:
    """One second of a steady voice, then 0.3 s that glide to another pitch."""
    hz = np.concatenate((np.full(16_000, start_hz), np.linspace(start_hz, end_hz, 4_800)))
    phase = 2 * np.pi * np.cumsum(hz) / SAMPLE_RATE_HZ
    return 0.05 * sum(np.sin(n * phase) / n for n in range(1, 12))


def end_semitones(audio: np.ndarray) -> float:
    import pyworld

    f0, _ = pyworld.harvest(audio, SAMPLE_RATE_HZ)
    return float(12 * np.log2(np.median(f0[f0 > 0][-20:])))


def test_the_last_stage_keeps_every_question() -> None:
    rows = torch.zeros((40, 8), dtype=torch.long)
    rows[:, 7] = 1
    rows[::8, 7] = 2
    nothing = torch.zeros(0)
    corpus = data.Corpus(
        audio=nothing, mel=nothing, phone=nothing, place=nothing, phones=nothing, frames=nothing,
        rows=rows, stretch=torch.ones(40), mean=0.0, std=1.0,
    )  # fmt: skip
    chosen = spanish.questions_and_statements(corpus).rows[:, 7]
    assert (chosen == 2).sum() == 5
    assert (chosen == 1).sum() == 10


def test_the_end_of_a_question_counts_more() -> None:
    frames = FrameConditioning(
        phone=torch.ones((2, 64), dtype=torch.long),
        place=torch.ones((2, 64), dtype=torch.long),
        speaker=torch.ones((2, 64), dtype=torch.long),
        question=torch.tensor([[2], [1]]).expand(2, 64),
    )
    mel = torch.zeros((2, 64, 4))
    mel[0, -10:] = 9.0

    def nothing(noisy: torch.Tensor, *_: object) -> torch.Tensor:
        return torch.zeros_like(noisy)

    def loss(weight: float) -> float:
        generator = torch.Generator().manual_seed(0)
        mask = torch.ones((2, 64), dtype=torch.bool)
        return float(
            train_acoustic.flow_loss(nothing, mel, frames, mask, generator, weight)  # type: ignore[arg-type]
        )

    assert loss(4.0) > 1.5 * loss(1.0)
