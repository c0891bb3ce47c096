"""An engine that hums: the standard library alone, and no import of voxgate."""

import array
import math

from voxgate_lines import serve

RATE_HZ = 16_000


def speak(text, harmonics=8):
    """Yield 16-bit frames of a hum, the longer the more there is to say."""
    height = 3000 / harmonics
    for word in text.split():
        frames = range(len(word) * RATE_HZ // 20)
        tones = (
            sum(math.sin(2 * math.pi * 120 * k * i / RATE_HZ) for k in range(1, harmonics + 1))
            for i in frames
        )
        yield array.array("h", (int(height * tone) for tone in tones)).tobytes()


serve(speak, RATE_HZ, options=["harmonics"])
