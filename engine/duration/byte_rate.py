"""
Total duration by the byte rule of F5-TTS: frames per byte of text, as in the prompt.

Uses nothing of the text but its length.
A model without a duration model finds the timing inside the span by itself.
"""

from dataclasses import dataclass

from voxgate.engine.errors import EngineError

FRAMES_PER_BYTE = 6.25
"""
The byte rate without a prompt: 15 bytes/s at 93.75 frames/s, a medium pace of English readers.
"""
LONGEST_S = 22.0
"""Prompt and new speech together, the limit at which the published command cuts its text."""
SHORT_BYTES, SHORT_SPEED = 10, 0.3
"""
Texts below SHORT_BYTES are spoken at SHORT_SPEED, as published: the plain ratio leaves too few
frames.
"""
MIN_FRAMES = 8
SLOWEST, FASTEST = 3.0, 40.0
"""Plausible bytes of text per second of recording."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ByteRate:
    """
    The speaking rate of a prompt of `frames` mel frames.

    `text_bytes` includes the space that closes its transcript.
    """

    frames: int
    text_bytes: int
    frames_per_s: float

    @property
    def frames_per_byte(self) -> float:
        """Mel frames per byte of text."""
        return self.frames / self.text_bytes if self.frames else FRAMES_PER_BYTE

    def check(self) -> None:
        """Raise EngineError if the transcript cannot be that of the recording."""
        seconds = self.frames / self.frames_per_s
        if not SLOWEST <= self.text_bytes / seconds <= FASTEST:
            raise EngineError(
                f"reference_text has {self.text_bytes} characters, and the recording holds "
                f"{seconds:.1f} s of sound; give exactly the words that are heard"
            )

    def new_frames(self, text: str, speed: float) -> int:
        """Return the number of mel frames for a new text."""
        size = len(text.encode())
        text_speed = speed * (SHORT_SPEED if size < SHORT_BYTES else 1.0)
        return max(MIN_FRAMES, int(self.frames_per_byte * size / text_speed))

    def limit_bytes(self, speed: float) -> int:
        """Return the number of bytes of new text that fit beside the prompt."""
        available_s = LONGEST_S - self.frames / self.frames_per_s
        return int(available_s * self.frames_per_s / self.frames_per_byte * speed)
