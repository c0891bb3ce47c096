"""
Find the phone times of the Spanish corpus: Pico prints none.

The content encoder of the conversion voice, trained on English, hears the nearest English phones
(ENGLISH_LIKENESS) and aligns a first part of the corpus. A small classifier of Spanish phones
learns from that, aligns everything, and is trained and applied once more.

A share of the utterances gets its palatals replaced, so that the voice learns sounds its teacher
lacks: "sh" is made of the releases of the speaker's own "ch", "zh" of the same above the voice bar
of the palatal.
"""

import itertools
import random
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file, save_file
from scipy.signal import butter, sosfiltfilt
from torch import Tensor, nn

from voxgate.engine.alphabet import (
    PHONE_IDS,
    SAMPLE_RATE_HZ,
    SILENCE,
    SPANISH_PHONE_IDS,
    SPANISH_PHONES,
)
from voxgate.engine.conversion.content_encoder import ContentEncoder, content_filterbank
from voxgate.engine.layers.mel import BANDS, HOP, log_mel, mel_filterbank
from voxgate.engine.text.spanish.pronounce import pronounce
from voxgate.engine.training.align import LEAST_LIKELIHOOD, align_phones, phone_likelihoods

ENGLISH_LIKENESS = {
    "a": "aa ae ah ax aw", "e": "eh ey ih ax", "i": "iy ih", "o": "ao ow uh", "u": "uw uh",
    "j": "y iy", "w": "w", "p": "p", "b": "b v w", "t": "t", "d": "d dh l", "k": "k",
    "g": "g w hh y", "f": "f", "th": "th s", "s": "s", "x": "hh k", "ch": "ch", "y": "y jh",
    "ll": "y l", "sh": "sh", "zh": "zh", "m": "m", "n": "n ng", "ny": "n y", "l": "l", "r": "r dx",
    "rr": "r dx",
}  # fmt: skip
"""Spanish phone -> English phones that sound alike."""
FIRST_UTTERANCES = 1600
WIDTH = 192
KERNELS = (3, 3, 1)
"""
Of the classifier's convolutions, in mel frames: a wider context could hear a phone where it is not.
"""
ONE_STATE = (SILENCE, "r")
"""All other phones have two states, a beginning and an end, and last two frames or more."""
BATCH = 24
CROP_FRAMES = 192
STEPS = 600
"""Of the classifier, in each pass."""
RATE = 2e-3
PALATALS = ("y", "ll")
REPLACED_SHARE = 0.4
VOICED_SHARE = 0.3
FADE_S = 0.008
LAST_PAUSE_FRAMES = 10
"""Of the silence of a second at Pico's end, so many are kept."""
VOICE_BAR_HZ = 700.0


def sentence_phones(text: str, region: str = "es") -> list[str]:
    """Return the phones of a plain sentence, with a pause at both ends and at each mark inside."""
    phones = [SILENCE]
    for phrase in re.split(r"[^a-záéíóúüñ ]+", text.lower()):
        if words := phrase.split():
            phones += itertools.chain.from_iterable(pronounce(words, region))
            phones.append(SILENCE)
    return phones


def states_of(phones: np.ndarray) -> np.ndarray:
    """Return the states of phones: a phone's id, and for its end that plus the number of phones."""
    single = {SPANISH_PHONE_IDS[name] for name in ONE_STATE}
    pairs = [[p] if p in single else [p, p + len(SPANISH_PHONES)] for p in phones.tolist()]
    return np.array(list(itertools.chain.from_iterable(pairs)))


def align_states(log_likelihood: np.ndarray, phones: np.ndarray) -> tuple[np.ndarray, float]:
    """
    Align phones through their states.

    Args:
        log_likelihood: (F, 2 x all phones), of the states.
        phones: ids (P,).

    Returns: the frame behind the last one of each phone, int64 (P,), and the mean log-likelihood.
    """
    states = states_of(phones)
    ends, mean = align_phones(log_likelihood, states)
    last = np.append(np.flatnonzero(states[1:] < len(SPANISH_PHONES)), states.size - 1)
    return ends[last], mean


