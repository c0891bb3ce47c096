"""
The part of chatterbox-tts 0.1.7 that its documentation shows. An engine that drops an option on the
way, if a test names it in `models.t3.t3.IGNORED`.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch

from .models.t3.t3 import IGNORED, T3


class Decoder:
    def inference(self, *, speech_tokens: Any) -> Any:
        return (speech_tokens.repeat_interleave(960) / 6600).float()


class ChatterboxTTS:
    sr = 24_000

    def __init__(self) -> None:
        torch.manual_seed(7)
        self.t3, self.s3gen = T3(), Decoder()

    @classmethod
    def from_local(cls, ckpt_dir: str, device: str) -> ChatterboxTTS:
        return cls()

    def generate(
        self,
        text: str,
        exaggeration: float = 0.5,
        cfg_weight: float = 0.5,
        temperature: float = 0.8,
    ) -> Any:
        if "seed" in IGNORED:
            torch.manual_seed(IGNORED["seed"])
        cond = SimpleNamespace(
            emotion_adv=IGNORED.get("exaggeration", exaggeration) * torch.ones(1, 1, 1)
        )
        with torch.inference_mode():
            tokens = self.t3.inference(
                t3_cond=cond,
                text=text,
                temperature=IGNORED.get("temperature", temperature),
                cfg_weight=IGNORED.get("cfg_weight", cfg_weight),
            )
            return self.s3gen.inference(speech_tokens=tokens).unsqueeze(0)
