"""
A fixed computation that belongs to the harness and to no revision: the control, whose time must not
differ between two sides.

About 50 ms of the work of an engine without an engine: transforms that fit into the cache, and
matrix products. Its audio is a short tone. It has no options, and ignores the text.
"""

from collections.abc import Iterator, Mapping

import numpy as np

from voxgate.harness.records.cell import Cell, Option, Request
from voxgate.harness.targets.protocol import StageWatch, Target

RATE_HZ = 16_000
SIGNAL_SAMPLES = 2**18
"""
Samples of the signal to transform: 2 MiB, larger than most second-level caches and smaller than
the last-level one.
"""
SIDE = 384
"""Of the matrices."""
ROUNDS = 6
"""
About 50 ms in all on a server's core of 2022; what matters is that it is the same on all sides.
"""
TONE_S = 0.1


class ControlTarget(Target):
    """The fixed computation as a target."""

    sample_rate_hz = RATE_HZ
    imports = ("numpy",)

    def load(self, cell: Cell, defaults: Mapping[str, Option]) -> None:
        """Draw the numbers to compute with; the same in every process."""
        rng = np.random.default_rng(1)
        self._signal = rng.standard_normal(SIGNAL_SAMPLES)
        self._matrix = rng.standard_normal((SIDE, SIDE), dtype=np.float32) / SIDE**0.5
        self._tone = np.sin(
            2 * np.pi * 440.0 / RATE_HZ * np.arange(round(TONE_S * RATE_HZ))
        ).astype(np.float32)

    def effective(self) -> Mapping[str, Option]:
        """Return nothing: there are no options."""
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
