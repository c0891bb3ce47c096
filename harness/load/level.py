"""
A level of load: so many clients that each wait for their answer (closed), or so many arrivals a second, whatever the server
does (open). Pure.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from harness.errors import HarnessError


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """Either `clients` or `rate_per_s`."""

    clients: int | None = None
    rate_per_s: float | None = None

    @property
    def label(self) -> str:
        """Name it for people and files: `closed-4`, `open-1.5`."""
        return f"closed-{self.clients}" if self.clients is not None else f"open-{self.rate_per_s:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How far a level goes: for so long, or for so many requests."""

    duration_s: float | None = None
    requests: int | None = None


def parse_levels(closed: str | None, rate_per_s: float | None) -> tuple[Level, ...]:
    """Read `--closed 1,2,4` or `--open 1.5`. Raises HarnessError unless just one of them says something that can be meant."""
    if (closed is None) == (rate_per_s is None):
        raise HarnessError("load needs --closed CLIENTS, e.g. 1,2,4, or --open RATE in requests per second: one of the two")
    if rate_per_s is not None:
        if not 0.0 < rate_per_s < math.inf:
            raise HarnessError(f"--open must be requests per second, above 0, not {rate_per_s!r}")
        return (Level(rate_per_s=rate_per_s),)
    words = [word.strip() for word in str(closed).split(",")]
    if not all(word.isdecimal() and 0 < int(word) <= 1000 for word in words) or len(set(words)) < len(words):
        raise HarnessError(f"--closed must be numbers of clients from 1 to 1000, each once, e.g. 1,2,4; not {closed!r}")
    return tuple(Level(clients=int(word)) for word in words)


def arrivals_s(rate_per_s: float, extent: Extent, seed: int) -> Iterator[float]:
    """
    Give the instants at which requests arrive, in seconds from the start: a Poisson process, drawn before anything is sent.

    Because they are fixed beforehand, a server that stalls cannot make its own clients wait with their requests, which would
    hide the stall from every percentile (coordinated omission).
    """
    rng = np.random.default_rng(seed)
    instant_s, count = 0.0, 0
    while extent.requests is None or count < extent.requests:
        instant_s += float(rng.exponential(1.0 / rate_per_s))
        if extent.duration_s is not None and instant_s > extent.duration_s:
            return
        yield instant_s
        count += 1
