"""
The corpus of voice conversion: audio, phones with their ends, the decoder's mel and the pitch.

Reads the shards of `corpus.py` (exact times) and of `other_voices.py` (times found by `align.py`).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from voxgate.engine.alphabet import SAMPLE_RATE_HZ
from voxgate.engine.config.conversion import F0Method
from voxgate.engine.conversion.f0 import estimate_f0
from voxgate.engine.layers.mel import log_mel, mel_filterbank
from voxgate.engine.training.corpus import TOKENIZER_SPEAKERS
from voxgate.engine.training.data import bounds_of

VALIDATION = 100
"""The last utterances of each part, never trained on."""
FLITE_VOICES = len(TOKENIZER_SPEAKERS)
METHODS = (F0Method.DIO, F0Method.YIN)
"""Estimators of F0: they disagree on which frames are voiced, and the decoder is to bear it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpokenCorpus:
    """
    All utterances, concatenated.

    audio: int16 (T,). mel: fp16 (F, bands), the decoder's, not normalised. pitch: fp16
    (F, METHODS), natural logarithm of F0 in Hz, 0 where unvoiced. phones: int16 (P,). ends: int32
    (P,), in samples of their utterance; all 0 where they are unknown.
    rows: int64 (N, 8): first and last + 1 of audio, of mel frames and of phones, then the voice
    (0.. for flite's, FLITE_VOICES.. for other engines) and question (from 1).
    """

    audio: Tensor
    mel: Tensor
    pitch: Tensor
    phones: Tensor
    ends: Tensor
    rows: Tensor


def log_pitches(audio: Tensor, frames: int) -> Tensor:
    """
    Return the natural logarithm of F0 per mel frame by each of METHODS, 0 where unvoiced, fp16
    (F, METHODS). Args: audio int16 (T,).
    """
    samples = audio.numpy().astype(np.float32) / 32768.0
    tracks = [estimate_f0(samples, method).log[:frames] for method in METHODS]
    return torch.from_numpy(np.stack(tracks, axis=1)).half()


COLUMNS = ("audio", "mel", "pitch", "phones", "ends")


def build(shards: list[Path], out: Path, *, first_voice: int) -> None:
    """Compute mel and pitch of all shards and write them as one safetensors file."""
    filterbank = mel_filterbank(SAMPLE_RATE_HZ)
    columns: dict[str, list[Tensor]] = {name: [] for name in COLUMNS}
    labels: list[list[int]] = []
    for path in shards:
        shard = load_file(path)
        ends = shard.get("ends", torch.zeros_like(shard["phones"], dtype=torch.int32))
        audio_from = phones_from = 0
        for audio_to, phones_to, voice, *rest in shard["utterances"].tolist():
            audio = shard["audio"][audio_from:audio_to]
            mel = log_mel(audio[None].float() / 32768.0, filterbank)[0].half()
            pitch = log_pitches(audio, len(mel))
            phones = slice(phones_from, phones_to)
            parts = (audio, mel, pitch, shard["phones"][phones].short(), ends[phones])
            for name, part in zip(COLUMNS, parts, strict=True):
                columns[name].append(part)
            question = 1 + (rest[0] if rest else 0)
            labels.append([first_voice + voice, question])
            audio_from, phones_from = audio_to, phones_to
    bounds = [bounds_of(columns[name]) for name in ("audio", "mel", "phones")]
    rows = torch.cat((*bounds, torch.tensor(labels)), dim=1)
    save_file({name: torch.cat(parts) for name, parts in columns.items()} | {"rows": rows}, out)


def load(path: Path, ends: Path | None = None) -> SpokenCorpus:
    """Load the file that `build` wrote, with the ends that `align` wrote, if they are given."""
    tensors = load_file(path)
    if ends is not None:
        tensors |= load_file(ends)
    return SpokenCorpus(**tensors)
