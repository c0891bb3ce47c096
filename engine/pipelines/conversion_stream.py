"""
Conversion of live audio: blocks in, converted audio out, a stated time later.

Level, mean spectrum and median pitch are those of the audio heard so far, in place of the whole
recording's. Every block is computed with its neighbours anew: those before it, and those behind it
that `stream_lookahead_ms` waits for. No state of a model is kept, so a block costs the sum of the
three.
"""

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from voxgate.engine.alphabet import SAMPLE_RATE_HZ
from voxgate.engine.audio.postprocess import crossfade
from voxgate.engine.config import ConversionConfig
from voxgate.engine.conversion.analysis import relative_pitch
from voxgate.engine.conversion.content_encoder import (
    CONTENT_RMS,
    FLOOR,
    MEL_SCALE,
    N_FFT,
    content_filterbank,
)
from voxgate.engine.conversion.f0 import F0Track
from voxgate.engine.layers.mel import HOP, log_mel
from voxgate.engine.pipelines.conversion_parts import FRAME_RATE_HZ, at_level, audio_rows
from voxgate.engine.pipelines.pipeline import Watch, no_watch

if TYPE_CHECKING:
    from voxgate.engine.pipelines.conversion import ConversionPipeline

ANALYSIS_SAMPLES = 512
"""Behind a frame's centre that its spectrum and its pitch are computed from."""
SHORTEST_SAMPLES = 2 * ANALYSIS_SAMPLES
"""That spectra can be computed of; less is lengthened by silence."""
FADE_SAMPLES = 256
"""That two blocks share."""
LEAST_LOOKAHEAD = 3
"""Frames: the inverse STFT's."""
HISTORY_FRAMES = 1875
"""Whose mean spectrum and pitch count: 30 s."""
FAINT = 1e-9
"""Magnitude that stands for none; the encoder's own floor comes when the level is known."""
LEAST_RMS = 1e-3
"""Below it nothing is heard yet, and the level is not raised further."""


