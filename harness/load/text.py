"""The texts of a load: their classes of length, and the order in which they are asked for. Pure."""

import random
from collections.abc import Iterator, Sequence

from harness.records.cell import Request

SHORT, MEDIUM, LONG = LENGTHS = ("short", "medium", "long")
SHORT_CHARACTERS = 60
"""Up to a sentence."""
MEDIUM_CHARACTERS = 200
"""Up to a few sentences; what is longer is a paragraph."""


def length_of(text: str) -> str:
    """Give the class of a text."""
    if len(text) <= SHORT_CHARACTERS:
        return SHORT
    return MEDIUM if len(text) <= MEDIUM_CHARACTERS else LONG


def in_turns(requests: Sequence[Request], seed: int) -> Iterator[Request]:
    """Give the requests without end, every one once before any comes again, each time in another order."""
    rng = random.Random(seed)
    while True:
        yield from rng.sample(requests, len(requests))


def one_of_each(requests: Sequence[Request]) -> tuple[Request, ...]:
    """Give the first request of every class that there is, to warm a server up with."""
    first: dict[str, Request] = {}
    for request in requests:
        first.setdefault(length_of(request.text), request)
    return tuple(first.values())
