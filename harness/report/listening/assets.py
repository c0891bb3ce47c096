"""
The files beside a page: sounds and pictures, each named by a hash of what it holds, so that no name tells what it is.

A file is a script with one call that hands over base64: the only kind of file that a page may read from a disk as well as
from a web server. Knows no page, and no sound.
"""

import base64
import hashlib
from pathlib import Path

from harness.records.files import write_file

FOLDER = "audio"
"""Below the folder of the pages; `deck.js` has the same word."""


class Shelf:
    """A folder of such files. What stands there already is not written again; `size_bytes` counts what was put."""

    def __init__(self, out: Path) -> None:
        self._folder = out / FOLDER
        self._ids: set[str] = set()
        self.size_bytes = 0

    def put(self, data: bytes) -> str:
        """Keep a file's bytes; gives its id. Raises HarnessError if it cannot be written."""
        name = hashlib.sha256(data).hexdigest()[:16]
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
