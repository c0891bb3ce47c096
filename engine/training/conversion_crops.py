"""
Batches of voice conversion: crops of utterances, as the encoder hears them and as they are.

The encoder hears every utterance as another voice in another room: resampled (pitch and formants
move together), its spectrum warped (formants alone), faster or slower, filtered, with reverberation
and noise.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import soxr
import torch
from torch import Tensor

from voxgate.engine.alphabet import SAMPLE_RATE_HZ, SPEAKERS
from voxgate.engine.conversion.content_encoder import (
    BANDS,
    MEL_SCALE,
    content_filterbank,
    content_log_mel,
    levelled,
)
from voxgate.engine.duration.frames import PLACES, FrameConditioning
from voxgate.engine.layers.mel import HOP
from voxgate.engine.training.conversion_data import FLITE_VOICES, VALIDATION, SpokenCorpus

CROP = 112
"""Mel frames of an item."""
STRETCHES = (0.26, 0.26, 0.42)
"""
Largest logarithm of the factor by which an item of each part is resampled: most for the recordings,
since few persons speak them.
"""
STRETCHED_SHARE = 0.6
TEMPO = (-0.1, 0.2)
"""
Bounds of the logarithm of the factor by which all items of a batch are faster, at their own pitch:
flite speaks slowly.
"""
WARP_SPREAD = 0.10
BATCH = (9, 5, 6)
"""Items of flite's voices, of other engines, and of human recordings."""
EDGE_FRAMES = 6
"""Frames at a cut through speech whose context is not whole."""
OTHER_MEL_WEIGHT = 0.3
"""Of the mel of all but flite's voices, none of which is a voice to convert to."""
LARGEST_PITCH = 1.0
"""Of the logarithm of F0 less its median."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversionBatch:
    """
    heard: (B, F, BANDS), the encoder's input. mel: (B, F, bands), normalised. reference: as mel,
    of the same voice elsewhere. pitch, voiced: (B, F). frames: labels (B, F), the speaker drawn at
    random. whole: (B, F), True away from cuts. weight: (B,), of the mel.
    """

    heard: Tensor
    mel: Tensor
    reference: Tensor
    pitch: Tensor
    voiced: Tensor
    frames: FrameConditioning
    whole: Tensor
    weight: Tensor


class _Item(NamedTuple):
    audio: Tensor
    mel: Tensor
    reference: Tensor
    pitch: Tensor
    voiced: Tensor
    phone: Tensor
    place: Tensor
    question: Tensor
    whole: Tensor
    weight: Tensor


class SpokenRow(NamedTuple):
    """One row of `SpokenCorpus.rows`."""

    audio_from: int
    audio_to: int
    mel_from: int
    mel_to: int
    phones_from: int
    phones_to: int
    voice: int
    question: int


class Draws:
    """Random numbers of one batch, one per item: (count, 1) each."""

    def __init__(self, count: int, generator: torch.Generator) -> None:
        self.count = count
        self.generator = generator

    def uniform(self, low: float, high: float) -> Tensor:
        """Draw between two bounds."""
        return low + (high - low) * torch.rand((self.count, 1), generator=self.generator)

    def some(self, share: float) -> Tensor:
        """Draw True with a probability."""
        return torch.rand((self.count, 1), generator=self.generator) < share

    def normal(self, columns: int) -> Tensor:
        """Draw normal numbers, (count, columns)."""
        return torch.randn((self.count, columns), generator=self.generator)


def augmented_mel(audio: Tensor, filterbank: Tensor, draws: Draws, hop: int) -> Tensor:
    """
    Return the encoder's input (B, CROP, BANDS) of crops of audio (B, T), in other rooms; its frames
    are `hop` samples apart.
    """
    length = 2 * audio.shape[-1]  # so that no echo comes round
    spectrum = torch.fft.rfft(audio, length) * channel_response(length, draws)
    heard = levelled(torch.fft.irfft(spectrum, length)[:, : audio.shape[-1]])
    heard = with_noise(heard, draws)
    mel = warped(content_log_mel(levelled(heard), filterbank, hop)[:, :CROP], draws)
    mel = (mel - mel.mean(dim=1, keepdim=True)) * MEL_SCALE
    first = draws.uniform(0.0, BANDS - 6.0)
    bands = torch.arange(BANDS)[None]
    hidden = (bands >= first) & (bands < first + draws.uniform(2.0, 8.0)) & draws.some(0.3)
    return mel.masked_fill(hidden[:, None], 0.0)


def channel_response(length: int, draws: Draws) -> Tensor:
    """Draw the responses of a microphone and a room, complex (B, length / 2 + 1)."""
    share = torch.linspace(0.0, 1.0, length // 2 + 1)[None]
    wave = torch.cos(math.pi * (draws.uniform(0.5, 3.0) * share + draws.uniform(0.0, 2.0)))
    tilt_db = draws.uniform(0.0, 8.0) * wave + draws.uniform(-10.0, 6.0) * share
    gain = 10.0 ** (tilt_db * draws.some(0.6) / 20.0)
    cutoff = torch.where(draws.some(0.2), draws.uniform(0.40, 0.9), 2.0 * torch.ones(1, 1))
    gain = gain * torch.sigmoid((cutoff - share) * 60.0)
    taps = int(0.4 * SAMPLE_RATE_HZ)
    at_s = torch.arange(taps)[None] / SAMPLE_RATE_HZ
    tail = draws.normal(taps) * torch.exp(-6.9 * at_s / draws.uniform(0.1, 0.6))
    tail = tail / tail.square().sum(dim=1, keepdim=True).sqrt()
    tail = tail * draws.some(0.4) * 10.0 ** (-draws.uniform(0.0, 14.0) / 20.0)
    tail[:, 0] += 1.0
    response: Tensor = gain * torch.fft.rfft(tail, length)
    return response


def with_noise(heard: Tensor, draws: Draws) -> Tensor:
    """Add coloured noise to some items, and other items' speech to some of these."""
    white = torch.fft.rfft(draws.normal(heard.shape[-1]))
    bins = torch.arange(1, white.shape[-1] + 1)
    coloured = torch.fft.irfft(white * bins ** -draws.uniform(0.0, 0.9), heard.shape[-1])
    babble = draws.some(0.25)
    speech = heard.roll(1, 0) + heard.roll(3, 0)
    noise = torch.where(babble, levelled(speech), levelled(coloured))
    snr_db = torch.where(babble, draws.uniform(8.0, 30.0), draws.uniform(4.0, 40.0))
    return heard + draws.some(0.7) * noise * 10.0 ** (-snr_db / 20.0)


