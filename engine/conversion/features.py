"""
What a recording is reduced to before another voice speaks it, the cache of that, and how like the
training voices the recording is.
"""

import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from torch import Tensor

from voxgate.engine.conversion.f0 import F0Track
from voxgate.engine.layers.mel import HOP

MAX_FEATURES = 16
"""Recordings in a cache, the most recently used ones: 10 minutes of content take 3 MB."""
ACTIVE_DB = 30.0
"""Frames within this of the loudest hold speech."""
WARPS = (1.0, 0.82, 0.88, 0.94, 1.06, 1.12, 1.2)
"""Factors of the frequency axis, in order of preference where two are equally good."""
SEARCHED_FRAMES = 500
"""Of the recording's beginning that the factors are tried on: 8 s."""

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """A recording without its voice."""

    content: Tensor
    """(F, C), what is said."""
    f0: F0Track
    mel: Tensor | None
    """(F, bands), the decoder's kind of mel of the recording itself, where it is needed."""
    likeness: float | None
    """`likeness_of`, None where a pipeline does not measure it."""
    samples: int
    """Of the recording, at 16 kHz."""

    @property
    def frames(self) -> int:
        """Mel frames."""
        return int(self.content.shape[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """A recording in another voice: float32 (T,)."""

    audio: np.ndarray
    sample_rate_hz: int
    likeness: float | None
    """
    How like the training voices the source is, 0 to 1; None where a pipeline does not measure it.
    """
    like_training: bool
    """Whether the likeness is such that the words can be expected to survive."""
    warning: str
    """One line for a source that is unlike the training voices; empty for others."""


class FeatureCache(Generic[Value]):
    """
    The most recently used values by key; made once for each, if `enabled`. Threads may share it.
    """

    def __init__(self, *, enabled: bool, size: int = MAX_FEATURES) -> None:
        self.enabled = enabled
        self.hits = 0
        self._size = size
        self._values: OrderedDict[Hashable, Value] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """Return the value of a key, made if it is not there."""
        with self._lock:
            if self.enabled and key in self._values:
                self.hits += 1
                self._values.move_to_end(key)
                return self._values[key]
        made = make()
        if self.enabled:
            with self._lock:
                self._values[key] = made
                while len(self._values) > self._size:
                    self._values.popitem(last=False)
        return made


def likeness_of(logits: Tensor, audio: np.ndarray) -> float:
    """
    Return how sure the encoder is of the phones, 0 to 1: one less the mean entropy of their
    posteriors over the frames with sound, in units of an even distribution's.

    A voice that the encoder was not trained for makes it unsure. Args: logits (F, phones); audio
    (T,) at 16 kHz, whose frame j is centred on j * HOP.
    """
    logs = logits.float().log_softmax(dim=-1)
    entropy = -(logs.exp() * logs).sum(dim=-1) / math.log(logits.shape[-1])
    active = torch.from_numpy(_active(audio, len(entropy))).to(entropy.device)
    return float(1.0 - entropy[active].mean())


def _active(audio: np.ndarray, frames: int) -> np.ndarray:
    """Return which frames hold sound, bool (F,)."""
    padded = np.pad(audio, (HOP // 2, frames * HOP))[: frames * HOP].reshape(frames, HOP)
    energy = np.square(padded, dtype=np.float64).mean(axis=1)
    return np.asarray(energy >= energy.max() * 10 ** (-ACTIVE_DB / 10))


def warp(mel: Tensor, factor: float) -> Tensor:
    """Read every band of a mel (..., bands) at `factor` times its place, interpolated."""
    if factor == 1.0:
        return mel
    bands = mel.shape[-1]
    at = (torch.arange(bands, device=mel.device) * factor).clamp(max=bands - 1.001)
    left = at.long()
    return torch.lerp(mel[..., left], mel[..., left + 1], (at - left).to(mel.dtype))


def best_warp(
    mel: Tensor, content: Callable[..., Any], phones: Callable[[Tensor], Tensor]
) -> float:
    """
    Return the factor of WARPS by which the phones of a recording are surest: vocal tract length
    normalisation, as recognisers choose it by the likelihood (Lee & Rose 1998).

    Args:
        mel: (F, bands), the encoder's input.
        content: the encoder, (B, F, bands) -> (B, F, content).
        phones: content -> logits.
    """
    beginning = mel[:SEARCHED_FRAMES]
    rows = torch.stack([warp(beginning, factor) for factor in WARPS])
    logs = phones(content(rows)).float().log_softmax(dim=-1)
    entropy = -(logs.exp() * logs).sum(dim=-1).mean(dim=-1)
    return WARPS[int(entropy.argmin())]