class ConversionStream:
    """
    One live recording on its way into a voice. `push` its samples as they come, `finish` it at its
    end; concatenated, what they return is the converted recording, at the same length.
    """

    def __init__(
        self, pipeline: "ConversionPipeline", config: ConversionConfig, watch: Watch = no_watch
    ) -> None:
        self._pipeline, self._config, self._watch = pipeline, config, watch
        self._target = pipeline.target(config)
        context = pipeline.content_context + pipeline.spoken_context
        asked_ms = config.stream_lookahead_ms
        asked = math.ceil(asked_ms / 1000.0 * FRAME_RATE_HZ) if asked_ms else context
        self._block = max(2, round(config.stream_block_ms / 1000.0 * FRAME_RATE_HZ))
        self._ahead = min(context, max(LEAST_LOOKAHEAD, asked))
        self._before = context
        self._filters = content_filterbank()
        self._audio = np.zeros(0, np.float32)
        self._first = 0
        """Frame at whose centre the kept audio begins."""
        self._received, self._energy = 0, 0.0
        self._next = 0
        """First frame that is not spoken yet."""
        self._magnitudes = torch.zeros(0, self._filters.shape[0])
        """Of the last frames that were heard, up to `_heard`."""
        self._heard = 0
        self._pitches = np.zeros(0, np.float32)
        """F0 of the last spoken frames."""
        self._tail = np.zeros(0, np.float32)
        self._returned = 0

    @property
    def block_samples(self) -> int:
        """Samples that are converted at a time."""
        return self._block * HOP

    @property
    def latency_samples(self) -> int:
        """
        Samples between one that is pushed and the same one returned, at most, if samples are pushed
        one by one: the algorithmic latency, without time of computation.
        """
        frames = self._block + self._ahead - 1
        return frames * HOP + ANALYSIS_SAMPLES + FADE_SAMPLES // 2

    @property
    def sample_rate_hz(self) -> int:
        """Of the samples that are pushed."""
        return SAMPLE_RATE_HZ

    @property
    def latency_s(self) -> float:
        """The algorithmic latency in seconds."""
        return self.latency_samples / SAMPLE_RATE_HZ

    def push(self, block: np.ndarray) -> np.ndarray:
        """Take samples, float32 (T,) at 16 kHz; return the audio that is final, float32 (T,)."""
        with self._watch("preprocess"):
            samples = np.nan_to_num(np.asarray(block, dtype=np.float32), posinf=0.0, neginf=0.0)
            self._audio = np.concatenate((self._audio, samples))
            self._received += samples.size
            self._energy += float(np.square(samples, dtype=np.float64).sum())
        complete = (self._received - ANALYSIS_SAMPLES) // HOP + 1
        made = []
        while complete >= self._next + self._block + self._ahead:
            made.append(self._speak(self._next + self._block, complete))
        return np.concatenate(made) if made else np.zeros(0, np.float32)

    def finish(self) -> np.ndarray:
        """Return the rest, float32 (T,). Nothing may be pushed afterwards."""
        if not self._received:
            return self._tail
        lacking = max(-self._received % HOP, SHORTEST_SAMPLES - self._received)
        self._audio = np.pad(self._audio, (0, lacking))
        frames = (self._received + lacking) // HOP + 1
        made = []
        while self._next < frames:
            following = min(self._next + self._block, frames)
            # a block of one frame has no sample of its own
            last = frames - following < 2
            made.append(self._speak(frames if last else following, frames, last=last))
        rest = np.concatenate((*made, self._tail))
        left = self._received - (self._returned - sum(each.size for each in made))
        return rest[:left]

    @torch.inference_mode()
    def _speak(self, following: int, complete: int, *, last: bool = False) -> np.ndarray:
        """Speak the frames up to `following`; return what is final of their audio."""
        start = max(0, self._next - self._before)
        stop = min(complete, following + self._ahead)
        with self._watch("preprocess"):
            self._hear(stop)
            mel = self._encoder_input(start, stop)
            end = (stop - 1 - self._first) * HOP + ANALYSIS_SAMPLES
            audio = self._audio[(start - self._first) * HOP : end]
        with self._watch("f0"):
            found = self._pipeline.f0(audio, self._config.f0_method).hz[: stop - start]
            track = F0Track(hz=found)
            pitch, voiced = self._pitch(track, start, following)
        made = self._converted(mel, pitch, voiced)
        with self._watch("post"):
            final = self._crossfaded(at_level(made), start, following, last=last)
        self._next = following
        self._forget()
        self._returned += final.size
        return final

    def _hear(self, stop: int) -> None:
        """Compute the spectra of frames up to `stop`."""
        if stop <= self._heard:
            return
        edge = ANALYSIS_SAMPLES // HOP
        first = max(0, self._heard - edge)
        audio = torch.from_numpy(
            self._audio[(first - self._first) * HOP : (stop - 1 - self._first) * HOP + edge * HOP]
        )
        logs = log_mel(audio[None], self._filters, FAINT, n_fft=N_FFT, hop=HOP)[0]
        new = logs.exp()[self._heard - first : stop - first]
        self._magnitudes = torch.cat((self._magnitudes, new))[-HISTORY_FRAMES:]
        self._heard = stop

    def _encoder_input(self, start: int, stop: int) -> Tensor:
        """Return the encoder's input of frames, by the level and the mean so far: (F, bands)."""
        rms = max(LEAST_RMS, math.sqrt(self._energy / self._received))
        logs = (self._magnitudes * (CONTENT_RMS / rms)).clamp(min=FLOOR).log()
        normalised = (logs - logs.mean(dim=0)) * MEL_SCALE
        count = len(normalised) - (self._heard - stop)
        return normalised[count - (stop - start) : count]

    def _pitch(self, track: F0Track, start: int, following: int) -> tuple[Tensor, Tensor]:
        """Return the decoder's pitch of the window's frames, and which are voiced."""
        spoken = track.hz[self._next - start : following - start]
        self._pitches = np.concatenate((self._pitches, spoken))[-HISTORY_FRAMES:]
        ahead = track.hz[following - start :]
        median_hz = F0Track(hz=np.concatenate((self._pitches, ahead))).median_hz(1.0)
        pitch = relative_pitch(track, median_hz, self._config.pitch_shift)
        return pitch, torch.from_numpy(track.voiced.astype(np.float32))

    def _converted(self, mel: Tensor, pitch: Tensor, voiced: Tensor) -> np.ndarray:
        """Convert a window's frames; float32 (T,)."""
        pipeline = self._pipeline
        with self._watch("content"):
            content = pipeline.content(pipeline.ready("content", mel[None]))
        with self._watch("model"):
            rows = (content, pitch[None], voiced[None], self._target.embedding[None])
            mels = pipeline.model(*(pipeline.ready("model", row) for row in rows))
            heard = pipeline.ready("vocoder", pipeline.voice.vocoder_mel(mels))
        with self._watch("vocoder"):
            return audio_rows(pipeline.vocoder(heard), pipeline.voice.vocoder.shape)[0]

    def _crossfaded(
        self, made: np.ndarray, start: int, following: int, *, last: bool
    ) -> np.ndarray:
        """Return the block's audio behind the end of the one before; keep its own end."""
        half, origin = FADE_SAMPLES // 2, start * HOP
        first = self._next * HOP - half if self._next else 0
        piece = made[first - origin : None if last else following * HOP + half - origin]
        pieces = [self._tail, piece] if self._tail.size else [piece]
        *final, self._tail = crossfade(pieces, FADE_SAMPLES)
        if last:
            final.append(self._tail)
            self._tail = np.zeros(0, np.float32)
        return np.concatenate(final)

    def _forget(self) -> None:
        """Drop the audio that no later block looks at."""
        edge = ANALYSIS_SAMPLES // HOP
        first = max(self._first, min(self._next - self._before, self._heard) - 2 * edge)
        self._audio = self._audio[(first - self._first) * HOP :]
        self._first = first
