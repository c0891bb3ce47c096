"""
The limits of a server: concurrency, text and body size, timeouts.

Imports neither torch nor a web library, so that the command line starts fast.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType

from voxgate.engine.errors import EngineError

RANGES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "max_batch": (1, 256),
        "window_ms": (0, 10_000),
        "queue": (1, 10_000),
        "max_characters": (1, 1_000_000),
        "max_body_bytes": (256, 64 * 2**20),
        "max_upload_bytes": (256, 2**30),
        "max_connections": (1, 10_000),
        "head_s": (1, 600),
        "idle_s": (1, 3600),
        "stall_s": (1, 3600),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of a server. Raises EngineError for a value out of range."""

    max_batch: int = 8
    """Most whole texts in one batch."""
    window_ms: float = 50.0
    """How long the first text of a batch waits for others."""
    queue: int = 32
    """Most requests in flight, waiting or in synthesis; one more gets 429."""
    max_characters: int = 4096
    """Of one text: the limit of OpenAI's API. The engine also has a limit of its own."""
    max_body_bytes: int = 2**16
    """Of a request's body: enough for 4096 characters, all escaped."""
    max_upload_bytes: int = 32 * 2**20
    """Of a recording that is to be converted: 17 minutes of 16 kHz, 5 of 48 kHz."""
    max_connections: int = 256
    """
    Most open connections.

    An idle one is closed in favour of a new one; if all have a request, the new one gets 429.
    """
    head_s: int = 10
    """Timeout for the head of a request."""
    idle_s: int = 15
    """Timeout of a connection between two requests."""
    stall_s: int = 30
    """A client that reads nothing of its response for this long is disconnected."""

    def __post_init__(self) -> None:
        for field in fields(self):
            (low, high), value = RANGES[field.name], getattr(self, field.name)
            if not low <= value <= high:
                raise EngineError(
                    f"--{field.name.replace('_', '-')} must be from {low} to {high}, not {value!r}"
                )


def parse_limits(words: Mapping[str, str]) -> Limits:
    """
    Parse limits from the texts of a command line.

    Raises: EngineError for a value that is no number, or out of range.
    """
    typed: dict[str, float] = {}
    for name, word in words.items():
        number = type(getattr(Limits(), name))
        try:
            typed[name] = number(word)
        except ValueError:
            kind = "a whole number" if number is int else "a number"
            raise EngineError(f"--{name.replace('_', '-')} must be {kind}, not {word!r}") from None
    return Limits(**typed)  # type: ignore[arg-type]
