"""
A recording on its way through RVC: mirrored at its ends, with content at 50 Hz, F0 at 100 Hz and
its level; cut into windows that have neighbours on both sides.

Frame j of 100 Hz holds samples 160 j to 160 (j + 1) at 16 kHz; frame i of content stands for frames
2 i and 2 i + 1.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from scipy.signal import butter, sosfiltfilt
from torch import Tensor
from torch.nn import functional as F

from voxgate.engine.audio.postprocess import CROSSFADE, crossfade
from voxgate.engine.conversion.chunks import LEAST_KEPT, FrameWindow
from voxgate.engine.conversion.f0 import F0Track
from voxgate.engine.layers.mel import HOP as F0_HOP
from voxgate.engine.rvc.hubert import RATE_HZ
from voxgate.engine.rvc.index import FeatureIndex
from voxgate.engine.rvc.nsf_decoder import NsfShape, excitation
from voxgate.engine.rvc.synthesizer import FRAME_RATE_HZ, pitch_numbers

FRAME = RATE_HZ // FRAME_RATE_HZ
CONTENT_FRAME = 2 * FRAME
HUBERT_EDGE = 80
"""Samples that HuBERT reads beyond its last frame."""
HIGH_PASS_HZ, HIGH_PASS_ORDER = 48.0, 5
LEVEL_FRAMES = FRAME_RATE_HZ
"""Over which a level is measured: a second."""
SILENT_RMS = 1e-6
PEAK_LIMIT = 0.99


@dataclass(frozen=True, slots=True, kw_only=True)
class MirroredAudio:
    """A recording (T,) at 16 kHz without rumble, mirrored by `pad` frames at either end."""

    audio: np.ndarray
    samples: int
    """Of the recording itself."""
    frames: int
    """Of the recording itself, an even number."""
    pad: int

    @property
    def padded_frames(self) -> int:
        """Frames with both mirrored ends."""
        return self.frames + 2 * self.pad

    @property
    def inner(self) -> np.ndarray:
        """The recording itself."""
        return self.audio[self.pad * FRAME : self.pad * FRAME + self.samples]

    def rows(self, windows: Sequence[FrameWindow]) -> Tensor:
        """Return what HuBERT reads for windows of content frames, (B, samples)."""
        parts = [
            torch.from_numpy(
                self.audio[each.start * CONTENT_FRAME : each.stop * CONTENT_FRAME + HUBERT_EDGE]
            )
            for each in windows
        ]
        return torch.stack(parts)  # in torch's memory, whose alignment is always the same


def mirrored(audio: np.ndarray, pad: int) -> MirroredAudio:
    """Return a recording (T,) at 16 kHz through the high-pass, mirrored by `pad` (even) frames."""
    clean = sosfiltfilt(_high_pass(), audio.astype(np.float64)).astype(np.float32)
    frames = -(-clean.size // CONTENT_FRAME) * 2
    behind = (frames + pad) * FRAME + HUBERT_EDGE - clean.size
    return MirroredAudio(
        audio=np.pad(clean, (pad * FRAME, behind), mode="reflect"),
        samples=clean.size,
        frames=frames,
        pad=pad,
    )


@cache
def _high_pass() -> np.ndarray:
    filters: np.ndarray = butter(
        HIGH_PASS_ORDER, HIGH_PASS_HZ, btype="high", fs=RATE_HZ, output="sos"
    )
    return filters


def mirrored_f0(track: F0Track, source: MirroredAudio) -> Tensor:
    """Return F0 of every padded frame, fp32 (F,): interpolated in log, voiced as the nearest is."""
    place = np.arange(source.frames) * (FRAME / F0_HOP)
    nearest = np.minimum(np.rint(place).astype(np.int64), track.hz.size - 1)
    voiced = np.flatnonzero(track.voiced)
    if not voiced.size:
        return torch.zeros(source.padded_frames)
    hz = np.exp(np.interp(place, voiced, np.log(track.hz[voiced])))
    known = np.where(track.voiced[nearest], hz, 0.0).astype(np.float32)
    return torch.from_numpy(np.pad(known, source.pad, mode="reflect"))


def frame_levels(audio: Tensor, frame: int) -> Tensor:
    """Return the RMS over a second around each frame of `frame` samples, (F,)."""
    squares = audio[: audio.numel() // frame * frame].view(-1, frame).double().square().mean(dim=1)
    sums = F.pad(squares.cumsum(0), (1, 0))
    index = torch.arange(len(squares))
    first = (index - LEVEL_FRAMES // 2).clamp(min=0)
    last = (index + LEVEL_FRAMES // 2 + 1).clamp(max=len(squares))
    return ((sums[last] - sums[first]) / (last - first)).clamp(min=0.0).sqrt().float()


@dataclass(frozen=True, slots=True, kw_only=True)
class RvcFeatures:
    """A recording without its voice."""

    source: MirroredAudio
    content: Tensor
    """(F / 2, width) at 50 Hz, of the padded frames."""
    f0: Tensor
    """(F,) in hertz, of the padded frames; 0 where unvoiced."""
    levels: Tensor
    """(F,), RMS of the padded frames."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RvcPassage:
    """A recording on its way into a speaker: what model and vocoder read, by padded frame."""

    features: RvcFeatures
    content: Tensor
    """(F, width), with the part of the index in it."""
    pitch: Tensor
    noise: Tensor
    """(F, latent)."""
    excitation: Tensor
    """(F x hop,)."""
    speaker: Tensor
    rms_mix_rate: float


