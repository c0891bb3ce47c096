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
from voxgate.engine.layers.mel import HOP, log_mel, mel_filterbank
from voxgate.engine.training.corpus import TOKENIZER_SPEAKERS
from voxgate.engine.training.data import bounds_of

VALIDATION = 100
"""The last utterances of each part, never trained on."""
FLITE_VOICES = len(TOKENIZER_SPEAKERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpokenCorpus:
    """
    All utterances, concatenated.

    audio: int16 (T,). mel: fp16 (F, bands), the decoder's, not normalised. pitch: fp16 (F,),
    natural logarithm of F0 in Hz, 0 where unvoiced. phones: int16 (P,). ends: int32 (P,), in
    samples of their utterance; all 0 where they are unknown.
    rows: int64 (N, 8): first and last + 1 of audio, of mel frames and of phones, then the voice
    (0.. for flite's, FLITE_VOICES.. for other engines) and question (from 1).
    """

    audio: Tensor
    mel: Tensor
    pitch: Tensor
    phones: Tensor
    ends: Tensor
    rows: Tensor


def log_pitch(audio: np.ndarray, frames: int) -> np.ndarray:
    """Return the natural logarithm of F0 per mel frame by WORLD's DIO, 0 where unvoiced, (F,)."""
    import pyworld

    signal = audio.astype(np.float64) / 32768.0
    f0, at_s = pyworld.dio(signal, SAMPLE_RATE_HZ, frame_period=1000.0 * HOP / SAMPLE_RATE_HZ)
    f0 = pyworld.stonemask(signal, f0, at_s, SAMPLE_RATE_HZ)
    f0 = np.pad(f0, (0, max(0, frames - f0.size)))[:frames]
    return np.asarray(np.log(f0, out=np.zeros_like(f0), where=f0 > 0), dtype=np.float16)


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
            pitch = torch.from_numpy(log_pitch(audio.numpy(), len(mel)))
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
