"""
How much a server lets in: at once, in one text, in one body; how long it waits for a client. No
torch, no web library, so that a command line is quick.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType

from engine.errors import EngineError

RANGES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "max_batch": (1, 256),
        "window_ms": (0, 10_000),
        "queue": (1, 10_000),
        "max_characters": (1, 1_000_000),
        "max_body_bytes": (256, 64 * 2**20),
        "max_connections": (1, 10_000),
        "head_s": (1, 600),
        "idle_s": (1, 3600),
        "stall_s": (1, 3600),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a server lets in. Raises EngineError for a value out of its range."""

    max_batch: int = 8
    """Whole texts that are spoken together at most."""
    window_ms: float = 50.0
    """How long the first text of a batch waits for others."""
    queue: int = 32
    """Requests inside at once, waiting or being spoken; one more is answered with 429."""
    max_characters: int = 4096
    """Of one text: what OpenAI's API allows. The engine has a limit of its own beside this."""
    max_body_bytes: int = 2**16
    """Of a request's body: enough for 4096 characters, each escaped."""
    max_connections: int = 256
    """
    Open at once. One that has no request gives its place to a new one; where all have, the new one
    is answered with 429.
    """
    head_s: int = 10
    """How long the head of a request may take to arrive."""
    idle_s: int = 15
    """How long a connection may stay open between two requests."""
    stall_s: int = 30
    """A client that takes nothing of its answer for so long is cut off."""

    def __post_init__(self) -> None:
        for field in fields(self):
            (low, high), value = RANGES[field.name], getattr(self, field.name)
            if not low <= value <= high:
                raise EngineError(
                    f"--{field.name.replace('_', '-')} must be from {low} to {high}, not {value!r}"
                )


def parse_limits(words: Mapping[str, str]) -> Limits:
    """Make limits from what was typed on a command line. Raises EngineError."""
    typed: dict[str, float] = {}
    for name, word in words.items():
        wanted = type(getattr(Limits(), name))
        try:
            typed[name] = wanted(word)
        except ValueError:
            kind = "a whole number" if wanted is int else "a number"
            raise EngineError(f"--{name.replace('_', '-')} must be {kind}, not {word!r}") from None
    return Limits(**typed)  # type: ignore[arg-type]
