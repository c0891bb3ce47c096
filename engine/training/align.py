"""
Find the times of known phones in a recording, by a content encoder: Viterbi's algorithm.

A phone lasts one frame or more, and a pause that flite reads may be missing.
"""

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from voxgate.engine.alphabet import PHONE_IDS, SILENCE
from voxgate.engine.conversion.content_encoder import (
    ContentEncoder,
    content_filterbank,
    content_mel,
)
from voxgate.engine.layers.mel import HOP
from voxgate.engine.training.conversion_data import SpokenCorpus

SKIP_COST = 6.0
"""Of leaving out a phone that is no pause, in nats: other engines read some words differently."""
LEAST_LIKELIHOOD = -2.2
"""Mean log-likelihood per frame below which an alignment is not believed."""


def align_phones(log_likelihood: np.ndarray, phones: np.ndarray) -> tuple[np.ndarray, float]:
    """
    Align phones in order to frames.

    Args:
        log_likelihood: (F, all phones).
        phones: ids (P,).

    Returns: the frame behind the last one of each phone, int64 (P,), and the mean log-likelihood
    per frame on the path, -inf where there is none.
    """
    emitted = log_likelihood[:, phones]
    pause = phones == PHONE_IDS[SILENCE]
    skip = np.where(pause, 0.0, SKIP_COST)
    count = len(phones)
    score = np.full(count, -np.inf)
    score[0] = emitted[0, 0]
    if count > 1:
        score[1] = emitted[0, 1] - skip[0]
    came = np.zeros(emitted.shape, dtype=np.int64)
    for frame in range(1, len(emitted)):
        one = np.concatenate(([-np.inf], score[:-1]))
        two = np.concatenate(([-np.inf, -np.inf], score[:-2] - skip[1:-1]))
        options = np.stack((score, one, two))
        came[frame] = options.argmax(axis=0)
        score = options.max(axis=0) + emitted[frame]
    last = count - 1 if count < 2 or score[-1] >= score[-2] - skip[-1] else count - 2
    path = np.zeros(len(emitted), dtype=np.int64)
    path[-1] = last
    for frame in range(len(emitted) - 1, 0, -1):
        path[frame - 1] = path[frame] - came[frame, path[frame]]
    ends = np.searchsorted(path, np.arange(count), side="right")
    return ends, float(score[last] / len(emitted))


@torch.inference_mode()
def phone_likelihoods(encoder: ContentEncoder, audio: Tensor, filterbank: Tensor) -> Tensor:
    """Return the log-likelihood of every phone in every frame of audio (T,), (F, phones)."""
    mel = content_mel(audio[None], filterbank)
    return encoder.phones(encoder(mel))[0].float().log_softmax(dim=-1)


def align(corpus: SpokenCorpus, encoder: ContentEncoder, out: Path) -> float:
    """
    Write the ends of all phones of a corpus, in samples; 0 in utterances that do not fit their
    phones. Return the share of utterances that fit.
    """
    filterbank = content_filterbank()
    ends = torch.zeros(corpus.phones.shape, dtype=torch.int32)
    fitting = 0
    for row in corpus.rows.tolist():
        audio = corpus.audio[row[0] : row[1]].float() / 32768.0
        likelihood = phone_likelihoods(encoder, audio, filterbank).numpy()
        phones = corpus.phones[row[4] : row[5]].numpy().astype(np.int64)
        found, mean = align_phones(likelihood, phones)
        if mean >= LEAST_LIKELIHOOD:
            samples = np.minimum((found - 0.5) * HOP, row[1] - row[0]).clip(min=1)
            samples[-1] = row[1] - row[0]
            ends[row[4] : row[5]] = torch.from_numpy(samples).int()
            fitting += 1
    save_file({"ends": ends}, out)
    return fitting / len(corpus.rows)
