"""
A fixed computation that belongs to the harness and to no revision: what must not move between two
sides.

About 50 ms of what an engine does, with nothing of an engine in it: transforms that live in the
cache, and matrix products. Its audio is a short tone. It has no options, and ignores what it is
asked to say.
"""

from collections.abc import Iterator, Mapping

import numpy as np

from harness.records.cell import Cell, Option, Request
from harness.records.run import OptionCheck
from harness.targets.protocol import StageWatch

RATE_HZ = 16_000
FRAMES = 2**18
"""
Of the signal to transform: 2 MiB, larger than most second-level caches and smaller than the last
one.
"""
SIDE = 384
"""Of the matrices."""
ROUNDS = 6
"""
About 50 ms in all on a server's core of 2022; what matters is that it is the same on all sides.
"""
TONE_S = 0.1


class ControlTarget:
    """See the module."""

    sample_rate_hz = RATE_HZ
    imports = ("numpy",)

    def load(self, cell: Cell, defaults: Mapping[str, Option]) -> None:
        """Make the numbers to compute with; the same in every process."""
        rng = np.random.default_rng(1)
        self._signal = rng.standard_normal(FRAMES)
        self._matrix = rng.standard_normal((SIDE, SIDE), dtype=np.float32) / SIDE**0.5
        self._tone = np.sin(
            2 * np.pi * 440.0 / RATE_HZ * np.arange(round(TONE_S * RATE_HZ))
        ).astype(np.float32)

    def effective(self) -> Mapping[str, Option]:
        """Nothing can be set."""
        return {}

    def synthesize(self, request: Request, watch: StageWatch) -> Iterator[np.ndarray]:
        """Compute, and yield the tone."""
        with watch("control"):
            for _ in range(ROUNDS):
                np.fft.rfft(self._signal)
                product = self._matrix
                for _ in range(ROUNDS):
                    product = product @ self._matrix
        yield self._tone

    def observe(self, request: Request) -> tuple[OptionCheck, ...]:
        """Observe nothing: nothing was asked."""
        return ()

    def settled(self) -> bool:
        """Nothing is compiled."""
        return True
