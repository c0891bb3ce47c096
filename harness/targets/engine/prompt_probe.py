"""
Watches what an engine is told of a reference recording: what it may copy from, what that is said to say, how often it is
worked out. It judges nothing and believes nothing.

Both pipelines work recordings out through `pipeline.prompts.encode`; the observer stands in for it and counts. What the
models did meanwhile belongs to the recording and not to the speech, so it is taken out of the records again.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptSeen:
    """
    The recording, chunk by chunk of one observed synthesis.

    logs: (R, bands) log-mel of the frames that the first call could copy from; R is 0 where there were none.
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
    """Note the text of every recording that is worked out; `records` are left as if it had not been."""
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

    Args:
        copies: what every chunk could copy from, told and, where it is guided, untold, (1 or 2, T, bands) each.
        left: see PromptSeen.
        texts: see PromptSeen.
        encoded: see PromptSeen.
        scale: mean and spread by which the mel is normalised.
    """
    mean, std = scale
    known = [each.float().cpu() for each in copies]
    return PromptSeen(
        logs=tuple(each[0, : _leading(each[0])] * std + mean for each in known),
        total=tuple(each.shape[1] for each in known),
        left=tuple(left),
        texts=tuple(texts),
        untold=max((float(each[1:].abs().max()) for each in known if each.shape[0] > 1), default=0.0),
        encoded=encoded,
    )


def _leading(known: Tensor) -> int:
    """Count the rows before the first that is all zeros."""
    empty = torch.nonzero((known == 0).all(dim=1))
    return int(empty[0]) if empty.numel() else len(known)