class PhoneClassifier(nn.Module):
    """Log-mel (B, F, bands) -> logits of the state of every frame's phone (B, F, states)."""

    def __init__(self) -> None:
        super().__init__()
        sizes = (BANDS, *(WIDTH for _ in KERNELS))
        self.convs = nn.ModuleList(
            nn.Conv1d(a, b, kernel, padding=kernel // 2)
            for (a, b), kernel in zip(itertools.pairwise(sizes), KERNELS, strict=True)
        )
        self.out = nn.Linear(WIDTH, 2 * len(SPANISH_PHONES))

    def forward(self, mel: Tensor) -> Tensor:
        """Classify mel frames, less each band's mean."""
        x = (mel - mel.mean(dim=1, keepdim=True)).transpose(1, 2)
        for conv in self.convs:
            x = nn.functional.gelu(conv(x))
        logits: Tensor = self.out(x.transpose(1, 2))
        return logits


class AlignedCorpus:
    """All utterances of the shards with their mels, phones and the frame behind each phone."""

    def __init__(self, shards: Sequence[Path]) -> None:
        filterbank = mel_filterbank(SAMPLE_RATE_HZ)
        self.audio: list[np.ndarray] = []
        self.rows: list[list[int]] = []
        self.phones: list[np.ndarray] = []
        self.mels: list[Tensor] = []
        self.ends: dict[int, np.ndarray] = {}
        for path in shards:
            shard, start = load_file(path), 0
            texts = path.with_suffix(".txt").read_text().splitlines()
            for row, text in zip(shard["utterances"].tolist(), texts, strict=True):
                audio = shard["audio"][start : row[0]]
                start = row[0]
                names = sentence_phones(text)
                self.audio.append(audio)
                self.rows.append(row)
                self.phones.append(np.array([SPANISH_PHONE_IDS[name] for name in names]))
                mel = log_mel(torch.from_numpy(audio)[None].float() / 32768.0, filterbank)[0]
                self.mels.append(mel.half())

    def align(self, numbers: Sequence[int], likelihood: Callable[[int], np.ndarray]) -> float:
        """Align utterances by (F, phones) log-likelihoods. Return the share that fits."""
        found = {}
        for number in numbers:
            ends, mean = align_states(likelihood(number), self.phones[number])
            if mean >= LEAST_LIKELIHOOD:
                found[number] = ends
        self.ends = found
        return len(found) / len(numbers)

    def labels(self, number: int) -> Tensor:
        """Return the state of every mel frame of an aligned utterance, (F,): halves of phones."""
        states = []
        lengths = np.diff(self.ends[number], prepend=0).tolist()
        for phone, length in zip(self.phones[number], lengths, strict=True):
            own = states_of(phone[None])
            states.append(np.repeat([own[0], own[-1]], [length - length // 2, length // 2]))
        return torch.from_numpy(np.concatenate(states))


def _likeness_ids(name: str) -> list[int]:
    """Return the ids of the English phones that sound like a Spanish one."""
    return [PHONE_IDS[each] for each in ENGLISH_LIKENESS.get(name.rstrip("1"), SILENCE).split()]


def first_likelihood(corpus: AlignedCorpus, encoder: ContentEncoder) -> Callable[[int], np.ndarray]:
    """Return the function from an utterance to the likelihood of Spanish phones by English ones."""
    filterbank = content_filterbank()
    groups = [_likeness_ids(name) for name in SPANISH_PHONES]

    def likelihood(number: int) -> np.ndarray:
        audio = torch.from_numpy(corpus.audio[number]).float() / 32768.0
        english = phone_likelihoods(encoder, audio, filterbank)
        spanish = [english[:, ids].logsumexp(dim=1) for ids in groups]
        heard = torch.stack(spanish, dim=1).clamp(min=-5.0)
        return torch.cat((heard, heard), dim=1).numpy()

    return likelihood


def classifier_likelihood(
    corpus: AlignedCorpus, model: PhoneClassifier
) -> Callable[[int], np.ndarray]:
    """
    Return the function from an utterance to the likelihood that the classifier hears: its
    posterior, divided by how frequent each state is.
    """
    counts = torch.ones(2 * len(SPANISH_PHONES))
    for number in corpus.ends:
        labels = corpus.labels(number)
        counts.index_add_(0, labels, torch.ones(labels.shape))
    prior = (counts / counts.sum()).log()

    @torch.inference_mode()
    def likelihood(number: int) -> np.ndarray:
        logits = model(corpus.mels[number].float()[None])[0]
        heard: np.ndarray = (logits.log_softmax(dim=-1) - prior).clamp(min=-9.0).numpy()
        return heard

    return likelihood


def train_classifier(corpus: AlignedCorpus, *, steps: int, seed: int) -> PhoneClassifier:
    """Train a classifier on the aligned utterances."""
    torch.manual_seed(seed)
    model = PhoneClassifier()
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    rng = random.Random(seed)
    numbers = sorted(corpus.ends)
    for _ in range(steps):
        picks = rng.sample(numbers, BATCH)
        mels = [corpus.mels[n][:CROP_FRAMES].float() for n in picks]
        labels = [corpus.labels(n)[:CROP_FRAMES] for n in picks]
        logits = model(nn.utils.rnn.pad_sequence(mels, batch_first=True))
        wanted = nn.utils.rnn.pad_sequence(labels, batch_first=True)
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), wanted.flatten(), ignore_index=0)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    print("classifier loss", float(loss.detach()), flush=True)
    return model


def align_corpus(shards: Sequence[Path], encoder: ContentEncoder, *, seed: int) -> AlignedCorpus:
    """Align the corpus in five passes, the last of them over all utterances."""
    corpus = AlignedCorpus(shards)
    numbers = list(range(len(corpus.rows)))
    first = numbers[:FIRST_UTTERANCES]
    print("fits", corpus.align(first, first_likelihood(corpus, encoder)), flush=True)
    for which in (first, first, first, numbers):
        model = train_classifier(corpus, steps=STEPS, seed=seed)
        print("fits", corpus.align(which, classifier_likelihood(corpus, model)), flush=True)
    return corpus


def slots(
    corpus: AlignedCorpus, number: int, names: Sequence[str]
) -> Iterator[tuple[int, int, int]]:
    """Yield the place of each phone of `names` and its first and last + 1 sample."""
    ends = np.clip((corpus.ends[number] - 0.5) * HOP, 1, None).astype(int)
    wanted = {SPANISH_PHONE_IDS[name] for name in names}
    for place, phone in enumerate(corpus.phones[number].tolist()):
        if phone in wanted and place:
            yield place, int(ends[place - 1]), min(int(ends[place]), corpus.audio[number].size)


def releases(corpus: AlignedCorpus, speaker: int) -> list[np.ndarray]:
    """Return the friction of a speaker's "ch": where it is loudest above 2 kHz, float64 (T,)."""
    high = butter(4, 2000.0, "highpass", fs=SAMPLE_RATE_HZ, output="sos")
    found = []
    for number in sorted(corpus.ends):
        if corpus.rows[number][1] != speaker:
            continue
        for _, start, end in slots(corpus, number, ("ch",)):
            if end - start < 800:
                continue
            part = corpus.audio[number][start:end] / 32768.0
            power = np.convolve(sosfiltfilt(high, part) ** 2, np.ones(160) / 160, "same")
            loud = np.flatnonzero(power > 0.35 * power.max())
            if loud[-1] - loud[0] >= 480:
                found.append(part[loud[0] : loud[-1]])
    return found


def joined(parts: Sequence[np.ndarray], length: int, fade: int) -> np.ndarray:
    """Join friction with crossfades to `length` samples or more, then cut it there."""
    whole = parts[0]
    for part in parts[1:]:
        if whole.size >= length:
            break
        ramp = np.sqrt(np.linspace(0.0, 1.0, fade))
        overlap = whole[-fade:] * ramp[::-1] + part[:fade] * ramp
        whole = np.concatenate((whole[:-fade], overlap, part[fade:]))
    return whole[:length]


def replace_palatals(
    corpus: AlignedCorpus, number: int, friction: list[np.ndarray], rng: random.Random
) -> None:
    """Replace every palatal of an utterance by "sh" or "zh", in sound and phones."""
    voiced = rng.random() < VOICED_SHARE
    audio = corpus.audio[number] / 32768.0
    phones = corpus.phones[number].copy()
    fade = round(FADE_S * SAMPLE_RATE_HZ)
    low = butter(4, VOICE_BAR_HZ, "lowpass", fs=SAMPLE_RATE_HZ, output="sos")
    for place, start, end in slots(corpus, number, PALATALS):
        start, end = max(0, start - fade // 2), min(audio.size, end + fade // 2)
        if end - start < 3 * fade:
            continue
        noise = joined(rng.choices(friction, k=12), end - start, fade)
        weight = np.minimum(1.0, np.arange(noise.size) / fade)
        weight = np.minimum(weight, weight[::-1])
        old = audio[start : start + noise.size]
        new = noise if not voiced else 0.7 * noise + sosfiltfilt(low, old)
        audio[start : start + noise.size] = old * (1 - weight) + new * weight
        phones[place] = SPANISH_PHONE_IDS["zh" if voiced else "sh"]
    corpus.audio[number] = np.round(np.clip(audio, -1, 1) * 32767).astype(np.int16)
    corpus.phones[number] = phones


def write(corpus: AlignedCorpus, out: Path, *, seed: int) -> None:
    """Write the aligned utterances as one shard in the form that `data.build` reads."""
    rng = random.Random(seed)
    friction = {speaker: releases(corpus, speaker) for speaker in range(4)}
    audios, phones, ends, rows = [], [], [], []
    for number in sorted(corpus.ends):
        _, speaker, rises, stretch = corpus.rows[number]
        if rng.random() < REPLACED_SHARE:
            replace_palatals(corpus, number, friction[speaker], rng)
        edge = (corpus.ends[number][-2] + LAST_PAUSE_FRAMES) * HOP
        audio = corpus.audio[number][:edge]
        samples = np.clip(corpus.ends[number] * HOP, 1, audio.size).astype(np.int32)
        samples[-1] = audio.size
        audios.append(audio)
        phones.append(corpus.phones[number].astype(np.int16))
        ends.append(samples)
        rows.append((audio.size, phones[-1].size, speaker, rises, stretch))
    table = np.array(rows, dtype=np.int64)
    table[:, :2] = table[:, :2].cumsum(axis=0)
    unfinished = out.with_suffix(".part")
    tensors = {"audio": np.concatenate(audios), "phones": np.concatenate(phones)}
    tensors |= {"ends": np.concatenate(ends), "utterances": table}
    save_file(tensors, unfinished)
    unfinished.rename(out)
