"""
The corpus of the speech tokeniser and of T3: mel at 50 frames per second with its phones.

Reads the shards of `corpus.py`; the codes are added when the tokeniser is trained.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from voxgate.engine.duration.alignment import expand_to_frames
from voxgate.engine.tokens.speech_tokenizer import (
    HOP,
    TOKEN_SAMPLES,
    SpeechTokenizer,
    token_filterbank,
    token_mel,
)
from voxgate.engine.training.data import bounds_of, frame_ends

VALIDATION = 100
"""The last utterances, never trained on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenCorpus:
    """
    All utterances, concatenated.

    mel: fp16 (F, bands), as `token_mel` makes it; two frames per token.
    phone: int16 (F,), the phone at the centre of each frame.
    index: int16 (F,), the number of that phone in its utterance.
    mel_phone, mel_place: int16 (G,), the labels of the decoder's mel frames, five for two tokens.
    phones: int16 (P,).
    rows: int64 (N, 8): first and last + 1 of frames, of the decoder's frames and of phones, then
    speaker and question (both from 1). Every utterance has an even number of tokens.
    stretch: fp32 (N,), of flite's own durations.
    codes: int16 (F / 2,), empty until the tokeniser has run.
    """

    mel: Tensor
    phone: Tensor
    index: Tensor
    mel_phone: Tensor
    mel_place: Tensor
    phones: Tensor
    rows: Tensor
    stretch: Tensor
    codes: Tensor

    @property
    def training(self) -> int:
        """Number of utterances to train on; the others are for validation."""
        return self.rows.shape[0] - VALIDATION


FIELDS = ("mel", "phone", "index", "mel_phone", "mel_place", "phones")


def _utterance(
    audio: Tensor, phones: Tensor, ends: Tensor, filterbank: Tensor
) -> tuple[Tensor, ...]:
    tokens = -(-audio.shape[0] // (2 * TOKEN_SAMPLES)) * 2
    padded = torch.nn.functional.pad(
        audio.float() / 32768.0, (0, tokens * TOKEN_SAMPLES - audio.shape[0])
    )
    mel = token_mel(padded, filterbank)
    at = torch.arange(2 * tokens) * HOP
    index = torch.searchsorted(ends.long(), at, right=True).clamp(max=phones.numel() - 1)
    frames = tokens * 5 // 2
    durations = torch.diff(frame_ends(ends, frames), prepend=torch.zeros(1, dtype=torch.long))
    mel_phone, mel_place = expand_to_frames(phones, durations)
    return (
        mel.half(), phones[index].short(), index.short(), mel_phone.short(), mel_place.short(),
        phones.short(),
    )  # fmt: skip


def build(shards: list[Path], out: Path) -> None:
    """Compute mel and labels of all shards and write them as one safetensors file."""
    filterbank = token_filterbank()
    columns: dict[str, list[Tensor]] = {name: [] for name in FIELDS}
    labels: list[list[int]] = []
    stretches: list[float] = []
    for path in shards:
        shard = load_file(path)
        audio_from = phones_from = 0
        for audio_to, phones_to, speaker, question, stretch in shard["utterances"].tolist():
            parts = _utterance(
                shard["audio"][audio_from:audio_to],
                shard["phones"][phones_from:phones_to].long(),
                shard["ends"][phones_from:phones_to],
                filterbank,
            )
            for name, part in zip(FIELDS, parts, strict=True):
                columns[name].append(part)
            labels.append([speaker + 1, question + 1])
            stretches.append(stretch / 1000.0)
            audio_from, phones_from = audio_to, phones_to
    bounds = [bounds_of(columns[name]) for name in ("mel", "mel_phone", "phones")]
    tensors = {name: torch.cat(parts) for name, parts in columns.items()}
    tensors["rows"] = torch.cat((*bounds, torch.tensor(labels)), dim=1)
    save_file(tensors | {"stretch": torch.tensor(stretches)}, out)


def load(path: Path, codes: Path | None = None) -> TokenCorpus:
    """Load the file that `build` wrote, and the codes that `tokenize` wrote."""
    tensors = load_file(path)
    return TokenCorpus(
        **tensors, codes=load_file(codes)["codes"] if codes else torch.zeros(0, dtype=torch.int16)
    )


@torch.inference_mode()
def tokenize(corpus: TokenCorpus, tokenizer: SpeechTokenizer, out: Path) -> TokenCorpus:
    """Tokenise every utterance, write the codes to `out`, and return the corpus with them."""
    codes = [
        tokenizer.quantizer.codes(tokenizer(corpus.mel[first:last].float()[None]))[0].short()
        for first, last, *_ in corpus.rows.tolist()
    ]
    save_file({"codes": torch.cat(codes)}, out)
    return replace(corpus, codes=torch.cat(codes))
