"""
The part of f5-tts 1.1 that its documentation shows, with an untrained transformer of two layers and
the package's own way through it. An engine that drops an option on the way, if a test names it in
`IGNORED`.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import nn

IGNORED: dict[str, Any] = {}
"""Option -> the value that takes its place."""


class Transformer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 8)

    def forward(self, *, x: Any, time: Any, cfg_infer: bool = False) -> Any:
        velocity = torch.tanh(self.layer(x)) + time
        return torch.cat([velocity, 0.5 * velocity]) if cfg_infer else velocity


class Flow:
    def __init__(self) -> None:
        self.transformer = Transformer()

    def sample(self, frames: int, steps: int, cfg_strength: float) -> Any:
        x, times = torch.randn(1, frames, 8), torch.linspace(0, 1, steps + 1)
        for start, end in pairwise(times):
            guided = cfg_strength > 1e-5
            velocity = self.transformer(x=x, time=start, cfg_infer=guided)
            if guided:
                own, other = velocity.chunk(2)
                velocity = own + cfg_strength * (own - other)
            x = x + (end - start) * velocity
        return x


class Vocoder:
    def decode(self, mel: Any) -> Any:
        return mel.reshape(-1)


class F5TTS:
    def __init__(
        self, model: str, ckpt_file: str, vocoder_local_path: str | None, device: str
    ) -> None:
        torch.manual_seed(7)
        self.ema_model, self.vocoder = Flow(), Vocoder()

    def infer(
        self,
        ref_file: str,
        ref_text: str,
        gen_text: str,
        *,
        show_info: Any = print,
        progress: Any = None,
        cfg_strength: float = 2,
        nfe_step: int = 32,
        speed: float = 1.0,
        seed: int | None = None,
    ) -> tuple[np.ndarray, int, None]:
        show_info("Generating audio in 1 batches...")
        asked = {"cfg_strength": cfg_strength, "nfe_step": nfe_step, "speed": speed, "seed": seed}
        asked |= IGNORED
        if asked["seed"] is not None:
            torch.manual_seed(asked["seed"])
        frames = int(100 * len(gen_text) / asked["speed"])
        with torch.no_grad():
            mel = self.ema_model.sample(frames, asked["nfe_step"], asked["cfg_strength"])
            return self.vocoder.decode(mel).numpy(), 24_000, None
