"""
Records the voice prompt that a model receives (its mel, its text, how often it is encoded), and
compares it with the recording, which is read here once more.

Pipelines encode recordings through `pipeline.prompts.encode`; a counting stand-in replaces it.
Calls of the models during the encoding belong to the recording and not to the speech, so they are
removed from the records.

The mel is compared free of level, because engines level recordings, and at every offset, because
they trim them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import soxr
import torch
from torch import Tensor

from voxgate.engine.layers.mel import HOP, log_mel, mel_filterbank
from voxgate.harness.audio.files import read_audio
from voxgate.harness.records.cell import Option


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptSeen:
    """
    Record of the voice prompt, chunk by chunk of one observed synthesis.

    logs: (R, bands) log-mel of the prompt frames in the first call; R is 0 without a prompt.
    total: mel frames of the acoustic model's input.
    left: mel frames that reached the vocoder.
    texts: the text that the model received: phones by frame, or characters.
    unconditional_peak: the largest value of the prompt in the unconditional half of guidance.
    encoded: how many recordings were encoded.
    """

    logs: tuple[Tensor, ...]
    total: tuple[int, ...]
    left: tuple[int, ...]
    texts: tuple[tuple[str, ...], ...]
    unconditional_peak: float
    encoded: int


@contextmanager
def counting(prompts: Any, *records: list[Any]) -> Iterator[list[str]]:
    """
    Record the text of every recording that is encoded; `records` are left as if it had not been.
    `prompts` is None where a pipeline has none.
    """
    if prompts is None:
        yield []
        return
    encode: Callable[..., Any] = prompts.encode
    noted: list[str] = []

    def stand_in(content: bytes, text: str, speaker: str) -> Any:
        lengths = [len(record) for record in records]
        prompt = encode(content, text, speaker)
        for record, length in zip(records, lengths, strict=True):
            del record[length:]
        noted.append(text)
        return prompt

    prompts.encode = stand_in
    try:
        yield noted
    finally:
        prompts.encode = encode


def prompt_seen(
    copies: Sequence[Tensor],
    *,
    left: Sequence[int],
    texts: Sequence[tuple[str, ...]],
    encoded: int,
    scale: tuple[float, float],
) -> PromptSeen:
    """
    Return the record.

    Args:
        copies: the prompt mel of every chunk, conditional and, with guidance, unconditional, (1 or
            2, T, bands) each.
        left: see PromptSeen.
        texts: see PromptSeen.
        encoded: see PromptSeen.
        scale: mean and standard deviation by which the mel is normalised.
    """
    mean, std = scale
    mels = [mel.float().cpu() for mel in copies]
    unconditional = [float(mel[1:].abs().max()) for mel in mels if mel.shape[0] > 1]
    return PromptSeen(
        logs=tuple(mel[0, : _leading(mel[0])] * std + mean for mel in mels),
        total=tuple(mel.shape[1] for mel in mels),
        left=tuple(left),
        texts=tuple(texts),
        unconditional_peak=max(unconditional, default=0.0),
        encoded=encoded,
    )


def _leading(mel: Tensor) -> int:
    """Return the number of rows before the first that is all zeros."""
    empty = torch.nonzero((mel == 0).all(dim=1))
    return int(empty[0]) if empty.numel() else len(mel)


EDGE = 10
"""Mel frames at both ends that hold silence which the engine added, or half a window of it."""
ABOVE_FLOOR = 1.0
"""
Natural log above the floor from which a band counts: below it the floor itself varies with the
level.
"""
HOP_PARTS = 4
"""Of the distance of two mel frames, at which a recording is compared."""
LEAST_COUNTED = 0.2
"""Share of the bands that must count, or nothing was compared."""
FARTHEST = 0.1
"""
Mean absolute difference of log-mels, natural log, up to which it is the recording. A test shows
that the same recording is five times nearer, and others five times farther.
"""


def recording_seen(
    requested: Mapping[str, Option], seen: PromptSeen, rate_hz: int, floor: float
) -> tuple[str, bool]:
    """
    Return in words what was observed of a recording, and whether it is the requested one and no
    part of the speech.

    Args:
        asked: options; `reference` is a path, or "" for none.
        seen: the record.
        rate_hz: of the engine's audio.
        floor: of the engine's log-mel.
    """
    lengths = [len(log) for log in seen.logs]
    if not requested["reference"]:
        return (
            f"{max(lengths)} known frames" if any(lengths) else "nothing to copy from"
        ), not any(lengths)
    apart = max(
        (distance(log, Path(str(requested["reference"])), rate_hz, floor) for log in seen.logs),
        default=np.inf,
    )
    cut = [total - left for total, left in zip(seen.total, seen.left, strict=True)]
    observed = f"{max(lengths, default=0)} mel frames in front, {apart:.3f} from the recording's"
    if cut != lengths:
        return f"{observed}; {max(cut, default=0)} frames were cut off afterwards", False
    if seen.unconditional_peak:
        return f"{observed}, known to the unconditional half, too", False
    return f"{observed}, worked out {seen.encoded} times", apart <= FARTHEST


def distance(log: Tensor, path: Path, rate_hz: int, floor: float) -> float:
    """
    Return the mean absolute difference to the most similar part of the recording, free of level;
    infinity where nothing compares. Engines that trim a recording begin between two frames of it,
    so parts of a hop are tried, too.
    """
    samples, recorded_hz = read_audio(path)
    audio = torch.from_numpy(
        np.asarray(soxr.resample(samples, recorded_hz, rate_hz), dtype=np.float32)
    )
    filters = mel_filterbank(rate_hz, bands=log.shape[1])
    inner, least = log[EDGE:-EDGE], float(np.log(floor)) + ABOVE_FLOOR
    nearest = float(np.inf)
    for start in range(0, HOP, HOP // HOP_PARTS):
        whole = log_mel(audio[None, start:], filters, floor=floor)[0]
        places = range(len(whole) - len(inner) + 1) if len(inner) else range(0)
        apart = (_apart(inner, whole[at : at + len(inner)], least) for at in places)
        nearest = min(nearest, *apart, np.inf)
        if nearest <= FARTHEST:
            break
    return nearest


def run_together(names: Sequence[str]) -> list[str]:
    """Return the names in order, each run of the same name once."""
    return [name for name, _ in groupby(names)]


def _apart(mel: Tensor, other: Tensor, least: float) -> float:
    counts = (mel > least) & (other > least)
    if counts.float().mean() < LEAST_COUNTED:
        return float("inf")
    difference = (mel - other)[counts]
    return float((difference - difference.median()).abs().mean())
