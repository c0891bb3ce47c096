"""
The audio that the processes of a cell keep in the run folder: one file for each request, and one
for each further take.

    audio/<slug>/u001.wav               take 0: the first that was measured
    audio/<slug>/takes/1/u001.wav       a further take; of a cell that samples, by the take's number
    audio/<slug>/marked/u001.wav        as delivered, with its watermark
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from voxgate.harness.audio.files import wav_bytes
from voxgate.harness.records.files import write_atomic
from voxgate.harness.records.run import MOST_TAKES
from voxgate.harness.runner.failures import writing
from voxgate.harness.targets.witness import is_same

LARGEST_SEED = 2**31 - 1
"""Engines keep seeds in as few as 31 bits."""


def seed_of(seed: int, take: int) -> int:
    """
    Return the seed of a take: those that follow the cell's own, or precede it where it is large.

    >>> [seed_of(7, take) for take in range(3)]
    [7, 8, 9]
    """
    return seed + take if seed + MOST_TAKES <= LARGEST_SEED else seed - take


class KeptTakes:
    """What is kept of one cell; `heard` has the hash of each request's first audio."""

    def __init__(self, folder: Path, slug: str, known: Mapping[str, str]) -> None:
        self._folder = folder
        self._slug = slug
        self.heard = dict(known)

    def name(self, request: str, take: int | None = None, *, marked: bool = False) -> str:
        """Return the path of a further take in the run folder; without one, of the first."""
        return take_file(self._slug, request, take, marked=marked)

    def has(self, name: str) -> bool:
        """Whether a file was kept before."""
        return (self._folder / name).exists()

    def differs(self, request: str, audio: np.ndarray, digest: str) -> bool:
        """
        Whether the audio is another than the one that was kept of this request, by more than
        rounding.
        """
        before = self.heard.get(request)
        return before not in (None, digest) and not is_same(
            audio, self._folder / self.name(request)
        )

    def keep(self, name: str, audio: np.ndarray, rate_hz: int) -> None:
        """Write the audio; whole or not at all."""
        path = self._folder / name
        content = wav_bytes(audio, rate_hz, name)
        with writing():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(path, content)


def take_file(slug: str, request: str, take: int | None, *, marked: bool = False) -> str:
    """
    Return the path of a take in a run folder.

    >>> take_file("default", "u001", 2)
    'audio/default/takes/2/u001.wav'
    """
    inside = f"{'marked/' if marked else ''}{'' if take is None else f'takes/{take}/'}"
    return f"audio/{slug}/{inside}{request}.wav"
