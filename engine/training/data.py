"""
The training corpus as tensors: audio, log-mel, and the labels of every mel frame.

Reads the shards of `corpus.py`.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from voxgate.engine.alphabet import SAMPLE_RATE_HZ
from voxgate.engine.duration.alignment import expand_to_frames
from voxgate.engine.layers.mel import HOP, log_mel, mel_filterbank


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """
    All utterances, concatenated.

    audio: int16 (T,).
    mel: fp16 (F, bands).
    phone, place: int16 (F,), the labels of every mel frame as in `FrameConditioning`.
    phones, frames: int16 (P,), every phone and the mel frames that it lasts.
    rows: int64 (N, 8): first and last + 1 of audio, of mel frames and of phones, then speaker and
    question (both counted from 1).
    stretch: float (N,).
    mean, std: of the log-mel.
    """

    audio: Tensor
    mel: Tensor
    phone: Tensor
    place: Tensor
    phones: Tensor
    frames: Tensor
    rows: Tensor
    stretch: Tensor
    mean: float
    std: float


def frame_ends(ends: Tensor, frames: int) -> Tensor:
    """
    Round phone ends (in samples) to mel frames; they stay ascending, and the last one is `frames`.
    """
    rounded = torch.round(ends.double() / HOP).long().clamp(max=frames)
    rounded[-1] = frames
    return torch.cummax(rounded, 0).values


def _read_shard(path: Path, filterbank: Tensor) -> dict[str, list[Tensor]]:
    shard = load_file(path)
    out: dict[str, list[Tensor]] = {
        name: [] for name in ("audio", "mel", "phone", "place", "phones", "frames", "labels")
    }
    audio_from = phones_from = 0
    for audio_to, phones_to, speaker, question, stretch in shard["utterances"].tolist():
        audio = shard["audio"][audio_from:audio_to]
        phones, ends = (
            shard["phones"][phones_from:phones_to].long(),
            shard["ends"][phones_from:phones_to],
        )
        mel = log_mel(audio[None].float() / 32768.0, filterbank)[0]
        durations = torch.diff(
            frame_ends(ends, mel.shape[0]), prepend=torch.zeros(1, dtype=torch.long)
        )
        phone, place = expand_to_frames(phones, durations)
        labels = torch.tensor([speaker + 1, question + 1, stretch])
        for name, value in zip(
            out,
            (audio, mel.half(), phone.short(), place.short(), phones, durations, labels),
            strict=True,
        ):
            out[name].append(value)
        audio_from, phones_from = audio_to, phones_to
    return out


def bounds_of(parts: list[Tensor]) -> Tensor:
    """Return first and last + 1 of each part when all are concatenated, int64 (N, 2)."""
    lengths = torch.tensor([part.shape[0] for part in parts])
    ends = torch.cumsum(lengths, 0)
    return torch.stack((ends - lengths, ends), dim=1)


def build(shards: list[Path], out: Path) -> None:
    """Compute mel and frame labels of all shards and write them as one safetensors file."""
    filterbank = mel_filterbank(SAMPLE_RATE_HZ)
    parts: dict[str, list[Tensor]] = {}
    for path in shards:
        for name, values in _read_shard(path, filterbank).items():
            parts.setdefault(name, []).extend(values)
    labels = torch.stack(parts.pop("labels"))
    rows = torch.cat(
        (bounds_of(parts["audio"]), bounds_of(parts["mel"]), bounds_of(parts["phones"]), labels),
        dim=1,
    )
    tensors = {name: torch.cat(values) for name, values in parts.items()} | {"rows": rows}
    sample = tensors["mel"][::7].float()
    tensors["scale"] = torch.stack((sample.mean(), sample.std()))
    save_file(tensors, out)


def load(path: Path) -> Corpus:
    """Load the file that `build` wrote."""
    t = load_file(path)
    mean, std = t["scale"].tolist()
    return Corpus(
        audio=t["audio"], mel=t["mel"], phone=t["phone"], place=t["place"], phones=t["phones"],
        frames=t["frames"],
        rows=t["rows"][:, :8], stretch=t["rows"][:, 8] / 1000.0, mean=mean, std=std,
    )  # fmt: skip
