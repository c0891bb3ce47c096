"""
The part of kokoro-onnx 0.6 that its documentation shows, around any ONNX model. An engine that
drops an option on the way, if a test names it in `IGNORED`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import numpy as np

IGNORED: dict[str, Any] = {}
"""Option -> the value that takes its place."""


class Tokenizer:
    def phonemize(self, text: str, lang: str) -> str:
        return text


class Kokoro:
    def __init__(self, session: Any, voices_path: str) -> None:
        self.sess, self.voices, self.tokenizer = session, np.load(voices_path), Tokenizer()

    @classmethod
    def from_session(cls, session: Any, voices_path: str) -> Kokoro:
        return cls(session, voices_path)

    def create(
        self, text: str, voice: str, speed: float = 1.0, lang: str = "en-us", trim: bool = True
    ) -> tuple[np.ndarray, int]:
        tokens = [ord(each) for each in self.tokenizer.phonemize(text, lang)]
        inputs = {
            "tokens": np.array([[0, *tokens, 0]], dtype=np.int64),
            "style": self.voices[IGNORED.get("speaker", voice)][len(tokens) - 1],
            "speed": np.array([IGNORED.get("speed", speed)], dtype=np.float32),
        }
        return np.asarray(self.sess.run(None, inputs)[0]).ravel(), 24_000

    async def create_stream(
        self, text: str, voice: str, speed: float = 1.0, lang: str = "en-us"
    ) -> AsyncIterator[tuple[np.ndarray, int]]:
        for sentence in text.split(". "):
            yield self.create(sentence, voice, speed, lang)
