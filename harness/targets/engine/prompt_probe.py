"""
Watches what an engine is told of a reference recording: what it may copy from, what that is said to
say, how often it is worked out. It judges nothing and believes nothing.

Both pipelines work recordings out through `pipeline.prompts.encode`; the observer stands in for it
and counts. What the models did meanwhile belongs to the recording and not to the speech, so it is
taken out of the records again.

Holds what an engine was seen to be told of a recording against the recording itself, which is read
here once more.

The mel is compared free of level, since engines level recordings, and at every place, since they
trim them.
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

from engine.layers.mel import log_mel, mel_filterbank
from harness.audio.files import read_audio
from harness.records.cell import Option


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptSeen:
    """
    The recording, chunk by chunk of one observed synthesis.

    logs: (R, bands) log-mel of the frames that the first call could copy from; R is 0 where there
    were none.
    total: mel frames that the acoustic model worked on.
    left: mel frames that reached the vocoder.
    texts: what was told to be said: phones by frame, or characters.
    untold: the largest value that the untold half of guidance could copy.
    encoded: how many recordings were worked out.
    """

    logs: tuple[Tensor, ...]
    total: tuple[int, ...]
    left: tuple[int, ...]
    texts: tuple[tuple[str, ...], ...]
    untold: float
    encoded: int


@contextmanager
def counting(prompts: Any, *records: list[Any]) -> Iterator[list[str]]:
    """
    Note the text of every recording that is worked out; `records` are left as if it had not been.
    """
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
    Make the record.

    Args: copies: what every chunk could copy from, told and, where it is guided, untold, (1 or 2,
        T, bands) each. left: see PromptSeen. texts: see PromptSeen. encoded: see PromptSeen. scale:
        mean and spread by which the mel is normalised.
    """
    mean, std = scale
    known = [each.float().cpu() for each in copies]
    return PromptSeen(
        logs=tuple(each[0, : _leading(each[0])] * std + mean for each in known),
        total=tuple(each.shape[1] for each in known),
        left=tuple(left),
        texts=tuple(texts),
        untold=max(
            (float(each[1:].abs().max()) for each in known if each.shape[0] > 1), default=0.0
        ),
        encoded=encoded,
    )


def _leading(known: Tensor) -> int:
    """Count the rows before the first that is all zeros."""
    empty = torch.nonzero((known == 0).all(dim=1))
    return int(empty[0]) if empty.numel() else len(known)


EDGE = 10
"""Mel frames at both ends that hold silence which the engine put there, or half a window of it."""
ABOVE_FLOOR = 1.0
"""
Natural log above the floor from which a band counts: below it the floor itself differs with the
level.
"""
LEAST_COUNTED = 0.2
"""Share of the bands that must count, or nothing was compared."""
FARTHEST = 0.1
"""
Mean absolute difference of log-mels, natural log, up to which it is the recording. A test holds
that the same one is five times nearer, and others five times farther.
"""


def recording_seen(
    asked: Mapping[str, Option], seen: PromptSeen, rate_hz: int, floor: float
) -> tuple[str, bool]:
    """
    Tell what was seen of a recording, and whether it is the one that was asked for and no part of
    the speech.

    Args:
        asked: options; `reference` is a path, or "" for none.
        seen: the observation.
        rate_hz: of the engine's audio.
        floor: of the engine's log-mel.
    """
    lengths = [len(log) for log in seen.logs]
    if not asked["reference"]:
        return (
            f"{max(lengths)} known frames" if any(lengths) else "nothing to copy from"
        ), not any(lengths)
    apart = max(
        (distance(log, Path(str(asked["reference"])), rate_hz, floor) for log in seen.logs),
        default=np.inf,
    )
    cut = [total - left for total, left in zip(seen.total, seen.left, strict=True)]
    observed = f"{max(lengths, default=0)} mel frames in front, {apart:.3f} from the recording's"
    if cut != lengths:
        return f"{observed}; {max(cut, default=0)} frames were cut off afterwards", False
    if seen.untold:
        return f"{observed}, known to the untold half, too", False
    return f"{observed}, worked out {seen.encoded} times", apart <= FARTHEST


def distance(log: Tensor, path: Path, rate_hz: int, floor: float) -> float:
    """
    Mean absolute difference to the most alike part of the recording, free of level; infinity where
    nothing compares.
    """
    frames, recorded_hz = read_audio(path)
    audio = torch.from_numpy(
        np.asarray(soxr.resample(frames, recorded_hz, rate_hz), dtype=np.float32)
    )
    whole = log_mel(audio[None], mel_filterbank(rate_hz, bands=log.shape[1]), floor=floor)[0]
    inner, least = log[EDGE:-EDGE], float(np.log(floor)) + ABOVE_FLOOR
    places = range(len(whole) - len(inner) + 1) if len(inner) else range(0)
    return min((_apart(inner, whole[at : at + len(inner)], least) for at in places), default=np.inf)


def run_together(names: Sequence[str]) -> list[str]:
    """Give the names in order, each stretch of the same name once."""
    return [name for name, _ in groupby(names)]


def _apart(one: Tensor, other: Tensor, least: float) -> float:
    counts = (one > least) & (other > least)
    if counts.float().mean() < LEAST_COUNTED:
        return float("inf")
    difference = (one - other)[counts]
    return float((difference - difference.median()).abs().mean())
