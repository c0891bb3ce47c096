"""
The files that another job left behind, read in memory and with limits. They may come from a stranger: nothing is unpacked onto
the disk, nothing is run, and a name is only ever compared.
"""

import io
import json
import struct
import zipfile
import zlib
from typing import Any

from harness.ci.github import GitHub
from harness.errors import HarnessError

ARCHIVE_BYTES = 32 * 2**20
UNPACKED_BYTES = 64 * 2**20
"""Of all files together: a small archive can unpack to anything."""
FILES = 500
BROKEN = (
    *(zipfile.BadZipFile, zlib.error, struct.error, NotImplementedError, RuntimeError),
    *(OSError, EOFError, ValueError, LookupError),
)
"""What reading an archive raises that is none, or whose parts do not lie where it says."""


def artifacts(github: GitHub, run: int) -> dict[str, dict[str, Any]]:
    """Give the artifacts of a workflow run by name, the newest of each."""
    found = github.every(f"/actions/runs/{run}/artifacts", key="artifacts")
    return {str(each["name"]): each for each in sorted(found, key=lambda each: int(each["id"])) if not each.get("expired")}


def read_artifact(github: GitHub, run: int, name: str) -> dict[str, bytes] | None:
    """Give the files of an artifact by path; None if the run has no such artifact. Raises HarnessError beyond the limits."""
    entry = artifacts(github, run).get(name)
    if entry is None:
        return None
    return unpacked(github.archive(f"/actions/artifacts/{int(entry['id'])}/zip", ARCHIVE_BYTES), name)


def unpacked(archive: bytes, name: str) -> dict[str, bytes]:
    """Give the files of a zip archive by path. Raises HarnessError if it is broken, or too large when unpacked."""
    files: dict[str, bytes] = {}
    left = UNPACKED_BYTES
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as packed:
            entries = [entry for entry in packed.infolist() if not entry.is_dir()]
            if len(entries) > FILES:
                raise HarnessError(f"artifact {name} has {len(entries)} files, more than {FILES}; it is not read")
            for entry in entries:
                with packed.open(entry) as file:
                    content = file.read(left + 1)
                left -= len(content)
                if left < 0:
                    raise HarnessError(f"artifact {name} unpacks to more than {UNPACKED_BYTES} bytes; it is not read")
                files[entry.filename] = content
    except HarnessError:
        raise
    except BROKEN as error:
        raise HarnessError(f"artifact {name} cannot be read: {error}") from error
    return files


def read_json(content: bytes, name: str) -> Any:
    """Read JSON that a stranger wrote. Raises HarnessError if it is none."""
    try:
        return json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise HarnessError(f"{name} is no JSON: {error}") from error
