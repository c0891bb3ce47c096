"""A voice engine: a beep for every word. It needs neither numpy nor voxgate."""

import array
import math

RATE_HZ = 16_000


class Beeps:
    """`pitch_hz` is the pitch of the first word; each further word is a tone higher."""

    def __init__(self, pitch_hz):
        self.pitch_hz = pitch_hz

    def speak(self, text):
        """Yield 16-bit audio, word by word."""
        for number, _ in enumerate(text.split()):
            step = 2 * math.pi * self.pitch_hz * 2 ** (number / 6) / RATE_HZ
            yield array.array("h", [int(3000 * math.sin(step * k)) for k in range(RATE_HZ // 4)])
