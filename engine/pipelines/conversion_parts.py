"""A chunk of a recording with everything that determines its converted audio."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from voxgate.engine.alphabet import SAMPLE_RATE_HZ
from voxgate.engine.audio.postprocess import PEAK_LIMIT, TARGET_RMS, crossfade
from voxgate.engine.config.conversion import PROTECT_OFF
from voxgate.engine.conversion.analysis import protected, relative_pitch
from voxgate.engine.conversion.chunks import FrameWindow, kept_audio, stacked
from voxgate.engine.conversion.features import Features
from voxgate.engine.conversion.speakers import VOICE_RMS, TargetVoice
from voxgate.engine.layers.mel import HOP
from voxgate.engine.vocoder.vocos import VocosShape, waveform

FRAME_RATE_HZ = SAMPLE_RATE_HZ / HOP
VOCODER_EDGE_FRAMES = 3
"""That share windows of the inverse STFT with a frame, on either side."""
LEAST_CONTEXT = 6
"""Frames: half a crossfade and the last frame of a window, and some."""
GAIN = TARGET_RMS / VOICE_RMS
"""From the level of the training voices to that of the other pipelines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A recording on its way into a voice."""

    features: Features
    target: TargetVoice
    pitch: Tensor
    """(F,), as the decoder takes it."""
    voiced: Tensor
    """(F,), 1 where voiced."""
    protect: float
    moved: Tensor | None = None
    """(F, bands), the source's own mel, moved to the mean of the converted; None to keep none."""


def passage_of(
    features: Features, target: TargetVoice, *, pitch_shift: float, protect: float
) -> Passage:
    """Return the passage of a recording into a voice."""
    track = features.f0
    return Passage(
        features=features,
        target=target,
        pitch=relative_pitch(track, track.median_hz(1.0), pitch_shift),
        voiced=torch.from_numpy(track.voiced.astype(np.float32)),
        protect=protect,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversionPart:
    """One window of a passage."""

    passage: Passage
    window: FrameWindow


def decoder_rows(parts: Sequence[ConversionPart]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the decoder's inputs of windows of one length, a row each."""
    cut = [part.window for part in parts]
    passages = [part.passage for part in parts]
    return (
        stacked([each.features.content for each in passages], cut),
        stacked([each.pitch for each in passages], cut),
        stacked([each.voiced for each in passages], cut),
        torch.stack([each.target.embedding for each in passages]),
    )


def moved_to(passage: Passage, converted: Tensor) -> Passage:
    """
    Return the passage with its source's own mel, moved to the mean of the first converted frames,
    (F, bands).
    """
    own = passage.features.mel
    assert own is not None, "a protected passage has its own mel"
    shift = converted.mean(dim=0) - own[: len(converted)].mean(dim=0)
    return replace(passage, moved=own + shift)


def guarded_mel(parts: Sequence[ConversionPart], mel: Tensor) -> Tensor:
    """Return the mel (B, W, bands) with what each passage keeps of its source."""
    if all(part.passage.moved is None for part in parts):
        return mel
    kept = mel.clone()
    for row, part in enumerate(parts):
        passage, cut = part.passage, slice(part.window.start, part.window.stop)
        if passage.moved is not None:
            moved, voiced = passage.moved[cut].to(mel), passage.voiced[cut].to(mel)
            kept[row] = protected(mel[row], moved, voiced, passage.protect / PROTECT_OFF)
    return kept


def finished(part: ConversionPart, audio: np.ndarray) -> np.ndarray:
    """Return a window's kept audio at the engine's level, within full scale."""
    inner = kept_audio(part.window, audio, hop=HOP, frames=part.passage.features.frames)
    return at_level(inner)


def joined(audios: Iterable[np.ndarray], samples: int) -> Iterator[np.ndarray]:
    """Crossfade the audio of one recording's windows, and end it where the recording ends."""
    left = samples
    for piece in crossfade(audios):
        yield piece[:left]
        left -= min(left, piece.size)


def audio_rows(projected: Tensor, shape: VocosShape) -> list[np.ndarray]:
    """Return the audio of each row of the vocoder's output, float32 (T,)."""
    return list(waveform(projected, shape).cpu().numpy())


def at_level(audio: np.ndarray) -> np.ndarray:
    """Return the vocoder's audio (T,) at the engine's level, within full scale."""
    levelled: np.ndarray = audio * np.float32(GAIN)
    return levelled.clip(-PEAK_LIMIT, PEAK_LIMIT)