def content_of(
    features: RvcFeatures, index: FeatureIndex | None, index_rate: float, protect: float
) -> Tensor:
    """Return content (F, width) at 100 Hz, less of the index where unvoiced."""
    plain = features.content.repeat_interleave(2, dim=0)
    if index is None or index_rate == 0.0:
        return plain
    mixed = index.mixed(features.content, index_rate).repeat_interleave(2, dim=0)
    share = torch.where(features.f0 > 0.0, 1.0, protect if protect < 0.5 else 1.0)
    return torch.lerp(plain, mixed, share[:, None])


def passage_into(
    features: RvcFeatures,
    content: Tensor,
    speaker: Tensor,
    shape: NsfShape,
    *,
    pitch_shift: float,
    seed: int,
    rms_mix_rate: float,
) -> RvcPassage:
    """
    Return the passage of a recording. Its noise is drawn in fp32 on the CPU for the whole of it, so
    that chunks get what the whole gets.
    """
    generator = torch.Generator().manual_seed(seed)
    frames = features.source.padded_frames
    noise = torch.randn(frames, shape.latent, generator=generator)
    source_noise = torch.randn(1, frames * shape.hop, generator=generator)
    f0 = features.f0[None] * 2.0 ** (pitch_shift / 12.0)
    return RvcPassage(
        features=features,
        content=content,
        pitch=pitch_numbers(f0)[0],
        noise=noise,
        excitation=excitation(f0, source_noise, shape.rate_hz, shape.hop)[0],
        speaker=speaker,
        rms_mix_rate=rms_mix_rate,
    )


def spoken_windows(source: MirroredAudio, core: int) -> list[FrameWindow]:
    """Return windows over the padded frames that keep `core` frames each; 0: all in one."""
    frames, pad = source.frames, source.pad
    if not 0 < core < frames - LEAST_KEPT:
        stop = source.padded_frames
        return [FrameWindow(start=0, stop=stop, keep_start=pad, keep_stop=pad + frames)]
    firsts = [*range(0, frames - LEAST_KEPT, core)]
    return [
        FrameWindow(
            start=(start := min(first, frames - core)),
            stop=start + core + 2 * pad,
            keep_start=first + pad,
            keep_stop=following + pad,
        )
        for first, following in zip(firsts, [*firsts[1:], frames], strict=True)
    ]


def levelled(passage: RvcPassage, window: FrameWindow, audio: Tensor, hop: int) -> Tensor:
    """Return a window's audio (T,) with its level mixed with the source's."""
    if passage.rms_mix_rate == 1.0:
        return audio
    wanted = passage.features.levels[window.start : window.stop]
    own = frame_levels(audio, hop).clamp(min=SILENT_RMS)
    gains = (wanted / own) ** (1.0 - passage.rms_mix_rate)
    smooth = F.interpolate(gains[None, None], size=audio.numel(), mode="linear")[0, 0]
    return audio * smooth


def kept_samples(
    passage: RvcPassage, window: FrameWindow, audio: np.ndarray, hop: int
) -> np.ndarray:
    """Return a window's kept audio, half a crossfade longer where a neighbour follows."""
    source, half = passage.features.source, CROSSFADE // 2
    first, last = window.keep_start - window.start, window.keep_stop - window.start
    before = half if window.keep_start > source.pad else 0
    behind = half if window.keep_stop < source.pad + source.frames else 0
    kept = audio[first * hop - before : last * hop + behind]
    clipped: np.ndarray = np.clip(kept, -PEAK_LIMIT, PEAK_LIMIT)
    return clipped


def joined_passage(
    audios: Iterable[np.ndarray], source: MirroredAudio, rate_hz: int
) -> Iterator[np.ndarray]:
    """Crossfade the audio of a recording's windows, and end it where the recording ends."""
    left = source.samples * rate_hz // RATE_HZ
    for piece in crossfade(audios):
        yield piece[:left]
        left -= min(left, piece.size)
