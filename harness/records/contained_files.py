"""
Read files of a folder that anybody may have made: regular files of a bounded size, and nothing that
leads out of it.

A link in a run folder could name any file of this machine, a pipe would be waited for forever, and
a device answers without end. So nothing is opened unseen. Knows no format and no name of ours.
"""

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from voxgate.harness.errors import HarnessError
from voxgate.harness.records.files import PLAIN

MOST_BYTES = 2**28
"""Of one file that is read whole: a process that measures for a day writes a tenth of it."""


def read_bytes(path: Path, most: int = MOST_BYTES) -> bytes:
    """
    Return a file's content.

    Raises OSError as opening does, and HarnessError for what is no regular file of that size.
    """
    _check_size(path, path.stat(), most)
    # it may have become a pipe meanwhile
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | PLAIN)
    with os.fdopen(handle, "rb") as file:
        _check_size(path, os.fstat(handle), most)
        return file.read(most)


def check_tree(paths: Iterable[Path]) -> None:
    """Raise HarnessError for a link, pipe or device among these paths, and all that lies below."""
    todo = list(paths)
    while todo:
        path = todo.pop()
        try:
            mode = path.lstat().st_mode
            if stat.S_ISDIR(mode):
                todo.extend(path.iterdir())
        except FileNotFoundError:
            continue
        except OSError as error:
            raise HarnessError(f"cannot read {path}: {error.strerror}") from error
        if stat.S_ISLNK(mode):
            raise HarnessError(
                f"{path} is a link; a run folder holds its own files, so copy the file to there"
            )
        if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
            raise HarnessError(f"{path} is neither file nor folder; no voxgate made it, remove it")


def _check_size(path: Path, status: os.stat_result, most: int) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(21, "Is a directory", str(path))
    if not stat.S_ISREG(status.st_mode):
        raise HarnessError(f"{path} is no regular file; no voxgate made it, remove it")
    if status.st_size > most:
        raise HarnessError(
            f"{path} has {status.st_size} bytes, more than the {most} that are read; no voxgate "
            "made it"
        )
