"""
Replace a folder of reviewed files atomically: if the process is killed at any point, the folder is
the old one or the new one.

    <parent>/<name>/                the folder
    <parent>/.accept/<name>/        the draft: all of the folder, changed; git ignores it
    <parent>/.accept/.ready-<name>/ the same, decided; only where the file system cannot exchange
        two folders

The draft and the folder are exchanged in one rename (`renameat2` with RENAME_EXCHANGE). Where a
file system cannot do that (overlays, network shares), renaming the draft to `.ready-...` decides:
from then on the new folder counts, and the next reader or writer moves its files into place. A
folder that is generated anew each time, as the site is, is drafted beside its place. Knows files,
and not their content.
"""

import ctypes
import errno
import glob
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from voxgate.harness.records.files import (
    close_folder,
    copy_tree,
    files_below,
    link,
    lock_folder,
    open_folder,
    sync,
    sync_tree,
    write_atomic,
)

ROOM = ".accept"
PASSING = ".passing"
"""Prefix of a file that is being moved into place."""
IGNORE = ".gitignore"
HERE = -100
"""AT_FDCWD."""
EXCHANGE = 2
"""RENAME_EXCHANGE."""
CANNOT = (errno.EINVAL, errno.ENOSYS, errno.EXDEV, errno.ENOTSUP, errno.EPERM)
"""Error numbers of file systems that cannot exchange two folders."""


@contextmanager
def replacement(place: Path) -> Iterator[Path]:
    """
    Yield a draft with all files of the folder `place`; it replaces the folder when the block ends
    without an exception.

    The draft is changed only by `write_atomic` and by removing files. Raises OSError; the folder is
    then unchanged.
    """
    with _alone(place.parent):
        room = place.parent / ROOM
        _roll_forward(place)
        _clear(place)
        draft = room / place.name
        try:
            room.mkdir(exist_ok=True)
            write_atomic(room / IGNORE, "*\n")
            copy_tree(place, draft) if place.is_dir() else draft.mkdir()
            yield draft
            sync_tree(draft)
            _put_in_place(draft, place)
        finally:
            _clear(place)


def settle(place: Path) -> None:
    """
    Finish an interrupted replacement: move the files of a decided one into place. Raises OSError.
    """
    if _ready(place).is_dir():
        with _alone(place.parent):
            _roll_forward(place)
            _clear(place)


def exchange(folder: Path, other: Path) -> bool:
    """
    Exchange two folders in one step; return False where the file system cannot. Raises OSError.
    """
    call = _c_function("renameat2")
    if call is None:
        return False
    if call(HERE, os.fsencode(folder), HERE, os.fsencode(other), EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in CANNOT:
        return False
    raise OSError(code, os.strerror(code), str(other))


def _c_function(name: str) -> Any:
    """Return a function of the C library; None where it has none of that name, or is not found."""
    try:
        return getattr(ctypes.CDLL(None, use_errno=True), name, None)
    except (OSError, TypeError):  # Windows
        return None


def drafted(place: Path) -> tuple[Path, int | None]:
    """
    Make an empty draft beside a folder that is generated anew each time, and remove drafts whose
    processes have ended.

    Returns the draft, and the open file whose lock marks it as in use; `close_folder` releases it.
    Raises OSError.
    """
    with _alone(place.parent):
        for stale in place.parent.glob(f".{glob.escape(place.name)}.*.draft"):
            if not _is_held(stale):
                shutil.rmtree(stale, ignore_errors=True)
        draft = place.with_name(f".{place.name}.{os.getpid()}-{secrets.token_hex(4)}.draft")
        draft.mkdir()
        lock = open_folder(draft)
        with suppress(OSError):
            lock_folder(lock, wait=False)
        return draft, lock


def put_folder(draft: Path, place: Path) -> None:
    """
    Put a draft in its place, and the folder that was there in the draft's. Where they cannot be
    exchanged, the old folder is removed a moment before. Raises OSError.
    """
    _sync_all(draft)
    if place.is_dir():
        shutil.copymode(place, draft)
        if not exchange(draft, place):
            shutil.rmtree(place)
            draft.rename(place)
    else:
        draft.rename(place)
    sync(place.parent)


def _sync_all(folder: Path) -> None:
    """
    Flush thousands of files to disk by one call for their file system, ten times as fast as one
    call for each.
    """
    call, handle = _c_function("syncfs"), open_folder(folder)
    if call is None or handle is None:
        close_folder(handle)
        sync_tree(folder)
        return
    try:
        if call(handle) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), str(folder))
    finally:
        os.close(handle)


def _is_held(draft: Path) -> bool:
    try:
        handle = open_folder(draft)
    except OSError:
        return True
    try:
        lock_folder(handle, wait=False)
    except OSError:
        return True
    finally:
        close_folder(handle)
    return False


def _put_in_place(draft: Path, place: Path) -> None:
    if not place.is_dir():
        draft.rename(place)
    elif not exchange(draft, place):
        draft.rename(_ready(place))
        sync(draft.parent)
        _roll_forward(place)
    sync(place.parent)


def _roll_forward(place: Path) -> None:
    """
    Make the folder the decided one. Interrupted at any point it can be started again: the decided
    files stay complete to the end.
    """
    ready = _ready(place)
    if not ready.is_dir():
        return
    expected = {path.relative_to(ready) for path in files_below(ready)}
    for name in sorted(expected):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        passing = ready.parent / PASSING
        passing.unlink(missing_ok=True)
        link(ready / name, passing)
        passing.replace(place / name)
    for path in list(files_below(place)):
        if path.relative_to(place) not in expected:
            path.unlink()
    sync_tree(place)
    ready.rename(ready.with_name(place.name))


def _ready(place: Path) -> Path:
    return place.parent / ROOM / f".ready-{place.name}"


def _clear(place: Path) -> None:
    """
    Remove the draft, or the old folder in its place, and the parent folder unless it is in use.
    """
    room = place.parent / ROOM
    shutil.rmtree(room / place.name, ignore_errors=True)
    with suppress(OSError):
        (room / PASSING).unlink(missing_ok=True)
        if {entry.name for entry in room.iterdir()} <= {IGNORE}:
            (room / IGNORE).unlink(missing_ok=True)
            room.rmdir()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """
    Hold an exclusive lock on replacing anything in a folder. File systems without locks are assumed
    to have one writer.
    """
    folder.mkdir(parents=True, exist_ok=True)
    handle = open_folder(folder)
    try:
        with suppress(OSError):
            lock_folder(handle, wait=True)
        yield
    finally:
        close_folder(handle)
