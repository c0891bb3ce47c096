"""
The part of piper-tts 1.8 that its documentation shows, around any ONNX voice. An engine that drops
an option on the way, if a test names it in `IGNORED`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

IGNORED: dict[str, float] = {}
"""Option -> the value that takes its place."""


@dataclass
class PiperConfig:
    sample_rate: int

    @staticmethod
    def from_dict(config: dict[str, Any]) -> PiperConfig:
        return PiperConfig(config["audio"]["sample_rate"])


@dataclass
class SynthesisConfig:
    length_scale: float = 1.0
    noise_scale: float = 0.667
    noise_w_scale: float = 0.8


@dataclass
class AudioChunk:
    audio_float_array: np.ndarray


@dataclass
class PiperVoice:
    session: Any
    config: PiperConfig

    def phonemize(self, text: str) -> list[list[str]]:
        return [list(sentence) for sentence in text.split(". ")]

    def phonemes_to_ids(self, phonemes: list[str]) -> list[int]:
        return [ord(phoneme) for phoneme in phonemes]

    def phoneme_ids_to_audio(self, ids: list[int], config: SynthesisConfig) -> np.ndarray:
        names = ("noise_scale", "length_scale", "noise_w_scale")
        scales = [IGNORED.get(name, getattr(config, name)) for name in names]
        inputs = {
            "input": np.array([ids], dtype=np.int64),
            "input_lengths": np.array([len(ids)], dtype=np.int64),
            "scales": np.array(scales, dtype=np.float32),
        }
        return np.asarray(self.session.run(None, inputs)[0]).squeeze()

    def synthesize(self, text: str, config: SynthesisConfig) -> Iterator[AudioChunk]:
        for sentence in self.phonemize(text):
            ids = self.phonemes_to_ids(sentence)
            yield AudioChunk(self.phoneme_ids_to_audio(ids, config))
