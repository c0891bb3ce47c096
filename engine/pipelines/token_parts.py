"""
The chunks of a text for pipeline `token`, and the recording that they continue.

A recording is heard by the speech tokeniser: its last tokens stand in front of those that T3 draws,
and their mel in front of what the flow invents. No words of it are needed.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from voxgate.engine.alphabet import SAMPLE_RATE_HZ, SPEAKERS
from voxgate.engine.audio.postprocess import PEAK_LIMIT, active_rms
from voxgate.engine.audio.reference_recording import load_speech
from voxgate.engine.config import TokenConfig
from voxgate.engine.errors import EngineError
from voxgate.engine.layers.mel import log_mel, mel_filterbank
from voxgate.engine.pipelines.voice_prompt import TRAINED_RMS
from voxgate.engine.text.frontend import Chunk, phonemise
from voxgate.engine.tokens.generate import SpeechText, SpeechTokens
from voxgate.engine.tokens.speech_tokenizer import TOKEN_SAMPLES
from voxgate.engine.tokens.t3 import MAX_PHONES, USUAL_STRETCH
from voxgate.engine.weights.token_voice import TokenVoice

PAIR_SAMPLES = 2 * TOKEN_SAMPLES
"""Two tokens are five mel frames, the shortest span that is whole in both."""
MAX_PAIRS = 37
"""Of the recording's end, about 3 s: T3 was trained with prompts of up to 75 tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPrompt:
    """The end of a recording: codes (N,) long, N even, and its normalised mel (5 N / 2, bands)."""

    codes: Tensor
    mel: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPart:
    """
    One chunk of a text, its index there, the configuration of its request, and its recording.
    `number` is that of the text, where several are synthesised together.
    """

    chunk: Chunk
    index: int
    config: TokenConfig
    prompt: TokenPrompt | None = None
    number: int = 0

    @property
    def speaker(self) -> int:
        """Number of the speaker, from 1."""
        return 1 + SPEAKERS.index(self.config.speaker)

    @property
    def question(self) -> int:
        """1 for a statement, 2 for a question."""
        return 1 + int(self.chunk.question)

    @property
    def prompt_codes(self) -> Tensor:
        """Codes of the recording, (N,); none without one."""
        return torch.zeros(0, dtype=torch.long) if self.prompt is None else self.prompt.codes

    def is_cut(self, spoken: SpeechTokens) -> bool:
        """Return whether its tokens end before its text does."""
        if spoken.ended:
            return False
        # without an early stop none ends by itself, and the pointer alone tells where it stands
        at_end = bool(spoken.pointer) and spoken.pointer[-1] == len(self.chunk.phones) - 1
        return self.config.early_stop or (bool(spoken.pointer) and not at_end)

    def speech_text(self) -> SpeechText:
        """Return the chunk for T3; its seed is that of the request and the chunk's number alone."""
        return SpeechText(
            phones=torch.tensor(self.chunk.phones),
            speaker=self.speaker,
            question=self.question,
            seed=self.config.seed * 1_000_003 + self.index,
            prompt=self.prompt_codes,
            stretch=USUAL_STRETCH / self.config.speed,
        )


def token_parts(
    text: str, config: TokenConfig, prompt: TokenPrompt | None, number: int = 0
) -> list[TokenPart]:
    """Return the chunks of a text. Raises EngineError for one that cannot be spoken."""
    chunks = phonemise(text, max_characters=config.chunk_characters)
    for chunk in chunks:
        if len(chunk.phones) > MAX_PHONES:
            raise EngineError(
                f"a chunk has {len(chunk.phones)} phones ({chunk.text[:40]!a}...), and the model "
                f"of speech tokens takes {MAX_PHONES}; use a smaller chunk_characters"
            )
    return [
        TokenPart(chunk=chunk, index=index, config=config, prompt=prompt, number=number)
        for index, chunk in enumerate(chunks)
    ]


@torch.inference_mode()
def encode_token_prompt(voice: TokenVoice, content: bytes, text: str, speaker: str) -> TokenPrompt:
    """
    Encode a recording: the bytes of an audio file. Its words and the speaker are not used.

    Raises: EngineError for a recording that cannot be used.
    """
    speech = load_speech(content, SAMPLE_RATE_HZ, TOKEN_SAMPLES)
    speech = speech[speech.size % PAIR_SAMPLES :]
    gain = min(TRAINED_RMS / active_rms(speech), PEAK_LIMIT / float(np.abs(speech).max()))
    audio = torch.from_numpy(speech * np.float32(gain))
    pairs = min(MAX_PAIRS, audio.numel() // PAIR_SAMPLES)
    mel = log_mel(audio[None], mel_filterbank(SAMPLE_RATE_HZ))[0]
    last = audio.numel() // PAIR_SAMPLES * 5
    return TokenPrompt(
        codes=voice.tokenizer.encode(audio)[-2 * pairs :],
        mel=(mel[last - 5 * pairs : last] - voice.mel_mean) / voice.mel_std,
    )
