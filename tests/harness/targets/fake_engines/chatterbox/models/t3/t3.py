"""The sampler of chatterbox-tts 0.1.7, with an untrained model of two layers."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

IGNORED: dict[str, Any] = {}
"""Option -> the value that takes its place."""
VOCABULARY = 6600


class MinPLogitsWarper:
    def __init__(self, min_p: float) -> None:
        self.min_p = min_p

    def __call__(self, ids: Any, logits: Any) -> Any:
        probabilities = logits.softmax(-1)
        return logits.masked_fill(probabilities < self.min_p * probabilities.max(), -torch.inf)


class CondEnc(nn.Module):
    def forward(self, cond: Any) -> Any:
        return torch.full((1, 16), float(cond.emotion_adv.ravel()[0]))


class T3(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cond_enc, self.speech_head = CondEnc(), nn.Linear(16, VOCABULARY, bias=False)

    def inference(self, *, t3_cond: Any, text: str, temperature: float, cfg_weight: float) -> Any:
        start = self.cond_enc(t3_cond) + len(text) + torch.arange(16) / 16
        hidden = torch.stack([start, 0.1 * start.flip(-1)], dim=0)
        warper, tokens = MinPLogitsWarper(min_p=0.0), [6561]
        for _ in range(20):
            own, other = self.speech_head(hidden)[:, -1]
            logits = (own + cfg_weight * (own - other))[None]
            logits[0, tokens] /= 1.2
            logits = warper(None, logits / temperature)
            tokens.append(int(torch.multinomial(logits.softmax(-1), 1)))
        return torch.tensor(tokens[1:])
