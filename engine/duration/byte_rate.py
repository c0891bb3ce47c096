"""
How long the gap behind a recording is, by the rule of F5-TTS: as many frames per byte of text as
the recording has.

It knows text by its length alone; a model that is told no durations finds the timing inside the gap
by itself.
"""

from dataclasses import dataclass

from engine.errors import EngineError

FRAMES_PER_BYTE = 6.25
"""
Without a recording no pace is known: 15 bytes a second at 93.75 frames a second, the middle of what
English readers do.
"""
LONGEST_S = 22.0
"""Recording and new speech together, as the published command cuts its text."""
SHORT_BYTES, SHORT_SPEED = 10, 0.3
"""So short a text is spoken this much more slowly, as published; a bare ratio would swallow it."""
LEAST_FRAMES = 8
SLOWEST, FASTEST = 3.0, 40.0
"""Bytes of text per second of recording that can be its text at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ByteRate:
    """A recording of `frames` mel frames whose text, with its closing space, has `text_bytes`."""

    frames: int
    text_bytes: int
    frames_per_s: float

    @property
    def frames_per_byte(self) -> float:
        """Frames that a byte of text lasts."""
        return self.frames / self.text_bytes if self.frames else FRAMES_PER_BYTE

    def check(self) -> None:
        """Raise EngineError where the text can hardly be what is heard."""
        seconds = self.frames / self.frames_per_s
        if not SLOWEST <= self.text_bytes / seconds <= FASTEST:
            raise EngineError(
                f"reference_text has {self.text_bytes} characters, and the recording holds "
                f"{seconds:.1f} s of sound; give exactly the words that are heard"
            )

    def new_frames(self, text: str, speed: float) -> int:
        """Count the frames of a new text."""
        size = len(text.encode())
        slowed = speed * (SHORT_SPEED if size < SHORT_BYTES else 1.0)
        return max(LEAST_FRAMES, int(self.frames_per_byte * size / slowed))

    def limit_bytes(self, speed: float) -> int:
        """Count the bytes of new text that fit beside the recording."""
        left_s = LONGEST_S - self.frames / self.frames_per_s
        return int(left_s * self.frames_per_s / self.frames_per_byte * speed)
