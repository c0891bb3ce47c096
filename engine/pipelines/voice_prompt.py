"""
Makes the embedded voice continue a recording: its mel stands in front of what is to be said, as
infilling was trained.

The recording's text is spoken by the model itself, quickly, to hear where the phones of the
recording lie. What it costs is the recording's length: its frames take part in every forward pass.
Only what was invented is given back.
"""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from voxgate.engine.acoustic.guidance import guide
from voxgate.engine.acoustic.solver import integrate, time_grid
from voxgate.engine.alphabet import SAMPLE_RATE_HZ
from voxgate.engine.audio.postprocess import PEAK_LIMIT, active_rms
from voxgate.engine.audio.prompt_cache import PromptCache
from voxgate.engine.audio.reference_recording import load_speech
from voxgate.engine.config import Region, Solver
from voxgate.engine.duration.alignment import (
    EDGE_SILENCE_FRAMES,
    Alignment,
    expand_to_frames,
    predict_alignment,
)
from voxgate.engine.duration.forced_alignment import aligned_durations
from voxgate.engine.duration.frames import FrameConditioning
from voxgate.engine.errors import EngineError
from voxgate.engine.layers.mel import HOP, log_mel, mel_filterbank
from voxgate.engine.text.frontend import Chunk, phonemise
from voxgate.engine.weights.voice import Voice

TRAINED_RMS = 0.12
"""
Between the levels of the three voices that the DiT learned from; figures in
`docs/evidence/reference-voice.md`.
"""
SLOWEST, FASTEST = 0.4, 2.5
"""
Of a recording against the pace at which the voice would say its text; beyond, the text is hardly
what is said.
"""
LISTENING_STEPS = 4
"""
Of the solver, for the words that the recording is laid upon: four are enough to tell one phone from
another.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """
    A recording as the DiT is told of it: `mel` (R, bands), normalised; `frames` (1, R), what it
    says.
    """

    mel: Tensor
    frames: FrameConditioning

    def prepend_to(self, content: Alignment) -> Alignment:
        """Prepend the recording to an alignment."""
        return replace(
            content, frames=_in_a_row([self.frames, content.frames]), prompt_mel=self.mel
        )


def encode(
    voice: Voice,
    device: torch.device,
    content: bytes,
    text: str,
    speaker: str,
    region: str = Region.ES.value,
) -> Prompt:
    """
    Encode a recording as a prompt.

    Args:
        voice: with its DiT on `device`.
        device: where the DiT computes.
        content: of an audio file.
        text: words of the recording.
        speaker: embedded voice that the DiT is conditioned on.
        region: accent of a Spanish recording.

    Raises: EngineError for a recording or a text that cannot be used, and for a text that cannot be
    the recording's.
    """
    with torch.inference_mode():
        mel = (_mel_of(load_speech(content, SAMPLE_RATE_HZ, HOP)) - voice.mel_mean) / voice.mel_std
        chunks = phonemise(text, language=voice.language, region=region)
        index = voice.language.condition(speaker, Region(region))
        said = [
            predict_alignment(
                voice.durations, c.phones, speaker=index, question=c.question, speed=1.0
            )
            for c in chunks
        ]
        planned = torch.cat([alignment.durations for alignment in said])
        _check_pace(len(mel), planned)
        spoken = torch.cat([_spoken(voice, alignment.frames.to(device)) for alignment in said])
        durations = torch.split(
            aligned_durations(mel, spoken, planned),
            [alignment.durations.numel() for alignment in said],
        )
        parts = [_retimed(*part) for part in zip(chunks, said, durations, strict=True)]
        return Prompt(mel=mel, frames=_in_a_row(parts))


def _mel_of(speech: np.ndarray) -> Tensor:
    """
    Normalise the level, add silence as in the training audio, and return the log-mel (R, bands).
    """
    gain = min(TRAINED_RMS / active_rms(speech), PEAK_LIMIT / float(np.abs(speech).max()))
    audio = np.pad(speech * np.float32(gain), EDGE_SILENCE_FRAMES * HOP)
    return log_mel(torch.from_numpy(audio)[None], mel_filterbank(SAMPLE_RATE_HZ))[0]


def _check_pace(recorded_frames: int, planned: Tensor) -> None:
    """
    Raise EngineError for a text that hardly fits the recording; `planned` (P,) frames per phone at
    the voice's own pace.
    """
    edges = 2 * EDGE_SILENCE_FRAMES
    recorded, expected = (count - edges for count in (recorded_frames, int(planned.sum())))
    if not SLOWEST <= expected / recorded <= FASTEST or planned.numel() > recorded_frames:
        expected_s, lasts_s = (count * HOP / SAMPLE_RATE_HZ for count in (expected, recorded))
        raise EngineError(
            f"reference_text takes about {expected_s:.1f} s to say, and the recording holds "
            f"{lasts_s:.1f} s of sound; give exactly the words that are heard"
        )


def _spoken(voice: Voice, frames: FrameConditioning) -> Tensor:
    """
    Synthesise with few solver steps: normalised mel (F, bands). Runs eagerly, whatever the passes
    did to the callable of the acoustic stage.
    """
    guided = guide(voice.dit, voice.dit, frames, 1.0)
    noise = torch.randn(
        (1, frames.phone.shape[1], voice.dit.shape.bands),
        generator=torch.Generator().manual_seed(0),
    )
    times = time_grid(LISTENING_STEPS, -1.0)
    return integrate(guided, noise.to(frames.phone.device), times, Solver.EULER)[0].cpu()


def _retimed(chunk: Chunk, planned: Alignment, durations: Tensor) -> FrameConditioning:
    """Return the conditioning of every recorded frame: as planned, with the aligned durations."""
    phone, place = expand_to_frames(torch.tensor(chunk.phones), durations)
    row = torch.ones_like(phone)
    speaker, question = (
        row * ids[0, 0] for ids in (planned.frames.speaker, planned.frames.question)
    )
    return FrameConditioning(
        phone=phone[None], place=place[None], speaker=speaker[None], question=question[None]
    )


def _in_a_row(parts: list[FrameConditioning]) -> FrameConditioning:
    return FrameConditioning(
        phone=torch.cat([part.phone for part in parts], dim=1),
        place=torch.cat([part.place for part in parts], dim=1),
        speaker=torch.cat([part.speaker for part in parts], dim=1),
        question=torch.cat([part.question for part in parts], dim=1),
    )


def prompt_cache(voice: Voice, device: torch.device) -> PromptCache[Prompt]:
    """Return the cache of the prompts of a loaded voice."""
    return PromptCache(partial(encode, voice, device))