def warped(mel: Tensor, draws: Draws) -> Tensor:
    """Warp the bands by exp(WARP_SPREAD N): vocal tract length (Jaitly & Hinton 2013)."""
    factor = torch.exp(WARP_SPREAD * draws.normal(1))
    at = (torch.arange(BANDS) * factor).clamp(max=BANDS - 1.001)
    left = at.long()
    share = (at - left)[:, None].expand_as(mel)
    index = left[:, None].expand(-1, mel.shape[1], -1)
    return torch.lerp(mel.gather(2, index), mel.gather(2, index + 1), share)


class ConversionCrops:
    """Makes the batch of any step from the seed and the step alone."""

    def __init__(
        self, parts: tuple[SpokenCorpus, ...], scale: tuple[float, float], seed: int
    ) -> None:
        self.parts = parts
        self.mean, self.std = scale
        self.seed = seed
        self.filterbank = content_filterbank()
        self.usable = [
            _usable(part, int((CROP + 4) * math.exp(stretch)))
            for part, stretch in zip(parts, STRETCHES, strict=False)
        ]
        voices = parts[0].rows[self.usable[0], 6]
        self.by_voice = [self.usable[0][voices == voice] for voice in range(FLITE_VOICES)]
        self.medians = median_pitches(parts[0])

    def __call__(self, step: int) -> ConversionBatch:
        """Return the batch of a step."""
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + step)
        slow, fast = TEMPO
        drawn = float(torch.rand((1,), generator=generator))
        hop = round(HOP * math.exp(slow + (fast - slow) * drawn))
        items = [
            self._item(part, generator, hop)
            for part, count in enumerate(BATCH[: len(self.parts)])
            for _ in range(count)
        ]
        stacked = _Item(*map(torch.stack, zip(*items, strict=True)))
        speaker = torch.randint(1, len(SPEAKERS) + 1, (len(items), 1), generator=generator)
        frames = FrameConditioning(
            phone=stacked.phone,
            place=stacked.place,
            speaker=speaker.expand(-1, CROP),
            question=stacked.question[:, None].expand(-1, CROP),
        )
        draws = Draws(len(items), generator)
        return ConversionBatch(
            heard=augmented_mel(stacked.audio, self.filterbank, draws, hop),
            mel=stacked.mel,
            reference=stacked.reference,
            pitch=stacked.pitch,
            voiced=stacked.voiced,
            frames=frames,
            whole=stacked.whole,
            weight=stacked.weight,
        )

    def _item(self, part: int, generator: torch.Generator, hop: int) -> _Item:
        corpus = self.parts[part]
        row = _drawn(corpus, self.usable[part], generator)
        a, b, c, d = torch.rand(4, generator=generator).tolist()
        stretch = math.exp((2 * a - 1) * STRETCHES[part]) if b < STRETCHED_SHARE else 1.0
        tempo = hop / HOP
        stretch = min(stretch, math.exp(STRETCHES[part]) / tempo)
        slack = row.mel_to - row.mel_from - int((CROP + 3) * stretch * tempo) - 1
        # a tenth on either side, so that the beginning and the end of utterances are frequent
        first = round(min(max(c * 1.2 - 0.1, 0.0), 1.0) * slack)
        at = first + torch.arange(CROP) * stretch * tempo
        other = row if part else _drawn(corpus, self.by_voice[row.voice], generator)
        start = other.mel_from + int(
            torch.randint(other.mel_to - other.mel_from - CROP, (1,), generator=generator)
        )
        method = int(d * corpus.pitch.shape[1])
        pitch = corpus.pitch[row.mel_from + torch.round(at).long(), method].float()
        median = _median(corpus, row) if part else self.medians[row.voice]
        whole = torch.ones(CROP, dtype=torch.bool)
        whole[:EDGE_FRAMES] = first == 0
        whole[-EDGE_FRAMES:] = first == slack
        phone, place = labels_at(corpus, row, at)
        return _Item(
            audio=crop_audio(corpus, row.audio_from + first * HOP, stretch, hop),
            mel=(mel_at(corpus, row, at) - self.mean) / self.std,
            reference=(corpus.mel[start : start + CROP].float() - self.mean) / self.std,
            pitch=((pitch - median) * (pitch > 0)).clamp(-LARGEST_PITCH, LARGEST_PITCH),
            voiced=(pitch > 0).float(),
            phone=phone,
            place=place,
            question=torch.tensor(row.question),
            whole=whole,
            weight=torch.tensor(OTHER_MEL_WEIGHT if part else 1.0),
        )


