"""A voice engine: it hums, the longer the more there is to say."""

import numpy as np

RATE_HZ = 16_000


class Hum:
    """`harmonics` makes the voice fuller, and slower."""

    def __init__(self, harmonics: int) -> None:
        self.harmonics = harmonics

    def speak(self, text: str) -> np.ndarray:
        """Return the audio of a text, float32 of shape (samples,)."""
        time_s = np.arange(len(text) * RATE_HZ // 20) / RATE_HZ
        tones = [np.sin(2 * np.pi * 120 * k * time_s) / k for k in range(1, self.harmonics + 1)]
        return (0.1 * np.sum(tones, axis=0)).astype(np.float32)
