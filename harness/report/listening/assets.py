"""
The sounds and pictures of a player: files beside its page, or bytes within it.

They are named by a hash of their content, so that no name reveals the voice. A file is a script
with one call that passes base64: the only kind of file that a page can read from a disk as well as
from a web server. `deck.js` reads both kinds.
"""

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from voxgate.harness.records.files import write_file

FOLDER = "audio"
"""Below the folder of the pages; `deck.js` has the same word."""


class Assets(Protocol):
    """Where sounds and pictures are kept."""

    def put(self, data: bytes) -> str:
        """Keep a file's bytes; return its id."""


class AssetFolder:
    """
    A folder of files named by their content. Existing files are not written again; `size_bytes`
    counts those that are.
    """

    def __init__(self, out: Path) -> None:
        self._folder = out / FOLDER
        self._ids: set[str] = set()
        self.size_bytes = 0

    def put(self, data: bytes) -> str:
        """Keep a file's bytes; return its id. Raises HarnessError if it cannot be written."""
        name = _id(data)
        if name not in self._ids:
            self._ids.add(name)
            self.size_bytes += self._write(name, data)
        return name

    def _write(self, name: str, data: bytes) -> int:
        path = self._folder / f"{name}.js"
        text = f'voxgate("{name}","{base64.b64encode(data).decode()}");\n'
        if path.is_file() and path.stat().st_size == len(text):
            return len(text)
        write_file(
            path, text, "choose another --out", parents=True, durable=False
        )  # the site that it belongs to is brought to disk as one
        return len(text)


class EmbeddedAssets:
    """
    Sounds and pictures that a page holds itself, up to `budget_bytes`. What was put since the last
    `settle` is dropped as one where it is too much.
    """

    def __init__(self, budget_bytes: int) -> None:
        self._budget_bytes = budget_bytes
        self._kept: dict[str, bytes] = {}
        self._fresh: dict[str, bytes] = {}

    @property
    def fits(self) -> bool:
        """Whether all that was put is within the budget."""
        return self.share <= 1.0

    @property
    def share(self) -> float:
        """Share of the budget that all that was put takes, above 1.0 where it does not fit."""
        held = sum(map(len, {**self._kept, **self._fresh}.values()))
        return held / max(self._budget_bytes, 1)

    def put(self, data: bytes) -> str:
        """Keep a file's bytes; return its id."""
        name = _id(data)
        self._fresh[name] = data
        return name

    def settle(self) -> bool:
        """Keep what was put where it fits, or else drop it; return whether it fits."""
        fits = self.fits
        if fits:
            self._kept |= self._fresh
        self.drop()
        return fits

    def drop(self) -> None:
        """Drop what was put since the last `settle`."""
        self._fresh = {}

    def as_base64(self) -> Mapping[str, str]:
        """Return what is kept: id -> base64."""
        return {name: base64.b64encode(data).decode() for name, data in self._kept.items()}


def _id(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