def _usable(part: SpokenCorpus, needed: int) -> Tensor:
    """Return the training utterances that are long enough and whose phones have times."""
    rows = part.rows[: len(part.rows) - VALIDATION]
    long = rows[:, 3] - rows[:, 2] > needed
    return torch.nonzero(long & (part.ends[rows[:, 5] - 1] > 0)).squeeze(1)


def _drawn(corpus: SpokenCorpus, numbers: Tensor, generator: torch.Generator) -> SpokenRow:
    pick = torch.randint(len(numbers), (1,), generator=generator)
    return SpokenRow(*corpus.rows[numbers[pick]][0].tolist())


def crop_audio(corpus: SpokenCorpus, start: int, stretch: float, hop: int) -> Tensor:
    """
    Return the audio of CROP frames, `hop` samples apart, from a sample on, resampled to be
    1 / stretch as long.
    """
    samples = (CROP - 1) * hop + 1
    taken = corpus.audio[start : start + math.ceil(samples * stretch) + 400]
    signal = taken.numpy().astype(np.float32) / 32768.0
    if stretch != 1.0:
        signal = soxr.resample(signal, SAMPLE_RATE_HZ * stretch, SAMPLE_RATE_HZ, quality="LQ")
    return torch.from_numpy(np.ascontiguousarray(signal[:samples]))


def mel_at(corpus: SpokenCorpus, row: SpokenRow, at: Tensor) -> Tensor:
    """Interpolate an utterance's mel at fractional frames (F,), (F, bands)."""
    left = at.long()
    span = corpus.mel[row.mel_from + int(left[0]) : row.mel_from + int(left[-1]) + 2].float()
    share = (at - left)[:, None]
    left = left - left[0]
    return torch.lerp(span[left], span[left + 1], share)


def median_pitches(corpus: SpokenCorpus) -> list[float]:
    """Return the median logarithm of F0 of each of flite's voices."""
    found = []
    for voice in range(FLITE_VOICES):
        rows = corpus.rows[corpus.rows[:, 6] == voice][:200].tolist()
        pitch = torch.cat([corpus.pitch[row[2] : row[3]] for row in rows]).float()
        found.append(float(pitch[pitch > 0].median()))
    return found


def _median(corpus: SpokenCorpus, row: SpokenRow) -> float:
    """Return the median logarithm of F0 of one utterance; of a whisper, any."""
    pitch = corpus.pitch[row.mel_from : row.mel_to].float()
    voiced = pitch[pitch > 0]
    return float(voiced.median()) if len(voiced) > 8 else 5.0


def labels_at(corpus: SpokenCorpus, row: SpokenRow, at: Tensor) -> tuple[Tensor, Tensor]:
    """Return phone and place in the phone, (F,) each, at fractional frames of an utterance."""
    ends = corpus.ends[row.phones_from : row.phones_to].double()
    phones = corpus.phones[row.phones_from : row.phones_to].long()
    samples = at.double() * HOP
    index = torch.searchsorted(ends, samples, right=True).clamp(max=len(phones) - 1)
    starts = torch.cat((torch.zeros(1, dtype=torch.double), ends[:-1]))
    share = (samples - starts[index]) / (ends[index] - starts[index]).clamp(min=1.0)
    place = 1 + (share * PLACES).long().clamp(0, PLACES - 1)
    return phones[index], place
